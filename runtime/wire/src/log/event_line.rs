//! An event as the one line by which a worker prints it among what else it prints.
//!
//! [`MARK`], and then parts with [`BETWEEN`] between them:
//!
//! | part | meaning |
//! | ---: | --- |
//! | 0 | `E`, `W`, `I`, `D` or `T` |
//! | 1 | the target |
//! | 2 | the actor, or nothing |
//! | 3 | the trace in 32 digits, or nothing |
//! | 4, 5 | file and line, or nothing |
//! | 6 | how many fields are left out |
//! | 7 | the text |
//! | 8, 9; 10, 11; … | name and value of each field |
//!
//! No part holds a control character as it is written: [`escape`] has put something else for it, and does so once more where
//! it is read. A line takes at most [`EVENT_BYTES`], which a pipe takes whole: nothing that others print at the same time
//! comes between.

use super::event::FIELDS_MAX;
use super::{Event, Level};
use crate::output::escape;
use crate::text::cut;

/// What every such line begins with; no text that people would read does.
pub const MARK: &[u8] = b"\x1ebw1\x1f";
/// What stands between its parts.
pub const BETWEEN: u8 = 0x1f;
/// The longest line that is written, with its end.
pub const EVENT_BYTES: usize = 4096;

const LETTERS: [u8; 5] = *b"EWIDT";
const TARGET_BYTES: usize = 128;
const ACTOR_BYTES: usize = 256;
const FILE_BYTES: usize = 256;
const TEXT_BYTES: usize = 2048;
const NAME_BYTES: usize = 64;
const VALUE_BYTES: usize = 1024;
/// The digits of the largest number, of which there are two.
const NUMBER_BYTES: usize = 10;
const TRACE_DIGITS: usize = 32;
/// What everything but the fields takes at most.
const HEAD_BYTES: usize = MARK.len()
    + 1
    + TARGET_BYTES
    + ACTOR_BYTES
    + TRACE_DIGITS
    + FILE_BYTES
    + 2 * NUMBER_BYTES
    + TEXT_BYTES
    + 7
    + 1;

/// Returns the line, with its end, that says this of `event`. What is too long is cut, and fields that there is no room for
/// are counted.
pub fn write(event: &Event, text: &str) -> Vec<u8> {
    let (mut fields, mut left, mut omitted) = (Vec::new(), EVENT_BYTES - HEAD_BYTES, event.omitted);
    for (number, (name, value)) in event.fields.iter().enumerate() {
        let (name, value) = (part(name, NAME_BYTES), part(value, VALUE_BYTES));
        let is_known = event.fields[..number].iter().any(|(before, _)| part(before, NAME_BYTES) == name);
        match left.checked_sub(name.len() + value.len() + 2) {
            Some(rest) if number < FIELDS_MAX && !name.is_empty() && !is_known => {
                left = rest;
                fields.extend([name, value]);
            }
            _ => omitted = omitted.saturating_add(1),
        }
    }
    // The beginning of a long path says nothing without its end.
    let file = if event.file.len() > FILE_BYTES { "" } else { &event.file };
    let number = |number: u32| if number == 0 { String::new() } else { number.to_string() };
    let trace = if is_trace(&event.trace) { event.trace.clone() } else { String::new() };
    let head = [
        char::from(LETTERS[event.level as usize]).to_string(),
        part(&event.target, TARGET_BYTES),
        part(&event.actor, ACTOR_BYTES),
        trace,
        part(file, FILE_BYTES),
        number(event.line),
        omitted.to_string(),
        part(text, TEXT_BYTES),
    ];
    let mut line = MARK.to_vec();
    for (number, part) in head.iter().chain(&fields).enumerate() {
        if number > 0 {
            line.push(BETWEEN);
        }
        line.extend(part.as_bytes());
    }
    line.push(b'\n');
    line
}

/// Returns the event and the text of a line without its end; `None` if it is none. What stands in it is escaped.
pub fn read(line: &[u8]) -> Option<(Event, String)> {
    let mut parts = line.strip_prefix(MARK)?.split(|byte| *byte == BETWEEN);
    let letter = parts.next()?;
    let level = LETTERS.iter().position(|known| letter == [*known])?;
    let mut text = || parts.next().map(escape);
    let (target, actor, trace) = (text()?, text()?, text()?);
    let (file, line, omitted, said) = (text()?, text()?, text()?, text()?);
    let mut fields: Vec<(String, String)> = Vec::new();
    while let Some(name) = parts.next() {
        let (name, value) = (escape(name), escape(parts.next()?));
        let is_known = fields.iter().any(|(before, _)| *before == name);
        if name.is_empty() || is_known || fields.len() == FIELDS_MAX {
            return None;
        }
        fields.push((name, value));
    }
    let line = if line.is_empty() { 0 } else { line.parse().ok()? };
    let is_one = trace.is_empty() || is_trace(&trace);
    let event = Event {
        level: Level::ALL[level],
        target,
        actor,
        trace,
        file,
        line,
        fields,
        omitted: omitted.parse().ok()?,
    };
    is_one.then_some((event, said))
}

