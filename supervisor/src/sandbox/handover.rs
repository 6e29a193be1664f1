//! Root's folders that a worker with a user of its own is granted to write.
//!
//! Nobody who is not root can write them, so the grant would be void. A folder that is empty is given to the worker's
//! user: nothing of root's comes into its hands but the right to fill it, which is what was granted. Anything else of
//! root's stays root's, and the start is refused with what to do.

use std::os::fd::AsFd;
use std::path::Path;

use bailiwick_sys::files;
use bailiwick_sys::identity::Identity;
use bailiwick_sys::landlock::ruleset::Access;
use nix::sys::stat::fstat;

use super::account::Account;
use super::error::SandboxError;
use super::paths::Granted;

/// Gives to the worker's own user what it is granted to write and cannot. `check` has announced it.
pub(super) fn hand_over(worker: &str, account: &Account, granted: &[Granted]) -> Result<(), SandboxError> {
    let Some(uid) = account.own().map(|own| own.uid) else { return Ok(()) };
    let is_roots = |place: &&Granted| place.is_roots_alone(account.identity());
    let refused = |place: &Granted| {
        let (worker, path) = (worker.to_owned(), place.path().to_owned());
        SandboxError::RootsAlone { worker, path, uid }
    };
    // Before the first one is given, so that a refusal has changed nothing.
    if let Some(kept) = granted.iter().filter(is_roots).find(|place| !place.can_be_given()) {
        return Err(refused(kept));
    }
    let mut given = granted.iter().filter(is_roots);
    given.try_for_each(|place| files::give(place.as_fd(), uid).map_err(|_| refused(place)))
}

impl Granted {
    /// Returns whether this is to be written, belongs to root, and is closed to `who`.
    pub(crate) fn is_roots_alone(&self, who: Identity) -> bool {
        self.access() == Access::Write
            && fstat(self).is_ok_and(|found| found.st_uid == 0)
            && self.closed_to(who).is_some()
    }

    /// Returns whether this is a folder without anything in it, and not one of those at the root of the file system.
    pub(crate) fn can_be_given(&self) -> bool {
        let is_high = self.path().parent().is_none_or(|parent| parent == Path::new("/"));
        !is_high && files::is_vacant(self.as_fd()).unwrap_or(false)
    }
}
