//! How much may still be said: a bucket that fills with time.

use core::time::Duration;

use crate::time::Instant;

/// An amount that is spent, and grows back by so much a second up to what may be spent at once.
#[derive(Debug)]
pub struct Allowance {
    left: u64,
    most: u64,
    per_second: u64,
    filled_at: Instant,
}

impl Allowance {
    /// Returns a full one.
    pub fn new(most: u64, per_second: u64, now: Instant) -> Self {
        Self { left: most, most, per_second, filled_at: now }
    }

    /// Spends `cost` if that much is left.
    pub fn spend(&mut self, cost: u64, now: Instant) -> bool {
        self.earn(now);
        let is_affordable = self.left >= cost;
        if is_affordable {
            self.left -= cost;
        }
        is_affordable
    }

    /// Spends `cost` whether or not that much is left; what is owed is earned before anything else.
    pub fn owe(&mut self, cost: u64, now: Instant) {
        self.earn(now);
        let owed = cost.saturating_sub(self.left);
        self.left -= cost - owed;
        if owed > 0 {
            let millis = owed.saturating_mul(1000) / self.per_second.max(1);
            self.filled_at = self.filled_at.max(now) + Duration::from_millis(millis);
        }
    }

    fn earn(&mut self, now: Instant) {
        let millis = u64::try_from(now.since(self.filled_at).as_millis()).unwrap_or(u64::MAX);
        let earned = millis.saturating_mul(self.per_second) / 1000;
        // Less than one is not earned yet: the time that passed keeps counting.
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(self.most);
            self.filled_at = now;
        }
    }

    /// Returns when `cost`, of at most what may be spent at once, is affordable, if nothing else is spent until then.
    pub fn covers_at(&self, cost: u64) -> Instant {
        let missing = cost.saturating_sub(self.left);
        self.filled_at + Duration::from_millis((missing * 1000).div_ceil(self.per_second.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_grows_back_up_to_the_limit() {
        let mut allowance = Allowance::new(3, 1, Instant::START);
        let at = |millis| Instant::START + Duration::from_millis(millis);
        assert!([3, 0].map(|cost| allowance.spend(cost, at(0))).iter().all(|spent| *spent));
        assert!(!allowance.spend(1, at(999)));
        assert!(allowance.spend(1, at(1000)));
        assert!(!allowance.spend(1, at(1000)));
        assert!(!allowance.spend(4, at(3_600_000)), "an hour earns no more than the limit");
        assert!(allowance.spend(3, at(3_600_000)));
    }

    #[test]
    fn what_is_owed_is_earned_before_anything_else() {
        let mut allowance = Allowance::new(10, 100, Instant::START);
        let at = |millis| Instant::START + Duration::from_millis(millis);
        allowance.owe(4, at(0));
        assert_eq!(allowance.covers_at(6), at(0));
        allowance.owe(26, at(0));
        assert_eq!([0, 1].map(|cost| allowance.covers_at(cost)), [at(200), at(210)]);
        allowance.owe(10, at(100));
        assert_eq!(allowance.covers_at(1), at(310));
        assert!(!allowance.spend(1, at(309)) && allowance.spend(1, at(310)));
    }

    #[test]
    fn what_is_missing_is_there_when_it_is_said_to_be_and_no_sooner() {
        let millis = |millis| Instant::START + Duration::from_millis(millis);
        for per_second in [1, 3, 7, 1000] {
            let mut allowance = Allowance::new(2, per_second, Instant::START);
            assert_eq!(allowance.covers_at(2), Instant::START);
            assert!(allowance.spend(2, Instant::START));
            let due = allowance.covers_at(2);
            assert_eq!(due, millis(2000_u64.div_ceil(per_second)));
            let early = millis(2000_u64.div_ceil(per_second) - 1);
            assert!(!allowance.spend(2, early) && allowance.covers_at(1) <= due);
            assert!(allowance.spend(2, due + Duration::from_millis(1000)));
        }
    }
}
