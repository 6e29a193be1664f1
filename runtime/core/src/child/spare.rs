//! A spare: the process of the life to come, made while the present one goes on, so that taking its place costs no time.
//!
//! It is executed, sandboxed and verified, and there it waits: no code of a user has run in it, it has no link and no
//! descriptor that is kept. So it is no life, and that a child has one life at a time holds. It bears the number of the
//! next life, and becomes that life by [`Action::Admit`], in place of [`Action::Spawn`]; a spare that ends before that
//! has used no number, charges nothing, and is made again after a pause.

use core::time::Duration;

use super::steps::{Doing, cause};
use super::{Aim, Child, KILL_GRACE, Sent, State, Turn};
use crate::exit::{Cause, Exit};
use crate::time::Instant;
use crate::tree::{Action, Alert, ChildConfig, Incarnation};

/// Whether there is a spare behind a life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Spare {
    stage: Stage,
    /// Its process runs its program.
    is_executed: bool,
    /// Its process has ended.
    has_exited: bool,
    /// What it was made of has changed since.
    pub(super) is_outdated: bool,
    /// It is to rise beside the present life, for a rolling replacement.
    pub(super) rises: bool,
    /// It ended, or had to be ended, before it was used.
    is_lost: bool,
    /// How many in a row did.
    lost: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Stage {
    #[default]
    Absent,
    /// None is made before this time, because the last one ended by itself.
    Pausing { until: Instant },
    /// It is on its way.
    Making { until: Instant },
    /// It waits.
    Standing,
    /// It was sent SIGKILL, or has ended by itself, and is no use any more.
    Ending { until: Instant },
}

impl Spare {
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Pausing { until } | Stage::Making { until } | Stage::Ending { until } => Some(until),
            Stage::Absent | Stage::Standing => None,
        }
    }

    pub(super) fn normalised(&self, config: &ChildConfig, shift: impl Fn(Instant) -> Instant) -> Self {
        let stage = match self.stage {
            Stage::Pausing { until } => Stage::Pausing { until: shift(until) },
            Stage::Making { until } => Stage::Making { until: shift(until) },
            Stage::Ending { until } => Stage::Ending { until: shift(until) },
            same @ (Stage::Absent | Stage::Standing) => same,
        };
        Self { stage, lost: config.backoff.same_pause_as(self.lost), ..*self }
    }
}

/// What can be read.
impl Child {
    /// Returns the process that waits to be the next life, or is on its way to that or being ended.
    pub fn spare(&self) -> Option<Incarnation> {
        let is_there = match self.spare.stage {
            Stage::Making { .. } | Stage::Standing | Stage::Ending { .. } => true,
            Stage::Absent | Stage::Pausing { .. } => false,
        };
        is_there.then(|| self.next_life())
    }

    /// Returns whether a process waits that may be the next life at once: a spare, or a newcomer.
    pub const fn has_standing_spare(&self) -> bool {
        matches!(self.spare.stage, Stage::Standing)
    }

    /// Returns the spare that waits, if one does.
    pub fn waiting_spare(&self) -> Option<Incarnation> {
        (self.has_standing_spare() && !self.spare.rises).then(|| self.next_life())
    }

    /// Returns whether nothing of it is left: no life, no second one, and no spare.
    pub fn is_empty(&self) -> bool {
        self.is_at_rest() && self.spare().is_none() && self.second().is_none()
    }

    /// Returns whether there is one that cannot become the next life: it must be gone before that begins.
    pub(crate) fn is_spare_in_the_way(&self) -> bool {
        self.spare().is_some() && !self.is_spare_usable()
    }

    fn is_spare_usable(&self) -> bool {
        self.is_spare_up() && !self.spare.is_outdated
    }

    /// Returns whether there is one that is not being ended.
    pub(super) const fn is_spare_up(&self) -> bool {
        matches!(self.spare.stage, Stage::Making { .. } | Stage::Standing)
    }

    const fn is_spare_ending(&self) -> bool {
        matches!(self.spare.stage, Stage::Ending { .. })
    }

    /// Returns the life to come. A number that was used is not used again, whoever had it.
    pub(super) const fn next_life(&self) -> Incarnation {
        let next = self.newest.wrapping_add(1);
        Incarnation { child: self.id, generation: if next == 0 { 1 } else { next } }
    }
}

/// What the tree does with a spare.
impl Child {
    /// Has one made, or ended, as the state asks for it.
    pub(crate) fn tend_spare(&mut self, held: bool, turn: &mut Turn<'_>) {
        let rises = self.is_newcomer_wanted();
        let is_wanted = turn.config.spare || rises;
        if held || !is_wanted || !self.may_have_spare() || self.spare.is_outdated {
            return self.dismiss_spare(turn);
        }
        let is_free = match self.spare.stage {
            Stage::Absent => self.second().is_none(),
            // The pause is between spares; somebody waits for a newcomer.
            Stage::Pausing { .. } => rises,
            Stage::Making { .. } | Stage::Standing | Stage::Ending { .. } => false,
        };
        if is_free && matches!(self.state, State::Ready { .. }) {
            let until = turn.now + turn.config.start_timeout;
            let stage = Stage::Making { until };
            self.spare = Spare { stage, rises, lost: self.spare.lost, ..Spare::default() };
            turn.actions.push(Action::Prepare(self.next_life()));
        }
    }

