//! The pause before a restart: none before the first, then growing, never longer than the cap.
//!
//! Chance only ever shortens a pause, so that the cap stays a cap; it arrives as a number, drawn once per
//! restart, and the pause that results is kept, so that what `status` shows is what will happen.

use core::time::Duration;

/// How the pause grows with each failure in a row.
///
/// Factor and jitter are thousandths, so that the same failures give the same pause on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    /// Before the first restart after a stable period.
    pub first: Duration,
    /// Before the second restart in a row.
    pub base: Duration,
    /// The growth from one pause to the next, in thousandths: 2000 doubles.
    pub factor_permille: u32,
    /// The longest pause.
    pub cap: Duration,
    /// The share of a pause that chance may take away, in thousandths; more than 1000 counts as 1000.
    pub jitter_permille: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::ZERO,
            base: Duration::from_millis(100),
            factor_permille: 2000,
            cap: Duration::from_secs(30),
            jitter_permille: 250,
        }
    }
}

impl Backoff {
    /// Returns the pause after `failures` failures in a row, before chance shortens it.
    ///
    /// ```
    /// use bailiwick_core::backoff::Backoff;
    ///
    /// let backoff = Backoff { jitter_permille: 0, ..Backoff::default() };
    /// let millis: Vec<_> = (1..6).map(|n| backoff.longest(n).as_millis()).collect();
    /// assert_eq!(millis, [0, 100, 200, 400, 800]);
    /// ```
    pub fn longest(&self, failures: u32) -> Duration {
        if failures <= 1 {
            return self.first.min(self.cap);
        }
        let cap = self.cap.as_nanos();
        let mut pause = self.base.as_nanos();
        for _ in 2..failures {
            let grown = self.grown(pause);
            // A factor of one, or growth lost to rounding, never changes again; above the cap nothing counts.
            if grown == pause || pause >= cap {
                break;
            }
            pause = grown;
        }
        from_nanos(pause.min(cap))
    }

    /// Returns how long the pauses after `failures` failures in a row are together, before chance shortens them.
    ///
    /// ```
    /// use bailiwick_core::backoff::Backoff;
    ///
    /// assert_eq!(Backoff::default().total(5).as_millis(), 1500);
    /// ```
    pub fn total(&self, failures: u32) -> Duration {
        if failures == 0 {
            return Duration::ZERO;
        }
        let cap = self.cap.as_nanos();
        let mut total = self.first.min(self.cap);
        let mut pause = self.base.as_nanos();
        for counted in 1..failures {
            let grown = self.grown(pause);
            if grown == pause || pause >= cap {
                let each = from_nanos(pause.min(cap));
                return total.saturating_add(each.saturating_mul(failures - counted));
            }
            total = total.saturating_add(from_nanos(pause));
            pause = grown;
        }
        total
    }

    fn grown(&self, pause: u128) -> u128 {
        pause.saturating_mul(u128::from(self.factor_permille)) / 1000
    }

    /// Returns the pause after `failures` failures in a row; `chance` is any number, evenly drawn.
    pub fn pause(&self, failures: u32, chance: u32) -> Duration {
        self.shortened(self.longest(failures), chance)
    }

    /// Returns the cap, shortened by chance.
    pub fn capped(&self, chance: u32) -> Duration {
        self.shortened(self.cap, chance)
    }

    /// Returns the smallest number of failures from which the pauses grow as they do from `failures`.
    pub(crate) fn same_pause_as(&self, failures: u32) -> u32 {
        (2..failures).find(|n| self.longest(*n) == self.longest(n + 1)).unwrap_or(failures)
    }

    fn shortened(&self, pause: Duration, chance: u32) -> Duration {
        let nanos = pause.as_nanos();
        let jitter = u128::from(self.jitter_permille.min(1000));
        // Dividing before the last multiplication keeps the longest Duration within u128.
        let most = nanos / 1000 * jitter + nanos % 1000 * jitter / 1000;
        let taken = (most >> 32) * u128::from(chance) + (((most & 0xffff_ffff) * u128::from(chance)) >> 32);
        from_nanos(nanos - taken)
    }
}

fn from_nanos(nanos: u128) -> Duration {
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanos % 1_000_000_000).unwrap_or(0);
    Duration::new(seconds, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Backoff = Backoff {
        first: Duration::ZERO,
        base: Duration::from_millis(100),
        factor_permille: 2000,
        cap: Duration::from_secs(30),
        jitter_permille: 0,
    };

    #[test]
    fn the_total_is_that_of_the_pauses_and_takes_no_time_to_find() {
        for backoff in
            [PLAIN, Backoff { first: Duration::MAX, ..PLAIN }, Backoff { factor_permille: 500, ..PLAIN }]
        {
            let sum = |count: u32| {
                (1..=count).map(|n| backoff.longest(n)).fold(Duration::ZERO, Duration::saturating_add)
            };
            for count in 0..40 {
                assert_eq!(backoff.total(count), sum(count), "{backoff:?} {count}");
            }
        }
        assert_eq!(PLAIN.total(u32::MAX).as_secs(), u64::from(u32::MAX - 10) * 30 + 51);
        assert_eq!(Backoff { factor_permille: 1000, ..PLAIN }.total(u32::MAX).as_millis(), 429_496_729_400);
    }

    #[test]
    fn the_first_pause_is_none_then_they_double_up_to_the_cap() {
        let pauses = [0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000];
        for (n, pause) in (1..).zip(pauses) {
            assert_eq!(PLAIN.pause(n, u32::MAX), Duration::from_millis(pause), "failure {n}");
        }
        assert_eq!(PLAIN.pause(u32::MAX, 0), PLAIN.cap);
    }

    #[test]
    fn a_factor_that_does_not_grow_ends_at_once() {
        let flat = Backoff { factor_permille: 1000, ..PLAIN };
        assert_eq!(flat.pause(u32::MAX, 0), flat.base);
        let shrinking = Backoff { factor_permille: 500, ..PLAIN };
        assert_eq!(shrinking.pause(u32::MAX, 0), Duration::ZERO);
        let slow = Backoff { factor_permille: 1001, base: Duration::from_nanos(1), ..PLAIN };
        assert_eq!(slow.pause(u32::MAX, 0), Duration::from_nanos(1));
    }

    #[test]
    fn the_longest_duration_overflows_nowhere() {
        let endless = Backoff { base: Duration::MAX, cap: Duration::MAX, factor_permille: u32::MAX, ..PLAIN };
        assert_eq!(endless.pause(u32::MAX, u32::MAX), Duration::MAX);
        let half = Backoff { jitter_permille: 500, ..endless };
        assert!(half.pause(u32::MAX, u32::MAX) >= Duration::MAX / 2);
    }

    #[test]
    fn a_first_pause_beyond_the_cap_is_the_cap() {
        let odd = Backoff { first: Duration::from_secs(40), ..PLAIN };
        assert_eq!(odd.pause(1, 0), odd.cap);
    }
}
