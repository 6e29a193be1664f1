//! The payloads of the handshake: what each end of a link takes and will use, and why one refuses.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::schema::{Fingerprint, MethodShape};

/// The version of the frames and of the codec. Two ends with different ones do not talk.
pub const WIRE_VERSION: u16 = 4;

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
}

/// The payload of a `Uses` frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses(pub Vec<Use>);

/// One method that the sender will use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// Which method: see [`method_name`].
    pub name: u64,
    /// What the sender was compiled with.
    pub fingerprint: Fingerprint,
}

/// Returns the number by which two ends mean the same method, wherever it stands in its protocol.
pub fn method_name(protocol: &str, method: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = Fingerprint::of(&format!("{protocol}::{method}")).0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The payload of an `Offer` frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The terms; none if there is no such actor.
    pub terms: Option<Terms>,
    /// The methods that were named and not refused, and the index of each in frames; none if not granted.
    pub methods: Vec<(Use, Option<u16>)>,
}

/// What a receiver grants for one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The slot's generation.
    pub generation: u32,
    /// The first credit: messages.
    pub messages: u32,
    /// Bytes of payload.
    pub bytes: u32,
    /// Descriptors.
    pub fds: u32,
    /// Whether a sender without credit waits; otherwise its send fails with `Full`.
    pub wait: bool,
    /// Whether the mailbox holds nothing: a tell ends when the actor takes it.
    pub rendezvous: bool,
    /// Asks that may be open at a time.
    pub asks: u32,
    /// So many messages at once, and in each period in the long run; and so many before the next has to be earned.
    pub rate: Option<(u32, Duration, u32)>,
    /// Whether each method may be used once.
    pub once: bool,
    /// Those of them that were used, by their index in frames, the first in the lowest bit of the first.
    pub used: [u64; 2],
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
        /// The method: see [`method_name`].
        method: u64,
        /// What the refusing end takes it to be.
        theirs: MethodShape,
    },
}
