//! What a peer has lent: read where it is, given back when it is dropped.

use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use bailiwick_core::ring::RETURN_STRIDE;
use bailiwick_sys::memory::MemoryError;
use bailiwick_sys::segment::Lender;
use bailiwick_sys::shared_words::SharedWords;

/// Where this end says what it has given back. It is added to and never looked at, so nothing that anybody else writes there matters here.
#[derive(Clone, Debug)]
pub(crate) struct Returns {
    /// Who still reads something when the link has ended need not say so to anybody.
    memory: Weak<SharedWords>,
    at: usize,
}

impl Returns {
    /// Has it say so in these words, from `at` on.
    pub(crate) fn new(memory: &Arc<SharedWords>, at: usize) -> Self {
        Self { memory: Arc::downgrade(memory), at }
    }

    /// Says that the memory of this place was given back once more.
    pub(crate) fn give_back(&self, place: usize) {
        if let Some(word) =
            self.memory.upgrade().as_ref().and_then(|words| words.get(self.at + place * RETURN_STRIDE))
        {
            // What was read here was read before its maker sees that.
            word.fetch_add(1, Ordering::Release);
        }
    }
}

/// Memory that was lent once, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lent {
    lender: Arc<Lender>,
    length: usize,
    _back: GivesBack,
}

#[derive(Debug)]
struct GivesBack {
    returns: Returns,
    place: usize,
}

impl Lent {
    pub(crate) fn new(lender: Arc<Lender>, returns: &Returns, place: usize) -> Self {
        let length = lender.len();
        Self { lender, length, _back: GivesBack { returns: returns.clone(), place } }
    }

    /// Has it be read up to a length that its maker says.
    ///
    /// # Errors
    /// `TooLong` if it is not that long.
    pub(super) fn cut(self, length: u64) -> Result<Self, MemoryError> {
        let limit = self.lender.len() as u64;
        match usize::try_from(length) {
            Ok(length) if length <= self.lender.len() => Ok(Self { length, ..self }),
            Ok(_) | Err(_) => Err(MemoryError::TooLong { bytes: length, limit }),
        }
    }
}

impl Deref for Lent {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.lender.get(..self.length).unwrap_or_default()
    }
}

impl Drop for GivesBack {
    fn drop(&mut self) {
        self.returns.give_back(self.place);
    }
}