    /// Whether the next life may be one that was prepared: it follows by itself, and on the terms of this one.
    pub(super) const fn may_have_spare(&self) -> bool {
        match self.state {
            State::Waiting
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. }
            | State::Backoff { held: false, .. } => true,
            State::Draining { aim, .. }
            | State::Stopping { aim, .. }
            | State::Aborting { aim, .. }
            | State::Killing { aim, .. }
            | State::Reaping { aim, .. } => matches!(aim, Aim::Judge | Aim::Replace),
            State::Backoff { held: true, .. } | State::Stopped | State::Done | State::Failed(_) => false,
        }
    }

    /// The next life is to be made of something else.
    pub(crate) fn outdate_spare(&mut self) {
        self.spare.is_outdated = self.spare().is_some();
        self.outdate_newcomer();
    }

    /// Ends the spare, if there is one.
    pub(crate) fn dismiss_spare(&mut self, turn: &mut Turn<'_>) {
        match self.spare.stage {
            Stage::Making { .. } | Stage::Standing => self.end_spare(turn),
            Stage::Pausing { .. } => self.spare = Spare::default(),
            Stage::Absent | Stage::Ending { .. } => {}
        }
    }

    /// It has become a life.
    pub(super) fn forget_spare(&mut self) {
        self.spare = Spare { lost: self.spare.lost, ..Spare::default() };
    }

    fn end_spare(&mut self, turn: &mut Turn<'_>) {
        self.spare.stage = Stage::Ending { until: turn.now + KILL_GRACE };
        turn.actions.push(Action::KillTree(self.next_life()));
    }

    /// Has the spare become the next life. Returns whether there was one that can.
    pub(super) fn admit_spare(&mut self, turn: &mut Turn<'_>) -> bool {
        let is_usable = self.is_spare_usable();
        if is_usable {
            let until = turn.now + turn.config.start_timeout;
            let is_executed = self.spare.is_executed;
            self.enter(
                if is_executed { State::Starting { until } } else { State::Spawning { until } },
                turn.now,
            );
            self.spare = Spare::default();
            turn.actions.push(Action::Admit(self.incarnation()));
        }
        is_usable
    }

    pub(super) fn tick_spare(&mut self, turn: &mut Turn<'_>) {
        if self.spare.deadline().is_none_or(|at| at > turn.now || at == Instant::END) {
            return;
        }
        match self.spare.stage {
            Stage::Pausing { .. } => self.spare.stage = Stage::Absent,
            Stage::Making { .. } => {
                self.lose_spare(Cause::StartTimeout, turn);
                self.end_spare(turn);
            }
            Stage::Ending { .. } => self.end_spare(turn),
            Stage::Absent | Stage::Standing => {}
        }
    }

    /// The supervisor did not run for a while: a spare gets a little time, as a life does.
    pub(super) fn forgive_spare(&mut self, latest: Instant) -> bool {
        match &mut self.spare.stage {
            Stage::Making { until } if *until < latest => {
                *until = latest;
                true
            }
            Stage::Making { .. }
            | Stage::Absent
            | Stage::Pausing { .. }
            | Stage::Standing
            | Stage::Ending { .. } => false,
        }
    }

    fn lose_spare(&mut self, why: Cause, turn: &mut Turn<'_>) {
        if self.spare.rises {
            return self.lose_newcomer(why, turn);
        }
        self.spare.is_lost = true;
        self.spare.lost = self.spare.lost.saturating_add(1);
        turn.actions.push(Action::Alert(Alert::SpareLost(self.next_life(), why)));
    }
}

/// What is told of a spare.
impl Child {
    pub(crate) fn spare_spawned(&mut self) {
        self.spare.is_executed = true;
    }

    /// Its sandbox stands and was verified; it waits.
    pub(crate) fn spare_stands(&mut self) {
        if let Stage::Making { .. } = self.spare.stage {
            self.spare.stage = Stage::Standing;
            self.spare.is_executed = true;
        }
    }

    pub(crate) fn spare_violated(&mut self, turn: &mut Turn<'_>) {
        if let Stage::Making { .. } | Stage::Standing = self.spare.stage {
            self.lose_spare(Cause::Violation, turn);
            self.end_spare(turn);
        }
    }

    pub(crate) fn spare_exited(&mut self, exit: Exit, turn: &mut Turn<'_>) {
        if core::mem::replace(&mut self.spare.has_exited, true) {
            return;
        }
        if let Stage::Making { .. } | Stage::Standing = self.spare.stage {
            let doing = Doing { told: false, sent: Sent::Nothing, blame: None };
            self.lose_spare(cause(exit, doing, turn.config), turn);
        }
        self.end_spare(turn);
    }

    /// Nothing of it is left; `failed` is why there never was a process of it.
    pub(crate) fn spare_emptied(&mut self, failed: Option<Cause>, chance: u32, turn: &mut Turn<'_>) {
        if failed.is_none() && !self.spare.has_exited {
            return;
        }
        if let Some(why) = failed.filter(|_| !self.is_spare_ending()) {
            self.lose_spare(why, turn);
        }
        let Spare { is_lost, lost, .. } = self.spare;
        let pause = turn.config.backoff.pause(lost, chance).max(SPARE_PAUSE);
        let stage = if is_lost { Stage::Pausing { until: turn.now + pause } } else { Stage::Absent };
        self.spare = Spare { stage, lost, ..Spare::default() };
    }
}

/// How long it takes at least until another spare is made after one that ended by itself. Nobody waits for it.
const SPARE_PAUSE: Duration = Duration::from_secs(1);
