//! The records on a worker's descriptor 3 after the bootstrap packet: 64 bytes each, both ways.
//!
//! | offset | bytes | meaning |
//! | ---: | ---: | --- |
//! | 0 | 1 | kind: 1 to 127 from the worker, 128 to 255 from the supervisor |
//! | 1 | 1 | zero |
//! | 2 | 2 | number of the peer |
//! | 4 | 4 | generation of the peer, or a slot of the link to it |
//! | 8 | 4 | detail: a fault, a cause, a method, how many messages were taken, of an order to drain or stop: 1 if no life comes after it, or of a link: 1 if it leads to a life beside the one that messages go to, 2 if a user is named, and 4 if memory is in its socket |
//! | 12 | 4 | the user of the peer |
//! | 16 | 32 | name of a kept descriptor, filled up with zeros; or the header of the frame that was at fault |
//! | 48 | 16 | hash of that frame's payload |
//!
//! A field that a kind does not have is zero. What a worker writes is hostile: a record that is not exactly
//! what [`ToSupervisor::to_bytes`] writes is refused.

use thiserror::Error;

use crate::audit::Evidence;
use crate::fault::Fault;

/// The size of every record.
pub const RECORD_BYTES: usize = 64;
/// The longest name of a kept descriptor.
pub const KEPT_NAME_BYTES: usize = 32;

/// Worker to supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToSupervisor {
    /// The second stage of the sandbox stands; no code of the user ran yet.
    Confined,
    /// At work.
    Ready,
    /// Asks for a pause.
    Unready,
    /// Everything begun is finished.
    Drained,
    /// Keep the attached descriptor.
    Keep {
        /// Under this name.
        name: String,
    },
    /// Close what is kept.
    Discard {
        /// Under this name.
        name: String,
    },
    /// The peer broke the protocol.
    Accuse {
        /// The peer.
        peer: u16,
        /// Its incarnation.
        generation: u32,
        /// What it did: the code of a [`Fault`], see [`ToSupervisor::fault`].
        fault: u32,
        /// By which frame.
        evidence: Evidence,
    },
    /// The link was closed because the peer broke its protocol: asks for a fresh one.
    Reopen {
        /// The peer.
        peer: u16,
        /// Its incarnation.
        generation: u32,
        /// What it did: the code of a [`Fault`].
        fault: u32,
        /// By which frame.
        evidence: Evidence,
    },
    /// There is nothing to do; what follows is the end.
    Skipped,
    /// All is well: earlier failures no longer matter.
    Settled,
    /// It has taken as many messages as one life may: takes no more, and finishes what it has.
    Spent {
        /// How many it has taken: at least one, or a life would end as planned that was of no use.
        taken: u32,
    },
    /// It has had nothing to do for as long as it is to stay for that.
    Idle,
    /// There is a message for a peer that starts on demand.
    Wanted {
        /// The peer.
        peer: u16,
    },
    /// A peer has used a method that it may use once, over all its lives: the next life of this worker is to know that.
    Used {
        /// The peer.
        peer: u16,
        /// The slot.
        slot: u32,
        /// The method, by its index in frames.
        method: u32,
    },
    /// Will not take up what has changed, after [`ToWorker::Update`] with actors: only a new life can.
    Declined,
    /// Cannot take up what has changed, after [`ToWorker::Update`] with actors: goes on as it was.
    Refused,
}

/// Supervisor to worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToWorker {
    /// User code may run. The folder of its threads may be attached, which its sandbox keeps it from opening.
    Go,
    /// A fresh link; its descriptor is attached.
    Link {
        /// The peer.
        peer: u16,
        /// Its incarnation.
        generation: u32,
        /// Messages to the peer go to another life of it. What comes over the link is taken as ever.
        beside: bool,
        /// The user that the kernel is to say of every packet, if it is asked.
        uid: Option<u32>,
        /// The first packet is memory that both ends share, and that messages go through.
        ring: bool,
    },
    /// From here on messages to a peer go to this life of it, to which there is a link already.
    Succeed {
        /// The peer.
        peer: u16,
        /// Its incarnation.
        generation: u32,
    },
    /// A peer's incarnation is dead.
    PeerDown {
        /// The peer.
        peer: u16,
        /// The incarnation.
        generation: u32,
        /// Why: a code of the supervisor's.
        cause: u32,
    },
    /// A kept descriptor is attached.
    Kept {
        /// Its name.
        name: String,
    },
    /// Finish what was begun, take nothing new.
    Drain {
        /// No life comes that could be left what is unread then.
        last: bool,
    },
    /// Stop.
    Stop {
        /// No life comes that could be left what is unread now.
        last: bool,
    },
    /// What has changed is attached, in memory: a [`crate::bootstrap::Update`].
    Update,
}

