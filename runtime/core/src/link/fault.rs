//! What can be wrong with a frame, and to which of the four classes it belongs.
//!
//! | class | what | answer |
//! | --- | --- | --- |
//! | violation | what this machine as a sender can never produce | the link is closed; who may accuse does |
//! | limit | over a limit of the frame that the sender's side enforces first | never seen on arrival from an honest sender: a violation |
//! | quota | over what a grant permits, which the sender's side enforces first | not delivered, counted; above a rate a violation |
//! | race | true when it was sent | not delivered |
//! | undecodable | the payload is not a message | not delivered, counted; above a rate a violation |

use super::frame::Target;
use crate::asks::Ticket;

/// A violation: a frame that an honest peer cannot have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The driver could not read the header, or the packet does not fit it.
    Malformed,
    /// The kind of frame has no place in the state that the link is in.
    OutOfPlace,
    /// The slot was never issued, or the generation lies ahead.
    NoSuchSlot {
        /// What was named.
        target: Target,
    },
    /// The method was never granted.
    NeverGranted {
        /// The actor.
        target: Target,
        /// The method.
        method: u16,
    },
    /// The message asks to be answered when the actor takes it, and the actor's mailbox is no rendezvous.
    NoRendezvous {
        /// The actor.
        target: Target,
    },
    /// The correlation is in use, or was never issued.
    BadCorrelation {
        /// What was named.
        correlation: Ticket,
    },
    /// The message was sent without credit.
    Overspent {
        /// The mailbox.
        target: Target,
    },
    /// A payload is over the limit that the hello named.
    TooLarge {
        /// Its bytes.
        bytes: u32,
        /// The limit.
        limit: u32,
    },
    /// A message carries more descriptors than the hello named.
    TooManyFds {
        /// Its descriptors.
        fds: u16,
        /// The limit.
        limit: u16,
    },
    /// A stream sent items without credit, or a single reply to a stream, or the reverse.
    BadStream {
        /// The ask.
        correlation: Ticket,
    },
    /// The watch is in use, unknown, or one too many.
    BadWatch,
    /// One frame names more methods than a frame may.
    TooManyUses,
    /// More payloads did not decode than chance explains.
    Undecodable,
    /// Another process sends over the peer's end.
    Impostor,
    /// More messages were over a quota of their grant than a change of the grant explains.
    Quota,
}
