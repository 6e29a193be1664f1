//! How fast messages may come from one sender: so many at once, and so many per period in the long run.
//!
//! What may come is handed out to the sender beforehand, so that both know it and no clock has to agree with another.
//! Each place of the allowance is in one of three hands: earned and here, with the sender, or spent and being earned
//! again, one after the other. It outlives the sender, so that a fresh life has no fresh allowance.

use core::time::Duration;

use crate::time::Instant;

/// So many messages at once, and in each period in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Messages, at least one.
    pub messages: u32,
    /// The period.
    pub period: Duration,
}

impl Rate {
    /// Returns the time in which one message is earned.
    fn step(self) -> Duration {
        (self.period / self.messages.max(1)).max(Duration::from_nanos(1))
    }
}

/// What one sender may still send over one grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pace {
    rate: Rate,
    /// Places that are here.
    earned: u32,
    /// Places that are being earned.
    spent: u32,
    /// Places with the sender that are not earned again, since there are to be fewer.
    surplus: u32,
    /// When the next is earned, if any is spent.
    next: Instant,
}

impl Pace {
    /// Returns a full allowance.
    pub fn new(rate: Rate) -> Self {
        Self { rate, earned: rate.messages.max(1), spent: 0, surplus: 0, next: Instant::START }
    }

    /// Returns the allowance of a sender that has so much in hand already.
    pub fn beginning(rate: Rate, held: u32) -> Self {
        let mut pace = Self::new(rate);
        let regular = held.min(pace.earned);
        (pace.earned, pace.surplus) = (pace.earned - regular, held - regular);
        pace
    }

    /// Returns an allowance of which `left` is there and the rest is being earned from now on.
    pub fn with_left(rate: Rate, left: u32, now: Instant) -> Self {
        let mut pace = Self::new(rate);
        let spent = pace.earned.saturating_sub(left);
        (pace.earned, pace.spent, pace.next) = (pace.earned - spent, spent, now + rate.step());
        pace
    }

    /// Returns what it holds to.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Notes that the sender has sent one message.
    pub fn spend(&mut self, now: Instant) {
        self.earn(now);
        if self.surplus > 0 {
            self.surplus -= 1;
            return;
        }
        if self.spent == 0 {
            self.next = now + self.rate.step();
        }
        self.spent = self.spent.saturating_add(1);
    }

    /// Returns how many may be handed out now.
    pub fn earned(&self, now: Instant) -> u32 {
        self.earned.saturating_add(self.earned_since(now))
    }

    /// Returns how many may be sent before one has to be earned: what is here, and what the sender has of the rate.
    pub fn left(&self, now: Instant) -> u32 {
        self.rate.messages.max(1).saturating_sub(self.spent - self.earned_since(now))
    }

    /// Hands out as many as are wanted and there.
    pub fn hand_out(&mut self, wanted: u32, now: Instant) -> u32 {
        self.earn(now);
        let handed = wanted.min(self.earned);
        self.earned -= handed;
        handed
    }

    /// Takes back what the sender has not spent, because it is gone.
    pub fn give_back(&mut self, unspent: u32) {
        let surplus = unspent.min(self.surplus);
        self.surplus -= surplus;
        self.earned = self.earned.saturating_add(unspent - surplus);
    }

    /// Returns when there is something to hand out; `None` if the sender has it all.
    pub fn due(&self) -> Option<Instant> {
        if self.earned > 0 { Some(Instant::START) } else { (self.spent > 0).then_some(self.next) }
    }

    /// Holds to another rate from now on. What the sender has stays with it, and is not earned again beyond the new rate.
    pub fn change(&mut self, rate: Rate, now: Instant) {
        self.earn(now);
        let (before, after) = (self.rate.messages.max(1), rate.messages.max(1));
        self.earned = self.earned.saturating_add(after.saturating_sub(before));
        let mut fewer = before.saturating_sub(after);
        for places in [&mut self.earned, &mut self.spent] {
            let gone = fewer.min(*places);
            *places -= gone;
            fewer -= gone;
        }
        self.surplus = self.surplus.saturating_add(fewer);
        self.rate = rate;
        self.next = self.next.min(now + rate.step());
    }

    fn earn(&mut self, now: Instant) {
        let earned = self.earned_since(now);
        // For most messages nothing was: those read the clock together.
        if earned == 0 {
            return;
        }
        self.spent -= earned;
        self.earned = self.earned.saturating_add(earned);
        self.next += self.rate.step() * earned;
    }

