//! Where the lives of a child are: two berths each, for one life at a time each.
//!
//! A life goes into the first berth that is free. So who never has two lives at a time is always in the same, and has
//! the same sandbox and the same user in every life.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

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

/// Returns by what name whatever belongs to a berth of an instance is known outside; the mark can be in no title.
pub fn name(title: &str, is_second: bool) -> String {
    format!("{title}{}", if is_second { "+" } else { "" })
}

impl fmt::Display for Berth {
    /// Writes the child's number, with a mark if it is the second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.child, if self.is_second { "+" } else { "" })
    }
}

/// What is kept for every child, and for each of its berths, with who is in them.
#[derive(Clone, Debug)]
pub struct Berths<C, T> {
    children: Vec<Entry<C, T>>,
}

#[derive(Clone, Debug)]
struct Entry<C, T> {
    child: C,
    berths: [T; 2],
    taken: [Taken; 2],
}

/// Who is in a berth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// Nobody ever was.
    Never,
    /// This life is, or was the last one.
    By {
        generation: u32,
        /// Nothing is left of it.
        is_over: bool,
    },
}

impl<C, T> Default for Berths<C, T> {
    fn default() -> Self {
        Self { children: Vec::new() }
    }
}

impl<C, T> Berths<C, T> {
    /// Puts what is `made` for a child in place of what was there; nobody is in its berths then. Numbers below that
    /// nobody has get the same.
    pub fn put(&mut self, child: ChildId, made: impl Fn() -> (C, [T; 2])) {
        let entry = || {
            let (child, berths) = made();
            Entry { child, berths, taken: [Taken::Never; 2] }
        };
        let at = usize::from(child.0);
        self.children.resize_with(self.children.len().max(at + 1), entry);
        self.children[at] = entry();
    }

    /// Puts a life into the first of its child's berths that is free, and returns which it is; `None` if neither is.
    pub fn enter(&mut self, of: Incarnation) -> Option<Berth> {
        let taken = &mut self.children[usize::from(of.child.0)].taken;
        let is_free = |taken: &Taken| match taken {
            Taken::Never | Taken::By { is_over: true, .. } => true,
            Taken::By { is_over: false, .. } => false,
        };
        let at = taken.iter().position(is_free)?;
        // A number that was not used up, as that of a spare which is gone, is found where it is now.
        taken.iter_mut().filter(|taken| taken.is(of)).for_each(|former| *former = Taken::Never);
        taken[at] = Taken::By { generation: of.generation, is_over: false };
        Some(Berth { child: of.child, is_second: at == 1 })
    }

    /// Notes that nothing is left of a life: its berth is free.
    pub fn leave(&mut self, of: Incarnation) {
        let taken = &mut self.children[usize::from(of.child.0)].taken;
        if let Some(Taken::By { is_over, .. }) = taken.iter_mut().find(|taken| taken.is(of)) {
            *is_over = true;
        }
    }

    /// Returns the berth in which a life is, or was until another came there.
    pub fn find(&self, of: Incarnation) -> Option<Berth> {
        let at = self.children.get(usize::from(of.child.0))?.taken.iter().position(|taken| taken.is(of))?;
        Some(Berth { child: of.child, is_second: at == 1 })
    }

    /// Returns what is kept for a child, which must have been put there.
    pub fn child(&self, child: ChildId) -> &C {
        &self.children[usize::from(child.0)].child
    }

    /// Returns what is kept for a child, which must have been put there.
    pub fn child_mut(&mut self, child: ChildId) -> &mut C {
        &mut self.children[usize::from(child.0)].child
    }

    /// Returns what is kept for a berth, whose child must have been put there.
    pub fn at(&self, berth: Berth) -> &T {
        &self.children[usize::from(berth.child.0)].berths[usize::from(berth.is_second)]
    }

    /// Returns what is kept for a berth, whose child must have been put there.
    pub fn at_mut(&mut self, berth: Berth) -> &mut T {
        &mut self.children[usize::from(berth.child.0)].berths[usize::from(berth.is_second)]
    }

    /// Returns what is kept for the berths of a child, that of the earlier life first.
    pub fn by_age(&self, child: ChildId) -> impl Iterator<Item = &T> {
        let entry = &self.children[usize::from(child.0)];
        let age = |at: &usize| match entry.taken[*at] {
            Taken::Never => 0,
            Taken::By { generation, .. } => generation,
        };
        let mut order = [0, 1];
        order.sort_by_key(age);
        order.into_iter().map(|at| &entry.berths[at])
    }

    /// Returns what is kept for every berth.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.children.iter().flat_map(|entry| &entry.berths)
    }
}

impl Taken {
    fn is(&self, of: Incarnation) -> bool {
        matches!(self, Self::By { generation, .. } if *generation == of.generation)
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

    fn berths() -> Berths<(), &'static str> {
        let mut berths = Berths::default();
        berths.put(CHILD, || ((), ["one", "two"]));
        berths
    }

    #[test]
    fn who_has_one_life_at_a_time_is_always_in_the_first_berth() {
        let mut berths = berths();
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
        let mut berths = berths();
        assert_eq!((berths.enter(of(1)), berths.enter(of(2))), (Some(FIRST), Some(SECOND)));
        assert_eq!(berths.enter(of(3)), None);
        berths.leave(of(1));
        assert_eq!((berths.enter(of(3)), berths.enter(of(4))), (Some(FIRST), None));
        assert_eq!(berths.by_age(CHILD).collect::<Vec<_>>(), [&"two", &"one"]);
        assert_eq!((berths.find(of(2)), *berths.at(SECOND)), (Some(SECOND), "two"));
    }

    #[test]
    fn a_number_that_was_not_used_up_is_found_where_it_is_now() {
        let mut berths = berths();
        assert_eq!((berths.enter(of(1)), berths.enter(of(2))), (Some(FIRST), Some(SECOND)));
        berths.leave(of(2));
        berths.leave(of(1));
        assert_eq!((berths.enter(of(2)), berths.find(of(2))), (Some(FIRST), Some(FIRST)));
        assert_eq!(berths.enter(of(3)), Some(SECOND));
    }

    #[test]
    fn who_is_put_in_the_place_of_another_begins_with_free_berths() {
        let mut berths = berths();
        berths.enter(of(1));
        assert_eq!(berths.find(Incarnation { child: ChildId(9), generation: 1 }), None);
        berths.put(CHILD, || ((), ["three", "four"]));
        assert_eq!((berths.find(of(1)), *berths.at(FIRST)), (None, "three"));
        assert_eq!(berths.iter().count(), 2 * (usize::from(CHILD.0) + 1));
    }
}
