//! Control groups: bounds on memory and tasks, and the surest way to end everything that a worker started.
//!
//! Three drivers that may be there at once: version 2 with controllers, version 1 for memory and pids, and
//! version 2 without controllers, which still kills whole trees. Every group is named after the supervisor's state
//! directory and the worker, lies under the supervisor's own group, and is removed with its owner.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use crate::guardian::Guardian;
use crate::remains::{Remains, SUPERVISOR, group_name, trial_name};

/// The hierarchies under which this process may make groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroups {
    /// The own group in version 2, whose children can be killed.
    pub v2: Option<PathBuf>,
    /// Controllers of version 2 that children may use: `memory`, `pids`.
    pub v2_controllers: Vec<String>,
    /// The own group in version 1's memory hierarchy.
    pub v1_memory: Option<PathBuf>,
    /// The own group in version 1's pids hierarchy.
    pub v1_pids: Option<PathBuf>,
}

/// The version of a hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy for each controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// A group that could not be made or bounded.
#[derive(Debug, thiserror::Error)]
#[error("control group {path}: {source}", path = path.display())]
pub struct CgroupError {
    /// Its directory or file.
    pub path: PathBuf,
    /// The kernel's reason.
    pub source: io::Error,
}

/// What the groups of a worker are for; a group that is for nothing is not made.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    /// Bytes of memory.
    pub memory: Option<(u64, Version)>,
    /// Threads and processes.
    pub tasks: Option<(u32, Version)>,
    /// To kill everything that the worker starts.
    pub kill: bool,
}

/// What the groups of one worker counted since they were made; `None` where nothing is bounded or the kernel is too old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The most memory that was used at a time.
    pub memory_peak_bytes: Option<u64>,
    /// How often the kernel killed for want of memory.
    pub oom_kills: Option<u64>,
    /// How often a task was refused.
    pub tasks_refused: Option<u64>,
}

/// The groups of one worker. Removed when dropped, for which everything in them must have ended.
#[derive(Debug)]
pub struct Cgroup {
    directories: Vec<PathBuf>,
    v2: Option<Unified>,
    /// Files that take the process id of whom to admit.
    admissions: Vec<File>,
    /// Counts those whom the kernel killed for want of memory.
    oom: Option<File>,
    /// The most memory that was used.
    peak: Option<File>,
    /// Counts tasks that were refused for their number.
    tasks: Option<File>,
}

#[derive(Debug)]
struct Unified {
    directory: File,
    kill: File,
    events: File,
    entry: File,
    /// Kernels were seen to kill at birth whoever starts in a group that was killed before; so from then on one
    /// enters it after birth, which is slower.
    was_killed: bool,
}

