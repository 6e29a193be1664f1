//! How long a test waits for what is to come: long on an idle machine, and longer while others have its cores.
//!
//! Whoever waits for a core gets on with nothing, so that time in which somebody had to is not counted. A test that waits
//! in vain ends all the same: soon where nothing else runs, later where much does.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// The watchdog of every wait, far longer than anything here takes on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The longest that anybody waits, however busy the machine is: where a wait has a limit that cannot grow.
pub const LONGEST: Duration = Duration::from_secs(120);

/// The pause from one look to the next.
const GLANCE: Duration = Duration::from_millis(2);

/// A wait that must not be in vain.
#[derive(Clone, Copy, Debug)]
pub struct Watchdog {
    began: Instant,
    waited_before: Option<Duration>,
}

impl Watchdog {
    /// Begins to wait.
    pub fn start() -> Self {
        Self { began: Instant::now(), waited_before: waited_for_cores() }
    }

    /// Returns whether it was waited for too long.
    pub fn barks(&self) -> bool {
        let passed = self.began.elapsed();
        if passed < PATIENCE {
            return false;
        }
        // Where the kernel does not say, it may have been all the time.
        let waited =
            self.waited_before.zip(waited_for_cores()).map(|(before, now)| now.saturating_sub(before));
        is_over(passed, waited.unwrap_or(passed))
    }

    /// Tells how long it was waited.
    pub fn waited(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Waits until something is so that no event tells of.
///
/// # Panics
/// If the watchdog barks first.
#[track_caller]
pub fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let watchdog = Watchdog::start();
    while !so() {
        assert!(!watchdog.barks(), "waited {:?} for {what}", watchdog.waited());
        thread::park_timeout(GLANCE);
    }
}

/// Whether it was waited for too long when so much has passed, and somebody had to wait for a core for so much of it.
fn is_over(passed: Duration, waited: Duration) -> bool {
    passed >= LONGEST || passed.saturating_sub(waited) >= PATIENCE
}

/// For how long, since this machine started, some task of it was ready to run and had to wait for a core
/// (`Documentation/accounting/psi.rst`).
pub(super) fn waited_for_cores() -> Option<Duration> {
    let pressure = fs::read_to_string("/proc/pressure/cpu").ok()?;
    let (_, total) = pressure.lines().next()?.rsplit_once("total=")?;
    total.parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn on_an_idle_machine_nobody_waits_for_longer_than_patience() {
        assert!(!is_over(PATIENCE - SECOND, Duration::ZERO));
        assert!(is_over(PATIENCE, Duration::ZERO));
    }

    #[test]
    fn what_others_had_of_the_cores_is_not_counted_and_has_an_end() {
        assert!(!is_over(2 * PATIENCE, PATIENCE + SECOND));
        assert!(is_over(2 * PATIENCE, PATIENCE));
        assert!(!is_over(LONGEST - SECOND, LONGEST - SECOND));
        assert!(is_over(LONGEST, LONGEST));
    }
}
