//! A trace as a person reads it: a line for each message, in columns that grow with what comes.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use bailiwick_supervisor::check::escape;
use serde::Deserialize;

/// The columns, and how wide they are at least, so that most of what comes stands below what came.
const COLUMNS: [(&str, usize); 9] = [
    ("TIME", 24),
    ("ACTOR", 16),
    ("MESSAGE", 16),
    ("KIND", 4),
    ("FROM", 8),
    ("BYTES", 5),
    ("WAITED", 7),
    ("HANDLED", 7),
    ("ENDED", 0),
];

/// A line of the admin worker's.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    Begun(Begun),
    Message(Box<Message>),
    Broken {
        #[serde(flatten)]
        instance: Instance,
        why: String,
    },
    Over {
        why: String,
        lost: u64,
    },
    /// Of another build.
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Begun {
    workers: Vec<Instance>,
    untraced: Vec<Untraced>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Instance {
    worker: String,
    instance: u16,
}

#[derive(Clone, Debug, Deserialize)]
struct Untraced {
    #[serde(flatten)]
    instance: Instance,
    why: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Message {
    time: String,
    #[serde(flatten)]
    instance: Instance,
    actor: String,
    generation: u32,
    protocol: String,
    method: String,
    kind: String,
    from: Option<String>,
    bytes: Option<u32>,
    waited_s: Option<f64>,
    handled_s: f64,
    ended: String,
    pub(super) lost: u64,
}

/// What was shown so far.
pub(super) struct Table {
    /// The workers that may have several instances.
    numbered: BTreeSet<String>,
    colour: bool,
    widths: [usize; COLUMNS.len()],
    has_head: bool,
}

impl Table {
    pub(super) fn new(numbered: BTreeSet<String>, colour: bool) -> Self {
        let widths = COLUMNS.map(|(title, width)| width.max(title.len()));
        Self { numbered, colour, widths, has_head: false }
    }

    /// Says who is traced, and who is not.
    pub(super) fn begun(&self, begun: &Begun) -> String {
        let workers: Vec<_> = begun.workers.iter().map(|one| self.name(one)).collect();
        let mut text = format!("tracing in {}\n", workers.join(", "));
        for Untraced { instance, why } in &begun.untraced {
            // Text takes anything.
            let _ = writeln!(text, "  not in {}: {}", self.name(instance), escape(why));
        }
        text
    }

    /// Says that a worker is traced no longer.
    pub(super) fn broken(&self, instance: &Instance, why: &str) -> String {
        format!("{} is traced no longer: {}\n", self.name(instance), escape(why))
    }

    /// Returns a message as a line, behind what has to be said before it.
    pub(super) fn line(&mut self, message: &Message) -> String {
        let mut text = String::new();
        if !self.has_head {
            self.has_head = true;
            text += &self.row(COLUMNS.map(|(title, _)| title.to_owned()), None);
        }
        if message.lost > 0 {
            let worker = self.name(&message.instance);
            let _ = writeln!(text, "[{} messages of {worker} are not shown]", message.lost);
        }
        let cells = [
            escape(&message.time),
            format!("{}/{}#{}", self.name(&message.instance), escape(&message.actor), message.generation),
            format!("{}.{}", escape(&message.protocol), escape(&message.method)),
            escape(&message.kind),
            message.from.as_deref().map_or_else(|| "-".to_owned(), escape),
            message.bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string()),
            message.waited_s.map_or_else(|| "-".to_owned(), span),
            span(message.handled_s),
            escape(&message.ended),
        ];
        let code = match &*message.ended {
            "handled" => None,
            "panicked" => Some("31"),
            _ => Some("33"),
        };
        text + &self.row(cells, code.filter(|_| self.colour))
    }

    /// Returns cells as a line, the last of them in a colour.
    fn row(&mut self, cells: [String; COLUMNS.len()], code: Option<&str>) -> String {
        let mut text = String::new();
        let last = cells.len() - 1;
        for (column, (cell, width)) in cells.iter().zip(&mut self.widths).enumerate() {
            if column == last {
                break;
            }
            *width = (*width).max(cell.chars().count());
            let _ = write!(text, "{cell:<width$}  ", width = *width);
        }
        match code {
            Some(code) => text + &format!("\x1b[{code}m{}\x1b[0m\n", cells[last]),
            None => text + &cells[last] + "\n",
        }
    }

    fn name(&self, Instance { worker, instance }: &Instance) -> String {
        match self.numbered.contains(worker) {
            true => format!("{}.{instance}", escape(worker)),
            false => escape(worker),
        }
    }
}

/// Writes a time in three digits or so.
fn span(seconds: f64) -> String {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    let in_parts = |unit: f64, word: &str| match seconds * unit {
        few if few < 10.0 => format!("{few:.1}{word}"),
        many => format!("{many:.0}{word}"),
    };
    match time.as_micros() {
        0..1000 => in_parts(1e6, "µs"),
        1000..1_000_000 => in_parts(1e3, "ms"),
        _ => in_parts(1.0, "s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Event {
        serde_json::from_str(line).expect("it is one of those that there are")
    }

    const BEGUN: &str = r#"{"schema_version":1,"event":"begun","time":"2026-05-01T12:00:00.000Z","target":"Cache","count":100,
        "time_limit_s":5.0,"workers":[{"worker":"store","instance":1},{"worker":"web","instance":2}],
        "untraced":[{"worker":"web","instance":1,"why":"not granted\u001b"}]}"#;

    fn message(more: &str) -> Box<Message> {
        let line = format!(
            r#"{{"schema_version":1,"event":"message","time":"2026-05-01T12:00:00.123Z","time_mono_ns":7,"instance":2,
            "actor":"cache","generation":3,"type":"Cache","protocol":"Store","method":"get","trace_id":null,{more}}}"#
        );
        match read(&line) {
            Event::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }

    fn table(colour: bool) -> Table {
        Table::new(BTreeSet::from(["web".to_owned()]), colour)
    }

    #[test]
    fn messages_stand_in_columns_that_grow() {
        let mut table = table(false);
        let first = message(
            r#""worker":"store","kind":"ask","from":"web.1","bytes":17,"waited_s":0.0000012,"handled_s":0.0345,"ended":"handled","lost":0"#,
        );
        let second = message(
            r#""worker":"web","kind":"tell","from":null,"bytes":null,"waited_s":null,"handled_s":12.0,"ended":"cancelled\u001b[2J","lost":41"#,
        );
        let third = message(
            r#""worker":"a-worker-of-a-long-name","kind":"rendezvous","from":null,"bytes":null,"waited_s":0,"handled_s":0.000999,"ended":"panicked","lost":0"#,
        );
        let text: String = [&first, &second, &third, &first].map(|one| table.line(one)).concat();
        let expected = "\
TIME                      ACTOR             MESSAGE           KIND  FROM      BYTES  WAITED   HANDLED  ENDED
2026-05-01T12:00:00.123Z  store/cache#3     Store.get         ask   web.1     17     1.2µs    34ms     handled
[41 messages of web.2 are not shown]
2026-05-01T12:00:00.123Z  web.2/cache#3     Store.get         tell  -         -      -        12s      cancelled\\u{1b}[2J
2026-05-01T12:00:00.123Z  a-worker-of-a-long-name/cache#3  Store.get         rendezvous  -         -      0.0µs    999µs    panicked
2026-05-01T12:00:00.123Z  store/cache#3                    Store.get         ask         web.1     17     1.2µs    34ms     handled
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_did_not_go_well_is_coloured_where_colours_are() {
        let of = |ended: &str, colour| {
            let more = format!(
                r#""worker":"store","kind":"ask","from":null,"bytes":1,"waited_s":0.1,"handled_s":0.1,"ended":"{ended}","lost":0"#
            );
            table(colour).line(&message(&more))
        };
        assert!(of("panicked", true).ends_with("  \x1b[31mpanicked\x1b[0m\n"));
        assert!(of("expired", true).ends_with("  \x1b[33mexpired\x1b[0m\n"));
        assert!(!of("handled", true).contains('\x1b') && !of("panicked", false).contains('\x1b'));
    }

    #[test]
    fn who_is_traced_and_who_is_not_is_told_beside() {
        let Event::Begun(begun) = read(BEGUN) else { panic!("it is the first line") };
        let expected = "tracing in store, web.2\n  not in web.1: not granted\\u{1b}\n";
        assert_eq!(table(false).begun(&begun), expected);
        let broken = r#"{"schema_version":1,"event":"broken","time":"x","worker":"web","instance":2,"why":"link closed"}"#;
        let Event::Broken { instance, why } = read(broken) else { panic!("{broken}") };
        assert_eq!(table(false).broken(&instance, &why), "web.2 is traced no longer: link closed\n");
        assert!(matches!(read(r#"{"event":"more","x":1}"#), Event::Unknown));
    }

    #[test]
    fn a_span_has_few_digits() {
        let of = [0.0, 0.000_000_9, 0.000_5, 0.001, 0.0123, 1.0, 61.0, 1e300].map(span);
        assert_eq!(of[..7], ["0.0µs", "0.9µs", "500µs", "1.0ms", "12ms", "1.0s", "61s"]);
        assert!(of[7].ends_with('s'));
    }
}