impl Cgroups {
    /// Looks where this process is, and not whether it may make groups there.
    pub fn around() -> Self {
        let read = |path| read_text(Path::new(path));
        Self::locate(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
    }

    /// Looks where this process is and where it may make groups.
    pub fn probe() -> Self {
        let mut found = Self::around();
        // Removes the trials should this process be killed right now. With threads there is none, as in unit tests.
        let _guardian = Guardian::start(&[], None, &Remains::new(Path::new(""), false, &found));
        found.v1_memory = found.v1_memory.filter(|own| has_groups_with(own, "memory.limit_in_bytes"));
        found.v1_pids = found.v1_pids.filter(|own| has_groups_with(own, "pids.max"));
        found.v2 = found.v2.filter(|own| has_groups_with(own, "cgroup.kill"));
        if let Some(v2) = &found.v2 {
            let controllers = read_text(&v2.join("cgroup.controllers"));
            found.v2_controllers = controllers
                .split_whitespace()
                .filter(|name| CONTROLLERS.contains(name))
                .map(str::to_owned)
                .collect();
        }
        found
    }

    fn locate(mounts: &str, own: &str) -> Self {
        let mut found = Self::default();
        for line in mounts.lines() {
            let Some((head, tail)) = line.split_once(" - ") else { continue };
            let mut head = head.split(' ').skip(3);
            let (Some(root), Some(point)) = (head.next(), head.next()) else { continue };
            let (kind, options) =
                (tail.split(' ').next().unwrap_or_default(), tail.rsplit(' ').next().unwrap_or_default());
            let group = |controller: &str| {
                let path = own.lines().find_map(|line| {
                    let mut parts = line.splitn(3, ':').skip(1);
                    let named = parts.next()?.split(',').any(|name| name == controller);
                    parts.next().filter(|_| named)
                })?;
                let below =
                    Path::new(path).strip_prefix(root).or_else(|_| Path::new(path).strip_prefix("/")).ok()?;
                Some(Path::new(point).join(below))
            };
            match kind {
                "cgroup2" => found.v2 = found.v2.or_else(|| group("")),
                "cgroup" if options.split(',').any(|option| option == "memory") => {
                    found.v1_memory = group("memory")
                }
                "cgroup" if options.split(',').any(|option| option == "pids") => {
                    found.v1_pids = group("pids")
                }
                _ => {}
            }
        }
        found
    }

    /// Returns whether groups can kill everything in them.
    pub fn can_kill(&self) -> bool {
        self.v2.is_some()
    }

    /// Returns by which version memory can be bounded.
    pub fn memory(&self) -> Option<Version> {
        self.version("memory", &self.v1_memory)
    }

    /// Returns by which version the number of tasks can be bounded.
    pub fn tasks(&self) -> Option<Version> {
        self.version("pids", &self.v1_pids)
    }

    fn version(&self, controller: &str, v1: &Option<PathBuf>) -> Option<Version> {
        let v2 = self.v2_controllers.iter().any(|name| name == controller);
        if v2 { Some(Version::V2) } else { v1.as_ref().map(|_| Version::V1) }
    }

    /// Has the children of the own version 2 group use the controllers; without success they are given up.
    pub fn enable_controllers(&mut self, state_dir: &Path) {
        let (Some(own), false) = (&self.v2, self.v2_controllers.is_empty()) else { return };
        let wanted: String = self.v2_controllers.iter().map(|name| format!("+{name} ")).collect();
        let enable = || std::fs::write(own.join("cgroup.subtree_control"), wanted.trim());
        let enabled = enable().or_else(|error| {
            // A group with controllers for its children must not hold processes itself: step down, if alone.
            let alone = read_text(&own.join("cgroup.procs")).trim() == std::process::id().to_string();
            let below = own.join(group_name(state_dir, SUPERVISOR));
            if !alone || make(&below).is_err() {
                return Err(error);
            }
            std::fs::write(below.join("cgroup.procs"), "0")?;
            enable()
        });
        if enabled.is_err() {
            self.v2_controllers.clear();
        }
    }
}

impl Cgroup {
    /// Makes the groups called `name` for their purpose, and ends what an earlier supervisor left in them.
    pub fn create(groups: &Cgroups, name: &str, purpose: &Purpose) -> Result<Self, CgroupError> {
        let mut made = Self {
            directories: Vec::new(),
            v2: None,
            admissions: Vec::new(),
            oom: None,
            peak: None,
            tasks: None,
        };
        if let (Some((bytes, Version::V1)), Some(own)) = (purpose.memory, &groups.v1_memory) {
            let group = made.add(own.join(name))?;
            set(&group, "memory.limit_in_bytes", bytes)?;
            // Only there where swap is counted.
            let _without_swap = set(&group, "memory.memsw.limit_in_bytes", bytes);
            made.admissions.push(open_to_write(&group.join("cgroup.procs"))?);
            made.oom = File::open(group.join("memory.oom_control")).ok();
            made.peak = File::open(group.join("memory.max_usage_in_bytes")).ok();
        }
        if let (Some((tasks, Version::V1)), Some(own)) = (purpose.tasks, &groups.v1_pids) {
            let group = made.add(own.join(name))?;
            set(&group, "pids.max", tasks)?;
            made.tasks = File::open(group.join("pids.events")).ok();
            made.admissions.push(open_to_write(&group.join("cgroup.procs"))?);
        }
        let memory = purpose.memory.filter(|(_, by)| *by == Version::V2).map(|(bytes, _)| bytes);
        let tasks = purpose.tasks.filter(|(_, by)| *by == Version::V2).map(|(tasks, _)| tasks);
        if let (Some(own), true) = (&groups.v2, purpose.kill || memory.is_some() || tasks.is_some()) {
            let group = made.add(own.join(name))?;
            if let Some(bytes) = memory {
                set(&group, "memory.max", bytes)?;
                // Only there where swap is counted. Whom the kernel chooses is killed alone: a worker need not die of what
                // it started.
                let _without_swap = set(&group, "memory.swap.max", 0_u32);
                made.oom = File::open(group.join("memory.events")).ok();
                // Kernels before 5.19 do not remember it.
                made.peak = File::open(group.join("memory.peak")).ok();
            }
            if let Some(tasks) = tasks {
                set(&group, "pids.max", tasks)?;
                made.tasks = File::open(group.join("pids.events")).ok();
            }
            made.v2 = Unified::open(&group);
        }
        made.kill().map_err(|source| CgroupError { path: PathBuf::from(name), source })?;
        Ok(made)
    }

    fn add(&mut self, directory: PathBuf) -> Result<PathBuf, CgroupError> {
        make(&directory).map_err(|source| CgroupError { path: directory.clone(), source })?;
        self.directories.push(directory.clone());
        Ok(directory)
    }

    /// Returns the group that a child can be born in.
    pub fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        self.v2.as_ref().filter(|v2| !v2.was_killed).map(|v2| v2.directory.as_fd())
    }

