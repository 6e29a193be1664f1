//! Lines as JSON, for the supervisor that prints them as well as for who asks it: the shape is one.
//!
//! Written by hand, since the supervisor links nothing that could.

use std::fmt::Write;
use std::time::Duration;

use super::{Event, Lost, Said, Source};

/// The shape of every document; a reader of version 1 may rely on every field of it. More fields may come.
const SCHEMA_VERSION: u32 = 1;

impl Said {
    /// Returns a line of a source as a JSON document on one line, with its number if it has one.
    pub fn to_json(&self, number: Option<u64>, source: &Source) -> String {
        let mut out = format!("{{\"schema_version\":{SCHEMA_VERSION},\"number\":");
        optional(&mut out, number);
        let _ = write!(out, ",\"time\":\"{}\"", Calendar(self.at.wall));
        let _ = write!(out, ",\"time_mono_ns\":{},", self.at.monotonic_ns);
        of(&mut out, Some(source));
        out.push_str(",\"generation\":");
        optional(&mut out, (!source.is_supervisor()).then_some(self.generation));
        let _ = write!(out, ",\"priority\":{},\"text\":", self.priority.code());
        text(&mut out, &self.text);
        if let Some(event) = &self.event {
            out.push_str(",\"event\":");
            event.write(&mut out);
        }
        out + "}\n"
    }
}

impl Event {
    fn write(&self, out: &mut String) {
        let _ = write!(out, "{{\"level\":\"{}\"", self.level.word());
        let texts = [
            ("target", &self.target),
            ("actor", &self.actor),
            ("trace_id", &self.trace),
            ("file", &self.file),
        ];
        for (name, value) in texts {
            let _ = write!(out, ",\"{name}\":");
            if value.is_empty() { out.push_str("null") } else { text(out, value) }
        }
        out.push_str(",\"line\":");
        optional(out, Some(self.line).filter(|line| *line > 0));
        out.push_str(",\"fields\":{");
        for (number, (name, value)) in self.fields.iter().enumerate() {
            out.push_str(if number > 0 { "," } else { "" });
            text(out, name);
            out.push(':');
            text(out, value);
        }
        let _ = write!(out, "}},\"fields_omitted\":{}}}", self.omitted);
    }
}

impl Lost {
    /// Returns what was lost of a source, or of all, as a JSON document on one line.
    pub fn to_json(self, source: Option<&Source>) -> String {
        let mut out = format!("{{\"schema_version\":{SCHEMA_VERSION},");
        of(&mut out, source);
        let Self { dropped, forgotten } = self;
        let _ = write!(out, ",\"dropped\":{dropped},\"forgotten\":{forgotten}");
        out + "}\n"
    }
}

fn of(out: &mut String, source: Option<&Source>) {
    out.push_str("\"worker\":");
    match source {
        Some(source) => text(out, &source.worker),
        None => out.push_str("null"),
    }
    out.push_str(",\"instance\":");
    optional(out, source.filter(|source| !source.is_supervisor()).map(|source| source.instance));
}

fn optional(out: &mut String, value: Option<impl std::fmt::Display>) {
    let _ = match value {
        Some(value) => write!(out, "{value}"),
        None => write!(out, "null"),
    };
}

/// Writes a string of JSON.
fn text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => _ = write!(out, "\\u{:04x}", u32::from(control)),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// A moment since 1970, shown in UTC to the millisecond, as RFC 3339 has it.
struct Calendar(Duration);

impl std::fmt::Display for Calendar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What the calendar does not reach is said as its last second.
        let seconds = self.0.as_secs().min(253_402_300_799);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        // Eras of 400 years that begin with a March, so that the day that is there or not is the last of a year.
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
        let (hour, minute, milli) = (second / 3600, second / 60 % 60, self.0.subsec_millis());
        write!(f, "{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:", era * 400 + year)?;
        write!(f, "{:02}.{milli:03}Z", second % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::Moment;
    use crate::log::Priority;

    fn said(text: &str) -> Said {
        let at = Moment { wall: Duration::from_millis(951_782_400_001), monotonic_ns: 7 };
        Said { at, generation: 3, priority: Priority::Warning, text: text.to_owned(), event: None }
    }

    #[test]
    fn a_line_is_one_document_on_one_line() {
        let source = Source { worker: "web".into(), instance: 2, numbered: true };
        let expected = "{\"schema_version\":1,\"number\":9,\"time\":\"2000-02-29T00:00:00.001Z\",\"time_mono_ns\":7,\
                        \"worker\":\"web\",\"instance\":2,\"generation\":3,\"priority\":4,\"text\":\"hello\"}\n";
        assert_eq!(said("hello").to_json(Some(9), &source), expected);
        let own = said("hello").to_json(None, &Source::supervisor());
        assert!(own.contains("\"number\":null,"), "{own}");
        assert!(own.contains("\"worker\":\"bailiwick\",\"instance\":null,\"generation\":null"), "{own}");
        let lost = Lost { dropped: 2, forgotten: 3 }.to_json(Some(&source));
        let expected =
            "{\"schema_version\":1,\"worker\":\"web\",\"instance\":2,\"dropped\":2,\"forgotten\":3}\n";
        assert_eq!(lost, expected);
    }

    #[test]
    fn an_event_has_what_it_is_made_of() {
        let source = Source { worker: "web".into(), instance: 1, numbered: false };
        let event =
            Event { target: "web".into(), fields: vec![("n\"".into(), "7\\".into())], ..Event::default() };
        let found = Said { event: Some(Box::new(event)), ..said("hi") }.to_json(None, &source);
        let expected = ",\"text\":\"hi\",\"event\":{\"level\":\"info\",\"target\":\"web\",\"actor\":null,\
                        \"trace_id\":null,\"file\":null,\"line\":null,\"fields\":{\"n\\\"\":\"7\\\\\"},\
                        \"fields_omitted\":0}}\n";
        assert!(found.ends_with(expected), "{found}");
    }

    #[test]
    fn nothing_in_a_text_ends_it() {
        let source = Source::supervisor();
        for (raw, written) in [
            ("a \"b\" \\x1b\t", "\"a \\\"b\\\" \\\\x1b\\t\""),
            ("\u{1}\n\u{1f}", "\"\\u0001\\u000a\\u001f\""),
            ("größe 日本 🙂", "\"größe 日本 🙂\""),
            ("\"},{\"worker\":\"db\"", "\"\\\"},{\\\"worker\\\":\\\"db\\\"\""),
        ] {
            let found = said(raw).to_json(None, &source);
            assert!(found.ends_with(&format!(",\"text\":{written}}}\n")), "{found}");
        }
    }

    #[test]
    fn a_moment_is_written_in_utc() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (978_220_800_000, "2000-12-31T00:00:00.000Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (u64::MAX, "9999-12-31T23:59:59.615Z"),
        ] {
            assert_eq!(Calendar(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
