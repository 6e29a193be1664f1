//! A configuration that takes the place of another while everything runs.
//!
//! It is taken as a whole or not at all, and taking it neither starts nor stops anything: what is new, gone or to be
//! restarted is told afterwards, as an operator's orders. Terms such as timeouts and budgets hold from then on.

use super::group::{Group, Phase};
use super::order::{Order, child_id};
use super::{Child, ChildConfig, ChildId, Config, ConfigError, GroupId, Incarnation, Strategy, Tree, Verb};
use crate::child::{Reload, State};

/// What came of what a reload ordered of one child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Exhaustive: each is told to whoever ordered the reload.
pub enum Came {
    /// It is as it was to be, or rests where an operator or its own end has left it.
    Done,
    /// It did not say in time that it took up what changed, and goes on as it was.
    TimedOut,
    /// It refused what changed, and goes on as it was.
    Refused,
    /// It could not take up what changed, and has started anew with it.
    Declined,
    /// It does not come up: it pauses, or is given up.
    Fails,
}

impl Tree {
    /// Returns what came of an order of a reload to a child, given in its life `before`: to start, to take up what
    /// changed, to live anew, or to be removed. `None` while that is open.
    pub fn came_of(&self, verb: Verb, before: Incarnation) -> Option<Came> {
        let Some(child) = self.child(before.child) else { return Some(Came::Done) };
        let is_new = child.incarnation().generation != before.generation;
        match (verb, child.state()) {
            (Verb::Remove, _) => child.is_empty().then_some(Came::Done),
            // Its end was there before the order, which has nothing to end: what comes of it is seen of its next life.
            (Verb::Renew | Verb::Start | Verb::Join, State::Backoff { .. }) if !is_new => None,
            (_, State::Backoff { .. } | State::Failed(_)) => Some(Came::Fails),
            (_, State::Stopped | State::Done) => Some(Came::Done),
            (_, State::Waiting) if self.waits_for_demand(before.child) => Some(Came::Done),
            (Verb::Reload, State::Ready { .. }) if !child.owes_reload() => Some(match child.last_reload() {
                Some(Reload::Declined) => Came::Declined,
                Some(Reload::TimedOut) if !is_new => Came::TimedOut,
                Some(Reload::Refused) if !is_new => Came::Refused,
                _ => Came::Done,
            }),
            (Verb::Renew | Verb::Start | Verb::Join, State::Ready { .. }) => is_new.then_some(Came::Done),
            _ => None,
        }
    }

    /// Takes new terms for all children and groups. Each keeps its index; those that are new come at the end, or in the
    /// place of a child that was removed and is at rest. What is no longer wanted keeps its place, and is ordered to be
    /// removed.
    ///
    /// # Errors
    /// The configuration is not acceptable, knows fewer children or groups than there are, or puts one elsewhere. Nothing
    /// has changed then.
    pub fn adopt(&mut self, config: Config) -> Result<(), ConfigError> {
        config.validate()?;
        if config.children.len() < self.children.len() || config.groups.len() < self.groups.len() {
            return Err(ConfigError::Fewer);
        }
        if let Some(moved) = self.first_moved(&config) {
            return Err(ConfigError::Moved(moved));
        }
        let order = Order::new(&config)?;
        for id in (0..).map(GroupId).take(self.groups.len()) {
            let group = &self.groups[usize::from(id.0)];
            if let Phase::Halting { from, .. } | Phase::Pausing { from, .. } = group.phase {
                // The members that are held may stand elsewhere now; nobody of them is let go.
                let held = self.order.ascending().filter(|child| self.is_covered(*child, id, from));
                let places = held.flat_map(|child| order.places(child)).filter(|place| place.group == id);
                let first = places.map(|place| place.rank).min().unwrap_or(0);
                self.groups[usize::from(id.0)].move_to(first);
            }
        }
        for (group, terms) in self.groups.iter_mut().zip(&config.groups) {
            group.budget.change(terms.max_restarts, terms.period);
        }
        for (child, terms) in self.children.iter_mut().zip(&config.children) {
            child.adopt(terms);
        }
        let (known, groups) = (self.children.len(), self.groups.len());
        let new = (known..config.children.len()).filter_map(child_id);
        self.children.extend(new.zip(&config.children[known..]).map(|(id, terms)| Child::new(id, terms)));
        self.groups.extend(config.groups[groups..].iter().map(Group::new));
        (self.config, self.order) = (config, order);
        (0..).map(GroupId).take(self.groups.len()).for_each(|id| self.fit(id));
        Ok(())
    }

    /// Returns the first child that would be in another group, or in a group that is another kind or stands elsewhere.
    /// That is another child: the one is removed and the other started.
    fn first_moved(&self, config: &Config) -> Option<ChildId> {
        let group = |config: &Config, id: GroupId| {
            let terms = &config.groups[usize::from(id.0)];
            (terms.parent, terms.strategy == Strategy::Pool)
        };
        let is_free = |child: &Child| child.is_removed() && child.is_empty();
        let kept = self.config.children.iter().zip(&config.children).zip(&self.children);
        let moved = |old: &ChildConfig, new: &ChildConfig| {
            let mut around = Some(old.group);
            while let Some(id) = around {
                if group(&self.config, id) != group(config, id) {
                    return true;
                }
                around = self.config.groups[usize::from(id.0)].parent;
            }
            old.group != new.group
        };
        let mut kept = (0..).map(ChildId).zip(kept);
        kept.find(|(_, ((old, new), child))| !is_free(child) && moved(old, new)).map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;
    use core::time::Duration;

    use super::*;
    use crate::backoff::Backoff;
    use crate::exit::Exit;
    use crate::time::Instant;
    use crate::tree::Event;

    #[test]
    fn an_end_that_was_there_before_the_order_does_not_count_against_what_was_ordered() {
        let second = Duration::from_secs(1);
        let backoff = Backoff { first: second, base: second, cap: second, ..Backoff::default() };
        let children = vec![ChildConfig { backoff, ..ChildConfig::default() }];
        let (mut tree, mut actions) =
            (Tree::new(Config { children, ..Config::default() }).unwrap(), Vec::new());
        let of = |generation| Incarnation { child: ChildId(0), generation };
        let at = |seconds| Instant::START + seconds * second;
        let mut after = |now, event| {
            tree.handle(now, event, &mut actions);
            tree.came_of(Verb::Renew, of(1))
        };
        after(at(0), Event::Boot);
        after(at(0), Event::Spawned(of(1)));
        after(at(0), Event::Ready(of(1)));
        after(at(1), Event::Exited { of: of(1), exit: Exit::Signal(9) });
        let renewed = after(at(1), Event::Operator { verb: Verb::Renew, child: ChildId(0) });
        assert_eq!(renewed, None, "it is ending by itself");
        assert_eq!(after(at(1), Event::Emptied { of: of(1), chance: 0 }), None, "it pauses");
        assert_eq!(after(at(2), Event::Tick), None, "its next life begins");
        after(at(2), Event::Spawned(of(2)));
        after(at(3), Event::Exited { of: of(2), exit: Exit::Signal(9) });
        assert_eq!(after(at(3), Event::Emptied { of: of(2), chance: 0 }), Some(Came::Fails), "which fails");
        after(at(4), Event::Tick);
        after(at(4), Event::Spawned(of(3)));
        assert_eq!(after(at(4), Event::Ready(of(3))), Some(Came::Done));
    }
}
