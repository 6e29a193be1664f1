//! Who may start now: whoever waits, is not held, and has what it needs and whom it comes after.

use alloc::vec;

use super::{ChildId, Kind, Step, Tree};
use crate::child::{Child, State};
use crate::exit::GivenUp;

impl Tree {
    /// Starts what waits, where everything that it needs is there; gives up what waits in vain.
    pub(super) fn release(&mut self, step: &mut Step<'_>) {
        // Who may still become ready by what is under way; known before those who come after ask for it.
        let mut coming = vec![false; self.children.len()];
        for id in self.ascending() {
            let index = usize::from(id.0);
            if self.children[index].state() == State::Waiting {
                coming[index] = self.release_one(id, &coming, step);
            }
            let child = &self.children[index];
            // Whoever comes after a child that does not run comes after those before that one.
            let is_asleep = child.is_asleep(&self.config.children[index]);
            let passes_on = is_asleep || child.is_at_rest() && child.state() != State::Waiting;
            coming[index] |= child.is_on_its_way()
                || passes_on && self.order.after(id).iter().any(|former| coming[usize::from(former.0)]);
        }
    }

    /// Returns whether a child that waits may still become ready without anybody's order.
    fn release_one(&mut self, id: ChildId, coming: &[bool], step: &mut Step<'_>) -> bool {
        let needs = &self.config.children[usize::from(id.0)].needs;
        let is_coming = |other: &ChildId| coming[usize::from(other.0)];
        if self.is_held(id) {
            return true;
        }
        if self.waits_for_demand(id) {
            return false;
        }
        if let Some(lost) = needs.iter().copied().find(|need| self.is_lost(*need)) {
            self.give_up(id, GivenUp::Dependency(lost), step);
            return false;
        }
        if !needs.iter().all(|need| self.is_met(*need)) {
            return needs.iter().all(|need| self.is_met(*need) || is_coming(need));
        }
        // A spare that is no use any more must be gone first.
        let is_blocked = self.child(id).is_some_and(Child::is_spare_in_the_way);
        if !is_blocked && !self.order.after(id).iter().any(is_coming) {
            self.with_child(id, step, Child::release);
        }
        true
    }

    /// Returns the first child for which a waiting child waits.
    pub fn waits_for(&self, id: ChildId) -> Option<ChildId> {
        let child = self.child(id).filter(|child| child.state() == State::Waiting)?;
        if self.waits_for_demand(id) {
            return None;
        }
        let needs = &self.terms(child.incarnation().child)?.needs;
        let first = needs.iter().copied().find(|need| !self.is_met(*need));
        let on_its_way = |other: &ChildId| self.child(*other).is_some_and(Child::is_on_its_way);
        first.or_else(|| self.order.after(id).iter().copied().find(on_its_way))
    }

    /// Returns because of whom a child is down: the one that it waits for, or the need that was given up.
    pub fn held_up_by(&self, id: ChildId) -> Option<ChildId> {
        match self.child(id)?.given_up() {
            Some(GivenUp::Dependency(need)) => Some(need),
            _ => self.waits_for(id),
        }
    }

    /// Returns whether a child waits for somebody to send to it.
    pub fn waits_for_demand(&self, id: ChildId) -> bool {
        self.child(id).zip(self.terms(id)).is_some_and(|(child, terms)| child.is_asleep(terms))
    }

    fn is_met(&self, need: ChildId) -> bool {
        let (Some(child), Some(terms)) = (self.child(need), self.terms(need)) else { return false };
        // What starts on demand need not run to be there: whoever sends to it can wait for its start.
        if terms.on_demand && child.is_within_reach(terms) {
            return !child.is_asleep(terms) || terms.needs.iter().all(|further| self.is_met(*further));
        }
        match terms.kind {
            Kind::Oneshot => child.state() == State::Done,
            Kind::Resident | Kind::Main if child.is_skipped() => child.state() == State::Done,
            Kind::Resident | Kind::Main => child.is_ready(),
        }
    }

    fn is_lost(&self, need: ChildId) -> bool {
        self.child(need).is_some_and(|child| matches!(child.state(), State::Failed(_)))
    }
}
