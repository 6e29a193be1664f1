//! Why an ask or a tell did not go as wished.

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The message was certainly not handled; sending it again is safe.
    NotDelivered(NotDelivered),
    /// The message may have been handled.
    Unknown(Unknown),
}

/// Why a message was certainly not handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotDelivered {
    /// The peer is down, and nothing of the message was written, or no handler had begun with it.
    PeerDown,
    /// The link was closed before anything of the message was written.
    LinkClosed,
    /// The hellos did not agree.
    Refused,
    /// The payload is larger than the receiver takes.
    TooLarge {
        /// The limit in bytes.
        limit: u32,
    },
    /// The message carries more descriptors than the receiver takes.
    TooManyFds {
        /// The limit.
        limit: u16,
    },
    /// The mailbox, or the queue before the link, is full.
    Full,
    /// The deadline passed before the message was handled.
    Expired,
    /// The method is not granted.
    NotGranted,
    /// The method was granted for one use, and that was made.
    UsedUp,
    /// The grant permits no more at present.
    TooOften,
    /// The actor is no longer there.
    Gone,
    /// The receiver is about to stop.
    Draining,
    /// The receiver takes no messages at present, and no more may wait for it.
    Unready,
    /// The payload is not a message of that method.
    Undecodable,
    /// The chain of asks would have come back to an actor that waits in it.
    Cycle,
}

/// Why it is not known whether a message was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unknown {
    /// The peer died with the message in its hands.
    PeerDown,
    /// The link was closed with the message written.
    LinkClosed,
    /// The deadline passed after the message was written.
    Expired,
    /// The handler panicked.
    Panicked,
    /// The actor ended without an answer.
    Stopped,
    /// The handler dropped its way to answer.
    NoReply,
    /// The reply is larger than the asker takes.
    ReplyTooLarge {
        /// The limit in bytes.
        limit: u32,
    },
}
