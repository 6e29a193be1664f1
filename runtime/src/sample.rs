//! How long messages wait and are handled: measured of one in so many, because reading the clock takes longer than a small message.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Of a mailbox the first message is measured, and each that comes so many after it. A prime, so that what repeats itself in a
/// mailbox is not always met at the same place.
pub(crate) const EVERY: u8 = 61;

/// Chooses the messages of one mailbox that are measured: some, or all while somebody reads along.
#[derive(Debug)]
pub(crate) struct Sampler {
    left: u8,
    every: u8,
}

/// When a message came to its mailbox, if it is one that is measured.
pub(crate) type Stamp = Option<Instant>;

impl Sampler {
    /// Returns the stamp of the message that comes now.
    #[inline]
    pub(crate) fn stamp(&mut self) -> Stamp {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                None
            }
            None => {
                self.left = self.every - 1;
                now()
            }
        }
    }

    /// Chooses all messages from now on, or those that it chose before.
    pub(crate) fn choose_all(&mut self, all: bool) {
        *self = if all { Self { left: 0, every: 1 } } else { Self::default() };
    }
}

impl Default for Sampler {
    fn default() -> Self {
        Self { left: 0, every: EVERY }
    }
}

/// Whether anything is measured in this process.
static IS_ON: AtomicBool = AtomicBool::new(true);

/// Says whether messages that come from now on are measured, in the whole process.
pub(crate) fn turn(is_on: bool) {
    IS_ON.store(is_on, Ordering::Relaxed);
}

#[cold]
fn now() -> Stamp {
    IS_ON.load(Ordering::Relaxed).then(Instant::now)
}

/// How many durations there were of each length, by powers of two.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    counts: [AtomicU64; BUCKETS],
    sum_nanos: AtomicU64,
}

impl Histogram {
    /// Counts one more.
    #[cold]
    pub(crate) fn note(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Returns how many there were of each length, without empty ones at the end, and the sum of all.
    pub(crate) fn read(&self) -> (Vec<u64>, Duration) {
        let mut counts: Vec<_> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        counts.truncate(counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1));
        (counts, Duration::from_nanos(self.sum_nanos.load(Ordering::Relaxed)))
    }
}

/// Returns the longest duration that is counted at a place, which takes twice as long as at the one before: a microsecond at the
/// first. At the last are also all that take longer.
#[must_use]
pub(crate) fn bound(place: usize) -> Duration {
    SHORTEST * 2_u32.saturating_pow(u32::try_from(place).unwrap_or(u32::MAX))
}

fn bucket(nanos: u64) -> usize {
    let shortest = nanos.div_ceil(1000).max(1);
    (shortest.next_power_of_two().trailing_zeros() as usize).min(BUCKETS - 1)
}

const SHORTEST: Duration = Duration::from_micros(1);
/// From a microsecond to half a minute, and what takes longer.
pub(crate) const BUCKETS: usize = 26;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_message_is_measured_and_then_one_of_each_sixty_one() {
        let mut sampler = Sampler::default();
        let chosen: Vec<_> = (0..200).filter(|_| sampler.stamp().is_some()).collect();
        assert_eq!(chosen.len(), 4);
        let mut sampler = Sampler::default();
        assert_eq!(
            (0..200).filter_map(|at| sampler.stamp().map(|_| at)).collect::<Vec<_>>(),
            [0, 61, 122, 183]
        );
    }

    #[test]
    fn all_messages_are_measured_where_somebody_reads_along_and_no_longer() {
        let mut sampler = Sampler::default();
        let chosen = |sampler: &mut Sampler| (0..100).filter(|_| sampler.stamp().is_some()).count();
        assert_eq!(chosen(&mut sampler), 2);
        sampler.choose_all(true);
        assert_eq!(chosen(&mut sampler), 100);
        sampler.choose_all(false);
        assert_eq!(chosen(&mut sampler), 2);
    }

    proptest! {
        #[test]
        fn a_duration_is_counted_at_the_first_place_that_it_does_not_exceed(nanos in 0..100_000_000_000_u64) {
            let histogram = Histogram::default();
            histogram.note(Duration::from_nanos(nanos));
            let (counts, sum) = histogram.read();
            prop_assert_eq!(sum, Duration::from_nanos(nanos));
            prop_assert_eq!(counts.iter().sum::<u64>(), 1);
            let place = counts.len() - 1;
            prop_assert!(sum <= bound(place) || place == BUCKETS - 1);
            prop_assert!(place == 0 || sum > bound(place - 1));
        }
    }
}
