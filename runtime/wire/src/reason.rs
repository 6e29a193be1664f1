//! Why a message was not handled, or may not have been: the reasons that travel and that people read.

use serde::{Deserialize, Serialize};

use crate::Limit;

/// The end of an ask without a reply. The payload of a `Failure` frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// Certainly not handled.
    #[error("not delivered: {0}")]
    NotDelivered(NotDelivered),
    /// Perhaps handled.
    #[error("outcome unknown: {0}")]
    Unknown(Unknown),
}

/// Why a message was certainly not handled, and never will be: sending it again is safe.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum NotDelivered {
    /// The peer's worker is down, or went down before the message left.
    #[error("the peer is down ({cause}){}", incarnation(*generation))]
    PeerDown {
        /// Why it went down.
        cause: DownCause,
        /// Its incarnation that ended last, 0 before its first.
        generation: u32,
    },
    /// The message is larger than a limit of the link.
    #[error("{found} {limit} are too many, the limit is {max}")]
    TooLarge {
        /// Which limit.
        limit: Limit,
        /// What the message has.
        found: u64,
        /// What it may have.
        max: u64,
    },
    /// The mailbox or the queue in front of the link was full.
    #[error("the mailbox is full")]
    Full,
    /// The deadline passed before the handler began.
    #[error("the deadline passed before it was handled")]
    Expired,
    /// The asker took the ask back before the handler began.
    #[error("the ask was cancelled before it was handled")]
    Cancelled,
    /// No grant permits this method or these descriptors.
    #[error("no grant permits it, or the receiver does not have the method")]
    NotGranted,
    /// The two ends mean different things by this protocol.
    #[error("the schemas differ: {detail}")]
    SchemaMismatch {
        /// What they disagree about.
        detail: String,
    },
    /// The actor asked already waits for this ask.
    #[error("a cycle of asks: {}", chain.join(" -> "))]
    Cycle {
        /// The actors, outermost first.
        chain: Vec<String>,
    },
    /// The payload could not be decoded.
    #[error("the payload does not decode: {detail}")]
    Undecodable {
        /// What was wrong with it.
        detail: String,
    },
    /// The worker takes no new messages: it stops soon.
    #[error("the worker is draining")]
    Draining,
    /// The worker takes no messages at present, and no more may wait for it.
    #[error("the worker is not ready, and no more messages may wait for it")]
    Unready,
    /// There is no actor by that name, or it has ended for good.
    #[error("there is no such actor")]
    NoSuchActor,
    /// The address is of an earlier incarnation.
    #[error("the address is of incarnation {found}, the actor's is {current}")]
    Stale {
        /// The generation of the address.
        found: u32,
        /// The generation of the actor.
        current: u32,
    },
    /// A table of descriptors was full, or there was no memory for what goes beside a message, here or there; it may be tried again.
    #[error("no descriptor or no memory is free")]
    DescriptorsExhausted,
    /// The link to the peer was closed before the message left.
    #[error("the link was closed: {0}")]
    LinkClosed(CloseCause),
    /// A mailbox was full, and its policy dropped the message after it had been taken.
    #[error("the mailbox was full and its policy dropped the message")]
    Dropped,
    /// The actor has ended for good.
    #[error("the actor has ended ({cause})")]
    Ended {
        /// Why it ended.
        cause: DownCause,
    },
    /// The actor does not serve the protocol of the message.
    #[error("the actor does not serve the protocol `{protocol}`")]
    NotServed {
        /// The protocol.
        protocol: String,
    },
    /// A blocking ask was made on a thread that the answer needs.
    #[error("a blocking ask on an executor thread would wait for itself; await `ask` instead")]
    WouldBlockExecutor,
    /// An ask was awaited where no executor runs.
    #[error("no executor runs on this thread; use `ask_blocking`")]
    NoExecutor,
    /// The grant of this method was for one use, and that was made.
    #[error("the method was granted for one use, and that was made")]
    UsedUp,
    /// The rate of the grant permits no more at present.
    #[error("the rate of its grant permits no more at present")]
    TooOften,
}

/// Names the incarnation that ended, if there was one.
fn incarnation(generation: u32) -> String {
    match generation {
        0 => String::new(),
        ended => format!(", its incarnation was {ended}"),
    }
}

