//! A lock file that is held for life and says by whom: a crash frees it, and a process number proves nothing.
//!
//! The file holds the holder's number for people. An ordered end empties it, so that the next holder can tell whether
//! the last one died.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg, OFlag, openat};
use nix::sys::stat::Mode;

use crate::error::{Errno, Failed, failed};

/// How long whoever ends what a dead holder left may keep its copy of the lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether that is done.
const GLANCE: Duration = Duration::from_millis(5);

/// An exclusive lock on a file that names its holder. It ends when every copy of its descriptor is closed.
#[derive(Debug)]
pub struct HeldLock {
    file: Flock<File>,
    last_died: Option<u32>,
}

/// Why a lock is not had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Somebody who lives holds it.
    #[error("its lock is held by a running process, pid {holder}")]
    Held {
        /// What the file says of its holder.
        holder: String,
    },
    /// The kernel refused.
    #[error(transparent)]
    Failed(#[from] Failed),
}

impl HeldLock {
    /// Takes the lock `name` in `folder`, which is made if it is missing, and writes this process's number into it.
    ///
    /// Blocks for at most five seconds, and only while the holder that the file names is dead: what ends its remains
    /// holds a copy until nothing is left.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn take(folder: BorrowedFd<'_>, name: &str) -> Result<Self, LockError> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(folder, name, flags, Mode::S_IRUSR | Mode::S_IWUSR).map_err(failed("openat"))?;
        let mut file = wait_for(File::from(file))?;
        let last_died = holder(&mut file).parse().ok();
        write(&mut file, &format!("{}\n", std::process::id()));
        Ok(Self { file, last_died })
    }

    /// Returns the number of the process that held it before and did not end in order.
    pub fn last_died(&self) -> Option<u32> {
        self.last_died
    }
}

impl AsFd for HeldLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        write(&mut self.file, "");
    }
}

fn wait_for(mut file: File) -> Result<Flock<File>, LockError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(taken) => return Ok(taken),
            Err((mut held, Errno::EWOULDBLOCK)) => {
                let holder = holder(&mut held);
                if Instant::now() >= until || !is_dead(&holder) {
                    return Err(LockError::Held { holder });
                }
                file = held;
                std::thread::park_timeout(GLANCE);
            }
            Err((_, errno)) => return Err(Failed { call: "flock", errno }.into()),
        }
    }
}

/// Returns whether there is no process of this number, or only what its parent has not taken note of.
fn is_dead(holder: &str) -> bool {
    let Ok(pid) = holder.parse::<u32>() else { return false };
    let stat = std::fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Its name, which stands in brackets, may be cut in the midst of a character.
    let stat = String::from_utf8_lossy(&stat);
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    matches!(state, None | Some("Z" | "X"))
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    let _ = lock.rewind().and_then(|()| lock.take(16).read_to_string(&mut text));
    text.trim().to_owned()
}

/// The number is for people, so a full disk that loses it stops nobody.
fn write(lock: &mut File, text: &str) {
    let _ = lock.rewind().and_then(|()| lock.set_len(0)).and_then(|()| lock.write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_names_its_holder_and_is_emptied_at_an_ordered_end() {
        let path = tempfile::tempdir().unwrap();
        let folder = File::open(path.path()).unwrap();
        let take = || HeldLock::take(folder.as_fd(), "lock");
        let first = take().unwrap();
        assert_eq!(first.last_died(), None);
        let holder = std::process::id().to_string();
        assert_eq!(take().unwrap_err(), LockError::Held { holder });
        drop(first);
        assert_eq!(take().unwrap().last_died(), None);
        std::fs::write(path.path().join("lock"), "4711\n").unwrap();
        assert_eq!(take().unwrap().last_died(), Some(4711));
    }
}
