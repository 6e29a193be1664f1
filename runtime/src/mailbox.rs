//! The bounds of a mailbox: how much it holds and what it does to a sender when it is full.

use bailiwick_supervisor::spec;

pub use bailiwick_wire::bootstrap::OnFull;

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

impl Mailbox {
    /// Holds up to `capacity` messages and 4 MiB; senders wait when it is full.
    pub const fn bounded(capacity: u32) -> Self {
        Self { capacity, capacity_bytes: BYTES_DEFAULT, on_full: OnFull::Wait }
    }

    /// Holds nothing: a send completes when the actor takes the message, whichever worker it comes from. A sender that does not
    /// wait is always refused.
    ///
    /// ```
    /// use bailiwick::{Mailbox, NotDelivered};
    /// # use bailiwick::prelude::*;
    /// # #[protocol] pub trait Part { async fn work(&mut self); }
    /// # struct Sound;
    /// # impl Part for Sound { async fn work(&mut self) {} }
    /// # bailiwick::local(async |mut cx| -> Result<(), ActorError> {
    /// let part: PartRef = cx.spawn(PartRef::serve(|| Sound).mailbox(Mailbox::rendezvous()))?;
    /// part.work().tell().await?; // it has the message
    /// assert_eq!(part.work().try_tell(), Err(NotDelivered::Full));
    /// # Ok(())
    /// # })
    /// # .unwrap();
    /// ```
    pub const fn rendezvous() -> Self {
        Self::bounded(0)
    }

    /// Holds whatever comes from actors of the same worker, until memory ends. What comes from other workers is bounded all the
    /// same, as by [`Mailbox::default`]: none of them can fill it.
    pub const fn unbounded() -> Self {
        Self::bounded(u32::MAX).capacity_bytes(u64::MAX)
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

    /// Returns what of it may be lent to senders in other workers: never more than bounds that there are by default, where there
    /// are none.
    pub(crate) fn lendable(self) -> Self {
        let most = Self::default();
        let capacity = if self.capacity == u32::MAX { most.capacity } else { self.capacity };
        let capacity_bytes =
            if self.capacity_bytes == u64::MAX { most.capacity_bytes } else { self.capacity_bytes };
        Self { capacity, capacity_bytes, ..self }
    }

    /// Tells whether a message waits outside of it until the actor takes it.
    pub(crate) const fn is_rendezvous(&self) -> bool {
        self.capacity == 0 && matches!(self.on_full, OnFull::Wait)
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
        let spec::Mailbox { capacity, capacity_bytes, on_full } = spec;
        let capacity_bytes = if capacity_bytes == u32::MAX { u64::MAX } else { capacity_bytes.into() };
        Self { capacity, capacity_bytes, on_full }
    }
}

const CAPACITY_DEFAULT: u32 = 1024;
const BYTES_DEFAULT: u64 = 4 << 20;
