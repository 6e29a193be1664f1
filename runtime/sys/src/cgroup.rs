//! Control groups: bounds on memory and tasks, and the surest way to end everything that a worker started.
//!
//! Three drivers that may be there at once: version 2 with controllers, version 1 for memory, pids, processors and disks,
//! and version 2 without controllers, which still kills whole trees. Every group is named after the supervisor's state
//! directory and the worker, lies under the supervisor's own group, and is removed with its owner.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use crate::fork;
use crate::shares::{Controller, Settings, Shares};

mod hierarchies;

pub use hierarchies::{Cgroups, Version};

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
    /// What others want too, as far as these hierarchies [meet](Shares::met_by) it.
    pub shares: Shares,
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
    /// enters it after birth, which is slower. So does one from the first time on where clone3 is refused.
    enters_late: bool,
}

impl Cgroup {
    /// Makes the groups called `name` for their purpose, and ends what an earlier supervisor left in them.
    ///
    /// # Errors
    /// Names the file that the kernel does not take.
    pub fn create(groups: &Cgroups, name: &str, purpose: &Purpose) -> Result<Self, CgroupError> {
        let mut made = Self {
            directories: Vec::new(),
            v2: None,
            admissions: Vec::new(),
            oom: None,
            peak: None,
            tasks: None,
        };
        made.bound_by_version_1(groups, name, purpose)?;
        made.share_by_version_1(groups, name, &purpose.shares)?;
        made.use_version_2(groups, name, purpose)?;
        made.kill().map_err(|source| CgroupError { path: PathBuf::from(name), source })?;
        Ok(made)
    }

    fn bound_by_version_1(
        &mut self,
        groups: &Cgroups,
        name: &str,
        purpose: &Purpose,
    ) -> Result<(), CgroupError> {
        if let (Some((bytes, Version::V1)), Some(own)) = (purpose.memory, &groups.v1_memory) {
            let group = self.add(own.join(name))?;
            set(&group, "memory.limit_in_bytes", bytes)?;
            if purpose.shares.memory_swap_max.is_none() {
                // Only there where swap is counted.
                let _without_swap = set(&group, "memory.memsw.limit_in_bytes", bytes);
            }
            share(&group, purpose.shares.settings(Controller::Memory, Version::V1, Some(bytes)))?;
            self.admissions.push(open_to_write(&group.join("cgroup.procs"))?);
            self.oom = File::open(group.join("memory.oom_control")).ok();
            self.peak = File::open(group.join("memory.max_usage_in_bytes")).ok();
        }
        if let (Some((tasks, Version::V1)), Some(own)) = (purpose.tasks, &groups.v1_pids) {
            let group = self.add(own.join(name))?;
            set(&group, "pids.max", tasks)?;
            self.tasks = File::open(group.join("pids.events")).ok();
            self.admissions.push(open_to_write(&group.join("cgroup.procs"))?);
        }
        Ok(())
    }

    fn share_by_version_1(
        &mut self,
        groups: &Cgroups,
        name: &str,
        shares: &Shares,
    ) -> Result<(), CgroupError> {
        for (controller, version, own) in
            [(Controller::Cpu, groups.cpu(), &groups.v1_cpu), (Controller::Io, groups.io(), &groups.v1_io)]
        {
            let settings = shares.settings(controller, Version::V1, None);
            let (Some(Version::V1), Some(own), false) = (version, own, settings.is_empty()) else { continue };
            let group = self.add(own.join(name))?;
            share(&group, settings)?;
            self.admissions.push(open_to_write(&group.join("cgroup.procs"))?);
        }
        Ok(())
    }

