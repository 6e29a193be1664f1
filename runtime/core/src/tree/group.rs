//! Groups: a budget each, what they do as a whole, and what their parent makes of their end.
//!
//! A group whose budget is spent halts. When nothing of it is left its parent decides, which takes the group's end for
//! a failure of one of its own members: it charges its own budget and starts again by its own strategy, lets the group
//! rest, gives it up, or escalates in turn.

use super::halt::{Halted, Then};
use super::{
    Alert, AutoShutdown, ChildId, GroupConfig, GroupDecision, GroupEnd, GroupId, Incarnation, OnExhausted,
    Outcome, Step, Tree,
};
use crate::budget::Budget;
use crate::child::{Child, State};
use crate::exit::GivenUp;
use crate::time::Instant;

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    pub(super) budget: Budget,
    pub(super) phase: Phase,
    /// How many members it has, if it is a pool.
    pub(super) size: u16,
    /// The life whose end made it halt for its parent to decide.
    pub(super) origin: Option<Incarnation>,
}

/// What a group does as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// Its members live, each for itself.
    Steady,
    /// Its members from this rank on are being stopped.
    Halting { from: u16, then: Then },
    /// They are stopped, and start again at this time.
    Pausing { from: u16, until: Instant },
}

impl Group {
    pub(super) fn new(config: &GroupConfig) -> Self {
        let budget = Budget::new(config.max_restarts, config.period);
        Self { budget, phase: Phase::Steady, size: config.size, origin: None }
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Pausing { until, .. } => Some(until),
            Phase::Steady | Phase::Halting { .. } => None,
        }
    }

    /// Returns what is to become of a member of this rank, if the group keeps it from running.
    pub(super) fn holds(&self, rank: u16) -> Option<Halted> {
        match self.phase {
            Phase::Halting { from, then: Then::Finish } if rank >= from => Some(Halted::Finishes),
            Phase::Halting { from, .. } | Phase::Pausing { from, .. } if rank >= from => {
                Some(Halted::Rejoins)
            }
            Phase::Halting { .. } | Phase::Pausing { .. } | Phase::Steady => None,
        }
    }

    /// Somebody wants a member to start: the pause is over.
    pub(super) fn hurry(&mut self, now: Instant) {
        if let Some(until) = self.pause() {
            *until = now;
        }
    }

    /// What made it pause until `reason` is gone: `next` is enough. A pause until another time has another reason.
    pub(super) fn shorten(&mut self, reason: Instant, next: Instant) {
        if let Some(until) = self.pause().filter(|until| **until == reason) {
            *until = next.min(reason);
        }
    }

    /// Returns when its pause ends, also if that is yet to begin.
    const fn pause(&mut self) -> Option<&mut Instant> {
        match &mut self.phase {
            Phase::Halting { then: Then::Restart { at: until }, .. } | Phase::Pausing { until, .. } => {
                Some(until)
            }
            Phase::Halting { then: Then::Report | Then::Finish, .. } | Phase::Steady => None,
        }
    }

    /// The members that it keeps from running begin at another rank now.
    pub(super) fn move_to(&mut self, first: u16) {
        if let Phase::Halting { from, .. } | Phase::Pausing { from, .. } = &mut self.phase {
            *from = first;
        }
    }

    /// A group around it, or the stop of everything, takes its place.
    pub(super) fn rest(&mut self) {
        self.phase = Phase::Steady;
        self.origin = None;
    }

    pub(super) fn normalised(&self, shift: impl Fn(Instant) -> Instant, now: Instant) -> Self {
        let phase = match self.phase {
            Phase::Halting { from, then: Then::Restart { at } } => {
                Phase::Halting { from, then: Then::Restart { at: shift(at) } }
            }
            Phase::Pausing { from, until } => Phase::Pausing { from, until: shift(until) },
            same @ (Phase::Steady | Phase::Halting { then: Then::Report | Then::Finish, .. }) => same,
        };
        // Which life it was is only told, never asked.
        let origin = self.origin.map(|of| Incarnation { generation: 0, ..of });
        Self { budget: self.budget.normalised(now), phase, size: self.size, origin }
    }
}

impl Tree {
    /// The group's budget is spent: halts it for its parent to decide. At the root, stops everything.
    pub(super) fn escalate(&mut self, id: GroupId, origin: Incarnation, step: &mut Step<'_>) {
        step.alert(Alert::Escalated { group: id, origin });
        if self.group_terms(id).parent.is_none() {
            return self.begin_shutdown(Outcome::GaveUp, step);
        }
        self.halt(id, 0, Then::Report, step);
        self.groups[usize::from(id.0)].origin = Some(origin);
    }

