//! Who stands in line before a full mailbox: the senders that wait, each with its message.
//!
//! Invariant: those of high priority stand in front of the others, both in the order in which they came.

use std::collections::VecDeque;

use bailiwick_core::precedence::{Precedence, Priority};

use crate::envelope::Envelope;
use crate::ticket::Ticket;

/// Messages that wait for a place.
#[derive(Default)]
pub(crate) struct Line {
    parked: VecDeque<(Ticket, Box<Envelope>)>,
    precedence: Precedence,
}

impl Line {
    pub(crate) fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    /// Returns how many wait.
    pub(crate) fn len(&self) -> u32 {
        self.parked.len() as u32
    }

    /// Adds a message.
    pub(crate) fn park(&mut self, ticket: Ticket, envelope: Box<Envelope>) {
        let at = match envelope.priority {
            Priority::Ordinary => self.parked.len(),
            Priority::High => self.high(),
        };
        self.parked.insert(at, (ticket, envelope));
    }

    /// Tells whether a newcomer has to stand behind nobody.
    pub(crate) fn lets_pass(&self, priority: Priority) -> bool {
        match priority {
            Priority::Ordinary => self.is_empty(),
            Priority::High => {
                self.high() == 0 && self.precedence.next(true, !self.is_empty()) == Some(priority)
            }
        }
    }

    /// Notes that a newcomer passed.
    pub(crate) fn passed(&mut self, priority: Priority) {
        self.precedence.went(priority, !self.is_empty());
    }

    /// Returns what the message counts for whose turn it is.
    pub(crate) fn next(&self) -> Option<u32> {
        self.parked.get(self.turn()).map(|(_, envelope)| envelope.bytes)
    }

    /// Takes out the message whose turn it is.
    pub(crate) fn take(&mut self) -> Option<(Ticket, Box<Envelope>)> {
        let (ticket, envelope) = match self.turn() {
            0 => self.parked.pop_front()?,
            at => self.parked.remove(at)?,
        };
        self.precedence.went(envelope.priority, self.high() < self.parked.len());
        Some((ticket, envelope))
    }

    /// Takes out what is known by this ticket.
    pub(crate) fn withdraw(&mut self, ticket: &Ticket) -> Option<(Ticket, Box<Envelope>)> {
        let at = self.parked.iter().position(|(parked, _)| parked.is(ticket))?;
        self.parked.remove(at)
    }

    /// Returns the place of whose turn it is.
    fn turn(&self) -> usize {
        let high = self.high();
        if high == 0 {
            return 0;
        }
        match self.precedence.next(high > 0, high < self.parked.len()) {
            Some(Priority::Ordinary) => high,
            Some(Priority::High) | None => 0,
        }
    }

    /// Returns how many of high priority there are.
    fn high(&self) -> usize {
        // Mostly there are none, and whoever is first says so.
        if self.parked.front().is_none_or(|(_, envelope)| envelope.priority == Priority::Ordinary) {
            return 0;
        }
        self.parked.partition_point(|(_, envelope)| envelope.priority == Priority::High)
    }
}

impl IntoIterator for Line {
    type Item = (Ticket, Box<Envelope>);
    type IntoIter = std::collections::vec_deque::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.parked.into_iter()
    }
}
