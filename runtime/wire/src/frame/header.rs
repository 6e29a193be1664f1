//! The fixed header of a frame. Its layout is the table in the module above.

use super::Kind;
use crate::fault::Violation;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 32;

/// Which extensions follow a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// No extension.
    pub const NONE: Flags = Flags(0);
    /// The time that the asker still waits.
    pub const REMAINING: Flags = Flags(1);
    /// The trace that this message belongs to.
    pub const TRACE: Flags = Flags(2);
    /// The asks that this message was sent from within.
    pub const CHAIN: Flags = Flags(4);
    /// The addresses that travel with the payload.
    pub const ADDRESSES: Flags = Flags(8);
    /// The payload is the first piece of a larger one.
    pub const PART: Flags = Flags(16);
    /// Every flag there is.
    pub const ALL: Flags = Flags(31);

    /// Returns the flags set in either.
    #[must_use]
    pub const fn union(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Returns whether every flag of `other` is set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the byte that travels.
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// The header of a frame, checked against [`Kind::rule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// What the frame is.
    pub kind: Kind,
    /// Which extensions follow; set by the writer from the extensions themselves.
    pub flags: Flags,
    /// Length of what follows the header; set by the writer.
    pub length: u32,
    /// Index of the method in its protocol.
    pub method: u16,
    /// Slot in the receiver's table for this link.
    pub slot: u32,
    /// Generation of that slot.
    pub generation: u32,
    /// Which ask this belongs to; never zero where the kind has one.
    pub correlation: u64,
    /// Descriptors that came with the packet for this frame.
    pub fds: u16,
    /// Length of the extensions; set by the writer.
    pub extension_bytes: u16,
}

impl Header {
    /// Returns the header of a frame of this kind that names nothing yet.
    pub const fn new(kind: Kind) -> Header {
        Header {
            kind,
            flags: Flags::NONE,
            length: 0,
            method: 0,
            slot: 0,
            generation: 0,
            correlation: 0,
            fds: 0,
            extension_bytes: 0,
        }
    }

    /// Returns the bytes that travel.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4] = self.kind as u8;
        bytes[5] = self.flags.bits();
        bytes[6..8].copy_from_slice(&self.method.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.slot.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.generation.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.correlation.to_le_bytes());
        bytes[24..26].copy_from_slice(&self.fds.to_le_bytes());
        bytes[26..28].copy_from_slice(&self.extension_bytes.to_le_bytes());
        bytes
    }

    /// Reads a header that a peer wrote and checks it against the rule of its kind.
    ///
    /// # Errors
    /// The violation, which our own encoder cannot produce.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Header, Violation> {
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let kind = Kind::from_code(bytes[4])?;
        let reserved = u32_at(28);
        if reserved != 0 {
            return Err(Violation::Reserved { kind, found: reserved });
        }
        let header = Header {
            kind,
            flags: Flags(bytes[5]),
            length: u32_at(0),
            method: u16_at(6),
            slot: u32_at(8),
            generation: u32_at(12),
            correlation: u64::from(u32_at(16)) | u64::from(u32_at(20)) << 32,
            fds: u16_at(24),
            extension_bytes: u16_at(26),
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), Violation> {
        let (kind, rule) = (self.kind, self.kind.rule());
        if !rule.flags.has(self.flags) {
            return Err(Violation::Flags { kind, found: self.flags.bits() });
        }
        if !rule.method && self.method != 0 {
            return Err(Violation::Field { kind, field: "method", found: self.method.into() });
        }
        if !rule.slot && self.slot != 0 {
            return Err(Violation::Field { kind, field: "slot", found: self.slot.into() });
        }
        if !rule.slot && self.generation != 0 {
            return Err(Violation::Field { kind, field: "generation", found: self.generation.into() });
        }
        if rule.correlation != (self.correlation != 0) {
            return Err(Violation::Field { kind, field: "correlation", found: self.correlation });
        }
        if !rule.fds && self.fds != 0 {
            return Err(Violation::Field { kind, field: "descriptors", found: self.fds.into() });
        }
        if u32::from(self.extension_bytes) > self.length {
            return Err(Violation::ExtensionLength { kind, found: self.extension_bytes.into() });
        }
        Ok(())
    }

    /// Returns the length of the payload, if the header was parsed or written by this crate.
    pub fn payload_bytes(&self) -> u32 {
        self.length.saturating_sub(self.extension_bytes.into())
    }
}