    /// Returns the files by which a child enters the groups that it was not born in.
    pub fn entries(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let late = self.v2.iter().filter(|v2| v2.was_killed).map(|v2| &v2.entry);
        self.admissions.iter().chain(late).map(AsFd::as_fd)
    }

    /// Sends SIGKILL to everything in the group; nothing escapes by forking. Without version 2 it does nothing.
    pub fn kill(&mut self) -> io::Result<()> {
        match &mut self.v2 {
            Some(v2) if !v2.is_empty() => {
                v2.was_killed = true;
                v2.kill.write_all(b"1")
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Returns the open `cgroup.kill`.
    pub fn kill_file(&self) -> Option<BorrowedFd<'_>> {
        self.v2.as_ref().map(|v2| v2.kill.as_fd())
    }

    /// Returns the file that changes when the group becomes empty.
    pub fn events(&self) -> Option<BorrowedFd<'_>> {
        self.v2.as_ref().map(|v2| v2.events.as_fd())
    }

    /// Returns whether nothing lives in the group; `None` without version 2.
    pub fn is_empty(&self) -> Option<bool> {
        self.v2.as_ref().map(Unified::is_empty)
    }

    /// Returns what was counted so far.
    pub fn counts(&self) -> Counts {
        let count = |file: &Option<File>, name: &str| {
            let text = reread(file.as_ref()?);
            text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
        };
        Counts {
            memory_peak_bytes: count(&self.peak, ""),
            oom_kills: count(&self.oom, "oom_kill "),
            tasks_refused: count(&self.tasks, "max "),
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for directory in &self.directories {
            // Busy when something in it still ends; then the guardian removes it.
            let _busy = std::fs::remove_dir(directory);
        }
    }
}

impl Unified {
    /// Opens the group's files; `None` on kernels that cannot kill a group.
    fn open(group: &Path) -> Option<Self> {
        Some(Self {
            directory: File::open(group).ok()?,
            entry: open_to_write(&group.join("cgroup.procs")).ok()?,
            was_killed: false,
            kill: open_to_write(&group.join("cgroup.kill")).ok()?,
            events: File::open(group.join("cgroup.events")).ok()?,
        })
    }

    fn is_empty(&self) -> bool {
        reread(&self.events).lines().any(|line| line == "populated 0")
    }
}

/// Returns whether groups can be made below `own` and have `file`; permissions alone do not tell.
fn has_groups_with(own: &Path, file: &str) -> bool {
    let trial = own.join(trial_name(nix::unistd::gettid().as_raw()));
    let has_file = make(&trial).is_ok() && trial.join(file).exists();
    let _never_made = std::fs::remove_dir(&trial);
    has_file
}

fn make(directory: &Path) -> io::Result<()> {
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn set(group: &Path, file: &str, value: impl Into<u64>) -> Result<(), CgroupError> {
    let path = group.join(file);
    std::fs::write(&path, value.into().to_string()).map_err(|source| CgroupError { path, source })
}

fn open_to_write(path: &Path) -> Result<File, CgroupError> {
    let opened = File::options().write(true).open(path);
    opened.map_err(|source| CgroupError { path: path.to_owned(), source })
}

fn read_text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Reads a file of the kernel's from its start again.
fn reread(mut file: &File) -> String {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
    read.map_or_else(|_| String::new(), |_| text)
}

const CONTROLLERS: [&str; 2] = ["memory", "pids"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_side_by_side_are_found_with_the_own_group() {
        let mounts = "33 32 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      34 32 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                      35 32 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let own = "8:pids:/\n4:memory:/a/b\n0::/\n";
        let found = Cgroups::locate(mounts, own);
        assert_eq!(found.v1_memory, Some("/sys/fs/cgroup/memory/a/b".into()));
        assert_eq!(found.v1_pids, Some("/sys/fs/cgroup/pids/".into()));
        assert_eq!(found.v2, Some("/sys/fs/cgroup/unified/".into()));
        assert_eq!((found.memory(), found.tasks()), (Some(Version::V1), Some(Version::V1)));
    }

    #[test]
    fn a_container_sees_its_group_below_the_root_of_its_mount() {
        let mounts = "29 23 0:26 /docker/c0ffee /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate\n";
        let found = Cgroups::locate(mounts, "0::/docker/c0ffee/app\n");
        assert_eq!(found.v2, Some("/sys/fs/cgroup/app".into()));
        let found = Cgroups::locate(mounts, "0::/app\n");
        assert_eq!(found.v2, Some("/sys/fs/cgroup/app".into()));
    }

    #[test]
    fn without_any_hierarchy_nothing_is_bounded() {
        let found = Cgroups::locate("25 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "0::/\n");
        assert_eq!(found, Cgroups::default());
        assert_eq!((found.memory(), found.tasks(), found.can_kill()), (None, None, false));
    }
}
