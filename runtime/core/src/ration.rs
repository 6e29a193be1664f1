//! What is said at a limited rate: what goes beyond is counted, so that it can be told later how much that was.

use crate::allowance::Allowance;
use crate::time::Instant;

/// An allowance, and what was asked beyond it.
#[derive(Debug)]
pub struct Ration {
    allowance: Allowance,
    refused: u64,
    untold: u64,
}

impl Ration {
    /// Returns one that grants `most` at once and `per_second` in the long run.
    pub fn new(most: u64, per_second: u64, now: Instant) -> Self {
        Self { allowance: Allowance::new(most, per_second, now), refused: 0, untold: 0 }
    }

    /// Spends `cost` if that much is left; else it is counted as refused.
    pub fn spend(&mut self, cost: u64, now: Instant) -> bool {
        let is_granted = self.allowance.spend(cost, now);
        if !is_granted {
            self.refused = self.refused.saturating_add(cost);
            self.untold = self.untold.saturating_add(cost);
        }
        is_granted
    }

    /// Returns how much was refused so far.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Returns how much was refused since this was last asked; `None` for nothing.
    pub fn take_untold(&mut self) -> Option<u64> {
        let untold = core::mem::take(&mut self.untold);
        (untold > 0).then_some(untold)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn what_is_refused_is_told_once_and_counted_for_ever() {
        let mut ration = Ration::new(2, 1, Instant::START);
        assert_eq!([1, 1, 1, 3].map(|cost| ration.spend(cost, Instant::START)), [true, true, false, false]);
        assert_eq!((ration.refused(), ration.take_untold(), ration.take_untold()), (4, Some(4), None));
        let later = Instant::START + Duration::from_secs(1);
        assert_eq!([1, 1].map(|cost| ration.spend(cost, later)), [true, false]);
        assert_eq!((ration.refused(), ration.take_untold()), (5, Some(1)));
    }
}
