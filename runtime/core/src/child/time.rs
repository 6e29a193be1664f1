//! Time against states: when something is due, and what then.

use super::{Aim, Child, KILL_GRACE, Sent, State, Turn};
use crate::exit::Cause;
use crate::time::Instant;
use crate::tree::{Action, Alert};

/// Time.
impl Child {
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Spawning { until }
            | State::Starting { until }
            | State::Draining { until, .. }
            | State::Stopping { until, .. }
            | State::Killing { until, .. }
            | State::Reaping { until, .. }
            | State::Backoff { until, held: false } => Some(until),
            State::Ready { stable_at } => stable_at,
            State::Backoff { held: true, .. }
            | State::Stopped
            | State::Waiting
            | State::Unready
            | State::Done
            | State::Failed(_) => None,
        }
    }

    /// Does what is due at `turn.now`.
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        if self.deadline().is_none_or(|at| at > turn.now || at == Instant::END) {
            return;
        }
        match self.state {
            State::Spawning { .. } => {
                self.blame = Some(Cause::StartTimeout);
                self.kill_now(Aim::Judge, Sent::Kill, turn);
            }
            State::Starting { .. } => {
                self.blame = Some(Cause::StartTimeout);
                self.terminate(Aim::Judge, turn);
            }
            State::Ready { .. } => self.forget_if_stable(turn.now),
            State::Draining { aim, .. } => self.terminate(aim, turn),
            State::Stopping { aim, .. } => self.kill_now(aim, Sent::KillLate, turn),
            State::Killing { aim, .. } => {
                self.state = State::Killing { until: turn.now + KILL_GRACE, aim };
                self.kill_once_more(turn);
            }
            State::Reaping { aim, exit, cause, .. } => {
                self.state = State::Reaping { until: turn.now + KILL_GRACE, aim, exit, cause };
                self.kill_once_more(turn);
            }
            State::Backoff { .. } => self.spawn_again(turn),
            State::Stopped | State::Waiting | State::Unready | State::Done | State::Failed(_) => {}
        }
    }

    fn kill_once_more(&mut self, turn: &mut Turn<'_>) {
        turn.actions.push(Action::KillTree(self.incarnation()));
        if !self.unkillable {
            self.unkillable = true;
            turn.actions.push(Action::Alert(Alert::Unkillable(self.incarnation())));
        }
    }
}
