//! One small file in a folder: replaced as a whole, read up to a bound, set aside when nobody understands it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::BorrowedFd;

use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::error::{Errno, Failed, failed};

/// Reads the file `name` in `folder`, of which more than `most` bytes are cut off; `None` if there is none.
///
/// # Errors
/// The kernel's reason.
pub fn read(folder: BorrowedFd<'_>, name: &str, most: usize) -> Result<Option<Vec<u8>>, Failed> {
    // A pipe in its place must not be waited for.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(Failed { call: "openat", errno }),
    };
    let mut bytes = Vec::new();
    file.take(most as u64).read_to_end(&mut bytes).map_err(|error| refused("read", &error))?;
    Ok(Some(bytes))
}

/// Puts `bytes` in the place of the file `name` in `folder`: whoever reads it finds the one or the other, never a
/// part. They are written to the file `new` first. A crash of the machine may lose both.
///
/// # Errors
/// The kernel's reason, ENOSPC among others; what was there is there still.
pub fn replace(folder: BorrowedFd<'_>, name: &str, new: &str, bytes: &[u8]) -> Result<(), Failed> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = openat(folder, new, flags, Mode::S_IRUSR | Mode::S_IWUSR).map_err(failed("openat"))?;
    let written = File::from(file).write_all(bytes).map_err(|error| refused("write", &error));
    let done = written.and_then(|()| rename(folder, new, name));
    if done.is_err() {
        remove(folder, new);
    }
    done
}

/// Gives the file `from` in `folder` the name `to`, whose former file is gone by that.
///
/// # Errors
/// The kernel's reason.
pub fn rename(folder: BorrowedFd<'_>, from: &str, to: &str) -> Result<(), Failed> {
    renameat(folder, from, folder, to).map_err(failed("renameat"))
}

/// Removes the file `name` in `folder`, if it is there.
pub fn remove(folder: BorrowedFd<'_>, name: &str) {
    let _was_not_there = unlinkat(folder, name, UnlinkatFlags::NoRemoveDir);
}

fn refused(call: &'static str, error: &std::io::Error) -> Failed {
    Failed { call, errno: Errno::from_raw(error.raw_os_error().unwrap_or_default()) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_file_is_replaced_read_to_a_bound_and_set_aside() {
        let path = tempfile::tempdir().unwrap();
        let folder = File::open(path.path()).unwrap();
        let folder = folder.as_fd();
        assert_eq!(read(folder, "a", 9), Ok(None));
        for text in ["first", "next"] {
            replace(folder, "a", "a.new", text.as_bytes()).unwrap();
            assert_eq!(read(folder, "a", 3).unwrap().unwrap(), &text.as_bytes()[..3]);
        }
        rename(folder, "a", "b").unwrap();
        assert_eq!(read(folder, "a", 9), Ok(None));
        assert_eq!(read(folder, "b", 9).unwrap().unwrap(), b"next");
        remove(folder, "b");
        assert_eq!(std::fs::read_dir(path.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_does_not_fit_leaves_what_was_there() {
        let path = tempfile::tempdir().unwrap();
        let folder = File::open(path.path()).unwrap();
        std::fs::create_dir(path.path().join("a")).unwrap();
        assert!(replace(folder.as_fd(), "a", "a.new", b"text").is_err(), "a folder is no file");
        assert!(path.path().join("a").is_dir() && !path.path().join("a.new").exists());
    }
}
