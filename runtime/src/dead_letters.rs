//! What could not be delivered: counted by reason, the latest kept for inspection.

use std::collections::{BTreeMap, VecDeque};
use std::iter;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bailiwick_wire::schema::ProtocolSchema;

use crate::envelope::method_name;
use crate::failures::word;
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
    /// Each with how many times in a row.
    latest: VecDeque<(DeadLetter, u64)>,
    /// How many these are.
    kept: u64,
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
        self.record_all(to, protocol, method, reason, 1);
    }

    /// Records so many messages that were for the same actor and method and have come to nothing one right after the other.
    pub(crate) fn record_all(
        &self,
        to: &ActorName,
        protocol: &'static ProtocolSchema,
        method: u16,
        reason: &NotDelivered,
        messages: u64,
    ) {
        crate::last_words::lost(messages);
        let method = method_name(protocol, method);
        let protocol = protocol.name;
        tracing::debug!(target: "bailiwick::dead_letter", %to, protocol, method, %reason, messages);
        let mut state = self.lock();
        *state.counts.entry(word(reason)).or_default() += messages;
        state.keep(to, (protocol, method), reason, messages.min(KEPT_MAX));
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
        let repeat = |(letter, times): &(DeadLetter, u64)| {
            iter::repeat_n(letter.clone(), usize::try_from(*times).unwrap_or(usize::MAX))
        };
        self.lock().latest.iter().flat_map(repeat).collect()
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

impl State {
    /// Keeps messages among the latest. One that repeats is counted, so that a flood costs no memory of its own.
    fn keep(
        &mut self,
        to: &ActorName,
        what: (&'static str, &'static str),
        reason: &NotDelivered,
        times: u64,
    ) {
        self.kept += times;
        match self.latest.back_mut() {
            Some((last, before)) if last.is(to, what, reason) => *before += times,
            Some(_) | None => {
                let (protocol, method) = what;
                let letter = DeadLetter { to: to.clone(), protocol, method, reason: reason.clone() };
                self.latest.push_back((letter, times));
            }
        }
        while let Some((_, times)) = self.latest.front_mut()
            && let excess @ 1.. = self.kept.saturating_sub(KEPT_MAX)
        {
            let gone = excess.min(*times);
            *times -= gone;
            self.kept -= gone;
            self.latest.pop_front_if(|(_, times)| *times == 0);
        }
    }
}

impl DeadLetter {
    fn is(&self, to: &ActorName, what: (&'static str, &'static str), reason: &NotDelivered) -> bool {
        (self.protocol, self.method) == what && self.to == *to && self.reason == *reason
    }
}

const KEPT_MAX: u64 = 128;
/// The label of what is no dead letter, but not known to be handled either.
const UNKNOWN: &str = "unknown";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Protocol;
    use crate::prelude::*;

    #[protocol]
    trait Clerk {
        async fn write(&mut self);
        async fn read(&mut self);
    }

    proptest! {
        #[test]
        fn the_latest_are_told_one_by_one_and_kept_together(
            runs in prop::collection::vec((0..2u16, any::<bool>(), 1..2 * KEPT_MAX), 0..20),
        ) {
            let (letters, mut all) = (DeadLetters::default(), Vec::new());
            for (method, is_full, times) in runs {
                let to = ActorName::new("shop", None, "clerk", None);
                let reason = if is_full { NotDelivered::Full } else { NotDelivered::Dropped };
                letters.record_all(&to, ClerkRef::schema(), method, &reason, times);
                let protocol = ClerkRef::schema();
                let (name, method) = (protocol.name, method_name(protocol, method));
                let letter = DeadLetter { to, protocol: name, method, reason };
                all.extend(iter::repeat_n(letter, times as usize));
                let kept = all.len().saturating_sub(KEPT_MAX as usize);
                prop_assert_eq!(letters.latest(), &all[kept..]);
                prop_assert_eq!(letters.total(), all.len() as u64);
                let changes = all[kept..].windows(2).filter(|pair| pair[0] != pair[1]).count();
                prop_assert_eq!(letters.lock().latest.len(), changes + 1);
            }
        }
    }
}
