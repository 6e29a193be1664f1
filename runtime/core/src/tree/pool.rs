//! Pools: places of one template, of which so many are taken as an operator wants.
//!
//! The configuration has as many places as the pool may have members. The first `size` of them are members; the rest
//! stay stopped and nobody can start them. Members fail one for one, and start and stop side by side.

use alloc::vec::Vec;

use super::{ChildId, GroupId, Step, Strategy, Tree};
use crate::child::{Aim, Child};

impl Tree {
    /// Returns how many members a pool has at present; `None` if the group is none.
    pub fn pool_size(&self, id: GroupId) -> Option<u16> {
        let terms = self.config.groups.get(usize::from(id.0))?;
        (terms.strategy == Strategy::Pool).then(|| self.groups[usize::from(id.0)].size)
    }

    /// Returns how many members a pool may have; `None` if the group is none.
    pub fn pool_places(&self, id: GroupId) -> Option<u16> {
        self.pool_size(id)?;
        let places = self.config.children.iter().filter(|child| child.group == id).count();
        u16::try_from(places).ok()
    }

    /// Lets a pool have `size` members: starts those that are new, stops those that are too many. More than there are
    /// places is refused.
    pub(super) fn scale(&mut self, id: GroupId, size: u16, step: &mut Step<'_>) {
        let is_refused = self.pool_places(id).is_none_or(|places| size > places);
        if is_refused || self.is_shutting_down() {
            return;
        }
        let former = core::mem::replace(&mut self.groups[usize::from(id.0)].size, size);
        for (place, child) in (0..).zip(self.places_of(id)) {
            if (former..size).contains(&place) {
                self.with_child(child, step, Child::start);
            } else if place >= size {
                self.with_child(child, step, |child, turn| child.stop(Aim::Stay, turn));
            }
        }
    }

    /// Returns whether a child is one that may run, and no free place of a pool.
    pub fn is_member(&self, child: ChildId) -> bool {
        let Some(group) = self.terms(child).map(|terms| terms.group) else { return false };
        self.pool_size(group).is_none_or(|size| {
            self.places_of(group).iter().position(|place| *place == child) < Some(usize::from(size))
        })
    }

    fn places_of(&self, id: GroupId) -> Vec<ChildId> {
        let children = (0..).map(ChildId).zip(&self.config.children);
        children.filter(|(_, terms)| terms.group == id).map(|(child, _)| child).collect()
    }
}
