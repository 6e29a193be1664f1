//! Asks that ended without a reply, counted by their outcome: of the whole process, since not every task that asks is an actor's.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::outcome::{AskError, NotDelivered, Unknown};

static FAILURES: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// Counts one.
#[cold]
pub(crate) fn note(error: &AskError) {
    *FAILURES.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome(error)).or_default() += 1;
}

/// Returns how many there were of each outcome.
pub(crate) fn counts() -> Vec<(String, u64)> {
    let counts = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    counts.iter().map(|(outcome, count)| ((*outcome).to_owned(), *count)).collect()
}

/// The outcome as a label: of what was perhaps handled it begins so.
fn outcome(error: &AskError) -> &'static str {
    match error {
        AskError::NotDelivered(reason) => word(reason),
        AskError::Unknown(reason) => match reason {
            Unknown::PeerDown { .. } => "unknown_peer_down",
            Unknown::Expired => "unknown_expired",
            Unknown::Panicked { .. } => "unknown_panicked",
            Unknown::Cancelled => "unknown_cancelled",
            Unknown::ReplyDropped => "unknown_reply_dropped",
            Unknown::ActorStopped => "unknown_actor_stopped",
            Unknown::ReplyTooLarge { .. } => "unknown_reply_too_large",
            Unknown::ReplyUndecodable { .. } => "unknown_reply_undecodable",
            Unknown::LinkClosed(_) => "unknown_link_closed",
            _ => "unknown",
        },
    }
}

/// Why a message was not delivered, as a label.
pub(crate) fn word(reason: &NotDelivered) -> &'static str {
    match reason {
        NotDelivered::PeerDown { .. } => "peer_down",
        NotDelivered::TooLarge { .. } => "too_large",
        NotDelivered::Full => "full",
        NotDelivered::UsedUp => "used_up",
        NotDelivered::TooOften => "too_often",
        NotDelivered::Expired => "expired",
        NotDelivered::Cancelled => "cancelled",
        NotDelivered::NotGranted => "not_granted",
        NotDelivered::SchemaMismatch { .. } => "schema_mismatch",
        NotDelivered::Cycle { .. } => "cycle",
        NotDelivered::Undecodable { .. } => "undecodable",
        NotDelivered::Draining => "draining",
        NotDelivered::Unready => "unready",
        NotDelivered::NoSuchActor => "no_such_actor",
        NotDelivered::Stale { .. } => "stale",
        NotDelivered::DescriptorsExhausted => "descriptors_exhausted",
        NotDelivered::LinkClosed(_) => "link_closed",
        NotDelivered::Dropped => "dropped",
        NotDelivered::Ended { .. } => "ended",
        NotDelivered::NotServed { .. } => "not_served",
        NotDelivered::WouldBlockExecutor => "would_block_executor",
        NotDelivered::NoExecutor => "no_executor",
        _ => "other",
    }
}
