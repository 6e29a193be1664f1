//! A folder that belongs to this process's user, and into which nobody else can put anything.

use std::fs::{DirBuilder, Permissions, set_permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{geteuid, mkdir};

use crate::error::{Failed, failed};

/// Why a folder is not one's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// It is somebody else's.
    #[error("it belongs to uid {owner}, expected {expected}")]
    ForeignOwner {
        /// Its owner.
        owner: u32,
        /// The user of this process.
        expected: u32,
    },
    /// Others may write to it.
    #[error("it has mode {mode:04o}: nobody but its owner may write to it")]
    Writable {
        /// Its permission bits.
        mode: u32,
    },
    /// The kernel refused.
    #[error(transparent)]
    Failed(#[from] Failed),
}

/// Makes a folder at `path`, where there must be nothing, for this user alone.
///
/// # Errors
/// The kernel's reason, EEXIST among others.
pub fn make(path: &Path) -> Result<(), Failed> {
    mkdir(path, Mode::S_IRWXU).map_err(failed("mkdir"))
}

/// Makes a folder through which everybody may pass, whatever this process's mask, if it is missing; those above it too.
pub(crate) fn passage(path: &Path) {
    // What goes wrong shows when the folder below it is made.
    let _ = path.parent().map(|above| DirBuilder::new().mode(0o711).recursive(true).create(above));
    if DirBuilder::new().create(path).is_ok() {
        let _ = set_permissions(path, Permissions::from_mode(0o711));
    }
}

/// Opens the folder at `path`, which is made if it is missing, for this user alone, with those above it. The last
/// component may not be a link.
///
/// # Errors
/// See [`FolderError`].
pub fn open(path: &Path) -> Result<OwnedFd, FolderError> {
    // The error, if any, shows when the folder is opened.
    let _ = path.parent().map(passage);
    let _ = make(path);
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let folder = openat(AT_FDCWD, path, flags, Mode::empty()).map_err(failed("open"))?;
    let found = fstat(&folder).map_err(failed("fstat"))?;
    let (mode, expected) = (found.st_mode & 0o7777, geteuid().as_raw());
    if found.st_uid != expected {
        return Err(FolderError::ForeignOwner { owner: found.st_uid, expected });
    }
    if mode & 0o022 != 0 {
        return Err(FolderError::Writable { mode });
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::fs::metadata;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::Errno;

    #[test]
    fn what_is_missing_is_made_for_this_user_alone() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("run/own");
        open(&path).unwrap();
        assert_eq!(metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(make(&path), Err(Failed { call: "mkdir", errno: Errno::EEXIST }));
    }

    #[test]
    fn what_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o777, 0o770, 0o702] {
            set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(open(folder.path()).unwrap_err(), FolderError::Writable { mode });
        }
    }

    #[test]
    fn a_link_is_not_followed() {
        let above = tempfile::tempdir().unwrap();
        let link = above.path().join("link");
        symlink(above.path(), &link).unwrap();
        assert!(matches!(open(&link), Err(FolderError::Failed(Failed { call: "open", .. }))));
    }
}
