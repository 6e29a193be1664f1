//! Whether a side takes messages at present: either may say that it does not, and later that it does again.
//!
//! It is a wish, and no order: what was sent before the word arrived is delivered as ever, and answers, credit and the
//! side's own messages go on. Who has something for a side that is not ready keeps it as if the side were down.

use alloc::vec::Vec;

use super::event::Action;
use super::fault::Fault;
use super::frame::Frame;
use super::tables::ImportId;
use super::{Link, State};
use crate::time::Instant;

impl Link {
    /// Says that nothing should be sent to this side from now on.
    pub(super) fn unready(&mut self, actions: &mut Vec<Action>) {
        if !core::mem::replace(&mut self.unready, true) {
            self.say_readiness(Frame::Unready, actions);
        }
    }

    /// Says that this side takes messages again.
    pub(super) fn ready(&mut self, actions: &mut Vec<Action>) {
        if core::mem::replace(&mut self.unready, false) {
            self.say_readiness(Frame::Ready, actions);
        }
    }

    /// A side that is greeted while it is not ready says so before it offers anything.
    pub(super) fn greet_unready(&mut self, actions: &mut Vec<Action>) {
        if self.unready {
            self.order(Frame::Unready, actions);
        }
    }

    fn say_readiness(&mut self, frame: Frame, actions: &mut Vec<Action>) {
        match self.state {
            // The peer is told right after the greeting, if there is something to tell then.
            State::Closed | State::Greeting { heard: false } => {}
            State::Greeting { heard: true } | State::Open | State::Draining { .. } => {
                self.order(frame, actions);
            }
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
