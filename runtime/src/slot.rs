//! The slot of an ask with one reply.

use std::task::{Poll, Waker};

use crate::envelope::Envelope;
use crate::meeting::{Answer, Meeting, Phase};
use crate::outcome::{AskError, NotDelivered};
use crate::payload::Payload;

/// Where the one reply and its asker meet.
pub(crate) type Slot<R> = Meeting<One<R>>;

/// The reply, once it is there.
pub(crate) struct One<R>(Option<Answered<R>>);

/// What came of an ask.
pub(crate) enum Answered<R> {
    Value(R),
    /// Still encoded: decoded in the asker's turn, by its budget.
    Bytes(Payload<'static>),
    Failed(AskError),
    /// The message came back unhandled.
    Bounced(Box<Envelope>, NotDelivered),
}

impl<R: Send + 'static> Slot<R> {
    /// Ready with the outcome, once.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Answered<R>> {
        self.poll_with(waker, |state| state.answer.0.take())
    }

    /// Brings the reply as a value.
    pub(crate) fn reply(&self, value: R) {
        self.bring(Phase::Ended, |answer| answer.0 = Some(Answered::Value(value)));
    }
}

impl<R> Default for One<R> {
    fn default() -> Self {
        Self(None)
    }
}

impl<R: Send + 'static> Answer for One<R> {
    const IS_STREAM: bool = false;

    fn fail(&mut self, error: AskError) {
        self.0 = Some(Answered::Failed(error));
    }

    fn bounce(&mut self, envelope: Box<Envelope>, reason: NotDelivered) -> Option<Box<Envelope>> {
        self.0 = Some(Answered::Bounced(envelope, reason));
        None
    }

    fn receive(&mut self, payload: Payload<'static>) {
        self.0 = Some(Answered::Bytes(payload));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meeting::{Abandoned, AskSlot};
    use crate::outcome::Unknown;

    fn take<R: Send + 'static>(slot: &Slot<R>) -> Option<Answered<R>> {
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
