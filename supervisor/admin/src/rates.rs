//! How fast links are used, from what workers said at two moments.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::survey::Said;

/// Between two moments that are compared there is at least so much.
const APART_MIN: Duration = Duration::from_secs(3);

/// One end of a link: the worker with its instance and generation, and its peer.
type End = (String, u16, u32, String);

/// What was counted at one moment, and how fast it grew before.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    at: Option<Instant>,
    counts: BTreeMap<End, Counts>,
    rates: BTreeMap<End, Rate>,
    over: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    frames: [u64; 2],
    bytes: [u64; 2],
}

/// What one end of a link sent and received, each second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rate {
    pub(crate) frames: [f64; 2],
    pub(crate) bytes: [f64; 2],
}

impl Rates {
    /// Takes what workers say now, and compares it with what they said before if that is long enough ago.
    pub(crate) fn note(&mut self, now: Instant, said: &[Said]) {
        let apart = self.at.map(|at| now.saturating_duration_since(at));
        if apart.is_some_and(|apart| apart < APART_MIN) {
            return;
        }
        let counts: BTreeMap<End, Counts> = said.iter().flat_map(ends).collect();
        self.rates.clear();
        if let Some(apart) = apart {
            let grown =
                |(end, new): (&End, &Counts)| Some((end.clone(), rate(self.counts.get(end)?, new, apart)));
            self.rates = counts.iter().filter_map(grown).collect();
        }
        (self.over, self.counts, self.at) = (apart, counts, Some(now));
    }

    /// Returns the time over which the rates are a mean; none if nobody looked before.
    pub(crate) fn over(&self) -> Option<Duration> {
        self.over
    }

    /// Returns how fast a worker's link to a peer is used, if it said so twice.
    pub(crate) fn of(&self, said: &Said, peer: &str) -> Option<Rate> {
        self.rates.get(&end(said, peer)).copied()
    }
}

fn end(said: &Said, peer: &str) -> End {
    (said.worker.clone(), said.instance, said.generation, peer.to_owned())
}

fn ends(said: &Said) -> impl Iterator<Item = (End, Counts)> {
    let links = said.answer.iter().flat_map(|found| &found.links);
    links.map(|link| (end(said, &link.peer), Counts { frames: link.frames, bytes: link.bytes }))
}

fn rate(old: &Counts, new: &Counts, apart: Duration) -> Rate {
    // A worker says what it likes, also that it has counted backwards.
    let grown = |old: [u64; 2], new: [u64; 2]| {
        [0, 1].map(|way| new[way].saturating_sub(old[way]) as f64 / apart.as_secs_f64())
    };
    Rate { frames: grown(old.frames, new.frames), bytes: grown(old.bytes, new.bytes) }
}

#[cfg(test)]
mod tests {
    use bailiwick::introspect::{LinkState, Snapshot};

    use super::*;

    fn said(generation: u32, frames: [u64; 2]) -> [Said; 1] {
        let links = vec![LinkState { peer: "db".into(), frames, ..LinkState::default() }];
        let answer = Ok(Snapshot { links, ..Snapshot::default() });
        [Said { worker: "web".into(), instance: 1, generation, answer }]
    }

    #[test]
    fn what_grew_between_two_looks_is_divided_by_the_time() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        rates.note(start, &said(1, [10, 5]));
        assert_eq!((rates.over(), rates.of(&said(1, [0; 2])[0], "db")), (None, None));
        // Somebody else looks in between, and changes nothing.
        rates.note(start + Duration::from_secs(1), &said(1, [11, 5]));
        rates.note(start + Duration::from_secs(4), &said(1, [50, 3]));
        let found = rates.of(&said(1, [0; 2])[0], "db").expect("it was looked at twice");
        assert_eq!((rates.over(), found.frames), (Some(Duration::from_secs(4)), [10.0, 0.0]));
    }

    #[test]
    fn another_life_counts_anew() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        rates.note(start, &said(1, [1000, 0]));
        rates.note(start + Duration::from_secs(4), &said(2, [4, 0]));
        assert_eq!(rates.of(&said(2, [0; 2])[0], "db"), None);
    }
}
