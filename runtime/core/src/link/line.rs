//! What waits before one actor: a queue for each priority, bounded together.

use super::sending::Pending;
use crate::asks::{Asks, Queue, Ticket};
use crate::precedence::{Precedence, Priority};

/// The sends that wait before one actor. Of one priority, the first that came leaves first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Line {
    ordinary: Queue,
    high: Queue,
    precedence: Precedence,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.ordinary.is_empty() && self.high.is_empty()
    }

    /// Tells whether a newcomer has to wait for none of those that wait.
    pub(super) fn lets_pass(&self, priority: Priority) -> bool {
        match priority {
            Priority::Ordinary => self.is_empty(),
            Priority::High => {
                let next = self.precedence.next(true, !self.ordinary.is_empty());
                self.high.is_empty() && next == Some(Priority::High)
            }
        }
    }

    /// Notes that a message of this priority is sent, which does not wait any more.
    pub(super) fn went(&mut self, priority: Priority) {
        self.precedence.went(priority, !self.ordinary.is_empty());
    }

    /// Returns where the sends of a priority wait.
    pub(super) fn of(&mut self, priority: Priority) -> &mut Queue {
        match priority {
            Priority::Ordinary => &mut self.ordinary,
            Priority::High => &mut self.high,
        }
    }

    /// Returns whose turn it is.
    pub(super) fn next(&self, pending: &Asks<Pending>) -> Option<Ticket> {
        match self.precedence.next(!self.high.is_empty(), !self.ordinary.is_empty())? {
            Priority::Ordinary => pending.first(&self.ordinary),
            Priority::High => pending.first(&self.high),
        }
    }

    /// Returns all that wait, those of high priority first.
    pub(super) fn all<'a>(&'a self, pending: &'a Asks<Pending>) -> impl Iterator<Item = Ticket> + 'a {
        [&self.high, &self.ordinary]
            .into_iter()
            .flat_map(|queue| core::iter::successors(pending.first(queue), |ticket| pending.behind(*ticket)))
    }
}
