//! Memory that is written, lent to be read, and written again: one mapping of it at each end for as long as both like.
//!
//! Its maker writes it through [`Segment`] and sends its descriptor; who receives that maps it as [`Lender`] and reads it as
//! [`Lent`], which gives it back when it is dropped. That it holds still while it is read is what its maker promises, and keeps as
//! long as it writes by nothing else than [`Segment::write`]: the kernel does not see to it, as it does with
//! [`memory`](crate::memory). So it is for processes that trust each other with memory, and is never sent to others.
//!
//! | offset | bytes | written by | meaning |
//! | ---: | ---: | --- | --- |
//! | 0 | 8 | maker | a word by which it is known from other memory |
//! | 8 | 8 | maker | its number, another one for each that this process makes |
//! | 16 | 8 | maker | how many bytes of the data are to be read |
//! | 24 | 8 | readers | how often it was given back, by all of them together |
//! | 4096 | the rest | maker | the data |
//!
//! What the other end wrote is hostile all the same: it is copied once, and compared with what is possible. Nobody can shrink it below the
//! mapping; who punches holes into it has it read as zeros.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::stat::fstat;
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use nix::sys::uio::pread;
use nix::unistd::ftruncate;

use crate::error::{Errno, Failed, failed};
use crate::limits::own_file_size;
use crate::memory::{MemoryError, create};
use crate::shared_words::FIXED;

/// A segment as its maker has it.
#[derive(Debug)]
pub struct Segment {
    fd: OwnedFd,
    head: Mapping,
    data: Mapping,
    /// How often it was lent, where no reader can change it.
    lent: AtomicU64,
}

impl Segment {
    /// Makes one with room for `capacity` bytes, at least one, and a number that no other of this process has. Its pages are there
    /// from the beginning.
    ///
    /// # Errors
    /// EINVAL of no capacity; EFBIG of more than a file of this process may have; EMFILE, ENFILE, ENOMEM.
    pub fn make(number: u64, capacity: usize) -> Result<Self, Failed> {
        let bytes = i64::try_from(HEAD_BYTES.saturating_add(capacity)).unwrap_or(i64::MAX);
        // The kernel would not only refuse it, but send a signal besides.
        if bytes.unsigned_abs() > own_file_size() {
            return Err(Failed { call: "ftruncate(memfd)", errno: Errno::EFBIG });
        }
        let fd = create()?;
        ftruncate(&fd, bytes).map_err(failed("ftruncate(memfd)"))?;
        fcntl(&fd, FcntlArg::F_ADD_SEALS(FIXED)).map_err(failed("fcntl(F_ADD_SEALS)"))?;
        let head = Mapping::new(fd.as_fd(), 0, HEAD_BYTES, WRITABLE)?;
        let data = Mapping::new(fd.as_fd(), HEAD_BYTES, capacity, WRITABLE)?;
        head.word(Word::Magic).store(MAGIC, Ordering::Relaxed);
        head.word(Word::Number).store(number, Ordering::Relaxed);
        Ok(Self { fd, head, data, lent: AtomicU64::new(0) })
    }

    /// Returns how many bytes it has room for.
    pub fn capacity(&self) -> usize {
        self.data.bytes.get()
    }

    /// Notes that its descriptor was sent once more. Who reads what was sent gives it back once.
    pub fn lend(&self) {
        self.lent.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns whether it was given back as often as it was lent: nobody reads it, or somebody says so who does.
    pub fn is_back(&self) -> bool {
        // What its last reader read was read before it is written again.
        self.head.word(Word::Back).load(Ordering::Acquire) == self.lent.load(Ordering::Relaxed)
    }

    /// Writes bytes into it from an offset on, as many as there is room for, and has it end behind them. Returns how many were
    /// written: none while somebody reads it.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) -> usize {
        if !self.is_back() || offset > self.capacity() {
            return 0;
        }
        let count = bytes.len().min(self.capacity() - offset);
        let room = self.data.bytes_mut();
        room[offset..][..count].copy_from_slice(&bytes[..count]);
        self.head.word(Word::Length).store((offset + count) as u64, Ordering::Relaxed);
        count
    }

    /// Returns what was written.
    pub fn written(&self) -> &[u8] {
        let length = usize::try_from(self.head.word(Word::Length).load(Ordering::Relaxed));
        let whole = self.data.bytes();
        whole.get(..length.unwrap_or(0)).unwrap_or(whole)
    }
}

impl AsFd for Segment {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What the head of a segment says, as it was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number among those of its maker.
    pub number: u64,
    /// How many bytes are to be read.
    pub length: u64,
}

/// Looks whether a descriptor is a segment.
pub fn look(fd: BorrowedFd<'_>) -> Option<Head> {
    let seals = fcntl(fd, FcntlArg::F_GET_SEALS).map(SealFlag::from_bits_retain).ok()?;
    let mut words = [0; 24];
    let is_one = seals.contains(FIXED) && !seals.contains(SealFlag::F_SEAL_WRITE);
    if !is_one || pread(fd, &mut words, 0) != Ok(words.len()) {
        return None;
    }
    let ([magic, number, length], _) = words.as_chunks::<8>() else { return None };
    let [magic, number, length] = [magic, number, length].map(|word| u64::from_ne_bytes(*word));
    (magic == MAGIC).then_some(Head { number, length })
}