    fn use_version_2(&mut self, groups: &Cgroups, name: &str, purpose: &Purpose) -> Result<(), CgroupError> {
        let memory = purpose.memory.filter(|(_, by)| *by == Version::V2).map(|(bytes, _)| bytes);
        let tasks = purpose.tasks.filter(|(_, by)| *by == Version::V2).map(|(tasks, _)| tasks);
        let shared = purpose.shares.of_version_2(groups);
        let is_needed = purpose.kill || memory.is_some() || tasks.is_some() || !shared.is_empty();
        let Some(own) = groups.v2.as_ref().filter(|_| is_needed) else { return Ok(()) };
        for controller in shared.iter().filter_map(|(controller, _)| controller.to_ask_for()) {
            set_text(own, "cgroup.subtree_control", &format!("+{controller}"))?;
        }
        let group = self.add(own.join(name))?;
        if let Some(bytes) = memory {
            set(&group, "memory.max", bytes)?;
            if purpose.shares.memory_swap_max.is_none() {
                // Only there where swap is counted.
                let _without_swap = set(&group, "memory.swap.max", 0_u32);
            }
            self.oom = File::open(group.join("memory.events")).ok();
            // Kernels before 5.19 do not remember it.
            self.peak = File::open(group.join("memory.peak")).ok();
        }
        if let Some(tasks) = tasks {
            set(&group, "pids.max", tasks)?;
            self.tasks = File::open(group.join("pids.events")).ok();
        }
        shared.into_iter().try_for_each(|(_, settings)| share(&group, settings))?;
        self.v2 = Unified::open(&group);
        Ok(())
    }

    fn add(&mut self, directory: PathBuf) -> Result<PathBuf, CgroupError> {
        // What an earlier supervisor was killed over may still hold what nobody says any more.
        let _not_there_or_not_empty = std::fs::remove_dir(&directory);
        make(&directory).map_err(|source| CgroupError { path: directory.clone(), source })?;
        self.directories.push(directory.clone());
        Ok(directory)
    }

    /// Returns the group that a child can be born in.
    pub fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        self.v2.as_ref().filter(|v2| !v2.enters_late).map(|v2| v2.directory.as_fd())
    }

    /// Returns the files by which a child enters the groups that it was not born in.
    pub fn entries(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let late = self.v2.iter().filter(|v2| v2.enters_late).map(|v2| &v2.entry);
        self.admissions.iter().chain(late).map(AsFd::as_fd)
    }

    /// Sends SIGKILL to everything in the group; nothing escapes by forking. Without version 2 it does nothing.
    pub fn kill(&mut self) -> io::Result<()> {
        match &mut self.v2 {
            Some(v2) if !v2.is_empty() => {
                v2.enters_late = true;
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
            enters_late: !fork::knows_clone3(),
            kill: open_to_write(&group.join("cgroup.kill")).ok()?,
            events: File::open(group.join("cgroup.events")).ok()?,
        })
    }

    fn is_empty(&self) -> bool {
        reread(&self.events).lines().any(|line| line == "populated 0")
    }
}

