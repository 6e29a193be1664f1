//! How much may still be said: a bucket that fills with time.

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
        let millis = u64::try_from(now.since(self.filled_at).as_millis()).unwrap_or(u64::MAX);
        let earned = millis.saturating_mul(self.per_second) / 1000;
        // Less than one is not earned yet: the time that passed keeps counting.
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(self.most);
            self.filled_at = now;
        }
        let is_affordable = self.left >= cost;
        if is_affordable {
            self.left -= cost;
        }
        is_affordable
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

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
}
