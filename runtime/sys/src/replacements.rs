//! Tells when a file that is held open is no longer what its path leads to, without ever asking the file system.
//!
//! The kernel says so by itself (inotify(7)): when a file is moved or written, and when its links change; whether it is
//! the name that was opened which is gone is told by the descriptor's own name.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use crate::error::Failed;

/// What the kernel puts behind the name of a file whose name leads elsewhere or nowhere.
const GONE: &[u8] = b" (deleted)";

/// The files that the owners `K` hold open.
#[derive(Debug)]
pub struct Replacements<K> {
    kernel: Inotify,
    held: BTreeMap<K, WatchDescriptor>,
}

impl<K: Ord + Copy> Replacements<K> {
    /// Begins with no file.
    ///
    /// # Errors
    /// When the user has too many of these, or too many descriptors.
    pub fn new() -> Result<Self, Failed> {
        let kernel = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .map_err(|errno| Failed { call: "inotify_init1", errno })?;
        Ok(Self { kernel, held: BTreeMap::new() })
    }

    /// Notes the file that `owner` holds open from now on, in place of an earlier one.
    ///
    /// # Errors
    /// When the kernel does not watch it: one that may be executed and not read, or one too many (`max_user_watches`).
    pub fn hold(&mut self, owner: K, file: BorrowedFd<'_>) -> Result<(), Failed> {
        self.release(owner);
        let what = AddWatchFlags::IN_ATTRIB | AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_MODIFY;
        let watch = self.kernel.add_watch(name(file).as_str(), what);
        let watch = watch.map_err(|errno| Failed { call: "inotify_add_watch", errno })?;
        self.held.insert(owner, watch);
        Ok(())
    }

    /// Forgets the file of `owner`.
    pub fn release(&mut self, owner: K) {
        let Some(watch) = self.held.remove(&owner) else { return };
        if !self.held.values().any(|other| *other == watch) {
            // A file that is gone has taken its watch along.
            let _ = self.kernel.rm_watch(watch);
        }
    }

    /// Returns the owners whose file was moved, written, deleted or replaced; `file` is what each holds open.
    pub fn take<'a>(&self, file: impl Fn(K) -> Option<BorrowedFd<'a>>) -> Vec<K> {
        let events = self.kernel.read_events().unwrap_or_default();
        let is_meant = |owner: &K, watch: WatchDescriptor| {
            events.iter().filter(|event| event.wd == watch).any(|event| {
                let moved = AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_MODIFY;
                event.mask.intersects(moved) || file(*owner).is_some_and(is_gone)
            })
        };
        let meant = self.held.iter().filter(|(owner, watch)| is_meant(owner, **watch));
        meant.map(|(owner, _)| *owner).collect()
    }
}

/// Readable when there is something to take.
impl<K> AsFd for Replacements<K> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.kernel.as_fd()
    }
}

/// Names the open file, whatever its path leads to by now.
fn name(file: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn is_gone(file: BorrowedFd<'_>) -> bool {
    use std::os::unix::ffi::OsStrExt;
    std::fs::read_link(name(file).as_str()).is_ok_and(|path| path.as_os_str().as_bytes().ends_with(GONE))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    /// A file with a second link that another holds, and one who holds the first.
    fn held(folder: &tempfile::TempDir) -> (File, Replacements<u8>) {
        let path = folder.path().join("program");
        fs::write(&path, b"one").unwrap();
        fs::hard_link(&path, folder.path().join("other")).unwrap();
        let file = File::open(&path).unwrap();
        let mut replacements = Replacements::new().unwrap();
        replacements.hold(1, file.as_fd()).unwrap();
        (file, replacements)
    }

    fn taken(change: impl Fn(&std::path::Path)) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let (file, replacements) = held(&folder);
        change(folder.path());
        replacements.take(|_| Some(file.as_fd()))
    }

    #[test]
    fn a_file_that_is_replaced_deleted_moved_or_written_is_told() {
        assert_eq!(
            taken(|folder| {
                fs::write(folder.join("new"), b"two").unwrap();
                fs::rename(folder.join("new"), folder.join("program")).unwrap();
            }),
            [1]
        );
        assert_eq!(taken(|folder| fs::remove_file(folder.join("program")).unwrap()), [1]);
        assert_eq!(taken(|folder| fs::rename(folder.join("program"), folder.join("old")).unwrap()), [1]);
        assert_eq!(taken(|folder| fs::write(folder.join("program"), b"two").unwrap()), [1]);
    }

    #[test]
    fn what_does_not_concern_its_name_is_not_told() {
        assert_eq!(taken(|_| {}), []);
        assert_eq!(taken(|folder| fs::remove_file(folder.join("other")).unwrap()), []);
        assert_eq!(taken(|folder| drop(fs::hard_link(folder.join("program"), folder.join("third")))), []);
    }
}
