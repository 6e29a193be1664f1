//! A side that takes no new messages says so, and finishes what it has.
//!
//! What the peer sent before it heard of that is still taken: the peer answers, and only behind its answer nothing
//! comes any more. A side that cannot wait for that refuses what arrives; asks then come back.

use alloc::vec::Vec;

use super::event::Action;
use super::failure::NotDelivered;
use super::fault::Fault;
use super::frame::Frame;
use super::{Link, State};

impl Link {
    /// Takes no new messages from now on.
    pub(super) fn drain(&mut self, actions: &mut Vec<Action>) {
        if self.draining {
            return;
        }
        self.draining = true;
        match self.state {
            // The peer learns of it right after the hellos, or has no way to send.
            State::Closed | State::Greeting { .. } => {}
            State::Open | State::Draining { .. } => self.announce_draining(actions),
        }
        self.give_up_hopeless(actions);
    }

    /// Takes not even what the peer sent before it heard that this side drains.
    pub(super) fn refuse(&mut self, actions: &mut Vec<Action>) {
        self.drain(actions);
        self.refusing = true;
    }

    /// Tells whether a message that arrives now is refused.
    pub(super) fn refuses(&self) -> bool {
        self.draining && (self.refusing || self.heard)
    }

    /// Tells whether nothing can come from the peer any more that this side, which drains, would take.
    pub fn is_heard_out(&self) -> bool {
        match self.state {
            State::Closed => true,
            State::Greeting { .. } | State::Open | State::Draining { .. } => self.refuses(),
        }
    }

    /// The peer heard that this side drains, and everything that it sent before is here.
    pub(super) fn peer_heard(&mut self, actions: &mut Vec<Action>) -> Result<(), Fault> {
        if !self.draining || core::mem::replace(&mut self.heard, true) {
            return Err(Fault::OutOfPlace);
        }
        actions.push(Action::HeardOut);
        Ok(())
    }

    /// Returns why a send that cannot leave now should not wait either: a side that drains is about to end, and does
    /// not wait for the next transport, which may never come.
    pub(super) fn hopeless(&self) -> Option<NotDelivered> {
        match self.state {
            State::Closed if self.draining => Some(NotDelivered::PeerDown),
            State::Draining { ours: true, theirs: true } => Some(NotDelivered::Draining),
            State::Closed | State::Greeting { .. } | State::Open | State::Draining { .. } => None,
        }
    }

    /// Gives up what waits in vain.
    pub(super) fn give_up_hopeless(&mut self, actions: &mut Vec<Action>) {
        if let Some(reason) = self.hopeless() {
            self.give_up_waiting(reason, actions);
        }
    }

    pub(super) fn announce_draining(&mut self, actions: &mut Vec<Action>) {
        self.state = match self.state {
            State::Open => State::Draining { ours: true, theirs: false },
            State::Draining { theirs, .. } => State::Draining { ours: true, theirs },
            state @ (State::Closed | State::Greeting { .. }) => state,
        };
        self.order(Frame::Draining, actions);
    }

    /// Tells once that nothing of the peer's is left to be handled.
    pub(super) fn notice_drained(&mut self, actions: &mut Vec<Action>) {
        if self.draining
            && !self.drained
            && self.is_heard_out()
            && self.queued == 0
            && self.handling.len() == 0
        {
            self.drained = true;
            actions.push(Action::Drained);
        }
    }

    /// The peer takes no new messages: what was sent before this answer is what it still gets.
    pub(super) fn peer_drains(&mut self, actions: &mut Vec<Action>) -> Result<(), Fault> {
        self.state = match self.state {
            State::Open => State::Draining { ours: false, theirs: true },
            State::Draining { ours, theirs: false } => State::Draining { ours, theirs: true },
            State::Draining { theirs: true, .. } | State::Closed | State::Greeting { .. } => {
                return Err(Fault::OutOfPlace);
            }
        };
        self.order(Frame::Heard, actions);
        actions.push(Action::PeerDrains);
        self.give_up_hopeless(actions);
        Ok(())
    }
}
