//! How an ask can end other than by its reply, and why an actor can end.
//!
//! The split is a promise: [`NotDelivered`] is reported only where it is certain that no handler saw the message.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The outcome of an ask that brought no reply.
///
/// ```
/// use bailiwick::{AskError, NotDelivered};
///
/// let error = AskError::NotDelivered(NotDelivered::Full { capacity: 1024 });
/// assert!(error.is_safe_to_repeat());
/// assert_eq!(error.to_string(), "not delivered: the mailbox is full, it holds 1024 messages");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[allow(clippy::exhaustive_enums)] // The whole point is that there is no third outcome.
pub enum AskError {
    /// Certainly not handled: repeating it cannot do the work twice.
    #[error("not delivered: {0}")]
    NotDelivered(NotDelivered),
    /// It may have been handled, wholly, partly or not at all.
    #[error("outcome unknown: {0}")]
    Unknown(Unknown),
}

impl AskError {
    /// Returns whether the message was certainly not handled.
    #[must_use]
    pub fn is_safe_to_repeat(&self) -> bool {
        matches!(self, Self::NotDelivered(_))
    }
}

impl From<NotDelivered> for AskError {
    fn from(reason: NotDelivered) -> Self {
        Self::NotDelivered(reason)
    }
}

impl From<Unknown> for AskError {
    fn from(reason: Unknown) -> Self {
        Self::Unknown(reason)
    }
}

/// Why a message was certainly not handled.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NotDelivered {
    /// The mailbox has no room and its policy, or the sender, does not wait.
    #[error("the mailbox is full, it holds {capacity} messages")]
    Full {
        /// The number of messages that it may hold.
        capacity: u32,
    },
    /// A newer message took its place in a mailbox that drops.
    #[error("the mailbox was full and its policy dropped the message")]
    Dropped,
    /// The deadline passed before the actor took the message.
    #[error("the deadline passed before the actor took the message")]
    Expired,
    /// The actor has ended for good.
    #[error("the actor has ended: {cause}")]
    Ended {
        /// Why it ended.
        cause: Cause,
    },
    /// The actor takes no new messages because its worker stops.
    #[error("the actor takes no new messages, its worker is stopping")]
    Draining,
    /// The worker has no actor of this name.
    #[error("there is no actor `{name}`")]
    NoSuchActor {
        /// The name that was asked for.
        name: String,
    },
    /// The actor does not serve this protocol.
    #[error("`{actor}` does not serve the protocol `{protocol}`")]
    NotServed {
        /// The actor's name.
        actor: String,
        /// The protocol of the message.
        protocol: String,
    },
    /// No grant allows this method.
    #[error("no grant allows the method `{method}`")]
    NotGranted {
        /// The method's name.
        method: String,
    },
    /// The worker was down, or went down before the message was written.
    #[error("the worker is down: {cause}")]
    PeerDown {
        /// Why it went down.
        cause: Cause,
        /// The incarnation that ended.
        generation: u32,
    },
    /// The link closed before the message was written.
    #[error("the link to the worker is closed")]
    LinkClosed,
    /// The message is larger than the link carries.
    #[error("the message takes {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// The size of the encoded message, or how far the encoder came.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The sender could not encode it: a value of the sender breaks a limit.
    #[error("the message cannot be encoded: {reason}")]
    Unencodable {
        /// The encoder's words.
        reason: String,
    },
    /// The receiver could not decode it.
    #[error("the message cannot be decoded: {reason}")]
    Undecodable {
        /// The decoder's words.
        reason: String,
    },
    /// A table of descriptors is full on the way; it may succeed later.
    #[error("there is no room for the message's descriptors")]
    NoRoomForDescriptors,
    /// The asked actor waits, directly or through others, for the asking one.
    #[error("the ask closes a cycle: {}", chain.join(" -> "))]
    Cycle {
        /// The names of the actors from the one that is asked again, in the order of the asks, to itself.
        chain: Vec<String>,
    },
    /// `ask_blocking` was called on a thread that the answer needs.
    #[error(
        "ask_blocking was called on an executor thread, where it would wait for itself; use ask(..).await"
    )]
    WouldBlockExecutor,
    /// `ask` was called where no executor runs.
    #[error("there is no executor here; use ask_blocking")]
    NoExecutor,
}

/// Why it is not known whether a message was handled.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Unknown {
    /// The deadline passed after the message was handed over.
    #[error("the deadline passed while the message was in hand")]
    Expired,
    /// The handler panicked. The message is not delivered again.
    #[error("the handler panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The actor ended while it had the message in hand.
    #[error("the actor ended while it had the message: {cause}")]
    Ended {
        /// Why it ended.
        cause: Cause,
    },
    /// The worker went down after the message was written to it.
    #[error("the worker went down: {cause}")]
    PeerDown {
        /// Why it went down.
        cause: Cause,
        /// The incarnation that ended.
        generation: u32,
    },
    /// The link closed after the message was written.
    #[error("the link closed before the reply")]
    LinkClosed,
    /// The handler ended without an answer: the [`Answer`](crate::Answer) of a `Later` was dropped.
    #[error("the actor dropped the message without an answer")]
    Unanswered,
    /// The reply breaks a limit of the replying side.
    #[error("the reply cannot be encoded: {reason}")]
    ReplyUnencodable {
        /// The encoder's words.
        reason: String,
    },
    /// The reply does not decode on the asking side.
    #[error("the reply cannot be decoded: {reason}")]
    ReplyUndecodable {
        /// The decoder's words.
        reason: String,
    },
}

/// Why an incarnation of an actor, or of the worker around it, ended.
///
/// ```
/// let cause = bailiwick::Cause::Panicked { message: "index out of bounds".into(), location: None };
/// assert_eq!(cause.to_string(), "panicked: index out of bounds");
/// assert!(cause.is_failure());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Cause {
    /// It stopped itself, or was stopped in order.
    #[error("stopped")]
    Stopped,
    /// A panic in its code.
    #[error("panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
        /// `file:line:column`, where known.
        location: Option<String>,
    },
    /// `started`, `reconfigure` or its arguments failed.
    #[error("failed: {error}")]
    Failed {
        /// The chain of errors.
        error: String,
    },
    /// A child of it failed more often than its budget allows.
    #[error("child `{child}` gave up: {cause}")]
    ChildGaveUp {
        /// The child's name.
        child: String,
        /// Why the child failed the last time.
        cause: Box<Cause>,
    },
    /// Its worker exited.
    #[error("worker exited with code {code}")]
    WorkerExited {
        /// The exit code.
        code: i32,
    },
    /// Its worker was ended by a signal.
    #[error("worker ended by signal {signal}")]
    WorkerKilled {
        /// The signal's number.
        signal: i32,
    },
    /// Its worker needed more memory than it has.
    #[error("worker ran out of memory")]
    OutOfMemory,
    /// The link to its worker is lost.
    #[error("the link to its worker is lost")]
    LinkLost,
    /// There was no such actor when the watch was set.
    #[error("there is no such actor")]
    Absent,
}

impl Cause {
    /// Returns whether the end was a failure, and no ordered stop.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        !matches!(self, Self::Stopped)
    }
}
