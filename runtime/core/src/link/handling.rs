//! Asks of the peer that are being handled: known by the peer's own index, so that no search is needed.
//!
//! An honest asker reuses an index only after it was told the end of the ask, or after it sent `Cancel`, which
//! arrives before the next use; so an index in use, or an epoch that does not move on, is a violation.

use alloc::vec::Vec;

use super::tables::ExportId;
use crate::asks::Ticket;

/// Names an ask of the peer, of one transport of the link: an answer to what came over an earlier one goes
/// nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Asked {
    /// The peer's ticket.
    pub ticket: Ticket,
    /// Counts the transports of this link.
    pub link: u32,
}

/// The table of asks that are being handled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Handling {
    entries: Vec<Entry>,
    open: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Entry {
    /// The epochs below this one have been used.
    next_epoch: u64,
    open: Option<Open>,
}

/// An ask that is being handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Open {
    pub(super) export: ExportId,
    /// Items that may be sent, if the answer is a stream.
    pub(super) items: u32,
}

impl Handling {
    /// Enters an ask; false if its index is in use or its epoch was used before.
    #[must_use]
    pub(super) fn begin(&mut self, ticket: Ticket, open: Open) -> bool {
        let index = usize::from(ticket.index());
        if self.entries.len() <= index {
            self.entries.resize(index + 1, Entry::default());
        }
        let entry = &mut self.entries[index];
        if entry.open.is_some() || ticket.epoch() < entry.next_epoch {
            return false;
        }
        *entry = Entry { next_epoch: ticket.epoch() + 1, open: Some(open) };
        self.open += 1;
        true
    }

    /// Returns an ask that is being handled.
    pub(super) fn open(&self, ticket: Ticket) -> Option<&Open> {
        let entry = self.entries.get(usize::from(ticket.index()))?;
        entry.open.as_ref().filter(|_| entry.next_epoch == ticket.epoch() + 1)
    }

    /// Returns an ask that is being handled, to be changed.
    pub(super) fn open_mut(&mut self, ticket: Ticket) -> Option<&mut Open> {
        let entry = self.entries.get_mut(usize::from(ticket.index()))?;
        entry.open.as_mut().filter(|_| entry.next_epoch == ticket.epoch() + 1)
    }

    /// Ends an ask.
    pub(super) fn end(&mut self, ticket: Ticket) -> Option<Open> {
        self.open_mut(ticket)?;
        self.open -= 1;
        self.entries[usize::from(ticket.index())].open.take()
    }

    /// Returns how many asks are being handled.
    pub(super) fn len(&self) -> u32 {
        self.open
    }

    /// Returns what is being handled.
    pub(super) fn tickets(&self) -> Vec<Ticket> {
        let open = self.entries.iter().enumerate().filter(|(_, entry)| entry.open.is_some());
        open.map(|(index, entry)| Ticket::new(index as u16, entry.next_epoch - 1)).collect()
    }

    /// Forgets everything, for a fresh transport, and returns what was being handled.
    pub(super) fn clear(&mut self) -> Vec<Ticket> {
        let open = self.tickets();
        *self = Self::default();
        open
    }
}
