//! The machine's reasons and those that people read, one for one.

use bailiwick_core::link::{self, Cause, CloseReason, Closed};
use bailiwick_wire::Limit;
use bailiwick_wire::fault::Fault;
use bailiwick_wire::reason::{CloseCause, DownCause, Failure, NotDelivered, Unknown};

/// A cause whose words the driver holds.
pub(super) const SPOKEN: Cause = Cause(1);

/// What is known of a peer, for reasons that name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerState {
    /// What the supervisor said last.
    pub(super) cause: DownCause,
    /// Of which incarnation, 0 if of none yet.
    pub(super) ended: u32,
    /// The incarnation of the present or latest transport, 0 if there was none yet.
    pub(super) generation: u32,
    /// Why the last transport was closed.
    pub(super) closed: CloseCause,
}

impl Default for PeerState {
    fn default() -> Self {
        Self { cause: DownCause::NotUp, ended: 0, generation: 0, closed: CloseCause::Io }
    }
}

/// Reduces a failure to what the machine distinguishes.
pub(super) fn coarse(failure: &Failure) -> link::Failure {
    match failure {
        Failure::NotDelivered(reason) => link::Failure::NotDelivered(match reason {
            NotDelivered::Expired => link::NotDelivered::Expired,
            NotDelivered::NotGranted => link::NotDelivered::NotGranted,
            NotDelivered::Draining => link::NotDelivered::Draining,
            NotDelivered::Unready => link::NotDelivered::Unready,
            NotDelivered::Undecodable { .. } => link::NotDelivered::Undecodable,
            NotDelivered::Full => link::NotDelivered::Full,
            NotDelivered::UsedUp => link::NotDelivered::UsedUp,
            NotDelivered::TooOften => link::NotDelivered::TooOften,
            _ => link::NotDelivered::Gone,
        }),
        Failure::Unknown(reason) => link::Failure::Unknown(match reason {
            Unknown::Expired => link::Unknown::Expired,
            Unknown::Panicked { .. } => link::Unknown::Panicked,
            Unknown::ActorStopped => link::Unknown::Stopped,
            _ => link::Unknown::NoReply,
        }),
    }
}

/// Returns the words for a failure that the machine found by itself on this side.
pub(super) fn full(failure: link::Failure) -> Failure {
    let nothing = PeerState::default();
    match failure {
        link::Failure::NotDelivered(reason) => Failure::NotDelivered(not_delivered(reason, nothing, 0)),
        link::Failure::Unknown(reason) => Failure::Unknown(unknown(reason, nothing)),
    }
}

/// Returns the words for a message of `bytes` that was certainly not handled.
pub(super) fn not_delivered(reason: link::NotDelivered, peer: PeerState, bytes: u64) -> NotDelivered {
    let PeerState { cause, ended: generation, closed, .. } = peer;
    match reason {
        link::NotDelivered::PeerDown => NotDelivered::PeerDown { cause, generation },
        link::NotDelivered::LinkClosed => NotDelivered::LinkClosed(closed),
        link::NotDelivered::Refused => NotDelivered::SchemaMismatch { detail: String::new() },
        link::NotDelivered::TooLarge { limit } => {
            NotDelivered::TooLarge { limit: Limit::FrameBytes, found: bytes, max: limit.into() }
        }
        link::NotDelivered::TooManyFds { limit } => {
            NotDelivered::TooLarge { limit: Limit::Fds, found: u64::from(limit) + 1, max: limit.into() }
        }
        link::NotDelivered::Full => NotDelivered::Full,
        link::NotDelivered::Expired => NotDelivered::Expired,
        link::NotDelivered::NotGranted => NotDelivered::NotGranted,
        link::NotDelivered::UsedUp => NotDelivered::UsedUp,
        link::NotDelivered::TooOften => NotDelivered::TooOften,
        link::NotDelivered::Gone => NotDelivered::NoSuchActor,
        link::NotDelivered::Draining => NotDelivered::Draining,
        link::NotDelivered::Unready => NotDelivered::Unready,
        link::NotDelivered::Undecodable => NotDelivered::Undecodable { detail: String::new() },
        link::NotDelivered::Cycle => NotDelivered::Cycle { chain: Vec::new() },
    }
}

/// Returns the words for a message that may have been handled.
pub(super) fn unknown(reason: link::Unknown, peer: PeerState) -> Unknown {
    let PeerState { cause, ended: generation, closed, .. } = peer;
    match reason {
        link::Unknown::PeerDown => Unknown::PeerDown { cause, generation },
        link::Unknown::LinkClosed => Unknown::LinkClosed(closed),
        link::Unknown::Expired => Unknown::Expired,
        link::Unknown::Panicked => Unknown::Panicked { text: String::new() },
        link::Unknown::Stopped => Unknown::ActorStopped,
        link::Unknown::NoReply => Unknown::ReplyDropped,
        link::Unknown::ReplyTooLarge { limit } => Unknown::ReplyTooLarge {
            limit: Limit::FrameBytes,
            found: u64::from(limit) + 1,
            max: limit.into(),
        },
    }
}

/// Returns the words for why a transport was closed.
pub(super) fn close_cause(reason: Closed) -> CloseCause {
    match reason {
        Closed::ByUs | Closed::ByPeer(CloseReason::Done) => CloseCause::Drained,
        Closed::ByPeer(CloseReason::Protocol) | Closed::Violation(_) => CloseCause::Protocol,
        Closed::Refused | Closed::ByPeer(CloseReason::Refused) => CloseCause::Schema,
        Closed::PeerDead | Closed::Lost | Closed::Replaced => CloseCause::Io,
    }
}

/// Reduces why a peer closes to what the machine distinguishes.
pub(super) fn close_reason(cause: CloseCause) -> CloseReason {
    match cause {
        CloseCause::Protocol => CloseReason::Protocol,
        CloseCause::Schema => CloseReason::Refused,
        _ => CloseReason::Done,
    }
}

/// Returns the entry of the table of faults, as accusations name it.
pub(super) fn fault(fault: link::Fault) -> Fault {
    match fault {
        link::Fault::Malformed | link::Fault::TooManyUses => Fault::Frame,
        link::Fault::OutOfPlace | link::Fault::NoRendezvous { .. } => Fault::LinkState,
        link::Fault::NoSuchSlot { .. } => Fault::UnknownSlot,
        link::Fault::BadWatch => Fault::Watch,
        link::Fault::NeverGranted { .. } => Fault::MethodNotGranted,
        link::Fault::BadCorrelation { .. } | link::Fault::BadStream { .. } => Fault::UnknownCorrelation,
        link::Fault::Overspent { .. } => Fault::Credit,
        link::Fault::TooLarge { .. } => Fault::TooLarge,
        link::Fault::TooManyFds { .. } => Fault::DescriptorCount,
        link::Fault::Undecodable => Fault::UndecodableRate,
        link::Fault::Quota => Fault::QuotaRate,
        link::Fault::Impostor => Fault::Credentials,
    }
}
