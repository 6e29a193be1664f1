//! Credit: how much one sending worker may have unconsumed in one mailbox.
//!
//! The receiver lends, the sender spends. Credit counts messages, bytes and descriptors at once. A message may
//! be sent while at least one message and one byte of credit are left, so a message larger than the credit
//! overdraws the bytes once instead of waiting for ever; descriptors are never overdrawn.
//!
//! Invariant, per mailbox and sender: what the sender has left, plus what is under way, plus what lies in the
//! mailbox, plus what was taken and not yet given back, is what was lent. [`Allowance`] is the sender's side,
//! [`Ledger`] the receiver's. Credit is lent small and grown only while the actor waits for the sender.

/// What one message weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Size {
    /// Bytes of its payload.
    pub bytes: u32,
    /// Descriptors that it carries.
    pub fds: u16,
}

/// An amount of credit, lent or given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Messages.
    pub messages: u32,
    /// Bytes of payload.
    pub bytes: u32,
    /// Descriptors.
    pub fds: u16,
}

impl Grant {
    /// Credit for nothing.
    pub const NONE: Self = Self { messages: 0, bytes: 0, fds: 0 };

    /// Returns what one message takes.
    pub const fn of(size: Size) -> Self {
        Self { messages: 1, bytes: size.bytes, fds: size.fds }
    }

    /// Tells whether this is credit for nothing.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Returns the sum, as far as the fields hold it.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(more.messages),
            bytes: self.bytes.saturating_add(more.bytes),
            fds: self.fds.saturating_add(more.fds),
        }
    }

    /// Returns how much comes back to the sender together when this is lent, but for descriptors.
    #[must_use]
    pub(crate) fn announced_at(self) -> Self {
        Self { messages: self.messages.div_ceil(4), bytes: self.bytes.div_ceil(4), fds: 0 }
    }
}

/// What a sender may still send to one mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Allowance {
    messages: u64,
    bytes: i64,
    fds: u32,
}

impl Allowance {
    /// Tells whether a message of `size` may be sent now.
    pub fn admits(&self, size: Size) -> bool {
        self.messages > 0 && self.bytes > 0 && self.fds >= u32::from(size.fds)
    }

    /// Pays for a message; returns false and pays nothing if the credit does not admit it.
    #[must_use]
    #[inline]
    pub fn spend(&mut self, size: Size) -> bool {
        if !self.admits(size) {
            return false;
        }
        self.messages -= 1;
        self.bytes -= i64::from(size.bytes);
        self.fds -= u32::from(size.fds);
        true
    }

    /// Adds credit that the receiver lent or gave back.
    pub fn add(&mut self, grant: Grant) {
        self.messages = self.messages.saturating_add(u64::from(grant.messages));
        self.bytes = self.bytes.saturating_add(i64::from(grant.bytes));
        self.fds = self.fds.saturating_add(u32::from(grant.fds));
    }

    /// Returns the messages that may still be sent.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    fn is_spent(&self) -> bool {
        self.messages == 0 || self.bytes <= 0
    }
}

/// What a sender is given at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Payment {
    /// For what was taken of its messages.
    pub back: Grant,
    /// What it never had before.
    pub more: Grant,
}

/// The receiver's books on one sender and one mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ledger {
    lent: Grant,
    left: Allowance,
    queued: u32,
    returned: Grant,
    /// Messages of those that the sender never had before.
    held: u32,
    /// The sender spent everything since the last wish.
    spent: bool,
    /// A wish for more was uttered and not yet answered.
    asked: bool,
}

impl Ledger {
    /// Opens the books with `lent` in the sender's hands.
    pub fn new(lent: Grant) -> Self {
        let mut left = Allowance::default();
        left.add(lent);
        Self { lent, left, queued: 0, returned: Grant::NONE, held: 0, spent: false, asked: false }
    }

    /// Opens the books with `lent` promised, of which the sender gets `held` messages only later: see [`Ledger::pay`].
    pub fn holding_back(lent: Grant, held: u32) -> Self {
        let mut books = Self::new(lent);
        let held = held.min(lent.messages);
        books.left.messages -= u64::from(held);
        (books.returned.messages, books.held) = (held, held);
        books
    }