/// Gives back what was lent once and is not read, because it cannot be mapped.
///
/// # Errors
/// `NotOrdinary` if it is of no ordinary pages; `Failed` if not even its head can be mapped.
pub fn give_back(fd: BorrowedFd<'_>) -> Result<(), MemoryError> {
    ordinary(fd)?;
    if look(fd).is_some() {
        Mapping::new(fd, 0, HEAD_BYTES, WRITABLE)?.word(Word::Back).fetch_add(1, Ordering::Release);
    }
    Ok(())
}

fn ordinary(fd: BorrowedFd<'_>) -> Result<(), MemoryError> {
    let found = fstatfs(fd).map_err(failed("fstatfs"))?.filesystem_type();
    if found == TMPFS_MAGIC { Ok(()) } else { Err(MemoryError::NotOrdinary) }
}

/// A segment of somebody else's, mapped to be read.
#[derive(Debug)]
pub struct Lender {
    head: Mapping,
    data: Mapping,
}

impl Lender {
    /// Verifies that nobody can resize it, that it is of ordinary pages, without holes and with room for at most `limit` bytes, and
    /// maps it.
    ///
    /// # Errors
    /// `Failed` if the kernel does not permit it; otherwise what is wrong with the memory.
    pub fn map(fd: BorrowedFd<'_>, limit: u64) -> Result<Self, MemoryError> {
        let found = fcntl(fd, FcntlArg::F_GET_SEALS).map_err(|_| MemoryError::NotSealed { found: 0 })?;
        if !SealFlag::from_bits_retain(found).contains(FIXED) {
            return Err(MemoryError::NotSealed { found });
        }
        ordinary(fd)?;
        let status = fstat(fd).map_err(failed("fstat"))?;
        let bytes = u64::try_from(status.st_size).unwrap_or(0);
        let held = u64::try_from(status.st_blocks).unwrap_or(0).saturating_mul(512);
        let capacity = bytes.saturating_sub(HEAD_BYTES as u64);
        if capacity > limit {
            return Err(MemoryError::TooLong { bytes: capacity, limit });
        }
        if held < bytes {
            return Err(MemoryError::Sparse { bytes, held });
        }
        let head = Mapping::new(fd, 0, HEAD_BYTES, WRITABLE)?;
        let data = Mapping::new(fd, HEAD_BYTES, capacity as usize, ProtFlags::PROT_READ)?;
        Ok(Self { head, data })
    }

    /// Returns how many bytes it has room for.
    pub fn capacity(&self) -> usize {
        self.data.bytes.get()
    }

    /// Takes what was lent once, of so many bytes. What is dropped is given back.
    pub fn take(self: &Arc<Self>, length: u64) -> Lent {
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(self.capacity());
        Lent { lender: Arc::clone(self), length }
    }
}

/// Bytes that were lent, until they are dropped.
#[derive(Debug)]
pub struct Lent {
    lender: Arc<Lender>,
    length: usize,
}

impl Deref for Lent {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.lender.data.bytes()[..self.length]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // What was read here was read before its maker sees that.
        self.lender.head.word(Word::Back).fetch_add(1, Ordering::Release);
    }
}

/// The words of the head.
#[derive(Clone, Copy)]
enum Word {
    Magic,
    Number,
    Length,
    Back,
}

/// Shared memory, mapped until it is dropped.
#[derive(Debug)]
struct Mapping {
    start: NonNull<c_void>,
    bytes: NonZeroUsize,
}

// SAFETY: the mapping is owned, and is reached through references to the whole of it, as memory of one's own is.
unsafe impl Send for Mapping {}
// SAFETY: as for Send; shared references read bytes, or reach atomics.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(fd: BorrowedFd<'_>, offset: usize, bytes: usize, access: ProtFlags) -> Result<Self, Failed> {
        let wrong = Failed { call: "mmap of a segment", errno: Errno::EINVAL };
        let bytes = NonZeroUsize::new(bytes).ok_or(wrong)?;
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_POPULATE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in use.
        let start = unsafe { mmap(None, bytes, access, flags, fd, offset as i64) };
        Ok(Self { start: start.map_err(failed("mmap"))?, bytes })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `new` made a readable mapping of this length, of memory that nobody can shrink, which its callers have made or
        // verified; it lives until `self` is dropped. Any byte is a `u8`. That it holds still is the promise of the module: it is
        // written by `Segment::write` alone, which takes its maker's only handle, and only while nobody reads it.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.bytes.get()) }
    }

    /// Only for mappings that are [`WRITABLE`].
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`; the mapping of a segment's data is writable, and `self` is its only one in its maker.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.bytes.get()) }
    }

    /// Only for mappings of a head.
    fn word(&self, word: Word) -> &AtomicU64 {
        let words = self.start.cast::<AtomicU64>();
        // SAFETY: a head is longer than its four words.
        let word = unsafe { words.add(word as usize) };
        // SAFETY: the mapping of a head is readable and writable, aligned to a page, and lives until `self` is dropped; it is
        // never reached but as atomics, of which any bits are a number.
        unsafe { word.as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `new` made this mapping, of this length, nobody else knows of it, and no borrow outlives `self`.
        let unmapped = unsafe { munmap(self.start, self.bytes.get()) };
        debug_assert_eq!(unmapped, Ok(()), "a mapping of our own can be taken away");
    }
}

/// The bytes before the data, so that these begin a page.
pub const HEAD_BYTES: usize = 4096;
/// What stands first in a segment.
const MAGIC: u64 = u64::from_ne_bytes(*b"bwlent\x00\x01");
const WRITABLE: ProtFlags = ProtFlags::PROT_READ.union(ProtFlags::PROT_WRITE);

#[cfg(test)]
mod tests;