impl Failure {
    /// Returns whether the message was certainly not handled, so that repeating it cannot do the work twice.
    ///
    /// ```
    /// use bailiwick_wire::reason::{Failure, NotDelivered, Unknown};
    /// assert!(Failure::from(NotDelivered::Full).is_safe_to_repeat());
    /// assert!(!Failure::from(Unknown::Expired).is_safe_to_repeat());
    /// ```
    #[must_use]
    pub fn is_safe_to_repeat(&self) -> bool {
        matches!(self, Failure::NotDelivered(_))
    }
}

impl From<NotDelivered> for Failure {
    fn from(reason: NotDelivered) -> Failure {
        Failure::NotDelivered(reason)
    }
}

impl From<Unknown> for Failure {
    fn from(reason: Unknown) -> Failure {
        Failure::Unknown(reason)
    }
}

/// Why it is not known whether a message was handled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Unknown {
    /// The peer's worker went down after the message had left.
    #[error("the peer went down ({cause}) after the message had left, its incarnation was {generation}")]
    PeerDown {
        /// Why it went down.
        cause: DownCause,
        /// The incarnation that had the message.
        generation: u32,
    },
    /// The deadline passed while the message was there.
    #[error("the deadline passed while it was with the peer")]
    Expired,
    /// The handler panicked.
    #[error("its handler panicked: {text}")]
    Panicked {
        /// The text of the panic, cut to a bound.
        text: String,
    },
    /// The ask was taken back while the handler ran; its future was dropped at an await.
    #[error("the ask was cancelled while it was handled")]
    Cancelled,
    /// The handler ended without a reply.
    #[error("its handler dropped the reply")]
    ReplyDropped,
    /// The actor stopped or was restarted while the message was with it.
    #[error("the actor stopped while it had the message")]
    ActorStopped,
    /// The reply is larger than a limit of the link.
    #[error("the reply has {found} {limit}, the limit is {max}")]
    ReplyTooLarge {
        /// Which limit.
        limit: Limit,
        /// What the reply has.
        found: u64,
        /// What it may have.
        max: u64,
    },
    /// The reply could not be decoded.
    #[error("the reply does not decode: {detail}")]
    ReplyUndecodable {
        /// What was wrong with it.
        detail: String,
    },
    /// The link to the peer was closed after the message had left.
    #[error("the link was closed: {0}")]
    LinkClosed(CloseCause),
}

/// Why a worker or an actor is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum DownCause {
    /// It ended of itself, with this exit code.
    #[error("exited with code {0}")]
    Exited(u8),
    /// A signal killed it.
    #[error("killed by signal {0}")]
    Signalled(u8),
    /// The kernel killed it for want of memory.
    #[error("out of memory")]
    OutOfMemory,
    /// It made a system call that its sandbox forbids.
    #[error("forbidden system call")]
    ForbiddenSyscall,
    /// It made no progress and was killed.
    #[error("made no progress")]
    Stuck,
    /// It broke the rules of a link and was killed.
    #[error("broke the rules of a link")]
    Violation,
    /// It was told to stop.
    #[error("stopped")]
    Stopped,
    /// Its handler panicked.
    #[error("panicked")]
    Panicked,
    /// Its handler or its start returned an error.
    #[error("failed")]
    Failed,
    /// It could not be started.
    #[error("could not be started")]
    NotStarted,
    /// It has not been started yet.
    #[error("not up yet")]
    NotUp,
    /// There is no actor or worker by that name.
    #[error("does not exist")]
    NoSuchActor,
}

/// Why a link was closed. The payload of a `Close` frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum CloseCause {
    /// Its worker drained and has nothing more to say.
    #[error("drained")]
    Drained,
    /// A frame broke the rules.
    #[error("a frame broke the rules of the link")]
    Protocol,
    /// The other end did not answer the hello in time.
    #[error("no hello in time")]
    HandshakeTimeout,
    /// The two ends mean different things by a protocol.
    #[error("the schemas disagree")]
    Schema,
    /// The grant was taken away.
    #[error("the grant was revoked")]
    Revoked,
    /// The socket failed.
    #[error("the socket failed")]
    Io,
}
