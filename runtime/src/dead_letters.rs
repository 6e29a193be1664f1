//! What could not be delivered: counted by reason, the latest kept for inspection.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bailiwick_wire::schema::ProtocolSchema;

use crate::envelope::method_name;
use crate::name::ActorName;
use crate::outcome::NotDelivered;

/// A message that was accepted and then reached no handler.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The actor that it was for.
    pub to: ActorName,
    /// The protocol.
    pub protocol: &'static str,
    /// The method.
    pub method: &'static str,
    /// Why it was not delivered.
    pub reason: NotDelivered,
}

/// The dead letters of one node. A message refused at the send is none: its sender knows.
#[derive(Default)]
pub(crate) struct DeadLetters(Mutex<State>);

#[derive(Default)]
struct State {
    latest: VecDeque<DeadLetter>,
    counts: BTreeMap<&'static str, u64>,
}

impl DeadLetters {
    pub(crate) fn record(
        &self,
        to: &ActorName,
        protocol: &'static ProtocolSchema,
        method: u16,
        reason: &NotDelivered,
    ) {
        crate::last_words::lost(1);
        let method = method_name(protocol, method);
        let protocol = protocol.name;
        tracing::debug!(target: "bailiwick::dead_letter", %to, protocol, method, %reason);
        let letter = DeadLetter { to: to.clone(), protocol, method, reason: reason.clone() };
        let mut state = self.lock();
        *state.counts.entry(word(reason)).or_default() += 1;
        if state.latest.len() == KEPT_MAX {
            state.latest.pop_front();
        }
        state.latest.push_back(letter);
    }

    /// Counts a message of which nothing more is known than why it was not delivered.
    pub(crate) fn count(&self, reason: &NotDelivered) {
        crate::last_words::lost(1);
        *self.lock().counts.entry(word(reason)).or_default() += 1;
    }

    /// Counts messages that may have been handled or not, and that nobody waits for an answer to.
    pub(crate) fn count_unknown(&self, messages: u64) {
        *self.lock().counts.entry(UNKNOWN).or_default() += messages;
    }

    /// Returns the latest letters, the oldest first.
    pub(crate) fn latest(&self) -> Vec<DeadLetter> {
        self.lock().latest.iter().cloned().collect()
    }

    /// Returns how many there were.
    pub(crate) fn total(&self) -> u64 {
        let state = self.lock();
        state.counts.iter().filter(|(reason, _)| **reason != UNKNOWN).map(|(_, count)| count).sum()
    }

    /// Returns how many there were of each reason.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.lock().counts.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reason as a label of a count.
fn word(reason: &NotDelivered) -> &'static str {
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
        // The rest is told to the sender before the message leaves its hands.
        _ => "other",
    }
}

const KEPT_MAX: usize = 128;
/// The label of what is no dead letter, but not known to be handled either.
const UNKNOWN: &str = "unknown";
