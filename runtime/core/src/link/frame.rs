//! Frames as the machine sees them: what a header says. Payloads and descriptors stay with the driver.

use alloc::vec::Vec;
use core::time::Duration;

use super::failure::Failure;
use super::tables::Methods;
use crate::asks::Ticket;
use crate::credit::{Grant, Size};
use crate::pace::Rate;

/// The version of the link protocol that this machine speaks.
pub const VERSION: u16 = 4;

/// One thing said over a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Frame {
    /// The first frame of each side: what it is and what it takes.
    Hello(Hello),
    /// The peer's hello holds.
    HelloAck,
    /// Which methods of an actor this side will use, each with what it was compiled with.
    Uses {
        /// The actor's slot, in the receiver's table.
        slot: u32,
        /// The methods.
        uses: Vec<Method>,
    },
    /// The answer to [`Frame::Uses`]: how the actor is to be reached.
    Offer(Offer),
    /// The hello, or a use, does not hold. The driver adds this side's shape.
    Refuse(Refusal),
    /// A message without a reply.
    Tell {
        /// The actor.
        target: Target,
        /// The method's index among the actor's methods.
        method: u16,
        /// What the message weighs.
        size: Size,
    },
    /// A message without a reply, for a mailbox that holds nothing: [`Frame::Reply`] says that the actor took it.
    Rendezvous {
        /// The actor.
        target: Target,
        /// The method's index among the actor's methods.
        method: u16,
        /// What the message weighs.
        size: Size,
        /// By what the answer will be known.
        correlation: Ticket,
    },
    /// A message with a reply, or with a stream of replies.
    Ask {
        /// The actor.
        target: Target,
        /// The method's index among the actor's methods.
        method: u16,
        /// What the message weighs.
        size: Size,
        /// By what the reply will be known.
        correlation: Ticket,
        /// The time that the asker will still wait.
        remaining: Option<Duration>,
    },
    /// The reply to an ask, or that a rendezvous took place; ends it.
    Reply {
        /// The ask.
        correlation: Ticket,
        /// What the reply weighs.
        size: Size,
    },
    /// Why there is no reply; ends the ask.
    Failure {
        /// The ask.
        correlation: Ticket,
        /// The reason.
        failure: Failure,
    },
    /// The answer is a stream, and it begins.
    Opened {
        /// The ask.
        correlation: Ticket,
    },
    /// One of a stream of replies.
    Item {
        /// The ask.
        correlation: Ticket,
        /// What the item weighs.
        size: Size,
    },
    /// The end of a stream of replies; ends the ask.
    End {
        /// The ask.
        correlation: Ticket,
    },
    /// The asker no longer waits; ends the ask on both sides.
    Cancel {
        /// The ask.
        correlation: Ticket,
    },
    /// Credit for more items of a stream.
    More {
        /// The ask.
        correlation: Ticket,
        /// The number of items.
        items: u32,
    },
    /// Credit that is given back, for messages to one mailbox that have left it.
    Credit {
        /// The mailbox.
        target: Target,
        /// How much.
        grant: Grant,
    },
    /// More credit than before for messages to one mailbox.
    Lend {
        /// The mailbox.
        target: Target,
        /// How much.
        grant: Grant,
    },
    /// Wishes to be told when an actor ends.
    Watch {
        /// The actor.
        target: Target,
        /// By what the answer will be known.
        watch: WatchId,
    },
    /// Takes a [`Frame::Watch`] back.
    Unwatch {
        /// The watch.
        watch: WatchId,
    },
    /// A watched actor has ended; ends the watch.
    Down {
        /// The watch.
        watch: WatchId,
        /// Why, as a code of the runtime's.
        cause: Cause,
    },
    /// The sender no longer names this slot; it may be used for another actor.
    Release {
        /// The slot.
        target: Target,
    },
    /// A slot is no longer to be had; what is still sent there is not delivered.
    Revoke {
        /// The slot.
        target: Target,
    },
    /// Nothing should be sent to this side until [`Frame::Ready`].
    Unready,
    /// This side takes messages again.
    Ready,
    /// This side takes no new messages and finishes what it has.
    Draining,
    /// This side heard that the other one drains: no message of its own comes behind this.
    Heard,
    /// The last frame of a side.
    Close(CloseReason),
}

