//! The meeting place of one ask: here the reply, the failure or the asker's giving up arrives first, and only once.
//!
//! A slot goes `waiting → started → done`, or is abandoned by the asker at any of them. Because `start` and `abandon`
//! exclude each other, an ask that was abandoned before it started is certainly not handled.

use std::any::Any;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::envelope::Body;
use crate::outcome::{AskError, NotDelivered};
use crate::payload::Payload;

/// A slot as the answering side sees it, the type of the reply erased.
pub(crate) trait AskSlot: Any + Send + Sync {
    /// Called right before a handler runs or a frame is written; `false` if the asker has given up.
    fn start(&self) -> bool;
    /// Returns whether the asker has given up; if not, wakes `waker` when it does.
    fn poll_abandoned(&self, waker: &Waker) -> bool;
    /// Tells the link when the asker gives up or takes an item.
    fn answered_over(&self, link: Arc<dyn AnsweringLink>, key: u64);
    /// Ends the ask without a reply.
    fn fail(&self, error: AskError);
    /// Gives the message back: it was not handled, and may be sent elsewhere.
    fn bounce(&self, body: Body, reason: NotDelivered);
    /// Brings the reply as it came from a link; for a stream, one item of it.
    fn receive(&self, payload: Payload);
    /// A stream of replies begins.
    fn open(&self);
    /// A stream of replies has ended in order.
    fn end(&self);
}

/// The link over which an ask went out, as the asker's slot calls it.
pub(crate) trait AnsweringLink: Send + Sync {
    /// The asker has given up; the other side should stop its work.
    fn abandoned(&self, key: u64);
    /// The asker took an item of a stream; there is room for one more.
    fn item_taken(&self, key: u64);
}

/// Whom to tell that the asker has given up.
#[derive(Default)]
pub(crate) enum Answerer {
    #[default]
    Nobody,
    Task(Waker),
    Link(Arc<dyn AnsweringLink>, u64),
}

impl Answerer {
    pub(crate) fn tell_abandoned(self) {
        match self {
            Self::Nobody => {}
            Self::Task(waker) => waker.wake(),
            Self::Link(link, key) => link.abandoned(key),
        }
    }

    /// Remembers the task, unless it is already the one.
    pub(crate) fn be_task(&mut self, waker: &Waker) {
        match self {
            Self::Task(known) if known.will_wake(waker) => {}
            _ => *self = Self::Task(waker.clone()),
        }
    }
}

/// The slot of an ask with one reply.
pub(crate) struct Slot<R>(Mutex<State<R>>);

struct State<R> {
    phase: Phase<R>,
    asker: Option<Waker>,
    answerer: Answerer,
}

enum Phase<R> {
    Waiting,
    Started,
    Done(Answered<R>),
    /// The asker has given up, or has taken what there was.
    Over,
}

/// What came of an ask.
pub(crate) enum Answered<R> {
    Value(R),
    /// Still encoded: decoded in the asker's turn, by its budget.
    Bytes(Payload),
    Failed(AskError),
    /// The message came back unhandled.
    Bounced(Body, NotDelivered),
}

/// How far an ask was when its asker gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abandoned {
    /// Certainly not handled.
    BeforeStart,
    /// A handler, or the link, had it.
    AfterStart,
}

