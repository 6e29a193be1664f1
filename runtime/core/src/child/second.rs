//! A second life beside the present one: a newcomer on its way to take its place, or a predecessor whose place was taken.
//!
//! It is spawned, used its number, and is recorded and told of like any life, but less is expected of it: nobody sends to
//! it, needs it or comes after it. So its way to its end has fewer stages, each with a deadline of its own. A signal that
//! stops it and polls without end are not watched: before the one is ready its start has a time of its own, and the end
//! of the other ends with SIGKILL.

use core::time::Duration;

use super::steps::{Doing, cause};
use super::{KILL_GRACE, Sent, Turn};
use crate::exit::{Cause, Exit};
use crate::time::Instant;
use crate::tree::{Action, Alert, Incarnation, News};

/// A life beside the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Second {
    pub(crate) of: Incarnation,
    pub(super) role: Role,
    pub(super) stage: Stage,
    pub(super) spawned_at: Instant,
    /// When it was ready for the first time, if it was.
    pub(super) ready_at: Option<Instant>,
    /// The name of the stage in which its process ended.
    pub(super) ended_in: &'static str,
    pub(super) sent: Sent,
    pub(super) blame: Option<Cause>,
    pub(super) unkillable: bool,
    /// The deadline of this stage was moved because the supervisor did not run.
    pub(super) rearmed: bool,
    /// What it was made of has changed since.
    pub(super) is_outdated: bool,
}

/// What it is beside the present life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// It is to take the place of the present life, or was.
    Newcomer,
    /// The present life has taken its place.
    Predecessor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// It runs its user's code and is not ready yet.
    Rising { until: Instant },
    /// It is ready, and waits until nothing is left of the present life, which is being ended; or it was until now.
    Ready,
    /// It finishes what it had begun.
    Draining { until: Instant },
    /// It was sent the stop signal.
    Stopping { until: Instant },
    /// It was sent SIGKILL.
    Killing { until: Instant },
    /// Its process has ended; what it left behind is being killed.
    Reaping { until: Instant, exit: Exit, cause: Cause },
}

impl Stage {
    /// Returns the name that the state of a present life has which stands like this.
    const fn name(&self) -> &'static str {
        match self {
            Self::Rising { .. } => "starting",
            Self::Ready => "ready",
            Self::Draining { .. } => "draining",
            Self::Stopping { .. } => "stopping",
            Self::Killing { .. } => "killing",
            Self::Reaping { .. } => "reaping",
        }
    }
}

impl Second {
    /// Makes the record of a life that nothing was sent to yet.
    pub(super) const fn new(of: Incarnation, role: Role, stage: Stage, spawned_at: Instant) -> Self {
        Self {
            of,
            role,
            stage,
            spawned_at,
            ready_at: None,
            ended_in: "",
            sent: Sent::Nothing,
            blame: None,
            unkillable: false,
            rearmed: false,
            is_outdated: false,
        }
    }
}

/// What can be asked of it.
impl Second {
    /// Returns whether it may still become the present life.
    pub(super) const fn is_coming(&self) -> bool {
        match self.stage {
            Stage::Rising { .. } | Stage::Ready => self.was_newcomer(),
            Stage::Draining { .. }
            | Stage::Stopping { .. }
            | Stage::Killing { .. }
            | Stage::Reaping { .. } => false,
        }
    }

    /// Returns how its process ended, and why; `None` as long as it has not.
    pub(crate) const fn end(&self) -> Option<(Exit, Cause)> {
        match self.stage {
            Stage::Reaping { exit, cause, .. } => Some((exit, cause)),
            Stage::Rising { .. }
            | Stage::Ready
            | Stage::Draining { .. }
            | Stage::Stopping { .. }
            | Stage::Killing { .. } => None,
        }
    }

    /// Returns why it ends, as far as that is known.
    pub(super) fn reason(&self) -> Cause {
        self.blame.or(self.end().map(|(_, cause)| cause)).unwrap_or(Cause::Stopped)
    }

    pub(crate) const fn was_newcomer(&self) -> bool {
        matches!(self.role, Role::Newcomer)
    }

    pub(crate) const fn ready_at(&self) -> Option<Instant> {
        self.ready_at
    }

    pub(crate) const fn spawned_at(&self) -> Instant {
        self.spawned_at
    }

    pub(crate) const fn ended_in(&self) -> &'static str {
        self.ended_in
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Rising { until }
            | Stage::Draining { until }
            | Stage::Stopping { until }
            | Stage::Killing { until }
            | Stage::Reaping { until, .. } => Some(until),
            Stage::Ready => None,
        }
    }

    pub(super) fn normalised(self, shift: impl Fn(Instant) -> Instant) -> Self {
        let stage = match self.stage {
            Stage::Rising { until } => Stage::Rising { until: shift(until) },
            Stage::Draining { until } => Stage::Draining { until: shift(until) },
            Stage::Stopping { until } => Stage::Stopping { until: shift(until) },
            Stage::Killing { until } => Stage::Killing { until: shift(until) },
            Stage::Reaping { until, exit, cause } => Stage::Reaping { until: shift(until), exit, cause },
            Stage::Ready => Stage::Ready,
        };
        let of = Incarnation { generation: 0, ..self.of };
        Self { of, stage, spawned_at: Instant::START, ready_at: None, ended_in: "", ..self }
    }
}