/// The first frame of each side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hello {
    /// The version of the link protocol.
    pub version: u16,
    /// What this side takes.
    pub limits: Limits,
}

/// One method of an actor, as one side was compiled with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Method {
    /// Which method is meant.
    pub name: MethodName,
    /// What it is taken to be.
    pub fingerprint: Fingerprint,
}

/// A hash over the names of protocol and method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MethodName(pub u64);

/// A hash over the structure of a method: name, arguments, reply.
pub type Fingerprint = [u8; 16];

/// How an actor is to be reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// The slot.
    pub slot: u32,
    /// The terms; none if there is no such actor.
    pub terms: Option<Terms>,
    /// The methods that were named and not refused, with their index in frames; none if it is not granted.
    pub methods: Vec<(Method, Option<u16>)>,
}

/// What a receiver grants to all that the sender's worker sends to one actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// Which use of the slot the offer is for.
    pub generation: u32,
    /// The first credit; none if the slot was offered before on this transport.
    pub grant: Grant,
    /// Whether a sender without credit waits; otherwise its send fails with `Full`.
    pub wait: bool,
    /// The mailbox holds nothing: a tell ends when the actor takes it, and goes as [`Frame::Rendezvous`].
    pub rendezvous: bool,
    /// Asks that may be open at a time.
    pub asks: u32,
    /// How fast messages may come, and how many of them before the next is earned. The credit holds to it; by this the
    /// sender knows what it would wait for.
    pub rate: Option<(Rate, u32)>,
    /// Each method may be used once.
    pub once: bool,
    /// Those of them that were used.
    pub used: Methods,
}

impl Terms {
    /// Returns terms that bound nothing but credit and open asks.
    pub const fn plain(generation: u32, grant: Grant, asks: u32) -> Self {
        let (wait, rendezvous, rate, once, used) = (true, false, None, false, Methods::NONE);
        Self { generation, grant, wait, rendezvous, asks, rate, once, used }
    }
}

/// A use that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The other side speaks another version.
    Version {
        /// The version that the refusing side speaks.
        spoken: u16,
    },
    /// The method is compiled differently on the two sides.
    Schema {
        /// The slot.
        slot: u32,
        /// The method.
        method: MethodName,
        /// What the refusing side takes the method to be.
        fingerprint: Fingerprint,
    },
}

/// What one side of a link takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Bytes of one payload.
    pub message_bytes: u32,
    /// Descriptors of one message.
    pub message_fds: u16,
    /// Items of one stream of replies that may be under way.
    pub items: u32,
    /// Watches of the peer at a time.
    pub watches: u32,
}

impl Limits {
    /// The limits unless the manifest says otherwise.
    pub const DEFAULT: Self = Self { message_bytes: 1 << 20, message_fds: 16, items: 32, watches: 4096 };

    /// Returns what both sides hold to.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self {
            message_bytes: self.message_bytes.min(other.message_bytes),
            message_fds: self.message_fds.min(other.message_fds),
            items: self.items.min(other.items),
            watches: self.watches.min(other.watches),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A slot of the receiver's table, and which of its uses is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The index in the table.
    pub slot: u32,
    /// Counts the uses of that index.
    pub generation: u32,
}

/// By what a watch is known, chosen by the watcher's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchId(pub u64);

/// Why something ended, as a code that the machine only carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cause(pub u32);

impl Cause {
    /// The actor was not there when the watch arrived.
    pub const GONE: Self = Self(0);
}

/// Why a side closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// It has drained, or stops.
    Done,
    /// The other side broke the protocol.
    Protocol,
    /// The hellos did not agree.
    Refused,
}
