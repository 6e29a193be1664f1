//! The payloads of the handshake: what each end of a link will use, and why one refuses.

use serde::{Deserialize, Serialize};

use crate::schema::{Fingerprint, MethodShape};

/// The version of the frames and of the codec. Two ends with different ones do not talk.
pub const WIRE_VERSION: u16 = 1;

/// The payload of a `Hello` frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`WIRE_VERSION`] of the sender.
    pub version: u16,
    /// Bytes of one payload that the sender takes.
    pub message_bytes: u32,
    /// Descriptors of one message that the sender takes.
    pub message_fds: u16,
    /// Items of one stream that may be under way to the sender.
    pub items: u32,
    /// Watches that the sender permits at a time.
    pub watches: u32,
    /// The methods that the sender will use.
    pub uses: Vec<Use>,
}

/// One method that the sender of a hello will use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The slot in the receiver's table.
    pub slot: u32,
    /// The method's index.
    pub method: u16,
    /// What the sender was compiled with.
    pub fingerprint: Fingerprint,
}

/// The payload of a `HelloAck` frame: the first credit for each slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offers(pub Vec<Offer>);

/// The first credit for one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The slot.
    pub slot: u32,
    /// Its generation.
    pub generation: u32,
    /// Messages.
    pub messages: u32,
    /// Bytes of payload.
    pub bytes: u32,
    /// Whether a sender without credit waits; otherwise its send fails with `Full`.
    pub wait: bool,
    /// Asks that may be open at a time.
    pub asks: u32,
}

/// The payload of a `Refuse` frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The sender speaks another version.
    Version {
        /// The one it speaks.
        spoken: u16,
    },
    /// A method is compiled differently at the two ends.
    Schema {
        /// The slot.
        slot: u32,
        /// The method's index.
        method: u16,
        /// What the refusing end takes it to be.
        theirs: MethodShape,
    },
}