    /// Returns how many of those that are spent have been earned again by now.
    fn earned_since(&self, now: Instant) -> u32 {
        if self.spent == 0 || now < self.next {
            return 0;
        }
        let steps = 1 + now.since(self.next).as_nanos() / self.rate.step().as_nanos();
        u32::try_from(steps).unwrap_or(u32::MAX).min(self.spent)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn at_ms(ms: u64) -> Instant {
        Instant::START + Duration::from_millis(ms)
    }

    fn rate(messages: u32, period_ms: u64) -> Rate {
        Rate { messages, period: Duration::from_millis(period_ms) }
    }

    #[test]
    fn what_is_spent_is_earned_again_one_after_the_other() {
        let mut pace = Pace::new(rate(2, 1000));
        assert_eq!((pace.hand_out(5, at_ms(0)), pace.due()), (2, None));
        pace.spend(at_ms(100));
        pace.spend(at_ms(100));
        assert_eq!((pace.due(), pace.earned(at_ms(599))), (Some(at_ms(600)), 0));
        assert_eq!((pace.earned(at_ms(600)), pace.hand_out(1, at_ms(600))), (1, 1));
        assert_eq!((pace.due(), pace.earned(at_ms(90_000))), (Some(at_ms(1100)), 1));
    }

    #[test]
    fn who_comes_back_finds_what_was_left_and_no_more() {
        let mut pace = Pace::new(rate(3, 3000));
        assert_eq!(pace.hand_out(3, at_ms(0)), 3);
        pace.spend(at_ms(0));
        pace.give_back(2);
        assert_eq!(pace.hand_out(3, at_ms(999)), 2);
        assert_eq!(pace.hand_out(3, at_ms(1000)), 1);
    }

    #[test]
    fn what_is_left_is_what_is_not_being_earned_wherever_it_is() {
        let mut pace = Pace::new(rate(3, 3000));
        assert_eq!(pace.hand_out(2, at_ms(0)), 2);
        assert_eq!(pace.left(at_ms(0)), 3);
        pace.spend(at_ms(0));
        assert_eq!((pace.left(at_ms(999)), pace.left(at_ms(1000))), (2, 3));
        let mut copy = Pace::with_left(rate(3, 3000), pace.left(at_ms(500)), at_ms(500));
        assert_eq!((copy.earned(at_ms(1499)), copy.hand_out(9, at_ms(1500))), (2, 3));
        assert_eq!(Pace::with_left(rate(3, 3000), u32::MAX, at_ms(500)).earned(at_ms(500)), 3);
    }

    #[test]
    fn another_rate_holds_from_what_the_sender_has_on() {
        let mut pace = Pace::new(rate(4, 4000));
        assert_eq!(pace.hand_out(3, at_ms(0)), 3);
        pace.change(rate(1, 1000), at_ms(0));
        for _ in 0..3 {
            pace.spend(at_ms(0));
        }
        // Of the three one is earned again.
        assert_eq!((pace.earned(at_ms(999)), pace.earned(at_ms(1000)), pace.earned(at_ms(9000))), (0, 1, 1));
        pace.change(rate(3, 1000), at_ms(9000));
        assert_eq!(pace.earned(at_ms(9000)), 3);
    }

    proptest! {
        /// Whatever the sender does, however often it comes back: in no span of time it sends more than the rate.
        #[test]
        fn no_sender_gets_more_than_the_rate(
            messages in 1..5u32,
            period_ms in 1..1000u64,
            steps in prop::collection::vec((0..400u64, 0..4u8), 0..200),
        ) {
            let (rate, mut now) = (rate(messages, period_ms), 0);
            let (mut pace, mut held, mut sent) = (Pace::new(rate), 0, Vec::new());
            for (wait, deed) in steps {
                now += wait;
                match deed {
                    0 if held > 0 => {
                        held -= 1;
                        sent.push(now);
                        pace.spend(at_ms(now));
                    }
                    1 => {
                        pace.give_back(held);
                        held = 0;
                    }
                    _ => held += pace.hand_out(4, at_ms(now)),
                }
                prop_assert!(held <= messages);
                if held == 0 && let Some(due) = pace.due() {
                    prop_assert!(pace.earned(due.max(at_ms(now))) > 0, "it is due and there is nothing");
                }
            }
            for (first, from) in sent.iter().enumerate() {
                for (last, to) in sent.iter().enumerate().skip(first) {
                    let most = u64::from(messages) + (to - from) * u64::from(messages) / period_ms + 1;
                    prop_assert!((last - first + 1) as u64 <= most);
                }
            }
        }
    }
}
