//! Descriptors that the supervisor keeps for workers, so that a listener's backlog survives
//! whoever serves it.
//!
//! Every instance has a name space of its own, so nobody can put a descriptor where another
//! worker's is expected: a worker that declares `kept = ["http"]` is given what it kept itself
//! under that name, else what a worker that it `needs` kept.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bailiwick_core::tree::ChildId;
use bailiwick_sys::listen;
use thiserror::Error;

use crate::spec::{Address, Listener};

/// The descriptors that one instance may have kept at a time.
pub const KEPT_MAX: usize = 16;

/// The kept descriptors of all workers.
#[derive(Debug, Default)]
pub struct Store {
    /// For every instance that declares the name: bound at the start, or passed by whoever started the supervisor.
    listeners: BTreeMap<String, OwnedFd>,
    kept: BTreeMap<ChildId, BTreeMap<String, OwnedFd>>,
}

/// Why a listener is not there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address cannot be bound.
    #[error("listener {name} cannot be bound to {address}: {error}")]
    Refused {
        /// The listener.
        name: String,
        /// Where it was to listen.
        address: String,
        /// The kernel's reason.
        error: std::io::Error,
    },
    /// It has no address, and was not passed either.
    #[error(
        "listener {name} has no address, and nothing of this name was passed to the supervisor (LISTEN_FDNAMES)"
    )]
    NotPassed {
        /// The listener.
        name: String,
    },
}

/// Why a descriptor is not kept.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepError {
    /// The instance has used up its places.
    #[error("no more than {KEPT_MAX} descriptors are kept for one worker")]
    Full,
}

impl Store {
    /// Opens every listener: takes what whoever started this process passed under its name, else binds its address.
    /// Returns the names of what was passed and is no listener's, which is closed.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn listen(&mut self, listeners: &[Listener]) -> Result<Vec<String>, ListenError> {
        let mut passed: BTreeMap<_, _> = listen::take_passed().into_iter().collect();
        for Listener { name, address } in listeners {
            let bound = match (passed.remove(name), address) {
                (Some(passed), _) => Ok(passed),
                (None, Some(Address::Tcp(address))) => {
                    listen::tcp(*address).map_err(|e| (address.to_string(), e))
                }
                (None, Some(Address::Unix(path))) => {
                    listen::unix(path).map_err(|e| (path.display().to_string(), e))
                }
                (None, None) => return Err(ListenError::NotPassed { name: name.clone() }),
            };
            let refused = |(address, error)| ListenError::Refused { name: name.clone(), address, error };
            self.listeners.insert(name.clone(), bound.map_err(refused)?);
        }
        Ok(passed.into_keys().collect())
    }

    /// Returns the listener of this name.
    pub fn listener(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.listeners.get(name).map(AsFd::as_fd)
    }

    /// Keeps `fd` for `child`; what was kept under the name before is closed.
    ///
    /// # Errors
    /// See [`KeepError`]; the descriptor is closed then.
    pub fn keep(&mut self, child: ChildId, name: &str, fd: OwnedFd) -> Result<(), KeepError> {
        let own = self.kept.entry(child).or_default();
        if own.len() >= KEPT_MAX && !own.contains_key(name) {
            return Err(KeepError::Full);
        }
        own.insert(name.to_owned(), fd);
        Ok(())
    }

    /// Closes what `child` kept under `name`. Returns whether there was something.
    pub fn discard(&mut self, child: ChildId, name: &str) -> bool {
        self.kept.get_mut(&child).is_some_and(|own| own.remove(name).is_some())
    }

    /// Returns what `child` kept under `name`.
    pub fn find(&self, child: ChildId, name: &str) -> Option<BorrowedFd<'_>> {
        self.kept.get(&child)?.get(name).map(AsFd::as_fd)
    }

    /// Returns everything that `child` itself kept, by name.
    pub fn own(&self, child: ChildId) -> impl Iterator<Item = (&str, BorrowedFd<'_>)> {
        self.kept.get(&child).into_iter().flatten().map(|(name, fd)| (name.as_str(), fd.as_fd()))
    }

    /// Returns how many descriptors are kept for `child`.
    pub fn count(&self, child: ChildId) -> usize {
        self.kept.get(&child).map_or(0, BTreeMap::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: ChildId = ChildId(1);

    fn fd() -> OwnedFd {
        nix::unistd::pipe().expect("a pipe").0
    }

    fn inode(fd: impl AsFd) -> u64 {
        nix::sys::stat::fstat(fd).expect("an open descriptor").st_ino
    }

    #[test]
    fn what_is_kept_is_found_by_its_keeper_and_name_only() {
        let mut store = Store::default();
        let http = fd();
        let expected = inode(&http);
        store.keep(WEB, "http", http).unwrap();
        assert_eq!(store.find(WEB, "http").map(inode), Some(expected));
        assert!(store.find(WEB, "https").is_none());
        assert!(store.find(ChildId(2), "http").is_none(), "a name is another worker's own");
        assert_eq!(store.own(WEB).map(|(name, _)| name).collect::<Vec<_>>(), ["http"]);
    }

    #[test]
    fn the_last_place_is_taken_and_one_more_is_refused() {
        let mut store = Store::default();
        for number in 0..KEPT_MAX {
            store.keep(WEB, &number.to_string(), fd()).unwrap();
        }
        assert_eq!(store.keep(WEB, "more", fd()), Err(KeepError::Full));
        assert_eq!(store.keep(WEB, "0", fd()), Ok(()), "replacing takes no place");
        assert_eq!(store.keep(ChildId(2), "more", fd()), Ok(()), "others have places of their own");
        assert!(store.discard(WEB, "0"));
        assert!(!store.discard(WEB, "0"));
        assert_eq!(store.keep(WEB, "more", fd()), Ok(()));
        assert_eq!(store.count(WEB), KEPT_MAX);
    }
}
