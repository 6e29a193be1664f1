//! What is counted of the actors of one type in a worker: each does so when it has nothing else to do, never for each message.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::sample::Histogram;
use crate::tap::Taps;

/// What became of the actors of one type, since the worker began.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    type_name: &'static str,
    spawned: Count,
    ended: Count,
    restarts: Count,
    failures: Count,
    handled: Count,
    waits: Histogram,
    handling: Histogram,
    taps: Taps,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

/// The tallies of one worker, by the type of the actor. A program has few types, so they are looked for one after the other.
#[derive(Debug, Default)]
pub(crate) struct Tallies(Mutex<Vec<Arc<Tally>>>);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    /// Returns the name of the type, without the path to it.
    pub(crate) fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Actors that began, those among them that came back after their end.
    pub(crate) fn spawned(&self) -> &Count {
        &self.spawned
    }

    /// Actors that ended for good.
    pub(crate) fn ended(&self) -> &Count {
        &self.ended
    }

    /// Incarnations that came after one that failed.
    pub(crate) fn restarts(&self) -> &Count {
        &self.restarts
    }

    /// Incarnations that failed.
    pub(crate) fn failures(&self) -> &Count {
        &self.failures
    }

    /// Messages that were begun with.
    pub(crate) fn handled(&self) -> &Count {
        &self.handled
    }

    /// How long messages waited, of those that are measured.
    pub(crate) fn waits(&self) -> &Histogram {
        &self.waits
    }

    /// How long they were handled, with all that their handlers waited for.
    pub(crate) fn handling(&self) -> &Histogram {
        &self.handling
    }

    /// Who reads along what they handle.
    #[inline]
    pub(crate) fn taps(&self) -> &Taps {
        &self.taps
    }
}

impl Tallies {
    /// Returns the one of a type.
    pub(crate) fn of(&self, type_name: &'static str) -> Arc<Tally> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Most have the very same text; one that was linked in twice is compared by its letters.
        let same =
            |tally: &&Arc<Tally>| std::ptr::eq(tally.type_name, type_name) || tally.type_name == type_name;
        if let Some(tally) = all.iter().find(same) {
            return Arc::clone(tally);
        }
        let tally = Arc::new(Tally { type_name, ..Tally::default() });
        all.push(Arc::clone(&tally));
        tally
    }

    /// Returns the one of a type of which there ever was an actor.
    pub(crate) fn known(&self, type_name: &str) -> Option<Arc<Tally>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|tally| tally.type_name == type_name).cloned()
    }

    /// Returns all of them.
    pub(crate) fn all(&self) -> Vec<Arc<Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns the name of a type without the paths in it: `Shrinker`, `Cache<Page>`.
pub(crate) fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    // Of a generic one only what stands before its parameters: that is one text for all, and no path is left in it.
    let end = name.find('<').unwrap_or(name.len());
    let begin = name[..end].rfind("::").map_or(0, |place| place + 2);
    &name[begin..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Plain;
    struct Generic<T>(T);

    #[test]
    fn a_type_is_called_by_its_last_name() {
        assert_eq!(short_name::<Plain>(), "Plain");
        assert_eq!(short_name::<Generic<std::sync::Arc<Plain>>>(), "Generic");
        assert_eq!(short_name::<u8>(), "u8");
    }

    #[test]
    fn there_is_one_tally_of_a_type() {
        let tallies = Tallies::default();
        tallies.of("A").handled().add(2);
        tallies.of("B").handled().add(3);
        tallies.of("A").handled().add(5);
        let counted: Vec<_> =
            tallies.all().iter().map(|tally| (tally.type_name(), tally.handled().read())).collect();
        assert_eq!(counted, [("A", 7), ("B", 3)]);
    }
}
