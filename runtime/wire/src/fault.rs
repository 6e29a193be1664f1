//! What can be wrong with what a peer sent, and what follows from it: four classes, one table.
//!
//! | class | what it is | what follows |
//! | --- | --- | --- |
//! | (a) `Violation` | what our encoder can never produce | the link is closed; who may accuse does |
//! | (b) `OverLimit` | over a limit that the sender enforces first | `NotDelivered`, counted, a violation above a rate |
//! | (c) `Raced` | right when it was sent: old generation, grant just revoked | `NotDelivered` |
//! | (d) `Undecodable` | a payload that does not decode | `NotDelivered(Undecodable)`, counted |

use crate::frame::Kind;

/// What follows from a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Our encoder can never produce it. Closes the link, and the more privileged end may accuse.
    Violation,
    /// Over a limit or a quota. Answered with `NotDelivered`, counted; a violation only above a rate, since a limit may
    /// have become narrower while the message was under way.
    OverLimit,
    /// The world changed while it was under way. Answered with `NotDelivered`.
    Raced,
    /// Does not decode. Answered with `NotDelivered(Undecodable)`, a violation only above a rate.
    Undecodable,
}

/// Everything that can be wrong with a frame. The code of each is what travels and what is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Fault {
    /// A packet cut by the kernel, without a byte, or longer than a packet may be.
    Packet = 1,
    /// A length, kind, flag, field or extension that no encoder of ours writes.
    Frame = 2,
    /// A kind that the state of the link does not permit.
    LinkState = 3,
    /// A slot that was never issued.
    UnknownSlot = 4,
    /// A generation above the slot's.
    FutureGeneration = 5,
    /// A generation below the slot's: the actor was restarted meanwhile.
    OldGeneration = 6,
    /// A method that the grant of this slot has never had.
    MethodNotGranted = 7,
    /// A grant that was taken away while the frame was under way.
    GrantRevoked = 8,
    /// More messages or bytes than there was credit for.
    Credit = 9,
    /// More asks open than the grant permits.
    InFlight = 10,
    /// Another number of descriptors than the header says.
    DescriptorCount = 11,
    /// A descriptor of a kind that the grant does not permit. What a descriptor really is the receiver sees first:
    /// an honest sender may have been handed something else than it believes.
    DescriptorNotGranted = 12,
    /// A descriptor of another kind than its field promises.
    DescriptorKind = 13,
    /// A descriptor lost because the receiver's own table was full.
    DescriptorTable = 14,
    /// A payload over a limit of the codec.
    PayloadOverLimit = 15,
    /// A payload that does not decode.
    Payload = 16,
    /// A reply, item or failure to an ask that was never sent.
    UnknownCorrelation = 17,
    /// A reply, item or failure to an ask that has ended meanwhile.
    EndedCorrelation = 18,
    /// A deadline that had passed on arrival.
    Expired = 19,
    /// More payloads that do not decode than a second may bring.
    UndecodableRate = 20,
    /// A payload longer than the receiver's hello permits.
    TooLarge = 21,
    /// A method that was granted for one use, used again.
    UsedUp = 22,
    /// More messages over a limit or quota than a minute may bring.
    QuotaRate = 23,
    /// A packet that the kernel says another process sent than the peer.
    Credentials = 24,
    /// A watch that is in use, unknown, or one too many.
    Watch = 25,
}

/// One row of [`FAULTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What is wrong.
    pub fault: Fault,
    /// What follows.
    pub class: Class,
    /// The words for audit records.
    pub text: &'static str,
}

const fn row(fault: Fault, class: Class, text: &'static str) -> Row {
    Row { fault, class, text }
}

/// What follows from what, by code; the first twenty in the order in which a receiver checks.
pub const FAULTS: [Row; 25] = [
    row(Fault::Packet, Class::Violation, "packet is cut, empty or too long"),
    row(Fault::Frame, Class::Violation, "frame is malformed"),
    row(Fault::LinkState, Class::Violation, "frame does not belong to the state of the link"),
    row(Fault::UnknownSlot, Class::Violation, "slot was never issued"),
    row(Fault::FutureGeneration, Class::Violation, "generation is above the slot's"),
    row(Fault::OldGeneration, Class::Raced, "generation is below the slot's"),
    row(Fault::MethodNotGranted, Class::Violation, "method was never granted"),
    row(Fault::GrantRevoked, Class::Raced, "grant was revoked"),
    row(Fault::Credit, Class::Violation, "more was sent than there was credit for"),
    row(Fault::InFlight, Class::OverLimit, "more asks are open than the grant permits"),
    row(Fault::DescriptorCount, Class::Violation, "number of descriptors is not the header's"),
    row(Fault::DescriptorNotGranted, Class::Undecodable, "descriptor is of a kind that is not granted"),
    row(Fault::DescriptorKind, Class::Undecodable, "descriptor is not of the promised kind"),
    row(Fault::DescriptorTable, Class::OverLimit, "receiver's table of descriptors was full"),
    row(Fault::PayloadOverLimit, Class::OverLimit, "payload is over a limit of the codec"),
    row(Fault::Payload, Class::Undecodable, "payload does not decode"),
    row(Fault::UnknownCorrelation, Class::Violation, "answers an ask that was never sent"),
    row(Fault::EndedCorrelation, Class::Raced, "answers an ask that has ended"),
    row(Fault::Expired, Class::Raced, "deadline had passed on arrival"),
    row(Fault::UndecodableRate, Class::Violation, "too many payloads do not decode"),
    row(Fault::TooLarge, Class::Violation, "payload is longer than the receiver takes"),
    row(Fault::UsedUp, Class::OverLimit, "method was granted for one use, and that was made"),
    row(Fault::QuotaRate, Class::Violation, "too many messages are over a limit of their grant"),
    row(Fault::Credentials, Class::Violation, "packet was sent by another process than the peer"),
    row(Fault::Watch, Class::Violation, "watch is in use, unknown, or one too many"),
];

