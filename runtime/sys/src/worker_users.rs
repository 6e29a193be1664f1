//! Users that belong to workers: a number each, held by a lock that counts on the whole machine.
//!
//! A worker gets the same number at every start, as long as nobody else took it meanwhile: where the search begins
//! depends on the worker's name and its supervisor's state directory, and the lock file says whose it was last.

use std::fs::DirBuilder;
use std::io::{Read, Seek, Write};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Errno, Failed};
use crate::files::Lock;
use crate::own_folder::passage;

/// The range of users, and where its locks are.
#[derive(Clone, Debug)]
pub struct UidRange {
    folder: PathBuf,
    range: RangeInclusive<u32>,
}

/// A user that belongs to one worker for as long as this value, or a copy of its descriptor, lives.
#[derive(Debug)]
pub struct OwnUid {
    /// The number, of a user and of a group.
    pub uid: u32,
    lock: Lock,
    /// The lock's file, if nobody will ask for this number by the same name again.
    passing: Option<PathBuf>,
}

/// Why there is no user for a worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The locks cannot be used.
    #[error("locks of workers' users in {folder}: {failed}", folder = folder.display())]
    Refused {
        /// Where the locks are.
        folder: PathBuf,
        /// The kernel's reason.
        failed: Failed,
    },
    /// Whoever is granted a path runs as its owner, and another worker has that user for itself.
    #[error(
        "{owner} is granted a path that belongs to uid {uid}, which is another worker's now: workers that share a folder need one that belongs to a user of the machine, or `user`"
    )]
    AtWork {
        /// For whom.
        owner: String,
        /// The user.
        uid: u32,
    },
    /// Every user of the range is taken.
    #[error("no user is left for {owner}: {tried} of the range were tried and are locked")]
    NoneLeft {
        /// For whom.
        owner: String,
        /// Users tried.
        tried: u32,
    },
}

impl UidRange {
    /// Returns the range that all supervisors on this machine share.
    pub fn host(range: RangeInclusive<u32>) -> Self {
        Self { folder: PathBuf::from(LOCKS), range }
    }

    /// Takes the user `uid` for `owner`, whosever it was before.
    /// Waits up to `FAREWELL` for a worker whose supervisor has just died.
    ///
    /// # Errors
    /// See [`ClaimError`].
    pub fn claim_this(&self, uid: u32, owner: &str, comes_again: bool) -> Result<OwnUid, ClaimError> {
        let at_work = || ClaimError::AtWork { owner: owner.to_owned(), uid };
        if !self.range.contains(&uid) {
            return Err(at_work());
        }
        self.make_folder()?;
        let path = self.folder.join(uid.to_string());
        let until = Instant::now() + FAREWELL;
        loop {
            let taken = take(&path, owner, true);
            let lock = taken.map_err(|failed| ClaimError::Refused { folder: self.folder.clone(), failed })?;
            if let Some(lock) = lock {
                return Ok(OwnUid { uid, lock, passing: (!comes_again).then_some(path) });
            }
            if Instant::now() >= until {
                return Err(at_work());
            }
            std::thread::park_timeout(GLANCE);
        }
    }

    fn make_folder(&self) -> Result<(), ClaimError> {
        // Other users have state directories beside it. What goes wrong shows at the next one.
        let _ = self.folder.parent().map(passage);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|error| {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
            ClaimError::Refused { folder: self.folder.clone(), failed: Failed { call: "mkdir", errno } }
        })
    }

    /// Returns whether `uid` is one of the range.
    pub fn contains(&self, uid: u32) -> bool {
        self.range.contains(&uid)
    }

    /// Takes a user for `owner`, preferably the one that it had before. An owner that does not come again leaves
    /// no trace.
    ///
    /// # Errors
    /// See [`ClaimError`].
    pub fn claim(&self, owner: &str, comes_again: bool) -> Result<OwnUid, ClaimError> {
        self.make_folder()?;
        let count = self.range.end() - self.range.start() + 1;
        let first = (hash(owner.as_bytes()) % u64::from(count)) as u32;
        let tries = count.min(TRIES_MAX);
        // A number that was another's may still own files somewhere, so those come last.
        for others_too in [false, true] {
            for step in 0..tries {
                let uid = self.range.start() + (first + step) % count;
                let path = self.folder.join(uid.to_string());
                if let Some(lock) = take(&path, owner, others_too)
                    .map_err(|failed| ClaimError::Refused { folder: self.folder.clone(), failed })?
                {
                    return Ok(OwnUid { uid, lock, passing: (!comes_again).then_some(path) });
                }
            }
        }
        Err(ClaimError::NoneLeft { owner: owner.to_owned(), tried: tries })
    }
}

