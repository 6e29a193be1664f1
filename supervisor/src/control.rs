//! The supervisor's own socket, `control.sock`: both ends of it.
//!
//! What travels there is [`bailiwick_wire::operator`], which is found here as well, and [`bailiwick_wire::log`]. The file
//! below the state directory is called [`SOCKET_NAME`]; who may connect is decided by the kernel's credentials of the
//! peer: root and the supervisor's own user operate, nobody else.

mod client;
mod connections;

pub use bailiwick_wire::operator::{
    Cause, Containment, End, Event, EventKind, Events, Follows, GivenUp, Goal, Head, MemoryMechanism,
    NAME_BYTES, NEXT_EVENT, Outcome, Phase, RECORD_BYTES, REQUEST_BYTES, Record, RecordError, Reload,
    ReloadEnd, ReloadMode, Request, RequestError, Row, Signs, Spent, State, Status, Tally, Target, Text,
    Verb, signal_name, signal_number,
};
pub use client::{Client, ClientError, capability_names};
pub use connections::{CONNECTIONS_MAX, ConnectionId, Connections, Turn};

/// The name of the socket in the state directory.
pub const SOCKET_NAME: &str = "control.sock";
