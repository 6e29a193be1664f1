//! Opening without surprises, locks that end with their holder, and what kind of file system one is on.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::{AT_FDCWD, AtFlags, Flock, FlockArg, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat, lstat};
use nix::unistd::fchownat;

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

/// Returns whether the folder at `place` is empty but for files by which a repository keeps an empty folder.
///
/// # Errors
/// Why it cannot be listed, ENOTDIR for a file among the reasons.
pub fn is_vacant(place: BorrowedFd<'_>) -> Result<bool, Failed> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let folder = open(place, Path::new("."), flags, ResolveFlag::RESOLVE_BENEATH)?;
    let mut folder = Dir::from_fd(folder).map_err(failed("fdopendir"))?;
    for entry in folder.iter() {
        let entry = entry.map_err(failed("readdir"))?;
        let known = [c".", c".."].contains(&entry.file_name());
        let is_file =
            || fstatat(place, entry.file_name(), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok_and(is_regular);
        let keeps = || KEEPERS.contains(&entry.file_name()) && is_file();
        if !(known || keeps()) {
            return Ok(false);
        }
    }
    Ok(true)
}

const KEEPERS: [&CStr; 2] = [c".gitignore", c".gitkeep"];

fn is_regular(found: FileStat) -> bool {
    found.st_mode & libc::S_IFMT == libc::S_IFREG
}

/// Makes `uid` the owner of what is at `place`; its group stays.
///
/// # Errors
/// Why it cannot be given.
pub fn give(place: BorrowedFd<'_>, uid: u32) -> Result<(), Failed> {
    fchownat(place, c"", Some(uid.into()), None, AtFlags::AT_EMPTY_PATH).map_err(failed("fchownat"))
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

/// Takes the descriptor `number` that this process was started with; `None` if there is none, or if it was taken.
///
/// What was inherited over exec is the only kind of descriptor that exec would hand on: every other one is made
/// close-on-exec, and so is this one from now on.
pub fn take_inherited(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: asks for a flag; a number that is no descriptor is an error.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if number <= libc::STDERR_FILENO || flags < 0 || flags & libc::FD_CLOEXEC != 0 {
        return None;
    }
    // SAFETY: sets a flag, on a descriptor that nobody in this process owns.
    unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    // SAFETY: it is open, nobody in this process owns it, and the flag keeps it from being taken twice.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
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
        loop {
            let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_CLOEXEC;
            let mode = Mode::from_bits_truncate(0o600);
            let how = OpenHow::new().flags(flags).mode(mode).resolve(resolve(Links::Refuse));
            let file = File::from(openat2(AT_FDCWD, path, how).map_err(failed("openat2"))?);
            let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => Self(lock),
                Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
                Err((_, errno)) => return Err(Failed { call: "flock", errno }),
            };
            // Somebody may have removed the file between the opening and the lock, which then binds nobody.
            if lock.is_at(path) {
                return Ok(Some(lock));
            }
        }
    }

    /// Returns whether `path` still leads to the locked file.
    fn is_at(&self, path: &Path) -> bool {
        let (Ok(held), Ok(found)) = (fstat(self), lstat(path)) else { return false };
        (held.st_dev, held.st_ino) == (found.st_dev, found.st_ino)
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        (folder, path)
    }

    #[test]
    fn a_lock_is_held_by_one_and_ends_with_its_last_copy() {
        let (_folder, path) = folder();
        let path = path.join("lock");
        let first = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        drop(first);
        assert!(Lock::take(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_on_a_removed_file_binds_nobody() {
        let (_folder, path) = folder();
        let path = path.join("lock");
        let first = Lock::take(&path).unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(!first.is_at(&path));
        assert!(Lock::take(&path).unwrap().is_some());
    }

    #[test]
    fn links_are_refused_or_followed_as_asked() {
        let (_folder, path) = folder();
        std::fs::create_dir(path.join("folder")).unwrap();
        std::os::unix::fs::symlink("folder", path.join("link")).unwrap();
        assert_eq!(open_place(&path.join("link"), Links::Refuse).unwrap_err().errno, Errno::ELOOP);
        assert!(open_place(&path.join("link"), Links::Follow).is_ok());
    }

    #[test]
    fn nothing_leads_out_of_a_folder() {
        let (_folder, path) = folder();
        std::fs::create_dir(path.join("in")).unwrap();
        std::fs::write(path.join("secret"), "").unwrap();
        std::fs::write(path.join("in/file"), "").unwrap();
        std::os::unix::fs::symlink("../secret", path.join("in/link")).unwrap();
        let place = open_place(&path.join("in"), Links::Refuse).unwrap();
        let errno = |name: &str| {
            open_beneath(place.as_fd(), Path::new(name)).map(drop).map_err(|failed| failed.errno)
        };
        assert_eq!(errno("file"), Ok(()));
        assert_eq!(errno("../secret"), Err(Errno::EXDEV));
        assert_eq!(errno("/etc/passwd"), Err(Errno::EXDEV));
        assert_eq!(errno("link"), Err(Errno::ELOOP));
    }

    #[test]
    fn an_own_descriptor_is_never_taken_for_an_inherited_one() {
        let file = tempfile::tempfile().unwrap();
        assert!(take_inherited(file.as_raw_fd()).is_none());
        assert!(take_inherited(1).is_none());
        assert!(take_inherited(-1).is_none());
    }
}
