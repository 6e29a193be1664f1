//! The page in which a peer says with which asks its handlers have begun: read once the peer is dead.
//!
//! Each index of the table of asks has a word. Who is asked writes the epoch of the ask there right before its handler
//! begins, and writes nothing else. So once nobody is left who writes, an ask whose epoch is not there was never begun with.
//! Memory outlives who wrote it: no death between two instructions takes a word back.
//!
//! The words are the peer's, and whatever it writes there can only change what its own asks are said to have come to, as
//! its answers can: an ask that it was sent and that it handled it may as well have answered with "not handled".

use alloc::vec::Vec;

use crate::asks::Ticket;

/// What the page of a dead peer says; of no other one it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Page(Vec<u64>);

impl Page {
    /// A page that says nothing: each ask may have been begun with.
    pub const UNREAD: Self = Self(Vec::new());

    /// Takes the words, by the index of the ask; those beyond say nothing.
    pub fn new(words: Vec<u64>) -> Self {
        Self(words)
    }

    /// Tells whether a message that the peer was sent was begun with.
    pub(super) fn tells_of(&self, sent: Ticket) -> bool {
        self.0.get(usize::from(sent.index())) == Some(&sent.epoch())
    }

    /// Tells whether an ask that the peer was sent was certainly not begun with. A word that no honest peer can have
    /// written, of a later use of the index, says nothing.
    pub(super) fn excludes(&self, ask: Ticket) -> bool {
        self.0.get(usize::from(ask.index())).is_some_and(|epoch| *epoch < ask.epoch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_earlier_use_of_the_index_excludes_that_an_ask_was_begun_with() {
        let page = Page::new([0, 6, 7, 8, u64::MAX].into());
        let excluded: Vec<_> = (0..6).map(|index| page.excludes(Ticket::new(index, 7))).collect();
        assert_eq!(excluded, [true, true, false, false, false, false]);
        let told: Vec<_> = (0..6).map(|index| page.tells_of(Ticket::new(index, 7))).collect();
        assert_eq!(told, [false, false, true, false, false, false]);
        assert!(!Page::UNREAD.excludes(Ticket::new(0, 1)) && !Page::UNREAD.tells_of(Ticket::new(0, 1)));
    }
}
