//! The bounds of a mailbox: how much it holds and what it does to a sender when it is full.

use bailiwick_supervisor::spec;

/// The bounds of the queue in front of one actor.
///
/// ```
/// use bailiwick::{Mailbox, OnFull};
///
/// let small = Mailbox::bounded(16).on_full(OnFull::Reject);
/// assert_eq!(small.capacity(), 16);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Mailbox {
    capacity: u32,
    capacity_bytes: u64,
    on_full: OnFull,
}

/// What a full mailbox does to a sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFull {
    /// The send waits until there is room. `try_tell` is refused instead.
    #[default]
    Wait,
    /// The send fails with `NotDelivered(Full)`.
    Reject,
    /// The oldest message that waits becomes a dead letter.
    DropOldest,
    /// The new message becomes a dead letter.
    DropNewest,
}

impl Mailbox {
    /// Holds up to `capacity` messages and 4 MiB; senders wait when it is full.
    pub const fn bounded(capacity: u32) -> Self {
        Self { capacity, capacity_bytes: BYTES_DEFAULT, on_full: OnFull::Wait }
    }

    /// Holds nothing: a send completes when the actor takes the message.
    pub const fn rendezvous() -> Self {
        Self::bounded(0)
    }

    /// Holds up to `bytes` bytes of messages. One message larger than that is taken by an empty mailbox.
    pub const fn capacity_bytes(self, bytes: u64) -> Self {
        Self { capacity_bytes: bytes, ..self }
    }

    /// Chooses what a full mailbox does.
    pub const fn on_full(self, on_full: OnFull) -> Self {
        Self { on_full, ..self }
    }

    /// Returns how many messages it holds.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.capacity
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.capacity_bytes
    }

    pub(crate) const fn policy(&self) -> OnFull {
        self.on_full
    }
}

/// 1024 messages, 4 MiB, senders wait.
impl Default for Mailbox {
    fn default() -> Self {
        Self::bounded(CAPACITY_DEFAULT)
    }
}

impl From<spec::Mailbox> for Mailbox {
    fn from(spec: spec::Mailbox) -> Self {
        let on_full = match spec.on_full {
            spec::OnFull::Wait => OnFull::Wait,
            spec::OnFull::Reject => OnFull::Reject,
            spec::OnFull::DropOldest => OnFull::DropOldest,
            spec::OnFull::DropNewest => OnFull::DropNewest,
        };
        Self { capacity: spec.capacity, capacity_bytes: spec.capacity_bytes.into(), on_full }
    }
}

const CAPACITY_DEFAULT: u32 = 1024;
const BYTES_DEFAULT: u64 = 4 << 20;
