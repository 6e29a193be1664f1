//! Where the answer to one message goes. Dropping it unanswered is an answer too.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem;
use std::sync::Arc;
use std::task::{Poll, Waker};

use bailiwick_core::link::Asked;

use crate::envelope::{Envelope, RemoteAsks};
use crate::introspect::MessageKind;
use crate::later::Later;
use crate::meeting::AskSlot;
use crate::outcome::{AskError, DownCause, NotDelivered, Unknown};
use crate::payload::{self, Payload, Portable};
use crate::replies::Replies;
use crate::slot::Slot;
use crate::stream_slot::StreamSlot;

/// The way back to the asker. Generated code answers through it; nobody else needs it.
pub struct Reply {
    to: RefCell<To>,
    started: Cell<bool>,
}

enum To {
    /// Nobody asked, or the answer has been given.
    Nobody,
    Local(Arc<dyn AskSlot>),
    /// An ask that came over a link.
    Remote(Arc<dyn RemoteAsks>, Asked),
    /// A tell that came over a link, whose sender is told when the actor takes it.
    Receipt(Arc<dyn RemoteAsks>, Asked),
}

impl Reply {
    pub(crate) fn nobody() -> Self {
        Self::to(To::Nobody)
    }

    pub(crate) fn local(slot: Arc<dyn AskSlot>) -> Self {
        Self::to(To::Local(slot))
    }

    pub(crate) fn remote(asks: Arc<dyn RemoteAsks>, asked: Asked) -> Self {
        Self::to(To::Remote(asks, asked))
    }

    pub(crate) fn receipt(asks: Arc<dyn RemoteAsks>, asked: Asked) -> Self {
        Self::to(To::Receipt(asks, asked))
    }

    fn to(to: To) -> Self {
        Self { to: RefCell::new(to), started: Cell::new(false) }
    }

    /// Moves the way back to a new owner; nobody is answered through this one any more.
    pub(crate) fn take(&self) -> Self {
        Self { to: RefCell::new(self.to.replace(To::Nobody)), started: self.started.clone() }
    }

    /// Returns whether an answer is awaited.
    pub(crate) fn is_awaited(&self) -> bool {
        !matches!(*self.to.borrow(), To::Nobody)
    }

    /// Returns whether who asks is in another process.
    fn is_remote(&self) -> bool {
        matches!(*self.to.borrow(), To::Remote(..))
    }

    /// Returns what kind of message it is the way back of, as long as nobody has begun with that.
    pub(crate) fn kind(&self) -> MessageKind {
        match &*self.to.borrow() {
            To::Nobody => MessageKind::Tell,
            To::Local(_) | To::Remote(..) => MessageKind::Ask,
            To::Receipt(..) => MessageKind::Rendezvous,
        }
    }

    /// Returns the slot of a local asker, for a link that forwards the ask.
    pub(crate) fn local_slot(&self) -> Option<Arc<dyn AskSlot>> {
        match &*self.to.borrow() {
            To::Local(slot) => Some(Arc::clone(slot)),
            To::Nobody | To::Remote(..) | To::Receipt(..) => None,
        }
    }

    /// Called right before the handler runs; `false` if the asker has given up.
    pub(crate) fn start(&self) -> bool {
        self.started.set(true);
        let mut to = self.to.borrow_mut();
        match &*to {
            To::Nobody => true,
            To::Local(slot) => slot.start(),
            To::Remote(asks, asked) => asks.start(*asked),
            To::Receipt(asks, asked) => {
                let waits = asks.taken(*asked);
                // From here on it is a tell as any other.
                *to = To::Nobody;
                waits
            }
        }
    }

    /// Returns whether the asker has given up; if not, wakes `waker` when it does.
    pub(crate) fn poll_abandoned(&self, waker: &Waker) -> bool {
        match &mut *self.to.borrow_mut() {
            To::Nobody => false,
            To::Local(slot) => slot.poll_abandoned(waker),
            To::Remote(asks, asked) | To::Receipt(asks, asked) => asks.poll_abandoned(*asked, waker),
        }
    }

    /// Ends the ask without a reply.
    pub(crate) fn fail(&self, error: AskError) {
        match self.to.replace(To::Nobody) {
            To::Nobody => {}
            To::Local(slot) => slot.fail(error),
            To::Remote(asks, asked) | To::Receipt(asks, asked) => asks.fail(asked, error),
        }
    }

