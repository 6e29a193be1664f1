//! What a worker has to do for others: how many messages of theirs it may still take, and whether it is at one now.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The messages of other workers, over all actors of this one.
#[derive(Debug, Default)]
pub(crate) struct Workload {
    /// How many this life takes; 0 is any number.
    limit: AtomicU32,
    taken: AtomicU64,
    under_way: AtomicU32,
}

/// A message that is being handled.
#[derive(Debug)]
pub(crate) struct Share(Arc<Workload>);

/// What becomes of a message that an actor is about to take.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It is handled.
    Share(Share),
    /// It is handled, and is the last of this life.
    Last(Share),
    /// This life takes no more.
    TooMany,
}

impl Workload {
    /// Lets this life take so many messages and no more; 0 is any number.
    pub(crate) fn limit(&self, messages: u32) {
        self.limit.store(messages, Ordering::Relaxed);
    }

    /// Takes a message that came from another worker.
    pub(crate) fn take(self: &Arc<Self>) -> Taken {
        let limit = u64::from(self.limit.load(Ordering::Relaxed));
        // One more than may be is asked for at most by each message that is there, so the count does not run over.
        let number = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
        if limit > 0 && number > limit {
            return Taken::TooMany;
        }
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let share = Share(Arc::clone(self));
        if number == limit { Taken::Last(share) } else { Taken::Share(share) }
    }

    /// Returns how many messages have come so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Returns whether a handler is at work for another worker.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_message_of_a_life_is_told_and_none_comes_after_it() {
        let load = Arc::new(Workload::default());
        load.limit(2);
        let first = load.take();
        assert!(matches!(first, Taken::Share(_)) && load.is_under_way());
        assert!(matches!(load.take(), Taken::Last(_)));
        assert!(matches!(load.take(), Taken::TooMany));
        drop(first);
        assert!(!load.is_under_way());
        assert_eq!(load.taken(), 3);
    }

    #[test]
    fn without_a_limit_there_is_no_last_one() {
        let load = Arc::new(Workload::default());
        for _ in 0..1000 {
            assert!(matches!(load.take(), Taken::Share(_)));
        }
    }
}
