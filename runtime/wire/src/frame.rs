//! Frames: what a link carries, and how they lie in a packet.
//!
//! A packet is a row of whole frames, at most [`MAX_PACKET_BYTES`] long. A frame is a header of 32 bytes,
//! its extensions, and its payload. All integers are little endian.
//!
//! | offset | bytes | meaning |
//! | ---: | ---: | --- |
//! | 0 | 4 | length of what follows the header: extensions and payload |
//! | 4 | 1 | [`Kind`] |
//! | 5 | 1 | [`Flags`] |
//! | 6 | 2 | index of the method in its protocol |
//! | 8 | 4 | slot in the *receiver's* table for this link |
//! | 12 | 4 | generation of that slot |
//! | 16 | 8 | correlation: which ask this belongs to |
//! | 24 | 2 | descriptors that came with the packet for this frame |
//! | 26 | 2 | length of the extensions |
//! | 28 | 4 | zero |
//!
//! There is no sender: who sent a frame is known by the descriptor it came in on. Which fields, flags and
//! descriptors a kind may have is a table, [`Kind::rule`]; what the table does not permit our encoder
//! cannot produce, so its arrival is a violation.
//!
//! Parsing and writing allocate nothing but the growth of the caller's buffer.

mod extension;
mod fragment;
mod header;
mod kind;
mod packet;

pub use extension::{AddressEntry, Addresses, AskChain, Extensions, Part, TraceContext};
pub use fragment::{Assembled, Reassembler};
pub use header::{Flags, HEADER_BYTES, Header};
pub use kind::{Kind, PayloadRule, Rule};
pub use packet::{Frame, Frames, MAX_PACKET_BYTES, OpenFrame};

#[cfg(test)]
mod tests;