    /// A group has halted; its parent takes that for a failure of its own.
    pub(super) fn report(&mut self, id: GroupId, step: &mut Step<'_>) {
        let group = &mut self.groups[usize::from(id.0)];
        let origin = group.origin.take();
        group.rest();
        let (Some(parent), Some(origin)) = (self.group_terms(id).parent, origin) else { return };
        let terms = *self.group_terms(parent);
        let budget = &mut self.groups[usize::from(parent.0)].budget;
        let decision = match (budget.charge(step.now), terms.on_exhausted) {
            (true, _) => GroupDecision::Restart,
            (false, OnExhausted::CoolDown) => GroupDecision::CoolDown { at: step.now + terms.period },
            (false, OnExhausted::Fail) => GroupDecision::GiveUp,
            (false, OnExhausted::Escalate) => GroupDecision::Escalate(parent),
        };
        let (budget_left, budget_max) = (budget.left(step.now), budget.max_restarts());
        step.alert(Alert::GroupEnded(GroupEnd { group: id, origin, decision, budget_left, budget_max }));
        match decision {
            GroupDecision::Restart => self.restart_group(id, parent, step.now, step),
            GroupDecision::CoolDown { at } => self.restart_group(id, parent, at, step),
            GroupDecision::GiveUp => self.give_group_up(id, step),
            GroupDecision::Escalate(parent) => self.escalate(parent, origin, step),
        }
    }

    /// Starts a halted group again, and with it whomever its parent's strategy says.
    fn restart_group(&mut self, id: GroupId, parent: GroupId, at: Instant, step: &mut Step<'_>) {
        self.begin_anew(id);
        if self.group_terms(parent).strategy.is_serial() {
            self.incident(parent, self.rank_of_group(id, parent), at, step);
        } else {
            self.halt(id, 0, Then::Restart { at }, step);
        }
    }

    /// A group that starts again as a whole has spent nothing, nor has any group within: as in OTP, whose supervisors
    /// start anew.
    pub(super) fn begin_anew(&mut self, id: GroupId) {
        self.groups[usize::from(id.0)].budget.refill();
        // Each group stands after its parent.
        for inner in (id.0 + 1..).map(GroupId).take(self.groups.len() - usize::from(id.0) - 1) {
            if self.is_enclosed(inner, id) {
                self.groups[usize::from(inner.0)].budget.refill();
            }
        }
    }

    fn is_enclosed(&self, inner: GroupId, outer: GroupId) -> bool {
        let mut around = self.group_terms(inner).parent;
        while let Some(group) = around.filter(|group| *group != outer) {
            around = self.group_terms(group).parent;
        }
        around.is_some()
    }

    fn give_group_up(&mut self, id: GroupId, step: &mut Step<'_>) {
        for child in self.ascending() {
            let waits = |child: &Child| matches!(child.state(), State::Waiting | State::Backoff { .. });
            if self.is_within(child, id) && self.child(child).is_some_and(waits) {
                self.give_up(child, GivenUp::BudgetSpent, step);
            }
        }
    }

    /// A significant member has ended as it should: perhaps its group has done its work.
    pub(super) fn consider_finish(&mut self, id: GroupId, step: &mut Step<'_>) {
        let finishes = match self.group_terms(id).auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => !self.has_active_significant(id),
        };
        if !finishes || self.is_shutting_down() {
            return;
        }
        step.alert(Alert::Finished(id));
        if self.group_terms(id).parent.is_none() {
            return self.begin_shutdown(Outcome::Stopped, step);
        }
        self.halt(id, 0, Then::Finish, step);
    }

    /// A group that has done its work is at rest; it may be significant itself.
    pub(super) fn finished(&mut self, id: GroupId, step: &mut Step<'_>) {
        self.groups[usize::from(id.0)].rest();
        let terms = *self.group_terms(id);
        if let Some(parent) = terms.parent.filter(|_| terms.significant) {
            self.consider_finish(parent, step);
        }
    }

    fn has_active_significant(&self, id: GroupId) -> bool {
        let is_active = |child: &ChildId| {
            let state = self.child(*child).map(Child::state);
            !matches!(state, None | Some(State::Done | State::Stopped | State::Failed(_)))
        };
        self.order.ascending().filter(is_active).any(|child| {
            let terms = &self.config.children[usize::from(child.0)];
            if terms.group == id {
                return terms.significant;
            }
            // The group directly in `id` that holds the child.
            let mut around = self.order.places(child).iter();
            around.any(|place| {
                let inner = self.group_terms(place.group);
                inner.parent == Some(id) && inner.significant
            })
        })
    }
}
