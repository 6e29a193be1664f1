//! A line as the journal of systemd takes it: fields, each on a line of its own, and an empty line at the end.
//!
//! What a worker says stands in values, which have no end of line, and in names of fields that begin with `F_`: it cannot
//! write any other field.

use std::fmt::Write;

use super::{Priority, SUPERVISOR, Said, Source};
use crate::operator::{self, EventKind};

/// What ends an entry; in none is there one before its end.
#[cfg(test)]
const END: &str = "\n\n";

/// The longest name of a field that the journal takes.
const NAME_BYTES: usize = 64;

impl Said {
    /// Returns the line as an entry of the journal.
    pub(super) fn to_entry(&self, source: &Source) -> String {
        let mut out = self.begin(source);
        whom(&mut out, &source.worker, source.instance, self.generation);
        if let Some(event) = &self.event {
            let line = Some(event.line).filter(|line| *line > 0).map(|line| line.to_string());
            let known = [
                ("BAILIWICK_ACTOR", event.actor.as_str()),
                ("TRACE_ID", &event.trace),
                ("TARGET", &event.target),
                ("CODE_FILE", &event.file),
                ("CODE_LINE", line.as_deref().unwrap_or_default()),
            ];
            let is_known = |(_, value): &(_, &str)| !value.is_empty();
            known.into_iter().filter(is_known).for_each(|(name, value)| field(&mut out, name, value));
            event.fields.iter().for_each(|(name, value)| field(&mut out, &own(name), value));
        }
        out + "\n"
    }

    /// Returns the entry of what the supervisor says of something that happened: whom it concerns stands where else its own name
    /// does.
    pub(super) fn to_entry_of(&self, event: &operator::Event) -> String {
        let mut out = self.begin(&Source::supervisor());
        let worker = if event.instance == 0 { SUPERVISOR } else { &event.worker };
        whom(&mut out, worker, event.instance, event.generation);
        field(&mut out, "MESSAGE_ID", message_id(event.kind));
        field(&mut out, "BAILIWICK_EVENT", event.kind.word());
        if let Some(cause) = event.cause {
            field(&mut out, "BAILIWICK_CAUSE", cause.word());
        }
        out + "\n"
    }

    /// Returns what each entry begins with.
    fn begin(&self, source: &Source) -> String {
        let mut out = String::new();
        field(&mut out, "MESSAGE", &self.shown());
        field(&mut out, "PRIORITY", &self.priority.code().to_string());
        field(&mut out, "SYSLOG_IDENTIFIER", &source.title());
        out
    }
}

/// Adds which life of which worker an entry is about; instance 0 is the supervisor.
fn whom(out: &mut String, worker: &str, instance: u16, generation: u32) {
    field(out, "BAILIWICK_WORKER", worker);
    if instance > 0 {
        field(out, "BAILIWICK_INSTANCE", &instance.to_string());
        field(out, "BAILIWICK_GENERATION", &generation.to_string());
    }
}

/// Returns what the journal knows each kind of event by, see `systemd.journal-fields(7)`: made at random, and never to change.
const fn message_id(kind: EventKind) -> &'static str {
    match kind {
        EventKind::State => "04fd4f6467594a97ba3bfc2156da4853",
        EventKind::Ended => "38db41ede6104775b6f946511135c516",
        EventKind::Alert => "29d93721577e455ab0ad10e55d9a4ad1",
        EventKind::Violation => "6aebf4cfb2f44d44af723c769473651e",
    }
}

/// Returns, as an entry, that so many were not taken.
pub(super) fn missed(lines: u64) -> String {
    let text = format!("[{lines} lines dropped]");
    let said = Said { priority: Priority::Warning, text, ..Said::default() };
    said.to_entry(&Source::supervisor())
}

fn field(out: &mut String, name: &str, value: &str) {
    // Whatever is told, a value ends where its line does.
    let _ = writeln!(out, "{name}={}", value.replace('\n', "\\n"));
}

