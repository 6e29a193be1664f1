//! The one way in which a test asserts that something did not take too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::patience::waited_for_cores;

/// How often the lag is measured.
const BEAT: Duration = Duration::from_millis(2);

/// What even an idle machine may add.
const SLACK: Duration = Duration::from_millis(250);

/// The most that the same passes for, which is what the scenarios allow on two cores. In between it is as much as the limit, or
/// as long as somebody had to wait for a core.
const SLACK_MAX: Duration = Duration::from_secs(1);

/// How many times something on the way may be as late as the latest beat that was seen.
const HOPS: u32 = 10;

/// Measures a duration and, meanwhile, how late this machine wakes whoever waits and how long its cores were taken.
#[derive(Debug)]
pub struct Stopwatch {
    began: Instant,
    waited_before: Duration,
    worst_lag_ns: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    beat: Option<JoinHandle<()>>,
}

impl Stopwatch {
    /// Starts to measure.
    pub fn start() -> Self {
        let worst_lag_ns = Arc::new(AtomicU64::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let beat = thread::spawn({
            let (worst_lag_ns, over) = (worst_lag_ns.clone(), over.clone());
            move || {
                while !over.load(Ordering::Relaxed) {
                    let before = Instant::now();
                    thread::park_timeout(BEAT);
                    let late = before.elapsed().saturating_sub(BEAT);
                    worst_lag_ns
                        .fetch_max(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
                }
            }
        });
        Self {
            began: Instant::now(),
            waited_before: waited_for_cores().unwrap_or_default(),
            worst_lag_ns,
            over,
            beat: Some(beat),
        }
    }

    /// Returns when it was started.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Asserts that no more than `limit` has passed, and what this machine's lag adds to it.
    ///
    /// # Panics
    /// If more has.
    #[track_caller]
    pub fn assert_within(&self, limit: Duration, what: &str) {
        self.assert_took(self.began.elapsed(), limit, what);
    }

    /// Asserts that `took`, which somebody else measured meanwhile, is no more than `limit` and the slack.
    ///
    /// # Panics
    /// If it is.
    #[track_caller]
    pub fn assert_took(&self, took: Duration, limit: Duration, what: &str) {
        let lag = Duration::from_nanos(self.worst_lag_ns.load(Ordering::Relaxed));
        let waited = waited_for_cores().unwrap_or_default().saturating_sub(self.waited_before);
        let slack = limit.max(waited).clamp(SLACK, SLACK_MAX) + lag * HOPS;
        assert!(
            took <= limit + slack,
            "{what} took {took:?}, the limit is {limit:?} and {slack:?} for a lag of {lag:?} and cores taken for {waited:?}"
        );
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(beat) = self.beat.take() {
            beat.thread().unpark();
            let _ = beat.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "a year took")]
    fn what_took_too_long_is_told() {
        Stopwatch::start().assert_took(Duration::from_secs(31_536_000), Duration::from_secs(1), "a year");
    }

    #[test]
    fn what_was_quick_passes() {
        Stopwatch::start().assert_within(Duration::ZERO, "nothing");
    }
}
