//! Folders that last as long as a measurement.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of its own below the one for what is temporary. Dropping it removes it.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one; `counter` keeps those of one process apart.
    pub fn new(what: &str, counter: &AtomicU32) -> Self {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        let name = format!("bailiwick-{what}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a temporary folder");
        // Workers look from here, under users of their own.
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("it is ours");
        Self(path)
    }

    /// Gives it to another user.
    pub fn give_to(&self, user: u32) {
        chown(&self.0, Some(user), Some(user)).expect("root may");
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in a place for what is temporary.
        let _ = fs::remove_dir_all(&self.0);
    }
}
