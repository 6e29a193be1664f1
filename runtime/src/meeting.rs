//! The meeting place of one ask: here what the answering side brings or the asker's giving up arrives first, and
//! only once.
//!
//! An ask goes `waiting → started → ended`, a stream with `open` in between, or is abandoned by the asker at any
//! of them. Because `start` and `abandon` exclude each other, an ask that was abandoned before it started is
//! certainly not handled. What is brought is the business of an [`Answer`]: [one reply](crate::slot) or
//! [many](crate::stream_slot). Whatever of a user's is lost is dropped outside of the lock, for it may run any code.

use std::any::Any;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::envelope::Envelope;
use crate::outcome::{AskError, NotDelivered};
use crate::payload::Payload;

/// A meeting place as the answering side sees it, the type of the reply erased.
pub(crate) trait AskSlot: Any + Send + Sync {
    /// Called right before a handler runs or a frame is written; `false` if the asker has given up.
    fn start(&self) -> bool;
    /// Returns whether the asker has given up; if not, wakes `waker` when it does.
    fn poll_abandoned(&self, waker: &Waker) -> bool;
    /// Tells the link from now on when the asker gives up or takes an item. True if the asker has given up already,
    /// of which nothing is told. The link may hold its lock.
    fn answered_over(&self, link: Arc<dyn AnsweringLink>, key: u64) -> bool;
    /// Ends the ask without a reply.
    fn fail(&self, error: AskError);
    /// Gives the message back: it was not handled, and may be sent elsewhere.
    fn bounce(&self, envelope: Box<Envelope>, reason: NotDelivered);
    /// Brings the reply as it came from a link; for a stream, one item of it.
    fn receive(&self, payload: Payload<'static>);
    /// A stream of replies begins.
    fn open(&self);
    /// A stream of replies has ended in order.
    fn end(&self);
}

/// The link over which an ask went out, as the asker's side calls it.
pub(crate) trait AnsweringLink: Send + Sync {
    /// The asker has given up; the other side should stop its work.
    fn abandoned(&self, key: u64);
    /// The asker took an item of a stream; there is room for one more.
    fn item_taken(&self, key: u64);
}

/// What the asker gets.
pub(crate) trait Answer: Default + Send + 'static {
    /// Whether it comes in parts.
    const IS_STREAM: bool;
    /// Takes in the end of an ask without a reply.
    fn fail(&mut self, error: AskError);
    /// Takes in a message that came back unhandled, or leaves it to be dropped.
    fn bounce(&mut self, envelope: Box<Envelope>, reason: NotDelivered) -> Option<Box<Envelope>>;
    /// Takes in what came from a link, still encoded.
    fn receive(&mut self, payload: Payload<'static>);
}

/// Whom to tell that the asker has given up or taken an item.
#[derive(Default)]
pub(crate) enum Answerer {
    #[default]
    Nobody,
    Task(Waker),
    Link(Arc<dyn AnsweringLink>, u64),
}

impl Answerer {
    /// Remembers the task, unless it is already the one.
    pub(crate) fn be_task(&mut self, waker: &Waker) {
        match self {
            Self::Task(known) if known.will_wake(waker) => {}
            _ => *self = Self::Task(waker.clone()),
        }
    }

    fn tell_abandoned(self) {
        match self {
            Self::Nobody => {}
            Self::Task(waker) => waker.wake(),
            Self::Link(link, key) => link.abandoned(key),
        }
    }
}

/// How far an ask is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Waiting,
    Started,
    /// The handler has returned its stream.
    Open,
    /// Nothing more will come; what is there may still be taken.
    Ended,
    /// The asker has given up.
    Over,
}

/// How far an ask was when its asker gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abandoned {
    /// Certainly not handled.
    BeforeStart,
    /// A handler, or the link, had it.
    AfterStart,
}

/// The meeting place.
#[derive(Default)]
pub(crate) struct Meeting<A>(Mutex<State<A>>);

/// What the lock guards.
#[derive(Default)]
pub(crate) struct State<A> {
    pub(crate) phase: Phase,
    pub(crate) answer: A,
    pub(crate) answerer: Answerer,
    asker: Option<Waker>,
}

impl<A: Answer> Meeting<A> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Ready with what `take` finds; if that is nothing, wakes `waker` at the next change.
    pub(crate) fn poll_with<T>(
        &self,
        waker: &Waker,
        take: impl FnOnce(&mut State<A>) -> Option<T>,
    ) -> Poll<T> {
        let mut state = self.lock();
        if let Some(found) = take(&mut state) {
            return Poll::Ready(found);
        }
        match &state.asker {
            Some(known) if known.will_wake(waker) => {}
            _ => state.asker = Some(waker.clone()),
        }
        Poll::Pending
    }

    /// Gives the ask up and tells the answering side. Returns how far it was; what is there is lost.
    pub(crate) fn abandon(&self) -> Abandoned {
        let mut state = self.lock();
        let phase = mem::replace(&mut state.phase, Phase::Over);
        let lost = mem::take(&mut state.answer);
        let answerer = mem::take(&mut state.answerer);
        drop(state);
        drop(lost);
        match phase {
            Phase::Waiting => {
                answerer.tell_abandoned();
                Abandoned::BeforeStart
            }
            Phase::Started | Phase::Open => {
                answerer.tell_abandoned();
                Abandoned::AfterStart
            }
            Phase::Ended | Phase::Over => Abandoned::AfterStart,
        }
    }

    /// Has the answer take something in, after which the ask is in `next`, and wakes the asker. What comes after
    /// the end is lost.
    pub(crate) fn bring<L>(&self, next: Phase, take_in: impl FnOnce(&mut A) -> L) {
        let mut state = self.lock();
        let lost = match state.phase {
            Phase::Waiting | Phase::Started | Phase::Open => {
                state.phase = next;
                Ok(take_in(&mut state.answer))
            }
            Phase::Ended | Phase::Over => Err(take_in),
        };
        if next == Phase::Ended {
            state.answerer = Answerer::Nobody;
        }
        let asker = state.asker.take();
        drop(state);
        drop(lost);
        if let Some(asker) = asker {
            asker.wake();
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Answer> AskSlot for Meeting<A> {
    fn start(&self) -> bool {
        let mut state = self.lock();
        match state.phase {
            Phase::Waiting => {
                state.phase = Phase::Started;
                true
            }
            Phase::Started | Phase::Open => true,
            Phase::Ended | Phase::Over => false,
        }
    }

    fn poll_abandoned(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        state.answerer.be_task(waker);
        state.phase == Phase::Over
    }

    fn answered_over(&self, link: Arc<dyn AnsweringLink>, key: u64) -> bool {
        let mut state = self.lock();
        let is_over = state.phase == Phase::Over;
        if !is_over {
            state.answerer = Answerer::Link(link, key);
        }
        is_over
    }

    fn fail(&self, error: AskError) {
        self.bring(Phase::Ended, |answer| answer.fail(error));
    }

    fn bounce(&self, envelope: Box<Envelope>, reason: NotDelivered) {
        self.bring(Phase::Ended, |answer| answer.bounce(envelope, reason));
    }

    fn receive(&self, payload: Payload<'static>) {
        let next = if A::IS_STREAM { Phase::Open } else { Phase::Ended };
        self.bring(next, |answer| answer.receive(payload));
    }

    // Only the link of a peer that breaks the protocol opens or ends what is no stream.
    fn open(&self) {
        if A::IS_STREAM {
            self.bring(Phase::Open, |_| ());
        }
    }

    fn end(&self) {
        if A::IS_STREAM {
            self.bring(Phase::Ended, |_| ());
        }
    }
}
