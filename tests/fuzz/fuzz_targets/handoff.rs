//! What a life has left unread to the next one, as one that was taken over may write it.
#![no_main]

use bailiwick_wire::handoff::{Writer, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut messages) = read(bytes) else { return };
    let mut writer = Writer::default();
    assert!(messages.all(|unread| writer.add(&unread)));
    // Each byte belongs to a message that was read, and to one only.
    assert_eq!(writer.into_bytes(), bytes);
});
