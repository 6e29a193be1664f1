//! What a worker leaves behind: what its control groups have counted, and its core.

use std::fs::read_to_string;

use bailiwick_core::core_pattern::{Dumped, Place, place};
use bailiwick_sys::pid_namespace::PidNamespace;
use bailiwick_wire::crash::{Core, Counters, End};

use super::Prepared;
use crate::spec::Worker;

impl Prepared {
    /// Returns what was counted of a life of `worker`, before which the kernel had killed `before` times for want of memory.
    pub fn counters(&self, worker: &Worker, before: u64) -> Counters {
        let counts = self.counts();
        Counters {
            memory_max_bytes: worker.sandbox.memory_max,
            memory_peak_bytes: counts.memory_peak_bytes,
            oom_kills: counts.oom_kills.map(|kills| kills.saturating_sub(before)),
            tasks_refused: counts.tasks_refused,
        }
    }

    /// Returns where the kernel wrote the core of a process of `worker`; `None` if it wrote none, or that cannot be known.
    pub fn core_of(&self, worker: &Worker, pid: i32, end: &End) -> Option<Core> {
        let End::Signalled { signal, core: true } = *end else { return None };
        let said = |file: &str| read_to_string(format!("/proc/sys/kernel/{file}"));
        let pattern = said("core_pattern").ok()?;
        let (uses_pid, host) = (said("core_uses_pid").ok()?, said("hostname").ok()?);
        let folder = worker.working_directory.as_ref().map_or("/".into(), |path| path.to_string_lossy());
        let identity = self.identity();
        // The kernel names cores by what a process is called in its own namespace.
        let pid = if self.has_pid_namespace() { PidNamespace::CHILD } else { pid.unsigned_abs() };
        let of =
            Dumped { pid, uid: identity.uid, gid: identity.gid, signal, folder: &folder, host: host.trim() };
        Some(match place(&pattern, uses_pid.trim() != "0", of)? {
            Place::File(path) => Core::File(path),
            Place::Program(path) => Core::Program(path),
        })
    }
}
