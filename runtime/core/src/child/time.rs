//! Time against states: when something is due, and what then.

use core::time::Duration;

use super::{Aim, Child, KILL_GRACE, Reload, Sent, State, Turn};
use crate::exit::Cause;
use crate::time::Instant;
use crate::tree::{Action, Alert};

/// How late the supervisor may be before it doubts itself rather than its children.
pub(crate) const LAG: Duration = Duration::from_secs(1);

/// Time.
impl Child {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let state = self.state_deadline().into_iter();
        let beside = self.spare.deadline().into_iter().chain(self.rolling.deadline());
        state.chain(self.watch_deadline()).chain(self.age_deadline()).chain(beside).min()
    }

    fn state_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Spawning { until }
            | State::Starting { until }
            | State::Draining { until, .. }
            | State::Stopping { until, .. }
            | State::Aborting { until, .. }
            | State::Killing { until, .. }
            | State::Reaping { until, .. }
            | State::Backoff { until, held: false } => Some(until),
            State::Ready { stable_at } => stable_at,
            State::Reloading { until, stable_at, .. } => Some(stable_at.map_or(until, |at| until.min(at))),
            State::Backoff { held: true, .. }
            | State::Stopped
            | State::Waiting
            | State::Unready
            | State::Done
            | State::Failed(_) => None,
        }
    }

    /// The supervisor did not run for a while, so it could not hear what the child said in time: what it would accuse
    /// the child of now gets a little time, once. Returns whether that changes anything.
    pub(crate) fn forgive(&mut self, turn: &mut Turn<'_>) -> bool {
        let until = match &mut self.state {
            State::Spawning { until }
            | State::Starting { until }
            | State::Reloading { until, .. }
            | State::Draining { until, .. }
            | State::Stopping { until, .. }
            | State::Aborting { until, .. } => Some(until),
            State::Ready { .. }
            | State::Unready
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => None,
        };
        let until = until.filter(|until| !self.rearmed && **until < turn.now + LAG);
        let moved = until.is_some();
        if let Some(until) = until {
            *until = turn.now + LAG;
            self.rearmed = true;
        }
        let beside = self.forgive_spare(turn.now + LAG) | self.forgive_second(turn.now + LAG);
        self.forgive_doubts(turn) || moved || beside
    }

    /// Does what is due at `turn.now`.
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        self.tick_watch(turn);
        self.tick_spare(turn);
        self.tick_second(turn);
        if self.state_deadline().is_none_or(|at| at > turn.now || at == Instant::END) {
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
            State::Reloading { until, .. } => {
                self.forget_if_stable(turn.now);
                if until <= turn.now {
                    self.end_reload(turn);
                }
            }
            State::Draining { aim, .. } => self.terminate(aim, turn),
            State::Stopping { aim, .. } => self.kill_now(aim, Sent::KillLate, turn),
            State::Aborting { aim, .. } => self.kill_now(aim, Sent::Kill, turn),
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

    /// It did not say in time that it has taken up what changed; it goes on as it was.
    fn end_reload(&mut self, turn: &mut Turn<'_>) {
        if let State::Reloading { stable_at, .. } = self.state {
            self.reload = Some(Reload::TimedOut);
            self.enter(State::Ready { stable_at }, turn.now);
            turn.actions.push(Action::Alert(Alert::ReloadTimedOut(self.incarnation())));
            self.make_up_reload(turn);
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
