//! The end of a life: what is decided, what is said about it, and what is done.

use super::{Action, Alert, ChildId, Decision, OnExhausted, Outcome, Record, Step, Tree};
use crate::child::{Aim, Ended};
use crate::exit::GivenUp;
use crate::verdict::{Verdict, judge};

impl Tree {
    /// Decides what follows from the end of a life, says so, and does it.
    pub(super) fn conclude(&mut self, id: ChildId, ended: Option<Ended>, step: &mut Step<'_>) {
        let (Some(mut ended), Some(terms)) = (ended, self.terms(id)) else { return };
        if self.is_held(id) {
            ended.aim = Aim::Stay;
        }
        let verdict = judge(terms, &ended);
        let decision = match verdict {
            Verdict::Stop => Decision::Stop,
            Verdict::Again => Decision::StartAgain,
            Verdict::Done => Decision::Done,
            Verdict::EndAll(outcome) => Decision::EndAll(outcome),
            Verdict::GiveUp(why) => {
                self.children[usize::from(id.0)].count_failure();
                Decision::GiveUp(why)
            }
            Verdict::Failure { charged } => return self.fail(id, &ended, charged, step),
        };
        self.record(id, &ended, (decision, false), step);
        match verdict {
            Verdict::Stop => self.with_child(id, step, |child, turn| child.stay_stopped(turn.now)),
            Verdict::Again => self.with_child(id, step, |child, turn| {
                child.stay_stopped(turn.now);
                child.start(turn);
            }),
            Verdict::Done => self.with_child(id, step, |child, turn| child.finish(turn.now)),
            Verdict::EndAll(outcome) => {
                self.with_child(id, step, |child, turn| child.finish(turn.now));
                self.begin_shutdown(outcome, step);
            }
            Verdict::GiveUp(why) => self.give_up(id, why, step),
            Verdict::Failure { .. } => {}
        }
    }

    /// Gives a child up, and everything with it if it is essential.
    pub(super) fn give_up(&mut self, id: ChildId, why: GivenUp, step: &mut Step<'_>) {
        self.with_child(id, step, |child, turn| child.give_up(why, turn.now));
        step.actions.push(Action::Alert(Alert::GivenUp(id, why)));
        let essential = self.terms(id).is_some_and(super::ChildConfig::is_essential);
        if essential {
            let ever_ready = self.child(id).is_some_and(|child| child.was_ever_ready());
            self.begin_shutdown(if ever_ready { Outcome::GaveUp } else { Outcome::StartFailed }, step);
        }
    }

    /// Charges the failure, unless its cause is not counted, and restarts as far as the budget says.
    fn fail(&mut self, id: ChildId, ended: &Ended, charged: bool, step: &mut Step<'_>) {
        let index = usize::from(id.0);
        let (terms, child) = (&self.config.children[index], &mut self.children[index]);
        let failures = child.count_failure();
        let group = usize::from(terms.group.0);
        let covered = !charged || self.groups[group].charge(step.now);
        let pause = terms.backoff.pause(failures, ended.chance);
        let longest = terms.backoff.capped(ended.chance);
        let decision = match (covered, self.config.groups[group].on_exhausted) {
            (true, _) if !child.is_cooling_down() => Decision::Restart { delay: pause, at: step.now + pause },
            (true, _) | (false, OnExhausted::CoolDown) => {
                Decision::CoolDown { delay: longest, at: step.now + longest }
            }
            (false, OnExhausted::Fail) => Decision::GiveUp(GivenUp::BudgetSpent),
            (false, OnExhausted::Escalate) => Decision::Escalate(terms.group),
        };
        self.record(id, ended, (decision, charged), step);
        match decision {
            Decision::Restart { delay, .. } => {
                self.with_child(id, step, |child, turn| child.back_off(delay, turn))
            }
            Decision::CoolDown { delay, .. } => {
                if !self.children[index].is_cooling_down() {
                    step.actions.push(Action::Alert(Alert::CoolingDown(id)));
                }
                self.with_child(id, step, |child, turn| {
                    child.cool_down();
                    child.back_off(delay, turn);
                });
            }
            Decision::GiveUp(why) => self.give_up(id, why, step),
            Decision::Escalate(group) => {
                self.with_child(id, step, |child, turn| child.give_up(GivenUp::BudgetSpent, turn.now));
                self.escalate(group, step);
            }
            Decision::StartAgain | Decision::Stop | Decision::Done | Decision::EndAll(_) => {}
        }
    }

    fn record(&mut self, id: ChildId, ended: &Ended, what: (Decision, bool), step: &mut Step<'_>) {
        let (decision, charged) = what;
        let group = usize::from(self.config.children[usize::from(id.0)].group.0);
        let budget = self.groups[group].budget();
        let (budget_left, budget_max) = (budget.left(step.now), budget.max_restarts());
        let child = &mut self.children[usize::from(id.0)];
        let record = Record {
            of: child.incarnation(),
            cause: ended.cause,
            exit: ended.exit,
            was_ready: ended.was_ready,
            uptime: child.uptime(step.now),
            decision,
            charged,
            budget_left,
            budget_max,
            failures: child.failures(),
        };
        child.keep(record);
        step.actions.push(Action::Record(record));
    }
}