/// Why bytes are no record. The writer's fault.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlError {
    /// Neither shorter nor longer is taken.
    #[error("control record of {found} bytes, expected {RECORD_BYTES}")]
    Length {
        /// The bytes.
        found: usize,
    },
    /// No such kind in this direction.
    #[error("control record of unknown kind {found}")]
    Kind {
        /// The kind.
        found: u8,
    },
    /// A name is none.
    #[error("control record with an invalid name")]
    Name,
    /// A life that has taken nothing is said to be spent.
    #[error("control record of a life that is spent and has taken no message")]
    Unspent,
    /// Bytes stand where this kind has none.
    #[error("control record of kind {kind} with bytes in fields that it does not have")]
    Reserve {
        /// The kind.
        kind: u8,
    },
}

/// What a life leaves unread to the next one is kept under this name, which nobody else uses.
pub const HANDOFF_NAME: &str = ".handoff";

/// Under this name a life is given the connections on which it may ask something of the supervisor: each speaks as
/// `control.sock` does, see [`crate::operator`].
pub const CONTROL_NAME: &str = ".control";

/// Returns whether a user's descriptor can be kept under this name: any but those that are used already.
pub fn may_be_kept_as(name: &str) -> bool {
    is_kept_name(name) && ![HANDOFF_NAME, CONTROL_NAME].contains(&name)
}

/// Returns whether a descriptor can be kept under this name: 1 to 32 letters, digits and `. _ -`.
pub fn is_kept_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=KEPT_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain)
}

#[derive(Default)]
struct Fields {
    kind: u8,
    peer: u16,
    generation: u32,
    detail: u32,
    uid: u32,
    name: String,
    evidence: Option<Evidence>,
}

impl Fields {
    fn of(kind: u8) -> Fields {
        Fields { kind, ..Fields::default() }
    }

    fn named(kind: u8, name: &str) -> Fields {
        Fields { kind, name: name.to_owned(), ..Fields::default() }
    }

    fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[0] = self.kind;
        bytes[2..4].copy_from_slice(&self.peer.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.generation.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.detail.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.uid.to_le_bytes());
        // A name that is none is left out, and the record refused at the other end, instead of a part of it.
        if is_kept_name(&self.name) {
            bytes[16..16 + self.name.len()].copy_from_slice(self.name.as_bytes());
        }
        if let Some(Evidence { header, hash }) = &self.evidence {
            bytes[16..48].copy_from_slice(header);
            bytes[48..].copy_from_slice(hash);
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Fields, ControlError> {
        let bytes: &[u8; RECORD_BYTES] =
            bytes.try_into().map_err(|_| ControlError::Length { found: bytes.len() })?;
        let kind = bytes[0];
        let is_about_a_frame = matches!(kind, 7 | 9);
        let (mut name, mut evidence) = (&bytes[16..16 + KEPT_NAME_BYTES], None);
        if is_about_a_frame {
            let mut found = Evidence::default();
            found.header.copy_from_slice(name);
            found.hash.copy_from_slice(&bytes[48..]);
            (name, evidence) = (&[], Some(found));
        }
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Fields {
            kind,
            peer: u16::from_le_bytes([bytes[2], bytes[3]]),
            generation: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            detail: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            uid: u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]),
            name: String::from_utf8(name.to_vec()).map_err(|_| ControlError::Name)?,
            evidence,
        })
    }

    fn name(self) -> Result<String, ControlError> {
        if is_kept_name(&self.name) { Ok(self.name) } else { Err(ControlError::Name) }
    }
}

/// Refuses bytes that a record of this kind, written by us, does not have.
fn exactly(written: [u8; RECORD_BYTES], found: &[u8]) -> Result<(), ControlError> {
    if written == found { Ok(()) } else { Err(ControlError::Reserve { kind: written[0] }) }
}

