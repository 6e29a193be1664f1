//! The memory that this process lends over one link: see `bailiwick_core::lending` for who may have which piece when.
//!
//! Each link has its own, as long as it is there; all of them have one budget. What comes back is said by the other end in words of the
//! link's memory, which are read here and compared.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use bailiwick_core::lending::{Budget, Found, Loans as Table, Most};
use bailiwick_core::ring::RETURN_STRIDE;
use bailiwick_sys::error::Errno;
use bailiwick_sys::limits::{own_address_space, own_descriptors};
use bailiwick_sys::segment::{BYTES_MAX, Segment};
use bailiwick_sys::shared_words::SharedWords;

// One for the process: its links, executors and threads share what it may take.
static BUDGET: LazyLock<Mutex<Budget>> = LazyLock::new(|| Mutex::new(Budget::new(most_of_all(own_limits()))));

/// What is lent over one link.
pub(crate) struct Loans {
    table: Mutex<Table<Segment>>,
    budget: &'static Mutex<Budget>,
    /// The words of the other end, from this one on.
    returns: (Arc<SharedWords>, usize),
    /// There is a piece, or was one at the last tick.
    is_in_use: AtomicBool,
    /// Wakes who is to have go what is not used.
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// This process may make no memory: it is not tried again.
    is_refused: AtomicBool,
}

impl Loans {
    /// Makes those of a link; the other end says what is back in these words, from `at` on.
    pub(crate) fn new(memory: Arc<SharedWords>, at: usize) -> Arc<Self> {
        Self::within(&BUDGET, memory, at)
    }

    pub(super) fn within(budget: &'static Mutex<Budget>, memory: Arc<SharedWords>, at: usize) -> Arc<Self> {
        let table = Mutex::new(Table::new(most_of_link(own_limits())));
        let (is_in_use, is_refused) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { table, budget, returns: (memory, at), is_in_use, wake: OnceLock::new(), is_refused })
    }

    /// Has `wake` be called whenever something is in use that was not before: it is to be ticked then.
    pub(crate) fn when_in_use(&self, wake: impl Fn() + Send + Sync + 'static) {
        // A transport begins once.
        let _ = self.wake.set(Box::new(wake));
    }

    /// Takes a piece of at least so many bytes, if there is one to be had.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Option<Loaned> {
        if bytes > BYTES_MAX || self.is_refused.load(Ordering::Relaxed) {
            return None;
        }
        let (place, segment) = match self.find(bytes) {
            Found::Piece { place, piece } => (place, piece),
            Found::Room { place, bytes } => (place, self.make(place, bytes)?),
            Found::Nothing => return None,
        };
        Some(Loaned { segment: Some(segment), place, loans: Arc::clone(self) })
    }

    fn find(&self, bytes: usize) -> Found<Segment> {
        let mut table = self.table();
        let found = table.take(bytes, |place| self.said(place), &mut self.budget());
        // While the table is locked, or a tick that found nothing before could say so afterwards.
        let was_in_use = self.is_in_use.swap(true, Ordering::Relaxed);
        drop(table);
        // Nothing need be sent of what is taken, and so nothing else might ever wake who ticks.
        if let Some(wake) = self.wake.get().filter(|_| !was_in_use) {
            wake();
        }
        found
    }

    /// Makes one for which there is room. What the kernel refuses now it may give later, unless it says that it never will.
    fn make(&self, place: usize, bytes: usize) -> Option<Segment> {
        let made = Segment::make(bytes);
        if let Err(failed) = &made {
            self.table().give_up(place, &mut self.budget());
            // EINVAL is the word of a kernel before 5.1, which does not know the seal.
            let never = [Errno::EPERM, Errno::EACCES, Errno::ENOSYS, Errno::EINVAL];
            let is_refused = never.contains(&failed.errno);
            self.is_refused.store(is_refused, Ordering::Relaxed);
        }
        made.ok()
    }

    /// Tells whether there may be any piece.
    pub(crate) fn is_in_use(&self) -> bool {
        self.is_in_use.load(Ordering::Relaxed)
    }

    /// Drops what was not used since the last time.
    pub(crate) fn tick(&self) {
        let mut table = self.table();
        let is_in_use = table.tick(|place| self.said(place), &mut self.budget());
        self.is_in_use.store(is_in_use, Ordering::Relaxed);
    }

    /// Lends nothing from now on, and forgets what is lent: the link has ended.
    pub(crate) fn end(&self) {
        self.table().end(&mut self.budget());
    }

    /// Notes that the piece of this place was sent once more.
    pub(crate) fn lend(&self, place: usize) {
        self.table().lend(place);
    }

    /// Returns what the other end says, which may be anything.
    fn said(&self, place: usize) -> u64 {
        let (memory, at) = &self.returns;
        // What it read was read before it is written again.
        memory[at + place * RETURN_STRIDE].load(Ordering::Acquire)
    }

    fn budget(&self) -> MutexGuard<'static, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> MutexGuard<'_, Table<Segment>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Loans {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Loans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loans({} bytes)", self.table().bytes())
    }
}

/// A piece that is written here, or was and is about to be sent. Its reader may keep it for longer.
#[derive(Debug)]
pub(super) struct Loaned {
    /// None only while it is dropped.
    segment: Option<Segment>,
    place: usize,
    loans: Arc<Loans>,
}

impl Loaned {
    /// Returns its place if it is lent over this link.
    pub(super) fn place_of(&self, loans: &Arc<Loans>) -> Option<usize> {
        Arc::ptr_eq(&self.loans, loans).then_some(self.place)
    }

    /// Returns all of it; behind what was written stands what was written before.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.segment.as_deref_mut().unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.segment.as_deref().unwrap_or_default()
    }

    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.segment.as_ref().map(AsFd::as_fd)
    }
}

impl Drop for Loaned {
    fn drop(&mut self) {
        if let Some(segment) = self.segment.take() {
            self.loans.table().give(self.place, segment, &mut self.loans.budget());
        }
    }
}

/// What all links may have together, each piece with its addresses and a descriptor. Most of either is for the worker's own use.
pub(super) fn most_of_all(own: Most) -> Most {
    Most { bytes: (128 << 20).min(own.bytes / 4), pieces: 64.min(own.pieces / 4) }
}

/// What one of them may have, so that who gives nothing back leaves half to others.
pub(super) fn most_of_link(own: Most) -> Most {
    Most { bytes: (64 << 20).min(own.bytes / 8), pieces: 32.min(own.pieces / 8) }
}

/// Returns how many addresses and descriptors this process may have.
pub(super) fn own_limits() -> Most {
    let own = |limit| usize::try_from(limit).unwrap_or(usize::MAX);
    Most { bytes: own(own_address_space()), pieces: own(own_descriptors()) }
}
