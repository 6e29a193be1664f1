//! A message or reply in the form that leaves the process: bytes, and the descriptors and addresses beside them.

use std::borrow::Cow;

use bailiwick_wire::Limits;
use bailiwick_wire::codec::bytes::AtOnce;
use bailiwick_wire::codec::{self, DecodeError, EncodeError};
use bailiwick_wire::descriptors::{Incoming, Outgoing};
use bailiwick_wire::schema::Schema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::outcome::{AskError, NotDelivered, Unknown};

/// What came over a link and is not yet decoded.
#[derive(Debug)]
pub struct Payload<'a> {
    /// The bytes of the value.
    pub(crate) bytes: Cow<'a, [u8]>,
    /// The descriptors and addresses that it refers to by number; closed if nobody takes them.
    pub(crate) beside: Incoming,
    /// What decoding may cost.
    pub(crate) limits: Limits,
}

/// A type that may be an argument or a reply: it can be encoded, decoded, described and moved to another thread.
///
/// Implemented for everything that has these properties; `#[message]` gives them to a type of yours.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel in a message",
    note = "put `#[message]` on the type; arguments and replies are owned values"
)]
pub trait Portable: Serialize + DeserializeOwned + Schema + Send + 'static {}

// The message above says more than which of the four traits is missing.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Schema + Send + 'static> Portable for T {}

/// What an asker makes of a reply that came over a link.
pub(crate) trait Replied: Sized + Send + 'static {
    /// Reads it, in the asker's turn.
    fn read(payload: Payload<'static>) -> Result<Self, AskError>;
}

impl<T: Portable> Replied for T {
    fn read(payload: Payload<'static>) -> Result<Self, AskError> {
        decode_reply(payload).map_err(|error| undecodable_reply(&error).into())
    }
}

/// Appends the arguments of a message to `out`. The values keep their descriptors.
pub fn encode<T: Serialize>(
    value: &T,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<Outgoing, Box<EncodeError>> {
    codec::encode_message(value, limits, out)
}

/// Decodes the arguments of a message within the limits of one turn.
pub(crate) fn decode<T: DeserializeOwned + Schema>(payload: Payload<'_>) -> Result<T, Box<DecodeError>> {
    let Payload { bytes, beside, limits } = payload;
    codec::decode_message(&bytes, beside, &limits)
}

/// Decodes a reply within the limits of one turn.
pub(crate) fn decode_reply<T: DeserializeOwned + Schema>(
    payload: Payload<'_>,
) -> Result<T, Box<DecodeError>> {
    decode::<AtOnce<T>>(payload).map(|AtOnce(reply)| reply)
}

/// A reply on its way to a link, which encodes it into its own buffer.
pub(crate) trait Encode {
    fn encode(&self, limits: &Limits, out: &mut Vec<u8>) -> Result<Outgoing, Box<EncodeError>>;
}

impl<T: Serialize + 'static> Encode for T {
    fn encode(&self, limits: &Limits, out: &mut Vec<u8>) -> Result<Outgoing, Box<EncodeError>> {
        encode(&AtOnce(self), limits, out)
    }
}

/// Returns what the asker is told of a reply that cannot be encoded.
pub(crate) fn unencodable_reply(error: &EncodeError) -> Unknown {
    match error.reason() {
        NotDelivered::TooLarge { limit, found, max } => Unknown::ReplyTooLarge { limit, found, max },
        _ => Unknown::ReplyUndecodable { detail: error.to_string() },
    }
}

/// Returns what the asker is told of a reply that does not decode.
pub(crate) fn undecodable_reply(error: &DecodeError) -> Unknown {
    Unknown::ReplyUndecodable { detail: error.to_string() }
}
