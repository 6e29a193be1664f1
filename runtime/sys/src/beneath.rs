//! Files below a directory and nowhere else, whatever the path says.
//!
//! The kernel walks the path: no step leads out of the directory, over a symbolic link or through `/proc`. What is found is a
//! regular file, or it is refused before it is opened: to open a device can have effects, and to open a pipe can wait.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, SFlag, fstat};

use crate::error::{Errno, Failed, failed};

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To read one that is there.
    Read,
    /// To write one that was not there, for the user alone.
    Create,
}

/// Opens the file at `path` below `directory`.
///
/// # Errors
/// `EXDEV` for a path that leads out, `ELOOP` for one over a link, `EINVAL` for what is no regular file, and whatever else
/// keeps it from being opened.
pub fn open(directory: BorrowedFd<'_>, path: &Path, access: Access) -> Result<File, Failed> {
    let open = |flags: OFlag, mode: Mode| {
        let stays = ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_SYMLINKS
            | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).mode(mode).resolve(stays);
        openat2(directory, path, how).map(File::from).map_err(failed("openat2"))
    };
    match access {
        Access::Create => {
            open(OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL, Mode::S_IRUSR | Mode::S_IWUSR)
        }
        Access::Read => {
            regular(&open(OFlag::O_PATH, Mode::empty())?)?;
            // Another may stand there by now; it is looked at again, and a pipe that waits is not waited for.
            let file = open(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY, Mode::empty())?;
            regular(&file)?;
            Ok(file)
        }
    }
}

fn regular(file: &File) -> Result<(), Failed> {
    let found = fstat(file).map_err(failed("fstat"))?;
    if SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG {
        Ok(())
    } else {
        Err(Failed { call: "openat2", errno: Errno::EINVAL })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_is_reached_but_files_below() {
        let above = tempfile::tempdir().unwrap();
        let below = above.path().join("below");
        fs::create_dir_all(below.join("in")).unwrap();
        fs::write(above.path().join("secret"), "secret").unwrap();
        fs::write(below.join("in/file"), "file").unwrap();
        symlink("../secret", below.join("out")).unwrap();
        symlink("in/file", below.join("link")).unwrap();
        symlink("in", below.join("door")).unwrap();
        nix::unistd::mkfifo(&below.join("pipe"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        let directory = File::open(&below).unwrap();
        let open = |path: &str, access| super::open(directory.as_fd(), Path::new(path), access);
        let mut text = String::new();
        open("in/../in/file", Access::Read).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "file");
        let absolute = above.path().join("secret");
        for (path, errno) in [
            ("../secret", Errno::EXDEV),
            ("in/../../secret", Errno::EXDEV),
            (absolute.to_str().unwrap(), Errno::EXDEV),
            ("/proc/self/exe", Errno::EXDEV),
            ("out", Errno::ELOOP),
            ("link", Errno::ELOOP),
            ("door/file", Errno::ELOOP),
            ("pipe", Errno::EINVAL),
            ("in", Errno::EINVAL),
            ("absent", Errno::ENOENT),
        ] {
            assert_eq!(
                open(path, Access::Read).map(drop).map_err(|failed| failed.errno),
                Err(errno),
                "{path}"
            );
        }
        open("in/new", Access::Create).unwrap();
        for path in ["in/new", "in/file", "link", "../new", "door/new"] {
            assert!(open(path, Access::Create).is_err(), "{path}");
        }
        assert!(!above.path().join("new").exists());
    }
}
