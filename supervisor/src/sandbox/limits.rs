//! Bounds on memory, tasks and descriptors: which mechanism meets which, and what is left open.

use bailiwick_sys::process::{Resource, Step};

use super::account::Account;
use super::cgroup::{Cgroups, Mechanism};
use super::report::{Aspect, Enforced, Missing};
use crate::control::MemoryMechanism;
use crate::spec::{Preset, Sandbox};

/// The bounds of one worker.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) memory_bytes: Option<u64>,
    pub(super) tasks: Option<u32>,
    pub(super) files: Option<u32>,
    memory_by: Mechanism,
    tasks_by: Mechanism,
    /// Whether the user has no other processes, so that a bound by user is a bound on the worker.
    own_user: bool,
}

impl Limits {
    /// Takes the bounds from the declaration, with the defaults of a sandboxed worker.
    pub(super) fn new(sandbox: &Sandbox, cgroups: &Cgroups, account: &Account) -> Self {
        let sandboxed = sandbox.preset != Preset::None;
        Self {
            memory_bytes: sandbox.memory_max,
            tasks: sandbox.tasks_max.or(sandboxed.then_some(TASKS)),
            files: sandbox.limit_nofile.or(sandboxed.then_some(FILES)),
            memory_by: cgroups.memory(),
            tasks_by: cgroups.tasks(),
            own_user: account.own().is_some(),
        }
    }

    /// Returns whether the declared bound on tasks holds in some way.
    pub(super) fn bounds_tasks(&self) -> bool {
        self.tasks_by != Mechanism::None || self.own_user
    }

    pub(super) fn memory_mechanism(&self) -> MemoryMechanism {
        match (self.memory_bytes, self.memory_by) {
            (None, _) => MemoryMechanism::Unlimited,
            (Some(_), Mechanism::V2) => MemoryMechanism::CgroupV2,
            (Some(_), Mechanism::V1) => MemoryMechanism::CgroupV1,
            (Some(_), Mechanism::None) => MemoryMechanism::AddressSpace,
        }
    }

    /// Adds the limits that a process sets for itself while it may.
    pub(super) fn steps(&self, steps: &mut Vec<Step<'_>>) {
        steps.push(Step::Limit(Resource::Core, 0));
        steps.push(Step::Limit(Resource::MessageQueues, 0));
        if let Some(files) = self.files {
            steps.push(Step::Limit(Resource::OpenFiles, files.into()));
        }
        if let (Some(bytes), Mechanism::None) = (self.memory_bytes, self.memory_by) {
            steps.push(Step::Limit(Resource::AddressSpace, bytes));
        }
    }

    /// Returns the limit that counts by user, to be set when the user is the worker's.
    pub(super) fn task_step(&self) -> Option<Step<'static>> {
        self.tasks.filter(|_| self.own_user).map(|tasks| Step::Limit(Resource::Tasks, tasks.into()))
    }

    /// Says what holds and what does not.
    pub(super) fn report(&self, enforced: &mut Vec<Enforced>, missing: &mut Vec<Missing>) {
        if let Some(bytes) = self.memory_bytes {
            let by = match self.memory_by {
                Mechanism::V2 => "memory.max",
                Mechanism::V1 => "memory.limit_in_bytes",
                Mechanism::None => "RLIMIT_AS",
            };
            enforced.push(Enforced { what: Aspect::Memory, by: format!("{by} {bytes}") });
        }
        if let Some(tasks) = self.tasks {
            match (self.tasks_by, self.own_user) {
                (Mechanism::V2 | Mechanism::V1, _) => {
                    enforced.push(Enforced { what: Aspect::Tasks, by: format!("pids.max {tasks}") });
                }
                (Mechanism::None, true) => {
                    enforced.push(Enforced { what: Aspect::Tasks, by: format!("RLIMIT_NPROC {tasks}") });
                }
                (Mechanism::None, false) => missing.push(Missing {
                    what: Aspect::Tasks,
                    why: "neither a pids control group nor a user of the worker's own",
                }),
            }
        }
        if let Some(files) = self.files {
            enforced.push(Enforced { what: Aspect::Descriptors, by: format!("RLIMIT_NOFILE {files}") });
        }
    }
}

const TASKS: u32 = 64;
const FILES: u32 = 256;