    /// Enters a message that arrived; returns false if the sender had no credit for it.
    #[must_use]
    #[inline]
    pub fn receive(&mut self, size: Size) -> bool {
        let paid = self.left.spend(size);
        if paid {
            self.queued += 1;
            self.spent |= self.left.is_spent();
        }
        paid
    }

    /// Enters that a message has left the mailbox. Returns credit to announce to the sender, once a quarter of what
    /// was lent has come together: one announcement for many messages, early enough that some are always under way, and
    /// never so late that the sender starves, since a sender without credit has everything either here or in the mailbox.
    /// Descriptors come back at once: the next message may need all of them, while there is credit for its bytes.
    pub fn take(&mut self, size: Size) -> Option<Grant> {
        self.take_all(Grant::of(size))
    }

    /// Enters that messages have left the mailbox together, as [`Ledger::take`] does one by one.
    pub fn take_all(&mut self, taken: Grant) -> Option<Grant> {
        self.put_by(taken);
        let enough = self.lent.announced_at();
        let due = self.returned.messages >= enough.messages
            || self.returned.bytes >= enough.bytes
            || self.returned.fds > 0;
        due.then(|| {
            let grant = core::mem::take(&mut self.returned);
            self.left.add(grant);
            grant
        })
    }

    /// Enters that messages have left the mailbox. What they give back stays here until [`Ledger::pay`].
    pub fn put_by(&mut self, taken: Grant) {
        self.queued = self.queued.saturating_sub(taken.messages);
        self.returned = self.returned.plus(taken);
    }

    /// Tells whether the sender may be waiting for what was put by.
    pub fn is_awaited(&self) -> bool {
        self.returned.messages > 0 && (self.left.is_spent() || self.returned.fds > 0)
    }

    /// Returns the messages that the sender may be given credit for.
    pub fn put_by_messages(&self) -> u32 {
        self.returned.messages
    }

    /// Returns the messages that the sender may still send.
    pub fn left(&self) -> u32 {
        u32::try_from(self.left.messages()).unwrap_or(u32::MAX)
    }

    /// Gives the sender credit for so many messages of those that were put by, and all of the rest. Returns what is to
    /// be announced.
    pub fn pay(&mut self, messages: u32) -> Payment {
        let messages = messages.min(self.returned.messages);
        let grant = Grant { messages, ..self.returned };
        self.returned = Grant { messages: self.returned.messages - messages, ..Grant::NONE };
        self.left.add(grant);
        // These first: so the sender is told late rather than early of what was taken.
        let more = messages.min(self.held);
        self.held -= more;
        let back = Grant { messages: messages - more, ..grant };
        Payment { back, more: Grant { messages: more, ..Grant::NONE } }
    }

    /// Returns what should be lent in addition: as much again, if the sender has spent everything and the actor
    /// has caught up, so that the credit and not the actor is what slows it down. Asks once; the next wish waits
    /// for [`Ledger::lend`].
    pub fn wish(&mut self) -> Option<Grant> {
        let starved = self.queued == 0 && self.spent && !self.asked;
        starved.then(|| {
            (self.spent, self.asked) = (false, true);
            Grant { fds: 0, ..self.lent }
        })
    }

    /// Enters additional credit, possibly none; the caller announces it to the sender.
    pub fn lend(&mut self, more: Grant) {
        self.asked = false;
        self.lent = self.lent.plus(more);
        self.left.add(more);
    }

    /// Enters additional credit, possibly none, that the sender gets later: see [`Ledger::pay`].
    pub fn promise(&mut self, more: Grant) {
        self.asked = false;
        self.lent = self.lent.plus(more);
        self.returned = self.returned.plus(more);
        self.held = self.held.saturating_add(more.messages);
    }

    /// Returns what is lent in all.
    pub fn lent(&self) -> Grant {
        self.lent
    }

    /// Returns the messages of this sender that lie in the mailbox.
    pub fn queued(&self) -> u32 {
        self.queued
    }
}
