//! Words that both ends see, in one thread.

use std::cell::Cell;
use std::rc::Rc;

use bailiwick_core::ring::{CONTROL_WORDS, Reader, WORD_BYTES, Words, Writer};

#[derive(Clone)]
pub(crate) struct Cells(Rc<[Cell<u64>]>);

impl Cells {
    /// Both ends of room for so many words.
    pub(crate) fn ends(room: usize) -> (Writer<Self>, Reader<Self>, Self) {
        let cells = Self((0..CONTROL_WORDS + room).map(|_| Cell::new(0)).collect());
        let ends = (Writer::new(cells.clone()), Reader::new(cells.clone()));
        (ends.0.expect("a power of two"), ends.1.expect("a power of two"), cells)
    }

    pub(crate) fn set(&self, at: usize, word: u64) {
        self.0[at % self.0.len()].set(word);
    }

    pub(crate) fn get(&self, at: usize) -> u64 {
        self.0[at].get()
    }
}

impl Words for Cells {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn acquire(&self, at: usize) -> u64 {
        self.0[at].get()
    }

    fn release(&self, at: usize, word: u64) {
        self.0[at].set(word);
    }

    fn fence(&self) {}

    fn copy_out(&self, at: usize, bytes: &mut [u8]) {
        for (word, chunk) in self.0[at..].iter().zip(bytes.chunks_mut(WORD_BYTES)) {
            chunk.copy_from_slice(&word.get().to_ne_bytes()[..chunk.len()]);
        }
    }

    fn copy_in(&self, at: usize, bytes: &[u8]) {
        for (at, chunk) in (at..).zip(bytes.chunks(WORD_BYTES)) {
            let mut word = [0; WORD_BYTES];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0[at].set(u64::from_ne_bytes(word));
        }
    }
}