impl Class {
    /// Returns the word for it in audit records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Violation => "violation",
            Self::OverLimit => "over_limit",
            Self::Raced => "raced",
            Self::Undecodable => "undecodable",
        }
    }
}

impl Fault {
    /// Returns the row of this fault.
    pub const fn row(self) -> Row {
        FAULTS[self as usize - 1]
    }

    /// Returns the word for it in audit records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Packet => "packet",
            Self::Frame => "frame",
            Self::LinkState => "link_state",
            Self::UnknownSlot => "unknown_slot",
            Self::FutureGeneration => "future_generation",
            Self::OldGeneration => "old_generation",
            Self::MethodNotGranted => "method_not_granted",
            Self::GrantRevoked => "grant_revoked",
            Self::Credit => "credit",
            Self::InFlight => "in_flight",
            Self::DescriptorCount => "descriptor_count",
            Self::DescriptorNotGranted => "descriptor_not_granted",
            Self::DescriptorKind => "descriptor_kind",
            Self::DescriptorTable => "descriptor_table",
            Self::PayloadOverLimit => "payload_over_limit",
            Self::Payload => "payload",
            Self::UnknownCorrelation => "unknown_correlation",
            Self::EndedCorrelation => "ended_correlation",
            Self::Expired => "expired",
            Self::UndecodableRate => "undecodable_rate",
            Self::TooLarge => "too_large",
            Self::UsedUp => "used_up",
            Self::QuotaRate => "quota_rate",
            Self::Credentials => "credentials",
            Self::Watch => "watch",
        }
    }

    /// Returns what follows from it.
    pub const fn class(self) -> Class {
        self.row().class
    }

    /// Returns the fault with this code, as accusations carry it.
    pub fn from_code(code: u8) -> Option<Fault> {
        FAULTS.get(usize::from(code).checked_sub(1)?).map(|row| row.fault)
    }
}

impl From<Fault> for u32 {
    fn from(fault: Fault) -> u32 {
        fault as u32
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.row().text)
    }
}

/// A packet or frame that our encoder can never produce. The peer's fault.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The packet ends within a header.
    #[error("packet ends after {found} bytes of a header")]
    HeaderCut {
        /// Bytes that were there.
        found: u32,
    },
    /// The packet ends within a frame.
    #[error("{kind:?} frame announces {announced} bytes, the packet has {found} more")]
    FrameCut {
        /// The frame's kind.
        kind: Kind,
        /// Bytes announced.
        announced: u32,
        /// Bytes that were there.
        found: u32,
    },
    /// No kind has this code.
    #[error("no kind of frame has the code {code}")]
    UnknownKind {
        /// The code.
        code: u8,
    },
    /// The reserved field is not zero.
    #[error("{kind:?} frame has {found:#x} in its reserved field")]
    Reserved {
        /// The frame's kind.
        kind: Kind,
        /// The field.
        found: u32,
    },
    /// Flags that this kind has not.
    #[error("{kind:?} frame has the flags {found:#04x}")]
    Flags {
        /// The frame's kind.
        kind: Kind,
        /// The flags.
        found: u8,
    },
    /// A field that must be zero is not, or must not be zero and is.
    #[error("{kind:?} frame has {found} as its {field}")]
    Field {
        /// The frame's kind.
        kind: Kind,
        /// The field.
        field: &'static str,
        /// Its value.
        found: u64,
    },
    /// The extensions are not what the flags announce.
    #[error("{kind:?} frame has {found} bytes of extensions, which are not what its flags announce")]
    ExtensionLength {
        /// The frame's kind.
        kind: Kind,
        /// Their length.
        found: u32,
    },
    /// The payload's length is not what the kind permits.
    #[error("{kind:?} frame has {found} bytes of payload, the limit is {limit}")]
    PayloadLength {
        /// The frame's kind.
        kind: Kind,
        /// The length.
        found: u32,
        /// What is permitted.
        limit: u32,
    },
    /// The pieces of a large payload do not fit together.
    #[error("part {number} {problem}")]
    Part {
        /// The part's number.
        number: u32,
        /// What does not fit.
        problem: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_own_row() {
        for (at, row) in FAULTS.iter().enumerate() {
            assert_eq!(row.fault as usize, at + 1, "{:?} stands in another's place", row.fault);
            assert_eq!(Fault::from_code(row.fault as u8), Some(row.fault));
        }
        assert_eq!(Fault::from_code(0), None);
        assert_eq!(Fault::from_code(FAULTS.len() as u8 + 1), None);
    }

    #[test]
    fn what_a_strangers_input_can_cause_is_never_a_violation() {
        for fault in [
            Fault::PayloadOverLimit,
            Fault::DescriptorTable,
            Fault::DescriptorNotGranted,
            Fault::InFlight,
            Fault::OldGeneration,
        ] {
            assert_ne!(fault.class(), Class::Violation, "{fault:?}");
        }
    }
}
