//! The supervisor's own socket, `control.sock`, as both ends see it.
//!
//! A client sends one fixed-size [`Request`] in one packet. The supervisor answers with fixed-size
//! [`Record`]s, one to a packet: to [`Verb::Status`] a [`Record::Head`] and one [`Record::Row`] for
//! each instance of each worker, and to every verb a last [`Record::End`]. Nothing here allocates by
//! a length that a peer wrote. Everything richer than this belongs to the admin worker.
//!
//! The file below the state directory is called [`SOCKET_NAME`]; who may connect is decided by
//! the kernel's credentials of the peer: root and the supervisor's own user operate, nobody else.

mod bytes;
mod cause;
mod client;
mod connections;
mod record;
mod request;

pub use cause::Cause;
pub use client::{Client, ClientError, Status};
pub use connections::{CONNECTIONS_MAX, ConnectionId, Connections, Turn};
pub use record::{End, Head, MemoryMechanism, Outcome, Phase, RECORD_BYTES, Record, RecordError, Row, State};
pub use request::{REQUEST_BYTES, Request, RequestError, Target, Verb};

/// The name of the socket in the state directory.
pub const SOCKET_NAME: &str = "control.sock";

/// The longest name of a worker, in bytes, that a request or a record holds.
pub const NAME_BYTES: usize = 64;

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
