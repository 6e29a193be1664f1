//! Pools: places of one template, of which so many are taken as an operator wants.
//!
//! The configuration has as many places as the pool may have members. The first `size` of them are members; the rest
//! stay stopped and nobody can start them. Members fail one for one, and start and stop side by side.

use alloc::vec::Vec;

use super::{ChildId, Config, Event, GroupId, Step, Strategy, Tree};
use crate::child::{Aim, Child};

impl Config {
    /// Returns what follows for the pools when `next` takes the place of this: those of which it says another number have
    /// that, and the others stay as they were scaled.
    pub fn resized(&self, next: &Self) -> impl Iterator<Item = Event> {
        let pairs = (0..).map(GroupId).zip(self.groups.iter().zip(&next.groups));
        let changed = pairs.filter(|(_, (old, new))| old.size != new.size);
        changed.map(|(group, (_, new))| Event::Scale { group, size: new.size })
    }
}

impl Tree {
    /// Returns how many members a pool has at present; `None` if the group is none.
    pub fn pool_size(&self, id: GroupId) -> Option<u16> {
        let terms = self.config.groups.get(usize::from(id.0))?;
        (terms.strategy == Strategy::Pool).then(|| self.groups[usize::from(id.0)].size)
    }

    /// Returns how many members a pool may have; `None` if the group is none.
    pub fn pool_places(&self, id: GroupId) -> Option<u16> {
        self.pool_size(id)?;
        u16::try_from(self.places_of(id).count()).ok()
    }

    /// Lets a pool have `size` members: starts those that are new, stops those that are too many. More than there are
    /// places is refused.
    pub(super) fn scale(&mut self, id: GroupId, size: u16, step: &mut Step<'_>) {
        let is_refused = self.pool_places(id).is_none_or(|places| size > places);
        if is_refused || self.is_shutting_down() {
            return;
        }
        let former = core::mem::replace(&mut self.groups[usize::from(id.0)].size, size);
        let mut places: Vec<_> = self.places_of(id).collect();
        places.sort_unstable();
        for (turn, child) in places {
            if (former..size).contains(&turn) {
                self.with_child(child, step, Child::start);
            } else if turn >= size {
                self.with_child(child, step, |child, turn| child.stop(Aim::Stay, turn));
            }
        }
    }

    /// Returns whether a child is one that may run: no free place of a pool, and nobody who leaves.
    pub fn is_member(&self, child: ChildId) -> bool {
        let (Some(terms), Some(turn)) = (self.terms(child), self.order.turn(child)) else { return false };
        self.pool_size(terms.group).is_none_or(|size| turn < size)
    }

    /// Has a pool that lost places not count them as taken.
    pub(super) fn fit(&mut self, id: GroupId) {
        if let Some(places) = self.pool_places(id) {
            let size = &mut self.groups[usize::from(id.0)].size;
            *size = places.min(*size);
        }
    }

    /// Returns the places of a pool, each with the number of those that are taken before it.
    fn places_of(&self, id: GroupId) -> impl Iterator<Item = (u16, ChildId)> + '_ {
        let children = (0..).map(ChildId).zip(&self.config.children);
        let places = children.filter(move |(_, terms)| terms.group == id).map(|(child, _)| child);
        places.filter_map(|child| Some((self.order.turn(child)?, child)))
    }
}