fn make(directory: &Path) -> io::Result<()> {
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn set(group: &Path, file: &str, value: impl Into<u64>) -> Result<(), CgroupError> {
    set_text(group, file, &value.into().to_string())
}

fn set_text(group: &Path, file: &str, value: &str) -> Result<(), CgroupError> {
    let path = group.join(file);
    std::fs::write(&path, value).map_err(|source| CgroupError { path, source })
}

/// Writes what a group gets of what others want too.
fn share(group: &Path, settings: Settings) -> Result<(), CgroupError> {
    settings.into_iter().try_for_each(|(file, value)| {
        // Which of the two is there depends on the scheduler of the disks that the kernel was built with.
        let other = (file == "io.weight" && !group.join(file).exists()).then_some("io.bfq.weight");
        set_text(group, other.unwrap_or(file), &value)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: Shares = Shares {
        memory_high: Some(900),
        memory_low: None,
        memory_min: Some(100),
        memory_swap_max: Some(50),
        cpu_weight: Some(200),
        cpu_quota: Some(25),
        io_weight: Some(300),
        oom_kills_all: Some(true),
    };

    /// A tree of groups that lets itself be written, as the kernel's does.
    struct Fake(tempfile::TempDir);

    impl Fake {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn version_2(&self) -> Cgroups {
            let v2_controllers = ["memory", "pids", "cpu", "io"].map(str::to_owned).into();
            Cgroups { v2: Some(self.0.path().to_owned()), v2_controllers, ..Cgroups::default() }
        }

        fn version_1(&self) -> Cgroups {
            let own = |name: &str| {
                let own = self.0.path().join(name);
                make(&own).unwrap();
                make(&own.join("w")).unwrap();
                std::fs::write(own.join("w/cgroup.procs"), "").unwrap();
                Some(own)
            };
            Cgroups {
                v1_memory: own("memory"),
                v1_pids: own("pids"),
                v1_cpu: own("cpu"),
                v1_io: own("blkio"),
                ..Cgroups::default()
            }
        }

        fn read(&self, file: &str) -> String {
            read_text(&self.0.path().join(file))
        }
    }

    fn purpose(version: Version, shares: Shares) -> Purpose {
        Purpose { memory: Some((1000, version)), tasks: Some((7, version)), kill: true, shares }
    }

    #[test]
    fn version_2_holds_all_bounds_and_shares_in_one_group() {
        let fake = Fake::new();
        Cgroup::create(&fake.version_2(), "w", &purpose(Version::V2, SHARES)).unwrap();
        for (file, value) in [
            ("w/memory.max", "1000"),
            ("w/memory.high", "900"),
            ("w/memory.min", "100"),
            ("w/memory.low", ""),
            ("w/memory.swap.max", "50"),
            ("w/memory.oom.group", "1"),
            ("w/pids.max", "7"),
            ("w/cpu.weight", "200"),
            ("w/cpu.max", "25000 100000"),
            ("w/io.bfq.weight", "300"),
            // One after the other; the kernel keeps both.
            ("cgroup.subtree_control", "+io"),
        ] {
            assert_eq!(fake.read(file), value, "{file}");
        }
    }

    #[test]
    fn who_asks_for_no_share_gets_no_swap_and_no_controller_of_shares() {
        let fake = Fake::new();
        Cgroup::create(&fake.version_2(), "w", &purpose(Version::V2, Shares::default())).unwrap();
        assert_eq!((fake.read("w/memory.swap.max"), fake.read("w/memory.high")), ("0".into(), String::new()));
        assert!(!fake.0.path().join("cgroup.subtree_control").exists());
    }

    #[test]
    fn a_share_alone_is_worth_a_group() {
        let fake = Fake::new();
        let shares = Shares { cpu_quota: Some(10), ..Shares::default() };
        let purpose = Purpose { memory: None, tasks: None, kill: false, shares };
        Cgroup::create(&fake.version_2(), "w", &purpose).unwrap();
        assert_eq!(fake.read("w/cpu.max"), "10000 100000");
        Cgroup::create(&fake.version_2(), "v", &Purpose { shares: Shares::default(), ..purpose }).unwrap();
        assert!(!fake.0.path().join("v").exists());
    }

    #[test]
    fn version_1_has_a_group_in_each_hierarchy_that_is_asked_for() {
        let fake = Fake::new();
        let group = Cgroup::create(&fake.version_1(), "w", &purpose(Version::V1, SHARES)).unwrap();
        for (file, value) in [
            ("memory/w/memory.limit_in_bytes", "1000"),
            ("memory/w/memory.memsw.limit_in_bytes", "1050"),
            ("memory/w/memory.high", ""),
            ("pids/w/pids.max", "7"),
            ("cpu/w/cpu.shares", "2048"),
            ("cpu/w/cpu.cfs_period_us", "100000"),
            ("cpu/w/cpu.cfs_quota_us", "25000"),
            ("blkio/w/blkio.bfq.weight", "118"),
        ] {
            assert_eq!(fake.read(file), value, "{file}");
        }
        assert_eq!(group.entries().count(), 4, "whoever is born enters them all");
        let plain = Cgroup::create(&fake.version_1(), "w", &purpose(Version::V1, Shares::default())).unwrap();
        assert_eq!(plain.entries().count(), 2);
        assert_eq!(fake.read("memory/w/memory.memsw.limit_in_bytes"), "1000", "no swap");
    }

    #[test]
    fn a_file_that_is_not_taken_is_named() {
        let fake = Fake::new();
        std::fs::create_dir_all(fake.0.path().join("w/cpu.weight")).unwrap();
        let shares = Shares { cpu_weight: Some(1), ..Shares::default() };
        let error = Cgroup::create(&fake.version_2(), "w", &purpose(Version::V2, shares)).unwrap_err();
        assert!(error.path.ends_with("w/cpu.weight"), "{error}");
    }
}
