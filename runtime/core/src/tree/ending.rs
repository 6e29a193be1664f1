//! The end of a life: what is decided, what is said about it, and what is done.

use core::time::Duration;

use super::{Action, Alert, ChildId, Decision, Incarnation, OnExhausted, Outcome, Record, Step, Tree};
use crate::child::{Aim, Ended, Second};
use crate::exit::{Cause, Exit, GivenUp};
use crate::time::Instant;
use crate::verdict::{Verdict, judge};

impl Tree {
    /// Decides what follows from the end of a life, says so, and does it.
    pub(super) fn conclude(&mut self, id: ChildId, ended: Option<Ended>, step: &mut Step<'_>) {
        let Some(mut ended) = ended else { return };
        ended.aim = self.true_aim(id, &ended);
        let terms = &self.config.children[usize::from(id.0)];
        let mut verdict = judge(terms, &ended);
        // What starts on demand is never done, unless somebody waits for just that.
        let sleeps = ended.aim == Aim::Judge && terms.on_demand && !terms.significant;
        if sleeps && verdict == Verdict::Done {
            verdict = Verdict::Sleep;
        }
        let forgiven = !ended.cause.is_offence() || self.children[usize::from(id.0)].offend(step.now);
        let returns =
            matches!(verdict, Verdict::Failure { .. } | Verdict::Rejoin | Verdict::Sleep | Verdict::Replace);
        if !forgiven && (returns || (sleeps && verdict == Verdict::LetGo)) {
            verdict = Verdict::GiveUp(GivenUp::Offences);
        }
        let decision = match verdict {
            Verdict::Stop => Decision::Stop,
            Verdict::Again => Decision::StartAgain,
            Verdict::Rejoin => Decision::Rejoin,
            Verdict::Replace => Decision::Replace,
            Verdict::Sleep => Decision::Sleep,
            Verdict::Done => Decision::Done,
            Verdict::LetGo => Decision::LetGo,
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
            Verdict::Rejoin => self.with_child(id, step, |child, turn| child.wait(turn.now)),
            Verdict::Replace => self.with_child(id, step, |child, turn| child.replace(turn.now)),
            Verdict::Sleep => self.with_child(id, step, |child, turn| child.sleep(turn.now)),
            Verdict::LetGo if sleeps => self.with_child(id, step, |child, turn| child.sleep(turn.now)),
            Verdict::Done | Verdict::LetGo => {
                let terms = &self.config.children[usize::from(id.0)];
                let (significant, group) = (terms.significant && ended.aim == Aim::Judge, terms.group);
                self.with_child(id, step, |child, turn| child.finish(turn.now));
                if significant {
                    self.consider_finish(group, step);
                }
            }
            Verdict::EndAll(outcome) => {
                self.with_child(id, step, |child, turn| child.finish(turn.now));
                self.begin_shutdown(outcome, step);
            }
            Verdict::GiveUp(why) => self.give_up(id, why, step),
            Verdict::Failure { .. } => {}
        }
    }

    /// Returns what a life was to lead to, now that it has ended like this.
    fn true_aim(&self, id: ChildId, ended: &Ended) -> Aim {
        match ended.aim {
            _ if self.is_shutting_down() => Aim::Stay,
            // What ends while its group halts is part of what made the group halt.
            Aim::Judge => self.halting_aim(id).unwrap_or(Aim::Judge),
            // To say first that one is about to end in order excuses no failure.
            Aim::Replace | Aim::Sleep if ended.cause.is_failure() => {
                self.halting_aim(id).unwrap_or(Aim::Judge)
            }
            aim @ (Aim::Stay | Aim::Again | Aim::Rejoin | Aim::Finish | Aim::Replace | Aim::Sleep) => aim,
        }
    }

