//! What is found out about files by processes beside the loop: once for each content, for all who use it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::stat::fstat;

use crate::errand::Errand;
use crate::error::Failed;
use crate::process::SpawnError;

/// What was found out about the files that the owners `K` use, `N` bytes for each: once however many use it.
#[derive(Debug)]
pub struct Findings<K, const N: usize> {
    used: BTreeMap<K, u32>,
    files: BTreeMap<u32, File<N>>,
    next: u32,
}

#[derive(Debug)]
struct File<const N: usize> {
    content: Content,
    found: Option<[u8; N]>,
    errand: Option<Errand<N>>,
}

/// Tells a file with its content from every other: device, inode, and when it last changed.
type Content = (u64, u64, i64, i64);

impl<K, const N: usize> Default for Findings<K, N> {
    fn default() -> Self {
        Self { used: BTreeMap::new(), files: BTreeMap::new(), next: 0 }
    }
}

impl<K: Ord + Copy, const N: usize> Findings<K, N> {
    /// Notes which file `owner` uses from now on, about which `find` finds out. If that is not known yet, returns what to wait for before
    /// [`Findings::take`], and under which number.
    ///
    /// # Errors
    /// When no process can find it out: nothing is known then.
    pub fn note(
        &mut self,
        owner: K,
        file: BorrowedFd<'_>,
        find: fn(BorrowedFd<'_>) -> Option<[u8; N]>,
    ) -> Result<Option<(u32, BorrowedFd<'_>)>, SpawnError> {
        let found = fstat(file).map_err(|errno| Failed { call: "fstat", errno })?;
        let content = (found.st_dev, found.st_ino, found.st_ctime, found.st_ctime_nsec);
        self.used.remove(&owner);
        if let Some((number, _)) = self.files.iter().find(|(_, file)| file.content == content) {
            self.used.insert(owner, *number);
            return Ok(None);
        }
        let errand = Errand::start(file, find)?;
        let used: BTreeSet<u32> = self.used.values().copied().collect();
        self.files.retain(|number, file| file.errand.is_some() || used.contains(number));
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.used.insert(owner, number);
        let file = self.files.entry(number).or_insert(File { content, found: None, errand: Some(errand) });
        Ok(file.errand.as_ref().map(|errand| (number, errand.as_fd())))
    }

    /// Forgets what `owner` uses.
    pub fn forget(&mut self, owner: K) {
        self.used.remove(&owner);
    }

    /// Takes what was found out; returns the errand that is over.
    pub fn take(&mut self, number: u32) -> Option<Errand<N>> {
        let file = self.files.get_mut(&number)?;
        let errand = file.errand.take()?;
        file.found = errand.result();
        Some(errand)
    }

    /// Returns what was found out about the file of `owner`; `None` if nothing is known yet, or cannot be.
    pub fn of(&self, owner: K) -> Option<[u8; N]> {
        self.files.get(self.used.get(&owner)?)?.found
    }
}