fn is_trace(text: &str) -> bool {
    text.len() == TRACE_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn part(text: &str, bytes: usize) -> String {
    cut(&escape(text.as_bytes()), bytes)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::output::LINE_BYTES;

    fn field(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn whole() -> Event {
        Event {
            level: Level::Debug,
            target: "web::front".into(),
            actor: "front#2".into(),
            trace: "0123456789abcdef0123456789abcdef".into(),
            file: "src/front.rs".into(),
            line: 7,
            fields: vec![field("peer", "10.0.0.1"), field("bytes", "")],
            omitted: 0,
        }
    }

    fn again(event: &Event, text: &str) -> (Event, String) {
        let line = write(event, text);
        assert!(line.len() <= EVENT_BYTES && line.ends_with(b"\n"), "{}", line.len());
        assert!(!line[..line.len() - 1].contains(&b'\n'), "{}", line.escape_ascii());
        read(&line[..line.len() - 1]).unwrap_or_else(|| panic!("unread: {}", line.escape_ascii()))
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let written = write(&whole(), "accepted");
        let expected = b"\x1ebw1\x1fD\x1fweb::front\x1ffront#2\x1f0123456789abcdef0123456789abcdef\
                         \x1fsrc/front.rs\x1f7\x1f0\x1faccepted\x1fpeer\x1f10.0.0.1\x1fbytes\x1f\n";
        assert_eq!(written.escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert_eq!(again(&whole(), "accepted"), (whole(), "accepted".into()));
        assert_eq!(again(&Event::default(), ""), (Event::default(), String::new()));
    }

    #[test]
    fn nothing_in_a_part_ends_it() {
        let trick = "a\n\x1ebw1\x1fE\x1f\x1b[2J\u{202e}\0";
        let event = Event {
            target: trick.into(),
            actor: trick.into(),
            trace: trick.into(),
            file: trick.into(),
            fields: vec![field(trick, trick)],
            ..whole()
        };
        let (found, text) = again(&event, trick);
        let safe = escape(trick.as_bytes());
        assert_eq!((text.as_str(), found.target.as_str(), found.file.as_str()), (&*safe, &*safe, &*safe));
        assert_eq!((found.fields, found.trace.as_str()), (vec![(safe.clone(), safe)], ""));
    }

    #[test]
    fn what_is_too_long_is_cut_and_fields_without_room_are_counted() {
        let long = "\u{20ac}".repeat(10_000);
        let fields = (0..100).map(|number| (format!("{number}{long}"), long.clone())).collect();
        let event =
            Event { target: long.clone(), actor: long.clone(), file: long.clone(), fields, ..whole() };
        let (found, text) = again(&event, &long);
        assert_eq!((text.len(), found.target.len(), found.actor.len()), (2046, 126, 255));
        assert_eq!((found.fields.len(), found.omitted, found.file.as_str()), (1, 99, ""));
        for (count, omitted) in [(FIELDS_MAX, 0), (FIELDS_MAX + 1, 1)] {
            let fields = (0..count).map(|number| (number.to_string(), "x".into())).collect();
            let (found, _) = again(&Event { fields, ..whole() }, "");
            assert_eq!((found.fields.len(), found.omitted), (FIELDS_MAX, omitted));
        }
        let twice = Event { fields: vec![field("a", "1"), field("a", "2"), field("", "3")], ..whole() };
        assert_eq!((again(&twice, "").0.fields, again(&twice, "").0.omitted), (vec![field("a", "1")], 2));
    }

    #[test]
    fn what_only_looks_like_an_event_is_none() {
        let of = |rest: &str| [MARK, rest.replace('|', "\x1f").as_bytes()].concat();
        assert!(read(&of("E|t||||||0")).is_none() && read(&of("E|t|||||0|said")).is_some());
        let fields = |count: usize| (0..count).map(|number| format!("|{number}|x")).collect::<String>();
        assert!(read(&of(&format!("E|t|||||0|said{}", fields(FIELDS_MAX)))).is_some());
        for bad in [
            String::new(),
            "E".into(),
            "X|t|||||0|said".into(),
            "EE|t|||||0|said".into(),
            "E|t|||||0".into(),
            "E|t|||||-1|said".into(),
            "E|t||||x|0|said".into(),
            "E|t||0123||||0|said".into(),
            "E|t|||||0|said|name".into(),
            "E|t|||||0|said||value".into(),
            "E|t|||||0|said|a|1|a|2".into(),
            format!("E|t|||||0|said{}", fields(FIELDS_MAX + 1)),
        ] {
            assert!(read(&of(&bad)).is_none(), "{bad}");
        }
        for other in [&b"\x1e{\"a\":1}"[..], b"", b"\x1ebw2\x1fE", b" \x1ebw1\x1fE\x1ft"] {
            assert!(read(other).is_none(), "{}", other.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn whatever_a_worker_prints_is_bounded_and_safe_to_show(bytes in vec(any::<u8>(), 0..LINE_BYTES)) {
            let line = [&b"\x1ebw1\x1fI\x1ft\x1fa\x1f\x1f\x1f\x1f0\x1f"[..], &bytes].concat();
            let Some((event, text)) = read(&line) else { return Ok(()) };
            prop_assert!(event.fields.len() <= FIELDS_MAX);
            prop_assert!(event.bytes() + text.len() <= 4 * line.len());
            let texts = event.fields.iter().flat_map(|(name, value)| [name, value]).chain([&text]);
            prop_assert!(texts.flat_map(|text| text.chars()).all(|c| !c.is_control() || c == '\t'));
        }

        #[test]
        fn every_event_is_read_as_it_is_told(fields in vec((".{0,80}", ".{0,80}"), 0..40), text in ".{0,99}") {
            let told = u32::try_from(fields.len()).expect("few");
            let event = Event { fields, ..whole() };
            let (once, text) = again(&event, &text);
            prop_assert_eq!(u32::try_from(once.fields.len()).expect("few") + once.omitted, told);
            prop_assert_eq!(again(&once, &text), (once.clone(), text));
        }
    }
}
