//! A restart budget: so many failures in a sliding window, counted in nanoseconds.
//!
//! The window is exact: a failure that is `period` old has left it. At most `max_restarts + 1` times are kept,
//! which is all that the question "more than `max_restarts` of them?" needs.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::time::Instant;

/// The failures of a group within its window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    max_restarts: u32,
    period: Duration,
    failures: VecDeque<Instant>,
}

impl Budget {
    /// Makes a budget of `max_restarts` failures within `period`, none of them spent.
    pub const fn new(max_restarts: u32, period: Duration) -> Self {
        Self { max_restarts, period, failures: VecDeque::new() }
    }

    /// Charges one failure and returns whether the budget still covers it.
    ///
    /// ```
    /// use bailiwick_core::{budget::Budget, time::Instant};
    /// use core::time::Duration;
    ///
    /// let mut budget = Budget::new(1, Duration::from_secs(5));
    /// assert!(budget.charge(Instant::from_nanos(1)));
    /// assert!(!budget.charge(Instant::from_nanos(2)));
    /// ```
    pub fn charge(&mut self, now: Instant) -> bool {
        self.forget(now);
        self.failures.push_back(now);
        let covered = self.failures.len() <= self.max_restarts as usize;
        if self.failures.len() > self.max_restarts as usize + 1 {
            self.failures.pop_front();
        }
        covered
    }

    /// Returns how many more failures the budget covers at `now`.
    pub fn left(&self, now: Instant) -> u32 {
        // They stand in the order of their times, and a large budget is asked often.
        let inside = self.failures.len() - self.failures.partition_point(|at| self.outside(*at, now));
        self.max_restarts.saturating_sub(u32::try_from(inside).unwrap_or(u32::MAX))
    }

    /// Forgets all failures.
    pub fn refill(&mut self) {
        self.failures.clear();
    }

    /// Takes other terms; what was charged stays charged.
    pub fn change(&mut self, max_restarts: u32, period: Duration) {
        (self.max_restarts, self.period) = (max_restarts, period);
        let most = max_restarts as usize + 1;
        self.failures.drain(..self.failures.len().saturating_sub(most));
    }

    /// Returns the number of failures that the window may hold.
    pub const fn max_restarts(&self) -> u32 {
        self.max_restarts
    }

    /// Returns the length of the window.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// Returns the budget with the ages of the failures that still count in place of their times.
    pub(crate) fn normalised(&self, now: Instant) -> Self {
        let mut budget = self.clone();
        budget.forget(now);
        for at in &mut budget.failures {
            // In a window without end no failure ever grows old.
            let is_endless = budget.period == Duration::MAX;
            *at = if is_endless { Instant::START } else { Instant::START + now.since(*at) };
        }
        budget
    }

    fn forget(&mut self, now: Instant) {
        while self.failures.front().is_some_and(|at| self.outside(*at, now)) {
            self.failures.pop_front();
        }
    }

    fn outside(&self, at: Instant, now: Instant) -> bool {
        now.since(at) >= self.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn the_budget_is_spent_at_the_limit_plus_one() {
        for (max, period_s, spent_at) in [(1, 5, 2), (3, 2, 4), (0, 5, 1)] {
            let mut budget = Budget::new(max, Duration::from_secs(period_s));
            let first_refused = (1..10).find(|n| !budget.charge(at_ms(*n)));
            assert_eq!(first_refused, Some(spent_at), "max {max}");
        }
    }

    #[test]
    fn two_in_a_second_are_never_spent_by_failures_620_ms_apart() {
        let mut budget = Budget::new(2, Duration::from_secs(1));
        assert!((0..100).all(|n| budget.charge(at_ms(620 * n))));
    }

    #[test]
    fn a_failure_exactly_one_period_old_has_left() {
        let mut budget = Budget::new(1, Duration::from_secs(1));
        assert!(budget.charge(at_ms(0)));
        assert_eq!(budget.left(at_ms(999)), 0);
        assert_eq!(budget.left(at_ms(1000)), 1);
        assert!(budget.charge(at_ms(1000)));
        assert!(!budget.charge(Instant::from_nanos(1_999_999_999)));
    }

    #[test]
    fn memory_stays_bounded_while_a_spent_budget_goes_on_charging() {
        let mut budget = Budget::new(3, Duration::from_secs(1000));
        for n in 0..10_000 {
            budget.charge(at_ms(n));
        }
        assert_eq!(budget.failures.len(), 4);
    }

    #[test]
    fn other_terms_keep_what_was_charged() {
        let mut budget = Budget::new(5, Duration::from_secs(10));
        (1..=4).for_each(|n| assert!(budget.charge(at_ms(n))));
        budget.change(2, Duration::from_secs(10));
        assert_eq!(budget.failures.len(), 3);
        assert!(!budget.charge(at_ms(5)));
        budget.change(4, Duration::from_secs(10));
        assert_eq!(budget.left(at_ms(6)), 1);
        budget.refill();
        assert_eq!(budget.left(at_ms(6)), 4);
    }
}
