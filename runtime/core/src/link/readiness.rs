//! Whether a side takes messages at present: either may say that it does not, and later that it does again.
//!
//! It is a wish, and no order: what was sent before the word arrived is delivered as ever, and answers, credit and the
//! side's own messages go on. Who has something for a side that is not ready keeps it as if the side were down.
//!
//! One word at a time waits to be written. What changes meanwhile is told when it is, as it stands by then: a peer that
//! does not read costs no memory, however often this side changes its mind.

use alloc::vec::Vec;

use super::event::Action;
use super::fault::Fault;
use super::frame::Frame;
use super::tables::ImportId;
use super::{Link, State};
use crate::time::Instant;

impl Link {
    /// Whether this side takes messages has changed.
    pub(super) fn turned(&mut self, unready: bool, actions: &mut Vec<Action>) {
        self.unready = unready;
        self.say_readiness(actions);
    }

    /// Says whether this side takes messages, if the peer was told otherwise and that word is written. A side that is greeted
    /// while it is not ready says so before it offers anything.
    pub(super) fn say_readiness(&mut self, actions: &mut Vec<Action>) {
        let is_due = match self.state {
            // The peer is told right after the greeting, if there is something to tell then.
            State::Closed | State::Greeting { heard: false } => false,
            State::Greeting { heard: true } | State::Open | State::Draining { .. } => {
                self.unready != self.told_unready && self.written >= self.told_by
            }
        };
        if is_due {
            self.told_unready = self.unready;
            self.order(if self.unready { Frame::Unready } else { Frame::Ready }, actions);
            self.told_by = self.ordered;
        }
    }

    pub(super) fn peer_unready(&mut self) -> Result<(), Fault> {
        if core::mem::replace(&mut self.peer_unready, true) { Err(Fault::OutOfPlace) } else { Ok(()) }
    }

    /// What was kept for the peer leaves, the oldest of each actor first.
    pub(super) fn peer_ready(&mut self, now: Instant, actions: &mut Vec<Action>) -> Result<(), Fault> {
        if !core::mem::replace(&mut self.peer_unready, false) {
            return Err(Fault::OutOfPlace);
        }
        for import in 0..self.imports.len() {
            self.flush(now, ImportId(import as u32), actions);
        }
        Ok(())
    }
}