/// Takes the lock at `path` if it is free and, unless `others_too`, was nobody else's before.
fn take(path: &Path, owner: &str, others_too: bool) -> Result<Option<Lock>, Failed> {
    let Some(lock) = Lock::take(path)? else { return Ok(None) };
    let mut last = String::new();
    let mut file = lock.file();
    // What cannot be read was not written by us, and is taken for another's.
    let known = file.read_to_string(&mut last).is_ok();
    if !(others_too || (known && (last.is_empty() || last == owner))) {
        return Ok(None);
    }
    // The name only helps to find the same number again; a full disk loses no more than that.
    let _kept = file.rewind().and_then(|()| file.set_len(0)).and_then(|()| file.write_all(owner.as_bytes()));
    Ok(Some(lock))
}

/// Takes the lock of the user `uid` of the range that all supervisors on this machine share; `None` if somebody has it,
/// or if nobody ever had.
pub(crate) fn lock_this(uid: u32) -> Option<Lock> {
    let path = Path::new(LOCKS).join(uid.to_string());
    path.exists().then(|| Lock::take(&path).ok().flatten()).flatten()
}

/// Removes every lock file that nobody holds and whose last holder was a worker of the supervisor in `state_dir`.
pub(crate) fn forget(state_dir: &str) {
    let belongs = |text: &str| text.strip_prefix(state_dir).is_some_and(|rest| rest.starts_with(' '));
    let entries = std::fs::read_dir(LOCKS).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if !std::fs::read_to_string(&path).is_ok_and(|text| belongs(&text)) {
            continue;
        }
        if let Ok(Some(lock)) = Lock::take(&path) {
            let mut last = String::new();
            // Read again under the lock: it may be somebody else's by now. An empty one remembers nothing.
            if lock.file().read_to_string(&mut last).is_ok() && (last.is_empty() || belongs(&last)) {
                let _gone_already = std::fs::remove_file(&path);
            }
        }
    }
}

impl Drop for OwnUid {
    fn drop(&mut self) {
        if let Some(path) = &self.passing {
            // Under the lock, so that nobody else has it; whoever opened it meanwhile looks again.
            let _gone_already = std::fs::remove_file(path);
        }
    }
}

impl AsFd for OwnUid {
    /// Returns the lock.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }
}

/// Hashes with FNV-1a: short, and the same on every machine and in every version.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

const LOCKS: &str = "/run/bailiwick/uids";
const TRIES_MAX: u32 = 4096;
/// How long a guardian may take to give up a user.
const FAREWELL: Duration = Duration::from_secs(1);
const GLANCE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn range(folder: &tempfile::TempDir, range: RangeInclusive<u32>) -> UidRange {
        UidRange { folder: folder.path().canonicalize().unwrap().join("uids"), range }
    }

    #[test]
    fn two_workers_never_share_a_user_and_each_gets_its_own_again() {
        let folder = tempfile::tempdir().unwrap();
        let range = range(&folder, 100..=9_999);
        let first = range.claim("/run/a web", true).unwrap();
        let second = range.claim("/run/a web", true).unwrap();
        assert_ne!(first.uid, second.uid);
        let uid = first.uid;
        drop(first);
        assert_eq!(range.claim("/run/a web", true).unwrap().uid, uid);
    }

    #[test]
    fn other_users_can_pass_through_the_folder_above() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let locks = folder.path().canonicalize().unwrap().join("bailiwick/uids");
        UidRange { folder: locks.clone(), range: 100..=102 }.claim("a", true).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(locks.parent().unwrap()), mode(&locks)), (0o711, 0o700));
    }

    #[test]
    fn the_last_free_user_is_found_and_then_none() {
        let folder = tempfile::tempdir().unwrap();
        let range = range(&folder, 100..=102);
        let held: Vec<_> = ["a", "b", "c"].iter().map(|owner| range.claim(owner, true).unwrap()).collect();
        assert!(matches!(range.claim("d", true).unwrap_err(), ClaimError::NoneLeft { tried: 3, .. }));
        drop(held);
        assert!(range.claim("d", true).is_ok());
    }

    #[test]
    fn an_owner_that_does_not_come_again_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let range = range(&folder, 100..=102);
        let held = range.claim("a", false).unwrap();
        assert_eq!(std::fs::read_dir(&range.folder).unwrap().count(), 1);
        drop(held);
        assert_eq!(std::fs::read_dir(&range.folder).unwrap().count(), 0);
    }

    #[test]
    fn a_certain_user_is_had_by_one_worker_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let range = range(&folder, 100..=101);
        let at_work = |uid| matches!(range.claim_this(uid, "b", true), Err(ClaimError::AtWork { .. }));
        let held = range.claim_this(101, "a", true).unwrap();
        assert!(at_work(101));
        drop(held);
        assert_eq!(range.claim_this(101, "b", true).unwrap().uid, 101);
        assert!(at_work(102), "it is no worker's");
    }

    #[test]
    fn what_was_anothers_comes_last() {
        let folder = tempfile::tempdir().unwrap();
        let range = range(&folder, 100..=101);
        let uid = range.claim("a", true).unwrap().uid;
        assert_ne!(range.claim("b", true).unwrap().uid, uid);
        assert_ne!(range.claim("c", true).map(|own| own.uid).ok(), None);
    }
}
