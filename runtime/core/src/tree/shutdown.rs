//! The ordered stop of everything: monotone, in reverse order, with a hard total, in at most three steps.

use super::{Action, Alert, Outcome, Step, Tree};
use crate::child::{Aim, Child, KILL_GRACE};
use crate::time::Instant;

/// A stop of everything that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shutdown {
    phase: Phase,
    /// When the phase is cut short.
    until: Instant,
    outcome: Outcome,
}

/// How everything is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Level by level, each drained first.
    Ordered,
    /// Everything at once, without draining.
    Hastened,
    /// Everything was sent SIGKILL.
    Killed,
    /// Nothing is left, or nothing that could be waited for.
    Left,
}

impl Shutdown {
    pub(super) const fn deadline(&self) -> Instant {
        self.until
    }

    pub(super) fn normalised(&self, shift: impl Fn(Instant) -> Instant) -> Self {
        Self { until: shift(self.until), ..*self }
    }
}

impl Tree {
    pub(super) fn has_left(&self) -> bool {
        self.shutdown.is_some_and(|shutdown| shutdown.phase == Phase::Left)
    }

    /// Somebody wants everything to stop: in order, then faster each time.
    pub(super) fn shut_down(&mut self, step: &mut Step<'_>) {
        match self.shutdown.map(|shutdown| shutdown.phase) {
            None => self.begin_shutdown(Outcome::Stopped, step),
            Some(Phase::Ordered) => {
                step.actions.push(Action::Alert(Alert::Hastened));
                self.set_phase(Phase::Hastened);
                for id in self.ascending().into_iter().rev() {
                    self.with_child(id, step, Child::hasten);
                }
            }
            Some(Phase::Hastened | Phase::Killed) => self.kill_all(Some(Outcome::Forced), step),
            Some(Phase::Left) => {}
        }
    }

    /// Begins the ordered stop; a stop that has begun keeps its outcome.
    pub(super) fn begin_shutdown(&mut self, outcome: Outcome, step: &mut Step<'_>) {
        if self.shutdown.is_some() {
            return;
        }
        let until = step.now + self.config.shutdown_timeout;
        self.shutdown = Some(Shutdown { phase: Phase::Ordered, until, outcome });
        step.actions.push(Action::Alert(Alert::ShuttingDown(outcome)));
        self.groups.iter_mut().for_each(super::Group::rest);
        self.for_each(step, |child, turn| {
            if child.is_at_rest() {
                child.stop(Aim::Stay, turn);
            }
        });
    }

    /// Kills everything that is left; with an outcome, that is how the supervisor then ends.
    pub(super) fn kill_all(&mut self, forced: Option<Outcome>, step: &mut Step<'_>) {
        let outcome = forced.or(self.shutdown.map(|shutdown| shutdown.outcome)).unwrap_or(Outcome::Stopped);
        if self.shutdown.is_none_or(|shutdown| shutdown.phase != Phase::Killed) {
            step.actions.push(Action::Alert(Alert::CutShort));
            let until = step.now + KILL_GRACE;
            self.shutdown = Some(Shutdown { phase: Phase::Killed, until, outcome });
            self.groups.iter_mut().for_each(super::Group::rest);
            for id in self.ascending().into_iter().rev() {
                self.with_child(id, step, Child::kill);
            }
        } else if let Some(shutdown) = &mut self.shutdown {
            shutdown.outcome = outcome;
        }
    }

    /// Keeps the hard total: kills when it has come, and leaves when even that does not help.
    pub(super) fn enforce_total(&mut self, step: &mut Step<'_>) {
        let Some(shutdown) = self.shutdown.filter(|shutdown| shutdown.until <= step.now) else { return };
        match shutdown.phase {
            Phase::Ordered | Phase::Hastened if shutdown.until < Instant::END => self.kill_all(None, step),
            Phase::Killed => self.leave(step),
            Phase::Ordered | Phase::Hastened | Phase::Left => {}
        }
    }

    /// Stops the next level once the one above is empty, and leaves when all are.
    pub(super) fn advance_shutdown(&mut self, step: &mut Step<'_>) {
        let at_rest = match self.shutdown.map(|shutdown| shutdown.phase) {
            None | Some(Phase::Left) => false,
            Some(Phase::Ordered) => self.stop_in_order(|_, _| true, step),
            Some(Phase::Hastened | Phase::Killed) => self.children().iter().all(Child::is_empty),
        };
        if at_rest {
            self.leave(step);
        }
    }

    fn leave(&mut self, step: &mut Step<'_>) {
        if let Some(shutdown) = &mut self.shutdown {
            shutdown.phase = Phase::Left;
            step.actions.push(Action::Leave(shutdown.outcome));
        }
    }

    fn set_phase(&mut self, phase: Phase) {
        if let Some(shutdown) = &mut self.shutdown {
            shutdown.phase = phase;
        }
    }
}