impl<R> Slot<R> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { phase: Phase::Waiting, asker: None, answerer: Answerer::Nobody }))
    }

    /// Ready with the outcome, once.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Answered<R>> {
        let mut state = self.lock();
        match mem::replace(&mut state.phase, Phase::Over) {
            Phase::Done(answered) => return Poll::Ready(answered),
            unfinished => state.phase = unfinished,
        }
        match &state.asker {
            Some(known) if known.will_wake(waker) => {}
            _ => state.asker = Some(waker.clone()),
        }
        Poll::Pending
    }

    /// Gives the ask up and tells the answering side. Returns how far it was; a reply that is there is lost.
    pub(crate) fn abandon(&self) -> Abandoned {
        let mut state = self.lock();
        let phase = mem::replace(&mut state.phase, Phase::Over);
        let answerer = mem::take(&mut state.answerer);
        drop(state);
        match phase {
            Phase::Waiting => {
                answerer.tell_abandoned();
                Abandoned::BeforeStart
            }
            Phase::Started => {
                answerer.tell_abandoned();
                Abandoned::AfterStart
            }
            Phase::Done(_) | Phase::Over => Abandoned::AfterStart,
        }
    }

    /// Brings the reply as a value.
    pub(crate) fn reply(&self, value: R) {
        self.finish(Answered::Value(value));
    }

    fn finish(&self, answered: Answered<R>) {
        let mut state = self.lock();
        // What is lost is dropped outside of the lock: it may be anything of the user's.
        let lost = match state.phase {
            Phase::Waiting | Phase::Started => mem::replace(&mut state.phase, Phase::Done(answered)),
            Phase::Done(_) | Phase::Over => Phase::Done(answered),
        };
        state.answerer = Answerer::Nobody;
        let asker = state.asker.take();
        drop(state);
        drop(lost);
        if let Some(asker) = asker {
            asker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Send + 'static> AskSlot for Slot<R> {
    fn start(&self) -> bool {
        let mut state = self.lock();
        match state.phase {
            Phase::Waiting => {
                state.phase = Phase::Started;
                true
            }
            Phase::Started => true,
            Phase::Done(_) | Phase::Over => false,
        }
    }

    fn poll_abandoned(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        state.answerer.be_task(waker);
        matches!(state.phase, Phase::Over)
    }

    fn answered_over(&self, link: Arc<dyn AnsweringLink>, key: u64) {
        let mut state = self.lock();
        let over = matches!(state.phase, Phase::Over);
        if !over {
            state.answerer = Answerer::Link(Arc::clone(&link), key);
        }
        drop(state);
        if over {
            link.abandoned(key);
        }
    }

    fn fail(&self, error: AskError) {
        self.finish(Answered::Failed(error));
    }

    fn bounce(&self, body: Body, reason: NotDelivered) {
        self.finish(Answered::Bounced(body, reason));
    }

    fn receive(&self, payload: Payload) {
        self.finish(Answered::Bytes(payload));
    }

    // Only the link of a peer that breaks the protocol gets here: one reply is no stream.
    fn open(&self) {}

    fn end(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Unknown;

    fn take<R>(slot: &Slot<R>) -> Option<Answered<R>> {
        match slot.poll(Waker::noop()) {
            Poll::Ready(answered) => Some(answered),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_reply_arrives_once_and_a_second_is_lost() {
        let slot = Slot::new();
        assert!(take(&slot).is_none());
        assert!(slot.start());
        slot.reply(7);
        slot.reply(8);
        assert!(matches!(take(&slot), Some(Answered::Value(7))));
        assert!(take(&slot).is_none());
    }

    #[test]
    fn an_ask_abandoned_before_its_start_is_never_started() {
        let slot = Slot::<u8>::new();
        assert_eq!(slot.abandon(), Abandoned::BeforeStart);
        assert!(!slot.start());
    }

    #[test]
    fn an_ask_abandoned_after_its_start_shows_the_answerer() {
        let slot = Slot::<u8>::new();
        assert!(slot.start());
        assert!(!slot.poll_abandoned(Waker::noop()));
        assert_eq!(slot.abandon(), Abandoned::AfterStart);
        assert!(slot.poll_abandoned(Waker::noop()));
    }

    #[test]
    fn a_failure_after_the_reply_does_not_replace_it() {
        let slot = Slot::new();
        slot.reply(1);
        slot.fail(AskError::Unknown(Unknown::Expired));
        assert!(matches!(take(&slot), Some(Answered::Value(1))));
    }
}
