//! The lines by which workers tell events: whatever one prints is read as an event that is bounded and safe to show, or as none.

#![no_main]

use bailiwick_wire::log::FIELDS_MAX;
use bailiwick_wire::log::event_line::{BETWEEN, EVENT_BYTES, MARK, read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Most bytes are none: those are looked at as they are, and behind the mark.
    let _ = read(bytes);
    let line = [MARK, bytes].concat();
    let Some((event, text)) = read(&line) else { return };
    assert!(event.fields.len() <= FIELDS_MAX);
    assert!(event.bytes() + text.len() <= 4 * line.len(), "more than four times what was printed");
    let texts = event.fields.iter().flat_map(|(name, value)| [name, value]);
    for text in texts.chain([&text, &event.target, &event.actor, &event.trace, &event.file]) {
        assert!(text.chars().all(|letter| !letter.is_control() || letter == '\t'), "{text:?}");
    }
    let written = write(&event, &text);
    assert!(written.len() <= EVENT_BYTES && written.ends_with(b"\n"));
    let body = &written[MARK.len()..written.len() - 1];
    assert!(body.iter().all(|byte| *byte == BETWEEN || !byte.is_ascii_control() || *byte == b'\t'));
    let (again, said) = read(&written[..written.len() - 1]).expect("what is written is read");
    assert_eq!(
        (again.level, &again.actor[..again.actor.len().min(8)]),
        (event.level, &event.actor[..again.actor.len().min(8)])
    );
    // What was short enough to be kept whole is the same.
    if line.len() < 512 && event.fields.is_empty() && text.len() < 512 {
        assert_eq!((again.target, said), (event.target, text));
    }
});
