//! Groups: a budget each, and what happens when it is spent and the group is to escalate.
//!
//! A group that escalates stops in order, level by level. When nothing of it is left its parent decides, which
//! takes the group's end for a failure of one of its own: it charges its own budget and starts the group again,
//! lets it rest, gives it up, or escalates in turn.

use alloc::vec::Vec;

use super::{Action, Alert, ChildId, GroupConfig, GroupId, OnExhausted, Outcome, Restart, Step, Tree};
use crate::budget::Budget;
use crate::child::{Child, State};
use crate::exit::GivenUp;
use crate::time::Instant;

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    budget: Budget,
    phase: Phase,
    /// Who starts again with the group.
    revived: Vec<ChildId>,
}

/// What a group does as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Its children live, each for itself.
    Steady,
    /// It is being stopped, for its parent to decide.
    Stopping,
    /// It is stopped, and starts again at this time.
    Cooling { until: Instant },
}

impl Group {
    pub(super) fn new(config: &GroupConfig) -> Self {
        let budget = Budget::new(config.max_restarts, config.period);
        Self { budget, phase: Phase::Steady, revived: Vec::new() }
    }

    pub(super) const fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(super) fn charge(&mut self, now: Instant) -> bool {
        self.budget.charge(now)
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Cooling { until } => Some(until),
            Phase::Steady | Phase::Stopping => None,
        }
    }

    /// An operator stopped it: it does not start again with the group.
    pub(super) fn forget(&mut self, id: ChildId) {
        self.revived.retain(|other| *other != id);
    }

    pub(super) fn rest(&mut self) {
        self.phase = Phase::Steady;
        self.revived.clear();
    }

    pub(super) fn normalised(&self, shift: impl Fn(Instant) -> Instant, now: Instant) -> Self {
        let phase = match self.phase {
            Phase::Cooling { until } => Phase::Cooling { until: shift(until) },
            same @ (Phase::Steady | Phase::Stopping) => same,
        };
        Self { budget: self.budget.normalised(now), phase, revived: self.revived.clone() }
    }
}

impl Tree {
    /// The group's budget is spent: stops it for its parent to decide. At the root, stops everything.
    pub(super) fn escalate(&mut self, id: GroupId, step: &mut Step<'_>) {
        step.actions.push(Action::Alert(Alert::Escalated(id)));
        if self.config.groups[usize::from(id.0)].parent.is_none() {
            return self.begin_shutdown(Outcome::GaveUp, step);
        }
        let mut revived = Vec::new();
        for child in self.ascending() {
            if self.is_within(child, id) && self.is_to_be_revived(child) {
                revived.push(child);
            }
        }
        for inner in
            (0..self.groups.len()).filter(|inner| self.is_group_within(*inner, id)).collect::<Vec<_>>()
        {
            self.groups[inner].rest();
        }
        let group = &mut self.groups[usize::from(id.0)];
        group.phase = Phase::Stopping;
        group.revived = revived;
        for child in self.ascending() {
            if self.is_within(child, id) && self.child(child).is_some_and(Child::is_at_rest) {
                self.with_child(child, step, |child, turn| child.stop(crate::child::Aim::Stay, turn));
            }
        }
    }

    /// Stops what is to be stopped of groups, level by level, and decides about those that are at rest.
    pub(super) fn advance_groups(&mut self, step: &mut Step<'_>) {
        // Each round settles one group or moves the matter to its parent, so it ends at the root.
        let mut waiting = true;
        while waiting && !self.is_shutting_down() {
            waiting = false;
            for index in 0..self.groups.len() {
                let Some(id) = group_id(index).filter(|_| self.groups[index].phase == Phase::Stopping) else {
                    continue;
                };
                if self.stop_in_order(|tree, child| tree.is_within(child, id), step) {
                    self.decide_about(id, step);
                    waiting = true;
                    break;
                }
            }
        }
    }

    pub(super) fn revive_cooled_groups(&mut self, step: &mut Step<'_>) {
        for index in 0..self.groups.len() {
            if self.groups[index].deadline().is_some_and(|until| until <= step.now) {
                self.revive(index, step);
            }
        }
    }

    pub(super) fn is_in_stopping_group(&self, child: ChildId) -> bool {
        (0..self.groups.len())
            .filter(|index| self.groups[*index].phase == Phase::Stopping)
            .filter_map(group_id)
            .any(|group| self.is_within(child, group))
    }

    /// A group was stopped; its parent takes that for a failure of its own.
    fn decide_about(&mut self, id: GroupId, step: &mut Step<'_>) {
        let index = usize::from(id.0);
        let Some(parent) = self.config.groups[index].parent else { return };
        let terms = self.config.groups[usize::from(parent.0)];
        if self.groups[usize::from(parent.0)].charge(step.now) {
            return self.revive(index, step);
        }
        match terms.on_exhausted {
            OnExhausted::CoolDown => {
                self.groups[index].phase = Phase::Cooling { until: step.now + terms.period };
                step.actions.push(Action::Alert(Alert::GroupCoolingDown(id)));
            }
            OnExhausted::Fail => {
                let given_up = self.groups[index].revived.clone();
                self.groups[index].rest();
                for child in given_up {
                    self.give_up(child, GivenUp::BudgetSpent, step);
                }
            }
            OnExhausted::Escalate => self.escalate(parent, step),
        }
    }

    fn revive(&mut self, index: usize, step: &mut Step<'_>) {
        let revived = self.groups[index].revived.clone();
        self.groups[index].rest();
        for child in revived {
            self.with_child(child, step, Child::start);
        }
    }

    /// Whether it takes part when its group starts again: not what an operator stopped, nor what is temporary.
    fn is_to_be_revived(&self, id: ChildId) -> bool {
        let stopped = self.child(id).is_none_or(|child| child.state() == State::Stopped);
        let temporary = self.terms(id).is_none_or(|terms| terms.restart == Restart::Temporary);
        let promised = self.groups.iter().any(|group| group.revived.contains(&id));
        promised || (!stopped && !temporary)
    }

    fn is_within(&self, child: ChildId, group: GroupId) -> bool {
        self.terms(child).is_some_and(|terms| self.is_group_within(usize::from(terms.group.0), group))
    }

    fn is_group_within(&self, inner: usize, outer: GroupId) -> bool {
        let mut at = group_id(inner);
        while let Some(group) = at {
            if group == outer {
                return true;
            }
            at = self.config.groups[usize::from(group.0)].parent;
        }
        false
    }
}

fn group_id(index: usize) -> Option<GroupId> {
    u16::try_from(index).ok().map(GroupId)
}
