//! What the macros' output names. No part of the public interface.

pub use std::sync::LazyLock;

pub use bailiwick_core::precedence::Priority;
pub use bailiwick_wire::Limits;
pub use bailiwick_wire::codec::EncodeError;
pub use bailiwick_wire::codec::bytes;
pub use bailiwick_wire::descriptors::Outgoing;
pub use bailiwick_wire::schema::{self, MethodSchema, ProtocolSchema};
pub use serde;

pub use crate::payload::{Payload, encode};
pub use crate::reference::{deserialize, serialize};
pub use crate::reply::Reply;

/// Compiles only for types that can travel.
pub fn portable<T: crate::Portable>() {}

/// Compiles only for types that are checked, or that cannot be used unchecked.
pub fn checked<T: crate::Checked>() {}

/// Decodes the arguments of a message.
pub fn decode<T: crate::Portable>(payload: Payload<'_>) -> Result<T, crate::NotDelivered> {
    crate::payload::decode(payload).map_err(|error| error.reason())
}

/// Answers an index that no method has.
pub fn no_such_method(protocol: &str, method: u16) -> crate::NotDelivered {
    let detail = format!("the protocol `{protocol}` has no method {method}");
    crate::NotDelivered::Undecodable { detail }
}