/// Returns what the journal calls a field that a worker has named.
fn own(name: &str) -> String {
    let letter =
        |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    "F_".chars().chain(name.chars().map(letter)).take(NAME_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Event, Format, Level};

    fn web() -> Source {
        Source { worker: "web".into(), instance: 2, numbered: true }
    }

    #[test]
    fn what_happened_has_its_kind_and_whom_it_concerns() {
        let said = Said { priority: Priority::Warning, text: "web.2#3 ended".into(), ..Said::default() };
        let ended = operator::Event {
            worker: "web".into(),
            instance: 2,
            generation: 3,
            cause: Some(operator::Cause::Signal(9)),
            ..operator::Event::of(EventKind::Ended)
        };
        let expected = "MESSAGE=web.2#3 ended\nPRIORITY=4\nSYSLOG_IDENTIFIER=bailiwick\nBAILIWICK_WORKER=web\n\
                        BAILIWICK_INSTANCE=2\nBAILIWICK_GENERATION=3\nMESSAGE_ID=";
        let id = message_id(EventKind::Ended);
        let expected = format!("{expected}{id}\nBAILIWICK_EVENT=ended\nBAILIWICK_CAUSE=signal\n\n");
        assert_eq!(said.to_entry_of(&ended), expected);
        let of_all = said.to_entry_of(&operator::Event::of(EventKind::Alert));
        assert!(of_all.contains("\nBAILIWICK_WORKER=bailiwick\nMESSAGE_ID="), "{of_all}");
        assert!(of_all.ends_with(&format!("BAILIWICK_EVENT=alert{END}")), "{of_all}");
        let kinds = [EventKind::State, EventKind::Ended, EventKind::Alert, EventKind::Violation];
        let ids: std::collections::BTreeSet<_> = kinds.map(message_id).into_iter().collect();
        assert!(ids.len() == kinds.len() && ids.iter().all(|id| id.len() == 32));
    }

    #[test]
    fn a_line_has_its_worker_its_life_and_its_priority() {
        let said = Said { generation: 3, priority: Priority::Notice, text: "a=b".into(), ..Said::default() };
        let expected = "MESSAGE=a=b\nPRIORITY=5\nSYSLOG_IDENTIFIER=web.2\nBAILIWICK_WORKER=web\n\
                        BAILIWICK_INSTANCE=2\nBAILIWICK_GENERATION=3\n\n";
        assert_eq!(Format::Journald.line(Some(1), &web(), &said), expected);
        let own = "MESSAGE=a=b\nPRIORITY=5\nSYSLOG_IDENTIFIER=bailiwick\nBAILIWICK_WORKER=bailiwick\n\n";
        assert_eq!(Format::Journald.line(None, &Source::supervisor(), &said), own);
        let missed = "MESSAGE=[3 lines dropped]\nPRIORITY=4\nSYSLOG_IDENTIFIER=bailiwick\n";
        assert!(Format::Journald.unread(3).starts_with(missed));
    }

    #[test]
    fn an_event_has_its_actor_its_trace_its_place_and_its_fields() {
        let event = Event {
            level: Level::Warn,
            target: "shop".into(),
            actor: "front#1".into(),
            trace: "0".repeat(32),
            file: "src/a.rs".into(),
            line: 7,
            fields: vec![("peer.addr".into(), "10.0.0.1".into())],
            omitted: 0,
        };
        let said = Said { text: "odd".into(), event: Some(Box::new(event)), ..Said::default() };
        let found = said.to_entry(&web());
        let expected = format!(
            "BAILIWICK_GENERATION=0\nBAILIWICK_ACTOR=front#1\nTRACE_ID={}\nTARGET=shop\nCODE_FILE=src/a.rs\nCODE_LINE=7\n\
             F_PEER_ADDR=10.0.0.1\n\n",
            "0".repeat(32)
        );
        assert!(found.starts_with("MESSAGE=WARN front#1: odd peer.addr=10.0.0.1\n"), "{found}");
        assert!(found.ends_with(&expected), "{found}");
    }

    #[test]
    fn nothing_that_a_worker_says_is_another_field_or_entry() {
        let trick = "x\n\nPRIORITY=0\nBAILIWICK_WORKER=db";
        let event = Event {
            actor: trick.into(),
            fields: vec![(trick.into(), trick.into()), ("BAILIWICK_WORKER".into(), "db".into())],
            ..Event::default()
        };
        let said = Said { text: trick.into(), event: Some(Box::new(event)), ..Said::default() };
        let found = said.to_entry(&web());
        assert_eq!(found.matches(END).count(), 1, "{found}");
        let names: Vec<_> =
            found.trim_end().lines().map(|line| line.split('=').next().unwrap_or("")).collect();
        let known = ["MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "BAILIWICK_WORKER", "BAILIWICK_INSTANCE"];
        let rest = [
            "BAILIWICK_GENERATION",
            "BAILIWICK_ACTOR",
            "F_X__PRIORITY_0_BAILIWICK_WORKER_DB",
            "F_BAILIWICK_WORKER",
        ];
        assert_eq!(names, [&known[..], &rest].concat());
        assert!(own(&"n".repeat(99)).len() == NAME_BYTES);
    }
}
