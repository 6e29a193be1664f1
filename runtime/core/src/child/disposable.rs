//! Lives that end as planned: after so many messages, at a certain age, or for want of anything to do.
//!
//! None of these ends is a failure. A life that comes to one has done its work, so the failures before it are
//! forgotten; a fresh one takes its place, or the child sleeps until somebody sends to it again.

use core::time::Duration;

use super::{Aim, Child, State, Turn};
use crate::time::Instant;
use crate::tree::ChildConfig;

impl Child {
    /// It has taken as many messages as one life may, and takes no more.
    pub(crate) fn spent(&mut self, turn: &mut Turn<'_>) {
        // Who could say so at will would start again as often as it likes, without a charge.
        if turn.config.disposable {
            self.end_as_planned(Aim::Replace, turn);
        }
    }

    /// Nothing has come for it for so long that it need not be there.
    pub(crate) fn idle(&mut self, turn: &mut Turn<'_>) {
        if turn.config.on_demand {
            self.end_as_planned(Aim::Sleep, turn);
        }
    }

    /// Somebody has something for it. What an operator stopped, or what is given up, does not start for that.
    pub(crate) fn wanted(&mut self, turn: &mut Turn<'_>) {
        if !turn.config.on_demand {
            return;
        }
        let again = |aim| if aim == Aim::Sleep { Aim::Replace } else { aim };
        match self.state {
            State::Waiting => self.wanted = true,
            State::Draining { until, aim } => self.state = State::Draining { until, aim: again(aim) },
            State::Stopping { until, aim } => self.state = State::Stopping { until, aim: again(aim) },
            State::Aborting { until, aim } => self.state = State::Aborting { until, aim: again(aim) },
            State::Killing { until, aim } => self.state = State::Killing { until, aim: again(aim) },
            State::Reaping { until, aim, exit, cause } => {
                self.state = State::Reaping { until, aim: again(aim), exit, cause };
            }
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. }
            | State::Backoff { .. }
            | State::Stopped
            | State::Done
            | State::Failed(_) => {}
        }
    }

    fn end_as_planned(&mut self, aim: Aim, turn: &mut Turn<'_>) {
        if self.state.is_in_service() {
            self.stop(aim, turn);
        }
    }

    /// It ended as planned, and a fresh life takes its place as soon as nothing keeps it from that.
    pub(crate) fn replace(&mut self, now: Instant) {
        self.forget_failures();
        self.enter(State::Waiting, now);
    }

    /// It is not there until somebody sends to it.
    pub(crate) fn sleep(&mut self, now: Instant) {
        self.wanted = false;
        self.replace(now);
    }

    /// Returns whether it waits for somebody to send to it, and for nothing else that would start it.
    pub(crate) fn is_asleep(&self, config: &ChildConfig) -> bool {
        config.on_demand && !self.wanted && self.state == State::Waiting
    }

    /// Returns whether a message to it would be taken sooner or later, as far as is known now.
    pub(crate) fn is_within_reach(&self, config: &ChildConfig) -> bool {
        match self.state {
            State::Ready { .. } | State::Unready | State::Reloading { .. } | State::Backoff { .. } => true,
            State::Draining { aim: Aim::Sleep, .. }
            | State::Stopping { aim: Aim::Sleep, .. }
            | State::Aborting { aim: Aim::Sleep, .. }
            | State::Killing { aim: Aim::Sleep, .. }
            | State::Reaping { aim: Aim::Sleep, .. } => true,
            State::Waiting => self.is_asleep(config),
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. } => self.is_on_its_way(),
            State::Stopped | State::Done | State::Failed(_) => false,
        }
    }

    pub(super) fn age_deadline(&self) -> Option<Instant> {
        let counts = matches!(self.state, State::Ready { .. } | State::Unready);
        (counts && self.expires_at < Instant::END).then_some(self.expires_at)
    }

    /// Ends a life that is old enough; one that is about to be stopped in any case (`held`) goes on until then.
    pub(crate) fn age(&mut self, held: bool, turn: &mut Turn<'_>) {
        if self.age_deadline().is_some_and(|at| at <= turn.now) {
            self.expires_at = Instant::END;
            if !held {
                self.end_as_planned(Aim::Replace, turn);
            }
        }
    }

    /// Returns when a life that begins now is old enough: up to a quarter before the time that is set, each child at a
    /// place of its own, so that those who start together do not end together.
    pub(super) fn expiry(&self, turn: &Turn<'_>) -> Instant {
        let max_age = turn.config.max_age;
        if max_age == Duration::MAX {
            return Instant::END;
        }
        // Multiples of the golden ratio lie far apart, however many there are.
        let place = (u32::from(self.id.0) + self.generation).wrapping_mul(0x9e37_79b9);
        turn.now + (max_age - max_age / 4 * (place >> 16) / (1 << 16))
    }
}
