//! The memory of this process that is lent to the workers of its trust domain: see `bailiwick_core::lending` for who may have it when.
//!
//! There is one pool in a process, as there is one table of descriptors: a blob that is made does not know yet over which link it
//! will go. While there is no link that lends, it is empty and gives nothing.

use std::cell::Cell;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_core::lending::{Found, Mark, Most, Piece, Pool};
use bailiwick_sys::error::Errno;
use bailiwick_sys::memory;
use bailiwick_sys::segment::Segment;
use bailiwick_wire::descriptors::Carried;

// One for the process: its links, executors and threads share what it may take.
static POOL: Mutex<Own> = Mutex::new(Own { pool: Pool::new(MOST), made: 0, is_refused: false });

thread_local! {
    // For the length of one synchronous encode, as the table of its descriptors is.
    static LENDS: Cell<bool> = const { Cell::new(false) };
}

struct Own {
    pool: Pool<Lendable>,
    /// Segments made so far, each with a number of its own.
    made: u64,
    /// This process may make no memory: it is not tried again.
    is_refused: bool,
}

struct Lendable(Segment);

impl Piece for Lendable {
    fn bytes(&self) -> usize {
        self.0.capacity()
    }

    fn is_back(&self) -> bool {
        self.0.is_back()
    }
}

/// A link over which memory is lent, as long as it is there.
#[derive(Debug)]
pub(crate) struct LendingLink(());

impl LendingLink {
    pub(crate) fn new() -> Self {
        own().pool.link_began();
        Self(())
    }
}

impl Drop for LendingLink {
    fn drop(&mut self) {
        own().pool.link_ended();
    }
}

/// Encodes a message for a link that lends, or for one that does not.
pub(crate) fn encoding_for<R>(lends: bool, encode: impl FnOnce() -> R) -> R {
    if !lends {
        return encode();
    }
    let _none_afterwards = Lending;
    LENDS.set(true);
    encode()
}

/// Tells whether the message that is encoded on this thread goes over a link that lends.
pub(super) fn lends() -> bool {
    LENDS.get()
}

struct Lending;

impl Drop for Lending {
    fn drop(&mut self) {
        LENDS.set(false);
    }
}

/// Memory of the pool, until it is dropped; its readers may keep it for longer.
pub(super) struct Loaned {
    /// None only while it is dropped.
    segment: Option<Lendable>,
    mark: Mark,
}

impl Loaned {
    /// Takes some out of the pool, for at least so many bytes. What was written before cannot be read.
    pub(super) fn take(bytes: usize) -> Option<Self> {
        let (found, number) = {
            let mut own = own();
            if own.is_refused {
                return None;
            }
            own.made += 1;
            (own.pool.take(bytes), own.made)
        };
        let (segment, mark) = match found {
            Found::Piece(piece, mark) => (piece, mark),
            Found::Room(bytes, mark) => (make(number, bytes)?, mark),
            Found::Nothing => return None,
        };
        let mut loaned = Self { segment: Some(segment), mark };
        loaned.write(0, &[]);
        Some(loaned)
    }

    /// Takes some with these bytes in it.
    pub(super) fn holding(bytes: &[u8]) -> Option<Self> {
        let mut loaned = Self::take(bytes.len())?;
        (loaned.write(0, bytes) == bytes.len()).then_some(loaned)
    }

    /// Writes from an offset on, as much as there is room for, and returns how much that was.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) -> usize {
        self.segment.as_mut().map_or(0, |segment| segment.0.write(offset, bytes))
    }

    pub(super) fn written(&self) -> &[u8] {
        self.segment().written()
    }

    fn segment(&self) -> &Segment {
        &self.segment.as_ref().expect("it is there until it is dropped").0
    }
}

/// Makes one for which there is room. What the kernel refuses now it may give later, unless it says that it never will.
fn make(number: u64, bytes: usize) -> Option<Lendable> {
    let made = Segment::make(number, bytes);
    if let Err(failed) = &made {
        let mut own = own();
        own.pool.give_up(bytes);
        own.is_refused |= matches!(failed.errno, Errno::EPERM | Errno::EACCES | Errno::ENOSYS);
    }
    made.ok().map(Lendable)
}

impl Drop for Loaned {
    fn drop(&mut self) {
        if let Some(segment) = self.segment.take() {
            own().pool.give(segment, self.mark);
        }
    }
}

impl fmt::Debug for Loaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loaned({} bytes)", self.written().len())
    }
}

impl AsFd for Loaned {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.segment().as_fd()
    }
}

impl Carried for Loaned {
    fn sent(&self) {
        self.segment().lend();
    }

    fn is_lent(&self) -> bool {
        true
    }

    fn for_anybody(&self) -> Option<Arc<OwnedFd>> {
        memory::seal(self.written()).ok().map(Arc::new)
    }
}

fn own() -> MutexGuard<'static, Own> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As much as is on its way at a time, and what is kept of it; each segment holds a descriptor.
const MOST: Most = Most { bytes: POOL_BYTES, idle_bytes: 64 << 20, pieces: 32 };
/// Bytes of all segments of a process.
pub(crate) const POOL_BYTES: usize = 256 << 20;
