//! The latest events, for who looks after they happened.

use std::collections::VecDeque;
use std::sync::Arc;

use bailiwick::control::Event;

/// How many events are kept.
pub(crate) const RECENT_MAX: usize = 256;

/// The latest events.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    events: VecDeque<Arc<Event>>,
}

impl Recent {
    /// Takes one event, the next after those before. The oldest goes if there are too many.
    pub(crate) fn note(&mut self, event: Arc<Event>) {
        if self.events.len() == RECENT_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// Returns them, the latest first.
    pub(crate) fn latest(&self) -> Vec<Arc<Event>> {
        self.events.iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use bailiwick::control::EventKind;

    use super::*;

    #[test]
    fn the_latest_are_kept_and_come_first() {
        let mut recent = Recent::default();
        let last = RECENT_MAX as u64 + 3;
        for number in 1..=last {
            recent.note(Arc::new(Event { number, ..Event::of(EventKind::Alert) }));
        }
        let numbers: Vec<_> = recent.latest().iter().map(|event| event.number).collect();
        assert_eq!((numbers[0], numbers.len(), numbers.last()), (last, RECENT_MAX, Some(&4)));
    }
}
