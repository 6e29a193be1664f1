//! Typed references inside messages: the address travels beside the bytes, like a descriptor.
//!
//! Only actors of the sender's own worker travel: whoever receives a reference can reach the actor over the link that
//! brought it, and nobody is introduced to a third.

use bailiwick_wire::descriptors::{put_address, take_address};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::address::{Address, Target};
use crate::protocol::Protocol;

/// Writes a reference into the message that is being encoded.
pub fn serialize<P: Protocol, S: Serializer>(reference: &P, serializer: S) -> Result<S::Ok, S::Error> {
    let address = reference.address();
    match &address.0 {
        Target::Local(_) => {}
        Target::Peer(_) | Target::Pool(_) => {
            return Err(S::Error::custom(format_args!(
                "the actor {address} belongs to another worker, and only a worker's own actors can be passed on"
            )));
        }
    }
    put_address(Box::new(address.clone())).map_err(S::Error::custom)?.serialize(serializer)
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
