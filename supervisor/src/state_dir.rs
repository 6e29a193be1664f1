//! The folder in which one supervisor has its lock and its control socket.
//!
//! Who holds the lock owns the folder: it is held for life by an open descriptor, so a crash frees
//! it and a process number proves nothing. The lock file holds the holder's number for people; an
//! ordered end empties it, so that the next start can tell whether the last one died.

use std::fs::{DirBuilder, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bailiwick_sys::remains::remove_folder;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, Flock, FlockArg, OFlag, openat, renameat};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::sys::stat::{FileStat, Mode, fchmodat, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use thiserror::Error;

use crate::control::SOCKET_NAME;

const LOCK_NAME: &str = "lock";

/// The name under which the control socket is bound before it takes its place.
const NEW_SOCKET_NAME: &str = "control.new";

/// The longest path that a Unix socket can have.
const SOCKET_PATH_BYTES: usize = 107;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 8;

/// How long the guardian of a supervisor that died may take to end what it left.
const GUARDIAN_PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether the guardian is done.
const GUARDIAN_GLANCE: Duration = Duration::from_millis(5);

/// A state directory whose lock this process holds.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    folder: OwnedFd,
    lock: Flock<File>,
    /// Device and inode of the control socket that this process bound.
    socket: Option<(u64, u64)>,
    private: bool,
    last_died: Option<u32>,
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
    #[error("state directory {path} is too long: its control socket's path has {found} bytes, at most {SOCKET_PATH_BYTES} work", path = path.display())]
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
    /// The kernel refused.
    #[error("{step} in state directory {path}: {errno}", path = path.display())]
    Refused {
        /// What was tried.
        step: &'static str,
        /// The directory.
        path: PathBuf,
        /// The kernel's error.
        errno: Errno,
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
        if found > SOCKET_PATH_BYTES {
            return Err(StateDirError::TooLong { path, found });
        }
        // The error, if any, shows when the folder is opened.
        let _ = DirBuilder::new().mode(0o700).recursive(true).create(&path);
        let refused = |step| refused(&path, step);
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let folder = openat(AT_FDCWD, &path, flags, Mode::empty()).map_err(refused("open"))?;
        check(&path, &fstat(&folder).map_err(refused("stat"))?)?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let file = File::from(openat(&folder, LOCK_NAME, flags, mode).map_err(refused("open the lock"))?);
        let mut lock = match take_lock(file) {
            Ok(lock) => lock,
            Err((mut file, Errno::EWOULDBLOCK)) => {
                return Err(StateDirError::Busy { path, holder: read_holder(&mut file) });
            }
            Err((_, errno)) => return Err(refused("lock")(errno)),
        };
        let last_died = read_holder(&mut lock).parse().ok();
        write_holder(&mut lock, &format!("{}\n", std::process::id()));
        Ok(Self { path, folder, lock, socket: None, private: false, last_died })
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
        self.last_died
    }

    /// Makes the control socket, which only this user may open.
    ///
    /// # Errors
    /// [`StateDirError::Refused`] names the step.
    pub fn listen(&mut self) -> Result<OwnedFd, StateDirError> {
        let refused = |step| refused(&self.path, step);
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let listener = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)
            .map_err(refused("make a socket"))?;
        // Under its final name the socket appears only when it can be connected to.
        let _ = unlinkat(&self.folder, NEW_SOCKET_NAME, UnlinkatFlags::NoRemoveDir);
        let address = UnixAddr::new(&self.path.join(NEW_SOCKET_NAME)).map_err(refused("name a socket"))?;
        bind(listener.as_raw_fd(), &address).map_err(refused("bind a socket"))?;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        fchmodat(&self.folder, NEW_SOCKET_NAME, mode, nix::sys::stat::FchmodatFlags::FollowSymlink)
            .map_err(refused("close the socket to others"))?;
        let backlog = Backlog::new(BACKLOG).map_err(refused("listen"))?;
        listen(&listener, backlog).map_err(refused("listen"))?;
        renameat(&self.folder, NEW_SOCKET_NAME, &self.folder, SOCKET_NAME)
            .map_err(refused("put the socket in place"))?;
        self.socket = inode(self.folder.as_fd());
        Ok(listener)
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        if self.socket.is_some() && self.socket == inode(self.folder.as_fd()) {
            let _ = unlinkat(&self.folder, SOCKET_NAME, UnlinkatFlags::NoRemoveDir);
        }
        write_holder(&mut self.lock, "");
        if self.private {
            remove_folder(&self.path);
        }
    }
}

/// Takes the lock. The guardian of a supervisor that died holds a copy until nothing of it is left, so a holder that
/// is dead is waited for, and one that lives is not.
fn take_lock(mut file: File) -> Result<Flock<File>, (File, Errno)> {
    let until = Instant::now() + GUARDIAN_PATIENCE;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Err((mut held, Errno::EWOULDBLOCK)) => {
                if Instant::now() >= until || !is_dead(&read_holder(&mut held)) {
                    return Err((held, Errno::EWOULDBLOCK));
                }
                file = held;
                std::thread::park_timeout(GUARDIAN_GLANCE);
            }
            taken_or_refused => return taken_or_refused,
        }
    }
}

/// Returns whether there is no process of this number, or only what its parent has not taken note of.
fn is_dead(holder: &str) -> bool {
    let Ok(pid) = holder.parse::<u32>() else { return false };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    matches!(state, None | Some("Z" | "X"))
}

fn refused(path: &Path, step: &'static str) -> impl FnOnce(Errno) -> StateDirError {
    move |errno| StateDirError::Refused { step, path: path.to_owned(), errno }
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

/// Returns device and inode of the control socket that is there now.
fn inode(folder: BorrowedFd<'_>) -> Option<(u64, u64)> {
    let found = fstatat(folder, SOCKET_NAME, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
    Some((found.st_dev, found.st_ino))
}

fn read_holder(lock: &mut File) -> String {
    let mut text = String::new();
    let _ = lock.rewind().and_then(|()| lock.take(16).read_to_string(&mut text));
    text.trim().to_owned()
}

/// The number is for people, so a full disk that loses it stops nobody.
fn write_holder(lock: &mut File, text: &str) {
    let _ = lock.rewind().and_then(|()| lock.set_len(0)).and_then(|()| lock.write_all(text.as_bytes()));
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
        let path = folder.path().join("x".repeat(SOCKET_PATH_BYTES));
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
