//! Which bounds a worker has: what it declares, with the defaults of a sandboxed worker.

use bailiwick_sys::bounds::{Bounds, Mechanism, Wanted};
use bailiwick_sys::cgroup::{Cgroups, Version};

use super::account::Account;
use crate::control::MemoryMechanism;
use crate::spec::{Preset, Sandbox};

/// Takes the bounds from the declaration.
pub(super) fn bounds(sandbox: &Sandbox, cgroups: &Cgroups, account: &Account) -> Bounds {
    let is_sandboxed = sandbox.preset != Preset::None;
    let wanted = Wanted {
        memory: sandbox.memory_max,
        tasks: sandbox.tasks_max,
        default_tasks: is_sandboxed.then_some(TASKS),
        may_fork: sandbox.preset == Preset::Exec,
        files: sandbox.limit_nofile.or(is_sandboxed.then_some(FILES)),
        core: sandbox.limit_core,
        has_own_user: account.own().is_some(),
    };
    Bounds::choose(wanted, cgroups)
}

/// Returns what bounds the memory, as people are told.
pub(super) fn memory_mechanism(bounds: &Bounds) -> MemoryMechanism {
    match bounds.memory() {
        Mechanism::None => MemoryMechanism::Unlimited,
        Mechanism::Group(Version::V2) => MemoryMechanism::CgroupV2,
        Mechanism::Group(Version::V1) => MemoryMechanism::CgroupV1,
        Mechanism::Process => MemoryMechanism::AddressSpace,
    }
}

const TASKS: u32 = 64;
const FILES: u32 = 256;
