//! Memory that one process writes again and again and another one reads where it is.
//!
//! Its maker writes it through [`Segment`], by the only mapping that can ever be written: before the descriptor leaves the process the
//! memory is sealed against its size and against further writing, so whoever receives it can read it and nothing else, by whatever
//! call. A reader maps it as [`Lender`]. That it holds still while it is read is what its maker promises and the kernel does not see
//! to, as it does with [`memory`](crate::memory); so it is for processes that trust each other with memory.
//!
//! All of its pages are there when it is made, and none can be taken out: neither end can have the other end by SIGBUS, nor have it
//! pay for a page. No length and no number stands in it.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::stat::fstat;

use crate::error::{Errno, Failed, failed};
use crate::limits::own_file_size;
use crate::memory::{MemoryError, create, measure};

/// A segment as its maker has it: bytes that nobody else can write.
#[derive(Debug)]
pub struct Segment {
    fd: OwnedFd,
    data: Mapping,
}

impl Segment {
    /// Makes one of `bytes` bytes, at least one and at most [`BYTES_MAX`], all zero. It takes its memory at once.
    ///
    /// # Errors
    /// EINVAL of no bytes; EFBIG of more than that, or than a file of this process may have; EMFILE, ENFILE, ENOMEM, ENOSPC, and EPERM, EACCES or
    /// ENOSYS where a process may make no memory files.
    pub fn make(bytes: usize) -> Result<Self, Failed> {
        let too_large = Failed { call: "fallocate(memfd)", errno: Errno::EFBIG };
        // Nothing but the machine's memory bounds what the kernel tries to allocate; and what is beyond the limit of files it would
        // not only refuse, but send a signal besides.
        let allowed = BYTES_MAX.min(usize::try_from(own_file_size()).unwrap_or(usize::MAX));
        let length = i64::try_from(bytes).ok().filter(|_| bytes <= allowed).ok_or(too_large)?;
        let fd = create()?;
        fallocate(&fd, FallocateFlags::empty(), 0, length).map_err(failed("fallocate(memfd)"))?;
        let data = Mapping::new(fd.as_fd(), bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
        let mut made = Self { fd, data };
        // Pages that nobody has written are holes to whoever measures it.
        made.chunks_mut(PAGE_BYTES).for_each(|page| page[0] = 0);
        fcntl(&made.fd, FcntlArg::F_ADD_SEALS(ONE_WRITER)).map_err(failed("fcntl(F_ADD_SEALS)"))?;
        Ok(made)
    }
}

impl Deref for Segment {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.data.bytes()
    }
}

impl DerefMut for Segment {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `Mapping::bytes`; `make` mapped it writable, and `self` has the only mapping of this process.
        unsafe { std::slice::from_raw_parts_mut(self.data.start.as_ptr().cast(), self.data.bytes.get()) }
    }
}

impl AsFd for Segment {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A segment of somebody else's, mapped to be read.
#[derive(Debug)]
pub struct Lender {
    data: Mapping,
    file: FileId,
}

/// Which file of the kernel's it is: another number for each that lives, and it lives while it is mapped.
type FileId = (u64, u64);

impl Lender {
    /// Verifies that nobody can resize it or write it by another mapping, that it is of ordinary pages, without holes and of at most
    /// `limit` bytes, and maps it.
    ///
    /// # Errors
    /// `Failed` if the kernel does not permit it, which is not the maker's fault; otherwise what is wrong with the memory, which is.
    pub fn map(fd: BorrowedFd<'_>, limit: u64) -> Result<Self, MemoryError> {
        let bytes = measure(fd, ONE_WRITER, limit)?;
        let bytes = usize::try_from(bytes).map_err(|_| MemoryError::TooLong { bytes, limit })?;
        if bytes == 0 {
            return Err(MemoryError::Sparse { bytes: 0, held: 0 });
        }
        Ok(Self { data: Mapping::new(fd, bytes, ProtFlags::PROT_READ)?, file: file_id(fd)? })
    }

    /// Tells whether a descriptor is of the same memory.
    pub fn is_of(&self, fd: BorrowedFd<'_>) -> bool {
        file_id(fd) == Ok(self.file)
    }
}

impl Deref for Lender {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.data.bytes()
    }
}

fn file_id(fd: BorrowedFd<'_>) -> Result<FileId, Failed> {
    fstat(fd).map(|status| (status.st_dev, status.st_ino)).map_err(failed("fstat"))
}

/// Shared memory, mapped until it is dropped.
#[derive(Debug)]
struct Mapping {
    start: NonNull<c_void>,
    bytes: NonZeroUsize,
}

// SAFETY: the mapping is owned, and is reached through references to the whole of it, as memory of one's own is.
unsafe impl Send for Mapping {}
// SAFETY: as for Send; shared references only read.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(fd: BorrowedFd<'_>, bytes: usize, access: ProtFlags) -> Result<Self, Failed> {
        let bytes =
            NonZeroUsize::new(bytes).ok_or(Failed { call: "mmap of a segment", errno: Errno::EINVAL })?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in use.
        let start = unsafe { mmap(None, bytes, access, MapFlags::MAP_SHARED, fd, 0) };
        Ok(Self { start: start.map_err(failed("mmap"))?, bytes })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `new` made a readable mapping of this length, of memory that its maker has just allocated or its reader has
        // measured, whose seals keep all of its pages in place; it lives until `self` is dropped. Any byte is a `u8`. A maker's
        // bytes change through `Segment::deref_mut` alone, which takes its only handle. A reader's hold still while it reads by
        // the promise of the module, on which what is lent rests.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.bytes.get()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `new` made this mapping, of this length, nobody else knows of it, and no borrow outlives `self`.
        let unmapped = unsafe { munmap(self.start, self.bytes.get()) };
        debug_assert_eq!(unmapped, Ok(()), "a mapping of our own can be taken away");
    }
}

/// The most bytes of one segment.
pub const BYTES_MAX: usize = 16 << 20;
/// The smallest page of any machine.
const PAGE_BYTES: usize = 4096;
/// Nobody can change its size, nor punch holes, nor map it to be written any more, nor take that back.
const ONE_WRITER: SealFlag = SealFlag::F_SEAL_SHRINK
    .union(SealFlag::F_SEAL_GROW)
    .union(SealFlag::from_bits_retain(libc::F_SEAL_FUTURE_WRITE))
    .union(SealFlag::F_SEAL_SEAL);

#[cfg(test)]
mod tests;
