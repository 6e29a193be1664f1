//! Typed references inside messages: the address travels beside the bytes, like a descriptor.
//!
//! Only actors of the sender's own worker travel: whoever receives a reference can reach the actor over the link that
//! brought it, and nobody is introduced to a third.

use std::sync::Arc;

use bailiwick_wire::descriptors::{put_address, take_address};
use bailiwick_wire::schema::ProtocolSchema;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::address::{Address, Target};
use crate::cell::Cell;
use crate::protocol::Protocol;

/// What stands beside the bytes for a reference on its way out.
pub(crate) struct Passed {
    pub(crate) cell: Arc<Cell>,
    pub(crate) protocol: &'static ProtocolSchema,
}

/// Writes a reference into the message that is being encoded.
pub fn serialize<P: Protocol, S: Serializer>(reference: &P, serializer: S) -> Result<S::Ok, S::Error> {
    let address = reference.address();
    let cell = match &address.0 {
        Target::Local(cell) => Arc::clone(cell),
        Target::Peer(_) | Target::Pool(_) => {
            return Err(S::Error::custom(format_args!(
                "the actor {address} belongs to another worker, and only a worker's own actors can be passed on"
            )));
        }
    };
    let passed = Passed { cell, protocol: P::schema() };
    put_address(Box::new(passed)).map_err(S::Error::custom)?.serialize(serializer)
}

/// Reads a reference from the message that is being decoded.
pub fn deserialize<'de, P: Protocol, D: Deserializer<'de>>(deserializer: D) -> Result<P, D::Error> {
    let number = u16::deserialize(deserializer)?;
    let address = take_address(number).map_err(D::Error::custom)?;
    match address.downcast::<Address>() {
        Ok(address) => Ok(P::from_address(*address)),
        Err(_) => Err(D::Error::custom("what came beside the message is no address")),
    }
}