impl ToSupervisor {
    /// Writes the record. A name that [`is_kept_name`] refuses makes a record that the supervisor refuses.
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        match self {
            Self::Confined => Fields::of(1),
            Self::Ready => Fields::of(2),
            Self::Unready => Fields::of(3),
            Self::Drained => Fields::of(4),
            Self::Keep { name } => Fields::named(5, name),
            Self::Discard { name } => Fields::named(6, name),
            &Self::Accuse { peer, generation, fault, evidence } => {
                Fields { peer, generation, detail: fault, evidence: Some(evidence), ..Fields::of(7) }
            }
            &Self::Reopen { peer, generation, fault, evidence } => {
                Fields { peer, generation, detail: fault, evidence: Some(evidence), ..Fields::of(9) }
            }
            Self::Skipped => Fields::of(10),
            Self::Settled => Fields::of(11),
            &Self::Spent { taken } => Fields { detail: taken, ..Fields::of(12) },
            Self::Idle => Fields::of(13),
            &Self::Wanted { peer } => Fields { peer, ..Fields::of(14) },
            &Self::Used { peer, slot, method } => {
                Fields { peer, generation: slot, detail: method, ..Fields::of(15) }
            }
            Self::Declined => Fields::of(20),
            Self::Refused => Fields::of(21),
        }
        .to_bytes()
    }

    /// Reads a record.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ControlError> {
        let fields = Fields::from_bytes(bytes)?;
        let evidence = fields.evidence.unwrap_or_default();
        let record = match fields.kind {
            1 => Self::Confined,
            2 => Self::Ready,
            3 => Self::Unready,
            4 => Self::Drained,
            5 => Self::Keep { name: fields.name()? },
            6 => Self::Discard { name: fields.name()? },
            7 => {
                let (peer, generation, fault) = (fields.peer, fields.generation, fields.detail);
                Self::Accuse { peer, generation, fault, evidence }
            }
            9 => {
                let (peer, generation, fault) = (fields.peer, fields.generation, fields.detail);
                Self::Reopen { peer, generation, fault, evidence }
            }
            10 => Self::Skipped,
            11 => Self::Settled,
            12 if fields.detail == 0 => return Err(ControlError::Unspent),
            12 => Self::Spent { taken: fields.detail },
            13 => Self::Idle,
            14 => Self::Wanted { peer: fields.peer },
            15 => Self::Used { peer: fields.peer, slot: fields.generation, method: fields.detail },
            20 => Self::Declined,
            21 => Self::Refused,
            found => return Err(ControlError::Kind { found }),
        };
        exactly(record.to_bytes(), bytes)?;
        Ok(record)
    }

    /// Returns the fault of an accusation, if it is one and names one that there is.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Accuse { fault, .. } => u8::try_from(*fault).ok().and_then(Fault::from_code),
            _ => None,
        }
    }

    /// Returns whether a descriptor is attached.
    pub fn carries_fd(&self) -> bool {
        matches!(self, Self::Keep { .. })
    }
}

impl ToWorker {
    /// Writes the record. A name that [`is_kept_name`] refuses makes a record that the worker refuses.
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        match self {
            Self::Go => Fields::of(129),
            &Self::Link { peer, generation, beside, uid, ring } => {
                let detail = u32::from(beside) | u32::from(uid.is_some()) << 1 | u32::from(ring) << 2;
                Fields { peer, generation, detail, uid: uid.unwrap_or_default(), ..Fields::of(130) }
            }
            &Self::PeerDown { peer, generation, cause } => {
                Fields { peer, generation, detail: cause, ..Fields::of(131) }
            }
            Self::Kept { name } => Fields::named(132, name),
            &Self::Drain { last } => Fields { detail: last.into(), ..Fields::of(133) },
            &Self::Stop { last } => Fields { detail: last.into(), ..Fields::of(134) },
            &Self::Succeed { peer, generation } => Fields { peer, generation, ..Fields::of(137) },
            Self::Update => Fields::of(140),
        }
        .to_bytes()
    }

    /// Reads a record.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ControlError> {
        let fields = Fields::from_bytes(bytes)?;
        let record = match fields.kind {
            129 => Self::Go,
            130 => Self::Link {
                peer: fields.peer,
                generation: fields.generation,
                beside: fields.detail & 1 == 1,
                uid: (fields.detail & 2 == 2).then_some(fields.uid),
                ring: fields.detail & 4 == 4,
            },
            131 => Self::PeerDown { peer: fields.peer, generation: fields.generation, cause: fields.detail },
            132 => Self::Kept { name: fields.name()? },
            133 => Self::Drain { last: fields.detail & 1 == 1 },
            134 => Self::Stop { last: fields.detail & 1 == 1 },
            137 => Self::Succeed { peer: fields.peer, generation: fields.generation },
            140 => Self::Update,
            found => return Err(ControlError::Kind { found }),
        };
        exactly(record.to_bytes(), bytes)?;
        Ok(record)
    }

    /// Returns the life of a peer that this is about, if it is about one.
    pub fn peer(&self) -> Option<(u16, u32)> {
        match *self {
            Self::Link { peer, generation, .. }
            | Self::Succeed { peer, generation }
            | Self::PeerDown { peer, generation, .. } => Some((peer, generation)),
            Self::Go | Self::Kept { .. } | Self::Drain { .. } | Self::Stop { .. } | Self::Update => None,
        }
    }

    /// Returns whether this takes the place of a link that the worker has not seen yet: a link to the same life on the
    /// same side does, and the end of that life.
    pub fn supersedes_link(&self, earlier: &Self) -> bool {
        let Self::Link { beside, .. } = earlier else { return false };
        let is_later_news = match self {
            Self::Link { beside: side, .. } => side == beside,
            Self::PeerDown { .. } => true,
            _ => false,
        };
        is_later_news && self.peer() == earlier.peer()
    }

    /// Returns whether a descriptor is attached; to [`Self::Go`] one may be.
    pub fn carries_fd(&self) -> bool {
        matches!(self, Self::Link { .. } | Self::Kept { .. } | Self::Update)
    }
}

#[cfg(test)]
mod tests;
