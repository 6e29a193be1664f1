//! Time as the machines know it: a count of nanoseconds that somebody else reads from a monotonic clock.
//!
//! A machine never asks for the time; it is told. That makes a run repeatable, lets a test move time at will,
//! and keeps `std` out of this crate. The origin is the driver's choice; only differences mean anything.

use core::fmt;
use core::ops::{Add, AddAssign};
use core::time::Duration;

/// A point on a monotonic clock, in nanoseconds since an origin that the driver chose.
///
/// Arithmetic saturates: a deadline of `Duration::MAX` is the end of time, which never comes.
///
/// ```
/// use bailiwick_core::time::Instant;
/// use core::time::Duration;
///
/// let start = Instant::from_nanos(5);
/// assert_eq!(start + Duration::from_nanos(7), Instant::from_nanos(12));
/// assert_eq!(start + Duration::MAX, Instant::END);
/// assert_eq!(start.since(Instant::from_nanos(9)), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    pub const START: Self = Self(0);
    /// The end of time: as a deadline, one that never comes.
    pub const END: Self = Self(u64::MAX);

    /// Makes the instant that lies `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns the instant `after` later, at most [`Instant::END`].
    pub fn saturating_add(self, after: Duration) -> Self {
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// Returns the instant `before` earlier, at least [`Instant::START`].
    pub fn saturating_sub(self, before: Duration) -> Self {
        let nanos = u64::try_from(before.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(nanos))
    }

    /// Returns how long ago `earlier` was, or zero if it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        self.saturating_add(after)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, after: Duration) {
        *self = self.saturating_add(after);
    }
}

impl fmt::Display for Instant {
    /// Writes seconds with milliseconds, or with nanoseconds where there is a rest: `1.250`, `0.000000007`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if nanos.is_multiple_of(1_000_000) {
            write!(f, "{seconds}.{:03}", nanos / 1_000_000)
        } else {
            write!(f, "{seconds}.{nanos:09}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_duration_longer_than_the_clock_ends_at_the_end() {
        assert_eq!(Instant::from_nanos(1) + Duration::MAX, Instant::END);
        assert_eq!(Instant::END + Duration::from_nanos(1), Instant::END);
        assert_eq!(Instant::from_nanos(3).saturating_sub(Duration::from_nanos(4)), Instant::START);
    }

    #[test]
    fn display_is_exact_and_short_for_whole_milliseconds() {
        assert_eq!(Instant::from_nanos(1_250_000_000).to_string(), "1.250");
        assert_eq!(Instant::from_nanos(7).to_string(), "0.000000007");
    }
}
