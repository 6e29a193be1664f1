//! What every JSON document of the command line has in common.

use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_millis;
use serde::Serialize;

/// The shape of every document; a reader of version 1 may rely on every field of it. More fields may come.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// Returns a document over several lines, with a newline at its end.
pub(crate) fn document(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain fields with text as keys always serialise") + "\n"
}

/// Returns a document on one line, with a newline at its end.
pub(crate) fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain fields with text as keys always serialise") + "\n"
}

/// Writes a moment, given since 1970, in UTC to the millisecond.
pub(crate) fn time(since_1970: Duration) -> String {
    // What the calendar does not reach is said as its first moment.
    let at = SystemTime::UNIX_EPOCH.checked_add(since_1970.min(LAST)).unwrap_or(SystemTime::UNIX_EPOCH);
    format_rfc3339_millis(at).to_string()
}

/// Returns the present moment, since 1970.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The end of the year 9999.
const LAST: Duration = Duration::from_secs(253_402_300_799);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_utc() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z"),
            (u64::MAX, "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
    }
}
