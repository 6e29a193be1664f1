//! One life of the peer takes the place of another: what waits changes over, what is written stays where it is.
//!
//! Each of the two lives has a link of its own. The one that is superseded hands back every send that waits for an
//! actor of the manifest, in order, and keeps what it wrote: those asks are answered, or fail, over it. What was
//! named in a message is of that life alone, and so is what waits for it.

use alloc::vec::Vec;

use super::event::Action;
use super::tables::{ImportId, ImportSlot};
use super::{Link, State};

impl Link {
    /// Hands back what waits, and the watches that wait for a next life.
    pub(super) fn superseded(&mut self, actions: &mut Vec<Action>) {
        (self.awaited, self.accompanied) = (false, false);
        for import in (0..self.imports.len() as u32).map(ImportId) {
            let Some(entry) = self.import_at(import).filter(lasts) else { continue };
            // Whose turn it would be here says nothing of the next life, which has its own.
            let waiting: Vec<_> = entry.waiting.all(&self.pending).collect();
            for ticket in waiting {
                self.close_pending(ticket);
                actions.push(Action::HandBack { ticket, import });
            }
        }
        if self.peer.is_some() {
            return;
        }
        for (watch, of) in core::mem::take(&mut self.watches) {
            actions.push(Action::HandWatchBack { watch, import: of.import });
        }
    }

    /// Tells whether the peer has a life that is about to take messages: this one, or another one after it.
    pub(super) fn is_between_lives(&self) -> bool {
        let greets = match self.state {
            State::Greeting { .. } => self.awaited,
            State::Draining { theirs: true, .. } => self.accompanied,
            State::Closed | State::Open | State::Draining { theirs: false, .. } => false,
        };
        greets && self.is_alive()
    }

    /// Lets senders wait for a life that has not greeted yet as they wait for room: it is there, and about to.
    pub(super) fn succeeds(&mut self) {
        self.awaited = match self.state {
            State::Greeting { .. } => self.is_alive(),
            State::Closed | State::Open | State::Draining { .. } => false,
        };
    }
}

fn lasts(entry: &&ImportSlot) -> bool {
    entry.import.is_lasting()
}
