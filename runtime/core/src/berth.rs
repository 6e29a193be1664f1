//! Where the lives of a child are: two berths each, for one life at a time each.
//!
//! A life goes into the first berth that is free. So who never has two lives at a time is always in the same, and has
//! the same sandbox and the same user in every life.

use crate::tree::{ChildId, Incarnation};

/// One of the two places that a child has for its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Berth {
    /// The child.
    pub child: ChildId,
    /// It is the one that is used only while there is a life in the other.
    pub is_second: bool,
}

impl Berth {
    /// Returns the berth that is used first.
    pub const fn first(child: ChildId) -> Self {
        Self { child, is_second: false }
    }

    /// Returns the berth that is used while there is a life in the first.
    pub const fn second(child: ChildId) -> Self {
        Self { child, is_second: true }
    }

    /// Returns both berths of a child, in the order in which they are used.
    pub const fn both(child: ChildId) -> [Self; 2] {
        [Self::first(child), Self::second(child)]
    }

    /// Returns the other berth of the same child.
    pub const fn other(self) -> Self {
        Self { child: self.child, is_second: !self.is_second }
    }
}

/// What is in the two berths of one child: whatever the lives are to whoever keeps them.
#[derive(Clone, Debug, Default)]
pub struct Berths<T> {
    berths: [Taken; 2],
    kept: [T; 2],
}

/// Who is in a berth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Taken {
    /// Nobody ever was.
    #[default]
    Never,
    /// This life is, or was the last one.
    By {
        generation: u32,
        /// Nothing is left of it.
        is_over: bool,
    },
}

impl<T> Berths<T> {
    /// Begins with nobody in either, and with what is kept for each.
    pub const fn new(kept: [T; 2]) -> Self {
        Self { berths: [Taken::Never; 2], kept }
    }

    /// Puts a life into the first berth that is free, and returns which it is; `None` if neither is.
    pub fn enter(&mut self, of: Incarnation) -> Option<Berth> {
        let is_free = |taken: &Taken| match taken {
            Taken::Never | Taken::By { is_over: true, .. } => true,
            Taken::By { is_over: false, .. } => false,
        };
        let at = self.berths.iter().position(is_free)?;
        // A number that was not used up, as that of a spare which is gone, is found where it is now.
        for former in &mut self.berths {
            if matches!(former, Taken::By { generation, .. } if *generation == of.generation) {
                *former = Taken::Never;
            }
        }
        self.berths[at] = Taken::By { generation: of.generation, is_over: false };
        Some(Berth { child: of.child, is_second: at == 1 })
    }

    /// Notes that nothing is left of a life: its berth is free.
    pub fn leave(&mut self, of: Incarnation) {
        for taken in &mut self.berths {
            if let Taken::By { generation, is_over } = taken {
                *is_over |= *generation == of.generation;
            }
        }
    }

    /// Returns the berth in which a life is, or was until another came there.
    pub fn find(&self, of: Incarnation) -> Option<Berth> {
        let is_it = |taken: &Taken| matches!(taken, Taken::By { generation, .. } if *generation == of.generation);
        let at = self.berths.iter().position(is_it)?;
        Some(Berth { child: of.child, is_second: at == 1 })
    }

    /// Returns what is kept for a berth.
    pub fn at(&self, berth: Berth) -> &T {
        &self.kept[usize::from(berth.is_second)]
    }

    /// Returns what is kept for a berth.
    pub fn at_mut(&mut self, berth: Berth) -> &mut T {
        &mut self.kept[usize::from(berth.is_second)]
    }

    /// Returns what is kept for the berths, that of the earlier life first.
    pub fn by_age(&self) -> impl Iterator<Item = &T> {
        let age = |at: &usize| match self.berths[*at] {
            Taken::Never => 0,
            Taken::By { generation, .. } => generation,
        };
        let mut order = [0, 1];
        order.sort_by_key(age);
        order.into_iter().map(|at| &self.kept[at])
    }

    /// Returns what is kept for the berths.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.kept.iter()
    }

    /// Returns what is kept for the berths.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.kept.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const CHILD: ChildId = ChildId(3);
    const FIRST: Berth = Berth::first(CHILD);
    const SECOND: Berth = Berth::second(CHILD);

    fn of(generation: u32) -> Incarnation {
        Incarnation { child: CHILD, generation }
    }

    #[test]
    fn who_has_one_life_at_a_time_is_always_in_the_first_berth() {
        let mut berths = Berths::new(["one", "two"]);
        for generation in 1..5 {
            assert_eq!(berths.enter(of(generation)), Some(FIRST));
            assert_eq!(berths.find(of(generation)), Some(FIRST));
            berths.leave(of(generation));
            assert_eq!(berths.find(of(generation)), Some(FIRST), "what it left is found until another comes");
            assert_eq!(berths.find(of(generation + 1)), None);
        }
    }

    #[test]
    fn two_lives_take_turns_with_the_berths_and_a_third_finds_no_room() {
        let mut berths = Berths::new(["one", "two"]);
        assert_eq!((berths.enter(of(1)), berths.enter(of(2))), (Some(FIRST), Some(SECOND)));
        assert_eq!(berths.enter(of(3)), None);
        berths.leave(of(1));
        assert_eq!((berths.enter(of(3)), berths.enter(of(4))), (Some(FIRST), None));
        assert_eq!(berths.by_age().collect::<Vec<_>>(), [&"two", &"one"]);
        assert_eq!((berths.find(of(2)), *berths.at(SECOND)), (Some(SECOND), "two"));
    }

    #[test]
    fn a_number_that_was_not_used_up_is_found_where_it_is_now() {
        let mut berths = Berths::new([(), ()]);
        assert_eq!((berths.enter(of(1)), berths.enter(of(2))), (Some(FIRST), Some(SECOND)));
        berths.leave(of(2));
        berths.leave(of(1));
        assert_eq!((berths.enter(of(2)), berths.find(of(2))), (Some(FIRST), Some(FIRST)));
        assert_eq!(berths.enter(of(3)), Some(SECOND));
    }
}
