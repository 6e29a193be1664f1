//! The folder in which one supervisor has its lock and its control socket.
//!
//! Who holds the lock owns the folder, see [`HeldLock`].

mod lives;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use bailiwick_sys::Failed;
use bailiwick_sys::held_lock::{HeldLock, LockError};
use bailiwick_sys::named_socket::{self, PATH_BYTES, inode, listen_in};
use bailiwick_sys::own_folder::{self, FolderError};
use bailiwick_sys::random;
use bailiwick_sys::remains::remove_folder;
use bailiwick_wire::state_record::{Life, StateRecordError};
use thiserror::Error;

use lives::Lives;

use crate::control::SOCKET_NAME;

const LOCK_NAME: &str = "lock";

/// A state directory whose lock this process holds.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    folder: OwnedFd,
    lock: HeldLock,
    /// The record of what lives.
    pub(crate) lives: Lives,
    /// Device and inode of the control socket that this process bound.
    socket: Option<(u64, u64)>,
    private: bool,
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
    /// Another supervisor holds it, or it cannot be held.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The control socket's path would not fit into an address.
    #[error("it is too long: its control socket's path has {found} bytes, at most {PATH_BYTES} work")]
    TooLong {
        /// The bytes of the path.
        found: usize,
    },
    /// It is somebody else's, open to others, or out of reach.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A later version has run there, and this one cannot tell what is left of it.
    #[error(
        "the record of what lives there is not for this version: {0}; run the version that wrote it, or remove the directory once nothing of it runs"
    )]
    Newer(#[from] StateRecordError),
    /// The kernel refused.
    #[error(transparent)]
    Refused(#[from] Failed),
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
    /// [`LockError::Held`] if another supervisor runs there; the others if it cannot be trusted.
    pub fn claim(path: &Path) -> Result<Self, StateDirError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        match take(&path) {
            Ok((folder, lock, lives)) => Ok(Self { path, folder, lock, lives, socket: None, private: false }),
            Err(fault) => Err(StateDirError { path, fault }),
        }
    }

    /// Makes the directory at [`private_path`], which no other run uses and which is removed at the end.
    ///
    /// # Errors
    /// As [`StateDir::claim`].
    pub fn claim_private(path: &Path) -> Result<Self, StateDirError> {
        own_folder::make(path).map_err(|failed| refused(path, failed))?;
        let mut state = Self::claim(path)?;
        state.private = true;
        Ok(state)
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether no other run uses it, before or after this one.
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// Returns the descriptor of the lock: whoever holds a copy keeps the directory taken.
    pub fn lock(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }

    /// Returns the number of the supervisor that held it before and did not end in order.
    pub fn last_died(&self) -> Option<u32> {
        self.lock.last_died().or(self.lives.last_died)
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
        if self.private { Ok(()) } else { self.lives.write(self.folder.as_fd(), workers) }
    }

    /// Makes the control socket, which only this user may open.
    ///
    /// # Errors
    /// [`Fault::Refused`] names the step.
    pub fn listen(&mut self) -> Result<OwnedFd, StateDirError> {
        let listener = listen_in(self.folder.as_fd(), &self.path, SOCKET_NAME)
            .map_err(|failed| refused(&self.path, failed))?;
        self.socket = inode(&self.folder, SOCKET_NAME);
        Ok(listener)
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        self.socket.iter().for_each(|own| named_socket::remove(self.folder.as_fd(), SOCKET_NAME, *own));
        self.lives.finish(self.folder.as_fd());
        if self.private {
            remove_folder(&self.path);
        }
    }
}

fn take(path: &Path) -> Result<(OwnedFd, HeldLock, Lives), Fault> {
    let found = path.join(SOCKET_NAME).as_os_str().len();
    if found > PATH_BYTES {
        return Err(Fault::TooLong { found });
    }
    let folder = own_folder::open(path)?;
    let lock = HeldLock::take(folder.as_fd(), LOCK_NAME)?;
    let lives = Lives::succeed(folder.as_fd())?;
    Ok((folder, lock, lives))
}

fn refused(path: &Path, failed: Failed) -> StateDirError {
    StateDirError { path: path.to_owned(), fault: failed.into() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    #[test]
    fn a_second_claim_is_refused_and_names_the_holder() {
        let folder = folder();
        let path = folder.path().join("state");
        let first = StateDir::claim(&path).unwrap();
        let Err(Fault::Lock(LockError::Held { holder })) =
            StateDir::claim(&path).map_err(|error| error.fault)
        else {
            panic!("two supervisors hold one state directory");
        };
        assert_eq!(holder, std::process::id().to_string());
        drop(first);
        assert_eq!(StateDir::claim(&path).unwrap().last_died(), None);
    }

    #[test]
    fn a_holder_that_died_is_noticed() {
        let folder = folder();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::write(folder.path().join(LOCK_NAME), "4711\n").unwrap();
        assert_eq!(StateDir::claim(folder.path()).unwrap().last_died(), Some(4711));
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let folder = folder();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let found = StateDir::claim(folder.path()).map_err(|error| error.fault);
        assert!(matches!(found, Err(Fault::Folder(FolderError::Writable { mode: 0o777 }))));
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_is_refused() {
        let folder = folder();
        let path = folder.path().join("x".repeat(PATH_BYTES));
        let found = StateDir::claim(&path).map_err(|error| error.fault);
        assert!(matches!(found, Err(Fault::TooLong { .. })));
        assert!(!path.exists());
    }

    #[test]
    fn the_socket_is_closed_to_others_and_goes_with_its_owner() {
        let folder = folder();
        let path = folder.path().join("state");
        let mut state = StateDir::claim(&path).unwrap();
        let _listener = state.listen().unwrap();
        let socket = path.join(SOCKET_NAME);
        assert_eq!(socket.metadata().unwrap().mode() & 0o777, 0o600);
        drop(state);
        assert!(!socket.exists());
    }

    #[test]
    fn a_socket_that_somebody_else_put_there_is_left_alone() {
        let folder = folder();
        let path = folder.path().join("state");
        let mut state = StateDir::claim(&path).unwrap();
        let _listener = state.listen().unwrap();
        std::fs::remove_file(path.join(SOCKET_NAME)).unwrap();
        std::fs::write(path.join(SOCKET_NAME), "").unwrap();
        drop(state);
        assert!(path.join(SOCKET_NAME).exists());
    }

    #[test]
    fn a_private_folder_is_gone_at_the_end() {
        let mut state = StateDir::claim_private(&private_path()).unwrap();
        let _listener = state.listen().unwrap();
        let path = state.path().to_owned();
        assert!(path.exists());
        drop(state);
        assert!(!path.exists());
    }
}
