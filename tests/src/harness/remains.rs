//! What may be left of a supervisor when it is gone: processes, control groups, locks of workers' users.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bailiwick_sys::cgroup::Cgroups;
use bailiwick_sys::remains::group_name;
use nix::sys::signal::Signal;

use super::{LONGEST, Process};

/// How long a supervisor's guardian is given before a test ends by force what it should have ended.
const GUARDIAN: Duration = Duration::from_secs(4);

/// Where the locks of workers' users are.
const USERS: &str = "/run/bailiwick/uids";

/// Where to look.
#[derive(Clone, Debug)]
pub struct Remains {
    folder: PathBuf,
    state_dir: PathBuf,
}

impl Remains {
    /// Tells of the supervisor whose processes execute files in `folder`.
    pub fn of(folder: &Path, state_dir: &Path) -> Self {
        Self { folder: folder.to_owned(), state_dir: state_dir.to_owned() }
    }

    /// Returns what is left, in words.
    pub fn found(&self) -> Vec<String> {
        let processes = Process::all_below(&self.folder).into_iter();
        processes
            .map(Process::describe)
            .chain(self.groups().iter().map(|group| group.display().to_string()))
            .collect()
    }

    /// Returns the control groups that are named for it.
    pub fn groups(&self) -> Vec<PathBuf> {
        let prefix = group_name(&self.state_dir, "");
        all_groups().into_iter().filter(|group| file_name(group).starts_with(&prefix)).collect()
    }

    /// Ends and removes everything, which its guardian has done already unless a test failed; and the locks of its
    /// workers' users, which it keeps to have the same users again.
    pub fn clear(&self) {
        let start = Instant::now();
        while start.elapsed() < LONGEST && !self.found().is_empty() {
            if start.elapsed() > GUARDIAN {
                let left = Process::all_below(&self.folder);
                left.into_iter().for_each(|process| process.signal(Signal::SIGKILL));
                self.groups().iter().for_each(|group| drop(fs::remove_dir(group)));
            }
            thread::park_timeout(Duration::from_millis(2));
        }
        users_of(&self.state_dir).iter().for_each(|lock| drop(fs::remove_file(lock)));
    }
}

/// Returns the control groups by which a process finds out whether it may make any.
pub fn trials_of(process: Process) -> Vec<PathBuf> {
    let name = format!("bailiwick-trial.{}", process.0);
    all_groups().into_iter().filter(|group| file_name(group) == name).collect()
}

/// Returns every control group of a supervisor on this machine.
fn all_groups() -> Vec<PathBuf> {
    let around = Cgroups::around();
    let parents = [around.v1_memory, around.v1_pids, around.v2].into_iter().flatten();
    let entries = parents.filter_map(|parent| fs::read_dir(parent).ok()).flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| file_name(path).starts_with("bailiwick-")).collect()
}

/// Returns the locks of users that belong to the workers of a supervisor whose state directory begins so.
pub fn users_of(state_dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(USERS).into_iter().flatten().flatten().map(|entry| entry.path());
    let wanted = state_dir.to_string_lossy();
    entries.filter(|lock| fs::read_to_string(lock).is_ok_and(|text| text.starts_with(&*wanted))).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
