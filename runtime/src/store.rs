//! Messages in order, with the bytes of those that came over a link: a mailbox's own storage.
//!
//! Bytes lie one behind the other, and the boxes of what was handled are used again, so that a mailbox that has been used for a
//! while allocates nothing for a message, and no message keeps the packet that it came in.
//!
//! Invariant: the bytes of the stored entries lie in the order of the entries, from the end of `taken` on.

use std::collections::VecDeque;
use std::mem;
use std::ops::Range;

use crate::envelope::{Envelope, Stored};
use crate::payload::Payload;
use crate::signal::Ended;
use bailiwick_wire::descriptors::Incoming;

/// Makes what travels with a message that came over a link, which counts for as many bytes as it has: in the box of one that was
/// handled, if there is one.
pub(crate) trait Pack: FnOnce(Option<Box<Envelope<Stored>>>) -> Box<Envelope<Stored>> {}

impl<F: FnOnce(Option<Box<Envelope<Stored>>>) -> Box<Envelope<Stored>>> Pack for F {}

/// Messages and ends of watched actors, oldest first.
#[derive(Default)]
pub(crate) struct Store {
    entries: VecDeque<Entry>,
    /// Made with the first message that came over a link.
    linked: Option<Box<Linked>>,
    /// Messages among the entries; the rest are ends of watched actors.
    messages: u32,
    /// What the messages count for.
    weight: u64,
}

/// What is kept for messages that came over a link.
#[derive(Default)]
struct Linked {
    /// Boxes of those that were handled, for the next ones.
    #[expect(clippy::vec_box, reason = "the boxes are what is kept")]
    spare: Vec<Box<Envelope<Stored>>>,
    bytes: Vec<u8>,
    /// Those of the message that was taken out last. Before them are those of others, behind them of what waits.
    taken: Range<usize>,
}

/// One of them.
pub(crate) enum Entry {
    Message(Box<Envelope>),
    /// Its bytes lie in the store.
    Stored(Box<Envelope<Stored>>),
    Ended(Box<Ended>),
}

/// One of them with all that it carries.
pub(crate) enum Whole {
    Message(Box<Envelope>),
    Ended(Box<Ended>),
}

impl Entry {
    /// Returns the message, without the bytes that lie in the store.
    pub(crate) fn message(self) -> Option<Box<Envelope>> {
        match self {
            Self::Message(envelope) => Some(envelope),
            Self::Stored(envelope) => Some(envelope),
            Self::Ended(_) => None,
        }
    }
}

impl Store {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns how many messages there are.
    pub(crate) fn messages(&self) -> u32 {
        self.messages
    }

