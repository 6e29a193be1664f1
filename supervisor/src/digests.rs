//! SHA-256 of what workers execute: computed from the descriptors that are held open, by processes beside the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use bailiwick_core::tree::ChildId;
use bailiwick_sys::Failed;
use bailiwick_sys::errand::Errand;
use bailiwick_sys::process::SpawnError;
use nix::sys::stat::fstat;
use sha2::Sha256;

use crate::spec::{DIGEST_BYTES, Digest};

/// What is read of a file at a time.
const BLOCK_BYTES: usize = 256 << 10;

/// The digests of all executables, each computed once however many instances execute it.
#[derive(Debug, Default)]
pub struct Digests {
    executed: BTreeMap<ChildId, u32>,
    files: BTreeMap<u32, Hashed>,
    next: u32,
}

#[derive(Debug)]
struct Hashed {
    content: Content,
    digest: Option<Digest>,
    errand: Option<Errand<DIGEST_BYTES>>,
}

/// Tells a file with its content from every other: device, inode, and when it last changed.
type Content = (u64, u64, i64, i64);

impl Digests {
    /// Notes what `child` executes from now on. If that is not known yet, returns what to wait for before
    /// [`Digests::take`], and under which number.
    ///
    /// # Errors
    /// When no process can compute it: there is no digest then.
    pub fn note(
        &mut self,
        child: ChildId,
        executable: BorrowedFd<'_>,
    ) -> Result<Option<(u32, BorrowedFd<'_>)>, SpawnError> {
        let found = fstat(executable).map_err(|errno| Failed { call: "fstat", errno })?;
        let content = (found.st_dev, found.st_ino, found.st_ctime, found.st_ctime_nsec);
        self.executed.remove(&child);
        if let Some((number, _)) = self.files.iter().find(|(_, file)| file.content == content) {
            self.executed.insert(child, *number);
            return Ok(None);
        }
        let errand = Errand::start(executable, digest)?;
        let executed: BTreeSet<u32> = self.executed.values().copied().collect();
        self.files.retain(|number, file| file.errand.is_some() || executed.contains(number));
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.executed.insert(child, number);
        let file = self.files.entry(number).or_insert(Hashed { content, digest: None, errand: Some(errand) });
        Ok(file.errand.as_ref().map(|errand| (number, errand.as_fd())))
    }

    /// Takes a digest that has arrived; returns the errand that is over.
    pub fn take(&mut self, number: u32) -> Option<Errand<DIGEST_BYTES>> {
        let file = self.files.get_mut(&number)?;
        let errand = file.errand.take()?;
        file.digest = errand.result();
        Some(errand)
    }

    /// Returns the digest of what `child` executes; `None` if it is not known yet, or cannot be read.
    pub fn of(&self, child: ChildId) -> Option<Digest> {
        self.files.get(self.executed.get(&child)?)?.digest
    }
}

/// Computes the digest of a file that is open for nothing but its execution.
fn digest(executable: BorrowedFd<'_>) -> Option<Digest> {
    // Its name among our descriptors opens the same file for reading, whatever its path leads to by now.
    let mut file = File::open(format!("/proc/self/fd/{}", executable.as_raw_fd())).ok()?;
    let mut sum = <Sha256 as sha2::Digest>::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match file.read(&mut block).ok()? {
            0 => return Some(sha2::Digest::finalize(sum).into()),
            read => sha2::Digest::update(&mut sum, &block[..read]),
        }
    }
}
