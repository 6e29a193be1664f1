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

    /// Returns copies of what `owner` is to be given, by name: everything that it kept itself, and under each of `names`
    /// that it did not, what the first of `keepers` kept who did, else what `elsewhere` has. What cannot be copied, for
    /// want of descriptors, is left out.
    pub fn gather<'a>(
        &'a self,
        owner: K,
        names: &[String],
        keepers: &[K],
        elsewhere: impl Fn(&str) -> Option<BorrowedFd<'a>>,
    ) -> Vec<(String, OwnedFd)>
    where
        K: Copy,
    {
        let others = names.iter().map(String::as_str).filter(|name| self.find(owner, name).is_none());
        let others = others.filter_map(|name| {
            let fd = keepers.iter().find_map(|keeper| self.find(*keeper, name)).or_else(|| elsewhere(name));
            fd.map(|fd| (name, fd))
        });
        let copy =
            |(name, fd): (&str, BorrowedFd<'_>)| Some((name.to_owned(), fd.try_clone_to_owned().ok()?));
        self.own(owner).chain(others).filter_map(copy).collect()
    }

    /// Keeps for `to` what was kept for `owner`; what does not fit beside its own, or was kept under the same name, is closed.
    pub fn hand_over(&mut self, owner: K, to: K)
    where
        K: Copy,
    {
        for (name, fd) in self.owners.remove(&owner).unwrap_or_default() {
            let _has_too_many = self.keep(to, &name, fd);
        }
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

    #[test]
    fn what_is_handed_over_is_kept_by_another() {
        let mut kept = Kept::default();
        let http = fd();
        let expected = inode(&http);
        kept.keep(2, "http", http).unwrap();
        kept.keep(WEB, "http", fd()).unwrap();
        kept.keep(WEB, "admin", fd()).unwrap();
        kept.hand_over(2, WEB);
        assert_eq!(kept.find(WEB, "http").map(inode), Some(expected));
        assert_eq!((kept.count(WEB), kept.count(2)), (2, 0));
    }

    #[test]
    fn an_owner_is_given_its_own_and_else_what_keepers_or_anybody_has() {
        let mut kept = Kept::default();
        let (own, keepers, listener) = (fd(), fd(), fd());
        let expected = [("admin", inode(&keepers)), ("http", inode(&own)), ("https", inode(&listener))];
        kept.keep(WEB, "http", own).unwrap();
        for name in ["http", "admin"] {
            kept.keep(2, name, keepers.try_clone().unwrap()).unwrap();
        }
        let names = ["http", "admin", "https", "nobody's"].map(str::to_owned);
        let elsewhere = |name: &str| (name != "nobody's").then(|| listener.as_fd());
        let given = kept.gather(WEB, &names, &[3, 2], elsewhere);
        let mut given: Vec<_> = given.iter().map(|(name, fd)| (name.as_str(), inode(fd))).collect();
        given.sort_unstable();
        assert_eq!(given, expected);
    }
}
