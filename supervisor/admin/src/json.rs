//! What every JSON document has in common, of the command line and of the admin worker.

use std::time::{Duration, SystemTime};

use humantime::{format_rfc3339_millis, parse_rfc3339};
use serde::Serialize;

/// The shape of every document; a reader of version 1 may rely on every field of it. More fields may come.
pub const SCHEMA_VERSION: u32 = 1;

/// Returns a document over several lines, with a newline at its end.
pub fn document(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain fields with text as keys always serialise") + "\n"
}

/// Returns a document on one line, with a newline at its end.
pub fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain fields with text as keys always serialise") + "\n"
}

/// Writes a moment, given since 1970, in UTC to the millisecond.
pub fn time(since_1970: Duration) -> String {
    // What the calendar does not reach is said as its first moment.
    let at = SystemTime::UNIX_EPOCH.checked_add(since_1970.min(LAST)).unwrap_or(SystemTime::UNIX_EPOCH);
    format_rfc3339_millis(at).to_string()
}

/// Reads a moment of RFC 3339, since 1970: in UTC, or with the hours and minutes that a place is ahead of it or behind.
pub fn moment(text: &str) -> Option<Duration> {
    let since_1970 = |text: &str| parse_rfc3339(text).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok();
    let Some(at) = text.len().checked_sub("+00:00".len()) else { return since_1970(text) };
    let (local, offset) = match text.split_at_checked(at) {
        Some((local, offset)) if offset.starts_with(['+', '-']) => (local, offset),
        _ => return since_1970(text),
    };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let number = |digits: &str, most: u64| {
        let is_two = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse::<u64>().ok().filter(|number| is_two && *number <= most)
    };
    let offset_s = number(hours, 23)? * 3600 + number(minutes, 59)? * 60;
    let local = since_1970(&format!("{local}Z"))?;
    let offset_time = Duration::from_secs(offset_s);
    if offset.starts_with('+') { local.checked_sub(offset_time) } else { local.checked_add(offset_time) }
}

/// Returns the present moment, since 1970.
pub fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The end of the year 9999.
const LAST: Duration = Duration::from_secs(253_402_300_799);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_utc_or_with_an_offset() {
        let at = Some(Duration::from_millis(951_782_400_500));
        for text in [
            "2000-02-29T00:00:00.5Z",
            "2000-02-29T02:00:00.5+02:00",
            "2000-02-28T18:30:00.500-05:30",
            "2000-02-29T00:00:00.5+00:00",
        ] {
            assert_eq!(moment(text), at, "{text}");
        }
        for text in ["", "Z", "2000-02-29", "2000-02-30T00:00:00Z", "2000-02-29T00:00:00+2:00", "x+02:00"] {
            assert_eq!(moment(text), None, "{text}");
        }
        for text in
            ["2000-02-29T00:00:00+24:00", "2000-02-29T00:00:00+ab:cd", "1970-01-01T00:00:00+01:00", "日本"]
        {
            assert_eq!(moment(text), None, "{text}");
        }
    }

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
