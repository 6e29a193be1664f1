//! How long an end looks again and again before it sleeps: as long as that has paid.

use core::time::Duration;

/// A wait that adapts: half as long after each time that it was in vain, its whole limit after each time that it paid or would
/// have paid.
///
/// How long a sleep took says little where waking takes longer than what is waited for: two ends that both sleep wait for each
/// other's waking. So it also tries its whole limit after a number of sleeps, which doubles as long as that is in vain.
#[derive(Clone, Copy, Debug)]
pub struct Spin {
    limit: Duration,
    span: Duration,
    /// Sleeps until it tries again.
    until_trial: u32,
    /// How many sleeps there were to be before this trial.
    between: u32,
}

impl Spin {
    /// Returns one of this limit, with which it begins; of no time at all it never spins.
    pub fn new(limit: Duration) -> Self {
        Self { limit, span: limit, until_trial: TRIALS_FIRST, between: TRIALS_FIRST }
    }

    /// Returns whether it never spins.
    pub fn is_off(&self) -> bool {
        self.limit.is_zero()
    }

    /// Returns how long to look before the next sleep.
    pub fn span(&self) -> Duration {
        self.span
    }

    /// Notes that something came while it looked.
    pub fn paid(&mut self) {
        *self = Self::new(self.limit);
    }

    /// Notes that nothing came while it looked. Below a microsecond, looking is not worth its own clock.
    pub fn was_in_vain(&mut self) {
        self.span = Some(self.span / 2).filter(|span| *span >= LEAST).unwrap_or_default();
    }

    /// Notes that something came after a sleep of this length: a look of up to its limit might have paid.
    pub fn slept(&mut self, length: Duration) {
        if length <= self.limit {
            return self.paid();
        }
        self.until_trial -= 1;
        if self.until_trial == 0 {
            self.between = (self.between * 2).min(TRIALS_LAST);
            (self.until_trial, self.span) = (self.between, self.limit);
        }
    }
}

const LEAST: Duration = Duration::from_micros(1);
/// Sleeps before the first trial.
const TRIALS_FIRST: u32 = 16;
/// Sleeps between two trials at most.
const TRIALS_LAST: u32 = 1024;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const LIMIT: Duration = Duration::from_micros(50);
    const LONGER: Duration = Duration::from_nanos(50_001);

    fn spans(steps: [impl Fn(&mut Spin); 3], spin: &mut Spin) -> [u128; 3] {
        steps.map(|step| {
            step(spin);
            spin.span().as_nanos()
        })
    }

    #[test]
    fn it_is_half_as_long_each_time_it_was_in_vain_and_whole_again_when_it_paid() {
        let mut spin = Spin::new(LIMIT);
        assert_eq!(spin.span(), LIMIT);
        assert_eq!(spans([Spin::was_in_vain; 3], &mut spin), [25_000, 12_500, 6250]);
        assert_eq!(spans([Spin::was_in_vain; 3], &mut spin), [3125, 1562, 0]);
        assert_eq!(spans([Spin::was_in_vain, Spin::paid, Spin::was_in_vain], &mut spin), [0, 50_000, 25_000]);
    }

    #[test]
    fn a_short_sleep_would_have_paid_and_a_long_one_would_not() {
        let mut spin = Spin::new(LIMIT);
        (0..10).for_each(|_| spin.was_in_vain());
        spin.slept(LONGER);
        assert_eq!(spin.span(), Duration::ZERO);
        spin.slept(LIMIT);
        assert_eq!(spin.span(), LIMIT);
    }

    /// Two ends that both sleep take each other's waking for the time that a message takes.
    #[test]
    fn after_long_sleeps_it_tries_again_and_ever_more_rarely_while_that_is_in_vain() {
        let mut spin = Spin::new(LIMIT);
        let mut trials = Vec::new();
        for sleep in 0..20_000 {
            if spin.span() == LIMIT {
                trials.push(sleep);
            }
            // What is left of a trial is forgotten, so that the next one is told from it.
            (0..10).for_each(|_| spin.was_in_vain());
            spin.slept(LONGER);
        }
        let pauses: Vec<_> = trials.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(pauses[..8], [16, 32, 64, 128, 256, 512, 1024, 1024]);
        assert!(pauses[8..].iter().all(|pause| *pause == 1024), "{pauses:?}");
        spin.paid();
        (0..10).for_each(|_| spin.was_in_vain());
        (0..16).for_each(|_| spin.slept(LONGER));
        assert_eq!(spin.span(), LIMIT, "a trial that pays makes them frequent again");
    }

    #[test]
    fn off_is_off() {
        let mut spin = Spin::new(Duration::ZERO);
        spin.paid();
        (0..2000).for_each(|_| spin.slept(Duration::from_nanos(1)));
        assert_eq!(spin.span(), Duration::ZERO);
    }
}
