//! What a supervisor leaves on the machine, and its removal, in whatever way the supervisor ended.
//!
//! Found by rule and not by list: control groups by how their names begin, locks by whom they name, one folder with
//! few files. So whoever tidies can be told what to look for before anything of it is made.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::cgroup::Cgroups;
use crate::error::Errno;
use crate::worker_users::{self, hash};

/// Where the remains of one supervisor are.
#[derive(Clone, Debug)]
pub struct Remains {
    parents: Vec<PathBuf>,
    prefix: String,
    /// A state directory that nobody uses again; what is locked by its name goes with it.
    private: Option<PathBuf>,
}

impl Remains {
    /// Tells of the supervisor with this state directory, whose groups lie below those of `cgroups`. A `private`
    /// state directory goes as well, and with it every trace of its name.
    pub fn new(state_dir: &Path, private: bool, cgroups: &Cgroups) -> Self {
        let parents = [&cgroups.v1_memory, &cgroups.v1_pids, &cgroups.v1_cpu, &cgroups.v1_io, &cgroups.v2];
        Self {
            parents: parents.into_iter().flatten().cloned().collect(),
            prefix: group_name(state_dir, ""),
            private: private.then(|| state_dir.to_owned()),
        }
    }

    /// Returns whether there can be none.
    pub fn are_none(&self) -> bool {
        self.parents.is_empty() && self.private.is_none()
    }

    /// Removes the locks of users that nobody will ask for again. To be called when nobody holds them.
    pub(crate) fn forget_users(&self) {
        if let Some(path) = &self.private {
            worker_users::forget(&path.to_string_lossy());
        }
    }

    /// Removes what is there and not in use, and returns whether nothing is left. `trial` is a group's name as well.
    pub(crate) fn remove(&self, trial: &str) -> bool {
        let mut gone = true;
        for parent in &self.parents {
            leave(parent, &parent.join(format!("{}{SUPERVISOR}", self.prefix)));
            let is_ours = |name: &str| name == trial || name.starts_with(&self.prefix);
            let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
            for group in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_ours)) {
                gone &= is_gone(std::fs::remove_dir(group.path()));
            }
        }
        if let Some(path) = &self.private {
            gone &= remove_folder(path);
        }
        gone
    }
}

/// Returns the name of a group that belongs to the supervisor with this state directory.
pub fn group_name(state_dir: &Path, of: &str) -> String {
    format!("bailiwick-{:016x}.{of}", hash(state_dir.as_os_str().as_encoded_bytes()))
}

/// Returns the name of the group by which process `pid` finds out whether it may make any.
pub(crate) fn trial_name(pid: i32) -> String {
    format!("bailiwick-trial.{pid}")
}

/// Removes a folder of this user's and the files in it; returns whether it is gone. Follows no link, enters no folder
/// below, and leaves alone what is somebody else's.
pub fn remove_folder(path: &Path) -> bool {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let folder = match openat(AT_FDCWD, path, flags, Mode::empty()) {
        Ok(folder) => folder,
        Err(_) => return true,
    };
    if !fstat(&folder).is_ok_and(|found| found.st_uid == nix::unistd::geteuid().as_raw()) {
        return true;
    }
    for name in FILES {
        let _was_not_there = unlinkat(folder.as_fd(), name, UnlinkatFlags::NoRemoveDir);
    }
    is_gone(std::fs::remove_dir(path))
}

/// Returns whether trying again would not help.
fn is_gone(removed: std::io::Result<()>) -> bool {
    !removed.is_err_and(|error| error.raw_os_error() == Some(Errno::EBUSY as i32))
}

/// Moves everybody in `group` to its parent, which first has to stop sharing out its controllers.
fn leave(parent: &Path, group: &Path) {
    let mut inside = String::new();
    if File::open(group.join("cgroup.procs")).and_then(|mut file| file.read_to_string(&mut inside)).is_err() {
        return;
    }
    for controller in ["-memory", "-pids", "-cpu", "-io"] {
        let _not_shared_out = std::fs::write(parent.join("cgroup.subtree_control"), controller);
    }
    for pid in inside.lines() {
        let _gone_already = std::fs::write(parent.join("cgroup.procs"), pid);
    }
}

/// What the group is called that a supervisor moves to when its own must be empty.
pub(crate) const SUPERVISOR: &str = "supervisor";
/// Every file that a state directory may hold.
const FILES: [&str; 6] = ["lock", "control.sock", "control.new", "lives", "lives.new", "lives.damaged"];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    #[test]
    fn of_many_groups_only_the_own_ones_go() {
        let folder = folder();
        let cgroups = Cgroups { v2: Some(folder.path().to_owned()), ..Cgroups::default() };
        let remains = Remains::new(Path::new("/run/a"), false, &cgroups);
        let (own, others) = (group_name(Path::new("/run/a"), "web"), group_name(Path::new("/run/b"), "web"));
        for name in [&own, &others, "bailiwick-trial.7", "bailiwick-trial.77", "system.slice"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        assert!(remains.remove("bailiwick-trial.7"));
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort_unstable();
        assert_eq!(left, [others.as_str(), "bailiwick-trial.77", "system.slice"]);
    }

    #[test]
    fn a_folder_goes_with_its_files_and_a_link_is_not_followed() {
        let folder = folder();
        let (own, link) = (folder.path().join("own"), folder.path().join("link"));
        fs::create_dir(&own).unwrap();
        std::os::unix::fs::symlink(&own, &link).unwrap();
        fs::write(own.join("lock"), "1").unwrap();
        remove_folder(&link);
        assert!(own.join("lock").exists());
        assert!(remove_folder(&own) && !own.exists());
    }

    #[test]
    fn what_is_not_of_a_state_directory_is_left_where_it_is() {
        let folder = folder();
        let own = folder.path().join("own");
        fs::create_dir_all(own.join("precious")).unwrap();
        fs::write(own.join("notes"), "").unwrap();
        remove_folder(&own);
        assert!(own.join("precious").exists() && own.join("notes").exists());
    }
}
