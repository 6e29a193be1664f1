//! What a process says, and how it ends, against states; each cell of the table is filled, as in `orders`.

use core::time::Duration;

use super::{Aim, Child, Ended, KILL_GRACE, Reload, Sent, State, Turn};
use crate::exit::{Cause, Exit};
use crate::time::Instant;
use crate::tree::{Action, Alert, News};

/// Inputs from the process.
impl Child {
    pub(crate) fn spawned(&mut self, now: Instant) {
        match self.state {
            State::Spawning { until } => self.enter(State::Starting { until }, now),
            // What the process said may be read before the news that it runs.
            State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. }
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => {}
        }
    }

    pub(crate) fn spawn_failed(&mut self, step: u8, errno: i32, chance: u32) -> Option<Ended> {
        let aim = match self.state {
            State::Spawning { .. } => Aim::Judge,
            State::Killing { aim, .. } if self.sent >= Sent::Kill => aim,
            State::Killing { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. }
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Reaping { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => return None,
        };
        self.ended_in = self.state.name();
        let cause = self.blame.unwrap_or(Cause::SpawnFailed { step, errno });
        Some(self.ended(aim, None, cause, chance))
    }

    pub(crate) fn ready(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Spawning { .. } | State::Starting { .. } | State::Unready => {
                if !self.was_ready {
                    self.ready_at = turn.now;
                }
                self.was_ready = true;
                self.ever_ready = true;
                let trial = turn.config.stable_after.max(self.pause);
                let stable_at = (self.failures > 0).then(|| turn.now + trial);
                self.enter(State::Ready { stable_at }, turn.now);
                turn.actions.push(Action::Announce { of: self.incarnation(), news: News::Up });
                self.make_up_reload(turn);
            }
            State::Reloading { stable_at, .. } => {
                self.reload = Some(Reload::Done);
                self.outdated.config = false;
                self.enter(State::Ready { stable_at }, turn.now);
                self.make_up_reload(turn);
            }
            State::Ready { .. }
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => {}
        }
    }

    pub(crate) fn unready(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Ready { .. } | State::Reloading { .. } => {
                self.forget_if_stable(turn.now);
                self.enter(State::Unready, turn.now);
                turn.actions.push(Action::Announce { of: self.incarnation(), news: News::Unready });
            }
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Unready
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => {}
        }
    }

    /// It takes up by itself what has changed.
    pub(crate) fn reloading(&mut self, turn: &mut Turn<'_>) {
        self.begin_reload(false, turn);
    }

    /// It cannot take up what has changed, so it starts anew; only if it was asked to.
    pub(crate) fn declined(&mut self, turn: &mut Turn<'_>) {
        if let State::Reloading { ordered: true, .. } = self.state {
            self.reload = Some(Reload::Declined);
            self.stop(Aim::Again, turn);
        }
    }

    /// It will not take up what has changed, and goes on as it was; only if it was asked to.
    pub(crate) fn refused(&mut self, turn: &mut Turn<'_>) {
        if let State::Reloading { stable_at, ordered: true, .. } = self.state {
            self.reload = Some(Reload::Refused);
            self.enter(State::Ready { stable_at }, turn.now);
            turn.actions.push(Action::Alert(Alert::ReloadRefused(self.incarnation())));
        }
    }

    /// It needs so much more time, from now, to become ready.
    pub(crate) fn extend(&mut self, by: Duration, now: Instant) {
        if let State::Spawning { until } | State::Starting { until } | State::Reloading { until, .. } =
            &mut self.state
        {
            *until = (*until).max(now + by);
        }
    }

    /// It says that it runs well: its failures are forgotten.
    pub(crate) fn settled(&mut self) {
        if let State::Ready { stable_at } | State::Reloading { stable_at, .. } = &mut self.state {
            *stable_at = None;
            self.forget_failures();
        }
    }

    /// It says that it has nothing to do, and will end.
    pub(crate) fn skip(&mut self) {
        self.skipped |= matches!(self.state, State::Spawning { .. } | State::Starting { .. });
    }

    pub(crate) fn drained(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Draining { aim, .. } => self.terminate(aim, turn),
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => {}
        }
    }

    pub(crate) fn exited(&mut self, exit: Exit, turn: &mut Turn<'_>) {
        let aim = match self.state {
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. } => Aim::Judge,
            State::Draining { aim, .. }
            | State::Stopping { aim, .. }
            | State::Aborting { aim, .. }
            | State::Killing { aim, .. } => aim,
            State::Reaping { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => return,
        };
        self.ended_in = self.state.name();
        self.forget_if_stable(turn.now);
        let cause = self.cause(exit, aim, turn.config);
        self.enter(State::Reaping { until: turn.now + KILL_GRACE, aim, exit, cause }, turn.now);
        turn.actions.push(Action::Announce { of: self.incarnation(), news: News::Down(cause) });
        turn.actions.push(Action::KillTree(self.incarnation()));
    }

    pub(crate) fn emptied(&mut self, chance: u32) -> Option<Ended> {
        match self.state {
            State::Reaping { aim, exit, cause, .. } => Some(self.ended(aim, Some(exit), cause, chance)),
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. }
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => None,
        }
    }
}
