//! Bytes that travel as a descriptor: memory that its maker can no longer change, mapped by who receives it.
//!
//! The bytes are hostile, but they hold still: before a mapping is made the seals are verified, so nobody can
//! write them, nor shrink the file below the mapping, which would end the reader by SIGBUS.

use std::ffi::c_void;
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, munmap};
use nix::sys::stat::fstat;
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use nix::unistd::{Whence, lseek};

use crate::error::{Errno, Failed, failed};
use crate::kind::SEALED;

/// Why memory cannot be mapped, emptied, or not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The kernel refused a call.
    #[error(transparent)]
    Failed(#[from] Failed),
    /// It is not a memfd, or its maker could still change it. The sender's fault.
    #[error("memory has the seals {found:#x}, {needed:#x} are needed")]
    NotSealed {
        /// The seals found.
        found: i32,
        /// The seals that keep it as it is.
        needed: i32,
    },
    /// It is of pages that only a privileged pool has, so that reading it could end the reader. The sender's fault.
    #[error("memory is not of ordinary pages")]
    NotOrdinary,
    /// It is longer than the receiver takes. The sender's fault.
    #[error("memory of {bytes} bytes, the limit is {limit}")]
    TooLong {
        /// Its length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It has holes, which the reader's own memory would fill. The sender's fault.
    #[error("memory of {bytes} bytes holds only {held}")]
    Sparse {
        /// Its length.
        bytes: u64,
        /// What it holds.
        held: u64,
    },
}

/// Copies bytes into new memory and seals it, so that it can be given to anybody.
///
/// # Errors
/// EMFILE, ENFILE or ENOMEM, or EBUSY after some tries; it may be tried again.
pub fn seal(bytes: &[u8]) -> Result<OwnedFd, Failed> {
    filled(bytes, SEALED)
}

/// Copies bytes into new memory that nobody can change but by emptying it, for one reader: [`empty`].
///
/// # Errors
/// As [`seal`].
pub fn seal_for_one(bytes: &[u8]) -> Result<OwnedFd, Failed> {
    filled(bytes, FOR_ONE)
}

/// Takes all bytes out of memory of [`seal_for_one`], for the only time: whoever else has the same memory finds nothing in it
/// from then on.
///
/// # Errors
/// `Failed` if the kernel does not permit it; otherwise what is wrong with the memory. Then nothing of it is to be used, for
/// somebody else might use it as well.
pub fn empty(memory: OwnedFd, limit: u64) -> Result<Vec<u8>, MemoryError> {
    let length = measure(memory.as_fd(), FOR_ONE, limit)?;
    let file = File::from(memory);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    // Whoever empties it meanwhile has the bytes, and it ends early.
    file.read_exact_at(&mut bytes, 0).map_err(of_io("read of a memfd"))?;
    file.set_len(0).map_err(of_io("ftruncate"))?;
    Ok(bytes)
}

fn filled(bytes: &[u8], seals: SealFlag) -> Result<OwnedFd, Failed> {
    let mut file = File::from(create()?);
    file.write_all(bytes).map_err(of_io("write to a memfd"))?;
    add_seals(&file, seals)?;
    Ok(file.into())
}

fn of_io(call: &'static str) -> impl Fn(std::io::Error) -> Failed {
    move |error| Failed { call, errno: Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)) }
}

/// The seals of memory that can only be emptied.
const FOR_ONE: SealFlag = SealFlag::F_SEAL_GROW.union(SealFlag::F_SEAL_WRITE).union(SealFlag::F_SEAL_SEAL);

/// Copies a file of `limit` bytes at most into new memory and seals it. The bytes do not pass through this process's
/// memory where the kernel can copy them itself.
///
/// # Errors
/// `TooLong` of a file that is longer; `Failed` when it cannot be read, or there is no memory.
pub fn seal_file(file: &File, limit: u64) -> Result<OwnedFd, MemoryError> {
    let mut memory = File::from(create()?);
    let bytes = std::io::copy(&mut file.take(limit.saturating_add(1)), &mut memory)
        .map_err(of_io("copy to a memfd"))?;
    if bytes > limit {
        return Err(MemoryError::TooLong { bytes, limit });
    }
    add_seals(&memory, SEALED)?;
    Ok(memory.into())
}

