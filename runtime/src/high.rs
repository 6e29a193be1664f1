//! Messages of high priority that wait in a mailbox, and whose turn it is between them and the ordinary ones.
//!
//! Invariant: they leave in the order in which they came, by being taken or by being refused with a reason.

use std::collections::VecDeque;

use bailiwick_core::precedence::{Precedence, Priority};

use crate::envelope::Envelope;
use crate::signal::Ended;

/// The messages of high priority of one mailbox.
#[derive(Default)]
pub(crate) struct High {
    messages: VecDeque<Box<Envelope>>,
    /// What they count for.
    weight: u64,
    precedence: Precedence,
    /// How many left so far.
    gone: u64,
}

impl High {
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns how many messages there are.
    pub(crate) fn messages(&self) -> u32 {
        // As many as the capacity of a mailbox, or as fit into memory: both are less.
        self.messages.len() as u32
    }

    /// Returns what the messages count for in a byte limit.
    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }

    pub(crate) fn push(&mut self, envelope: Box<Envelope>) {
        self.weight += u64::from(envelope.bytes);
        self.messages.push_back(envelope);
    }

    /// Takes the first message out, whosever turn it is.
    pub(crate) fn pop(&mut self) -> Option<Box<Envelope>> {
        let envelope = self.messages.pop_front()?;
        self.weight -= u64::from(envelope.bytes);
        self.gone += 1;
        Some(envelope)
    }

    /// Takes the message out that the actor handles next; nothing, if it is the turn of something else. That may be the end of an
    /// actor, before which all goes that came so far.
    pub(crate) fn take(&mut self, something_waits: bool, end: Option<&Ended>) -> Option<Box<Envelope>> {
        if end.is_some_and(|end| self.gone < end.behind) {
            return self.pop();
        }
        let next = self.precedence.next(!self.is_empty(), something_waits)?;
        self.precedence.went(next, something_waits);
        match next {
            Priority::High => self.pop(),
            Priority::Ordinary => None,
        }
    }

    /// Returns how many came so far.
    pub(crate) fn came(&self) -> u64 {
        self.gone + u64::from(self.messages())
    }
}
