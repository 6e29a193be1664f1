//! The pages of a link: in one of them this side says with which asks of the peer its handlers have begun, in the other the
//! peer says that of the asks of this side. What stands there is read once the peer is dead, by
//! [`Page`](bailiwick_core::link::Page).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};

use bailiwick_core::asks::Ticket;
use bailiwick_core::link::Page;
use bailiwick_sys::link_pair::{End, PAGE_WORDS};
use bailiwick_sys::shared_words::SharedWords;

/// Both pages, which are the last words of a link's memory.
pub(super) struct Pages {
    memory: Arc<SharedWords>,
    ours: Range<usize>,
    theirs: Range<usize>,
}

impl Pages {
    /// Returns the pages as this end has them.
    pub(super) fn new(memory: Arc<SharedWords>, end: End) -> Self {
        let second = memory.len() - PAGE_WORDS;
        let (first, second) = (second - PAGE_WORDS..second, second..memory.len());
        let (ours, theirs) = match end {
            End::First => (first, second),
            End::Second => (second, first),
        };
        Self { memory, ours, theirs }
    }

    /// Says that a handler is about to begin with an ask of the peer's.
    pub(super) fn begin(&self, ask: Ticket) {
        let Some(word) = self.words(&self.ours).get(usize::from(ask.index())) else { return };
        word.store(ask.epoch(), Ordering::Release);
        // Who is killed is killed between two instructions, and what it stored before stays stored; so it is enough that the
        // handler's first instruction is not moved before this one.
        compiler_fence(Ordering::SeqCst);
    }

    /// Reads what a peer that is dead has said of this side's asks with the first `count` indices.
    pub(super) fn read(&self, count: usize) -> Page {
        let words = self.words(&self.theirs).iter().take(count);
        Page::new(words.map(|word| word.load(Ordering::Acquire)).collect())
    }

    /// Writes what nobody honest does: this into every word of both.
    #[cfg(test)]
    pub(super) fn forge(&self, said: u64) {
        for page in [&self.ours, &self.theirs] {
            self.words(page).iter().for_each(|word| word.store(said, Ordering::Release));
        }
    }

    fn words(&self, page: &Range<usize>) -> &[AtomicU64] {
        &self.memory[page.clone()]
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use bailiwick_sys::link_pair::{link, take};

    use super::*;

    #[test]
    fn what_one_end_begins_with_the_other_reads_and_an_ask_beyond_the_page_is_not_said() {
        for ring in [0, 4096] {
            let (one, other) = link(ring).unwrap();
            let [one, other] = [one, other].map(|socket| {
                let (memory, end) = take(socket.as_fd(), ring).unwrap();
                Pages::new(Arc::new(memory), end)
            });
            let last = PAGE_WORDS as u16 - 1;
            for (index, epoch) in [(0, 7), (last, 8), (last + 1, 9), (u16::MAX, 10)] {
                one.begin(Ticket::new(index, epoch));
            }
            let mut words = vec![0; PAGE_WORDS];
            assert_eq!(one.read(PAGE_WORDS), Page::new(words.clone()), "what it writes is not what it reads");
            (words[0], words[usize::from(last)]) = (7, 8);
            assert_eq!(other.read(usize::MAX), Page::new(words));
            assert_eq!(other.read(1), Page::new(vec![7]));
            assert_eq!(
                other.memory[..ring / 8].iter().map(|word| word.load(Ordering::Relaxed)).max(),
                (ring > 0).then_some(0)
            );
        }
    }
}
