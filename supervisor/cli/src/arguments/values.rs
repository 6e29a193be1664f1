//! The values that arguments take, as people write them.

use std::time::Duration;

use bailiwick_supervisor::control::signal_number;
use bailiwick_supervisor::manifest;

/// Reads a signal by its name or number.
pub(super) fn signal(text: &str) -> Result<u8, String> {
    signal_number(text).ok_or_else(|| "expected a signal, as HUP, SIGHUP or 1".into())
}

/// Reads a number of lines.
pub(super) fn count(text: &str) -> Result<usize, String> {
    if text == "all" {
        return Ok(usize::MAX);
    }
    text.parse().map_err(|_| "expected a number of lines, or all".into())
}

/// Reads a score.
pub(super) fn score(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|score| (0.0..=10.0).contains(score));
    number.ok_or_else(|| "expected a score from 0.0 to 10.0".into())
}

/// Reads a time between two looks.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let limits = Duration::from_millis(100)..=Duration::from_secs(3600);
    let found = manifest::duration(text).filter(|interval| limits.contains(interval));
    found.ok_or_else(|| "expected a time from 100ms to 1h".into())
}

/// Reads a span of time.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    manifest::duration(text).ok_or_else(|| "expected a number and a unit: 250ms, 10s, 5m".into())
}

/// Reads how long a trace lasts.
pub(super) fn traced_for(text: &str) -> Result<Duration, String> {
    let limits = Duration::from_millis(1)..=Duration::from_secs(60);
    let found = manifest::duration(text).filter(|time| limits.contains(time));
    found.ok_or_else(|| "expected a time from 1ms to 60s".into())
}

/// Reads how long a reply is waited for.
pub(super) fn patience(text: &str) -> Result<Duration, String> {
    let limits = Duration::from_millis(1)..=Duration::from_secs(25);
    let found = manifest::duration(text).filter(|time| limits.contains(time));
    found.ok_or_else(|| "expected a time from 1ms to 25s".into())
}