/// Seals memory that nobody has mapped.
///
/// The kernel says EBUSY too if it holds a page itself for longer than it waits for that, some 150 ms: while it moves it, or
/// has it in a batch of another processor (`memfd_wait_for_pins`). That passes.
fn add_seals(memory: &File, seals: SealFlag) -> Result<(), Failed> {
    let seal = || fcntl(memory, FcntlArg::F_ADD_SEALS(seals)).map(drop);
    let mut sealed = seal();
    for _ in 0..BUSY_RETRIES {
        if sealed != Err(Errno::EBUSY) {
            break;
        }
        sealed = seal();
    }
    sealed.map_err(failed("fcntl(F_ADD_SEALS)"))
}

/// How often sealing is tried again.
const BUSY_RETRIES: u32 = 4;

/// Returns whether the kernel makes memory files that can never be executed, as it does from 6.3 on.
pub fn knows_no_exec() -> bool {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::from_bits_retain(libc::MFD_NOEXEC_SEAL);
    memfd_create(c"bailiwick", flags).is_ok()
}

pub(crate) fn create() -> Result<OwnedFd, Failed> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let never_executable = flags | MFdFlags::from_bits_retain(libc::MFD_NOEXEC_SEAL);
    match memfd_create(c"bailiwick", never_executable) {
        // Kernels before 6.3 do not know the flag.
        Err(Errno::EINVAL) => memfd_create(c"bailiwick", flags),
        made => made,
    }
    .map_err(failed("memfd_create"))
}

/// Sealed memory, mapped for reading.
#[derive(Debug)]
pub struct SealedMemory {
    // None for no bytes, of which no mapping can be made.
    mapping: Option<(NonNull<c_void>, NonZeroUsize)>,
}

// SAFETY: the mapping is read-only and sealed, so that nothing changes it from any thread, and it is owned.
unsafe impl Send for SealedMemory {}
// SAFETY: as for Send; shared references only read.
unsafe impl Sync for SealedMemory {}

impl SealedMemory {
    /// Verifies that the memory is sealed, of ordinary pages, without holes and at most `limit` bytes long, and maps it.
    ///
    /// # Errors
    /// `Failed` if the kernel does not permit it; otherwise what is wrong with the memory.
    pub fn map(fd: BorrowedFd<'_>, limit: u64) -> Result<SealedMemory, MemoryError> {
        let bytes = measure(fd, SEALED, limit)?;
        let Some(length) = usize::try_from(bytes).ok().and_then(NonZeroUsize::new) else {
            return Ok(SealedMemory { mapping: None });
        };
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in use.
        let start = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, fd.as_fd(), 0) };
        Ok(SealedMemory { mapping: Some((start.map_err(failed("mmap"))?, length)) })
    }
}

/// Returns the length of memory, if it has these seals at least, is of ordinary pages, without holes and not longer than that.
pub(crate) fn measure(fd: BorrowedFd<'_>, seals: SealFlag, limit: u64) -> Result<u64, MemoryError> {
    let not_sealed = |found| MemoryError::NotSealed { found, needed: seals.bits() };
    let found = fcntl(fd, FcntlArg::F_GET_SEALS).map_err(|_| not_sealed(0))?;
    if !SealFlag::from_bits_retain(found).contains(seals) {
        return Err(not_sealed(found));
    }
    if fstatfs(fd).map_err(failed("fstatfs"))?.filesystem_type() != TMPFS_MAGIC {
        return Err(MemoryError::NotOrdinary);
    }
    let status = fstat(fd).map_err(failed("fstat"))?;
    let bytes = u64::try_from(status.st_size).unwrap_or(0);
    if bytes > limit {
        return Err(MemoryError::TooLong { bytes, limit });
    }
    let held = before_first_hole(fd, bytes)?;
    if held < bytes {
        return Err(MemoryError::Sparse { bytes, held });
    }
    Ok(bytes)
}

/// Returns how many of the first `bytes` bytes stand in pages that are there and were written, up to the first that does not. What is
/// missing would be made, and paid for, by whoever reads it.
///
/// The number of blocks does not say so: those behind the end count among them, and go when the file is given the length that it
/// has, which no seal forbids.
pub(crate) fn before_first_hole(fd: BorrowedFd<'_>, bytes: u64) -> Result<u64, Failed> {
    if bytes == 0 {
        return Ok(0);
    }
    let hole = lseek(fd, 0, Whence::SeekHole).map_err(failed("lseek(SEEK_HOLE)"))?;
    Ok(u64::try_from(hole).unwrap_or(0))
}