/// What becomes of it.
impl Second {
    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.rearmed = false;
    }

    /// It is to finish what it has begun, and to end.
    pub(super) fn drain(&mut self, turn: &mut Turn<'_>) {
        if turn.config.drain_timeout.is_zero() {
            return self.terminate(turn);
        }
        self.enter(Stage::Draining { until: turn.now + turn.config.drain_timeout });
        turn.actions.push(Action::Drain(self.of));
    }

    /// It may drain until then, and no longer or no shorter.
    pub(super) fn drain_until(&mut self, at: impl FnOnce(Instant) -> Instant) {
        if let Stage::Draining { until } = &mut self.stage {
            *until = at(*until);
        }
    }

    pub(super) fn drained(&mut self, turn: &mut Turn<'_>) {
        if let Stage::Draining { .. } = self.stage {
            self.terminate(turn);
        }
    }

    /// It needs so much more time, from now, to become ready.
    pub(super) fn extend(&mut self, by: Duration, now: Instant) {
        if let Stage::Rising { until } = &mut self.stage {
            *until = (*until).max(now + by);
        }
    }

    /// It is to end without draining.
    pub(super) fn terminate(&mut self, turn: &mut Turn<'_>) {
        match self.stage {
            Stage::Rising { .. } | Stage::Ready | Stage::Draining { .. } => {}
            Stage::Stopping { .. } | Stage::Killing { .. } | Stage::Reaping { .. } => return,
        }
        if turn.config.stop_timeout.is_zero() {
            return self.kill(Sent::Kill, turn);
        }
        self.sent = self.sent.max(Sent::Terminate);
        self.enter(Stage::Stopping { until: turn.now + turn.config.stop_timeout });
        turn.actions.push(Action::Terminate(self.of));
    }

    /// It is to end at once.
    pub(super) fn kill(&mut self, how: Sent, turn: &mut Turn<'_>) {
        match self.stage {
            Stage::Rising { .. } | Stage::Ready | Stage::Draining { .. } | Stage::Stopping { .. } => {}
            Stage::Killing { .. } | Stage::Reaping { .. } => return,
        }
        self.sent = self.sent.max(how);
        self.enter(Stage::Killing { until: turn.now + KILL_GRACE });
        turn.actions.push(Action::KillTree(self.of));
    }

    /// It broke the rules.
    pub(super) fn violated(&mut self, turn: &mut Turn<'_>) {
        if !matches!(self.stage, Stage::Killing { .. } | Stage::Reaping { .. }) {
            self.blame.get_or_insert(Cause::Violation);
            self.kill(Sent::Kill, turn);
        }
    }

    pub(super) fn exited(&mut self, exit: Exit, turn: &mut Turn<'_>) {
        if self.end().is_some() {
            return;
        }
        let doing = Doing { told: !self.is_coming(), sent: self.sent, blame: self.blame };
        let cause = cause(exit, doing, turn.config);
        self.ended_in = self.stage.name();
        self.enter(Stage::Reaping { until: turn.now + KILL_GRACE, exit, cause });
        turn.actions.push(Action::Announce { of: self.of, news: News::Down(cause) });
        turn.actions.push(Action::KillTree(self.of));
    }

    /// Does what is due at `turn.now`.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>) {
        if self.deadline().is_none_or(|at| at > turn.now || at == Instant::END) {
            return;
        }
        match &mut self.stage {
            Stage::Rising { .. } => {
                self.blame = Some(Cause::StartTimeout);
                self.terminate(turn);
            }
            Stage::Draining { .. } => self.terminate(turn),
            Stage::Stopping { .. } => self.kill(Sent::KillLate, turn),
            Stage::Killing { until } | Stage::Reaping { until, .. } => {
                *until = turn.now + KILL_GRACE;
                turn.actions.push(Action::KillTree(self.of));
                if !core::mem::replace(&mut self.unkillable, true) {
                    turn.actions.push(Action::Alert(Alert::Unkillable(self.of)));
                }
            }
            Stage::Ready => {}
        }
    }

    /// The supervisor did not run for a while: what it would accuse it of now gets a little time, once a stage. Returns
    /// whether that changes anything.
    pub(super) fn forgive(&mut self, latest: Instant) -> bool {
        match &mut self.stage {
            Stage::Rising { until } | Stage::Draining { until } | Stage::Stopping { until }
                if !self.rearmed && *until < latest =>
            {
                *until = latest;
                self.rearmed = true;
                true
            }
            Stage::Rising { .. }
            | Stage::Ready
            | Stage::Draining { .. }
            | Stage::Stopping { .. }
            | Stage::Killing { .. }
            | Stage::Reaping { .. } => false,
        }
    }
}
