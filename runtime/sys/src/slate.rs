//! Memory that one process writes and the one that made it reads, without trust.
//!
//! The writer maps it. The reader does not: it copies by `pread`, which returns zeros where the writer took pages away,
//! whereas a load from a mapping could have to find memory for them, or end the reader by SIGBUS.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU64;

use crate::error::Failed;
use crate::shared_words::{SharedWords, make};

/// The reader's side.
#[derive(Debug)]
pub struct Slate {
    memory: OwnedFd,
}

impl Slate {
    /// Makes a slate of this many bytes, all zero, whose size nobody can change. It takes no memory until it is written.
    ///
    /// # Errors
    /// EMFILE, ENFILE or ENOMEM.
    pub fn new(bytes: usize) -> Result<Self, Failed> {
        Ok(Self { memory: make(bytes)? })
    }

    /// Copies what stands from `at` on; zeros where there is nothing. Waits for nobody.
    pub fn read<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut copy = [0; N];
        let _nothing_there =
            nix::sys::uio::pread(&self.memory, &mut copy, i64::try_from(at).unwrap_or(i64::MAX));
        copy
    }
}

impl AsFd for Slate {
    /// Returns what [`map`] takes.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

/// Maps a slate for the rest of the process's life, to be written.
///
/// # Errors
/// EINVAL if it is no slate of this many bytes; the kernel's reason otherwise.
pub fn map(slate: BorrowedFd<'_>, bytes: usize) -> Result<&'static [AtomicU64], Failed> {
    SharedWords::map(slate, bytes).map(SharedWords::leak)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
    use nix::unistd::ftruncate;

    use super::*;
    use crate::error::Errno;

    const BYTES: usize = 8192;

    #[test]
    fn what_one_side_writes_the_other_reads() {
        let slate = Slate::new(BYTES).unwrap();
        assert_eq!(slate.read::<8>(0), [0; 8]);
        let words = map(slate.as_fd(), BYTES).unwrap();
        assert_eq!(words.len(), BYTES / 8);
        words[0].store(1, Ordering::Relaxed);
        words[1023].store(2, Ordering::Relaxed);
        assert_eq!(slate.read::<8>(0), 1_u64.to_ne_bytes());
        assert_eq!(slate.read::<8>(BYTES - 8), 2_u64.to_ne_bytes());
        assert_eq!(slate.read::<8>(BYTES), [0; 8]);
    }

    #[test]
    fn the_writer_can_neither_resize_it_nor_harm_the_reader_with_holes() {
        let slate = Slate::new(BYTES).unwrap();
        let writer = slate.as_fd().try_clone_to_owned().unwrap();
        map(writer.as_fd(), BYTES).unwrap()[0].store(1, Ordering::Relaxed);
        for length in [0, 1 << 20] {
            assert_eq!(ftruncate(&writer, length), Err(Errno::EPERM));
        }
        let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(&writer, punch, 0, BYTES as i64).unwrap();
        assert_eq!(slate.read::<8>(0), [0; 8]);
        assert_eq!(fcntl(&writer, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE)), Err(Errno::EPERM));
    }

    #[test]
    fn what_is_no_slate_is_not_mapped() {
        let slate = Slate::new(BYTES).unwrap();
        assert!(map(slate.as_fd(), BYTES + 1).is_err());
        let file = tempfile::tempfile().unwrap();
        file.set_len(BYTES as u64).unwrap();
        assert!(map(file.as_fd(), BYTES).is_err());
    }
}
