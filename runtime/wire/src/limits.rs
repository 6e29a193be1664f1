//! The limits on one message, enforced alike by who encodes it and by who decodes it.

use serde::{Deserialize, Serialize};

/// How large one message may be. Both ends of a link work with the same values.
///
/// ```
/// use bailiwick_wire::{Limits, codec};
/// let limits = Limits { depth: 1, ..Limits::default() };
/// let mut out = Vec::new();
/// assert!(codec::encode(&vec![1u8, 2], &limits, &mut out).is_ok());
/// assert!(codec::encode(&vec![vec![1u8]], &limits, &mut out).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of one encoded payload.
    pub frame_bytes: u32,
    /// Values inside values: structs, variants with fields, options, sequences, maps.
    pub depth: u16,
    /// Elements of all sequences and entries of all maps together; single bytes are not counted.
    pub elements: u32,
    /// Bytes of memory that decoding may fill besides the value itself: elements, boxed values, text.
    pub produced_bytes: u32,
    /// Descriptors of one message.
    pub fds: u16,
    /// Addresses of one message.
    pub addresses: u16,
}

/// One of the [`Limits`], as errors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Limit {
    /// Bytes of one encoded payload.
    FrameBytes,
    /// Values inside values.
    Depth,
    /// Elements of all sequences and maps together.
    Elements,
    /// Bytes of memory that decoding would fill.
    ProducedBytes,
    /// Descriptors of one message.
    Fds,
    /// Addresses of one message.
    Addresses,
    /// Links of one chain of asks.
    Chain,
}

impl Limit {
    /// Returns the words for this limit in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Limit::FrameBytes => "payload bytes",
            Limit::Depth => "nesting depth",
            Limit::Elements => "elements",
            Limit::ProducedBytes => "decoded bytes",
            Limit::Fds => "descriptors",
            Limit::Addresses => "addresses",
            Limit::Chain => "asks in a chain",
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Limits {
    /// The most that `frame_bytes` may be set to; larger payloads travel as shared memory.
    pub const MAX_FRAME_BYTES: u32 = 1 << 20;
    /// The most that `depth` may be set to: a level costs up to about a kilobyte of stack.
    pub const MAX_DEPTH: u16 = 128;
    /// The most that `elements` may be set to.
    pub const MAX_ELEMENTS: u32 = 65_536;
    /// The most that `produced_bytes` may be set to.
    pub const MAX_PRODUCED_BYTES: u32 = 8 * Limits::MAX_FRAME_BYTES;
    /// The most that `fds` may be set to: what one packet's control buffer has room for.
    pub const MAX_FDS: u16 = 16;
    /// The most that `addresses` may be set to.
    pub const MAX_ADDRESSES: u16 = 8;

    /// For the messages of actors.
    pub const DATA: Limits = Limits::of_frame(64 << 10);
    /// For a link of which the manifest says nothing.
    pub const LINK: Limits = Limits::of_frame(Limits::MAX_FRAME_BYTES);
    /// For the handshake, failures and the other payloads of the runtime itself.
    pub const CONTROL: Limits = Limits { fds: 0, addresses: 0, ..Limits::of_frame(16 << 10) };
    /// For the bootstrap packet, which the supervisor writes.
    pub const BOOTSTRAP: Limits = Limits { fds: 0, addresses: 0, ..Limits::of_frame(64 << 10) };

    /// Returns the defaults for payloads of up to `frame_bytes`, at most [`Limits::MAX_FRAME_BYTES`].
    pub const fn of_frame(frame_bytes: u32) -> Limits {
        let frame_bytes =
            if frame_bytes > Limits::MAX_FRAME_BYTES { Limits::MAX_FRAME_BYTES } else { frame_bytes };
        Limits {
            frame_bytes,
            depth: 32,
            elements: Limits::MAX_ELEMENTS,
            produced_bytes: frame_bytes * 8,
            fds: Limits::MAX_FDS,
            addresses: Limits::MAX_ADDRESSES,
        }
    }

    /// Returns what is within both.
    #[must_use]
    pub fn common(self, other: Limits) -> Limits {
        Limits {
            frame_bytes: self.frame_bytes.min(other.frame_bytes),
            depth: self.depth.min(other.depth),
            elements: self.elements.min(other.elements),
            produced_bytes: self.produced_bytes.min(other.produced_bytes),
            fds: self.fds.min(other.fds),
            addresses: self.addresses.min(other.addresses),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits::DATA
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_documents() {
        let data = Limits::default();
        assert_eq!((data.frame_bytes, data.depth, data.elements), (65_536, 32, 65_536));
        assert_eq!(data.produced_bytes, 8 * data.frame_bytes);
        assert_eq!(Limits::CONTROL.frame_bytes, 16_384);
    }

    #[test]
    fn a_frame_larger_than_the_largest_is_cut_to_it() {
        assert_eq!(Limits::of_frame(u32::MAX), Limits::of_frame(Limits::MAX_FRAME_BYTES));
    }
}
