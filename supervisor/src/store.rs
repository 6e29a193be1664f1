//! Descriptors that the supervisor keeps for workers, so that a listener's backlog survives
//! whoever serves it.
//!
//! Every instance has a name space of its own, so nobody can put a descriptor where another
//! worker's is expected: a worker that declares `kept = ["http"]` is given what it kept itself
//! under that name, else what a worker that it `needs` kept.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bailiwick_core::tree::ChildId;
use bailiwick_sys::kept::Kept;
use bailiwick_sys::listen;

use crate::spec::{ListenError, Listener};

/// In whose name descriptors are kept: an instance's, over all its lives, or that of one life which is beside the one that
/// others send to.
pub type Keeper = (ChildId, Option<u32>);

/// The kept descriptors of all workers.
#[derive(Debug, Default)]
pub struct Store {
    /// For every instance that declares the name: bound at the start, or passed by whoever started the supervisor.
    listeners: BTreeMap<String, OwnedFd>,
    /// By the workers themselves.
    pub kept: Kept<Keeper>,
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
            let listener = match (passed.remove(name), address) {
                (Some(passed), _) => passed,
                (None, Some(address)) => address.bind().map_err(|error| ListenError::Refused {
                    name: name.clone(),
                    address: address.to_string(),
                    error,
                })?,
                (None, None) => return Err(ListenError::NotPassed { name: name.clone() }),
            };
            self.listeners.insert(name.clone(), listener);
        }
        Ok(passed.into_keys().collect())
    }

    /// Returns the listener of this name.
    pub fn listener(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.listeners.get(name).map(AsFd::as_fd)
    }
}