    /// Returns what the messages count for in a byte limit.
    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }

    /// Adds a message that owns what it carries.
    #[inline]
    pub(crate) fn push(&mut self, envelope: Box<Envelope>) {
        self.count(envelope.bytes);
        self.entries.push_back(Entry::Message(envelope));
    }

    /// Adds a message that owns what it carries in front of all others.
    pub(crate) fn push_first(&mut self, envelope: Box<Envelope>) {
        self.count(envelope.bytes);
        self.entries.push_front(Entry::Message(envelope));
    }

    /// Adds a message that came over a link with these bytes.
    #[inline]
    pub(crate) fn push_stored(&mut self, bytes: &[u8], pack: impl Pack) {
        let envelope = self.linked.get_or_insert_default().keep(bytes, pack);
        self.count(envelope.bytes);
        self.entries.push_back(Entry::Stored(envelope));
    }

    /// Takes the box of a message that was handled.
    pub(crate) fn recycle(&mut self, envelope: Box<Envelope<Stored>>) {
        // Whoever was not answered until now is told.
        drop(envelope.reply.take());
        let linked = self.linked.get_or_insert_default();
        if linked.spare.len() < ENTRIES_KEPT {
            linked.spare.push(envelope);
        }
    }

    /// Adds the end of a watched actor.
    pub(crate) fn push_ended(&mut self, ended: Box<Ended>) {
        self.entries.push_back(Entry::Ended(ended));
    }

    /// Takes the first entry out. The bytes of a stored message are at hand until anything is added or taken out.
    // Inlined, since an entry that is handed over through memory waits until it is written.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.leave(&entry);
        Some(entry)
    }

    /// Takes the first entry out, if it is the end of a watched actor.
    pub(crate) fn pop_ended(&mut self) -> Option<Box<Ended>> {
        let ended = self.entries.pop_front_if(|entry| matches!(entry, Entry::Ended(_)))?;
        match ended {
            Entry::Ended(ended) => Some(ended),
            Entry::Message(_) | Entry::Stored(_) => None,
        }
    }

    /// Returns the first entry, if it is the end of a watched actor.
    pub(crate) fn first_ended(&self) -> Option<&Ended> {
        match self.entries.front()? {
            Entry::Ended(ended) => Some(ended),
            Entry::Message(_) | Entry::Stored(_) => None,
        }
    }

    /// Returns the bytes of the stored message that was taken out last.
    pub(crate) fn bytes(&self) -> &[u8] {
        let linked = self.linked.as_ref();
        linked.and_then(|linked| linked.bytes.get(linked.taken.clone())).unwrap_or_default()
    }

    /// Takes the first entry out with all that it carries.
    pub(crate) fn pop_whole(&mut self) -> Option<Whole> {
        let entry = self.pop()?;
        Some(match entry {
            Entry::Message(envelope) => Whole::Message(envelope),
            Entry::Stored(envelope) => Whole::Message(owning(*envelope, self.bytes())),
            Entry::Ended(ended) => Whole::Ended(ended),
        })
    }

    /// Takes the first message out, wherever it stands.
    pub(crate) fn drop_oldest(&mut self) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| !matches!(entry, Entry::Ended(_)))?;
        let entry = self.entries.remove(at)?;
        self.leave(&entry);
        Some(entry)
    }

    /// Makes what travels with a message that came over a link and finds no place here.
    pub(crate) fn turn_away(&mut self, pack: impl Pack) -> Box<Envelope<Stored>> {
        pack(self.linked.get_or_insert_default().spare.pop())
    }

    /// Puts entries in front that were taken out of here.
    pub(crate) fn put_back(&mut self, mut taken: Store) {
        mem::swap(self, &mut taken);
        let Store { entries, linked, messages, weight } = taken;
        if let Some(linked) = linked {
            self.linked.get_or_insert_default().append(*linked);
        }
        self.entries.extend(entries);
        self.messages += messages;
        self.weight += weight;
    }

    /// Keeps for what comes next what another has kept so far, where that is more and both are empty: what both have kept together
    /// would be more from each time to the next.
    pub(crate) fn inherit(&mut self, mut other: Store) {
        if !self.is_empty() || !other.is_empty() {
            return;
        }
        if other.entries.capacity() > self.entries.capacity() {
            self.entries = mem::take(&mut other.entries);
        }
        if other.spare() > self.spare() {
            self.linked = other.linked;
        }
    }

    /// Returns how many boxes are kept for messages.
    fn spare(&self) -> usize {
        self.linked.as_ref().map_or(0, |linked| linked.spare.len())
    }

    /// Lets go of memory that few messages need, if it is empty.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            (self.messages, self.weight) = (0, 0);
            if let Some(linked) = &mut self.linked {
                linked.shrink();
            }
            if self.entries.capacity() > ENTRIES_KEPT {
                self.entries = VecDeque::new();
            }
        }
    }

    /// Notes that an entry is out, which was the first with bytes.
    fn leave(&mut self, entry: &Entry) {
        let bytes = match entry {
            Entry::Message(envelope) => envelope.bytes,
            Entry::Stored(envelope) => {
                self.linked.get_or_insert_default().take(envelope.bytes as usize);
                envelope.bytes
            }
            Entry::Ended(_) => return,
        };
        self.messages -= 1;
        self.weight -= u64::from(bytes);
    }

    fn count(&mut self, bytes: u32) {
        self.messages += 1;
        self.weight += u64::from(bytes);
    }
}

impl Linked {
    #[inline]
    fn keep(&mut self, bytes: &[u8], pack: impl Pack) -> Box<Envelope<Stored>> {
        // Only once more is gone than is left, so that no byte is moved often.
        if self.taken.end > self.bytes.len() / 2 {
            self.bytes.drain(..mem::take(&mut self.taken).end);
        }
        self.bytes.extend_from_slice(bytes);
        pack(self.spare.pop())
    }

    /// Takes so many bytes out.
    fn take(&mut self, bytes: usize) {
        self.taken = self.taken.end..self.taken.end + bytes;
    }

    fn append(&mut self, other: Linked) {
        let room = ENTRIES_KEPT.saturating_sub(self.spare.len());
        self.spare.extend(other.spare.into_iter().take(room));
        self.bytes.extend_from_slice(&other.bytes[other.taken.end..]);
    }

    fn shrink(&mut self) {
        self.taken = 0..0;
        self.bytes.clear();
        if self.bytes.capacity() > BYTES_KEPT {
            self.bytes = Vec::new();
        }
    }
}

/// Returns a stored message with bytes of its own, for a place where none are stored.
pub(crate) fn owning(envelope: Envelope<Stored>, bytes: &[u8]) -> Box<Envelope> {
    let limits = envelope.message.0;
    Box::new(envelope.with(Payload { bytes: bytes.to_vec().into(), beside: Incoming::default(), limits }))
}

