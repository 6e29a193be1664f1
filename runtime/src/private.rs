//! What the macros' output names. No part of the public interface.

pub use std::sync::LazyLock;

pub use bailiwick_core::precedence::Priority;
pub use bailiwick_wire::Limits;
pub use bailiwick_wire::codec::EncodeError;
pub use bailiwick_wire::codec::bytes::{self, AtOnce};
pub use bailiwick_wire::descriptors::Outgoing;
pub use bailiwick_wire::schema::{self, MethodSchema, ProtocolSchema};
pub use serde;
use serde::de::DeserializeOwned;

pub use crate::payload::{Payload, encode};
pub use crate::reference::{deserialize, serialize};
pub use crate::reply::Reply;

/// Compiles only for types that can travel.
pub fn portable<T: crate::Portable>() {}

/// Compiles only for types that are checked, or that cannot be used unchecked.
pub fn checked<T: crate::Checked>() {}

/// The arguments of a message, as they are decoded.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel in a message",
    note = "put `#[message]` on the type; arguments and replies are owned values"
)]
pub trait Arguments: schema::Schema + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: schema::Schema + DeserializeOwned> Arguments for T {}

/// Decodes the arguments of a message.
pub fn decode<T: Arguments>(payload: Payload<'_>) -> Result<T, crate::NotDelivered> {
    crate::payload::decode(payload).map_err(|error| error.reason())
}

/// Answers an index that no method has.
pub fn no_such_method(protocol: &str, method: u16) -> crate::NotDelivered {
    let detail = format!("the protocol `{protocol}` has no method {method}");
    crate::NotDelivered::Undecodable { detail }
}
