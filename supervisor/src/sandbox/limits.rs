//! Bounds on memory, tasks and descriptors: which mechanism meets which, and what is left open.

use bailiwick_sys::cgroup::{Cgroups, Purpose, Version};
use bailiwick_sys::open_files::former_limit;
use bailiwick_sys::process::{Resource, Step};

use super::account::Account;
use crate::control::MemoryMechanism;
use crate::spec::{Preset, Sandbox};

/// What meets a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    /// A control group.
    Group(Version),
    /// A limit that the process, or its user, carries.
    Process,
    /// Nothing.
    None,
}

/// The bounds of one worker.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    memory: Option<(u64, Mechanism)>,
    tasks: Option<(u32, Mechanism)>,
    files: Option<u32>,
}

impl Limits {
    /// Takes the bounds from the declaration, with the defaults of a sandboxed worker.
    pub(super) fn new(sandbox: &Sandbox, cgroups: &Cgroups, account: &Account) -> Self {
        let memory_by = cgroups.memory().map_or(Mechanism::Process, Mechanism::Group);
        let tasks_by = match cgroups.tasks() {
            Some(Version::V2) => Mechanism::Group(Version::V2),
            // To enter a group of version 1 takes ten times as long as all the rest of a start.
            Some(Version::V1) | None if account.own().is_some() => Mechanism::Process,
            by => by.map_or(Mechanism::None, Mechanism::Group),
        };
        // Who cannot fork has threads only, and is not made to pay for their being counted.
        let default = match (sandbox.preset, tasks_by) {
            (Preset::None, _) | (_, Mechanism::None) => None,
            (Preset::Exec, _) | (_, Mechanism::Group(Version::V2) | Mechanism::Process) => Some(TASKS),
            (_, Mechanism::Group(Version::V1)) => None,
        };
        let files = (sandbox.preset != Preset::None).then_some(FILES);
        Self {
            memory: sandbox.memory_max.map(|bytes| (bytes, memory_by)),
            tasks: sandbox.tasks_max.or(default).map(|tasks| (tasks, tasks_by)),
            files: sandbox.limit_nofile.or(files),
        }
    }

    /// Returns whether tasks are to be bounded and cannot be.
    pub(super) fn lacks_tasks(&self) -> bool {
        matches!(self.tasks, Some((_, Mechanism::None)))
    }

    /// Returns what control groups are needed for.
    pub(super) fn purpose(&self, kill: bool) -> Purpose {
        let version = |by| match by {
            Mechanism::Group(version) => Some(version),
            Mechanism::Process | Mechanism::None => None,
        };
        Purpose {
            memory: self.memory.and_then(|(bytes, by)| Some((bytes, version(by)?))),
            tasks: self.tasks.and_then(|(tasks, by)| Some((tasks, version(by)?))),
            kill,
        }
    }

    pub(super) fn memory_mechanism(&self) -> MemoryMechanism {
        match self.memory {
            None | Some((_, Mechanism::None)) => MemoryMechanism::Unlimited,
            Some((_, Mechanism::Group(Version::V2))) => MemoryMechanism::CgroupV2,
            Some((_, Mechanism::Group(Version::V1))) => MemoryMechanism::CgroupV1,
            Some((_, Mechanism::Process)) => MemoryMechanism::AddressSpace,
        }
    }

    /// Adds the limits that a process sets for itself while it may.
    pub(super) fn steps(&self, steps: &mut Vec<Step<'_>>) {
        steps.push(Step::Limit(Resource::Core, 0));
        steps.push(Step::Limit(Resource::MessageQueues, 0));
        // Who has no limit of its own gets the one that the supervisor had before it raised it.
        match (self.files, former_limit()) {
            (Some(files), _) => steps.push(Step::Limit(Resource::OpenFiles, files.into())),
            (None, Some(former)) => steps.push(Step::SoftLimit(Resource::OpenFiles, former)),
            (None, None) => {}
        }
        if let Some((bytes, Mechanism::Process)) = self.memory {
            steps.push(Step::Limit(Resource::AddressSpace, bytes));
        }
    }

    /// Returns the limit that counts by user, to be set when the user is the worker's.
    pub(super) fn task_step(&self) -> Option<Step<'static>> {
        match self.tasks {
            Some((tasks, Mechanism::Process)) => Some(Step::Limit(Resource::Tasks, tasks.into())),
            _ => None,
        }
    }
}

const TASKS: u32 = 64;
const FILES: u32 = 256;
