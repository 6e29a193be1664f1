//! Where this process is among control groups, and where it may make more.

use std::path::{Path, PathBuf};

use super::{make, read_text};
use crate::guardian::Guardian;
use crate::remains::{Remains, SUPERVISOR, group_name, trial_name};
use crate::shares::IO_WEIGHT_V1;

/// The hierarchies under which this process may make groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroups {
    /// The own group in version 2, whose children can be killed.
    pub v2: Option<PathBuf>,
    /// Controllers of version 2 that children may use: `memory`, `pids`, `cpu`, `io`.
    pub v2_controllers: Vec<String>,
    /// The own group in version 1's memory hierarchy.
    pub v1_memory: Option<PathBuf>,
    /// The own group in version 1's pids hierarchy.
    pub v1_pids: Option<PathBuf>,
    /// The own group in version 1's hierarchy of processors.
    pub v1_cpu: Option<PathBuf>,
    /// The own group in version 1's hierarchy of disks.
    pub v1_io: Option<PathBuf>,
}

/// The version of a hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy for each controller.
    V1,
    /// One hierarchy for all.
    V2,
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
        found.v1_cpu = found.v1_cpu.filter(|own| has_groups_with(own, "cpu.cfs_quota_us"));
        found.v1_io = found.v1_io.filter(|own| has_groups_with(own, IO_WEIGHT_V1));
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
            if kind == "cgroup2" {
                found.v2 = found.v2.or_else(|| group(""));
            } else if kind == "cgroup" {
                for controller in options.split(',') {
                    match controller {
                        "memory" => found.v1_memory = group(controller),
                        "pids" => found.v1_pids = group(controller),
                        "cpu" => found.v1_cpu = group(controller),
                        "blkio" => found.v1_io = group(controller),
                        _ => {}
                    }
                }
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

    /// Returns by which version processors are shared out.
    pub fn cpu(&self) -> Option<Version> {
        self.version("cpu", &self.v1_cpu)
    }

    /// Returns by which version disks are shared out.
    pub fn io(&self) -> Option<Version> {
        self.version("io", &self.v1_io)
    }

    /// Returns whether groups of version 1 for memory count swap.
    pub(crate) fn counts_swap(&self) -> bool {
        self.v1_memory.as_ref().is_some_and(|own| own.join("memory.memsw.limit_in_bytes").exists())
    }

    fn version(&self, controller: &str, v1: &Option<PathBuf>) -> Option<Version> {
        let v2 = self.v2_controllers.iter().any(|name| name == controller);
        if v2 { Some(Version::V2) } else { v1.as_ref().map(|_| Version::V1) }
    }

    /// Has the children of the own version 2 group use the controllers; without success they are given up.
    pub fn enable_controllers(&mut self, state_dir: &Path) {
        let (Some(own), false) = (&self.v2, self.v2_controllers.is_empty()) else { return };
        // The others cost those who do not ask for them, so they come with who does.
        let wanted = self.v2_controllers.iter().filter(|name| BOUNDING.contains(&name.as_str()));
        let wanted: String = wanted.map(|name| format!("+{name} ")).collect();
        let enable = || std::fs::write(own.join("cgroup.subtree_control"), wanted.trim());
        let enabled = enable().or_else(|error| {
            // A group with controllers for its children must not hold processes itself: step down, if nobody else is in it.
            let (inside, children) = (read_text(&own.join("cgroup.procs")), own_children());
            let below = own.join(group_name(state_dir, SUPERVISOR));
            if !are_ours(&inside, &children, std::process::id()) || make(&below).is_err() {
                return Err(error);
            }
            let entry = below.join("cgroup.procs");
            // Whoever has ended meanwhile is in no group; whoever cannot be moved makes the next line fail.
            inside.lines().for_each(|pid| drop(std::fs::write(&entry, pid)));
            enable()
        });
        if enabled.is_err() {
            self.v2_controllers.clear();
        }
    }
}

/// Returns the numbers of this process's children, of which the guardian is one.
fn own_children() -> String {
    read_text(Path::new("/proc/thread-self/children"))
}

/// Returns whether nobody is `inside` a group but the process `own` and its children.
fn are_ours(inside: &str, children: &str, own: u32) -> bool {
    let own = own.to_string();
    let ours = |pid: &str| pid == own || children.split_whitespace().any(|child| child == pid);
    inside.lines().all(ours)
}

/// Returns whether groups can be made below `own` and have `file`; permissions alone do not tell.
fn has_groups_with(own: &Path, file: &str) -> bool {
    let trial = own.join(trial_name(nix::unistd::gettid().as_raw()));
    let has_file = make(&trial).is_ok() && trial.join(file).exists();
    let _never_made = std::fs::remove_dir(&trial);
    has_file
}

const CONTROLLERS: [&str; 4] = ["memory", "pids", "cpu", "io"];
/// Controllers of which every worker may have need.
const BOUNDING: [&str; 2] = ["memory", "pids"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_side_by_side_are_found_with_the_own_group() {
        let mounts = "33 32 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      34 32 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                      36 32 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
                      35 32 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let own = "8:pids:/\n4:memory:/a/b\n1:cpu,cpuacct:/c\n0::/\n";
        let found = Cgroups::locate(mounts, own);
        assert_eq!(found.v1_memory, Some("/sys/fs/cgroup/memory/a/b".into()));
        assert_eq!(found.v1_pids, Some("/sys/fs/cgroup/pids/".into()));
        assert_eq!(found.v2, Some("/sys/fs/cgroup/unified/".into()));
        assert_eq!((found.memory(), found.tasks()), (Some(Version::V1), Some(Version::V1)));
        assert_eq!(found.v1_cpu, Some("/sys/fs/cgroup/cpu/c".into()));
        assert_eq!((found.cpu(), found.io()), (Some(Version::V1), None));
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
    fn a_group_in_which_only_children_are_besides_can_be_left_together() {
        assert!(are_ours("7\n12\n", "12 13 ", 7) && are_ours("7\n", "", 7) && are_ours("", "", 7));
        assert!(!are_ours("7\n1\n", "12 ", 7) && !are_ours("7\n120\n", "12 ", 7));
        // Somebody who cannot be seen from here.
        assert!(!are_ours("7\n0\n", "12 ", 7));
    }

    #[test]
    fn without_any_hierarchy_nothing_is_bounded() {
        let found = Cgroups::locate("25 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "0::/\n");
        assert_eq!(found, Cgroups::default());
        assert_eq!((found.memory(), found.tasks(), found.can_kill()), (None, None, false));
    }
}
