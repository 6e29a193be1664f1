//! How often a failed actor is made anew, and after which pause.

use std::time::Duration;

/// The restart budget of one actor.
///
/// ```
/// use bailiwick::Restart;
/// use std::time::Duration;
///
/// let patient = Restart::within(10, Duration::from_secs(60));
/// let once = Restart::never();
/// # let _ = (patient, once);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Restart {
    pub(crate) max_restarts: u32,
    pub(crate) period: Duration,
    pub(crate) escalate: bool,
}

impl Restart {
    /// Makes the actor anew for up to `max_restarts` failures within `period`; one more, and its parent fails with
    /// it, or without a parent its worker.
    pub const fn within(max_restarts: u32, period: Duration) -> Self {
        Self { max_restarts, period, escalate: true }
    }

    /// Never makes it anew: a failure is its end, told to those who watch it and to nobody else.
    pub const fn never() -> Self {
        Self { max_restarts: 0, period: Duration::ZERO, escalate: false }
    }
}

/// Five failures within thirty seconds.
impl Default for Restart {
    fn default() -> Self {
        Self::within(5, Duration::from_secs(30))
    }
}
