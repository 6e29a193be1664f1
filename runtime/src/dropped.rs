//! What a full mailbox dropped of messages that came together, until it is recorded and its senders are told: together as well,
//! because whoever floods a mailbox that drops has its worker drop as fast as it can send.

use std::mem;

use crate::cell::Cell;
use crate::envelope::{Credit, Envelope, Stored};
use crate::outcome::NotDelivered;
use crate::store::Entry;

/// Messages that were dropped, of which nobody was told yet.
#[derive(Default)]
pub(crate) struct Dropped {
    #[expect(clippy::vec_box, reason = "the boxes are used again")]
    stored: Vec<Box<Envelope<Stored>>>,
    /// Those that owned what they carried.
    whole: Vec<Box<Envelope>>,
}

impl Dropped {
    /// Tells whether others are to be told before more is dropped.
    pub(crate) fn is_full(&self) -> bool {
        self.stored.len() + self.whole.len() >= DROPPED_MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.whole.is_empty()
    }

    /// Adds what a newcomer takes the place of.
    pub(crate) fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Stored(envelope) => {
                if self.stored.is_empty() {
                    self.stored.reserve(DROPPED_MAX);
                }
                self.stored.push(envelope);
            }
            Entry::Message(envelope) => self.whole.push(envelope),
            // It is no message, and no policy drops it.
            Entry::Ended(_) => {}
        }
    }

    /// Records all, tells whoever waits for an answer, and gives the credit back. Returns the boxes that can be used again.
    #[expect(clippy::vec_box, reason = "the boxes are what is returned")]
    pub(crate) fn settle(&mut self, cell: &Cell) -> Vec<Box<Envelope<Stored>>> {
        for envelope in self.whole.drain(..) {
            cell.lose(envelope, NotDelivered::Dropped);
        }
        let mut stored = mem::take(&mut self.stored);
        for alike in stored.chunk_by(|one, next| one.is_alike(next)) {
            if let [first, ..] = alike {
                cell.count_dropped(first.protocol, first.method, alike.len() as u64);
            }
        }
        let mut credit = None;
        for envelope in &mut stored {
            envelope.reply.fail(NotDelivered::Dropped.into());
            Credit::gather(&mut credit, &mut envelope.credit);
        }
        stored
    }
}

/// Messages that are dropped before others are told of them: enough that to tell costs little for each, and no more, since
/// their boxes are kept.
const DROPPED_MAX: usize = 64;

#[cfg(test)]
impl Dropped {
    /// Returns which methods they are for.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u16> {
        let whole = self.whole.iter().map(|envelope| envelope.method);
        whole.chain(self.stored.iter().map(|envelope| envelope.method))
    }
}
