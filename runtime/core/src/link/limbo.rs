//! Tells between the decision to send them and their being taken: what becomes of them when the transport ends.
//!
//! A tell has no answer that could fail, so its end is accounted for here. Ordered but never written: certainly
//! not handled, a dead letter. Written, but its credit not given back: nobody on this side can know, and it is
//! counted so. Credit comes back for messages and not for tells, and late, so that count is an upper bound; it
//! never is too low.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Link;
use super::event::Action;
use super::failure::NotDelivered;
use super::tables::ImportId;

/// Messages that were ordered and have not left this process, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Unwritten(VecDeque<Ordered>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Ordered {
    /// Which frame of the transport it is.
    seq: u64,
    import: ImportId,
    method: u16,
    is_tell: bool,
}

/// What one actor of the peer's was sent and is not known to have taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Limbo {
    messages: u64,
    /// At most so many of them are tells.
    tells: u64,
}

impl Limbo {
    fn enter(&mut self, is_tell: bool) {
        self.messages += 1;
        self.tells += u64::from(is_tell);
    }

    /// Notes that so many messages have been taken.
    pub(super) fn confirm(&mut self, messages: u32) {
        self.messages = self.messages.saturating_sub(messages.into());
        self.tells = self.tells.min(self.messages);
    }
}

impl Link {
    /// Notes a message that is ordered now.
    pub(super) fn enter_order(&mut self, import: ImportId, method: u16, is_tell: bool) {
        self.unwritten.0.push_back(Ordered { seq: self.ordered, import, method, is_tell });
        self.ordered += 1;
    }

    /// Notes that the first `frames` frames of the transport have left this process.
    pub(super) fn frames_written(&mut self, frames: u64) {
        self.written = self.written.max(frames);
        while let Some(first) = self.unwritten.0.front().copied().filter(|first| first.seq < self.written) {
            self.unwritten.0.pop_front();
            match self.import_mut(first.import) {
                Some(import) => import.limbo.enter(first.is_tell),
                None => self.released_tells += u64::from(first.is_tell),
            }
        }
    }

    /// Keeps count of the tells to an actor whose place is about to be free: no credit for them will come.
    pub(super) fn release_limbo(&mut self, limbo: Limbo) {
        self.released_tells += limbo.tells;
    }

    /// Accounts for the tells of a transport that has ended.
    pub(super) fn end_limbo(&mut self, dead: bool, actions: &mut Vec<Action>) {
        let reason = if dead { NotDelivered::PeerDown } else { NotDelivered::LinkClosed };
        for Ordered { import, method, is_tell, .. } in core::mem::take(&mut self.unwritten).0 {
            if is_tell {
                actions.push(Action::TellLost { import, method, reason });
            }
        }
        let mut tells = core::mem::take(&mut self.released_tells);
        for import in self.imports.iter_mut().flatten() {
            tells += core::mem::take(&mut import.limbo).tells;
        }
        if tells > 0 {
            actions.push(Action::TellsUnknown { tells });
        }
    }
}
