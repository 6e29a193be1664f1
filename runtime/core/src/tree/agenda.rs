//! What a tree has ordered and its driver has not done yet.
//!
//! Hundreds of processes take seconds to start, and nobody else should wait for that. So starts are handed out apart from
//! everything else, as many at a time as the driver likes. What concerns a process still comes after its start.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Action;

/// Actions in the order in which they may be carried out.
#[derive(Debug, Default)]
pub struct Agenda {
    actions: VecDeque<Action>,
    starts: VecDeque<Action>,
}

impl Agenda {
    /// Adds what `order` orders, in its order.
    pub fn add(&mut self, order: impl FnOnce(&mut Vec<Action>)) {
        let mut actions = Vec::new();
        order(&mut actions);
        self.actions.extend(actions);
    }

    /// Returns what is to be done now; a start only if something else waits for it.
    pub fn next_due(&mut self) -> Option<Action> {
        loop {
            let action = self.actions.pop_front()?;
            if action.is_start() {
                self.starts.push_back(action);
                continue;
            }
            let is_awaited = |start: &Action| start.life() == action.life();
            let awaited = self.starts.iter().position(is_awaited).and_then(|at| self.starts.remove(at));
            if awaited.is_some() {
                self.actions.push_front(action);
            }
            return awaited.or(Some(action));
        }
    }

    /// Returns the next start. Those of actions that [`Agenda::next_due`] has not seen are not among them.
    pub fn next_start(&mut self) -> Option<Action> {
        self.starts.pop_front()
    }

    /// Tells whether there is a next start.
    pub fn has_starts(&self) -> bool {
        !self.starts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ChildId, Incarnation, Outcome};
    use super::*;

    fn life(child: u16) -> Incarnation {
        Incarnation { child: ChildId(child), generation: 1 }
    }

    #[test]
    fn starts_wait_and_all_else_does_not() {
        let mut agenda = Agenda::default();
        let starts = [Action::Spawn(life(1)), Action::Prepare(life(2)), Action::Spawn(life(3))];
        agenda.add(|actions| actions.extend(starts));
        agenda.add(|actions| actions.push(Action::Leave(Outcome::Stopped)));
        assert_eq!(agenda.next_due(), Some(Action::Leave(Outcome::Stopped)));
        assert_eq!(agenda.next_due(), None);
        assert!(starts.into_iter().eq(core::iter::from_fn(|| agenda.next_start())));
        assert!(!agenda.has_starts());
    }

    #[test]
    fn what_concerns_a_process_comes_after_its_start() {
        let mut agenda = Agenda::default();
        agenda.add(|actions| actions.extend([1, 2, 3].map(|child| Action::Spawn(life(child)))));
        agenda.add(|actions| actions.extend([4, 2, 2].map(|child| Action::KillTree(life(child)))));
        let due: [_; 5] = core::array::from_fn(|_| agenda.next_due());
        let [kill, spawn] = [Action::KillTree(life(2)), Action::Spawn(life(2))].map(Some);
        assert_eq!(due, [Some(Action::KillTree(life(4))), spawn, kill, kill, None]);
        let left = core::iter::from_fn(|| agenda.next_start());
        assert!(left.eq([1, 3].map(|child| Action::Spawn(life(child)))));
    }
}
