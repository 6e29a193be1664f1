//! A group that halts: its members from one rank on are stopped in order, and then start again, or do not.
//!
//! Whoever is to come back waits, held by the group; what ends while its group halts is not judged for itself. A halt of
//! a group takes the place of all halts of the groups within.

use super::group::Phase;
use super::{ChildId, GroupConfig, GroupId, Restart, Step, Strategy, Tree};
use crate::child::{Aim, Child};
use crate::time::Instant;

/// What follows when nothing of the members concerned is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Then {
    /// They start again, not before this time.
    Restart { at: Instant },
    /// The group's parent decides.
    Report,
    /// They stay as they are: the group has done its work.
    Finish,
}

/// What is to become of a member of a group that halts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halted {
    /// It starts again with the group.
    Rejoins,
    /// It is done.
    Finishes,
}

impl Then {
    /// What follows when a halt that has begun gets a second reason.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Report, _) | (_, Self::Report) => Self::Report,
            (Self::Finish, _) | (_, Self::Finish) => Self::Finish,
            (Self::Restart { at }, Self::Restart { at: later }) => Self::Restart { at: at.max(later) },
        }
    }
}

impl Tree {
    /// A member of a serial group failed: halts whomever the strategy says, to start again at `at`.
    pub(super) fn incident(&mut self, id: GroupId, rank: u16, at: Instant, step: &mut Step<'_>) {
        let from = match self.group_terms(id).strategy {
            Strategy::RestForOne => rank,
            Strategy::OneForAll | Strategy::OneForOne | Strategy::Pool => 0,
        };
        self.halt(id, from, Then::Restart { at }, step);
    }

    /// Halts the members of a group from rank `from` on.
    pub(super) fn halt(&mut self, id: GroupId, from: u16, then: Then, step: &mut Step<'_>) {
        let group = &mut self.groups[usize::from(id.0)];
        let (from, then) = match group.phase {
            Phase::Steady => (from, then),
            Phase::Halting { from: first, then: former } => (from.min(first), former.or(then)),
            Phase::Pausing { from: first, until } => (from.min(first), Then::Restart { at: until }.or(then)),
        };
        group.phase = Phase::Halting { from, then };
        for child in self.ascending() {
            let Some(aim) = self.halting_aim(child).filter(|_| self.is_covered(child, id, from)) else {
                continue;
            };
            let inner =
                self.order.places(child).iter().map(|place| place.group).take_while(|group| *group != id);
            inner.for_each(|group| self.groups[usize::from(group.0)].rest());
            if self.child(child).is_some_and(Child::is_at_rest) {
                self.with_child(child, step, |child, turn| child.halt(aim, turn));
            }
        }
    }

    /// Stops what is to be stopped of groups, level by level, and goes on with those of which nothing is left.
    pub(super) fn advance_groups(&mut self, step: &mut Step<'_>) {
        // Each round ends the halt of one group, or moves the matter to its parent, so it ends at the root.
        let mut goes_on = true;
        while goes_on && !self.is_shutting_down() {
            goes_on = false;
            for id in (0..).map(GroupId).take(self.groups.len()) {
                let Phase::Halting { from, then } = self.groups[usize::from(id.0)].phase else { continue };
                if self.stop_in_order(|tree, child| tree.is_covered(child, id, from), step) {
                    self.halted(id, from, then, step);
                    goes_on = true;
                    break;
                }
            }
        }
    }

    fn halted(&mut self, id: GroupId, from: u16, then: Then, step: &mut Step<'_>) {
        match then {
            Then::Restart { at } if at > step.now => {
                self.groups[usize::from(id.0)].phase = Phase::Pausing { from, until: at };
            }
            Then::Restart { .. } => self.resume(id, from, step),
            Then::Report => self.report(id, step),
            Then::Finish => self.finished(id, step),
        }
    }

    /// Starts the groups whose pause is over.
    pub(super) fn resume_groups(&mut self, step: &mut Step<'_>) {
        for id in (0..).map(GroupId).take(self.groups.len()) {
            match self.groups[usize::from(id.0)].phase {
                Phase::Pausing { from, until } if until <= step.now => self.resume(id, from, step),
                Phase::Pausing { .. } | Phase::Halting { .. } | Phase::Steady => {}
            }
        }
    }

    fn resume(&mut self, id: GroupId, from: u16, step: &mut Step<'_>) {
        self.groups[usize::from(id.0)].rest();
        for inner in (0..).map(GroupId).take(self.groups.len()) {
            if self.group_terms(inner).parent == Some(id) && self.rank_of_group(inner, id) >= from {
                self.begin_anew(inner);
            }
        }
        for child in self.ascending() {
            if self.is_covered(child, id, from) && self.halting_aim(child).is_none() {
                self.with_child(child, step, |child, turn| child.rejoin_held(turn.now));
            }
        }
    }

    /// An operator wants a child: no group that pauses keeps it waiting.
    pub(super) fn hurry(&mut self, child: ChildId, now: Instant) {
        for place in self.order.places(child) {
            self.groups[usize::from(place.group.0)].hurry(now);
        }
    }

    /// A member that paused until `until` does not come back: its group waits at most for the pauses of the others.
    pub(super) fn drop_pause(&mut self, child: ChildId, until: Instant, now: Instant) {
        let Some(id) = self.terms(child).map(|terms| terms.group) else { return };
        let members = self.children.iter().zip(&self.config.children).filter(|(_, terms)| terms.group == id);
        let next = members.filter_map(|(member, _)| member.holds_group_until()).max().unwrap_or(now);
        self.groups[usize::from(id.0)].shorten(until, next);
    }

    /// Returns what is to become of a child that a halting group keeps from running; `None` if none does.
    pub(super) fn halting_aim(&self, child: ChildId) -> Option<Aim> {
        let places = self.order.places(child).iter().rev();
        let held =
            places.flat_map(|place| self.groups[usize::from(place.group.0)].holds(place.rank)).next()?;
        let temporary = self.terms(child).is_none_or(|terms| terms.restart == Restart::Temporary);
        Some(match held {
            Halted::Rejoins if !temporary => Aim::Rejoin,
            Halted::Rejoins | Halted::Finishes => Aim::Finish,
        })
    }

    pub(super) fn group_terms(&self, id: GroupId) -> &GroupConfig {
        &self.config.groups[usize::from(id.0)]
    }

    pub(super) fn is_within(&self, child: ChildId, group: GroupId) -> bool {
        self.is_covered(child, group, 0)
    }

    /// Returns the rank of a group, which has a child, among its parent's members.
    pub(super) fn rank_of_group(&self, id: GroupId, parent: GroupId) -> u16 {
        let child = self.order.ascending().find(|child| self.is_within(*child, id));
        child.map_or(0, |child| self.rank(child, parent))
    }

    pub(super) fn rank(&self, child: ChildId, group: GroupId) -> u16 {
        let place = self.order.places(child).iter().find(|place| place.group == group);
        place.map_or(0, |place| place.rank)
    }

    pub(super) fn is_covered(&self, child: ChildId, group: GroupId, from: u16) -> bool {
        self.order.places(child).iter().any(|place| place.group == group && place.rank >= from)
    }
}