    /// Gives a child up, and everything with it if it is essential.
    pub(super) fn give_up(&mut self, id: ChildId, why: GivenUp, step: &mut Step<'_>) {
        self.with_child(id, step, |child, turn| child.give_up(why, turn.now));
        step.alert(Alert::GivenUp(id, why));
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
        let covered = !charged || self.groups[group].budget.charge(step.now);
        // What runs already and is not stopped with its group has nothing to wait for.
        let runs = child.has_risen_newcomer() && !self.config.groups[group].strategy.is_serial();
        let unless_it_runs = |pause| if runs { Duration::ZERO } else { pause };
        let pause = unless_it_runs(terms.backoff.pause(failures, ended.chance));
        let longest = unless_it_runs(terms.backoff.capped(ended.chance));
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
            Decision::Restart { delay, at } => self.restart(id, delay, at, step),
            Decision::CoolDown { delay, at } => {
                if !self.children[index].is_cooling_down() {
                    step.alert(Alert::CoolingDown(id));
                }
                self.children[index].cool_down();
                self.restart(id, delay, at, step);
            }
            Decision::GiveUp(why) => self.give_up(id, why, step),
            Decision::Escalate(group) => {
                let origin = self.children[index].incarnation();
                let is_root = self.group_terms(group).parent.is_none();
                self.with_child(id, step, |child, turn| match is_root {
                    true => child.give_up(GivenUp::BudgetSpent, turn.now),
                    false => child.wait(turn.now),
                });
                self.escalate(group, origin, step);
            }
            Decision::StartAgain
            | Decision::Rejoin
            | Decision::Replace
            | Decision::Sleep
            | Decision::Stop
            | Decision::Done
            | Decision::LetGo
            | Decision::EndAll(_)
            | Decision::Succeeded
            | Decision::RolledBack => {}
        }
    }

    /// Starts a child again after a pause, and with it whomever its group's strategy says.
    fn restart(&mut self, id: ChildId, pause: Duration, at: Instant, step: &mut Step<'_>) {
        let group = self.config.children[usize::from(id.0)].group;
        let serial = self.group_terms(group).strategy.is_serial();
        self.with_child(id, step, |child, turn| child.back_off(pause, serial, turn));
        if serial {
            self.incident(group, self.rank(id, group), at, step);
        }
    }

    /// Says what became of a second life, of which nothing is left. Nobody is charged for its end.
    pub(super) fn conclude_second(&mut self, id: ChildId, second: &Second, step: &mut Step<'_>) {
        let Some((exit, cause)) = second.end() else { return };
        let past = Past {
            of: second.of,
            cause,
            exit: Some(exit),
            ready_for: second.ready_at().map(|at| step.now.since(at)),
            last_state: second.ended_in(),
            uptime: step.now.since(second.spawned_at()),
        };
        let decision = if second.was_newcomer() { Decision::RolledBack } else { Decision::Succeeded };
        self.keep(id, past, (decision, false), step);
    }

    fn record(&mut self, id: ChildId, ended: &Ended, what: (Decision, bool), step: &mut Step<'_>) {
        let child = &self.children[usize::from(id.0)];
        let past = Past {
            of: child.incarnation(),
            cause: ended.cause,
            exit: ended.exit,
            ready_for: child.ready_for(step.now),
            last_state: child.ended_in(),
            uptime: child.uptime(step.now),
        };
        self.keep(id, past, what, step);
    }

    fn keep(&mut self, id: ChildId, past: Past, what: (Decision, bool), step: &mut Step<'_>) {
        let (decision, charged) = what;
        let group = usize::from(self.config.children[usize::from(id.0)].group.0);
        let budget = &self.groups[group].budget;
        let (budget_left, budget_max) = (budget.left(step.now), budget.max_restarts());
        let budget_period = budget.period();
        let child = &mut self.children[usize::from(id.0)];
        let record = Record {
            of: past.of,
            cause: past.cause,
            exit: past.exit,
            was_ready: past.ready_for.is_some(),
            ready_for: past.ready_for,
            last_state: past.last_state,
            uptime: past.uptime,
            decision,
            charged,
            budget_left,
            budget_max,
            budget_period,
            failures: child.failures(),
        };
        child.keep(record);
        step.actions.push(Action::Record(record));
    }
}

/// A life that is over, as it is recorded.
struct Past {
    of: Incarnation,
    cause: Cause,
    exit: Option<Exit>,
    ready_for: Option<Duration>,
    last_state: &'static str,
    uptime: Duration,
}
