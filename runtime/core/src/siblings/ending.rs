//! The end of one life: judged, charged, decided.

use super::{Action, Decision, End, Member, MemberId, Phase, Siblings, State, Step};
use crate::child::{Aim, Ended};
use crate::exit::{Cause, Exit};
use crate::tree::{AutoShutdown, ChildConfig, OnExhausted, Restart};
use crate::verdict::{Verdict, judge};

impl Siblings {
    pub(super) fn ended(&mut self, id: MemberId, end: End, chance: u32, step: &mut Step<'_>) {
        let is_covered = self.is_covered(id);
        let Some(member) = self.members.get_mut(&id) else { return };
        if end == End::Halted || member.state == State::Stopping || is_covered {
            return self.rejoin(id, step);
        }
        match verdict(member, end) {
            Verdict::Failure { .. } => self.fail(id, chance, step),
            Verdict::Done
            | Verdict::LetGo
            | Verdict::Stop
            | Verdict::Again
            | Verdict::Rejoin
            | Verdict::Replace
            | Verdict::Sleep
            | Verdict::EndAll(_)
            | Verdict::GiveUp(_) => self.done(id, step),
        }
    }

    /// It ended because its siblings stop: it waits for them, unless it is temporary.
    fn rejoin(&mut self, id: MemberId, step: &mut Step<'_>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let decision = if member.terms.restart == Restart::Temporary {
            self.members.remove(&id);
            Decision::Done { kept: false }
        } else {
            member.state = State::Held;
            Decision::Rejoin
        };
        step.actions.push(Action::Decided(decision));
    }

    fn done(&mut self, id: MemberId, step: &mut Step<'_>) {
        let significant = self.members.get(&id).is_some_and(|member| member.terms.significant);
        let kept = self.lay_aside(id);
        step.actions.push(Action::Decided(Decision::Done { kept }));
        let finishes = match self.terms.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => !self.has_active_significant(),
        };
        if significant && finishes && self.phase != Phase::Closed {
            step.actions.push(Action::Finish);
        }
    }

    /// Charges a failure and restarts as far as the budget says.
    fn fail(&mut self, id: MemberId, chance: u32, step: &mut Step<'_>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let stable = self.terms.stable_after;
        let was_running = member.state == State::Running;
        let row = member.row.get_or_insert_default();
        if was_running && step.now.since(row.at) >= stable.max(row.pause) {
            **row = super::Row::default();
        }
        row.failures = row.failures.saturating_add(1);
        let covered = self.budget.charge(step.now);
        let decision = match (covered, self.terms.on_exhausted) {
            (true, _) if !row.cools_down => {
                row.pause = self.terms.backoff.pause(row.failures, chance);
                Decision::Restart { at: step.now + row.pause, cools_down: false }
            }
            (true, _) | (false, OnExhausted::CoolDown) => {
                (row.cools_down, row.pause) = (true, self.terms.backoff.capped(chance));
                Decision::Restart { at: step.now + row.pause, cools_down: true }
            }
            (false, _) if self.phase == Phase::Closed => Decision::GiveUp { kept: self.lay_aside(id) },
            (false, OnExhausted::Fail) => Decision::GiveUp { kept: self.lay_aside(id) },
            (false, OnExhausted::Escalate) => {
                self.members.remove(&id);
                Decision::Escalate
            }
        };
        step.actions.push(Action::Decided(decision));
        if let Decision::Restart { at, .. } = decision {
            self.restart(id, at, step);
        }
    }

    fn restart(&mut self, id: MemberId, at: crate::time::Instant, step: &mut Step<'_>) {
        let alone = !self.is_serial() || self.phase == Phase::Closed;
        let Some(member) = self.members.get_mut(&id) else { return };
        if !alone {
            member.state = State::Held;
            self.incident(id, at, step);
        } else if at <= step.now {
            self.begin(id, step);
        } else {
            member.state = State::Backoff;
            // It has failed, so it has a row.
            member.row.get_or_insert_default().at = at;
        }
    }

    /// Takes a member out of what runs. Returns whether it is kept, to come back with its siblings.
    fn lay_aside(&mut self, id: MemberId) -> bool {
        let may_come_back = self.is_serial() && self.phase != Phase::Closed;
        match self.members.get_mut(&id) {
            Some(member) if may_come_back && member.terms.restart != Restart::Temporary => {
                member.state = State::Kept;
                true
            }
            _ => {
                self.members.remove(&id);
                false
            }
        }
    }

    /// Who has ended as it should is not done for good if its siblings stop, and it comes back with them.
    fn has_active_significant(&self) -> bool {
        let is_active = |id, member: &Member| member.state != State::Kept || self.is_covered(id);
        self.members.iter().any(|(id, member)| member.terms.significant && is_active(*id, member))
    }
}

/// Asks of the life of an actor what is asked of the life of a process.
fn verdict(member: &Member, end: End) -> Verdict {
    let was_ready = !matches!(member.state, State::Starting);
    let code = u8::from(end == End::Failed);
    let terms = ChildConfig { restart: member.terms.restart, ..ChildConfig::default() };
    let (exit, cause) = (Some(Exit::Code(code)), Cause::Exited(code));
    judge(&terms, &Ended { aim: Aim::Judge, exit, cause, was_ready, first: false, skipped: false, chance: 0 })
}
