//! Whose turn it is, where messages of two priorities wait before one place: those of high priority go first, but nothing
//! waits for ever because of them.
//!
//! Invariant: behind [`PASSES`] messages of high priority that went while an ordinary one waited, the ordinary one goes.

/// When a message goes, of those that wait before the same place. Among those of one priority it is the first that came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// As most do.
    #[default]
    Ordinary,
    /// Before the ordinary ones.
    High,
}

/// How many of high priority may still pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Precedence {
    passes: u32,
}

impl Default for Precedence {
    fn default() -> Self {
        Self { passes: PASSES }
    }
}

impl Precedence {
    /// Returns whose turn it is, of the priorities of which something waits.
    pub fn next(&self, high_waits: bool, ordinary_waits: bool) -> Option<Priority> {
        match (high_waits, ordinary_waits) {
            (false, false) => None,
            (false, true) => Some(Priority::Ordinary),
            (true, false) => Some(Priority::High),
            (true, true) if self.passes == 0 => Some(Priority::Ordinary),
            (true, true) => Some(Priority::High),
        }
    }

    /// Notes that a message went, and whether an ordinary one waited meanwhile.
    pub fn went(&mut self, priority: Priority, ordinary_waits: bool) {
        match priority {
            Priority::High if ordinary_waits => self.passes = self.passes.saturating_sub(1),
            Priority::High | Priority::Ordinary => self.passes = PASSES,
        }
    }
}

/// Messages of high priority that go while an ordinary one waits, before it is that one's turn.
pub const PASSES: u32 = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_seventeen_messages_one_is_ordinary_while_both_wait() {
        let mut precedence = Precedence::default();
        let mut high = 0;
        for _ in 0..17 * 4 {
            let next = precedence.next(true, true).unwrap();
            precedence.went(next, true);
            high += u32::from(next == Priority::High);
        }
        assert_eq!(high, 16 * 4);
    }

    proptest! {
        #[test]
        fn nothing_that_waits_is_passed_by_more_often_than_it_may(
            steps in prop::collection::vec((any::<bool>(), any::<bool>()), 0..300),
        ) {
            let (mut precedence, mut waiting, mut passed) = (Precedence::default(), [0_u32; 2], 0);
            for (comes, is_high) in steps {
                if comes {
                    waiting[usize::from(is_high)] += 1;
                    continue;
                }
                let [ordinary, high] = waiting;
                let next = precedence.next(high > 0, ordinary > 0);
                prop_assert_eq!(next.is_some(), high + ordinary > 0);
                let Some(next) = next else { continue };
                prop_assert!(waiting[next as usize] > 0, "{:?} goes, and none waits", next);
                waiting[next as usize] -= 1;
                // Nothing but its turn lets an ordinary one go first.
                prop_assert!(next == Priority::High || high == 0 || passed == PASSES);
                match next {
                    Priority::High if ordinary > 0 => passed += 1,
                    Priority::High | Priority::Ordinary => passed = 0,
                }
                prop_assert!(passed <= PASSES);
                precedence.went(next, waiting[0] > 0);
            }
        }
    }
}
