//! The folder in which one supervisor has its lock and its control socket.
//!
//! Who holds the lock owns the folder, see [`HeldLock`].

mod lives;

use std::fs::DirBuilder;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use bailiwick_sys::held_lock::{HeldLock, LockError};
use bailiwick_sys::named_socket::{PATH_BYTES, inode, listen_in};
use bailiwick_sys::remains::remove_folder;
use bailiwick_sys::{Errno, Failed};
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use thiserror::Error;

use bailiwick_wire::state_record::{Life, StateRecordError};
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
#[non_exhaustive]
pub enum StateDirError {
    /// Another supervisor holds it.
    #[error("state directory {path} is held by a running supervisor, pid {holder}", path = path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
        /// What the lock file says of its holder.
        holder: String,
    },
    /// The control socket's path would not fit into an address.
    #[error("state directory {path} is too long: its control socket's path has {found} bytes, at most {PATH_BYTES} work", path = path.display())]
    TooLong {
        /// The directory.
        path: PathBuf,
        /// The bytes of the path.
        found: usize,
    },
    /// Somebody else owns it.
    #[error("state directory {path} belongs to uid {owner}, expected {expected}", path = path.display())]
    ForeignOwner {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The supervisor's user.
        expected: u32,
    },
    /// Others may write to it.
    #[error("state directory {path} has mode {mode:04o}: nobody but its owner may write to it", path = path.display())]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A later version has run there, and this one cannot tell what is left of it.
    #[error("state directory {path}: the record of what lives there is not for this version: {why}; run the version that wrote it, or remove the directory once nothing of it runs", path = path.display())]
    Newer {
        /// The directory.
        path: PathBuf,
        /// What the record is.
        why: StateRecordError,
    },
    /// The kernel refused.
    #[error("state directory {path}: {failed}", path = path.display())]
    Refused {
        /// The directory.
        path: PathBuf,
        /// What was tried, and the kernel's error.
        failed: Failed,
    },
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
    let random = RandomState::new().build_hasher().finish();
    let path = std::env::temp_dir().join(format!("bailiwick-{random:016x}"));
    std::path::absolute(&path).unwrap_or(path)
}

impl StateDir {
    /// Takes `path`, which is made if it is missing, and locks it for as long as this value lives.
    ///
    /// # Errors
    /// [`StateDirError::Busy`] if another supervisor runs there; the others if it cannot be trusted.
    pub fn claim(path: &Path) -> Result<Self, StateDirError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let found = path.join(SOCKET_NAME).as_os_str().len();
        if found > PATH_BYTES {
            return Err(StateDirError::TooLong { path, found });
        }
        // The error, if any, shows when the folder is opened.
        let _ = path.parent().map(|above| DirBuilder::new().mode(0o711).recursive(true).create(above));
        let _ = DirBuilder::new().mode(0o700).create(&path);
        let refused = |call| refused(&path, call);
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let folder = openat(AT_FDCWD, &path, flags, Mode::empty()).map_err(refused("open"))?;
        check(&path, &fstat(&folder).map_err(refused("stat"))?)?;
        let lock = match HeldLock::take(folder.as_fd(), LOCK_NAME) {
            Ok(lock) => lock,
            Err(LockError::Held { holder }) => return Err(StateDirError::Busy { path, holder }),
            Err(LockError::Failed(failed)) => return Err(StateDirError::Refused { path, failed }),
        };
        match Lives::succeed(folder.as_fd()) {
            Ok(lives) => Ok(Self { path, folder, lock, lives, socket: None, private: false }),
            Err(why) => Err(StateDirError::Newer { path, why }),
        }
    }

    /// Makes the directory at [`private_path`], which no other run uses and which is removed at the end.
    ///
    /// # Errors
    /// As [`StateDir::claim`].
    pub fn claim_private(path: &Path) -> Result<Self, StateDirError> {
        nix::unistd::mkdir(path, Mode::S_IRWXU).map_err(refused(path, "make a private folder"))?;
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
    /// [`StateDirError::Refused`] names the step.
    pub fn listen(&mut self) -> Result<OwnedFd, StateDirError> {
        let listener = listen_in(self.folder.as_fd(), &self.path, SOCKET_NAME)
            .map_err(|failed| StateDirError::Refused { path: self.path.clone(), failed })?;
        self.socket = inode(&self.folder, SOCKET_NAME);
        Ok(listener)
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        if self.socket.is_some() && self.socket == inode(&self.folder, SOCKET_NAME) {
            let _ = unlinkat(&self.folder, SOCKET_NAME, UnlinkatFlags::NoRemoveDir);
        }
        self.lives.finish(self.folder.as_fd());
        if self.private {
            remove_folder(&self.path);
        }
    }
}

fn refused(path: &Path, call: &'static str) -> impl FnOnce(Errno) -> StateDirError {
    move |errno| StateDirError::Refused { path: path.to_owned(), failed: Failed { call, errno } }
}

fn check(path: &Path, found: &FileStat) -> Result<(), StateDirError> {
    let expected = nix::unistd::geteuid().as_raw();
    if found.st_uid != expected {
        return Err(StateDirError::ForeignOwner { path: path.to_owned(), owner: found.st_uid, expected });
    }
    let mode = found.st_mode & 0o7777;
    if mode & 0o022 != 0 {
        return Err(StateDirError::Writable { path: path.to_owned(), mode });
    }
    Ok(())
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
        let Err(StateDirError::Busy { holder, .. }) = StateDir::claim(&path) else {
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
        for mode in [0o777, 0o770, 0o702] {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let found = StateDir::claim(folder.path());
            assert!(matches!(found, Err(StateDirError::Writable { mode: found, .. }) if found == mode));
        }
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_is_refused() {
        let folder = folder();
        let path = folder.path().join("x".repeat(PATH_BYTES));
        assert!(matches!(StateDir::claim(&path), Err(StateDirError::TooLong { .. })));
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
