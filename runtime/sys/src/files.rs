//! Opening without surprises, locks that end with their holder, and what kind of file system one is on.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, Flock, FlockArg, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;

use crate::error::{Errno, Failed, failed};

/// How links on a path are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// No component may be a link.
    Refuse,
    /// Links are followed, except those that the kernel makes in /proc.
    Follow,
}

/// Opens `path` as a place (O_PATH): it can be passed on, searched and granted, but neither read nor written.
///
/// # Errors
/// ELOOP for a link that is refused; otherwise why the path cannot be reached.
pub fn open_place(path: &Path, links: Links) -> Result<OwnedFd, Failed> {
    open(AT_FDCWD, path, OFlag::O_PATH, resolve(links))
}

/// Opens `path` for reading.
///
/// # Errors
/// As [`open_place`].
pub fn open_read(path: &Path, links: Links) -> Result<OwnedFd, Failed> {
    open(AT_FDCWD, path, OFlag::O_RDONLY | OFlag::O_NOCTTY | OFlag::O_NONBLOCK, resolve(links))
}

/// Opens `path` below `directory` for reading; neither `..` nor any link leads out or is followed.
///
/// # Errors
/// EXDEV for a path that leads out, ELOOP for a link, otherwise why it cannot be reached.
pub fn open_beneath(directory: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Failed> {
    let resolve =
        ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    open(directory, path, OFlag::O_RDONLY | OFlag::O_NOCTTY | OFlag::O_NONBLOCK, resolve)
}

fn resolve(links: Links) -> ResolveFlag {
    match links {
        Links::Refuse => ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS,
        Links::Follow => ResolveFlag::RESOLVE_NO_MAGICLINKS,
    }
}

fn open(at: impl AsFd, path: &Path, flags: OFlag, resolve: ResolveFlag) -> Result<OwnedFd, Failed> {
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
    openat2(at, path, how).map_err(failed("openat2"))
}

/// An exclusive lock on a file. It ends when every copy of its descriptor is closed.
#[derive(Debug)]
pub struct Lock(Flock<File>);

impl Lock {
    /// Makes the file if need be and locks it; `None` when somebody else holds it.
    ///
    /// # Errors
    /// Why the file can be neither opened nor made.
    pub fn take(path: &Path) -> Result<Option<Self>, Failed> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_CLOEXEC;
        let how =
            OpenHow::new().flags(flags).mode(Mode::from_bits_truncate(0o600)).resolve(resolve(Links::Refuse));
        let file = File::from(openat2(AT_FDCWD, path, how).map_err(failed("openat2"))?);
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(Self(lock))),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(Failed { call: "flock", errno }),
        }
    }

    /// Returns the locked file.
    pub fn file(&self) -> &File {
        &self.0
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Returns whether `directory` is on a cgroup (version 2) file system.
pub fn is_cgroup2(directory: BorrowedFd<'_>) -> bool {
    nix::sys::statfs::fstatfs(directory)
        .is_ok_and(|found| found.filesystem_type() == nix::sys::statfs::CGROUP2_SUPER_MAGIC)
}
