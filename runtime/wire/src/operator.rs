//! What operators and the supervisor say to each other on `control.sock`.
//!
//! A client sends one fixed-size [`Request`] in one packet. The supervisor answers with fixed-size
//! [`Record`]s, one to a packet: to [`Verb::Status`] a [`Record::Head`], three lines of [`Record::Text`], empty where there is
//! no such thing: the path of the manifest, where the admin worker serves, and the file with its token; and one [`Record::Row`] for each instance of each worker, to [`Verb::Crashes`] reports as in [`crate::crash`],
//! to [`Verb::Log`] lines as in [`crate::log`], and to every verb a last [`Record::End`]. Nothing here allocates by
//! a length that a peer wrote. Everything richer than this belongs to the admin worker.

mod cause;
mod event;
mod fields;
mod reading;
mod record;
mod request;
mod tally;

pub use cause::{Cause, exit_code_meaning, signal_name, signal_number};
pub use event::{EVENTS_MAX, EVENTS_PER_ANSWER, Event, EventKind, Events, Follows, Spent};
pub use record::{
    Containment, End, GivenUp, Head, LAYOUT as RECORD_LAYOUT, MemoryMechanism, Outcome, Phase, RECORD_BYTES,
    Record, RecordError, Reload, Row, Signs, State, Status, TEXT_BYTES, Text,
};
pub use request::{
    Goal, NEXT_EVENT, REQUEST_BYTES, ReloadMode, Request, RequestError, Target, VERSION as REQUEST_VERSION,
    Verb,
};
pub use tally::{ReloadEnd, Tally};

/// The longest name of a worker, in bytes, that a request or a record holds.
pub const NAME_BYTES: usize = 64;

/// The longest title of a worker, in bytes: its name, a dot and the number of the instance.
pub const TITLE_BYTES: usize = NAME_BYTES + 6;

/// The size of a digest: SHA-256.
pub const DIGEST_BYTES: usize = 32;

/// SHA-256 of a file's content.
pub type Digest = [u8; DIGEST_BYTES];

/// Returns what people call an instance of a worker: the name, with the number if there may be several.
pub(crate) fn title(name: &str, instance: u16, numbered: bool) -> String {
    if numbered { format!("{name}.{instance}") } else { name.to_owned() }
}

/// Copies `name` into a zero-padded field; what is longer than the field is cut at a character.
fn name_field(name: &str) -> [u8; NAME_BYTES] {
    let mut end = name.len().min(NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let mut field = [0; NAME_BYTES];
    field[..end].copy_from_slice(&name.as_bytes()[..end]);
    field
}

/// Reads a zero-padded field back; `None` if it is no text or has bytes after the padding began.
fn name_from(field: &[u8]) -> Option<String> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    if field[end..].iter().any(|byte| *byte != 0) {
        return None;
    }
    std::str::from_utf8(&field[..end]).ok().map(str::to_owned)
}
