//! The folder in which one supervisor has its lock, its control socket and the record of what lives.
//!
//! Who holds the lock owns the folder, see [`LockedFolder`].

mod lives;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use bailiwick_sys::Failed;
use bailiwick_sys::locked_folder::{ClaimError, LockedFolder};
use bailiwick_sys::random;
use bailiwick_wire::state_record::{Life, StateRecordError};
use thiserror::Error;

use lives::Lives;

use crate::control::SOCKET_NAME;

/// A state directory whose lock this process holds.
#[derive(Debug)]
pub struct StateDir {
    /// The record of what lives.
    pub(crate) lives: Lives,
    folder: LockedFolder,
}

/// Why a state directory cannot be had.
#[derive(Debug, Error)]
#[error("state directory {path}: {fault}", path = path.display())]
pub struct StateDirError {
    /// The directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a state directory.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// Another supervisor holds it, or it cannot be trusted.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A later version has run there, and this one cannot tell what is left of it.
    #[error(
        "the record of what lives there is not for this version: {0}; run the version that wrote it, or remove the directory once nothing of it runs"
    )]
    Newer(#[from] StateRecordError),
}

/// Returns where the system called `name` has its state unless it is told otherwise: below
/// `/run/bailiwick` as root, else below `$XDG_RUNTIME_DIR/bailiwick`, else below a folder in the
/// temporary directory that carries the user's number.
pub fn default_path(name: &str) -> PathBuf {
    let uid = nix::unistd::geteuid();
    let base = if uid.is_root() {
        PathBuf::from("/run/bailiwick")
    } else {
        match std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()) {
            Some(runtime) => PathBuf::from(runtime).join("bailiwick"),
            None => std::env::temp_dir().join(format!("bailiwick-{uid}")),
        }
    };
    base.join(name)
}

/// Returns a path in the temporary directory that nobody uses and nobody can guess.
pub fn private_path() -> PathBuf {
    let path = std::env::temp_dir().join(format!("bailiwick-{:016x}", random::number()));
    std::path::absolute(&path).unwrap_or(path)
}

impl StateDir {
    /// Takes `path`, which is made if it is missing, and locks it for as long as this value lives.
    ///
    /// # Errors
    /// [`LockError::Held`](bailiwick_sys::held_lock::LockError::Held) if another supervisor runs there; the others if it
    /// cannot be trusted.
    pub fn claim(path: &Path) -> Result<Self, StateDirError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self::hold(&path, LockedFolder::claim(path.clone(), SOCKET_NAME))
    }

    /// Makes the directory at [`private_path`], which no other run uses and which is removed at the end.
    ///
    /// # Errors
    /// As [`StateDir::claim`].
    pub fn claim_private(path: &Path) -> Result<Self, StateDirError> {
        Self::hold(path, LockedFolder::claim_new(path.to_owned(), SOCKET_NAME))
    }

    fn hold(path: &Path, folder: Result<LockedFolder, ClaimError>) -> Result<Self, StateDirError> {
        let found = folder.map_err(Fault::from);
        let held = found.and_then(|folder| Ok(Self { lives: Lives::succeed(folder.as_fd())?, folder }));
        held.map_err(|fault| StateDirError { path: path.to_owned(), fault })
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns whether no other run uses it, before or after this one.
    pub fn is_private(&self) -> bool {
        self.folder.is_passing()
    }

    /// Returns the descriptor of the lock: whoever holds a copy keeps the directory taken.
    pub fn lock(&self) -> BorrowedFd<'_> {
        self.folder.lock()
    }

    /// Returns the number of the supervisor that held it before and did not end in order.
    pub fn last_died(&self) -> Option<u32> {
        self.folder.last_died().or(self.lives.last_died)
    }

    /// Returns what the operator should know of what that one left, one line each.
    pub fn found(&self) -> &[String] {
        &self.lives.found
    }

    /// Writes down what lives, for a successor to end should this process and its guardian be killed at once.
    ///
    /// # Errors
    /// When there is no room, or the directory is gone; what was written before is there still.
    pub fn write(&mut self, workers: Vec<Life>) -> Result<(), Failed> {
        // Nobody succeeds in a private one.
        if self.is_private() { Ok(()) } else { self.lives.write(self.folder.as_fd(), workers) }
    }

    /// Makes the control socket, which only this user may open.
    ///
    /// # Errors
    /// [`ClaimError::Refused`] names the step.
    pub fn listen(&mut self) -> Result<OwnedFd, StateDirError> {
        let listener = self.folder.listen().map_err(|failed| Fault::from(ClaimError::Refused(failed)));
        listener.map_err(|fault| StateDirError { path: self.path().to_owned(), fault })
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        self.lives.finish(self.folder.as_fd());
    }
}
