//! What operators want: verbs about one child. None of them charges a budget.

use alloc::vec;
use alloc::vec::Vec;

use super::{ChildId, Kind, Step, Tree, Verb};
use crate::child::{Aim, Child, State, Turn};

impl Tree {
    pub(super) fn operate(&mut self, verb: Verb, id: ChildId, step: &mut Step<'_>) {
        // A place that was given up belongs to nobody until somebody is started in it.
        let is_removed = self.child(id).is_none_or(Child::is_removed);
        let is_meant = match verb {
            Verb::Remove => !is_removed,
            Verb::Start | Verb::Join => self.is_member(id),
            _ => self.is_member(id) && !is_removed,
        };
        if self.is_shutting_down() || !is_meant {
            return;
        }
        match verb {
            Verb::Start => self.start_with_needs(id, step),
            Verb::Join => {
                self.hurry(id, step.now);
                self.with_child(id, step, Child::join);
                self.start_needs(id, step);
            }
            Verb::Restart if self.child(id).is_some_and(Child::is_at_rest) => self.start_with_needs(id, step),
            Verb::Restart => {
                self.hurry(id, step.now);
                self.with_child(id, step, Child::restart);
                self.start_needs(id, step);
            }
            Verb::Renew => {
                self.hurry(id, step.now);
                self.with_child(id, step, Child::renew);
            }
            Verb::Stop => self.dismiss(id, step, |child, turn| child.stop(Aim::Stay, turn)),
            Verb::Drain => self.dismiss(id, step, Child::drain_fully),
            Verb::Kill => self.dismiss(id, step, Child::kill),
            Verb::Roll => self.roll(id, step),
            Verb::Reload => self.with_child(id, step, Child::reload),
            Verb::Remove => self.dismiss(id, step, Child::remove),
            Verb::Reset => self.reset(id),
        }
    }

    /// A child is not to come back: nobody waits for its pause any more.
    fn dismiss(&mut self, id: ChildId, step: &mut Step<'_>, order: impl FnOnce(&mut Child, &mut Turn<'_>)) {
        let pause = self.child(id).and_then(Child::holds_group_until);
        self.with_child(id, step, order);
        if let Some(until) = pause {
            self.drop_pause(id, until, step.now);
        }
    }

    /// Starts a child, and what it needs or wants and nobody has started.
    fn start_with_needs(&mut self, id: ChildId, step: &mut Step<'_>) {
        self.hurry(id, step.now);
        self.with_child(id, step, Child::start_by_order);
        self.start_needs(id, step);
    }

    /// Starts what a child needs or wants and nobody has started.
    fn start_needs(&mut self, id: ChildId, step: &mut Step<'_>) {
        let mut seen = vec![false; self.children.len()];
        let mut open = vec![id];
        while let Some(next) = open.pop() {
            let index = usize::from(next.0);
            if core::mem::replace(&mut seen[index], true) || !self.is_member(next) {
                continue;
            }
            if next != id && self.is_left_alone(next) {
                self.hurry(next, step.now);
                self.with_child(next, step, Child::start_by_order);
            }
            let terms = &self.config.children[index];
            open.extend(terms.needs.iter().chain(&terms.wants));
        }
    }

    /// Whether nobody but an operator would start it, and it would be of use. What was given up is not tried again on
    /// behalf of another.
    fn is_left_alone(&self, id: ChildId) -> bool {
        let (Some(child), Some(terms)) = (self.child(id), self.terms(id)) else { return false };
        match child.state() {
            State::Stopped => !child.is_removed(),
            State::Done => terms.kind != Kind::Oneshot && !child.is_skipped(),
            State::Waiting
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. }
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Backoff { .. }
            | State::Failed(_) => false,
        }
    }

    /// Forgets what was held against a child, and what its group's budget has spent.
    fn reset(&mut self, id: ChildId) {
        let Some(group) = self.terms(id).map(|terms| terms.group) else { return };
        self.groups[usize::from(group.0)].budget.refill();
        self.children[usize::from(id.0)].reset();
    }

    pub(super) fn ascending(&self) -> Vec<ChildId> {
        self.order.ascending().collect()
    }
}
