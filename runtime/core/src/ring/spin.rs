//! How long an end looks again and again before it sleeps: as long as that has paid.

use core::time::Duration;

/// A wait that adapts: half as long after each time that it was in vain, twice as long after each time that it paid or would
/// have paid, and never longer than its limit.
#[derive(Clone, Copy, Debug)]
pub struct Spin {
    limit: Duration,
    span: Duration,
}

impl Spin {
    /// Returns one of this limit, with which it begins; of no time at all it never spins.
    pub fn new(limit: Duration) -> Self {
        Self { limit, span: limit }
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
        self.span = self.span.max(LEAST).saturating_mul(2).min(self.limit);
    }

    /// Notes that nothing came while it looked. Below a microsecond, looking is not worth its own clock.
    pub fn was_in_vain(&mut self) {
        self.span = Some(self.span / 2).filter(|span| *span >= LEAST).unwrap_or_default();
    }

    /// Notes that something came after a sleep of this length: a look of up to its limit might have paid.
    pub fn slept(&mut self, length: Duration) {
        if length <= self.limit {
            self.paid();
        }
    }
}

const LEAST: Duration = Duration::from_micros(1);

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_micros(50);

    fn spans(steps: [impl Fn(&mut Spin); 3], spin: &mut Spin) -> [u128; 3] {
        steps.map(|step| {
            step(spin);
            spin.span().as_nanos()
        })
    }

    #[test]
    fn it_is_half_as_long_each_time_it_was_in_vain_and_grows_back_when_it_paid() {
        let mut spin = Spin::new(LIMIT);
        assert_eq!(spin.span(), LIMIT);
        assert_eq!(spans([Spin::was_in_vain; 3], &mut spin), [25_000, 12_500, 6250]);
        assert_eq!(spans([Spin::was_in_vain; 3], &mut spin), [3125, 1562, 0]);
        assert_eq!(spans([Spin::was_in_vain, Spin::paid, Spin::paid], &mut spin), [0, 2000, 4000]);
        assert_eq!(spans([Spin::paid; 3], &mut spin), [8000, 16_000, 32_000]);
        assert_eq!(spans([Spin::paid; 3], &mut spin), [50_000; 3]);
    }

    #[test]
    fn a_short_sleep_would_have_paid_and_a_long_one_would_not() {
        let mut spin = Spin::new(LIMIT);
        (0..10).for_each(|_| spin.was_in_vain());
        spin.slept(LIMIT + Duration::from_nanos(1));
        assert_eq!(spin.span(), Duration::ZERO);
        spin.slept(LIMIT);
        assert_eq!(spin.span(), Duration::from_micros(2));
    }

    #[test]
    fn off_is_off() {
        let mut spin = Spin::new(Duration::ZERO);
        spin.paid();
        spin.slept(Duration::ZERO);
        assert_eq!(spin.span(), Duration::ZERO);
    }
}
