//! What an actor has taken out of its mailbox together, and begins with one after the other.
//!
//! Invariants: nobody can tell that it was taken early. It counts for the mailbox's bounds until it is begun with; a signal
//! or a message of high priority comes before it; and when the actor waits in a handler, or its incarnation ends, it lies
//! in the mailbox again.

use std::task::{Context, Poll, ready};

use crate::cell::Cell;
use crate::envelope::{Credit, Envelope, Message, Stored};
use crate::payload::Payload;
use crate::protocol::Unread;
use crate::reply::Reply;
use crate::signal::{Ended, Signal};
use crate::store::{Entry, Store};
use crate::workload::{Share, Taken};
use bailiwick_wire::descriptors::Incoming;

/// The messages in hand.
pub(crate) struct Hand<'a> {
    cell: &'a Cell,
    store: Store,
    /// Room to be given back together for messages that were begun with, and for how many.
    credit: Option<Credit>,
    begun: u32,
    /// Something of another worker's is being handled.
    share: Option<Share>,
}

/// What the actor looks at next.
pub(crate) enum Next {
    Signal(Box<Signal>),
    Ended(Box<Ended>),
    /// It is in hand: [`Hand::begin`].
    Message,
}

/// A message that the actor has begun with.
pub(crate) enum Begun {
    Whole(Box<Envelope>),
    /// Its bytes are in hand.
    Stored(Box<Envelope<Stored>>),
}

/// Where its arguments are.
pub(crate) enum Arguments<'a> {
    Whole(&'a mut (dyn Message + 'static)),
    Stored(Stored),
}

impl Begun {
    pub(crate) fn envelope(&mut self) -> &mut Envelope {
        match self {
            Self::Whole(envelope) => envelope,
            Self::Stored(envelope) => &mut **envelope,
        }
    }

    /// Returns it for whom nobody handles it.
    pub(crate) fn unhandled(self) -> Box<Envelope> {
        match self {
            Self::Whole(envelope) => envelope,
            Self::Stored(envelope) => envelope,
        }
    }

    /// Returns the arguments and the way back.
    pub(crate) fn parts(&mut self) -> (Arguments<'_>, &Reply) {
        match self {
            Self::Whole(envelope) => {
                let Envelope { message, reply, .. } = &mut **envelope;
                (Arguments::Whole(message), reply)
            }
            Self::Stored(envelope) => (Arguments::Stored(envelope.message), &envelope.reply),
        }
    }
}

impl<'c> Hand<'c> {
    pub(crate) fn new(cell: &'c Cell) -> Self {
        Self { cell, store: Store::default(), credit: None, begun: 0, share: None }
    }

    /// Ready with what comes next.
    pub(crate) fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<Next> {
        loop {
            if self.cell.queue.has_ahead()
                && let Some(signal) = self.cell.queue.take_ahead(&mut self.store)
            {
                return Poll::Ready(Next::Signal(Box::new(signal)));
            }
            if self.store.is_empty() {
                self.rest();
                ready!(self.cell.queue.poll_take(task, &mut self.store));
            }
            // It is empty still if a signal has come.
            if !self.store.is_empty() {
                return Poll::Ready(self.store.pop_ended().map_or(Next::Message, Next::Ended));
            }
        }
    }

    /// Takes the message that is first, to begin with it.
    #[inline(always)]
    pub(crate) fn begin(&mut self) -> Option<Begun> {
        let entry = self.store.pop()?;
        self.cell.queue.begun(&self.store);
        match entry {
            Entry::Message(envelope) => Some(Begun::Whole(envelope)),
            Entry::Stored(envelope) => Some(Begun::Stored(envelope)),
            Entry::Ended(_) => None,
        }
    }

    /// Notes that a message is done with. Whoever was not answered until now is told.
    pub(crate) fn done(&mut self, begun: Begun) {
        match begun {
            Begun::Whole(envelope) => drop(envelope),
            Begun::Stored(envelope) => self.store.recycle(envelope),
        }
    }

    /// Tells whether nothing is in hand and nothing waits.
    pub(crate) fn is_over(&self) -> bool {
        self.store.is_empty() && self.cell.queue.is_idle()
    }

    /// Notes that a message of another worker's is begun with. Returns false if this life takes no more of them.
    pub(crate) fn takes(&mut self, credit: &mut Option<Credit>) -> bool {
        let workload = &self.cell.node.workload;
        // Who is looked at has done nothing for that.
        let taken = if self.cell.is_observer() { Taken::One } else { workload.take() };
        if !self.cell.is_observer() {
            self.share.get_or_insert_with(|| workload.share());
        }
        if taken == Taken::Last {
            // Before its credit goes back, or the sender would send one more to this life.
            self.cell.node.host.spent();
        }
        Credit::gather(&mut self.credit, credit);
        self.begun += 1;
        if self.begun >= BEGUN_MAX {
            self.give_credit();
        }
        taken != Taken::TooMany
    }

    /// Returns the arguments of the message that was taken last.
    pub(crate) fn unread<'a>(&'a self, arguments: Arguments<'a>) -> Unread<'a> {
        match arguments {
            Arguments::Whole(message) => match message.take_bytes() {
                None => Unread::Value(message),
                Some(payload) => Unread::Bytes(payload),
            },
            Arguments::Stored(Stored(limits)) => {
                let bytes = self.store.bytes().into();
                Unread::Bytes(Payload { bytes, beside: Incoming::default(), limits })
            }
        }
    }

    /// Gives back the room of what was begun with.
    pub(crate) fn give_credit(&mut self) {
        self.begun = 0;
        drop(self.credit.take());
    }

    /// Lays what is in hand back into the mailbox, because the actor waits.
    pub(crate) fn lay_down(&mut self) {
        self.give_credit();
        if !self.store.is_empty() {
            self.cell.queue.put_back(std::mem::take(&mut self.store));
        }
    }

    fn rest(&mut self) {
        self.give_credit();
        self.share = None;
    }
}

/// However an incarnation ends, the next one, or the end of the actor, finds what is left in the mailbox.
impl Drop for Hand<'_> {
    fn drop(&mut self) {
        self.lay_down();
    }
}

/// Messages of other workers for which room is given back together at most.
const BEGUN_MAX: u32 = 64;