/// A larger buffer is not kept by a mailbox that is empty.
const BYTES_KEPT: usize = 256 << 10;
/// Nor is room for more entries.
const ENTRIES_KEPT: usize = 2048;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bailiwick_core::precedence::Priority;
    use proptest::prelude::*;

    use super::*;
    use crate::Protocol;
    use crate::prelude::*;
    use crate::reply::Reply;

    #[protocol]
    trait Clerk {
        async fn write(&mut self, bytes: Vec<u8>);
    }

    fn add(store: &mut Store, bytes: &[u8], is_stored: bool) {
        let stored = Envelope {
            protocol: ClerkRef::schema(),
            method: 0,
            priority: Priority::Ordinary,
            bytes: bytes.len() as u32,
            reply: Reply::nobody(),
            deadline: None,
            queued: None,
            chain: None,
            trace: None,
            credit: None,
            message: Stored(bailiwick_wire::Limits::LINK),
        };
        if is_stored {
            store.push_stored(bytes, |_| Box::new(stored))
        } else {
            store.push(owning(stored, bytes))
        }
    }

    fn bytes_of(envelope: &mut Envelope) -> Vec<u8> {
        envelope.message.take_bytes().expect("none was put in with a value").bytes.to_vec()
    }

    /// Takes the first message as an actor does, and gives its box back.
    fn take(store: &mut Store) -> Option<Vec<u8>> {
        let entry = store.pop()?;
        Some(match entry {
            Entry::Message(mut envelope) => bytes_of(&mut envelope),
            Entry::Stored(envelope) => {
                let bytes = store.bytes().to_vec();
                store.recycle(envelope);
                bytes
            }
            Entry::Ended(_) => panic!("none was put in"),
        })
    }

    proptest! {
        /// A mailbox and what its actor has in hand, beside a list of byte strings.
        #[test]
        fn every_message_comes_with_its_own_bytes_in_the_order_in_which_it_came(
            steps in prop::collection::vec((0..8u8, prop::collection::vec(any::<u8>(), 0..40)), 0..200),
        ) {
            let (mut mailbox, mut hand) = (Store::default(), Store::default());
            let (mut waiting, mut held) = (VecDeque::new(), VecDeque::new());
            for (step, bytes) in steps {
                match step {
                    0..=3 => {
                        add(&mut mailbox, &bytes, step != 3);
                        waiting.push_back(bytes);
                    }
                    4 if hand.is_empty() => {
                        hand.shrink();
                        mem::swap(&mut mailbox, &mut hand);
                        mem::swap(&mut waiting, &mut held);
                    }
                    4 | 5 => {
                        prop_assert_eq!(take(&mut hand), held.pop_front());
                    }
                    6 => {
                        mailbox.put_back(mem::take(&mut hand));
                        held.append(&mut waiting);
                        mem::swap(&mut waiting, &mut held);
                    }
                    _ => {
                        prop_assert_eq!(mailbox.drop_oldest().is_some(), waiting.pop_front().is_some());
                    }
                }
                for (store, model) in [(&mailbox, &waiting), (&hand, &held)] {
                    prop_assert_eq!(store.messages() as usize, model.len());
                    prop_assert_eq!(store.weight() as usize, model.iter().map(Vec::len).sum::<usize>());
                }
            }
            let rest = std::iter::from_fn(|| match mailbox.pop_whole()? {
                Whole::Message(mut envelope) => Some(bytes_of(&mut envelope)),
                Whole::Ended(_) => panic!("none was put in"),
            });
            prop_assert_eq!(rest.collect::<Vec<_>>(), Vec::from(waiting));
        }
    }

    /// An actor that waits while it handles one message, and is sent another meanwhile, over and over.
    #[test]
    fn what_is_kept_is_no_more_than_ever_waited_however_often_the_actor_rests() {
        let mut mailbox = Store::default();
        for _ in 0..100 {
            let mut hand = Store::default();
            for _ in 0..2 {
                add(&mut mailbox, &[1], true);
                hand.shrink();
                mem::swap(&mut mailbox, &mut hand);
                add(&mut mailbox, &[2], true);
                assert_eq!(take(&mut hand), Some(vec![1]));
                hand.shrink();
                mem::swap(&mut mailbox, &mut hand);
                assert_eq!(take(&mut hand), Some(vec![2]));
            }
            mailbox.shrink();
            hand.shrink();
            mailbox.inherit(hand);
        }
        assert_eq!(mailbox.spare(), 1);
    }

    #[test]
    fn an_empty_store_keeps_no_more_than_it_may() {
        let mut store = Store::default();
        add(&mut store, &vec![1; BYTES_KEPT + 1], true);
        let _taken = store.pop();
        store.shrink();
        assert_eq!(store.linked.as_ref().unwrap().bytes.capacity(), 0);
        (0..=ENTRIES_KEPT).for_each(|_| add(&mut store, &[], true));
        while take(&mut store).is_some() {}
        store.shrink();
        assert_eq!((store.entries.capacity(), store.linked.unwrap().spare.len()), (0, ENTRIES_KEPT));
    }
}
