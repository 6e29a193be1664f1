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
    let fields = event.fields.iter().flat_map(|(name, value)| [name, value]);
    let texts: Vec<_> = fields.chain([&text, &event.target, &event.actor, &event.trace, &event.file]).collect();
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    assert!(bytes <= 8 * line.len(), "{bytes} bytes of {} that were printed", line.len());
    for text in texts {
        assert!(text.chars().all(|letter| !letter.is_control() || letter == '\t'), "{text:?}");
    }
    let written = write(&event, &text);
    assert!(written.len() <= EVENT_BYTES && written.ends_with(b"\n"));
    let body = &written[MARK.len()..written.len() - 1];
    assert!(body.iter().all(|byte| *byte == BETWEEN || !byte.is_ascii_control() || *byte == b'\t'));
    let (again, said) = read(&written[..written.len() - 1]).expect("what is written is read");
    let beginning = |text: &str| text.bytes().take(8).collect::<Vec<_>>();
    assert_eq!((again.level, beginning(&again.actor)), (event.level, beginning(&event.actor)));
    // What was short enough to be kept whole is the same.
    if event.target.len() <= 128 && text.len() <= 2048 {
        assert_eq!((again.target, said), (event.target, text));
    }
});
