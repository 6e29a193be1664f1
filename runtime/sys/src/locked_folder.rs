//! A folder that one process at a time has for itself: it holds the lock there, and binds its socket there.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::error::Failed;
use crate::held_lock::{HeldLock, LockError};
use crate::named_socket::{self, PATH_BYTES, inode, listen_in};
use crate::own_folder::{self, FolderError};
use crate::remains::remove_folder;

const LOCK_NAME: &str = "lock";

/// A folder whose lock this process holds.
#[derive(Debug)]
pub struct LockedFolder {
    path: PathBuf,
    folder: OwnedFd,
    lock: HeldLock,
    /// What its socket is called.
    name: &'static str,
    /// Device and inode of the socket that this process bound.
    socket: Option<(u64, u64)>,
    passing: bool,
}

/// Why a folder cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Another process holds it, or it cannot be held.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The socket's path would not fit into an address.
    #[error("it is too long: its control socket's path has {found} bytes, at most {PATH_BYTES} work")]
    TooLong {
        /// The bytes of the path.
        found: usize,
    },
    /// It is somebody else's, open to others, or out of reach.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The kernel refused.
    #[error(transparent)]
    Refused(#[from] Failed),
}

impl LockedFolder {
    /// Takes `path`, which is made if it is missing, and locks it for as long as this value lives. Its socket will be
    /// called `name`.
    ///
    /// # Errors
    /// [`LockError::Held`] if another process has it; the others if it cannot be trusted.
    pub fn claim(path: PathBuf, name: &'static str) -> Result<Self, ClaimError> {
        let found = path.join(name).as_os_str().len();
        if found > PATH_BYTES {
            return Err(ClaimError::TooLong { found });
        }
        let folder = own_folder::open(&path)?;
        let lock = HeldLock::take(folder.as_fd(), LOCK_NAME)?;
        Ok(Self { path, folder, lock, name, socket: None, passing: false })
    }

    /// Makes a folder that nobody uses before or after, and takes it. It is removed at the end.
    ///
    /// # Errors
    /// EEXIST, and as [`LockedFolder::claim`].
    pub fn claim_new(path: PathBuf, name: &'static str) -> Result<Self, ClaimError> {
        own_folder::make(&path)?;
        let mut made = Self::claim(path, name)?;
        made.passing = true;
        Ok(made)
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether nobody uses it before or after.
    pub fn is_passing(&self) -> bool {
        self.passing
    }

    /// Returns the descriptor of the lock: whoever holds a copy keeps the folder taken.
    pub fn lock(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }

    /// Returns the number of the process that held it before and did not give it back.
    pub fn last_died(&self) -> Option<u32> {
        self.lock.last_died()
    }

    /// Makes its socket, which only this user may open. One that was made before has no name any more.
    ///
    /// # Errors
    /// What the kernel refuses, with the call.
    pub fn listen(&mut self) -> Result<OwnedFd, Failed> {
        let listener = listen_in(self.folder.as_fd(), &self.path, self.name)?;
        self.socket = inode(&self.folder, self.name);
        Ok(listener)
    }
}

impl AsFd for LockedFolder {
    /// Returns the folder.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

impl Drop for LockedFolder {
    fn drop(&mut self) {
        self.socket.iter().for_each(|own| named_socket::remove(self.folder.as_fd(), self.name, *own));
        if self.passing {
            remove_folder(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    const SOCKET: &str = "control.sock";

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    fn claim(path: &Path) -> Result<LockedFolder, ClaimError> {
        LockedFolder::claim(path.to_owned(), SOCKET)
    }

    #[test]
    fn a_second_claim_is_refused_and_names_the_holder() {
        let folder = folder();
        let path = folder.path().join("state");
        let first = claim(&path).unwrap();
        let Err(ClaimError::Lock(LockError::Held { holder })) = claim(&path) else {
            panic!("two processes hold one folder");
        };
        assert_eq!(holder, std::process::id().to_string());
        drop(first);
        assert_eq!(claim(&path).unwrap().last_died(), None);
    }

    #[test]
    fn a_holder_that_died_is_noticed() {
        let folder = folder();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::write(folder.path().join(LOCK_NAME), "4711\n").unwrap();
        assert_eq!(claim(folder.path()).unwrap().last_died(), Some(4711));
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let folder = folder();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let found = claim(folder.path());
        assert!(matches!(found, Err(ClaimError::Folder(FolderError::Writable { mode: 0o777 }))));
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_is_refused() {
        let folder = folder();
        let path = folder.path().join("x".repeat(PATH_BYTES));
        assert!(matches!(claim(&path), Err(ClaimError::TooLong { .. })));
        assert!(!path.exists());
    }

    #[test]
    fn the_socket_is_closed_to_others_and_goes_with_its_owner() {
        let folder = folder();
        let path = folder.path().join("state");
        let mut state = claim(&path).unwrap();
        let _listener = state.listen().unwrap();
        let socket = path.join(SOCKET);
        assert_eq!(socket.metadata().unwrap().mode() & 0o777, 0o600);
        drop(state);
        assert!(!socket.exists());
    }

    #[test]
    fn a_socket_that_somebody_else_put_there_is_left_alone() {
        let folder = folder();
        let path = folder.path().join("state");
        let mut state = claim(&path).unwrap();
        let _listener = state.listen().unwrap();
        std::fs::remove_file(path.join(SOCKET)).unwrap();
        std::fs::write(path.join(SOCKET), "").unwrap();
        drop(state);
        assert!(path.join(SOCKET).exists());
    }

    #[test]
    fn a_passing_folder_is_gone_at_the_end() {
        let folder = folder();
        let path = folder.path().join("state");
        let mut state = LockedFolder::claim_new(path.clone(), SOCKET).unwrap();
        let _listener = state.listen().unwrap();
        assert!(path.exists());
        drop(state);
        assert!(!path.exists());
    }
}
