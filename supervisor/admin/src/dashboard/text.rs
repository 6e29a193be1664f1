//! Numbers and states, and how much of a text is shown.

use std::time::Duration;

use bailiwick::control::{Row, State};

/// The longest line that is shown of what a worker printed, in characters.
pub(super) const LINE_MAX: usize = 500;

/// Returns a text with what is too long cut off.
pub(super) fn cut(text: &str, most: usize) -> String {
    let mut kept: String = text.chars().take(most).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

/// Returns a size in its largest unit.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64),
    }
}

/// Returns a time of which only the order matters: `-` if it is not known.
pub(super) fn brief(time: Option<Duration>) -> String {
    let Some(time) = time else { return "-".to_owned() };
    match time.as_micros() {
        micros @ 0..1000 => format!("{micros} µs"),
        micros @ 1000..1_000_000 => format!("{} ms", micros / 1000),
        micros => format!("{} s", micros / 1_000_000),
    }
}

/// Returns what happens each second.
pub(super) fn rate(each_second: f64) -> String {
    match each_second {
        some if some <= 0.0 => "0/s".to_owned(),
        few if few < 10.0 => format!("{few:.1}/s"),
        many => format!("{many:.0}/s"),
    }
}

/// Returns how a state is to be seen at a glance, beside its word: `good`, `wait`, `bad` or `off`.
pub(super) fn tone(row: &Row) -> &'static str {
    let signs = row.signs;
    if signs.stuck || signs.unkillable || signs.sigstopped || row.state == State::Failed {
        return "bad";
    }
    match row.state {
        State::Ready | State::Done => "good",
        State::Stopped => "off",
        _ => "wait",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äöü…");
    }

    #[test]
    fn numbers_have_units() {
        assert_eq!(
            [0, 1023, 1024, 3 << 20, 3 << 30].map(size),
            ["0 B", "1023 B", "1 KiB", "3 MiB", "3.0 GiB"]
        );
        assert_eq!([0.0, 0.25, 9.0, 1234.5].map(rate), ["0/s", "0.2/s", "9.0/s", "1234/s"]);
        let times = [Some(1), Some(999), Some(1999), Some(17_000_000), None];
        let times = times.map(|micros| brief(micros.map(Duration::from_micros)));
        assert_eq!(times, ["1 µs", "999 µs", "1 ms", "17 s", "-"]);
    }
}
