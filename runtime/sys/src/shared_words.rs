//! Memory of fixed size that several processes read and write: mapped as numbers that are read and written one by one.
//!
//! Nobody can shrink it below the mapping, which would end whoever touches it by SIGBUS. Whoever has it may punch holes into
//! it: they read as zeros. What stands in it is hostile, and may change between any two reads.

use std::num::NonZeroUsize;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;

use crate::error::{Errno, Failed, failed};
use crate::memory::create;

/// Makes such memory of this many bytes, all zero. It takes no memory until it is written.
///
/// # Errors
/// EMFILE, ENFILE or ENOMEM.
pub fn make(bytes: usize) -> Result<OwnedFd, Failed> {
    let memory = create()?;
    let length = i64::try_from(bytes).unwrap_or(i64::MAX);
    ftruncate(&memory, length).map_err(failed("ftruncate(memfd)"))?;
    fcntl(&memory, FcntlArg::F_ADD_SEALS(FIXED)).map_err(failed("fcntl(F_ADD_SEALS)"))?;
    Ok(memory)
}

/// A mapping of it, until it is dropped.
#[derive(Debug)]
pub struct SharedWords {
    start: NonNull<AtomicU64>,
    bytes: NonZeroUsize,
}

// SAFETY: the mapping is owned, and is read and written as atomics only, which any thread may do.
unsafe impl Send for SharedWords {}
// SAFETY: as for Send; shared references only reach atomics.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Maps memory that has exactly this many bytes.
    ///
    /// # Errors
    /// EINVAL if it is none that [`make`] made with this many bytes; the kernel's reason otherwise.
    pub fn map(memory: BorrowedFd<'_>, bytes: usize) -> Result<Self, Failed> {
        let wrong = Failed { call: "mmap of shared words", errno: Errno::EINVAL };
        let seals = fcntl(memory, FcntlArg::F_GET_SEALS).map_err(failed("fcntl(F_GET_SEALS)"))?;
        let is_fixed = SealFlag::from_bits_retain(seals).contains(FIXED);
        let found = fstat(memory).map_err(failed("fstat"))?.st_size;
        let bytes = NonZeroUsize::new(bytes)
            .filter(|_| is_fixed && usize::try_from(found) == Ok(bytes))
            .ok_or(wrong)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in use.
        let start = unsafe { mmap(None, bytes, access, MapFlags::MAP_SHARED, memory.as_fd(), 0) };
        Ok(Self { start: start.map_err(failed("mmap"))?.cast(), bytes })
    }

    /// Keeps it for the rest of the process's life.
    pub fn leak(self) -> &'static [AtomicU64] {
        Box::leak(Box::new(self))
    }
}

impl Deref for SharedWords {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        let count = self.bytes.get() / size_of::<AtomicU64>();
        // SAFETY: `map` made a mapping of this length, readable, writable and aligned to a page; it lives until `self` is
        // dropped; the seals verified there keep the memory below it in place; any bytes are a number; and who else changes
        // it does so as to atomics, or by bytes of which any are a number.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), count) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: `map` made this mapping, of this length, nobody else knows of it, and no borrow outlives `self`.
        let unmapped = unsafe { munmap(self.start.cast(), self.bytes.get()) };
        debug_assert_eq!(unmapped, Ok(()), "a mapping of our own can be taken away");
    }
}

/// Nobody can change its size, nor what is sealed.
const FIXED: SealFlag = SealFlag::F_SEAL_SHRINK.union(SealFlag::F_SEAL_GROW).union(SealFlag::F_SEAL_SEAL);

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use nix::fcntl::{FallocateFlags, fallocate};

    use super::*;

    const BYTES: usize = 8192;

    fn ends(memory: &OwnedFd) -> [SharedWords; 2] {
        [(); 2].map(|()| SharedWords::map(memory.as_fd(), BYTES).unwrap())
    }

    #[test]
    fn what_one_end_writes_the_other_reads_and_either_may_let_go() {
        let memory = make(BYTES).unwrap();
        let [one, other] = ends(&memory);
        drop(memory);
        assert_eq!((one.len(), other[1023].load(Ordering::Relaxed)), (BYTES / 8, 0));
        one[1023].store(7, Ordering::Relaxed);
        drop(one);
        assert_eq!(other[1023].load(Ordering::Relaxed), 7);
    }

    #[test]
    fn d3_nobody_can_resize_it_and_holes_read_as_zeros() {
        let memory = make(BYTES).unwrap();
        let [one, other] = ends(&memory);
        one[0].store(7, Ordering::Relaxed);
        for length in [0, 1 << 20] {
            assert_eq!(ftruncate(&memory, length), Err(Errno::EPERM));
        }
        let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(&memory, punch, 0, BYTES as i64).unwrap();
        assert_eq!(other[0].load(Ordering::Relaxed), 0);
        assert_eq!(fcntl(&memory, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE)), Err(Errno::EPERM));
    }

    #[test]
    fn d4_what_was_not_made_for_it_is_not_mapped() {
        let memory = make(BYTES).unwrap();
        for bytes in [0, BYTES - 8, BYTES + 1] {
            assert!(SharedWords::map(memory.as_fd(), bytes).is_err(), "{bytes}");
        }
        let file = tempfile::tempfile().unwrap();
        file.set_len(BYTES as u64).unwrap();
        assert!(SharedWords::map(file.as_fd(), BYTES).is_err());
        for missing in FIXED.iter() {
            let memory = create().unwrap();
            ftruncate(&memory, BYTES as i64).unwrap();
            fcntl(&memory, FcntlArg::F_ADD_SEALS(FIXED - missing)).unwrap();
            assert!(SharedWords::map(memory.as_fd(), BYTES).is_err(), "without {missing:?}");
        }
    }

    #[test]
    fn what_is_dropped_is_mapped_no_more() {
        let memory = make(BYTES).unwrap();
        let [one, _other] = ends(&memory);
        let start = format!("{:x}-", one.as_ptr().addr());
        // Another test may map something else there.
        let file = format!(" {} ", nix::sys::stat::fstat(&memory).unwrap().st_ino);
        let maps = || std::fs::read_to_string("/proc/self/maps").unwrap();
        let is_mapped = || maps().lines().any(|line| line.starts_with(&start) && line.contains(&file));
        assert!(is_mapped());
        drop(one);
        assert!(!is_mapped());
    }
}
