//! The spans of this process that ended and were not sent yet.

use std::sync::{Mutex, PoisonError};

use crate::span::Span;

/// How many spans a worker remembers that it could not send yet: further ones are counted, and lost.
pub const SPANS_MAX: usize = 4096;

/// One for the process: whoever ends a span does not know what worker it is.
pub(crate) static GATHERED: Gathered = Gathered(Mutex::new(State { spans: Vec::new(), dropped: 0 }));

/// Spans in the order in which they ended.
#[derive(Debug)]
pub(crate) struct Gathered(Mutex<State>);

#[derive(Debug)]
struct State {
    spans: Vec<Span>,
    dropped: u64,
}

impl Gathered {
    pub(crate) fn add(&self, span: Span) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.spans.len() < SPANS_MAX {
            state.spans.push(span);
        } else {
            state.dropped += 1;
        }
    }

    /// Puts back what was taken out and could not be sent, as far as there is room.
    pub(crate) fn put_back(&self, mut spans: Vec<Span>, dropped: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let excess = (spans.len() + state.spans.len()).saturating_sub(SPANS_MAX).min(spans.len());
        spans.drain(..excess);
        spans.append(&mut state.spans);
        state.spans = spans;
        state.dropped += dropped + excess as u64;
    }

    /// Takes out the oldest, so many at most, and how many were lost since the last time.
    pub(crate) fn take(&self, most: usize) -> (Vec<Span>, u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = most.min(state.spans.len());
        let rest = state.spans.split_off(most);
        (std::mem::replace(&mut state.spans, rest), std::mem::take(&mut state.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_the_oldest_goes_first() {
        let gathered = Gathered(Mutex::new(State { spans: Vec::new(), dropped: 0 }));
        for number in 0..SPANS_MAX + 3 {
            gathered.add(Span { name: number.to_string(), ..Span::default() });
        }
        let (first, dropped) = gathered.take(2);
        assert_eq!((first[0].name.as_str(), first[1].name.as_str(), dropped), ("0", "1", 3));
        // Of what was taken out one has no room any more.
        gathered.add(Span::default());
        gathered.put_back(first, 4);
        let (rest, dropped) = gathered.take(usize::MAX);
        assert_eq!((rest.len(), rest[0].name.as_str(), dropped), (SPANS_MAX, "1", 5));
        assert_eq!(rest[1].name, "2");
        assert_eq!(gathered.take(1), (Vec::new(), 0));
    }
}
