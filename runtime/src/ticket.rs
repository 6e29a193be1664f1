//! A sender's place in the line before a full mailbox or link.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::outcome::{AskError, NotDelivered};

/// The sender's and the mailbox's common view of one parked message.
#[derive(Clone, Default)]
pub(crate) struct Ticket(Arc<Mutex<Place>>);

#[derive(Default)]
struct Place {
    outcome: Option<Result<(), AskError>>,
    sender: Option<Waker>,
}

impl Ticket {
    /// The message has room now.
    pub(crate) fn admit(&self) {
        self.resolve(Ok(()));
    }

    /// The message will never have room.
    pub(crate) fn refuse(&self, reason: NotDelivered) {
        self.fail(reason.into());
    }

    /// The message will never have room, or may have been taken; nobody knows.
    pub(crate) fn fail(&self, error: AskError) {
        self.resolve(Err(error));
    }

    /// Ready once the message has been admitted or refused.
    pub(crate) fn poll(&self, task: &mut Context<'_>) -> Poll<Result<(), AskError>> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match place.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                place.sender = Some(task.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn resolve(&self, outcome: Result<(), AskError>) {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        place.outcome = Some(outcome);
        let sender = place.sender.take();
        drop(place);
        if let Some(sender) = sender {
            sender.wake();
        }
    }
}
