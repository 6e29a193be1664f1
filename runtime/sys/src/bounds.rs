//! Bounds on memory, tasks and descriptors: which mechanism meets which, and what is left open.

use crate::cgroup::{Cgroups, Purpose, Version};
use crate::limits::Limits;
use crate::open_files::former_limit;
use crate::process::{Resource, Step};
use crate::shares::Shares;

/// What meets a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Exhaustive: people are told which it is.
pub enum Mechanism {
    /// A control group.
    Group(Version),
    /// A limit that the process, or its user, carries.
    Process,
    /// Nothing.
    None,
}

/// What bounds a process should have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Threads and processes.
    pub tasks: Option<u32>,
    /// Threads and processes, where nothing else is said and the bound costs little.
    pub default_tasks: Option<u32>,
    /// It may fork, and then any price is paid for a bound on its tasks.
    pub may_fork: bool,
    /// Descriptors.
    pub files: Option<u32>,
    /// Bytes of a core; `u64::MAX` is any number.
    pub core: u64,
    /// What each process carries besides.
    pub limits: Limits,
    /// Nobody else's tasks are counted with its own: its user is, or is in a user namespace that is.
    pub is_counted_apart: bool,
}

/// The bounds of one process and what it starts.
#[derive(Clone, Debug)]
pub struct Bounds {
    memory: Option<(u64, Mechanism)>,
    tasks: Option<(u32, Mechanism)>,
    files: Option<u32>,
    core: u64,
    limits: Limits,
}

impl Bounds {
    /// Chooses the mechanisms.
    pub fn choose(wanted: Wanted, cgroups: &Cgroups) -> Self {
        let memory_by = cgroups.memory().map_or(Mechanism::Process, Mechanism::Group);
        let tasks_by = match cgroups.tasks() {
            Some(Version::V2) => Mechanism::Group(Version::V2),
            // To enter a group of version 1 takes ten times as long as all the rest of a start.
            Some(Version::V1) | None if wanted.is_counted_apart => Mechanism::Process,
            by => by.map_or(Mechanism::None, Mechanism::Group),
        };
        // Who cannot fork has threads only, and is not made to pay for their being counted.
        let is_worth_it = match tasks_by {
            Mechanism::None => false,
            Mechanism::Group(Version::V1) => wanted.may_fork,
            Mechanism::Group(Version::V2) | Mechanism::Process => true,
        };
        let default = wanted.default_tasks.filter(|_| is_worth_it);
        let mut limits = wanted.limits;
        if memory_by == Mechanism::Process {
            let least = |bytes: u64| limits.address_space.map_or(bytes, |most| most.min(bytes));
            limits.address_space = wanted.memory.map(least).or(limits.address_space);
        }
        Self {
            memory: wanted.memory.map(|bytes| (bytes, memory_by)),
            tasks: wanted.tasks.or(default).map(|tasks| (tasks, tasks_by)),
            files: wanted.files,
            core: wanted.core,
            limits,
        }
    }

    /// Returns whether tasks are to be bounded and cannot be.
    pub fn lacks_tasks(&self) -> bool {
        matches!(self.tasks, Some((_, Mechanism::None)))
    }

    /// Returns what control groups are needed for. Is it to be killed by them as well?
    pub fn purpose(&self, kill: bool, shares: Shares) -> Purpose {
        let version = |by| match by {
            Mechanism::Group(version) => Some(version),
            Mechanism::Process | Mechanism::None => None,
        };
        Purpose {
            memory: self.memory.and_then(|(bytes, by)| Some((bytes, version(by)?))),
            tasks: self.tasks.and_then(|(tasks, by)| Some((tasks, version(by)?))),
            kill,
            shares,
        }
    }

    /// Returns whether the kernel may write a core of it.
    pub fn may_leave_core(&self) -> bool {
        self.core > 0
    }

    /// Returns what bounds its memory.
    pub fn memory(&self) -> Mechanism {
        self.memory.map_or(Mechanism::None, |(_, by)| by)
    }

