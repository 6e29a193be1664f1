//! The table of a child's life: each input against each state.
//!
//! Every input is a method, and every method is an exhaustive match over the states, so that each cell of the
//! table is filled on purpose; an input that means nothing in a state is named there and does nothing.

use super::{Aim, Child, Ended, KILL_GRACE, Sent, State, Turn};
use crate::exit::{Cause, Exit};
use crate::time::Instant;
use crate::tree::{Action, Alert, News};

/// Inputs from outside the process.
impl Child {
    /// It is wanted: by the boot, by an operator, by its group.
    pub(crate) fn start(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Stopped | State::Done | State::Failed(_) => {
                self.forget_failures();
                self.enter(State::Waiting, turn.now);
            }
            State::Backoff { .. } => {
                self.forget_failures();
                self.spawn_again(turn);
            }
            State::Draining { until, aim } => self.state = State::Draining { until, aim: aim.or_again() },
            State::Stopping { until, aim } => self.state = State::Stopping { until, aim: aim.or_again() },
            State::Killing { until, aim } => self.state = State::Killing { until, aim: aim.or_again() },
            State::Reaping { until, aim, exit, cause } => {
                self.state = State::Reaping { until, aim: aim.or_again(), exit, cause };
            }
            State::Waiting
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready => {}
        }
    }

    /// It is to end in order, and then what `aim` says.
    pub(crate) fn stop(&mut self, aim: Aim, turn: &mut Turn<'_>) {
        match self.state {
            State::Waiting | State::Backoff { .. } => {
                self.forget_failures();
                self.enter(State::Stopped, turn.now);
            }
            // Nothing of the program runs yet that a signal could ask.
            State::Spawning { .. } => self.kill_now(aim, Sent::Kill, turn),
            State::Starting { .. } => self.terminate(aim, turn),
            State::Ready { .. } | State::Unready => self.drain(aim, turn),
            State::Draining { until, .. } => self.state = State::Draining { until, aim },
            State::Stopping { until, .. } => self.state = State::Stopping { until, aim },
            State::Killing { until, .. } => self.state = State::Killing { until, aim },
            State::Reaping { until, exit, cause, .. } => {
                self.state = State::Reaping { until, aim, exit, cause };
            }
            State::Stopped | State::Done | State::Failed(_) => {}
        }
    }

    /// It is to end in order and start anew, whatever it does at present.
    pub(crate) fn restart(&mut self, turn: &mut Turn<'_>) {
        if self.is_at_rest() { self.start(turn) } else { self.stop(Aim::Again, turn) }
    }

    /// It is to end without draining.
    pub(crate) fn hasten(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Ready { .. } | State::Unready => {
                turn.actions.push(Action::Announce { of: self.incarnation(), news: News::Draining });
                self.terminate(Aim::Stay, turn);
            }
            State::Draining { .. } => self.terminate(Aim::Stay, turn),
            State::Stopped
            | State::Waiting
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => self.stop(Aim::Stay, turn),
        }
    }

    /// It is to end at once.
    pub(crate) fn kill(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Draining { .. }
            | State::Stopping { .. } => self.kill_now(Aim::Stay, Sent::Kill, turn),
            State::Killing { until, .. } => self.state = State::Killing { until, aim: Aim::Stay },
            State::Waiting | State::Backoff { .. } | State::Reaping { .. } => self.stop(Aim::Stay, turn),
            State::Stopped | State::Done | State::Failed(_) => {}
        }
    }

    /// The children that it needs are ready.
    pub(crate) fn release(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::Waiting {
            self.spawn(turn);
        }
    }

    /// It broke the rules.
    pub(crate) fn violated(&mut self, turn: &mut Turn<'_>) {
        let aim = match self.state {
            State::Spawning { .. } | State::Starting { .. } | State::Ready { .. } | State::Unready => {
                Aim::Judge
            }
            State::Draining { aim, .. } | State::Stopping { aim, .. } => aim,
            State::Stopped
            | State::Waiting
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => return,
        };
        self.blame = Some(Cause::Violation);
        self.kill_now(aim, Sent::Kill, turn);
    }
}

/// Inputs from the process.
impl Child {
    pub(crate) fn spawned(&mut self, now: Instant) {
        match self.state {
            State::Spawning { until } => self.enter(State::Starting { until }, now),
            // What the process said may be read before the news that it runs.
            State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Draining { .. }
            | State::Stopping { .. }
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
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Reaping { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => return None,
        };
        let cause = self.blame.unwrap_or(Cause::SpawnFailed { step, errno });
        Some(self.ended(aim, None, cause, chance))
    }

    pub(crate) fn ready(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Spawning { .. } | State::Starting { .. } | State::Unready => {
                self.was_ready = true;
                self.ever_ready = true;
                let trial = turn.config.stable_after.max(self.pause);
                let stable_at = (self.failures > 0).then(|| turn.now + trial);
                self.enter(State::Ready { stable_at }, turn.now);
                turn.actions.push(Action::Announce { of: self.incarnation(), news: News::Up });
            }
            State::Ready { .. }
            | State::Draining { .. }
            | State::Stopping { .. }
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
            State::Ready { .. } => {
                self.forget_if_stable(turn.now);
                self.enter(State::Unready, turn.now);
                turn.actions.push(Action::Announce { of: self.incarnation(), news: News::Unready });
            }
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Unready
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => {}
        }
    }

    pub(crate) fn drained(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Draining { aim, .. } => self.terminate(aim, turn),
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Stopping { .. }
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
            State::Spawning { .. } | State::Starting { .. } | State::Ready { .. } | State::Unready => {
                Aim::Judge
            }
            State::Draining { aim, .. } | State::Stopping { aim, .. } | State::Killing { aim, .. } => aim,
            State::Reaping { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => return,
        };
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
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Killing { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => None,
        }
    }
}

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
            | State::Backoff { until } => Some(until),
            State::Ready { stable_at } => stable_at,
            State::Stopped | State::Waiting | State::Unready | State::Done | State::Failed(_) => None,
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
