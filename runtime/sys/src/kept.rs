//! Descriptors that are kept for owners of any kind, by names of their own: nobody can put one where another's is expected.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use thiserror::Error;

/// The descriptors that one owner may have kept at a time.
pub const KEPT_MAX: usize = 16;

/// What is kept for the owners `K`.
#[derive(Debug)]
pub struct Kept<K> {
    owners: BTreeMap<K, BTreeMap<String, OwnedFd>>,
}

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self { owners: BTreeMap::new() }
    }
}

/// Why a descriptor is not kept.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepError {
    /// The instance has used up its places.
    #[error("no more than {KEPT_MAX} descriptors are kept for one worker")]
    Full,
}

impl<K: Ord> Kept<K> {
    /// Keeps `fd` for `owner`; what was kept under the name before is closed.
    ///
    /// # Errors
    /// See [`KeepError`]; the descriptor is closed then.
    pub fn keep(&mut self, owner: K, name: &str, fd: OwnedFd) -> Result<(), KeepError> {
        let own = self.owners.entry(owner).or_default();
        if own.len() >= KEPT_MAX && !own.contains_key(name) {
            return Err(KeepError::Full);
        }
        own.insert(name.to_owned(), fd);
        Ok(())
    }

    /// Closes what `owner` kept under `name`. Returns whether there was something.
    pub fn discard(&mut self, owner: K, name: &str) -> bool {
        self.owners.get_mut(&owner).is_some_and(|own| own.remove(name).is_some())
    }

    /// Returns what `owner` kept under `name`.
    pub fn find(&self, owner: K, name: &str) -> Option<BorrowedFd<'_>> {
        self.owners.get(&owner)?.get(name).map(AsFd::as_fd)
    }

    /// Returns everything that `owner` itself kept, by name.
    pub fn own(&self, owner: K) -> impl Iterator<Item = (&str, BorrowedFd<'_>)> {
        self.owners.get(&owner).into_iter().flatten().map(|(name, fd)| (name.as_str(), fd.as_fd()))
    }

    /// Closes everything that is kept for `owner`.
    pub fn forget(&mut self, owner: K) {
        self.owners.remove(&owner);
    }

    /// Returns how many descriptors are kept for `owner`.
    pub fn count(&self, owner: K) -> usize {
        self.owners.get(&owner).map_or(0, BTreeMap::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: u16 = 1;

    fn fd() -> OwnedFd {
        nix::unistd::pipe().expect("a pipe").0
    }

    fn inode(fd: impl AsFd) -> u64 {
        nix::sys::stat::fstat(fd).expect("an open descriptor").st_ino
    }

    #[test]
    fn what_is_kept_is_found_by_its_keeper_and_name_only() {
        let mut kept = Kept::default();
        let http = fd();
        let expected = inode(&http);
        kept.keep(WEB, "http", http).unwrap();
        assert_eq!(kept.find(WEB, "http").map(inode), Some(expected));
        assert!(kept.find(WEB, "https").is_none());
        assert!(kept.find(2, "http").is_none(), "a name is another worker's own");
        assert_eq!(kept.own(WEB).map(|(name, _)| name).collect::<Vec<_>>(), ["http"]);
    }

    #[test]
    fn the_last_place_is_taken_and_one_more_is_refused() {
        let mut kept = Kept::default();
        for number in 0..KEPT_MAX {
            kept.keep(WEB, &number.to_string(), fd()).unwrap();
        }
        assert_eq!(kept.keep(WEB, "more", fd()), Err(KeepError::Full));
        assert_eq!(kept.keep(WEB, "0", fd()), Ok(()), "replacing takes no place");
        assert_eq!(kept.keep(2, "more", fd()), Ok(()), "others have places of their own");
        assert!(kept.discard(WEB, "0"));
        assert!(!kept.discard(WEB, "0"));
        assert_eq!(kept.keep(WEB, "more", fd()), Ok(()));
        assert_eq!(kept.count(WEB), KEPT_MAX);
    }
}