    /// Adds the limits that a process sets for itself while it may.
    pub fn steps(&self, steps: &mut Vec<Step<'_>>) {
        steps.push(Step::Limit(Resource::Core, self.core));
        // Who has no limit of its own gets the one that the supervisor had before it raised it.
        match (self.files, former_limit()) {
            (Some(files), _) => steps.push(Step::Limit(Resource::OpenFiles, files.into())),
            (None, Some(former)) => steps.push(Step::SoftLimit(Resource::OpenFiles, former)),
            (None, None) => {}
        }
        for step in self.limits.steps() {
            steps.push(step);
        }
    }

    /// Returns the limits that the process cannot raise, for comparison with what the kernel says of it.
    pub fn limits(&self) -> Vec<(Resource, u64)> {
        let mut steps = Vec::new();
        self.steps(&mut steps);
        let limit = |step| match step {
            Step::Limit(resource, value) => Some((resource, value)),
            _ => None,
        };
        steps.into_iter().chain(self.task_step()).filter_map(limit).collect()
    }

    /// Returns the limit that counts by user, to be set when the user is its own.
    pub fn task_step(&self) -> Option<Step<'static>> {
        match self.tasks {
            Some((tasks, Mechanism::Process)) => Some(Step::Limit(Resource::Tasks, tasks.into())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(version: Version) -> Cgroups {
        match version {
            Version::V2 => Cgroups {
                v2: Some("/groups".into()),
                v2_controllers: vec!["memory".into(), "pids".into()],
                ..Cgroups::default()
            },
            Version::V1 => Cgroups {
                v1_memory: Some("/memory".into()),
                v1_pids: Some("/pids".into()),
                ..Cgroups::default()
            },
        }
    }

    #[test]
    fn memory_is_bounded_by_a_group_else_by_the_process_itself() {
        let wanted = Wanted { memory: Some(1 << 20), ..Wanted::default() };
        for (cgroups, by) in [
            (groups(Version::V2), Mechanism::Group(Version::V2)),
            (groups(Version::V1), Mechanism::Group(Version::V1)),
            (Cgroups::default(), Mechanism::Process),
        ] {
            assert_eq!(Bounds::choose(wanted, &cgroups).memory(), by);
        }
        assert_eq!(Bounds::choose(Wanted::default(), &groups(Version::V2)).memory(), Mechanism::None);
    }

    #[test]
    fn the_lesser_of_two_limits_of_address_space_holds() {
        let steps = |memory, address_space| {
            let limits = Limits { address_space, ..Limits::default() };
            let wanted = Wanted { memory, limits, ..Wanted::default() };
            let mut steps = Vec::new();
            Bounds::choose(wanted, &Cgroups::default()).steps(&mut steps);
            steps.into_iter().find_map(|step| match step {
                Step::Limit(Resource::AddressSpace, bytes) => Some(bytes),
                _ => None,
            })
        };
        assert_eq!(steps(Some(2), Some(1)), Some(1));
        assert_eq!(steps(Some(1), Some(2)), Some(1));
        assert_eq!([steps(Some(3), None), steps(None, Some(3)), steps(None, None)], [Some(3), Some(3), None]);
    }

    #[test]
    fn tasks_are_bounded_at_the_price_that_who_may_fork_is_worth() {
        let none = Cgroups::default();
        for (cgroups, is_counted_apart, may_fork, default) in [
            (&groups(Version::V2), false, false, true),
            (&groups(Version::V1), false, false, false),
            (&groups(Version::V1), false, true, true),
            (&groups(Version::V1), true, false, true),
            (&none, true, false, true),
            (&none, false, true, false),
        ] {
            let wanted = Wanted { default_tasks: Some(64), may_fork, is_counted_apart, ..Wanted::default() };
            let bounds = Bounds::choose(wanted, cgroups);
            assert_eq!(bounds.tasks.is_some(), default, "{wanted:?} {cgroups:?}");
            assert!(!bounds.lacks_tasks());
        }
        let wanted = Wanted { tasks: Some(7), ..Wanted::default() };
        assert!(Bounds::choose(wanted, &none).lacks_tasks(), "what was asked for cannot be had");
        let wanted = Wanted { is_counted_apart: true, ..wanted };
        assert!(matches!(Bounds::choose(wanted, &none).task_step(), Some(Step::Limit(Resource::Tasks, 7))));
    }
}
