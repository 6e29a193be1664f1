//! A message or reply in the form that leaves the process: bytes, and the descriptors and addresses beside them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::outcome::NotDelivered;
use crate::schema::{Incoming, Outgoing, Schema};

/// What came over a link and is not yet decoded.
#[derive(Debug)]
pub struct Payload {
    /// The bytes of the value.
    pub(crate) bytes: Vec<u8>,
    /// The descriptors and addresses that it refers to by number; closed if nobody takes them.
    pub(crate) beside: Incoming,
}

/// What is written to a link.
#[derive(Debug, Default)]
pub struct Encoded {
    /// The bytes of the value.
    pub(crate) bytes: Vec<u8>,
    /// The descriptors and addresses that it refers to by number.
    pub(crate) beside: Outgoing,
}

/// A type that may be an argument or a reply: it can be encoded, decoded, described and moved to another thread.
///
/// Implemented for everything that has these properties; `#[message]` gives them to a type of yours.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel in a message",
    note = "put `#[message]` on the type; arguments and replies are owned values"
)]
pub trait Portable: Serialize + DeserializeOwned + Schema + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Schema + Send + 'static> Portable for T {}

/// Encodes the arguments of a message, or a reply. The value keeps its descriptors.
pub fn encode<T: Serialize>(_value: &T) -> Result<Encoded, NotDelivered> {
    Err(NotDelivered::Unencodable { reason: "no codec".into() })
}

/// Decodes the arguments of a message, or a reply, within the limits of one turn.
pub fn decode<T: DeserializeOwned>(_payload: Payload) -> Result<T, NotDelivered> {
    Err(NotDelivered::Undecodable { reason: "no codec".into() })
}
