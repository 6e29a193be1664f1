//! What workers execute: opened once, held open, and trusted because nobody else could have changed it.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use bailiwick_sys::loader::loader;

use super::error::SandboxError;
use crate::check::{OWN_EXECUTABLE, Trust};
use crate::spec::Exec;

/// An executable that is held open: every restart runs the same file.
#[derive(Debug)]
pub struct Executable {
    path: PathBuf,
    file: OwnedFd,
    loader: Option<PathBuf>,
}

impl Executable {
    /// Opens what `exec` names, and checks that only root and the supervisor's own user could have changed it.
    ///
    /// # Errors
    /// [`SandboxError::Untrusted`] names the file or directory that others can change, and why it cannot be opened;
    /// [`SandboxError::NotExecutable`] if it is no program.
    pub fn open(exec: &Exec) -> Result<Self, SandboxError> {
        let trust = Trust::of_this_process();
        let (path, file) = match exec {
            Exec::Own => trust.open_own_executable()?,
            Exec::Path(path) => (path.clone(), trust.open_executable(path)?),
        };
        let readable = match exec {
            Exec::Own => File::open(OWN_EXECUTABLE),
            Exec::Path(path) => File::open(path),
        };
        let loader = match readable {
            Ok(file) => loader(&file).ok_or_else(|| SandboxError::NotExecutable { path: path.clone() })?,
            // Executable and not readable is allowed, and hides the program from those who run it.
            Err(_) => None,
        };
        Ok(Self { path, file: file.into(), loader })
    }

    /// Returns where it was found.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the program that the kernel starts to load it; `None` if it is statically linked.
    pub(super) fn loader(&self) -> Option<&Path> {
        self.loader.as_deref()
    }
}

impl AsFd for Executable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::check::Untrusted;

    fn copy_of_true() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("program");
        std::fs::copy("/bin/true", &path).unwrap();
        (folder, path)
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_own_executable_opens_and_names_its_loader() {
        let executable = Executable::open(&Exec::Own).unwrap();
        assert_eq!(executable.path(), std::env::current_exe().unwrap());
        assert!(executable.loader().is_none_or(Path::exists));
    }

    #[test]
    fn an_executable_that_others_may_write_is_refused() {
        let (_folder, path) = copy_of_true();
        assert!(Executable::open(&Exec::Path(path.clone())).is_ok());
        set_mode(&path, 0o757);
        let error = Executable::open(&Exec::Path(path.clone())).unwrap_err();
        assert!(
            matches!(&error, SandboxError::Untrusted(Untrusted::Writable { path: at, mode: 0o757, .. }) if *at == path),
            "{error}"
        );
    }

    #[test]
    fn an_executable_in_a_folder_that_others_may_write_is_refused() {
        let (folder, path) = copy_of_true();
        set_mode(folder.path(), 0o777);
        let error = Executable::open(&Exec::Path(path)).unwrap_err();
        assert!(matches!(error, SandboxError::Untrusted(Untrusted::Writable { mode: 0o777, .. })), "{error}");
    }

    #[test]
    fn what_is_not_a_program_is_refused() {
        let (_folder, path) = copy_of_true();
        std::fs::write(
            &path,
            b"#!/bin/sh\necho this is a script and not a program at all, and long enough\n",
        )
        .unwrap();
        let error = Executable::open(&Exec::Path(path.clone())).unwrap_err();
        assert!(matches!(error, SandboxError::NotExecutable { .. }), "{error}");
        set_mode(&path, 0o644);
        assert!(Executable::open(&Exec::Path(path)).is_err());
        let error = Executable::open(&Exec::Path("/nonexistent/program".into())).unwrap_err();
        assert!(matches!(error, SandboxError::Untrusted(Untrusted::Unreadable { .. })), "{error}");
    }
}