impl SealedMemory {
    /// Has the kernel leave it out when it writes a core of this process.
    ///
    /// # Errors
    /// Never, where the mapping is there.
    pub fn keep_out_of_cores(&self) -> Result<(), Failed> {
        let Some((start, length)) = self.mapping else { return Ok(()) };
        // SAFETY: `map` made this mapping, of this length; the advice changes neither its bytes nor its place.
        unsafe { madvise(start, length.get(), MmapAdvise::MADV_DONTDUMP) }.map_err(failed("madvise"))
    }
}

impl Deref for SealedMemory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self.mapping {
            // SAFETY: `map` made a readable mapping of this length; it lives until `self` is dropped; the seals
            // verified there keep every byte of it in place and unchanged, and any byte is a `u8`.
            Some((start, length)) => unsafe {
                std::slice::from_raw_parts(start.as_ptr().cast(), length.get())
            },
            None => &[],
        }
    }
}

impl Drop for SealedMemory {
    fn drop(&mut self) {
        if let Some((start, length)) = self.mapping {
            // SAFETY: `map` made this mapping, nobody else knows of it, and no borrow outlives `self`.
            let unmapped = unsafe { munmap(start, length.get()) };
            debug_assert_eq!(unmapped, Ok(()), "a mapping of our own can be taken away");
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::fcntl::{FallocateFlags, fallocate};

    use super::*;
    use crate::kind::{DescriptorKind, descriptor_kind};

    const LIMIT: u64 = 1 << 20;

    fn memory(bytes: &[u8], seals: SealFlag) -> File {
        let mut file = File::from(create().unwrap());
        file.write_all(bytes).unwrap();
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).unwrap();
        file
    }

    #[test]
    fn sealed_bytes_are_mapped_as_they_were() {
        for length in [0, 1, 4095, 4096, 4097, 100_000] {
            let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let fd = seal(&bytes).unwrap();
            assert_eq!(descriptor_kind(fd.as_fd()), Ok(DescriptorKind::SealedMemory));
            let mapped = SealedMemory::map(fd.as_fd(), LIMIT).unwrap();
            drop(fd);
            assert_eq!(&*mapped, bytes);
        }
    }

    #[test]
    fn memory_for_one_is_emptied_once_whoever_has_it() {
        for bytes in [&b"once"[..], &[7; 100_000], &[]] {
            let memory = seal_for_one(bytes).unwrap();
            let other = memory.try_clone().unwrap();
            assert_eq!(empty(memory, LIMIT).unwrap(), bytes);
            assert_eq!(empty(other, LIMIT).unwrap(), []);
        }
    }

    #[test]
    fn memory_for_one_is_neither_changed_nor_lengthened_by_its_maker() {
        let file = File::from(seal_for_one(b"before").unwrap());
        assert!((&file).write_all(b"after").is_err());
        assert!(file.set_len(100).is_err());
        let sealed = fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK));
        assert_eq!(sealed, Err(Errno::EPERM));
    }

    #[test]
    fn nothing_is_taken_out_of_what_cannot_be_emptied_or_may_still_change() {
        for seals in [SEALED, FOR_ONE - SealFlag::F_SEAL_WRITE, FOR_ONE - SealFlag::F_SEAL_GROW] {
            let file = memory(b"bytes", seals);
            assert!(empty(file.into(), LIMIT).is_err(), "{seals:?}");
        }
        let pipe = nix::unistd::pipe().unwrap().0;
        let not_sealed = MemoryError::NotSealed { found: 0, needed: FOR_ONE.bits() };
        assert_eq!(empty(pipe, LIMIT).unwrap_err(), not_sealed);
        let file = tempfile::tempfile().unwrap();
        assert_eq!(empty(file.into(), LIMIT).unwrap_err(), not_sealed);
        let holes = File::from(create().unwrap());
        holes.set_len(LIMIT).unwrap();
        fcntl(&holes, FcntlArg::F_ADD_SEALS(FOR_ONE)).unwrap();
        assert_eq!(empty(holes.into(), LIMIT).unwrap_err(), MemoryError::Sparse { bytes: LIMIT, held: 0 });
        let long = seal_for_one(&[7; 10]).unwrap();
        assert_eq!(empty(long, 9).unwrap_err(), MemoryError::TooLong { bytes: 10, limit: 9 });
    }

    #[test]
    fn a_file_is_sealed_up_to_the_limit() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 10]).unwrap();
        for limit in [10, 11] {
            std::io::Seek::rewind(&mut file).unwrap();
            let sealed = seal_file(&file, limit).unwrap();
            assert_eq!(&*SealedMemory::map(sealed.as_fd(), LIMIT).unwrap(), [7; 10]);
        }
        std::io::Seek::rewind(&mut file).unwrap();
        let error = seal_file(&file, 9).unwrap_err();
        assert_eq!(error, MemoryError::TooLong { bytes: 10, limit: 9 });
    }

    #[test]
    fn memory_that_is_kept_out_of_cores_says_so_to_the_kernel() {
        let fd = seal(&[7; 10]).unwrap();
        let mapped = SealedMemory::map(fd.as_fd(), LIMIT).unwrap();
        let flags = || {
            let start = format!("{:x}-", mapped.as_ptr().addr());
            let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let own = maps.lines().skip_while(|line| !line.starts_with(&start));
            own.skip(1).find(|line| line.starts_with("VmFlags:")).unwrap().to_owned()
        };
        assert!(!flags().contains(" dd"), "{}", flags());
        mapped.keep_out_of_cores().unwrap();
        assert!(flags().contains(" dd"), "{}", flags());
    }

    #[test]
    fn sealed_memory_cannot_be_changed_by_its_maker() {
        let file = File::from(seal(b"before").unwrap());
        assert!((&file).write_all(b"after").is_err());
        assert!(file.set_len(0).is_err());
        assert!(file.set_len(100).is_err());
        let unsealed = fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_FUTURE_WRITE));
        assert_eq!(unsealed, Err(Errno::EPERM));
    }

    #[test]
    fn d3_memory_that_lacks_any_one_seal_is_not_mapped() {
        for missing in SEALED.iter() {
            let file = memory(b"bytes", SEALED - missing);
            let error = SealedMemory::map(file.as_fd(), LIMIT).unwrap_err();
            assert!(matches!(error, MemoryError::NotSealed { .. }), "without {missing:?}: {error}");
            assert_ne!(descriptor_kind(file.as_fd()), Ok(DescriptorKind::SealedMemory));
        }
    }

    #[test]
    fn d4_a_file_is_not_mapped() {
        let file = tempfile::tempfile().unwrap();
        assert!(matches!(SealedMemory::map(file.as_fd(), LIMIT), Err(MemoryError::NotSealed { .. })));
    }

    #[test]
    fn a_length_at_the_limit_is_mapped_and_one_byte_more_is_not() {
        let fd = seal(&[7; 10]).unwrap();
        assert_eq!(SealedMemory::map(fd.as_fd(), 10).unwrap().len(), 10);
        let error = SealedMemory::map(fd.as_fd(), 9).unwrap_err();
        assert_eq!(error, MemoryError::TooLong { bytes: 10, limit: 9 });
        assert!(SealedMemory::map(fd.as_fd(), 0).is_err());
    }

    #[test]
    fn d4_memory_with_holes_is_not_mapped() {
        let file = File::from(create().unwrap());
        file.set_len(LIMIT).unwrap();
        fcntl(&file, FcntlArg::F_ADD_SEALS(SEALED)).unwrap();
        let error = SealedMemory::map(file.as_fd(), LIMIT).unwrap_err();
        assert_eq!(error, MemoryError::Sparse { bytes: LIMIT, held: 0 });
    }

    /// They count among the blocks of the file, and go when it is given the length that it has, which no seal forbids.
    #[test]
    fn d4_pages_behind_the_end_do_not_stand_for_those_that_are_missing() {
        let file = File::from(create().unwrap());
        file.set_len(LIMIT).unwrap();
        let (behind, length) = (LIMIT as i64, LIMIT as i64);
        fallocate(&file, FallocateFlags::FALLOC_FL_KEEP_SIZE, behind, length).unwrap();
        fcntl(&file, FcntlArg::F_ADD_SEALS(SEALED)).unwrap();
        assert_eq!(fstat(&file).unwrap().st_blocks * 512, length, "as many as if it had no holes");
        let error = SealedMemory::map(file.as_fd(), LIMIT).unwrap_err();
        assert_eq!(error, MemoryError::Sparse { bytes: LIMIT, held: 0 });
    }

    #[test]
    fn d4_one_page_that_is_missing_is_found() {
        let file = File::from(create().unwrap());
        file.set_len(LIMIT).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[7; 8192], 0).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![7; LIMIT as usize - 12_288], 12_288).unwrap();
        fcntl(&file, FcntlArg::F_ADD_SEALS(SEALED)).unwrap();
        let error = SealedMemory::map(file.as_fd(), LIMIT).unwrap_err();
        assert_eq!(error, MemoryError::Sparse { bytes: LIMIT, held: 8192 });
    }
}