    /// Gives the message back unhandled.
    pub(crate) fn bounce(&self, envelope: Box<Envelope>, reason: NotDelivered) {
        match self.to.replace(To::Nobody) {
            To::Nobody => {}
            To::Local(slot) => slot.bounce(envelope, reason),
            To::Remote(asks, asked) | To::Receipt(asks, asked) => {
                asks.fail(asked, AskError::NotDelivered(reason));
            }
        }
    }

    /// Gives the reply as it came from a link.
    pub(crate) fn receive(&self, payload: Payload<'static>) {
        if let To::Local(slot) = self.to.replace(To::Nobody) {
            slot.receive(payload);
        }
    }

    /// Gives the reply.
    #[doc(hidden)]
    pub fn send<R: Portable>(&self, value: R) {
        match self.to.replace(To::Nobody) {
            To::Nobody | To::Receipt(..) => {}
            To::Local(slot) => {
                let slot: Arc<dyn Any + Send + Sync> = slot;
                if let Ok(slot) = slot.downcast::<Slot<R>>() {
                    slot.reply(value);
                }
            }
            To::Remote(asks, asked) => asks.reply(asked, &value),
        }
    }

    /// Gives the reply when there is one.
    #[doc(hidden)]
    pub fn later<R: Portable>(&self, later: Later<R>) {
        later.answer_to(self.take());
    }

    /// Gives replies as long as there are any, on a task of the incarnation that `cx` belongs to.
    #[doc(hidden)]
    pub fn stream<T: Portable>(&self, replies: Replies<T>, cx: &mut crate::Context) {
        let reply = self.take();
        if reply.is_awaited() {
            let share = reply.is_remote().then(|| cx.share_of_work()).flatten();
            cx.run_beside(async move {
                replies.pump(reply).await;
                drop(share);
            });
        }
    }

    /// Tells the asker that a stream begins.
    pub(crate) fn open(&self) {
        match &mut *self.to.borrow_mut() {
            To::Nobody | To::Receipt(..) => {}
            To::Local(slot) => slot.open(),
            To::Remote(asks, asked) => asks.open(*asked),
        }
    }

    /// Ready with `true` when an item may be sent, with `false` when nobody takes any more.
    pub(crate) fn poll_room<T: Portable>(&self, waker: &Waker) -> Poll<bool> {
        match &mut *self.to.borrow_mut() {
            To::Nobody | To::Receipt(..) => Poll::Ready(false),
            To::Local(slot) => match stream_slot::<T>(slot) {
                Some(slot) => slot.poll_room(waker),
                None => Poll::Ready(false),
            },
            To::Remote(asks, asked) => asks.poll_room(*asked, waker),
        }
    }

    /// Sends one item of a stream. An item that cannot be encoded ends the stream.
    pub(crate) fn item<T: Portable>(&self, item: T) {
        let unencodable = match &mut *self.to.borrow_mut() {
            To::Nobody | To::Receipt(..) => None,
            To::Local(slot) => {
                if let Some(slot) = stream_slot::<T>(slot) {
                    slot.push(item);
                }
                None
            }
            To::Remote(asks, asked) => {
                asks.item(*asked, &item).err().map(|error| payload::unencodable_reply(&error))
            }
        };
        if let Some(reason) = unencodable {
            self.fail(reason.into());
        }
    }

    /// Ends a stream in order.
    pub(crate) fn end(&self) {
        match self.to.replace(To::Nobody) {
            To::Nobody | To::Receipt(..) => {}
            To::Local(slot) => slot.end(),
            To::Remote(asks, asked) => asks.end(asked),
        }
    }
}

fn stream_slot<T: Portable>(slot: &Arc<dyn AskSlot>) -> Option<Arc<StreamSlot<T>>> {
    let slot: Arc<dyn Any + Send + Sync> = Arc::clone(slot) as Arc<dyn AskSlot>;
    slot.downcast().ok()
}

impl Drop for Reply {
    fn drop(&mut self) {
        let to = mem::replace(self.to.get_mut(), To::Nobody);
        let error = || {
            if self.started.get() {
                AskError::Unknown(Unknown::ReplyDropped)
            } else {
                AskError::NotDelivered(NotDelivered::Ended { cause: DownCause::Stopped })
            }
        };
        match to {
            To::Nobody => {}
            To::Local(slot) => slot.fail(error()),
            To::Remote(asks, asked) | To::Receipt(asks, asked) => asks.fail(asked, error()),
        }
    }
}
