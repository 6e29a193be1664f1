//! Which system calls a running worker may make, and what becomes of the others.

use bailiwick_supervisor::sandbox::{Machine, SystemCall, Verdict, system_calls};
use bailiwick_supervisor::spec::{Denial, Exec, Preset, Worker};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Calls {
    /// What becomes of a call that is not named below.
    pub(super) others: &'static str,
    pub(super) allowed: Vec<Call>,
    /// Those that fail with EPERM.
    pub(super) refused: Vec<Call>,
    /// Those that fail with ENOSYS.
    pub(super) absent: Vec<Call>,
    /// Those that end the process.
    pub(super) killed: Vec<Call>,
    /// Those of the allowed ones that a sealed worker with nothing granted does not have.
    pub(super) beyond_sealed: Vec<&'static str>,
}

#[derive(Clone, Serialize)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) reason: &'static str,
}

/// Takes them from the policy that is compiled into the worker's filters.
pub(super) fn of(worker: &Worker, machine: &Machine) -> Calls {
    let lines = system_calls(worker, worker.sandbox.is_counted(&machine.cgroups));
    let of = |verdict| {
        let mut calls: Vec<Call> = Vec::new();
        for SystemCall { name, reason, .. } in lines.iter().filter(|line| line.verdict == verdict) {
            // Several lines for one call differ in the arguments that they speak of.
            if !calls.iter().any(|call| call.name == *name && call.reason == *reason) {
                calls.push(Call { name, reason });
            }
        }
        calls
    };
    let allowed = of(Verdict::Allowed);
    let sealed = system_calls(&Worker::new("sealed", Exec::Own), true);
    let is_new = |call: &&Call| {
        !sealed.iter().any(|line| {
            line.verdict == Verdict::Allowed && line.name == call.name && line.reason == call.reason
        })
    };
    let mut beyond_sealed: Vec<_> = allowed.iter().filter(is_new).map(|call| call.name).collect();
    beyond_sealed.dedup();
    let others = match worker.sandbox.preset {
        Preset::None => "carried out: there is no filter",
        Preset::Exec => "carried out: what a program needs is not known",
        _ if worker.sandbox.calls.denial == Some(Denial::Kills) => "ends the process",
        _ if worker.sandbox.calls.denial.is_some() => "fails as `system_call_error_number` says",
        Preset::Sealed | Preset::NetClient | Preset::NetServer | Preset::FsRo => "fails with EPERM",
    };
    Calls {
        others,
        allowed,
        refused: [of(Verdict::Refused), of(Verdict::Denied)].concat(),
        absent: of(Verdict::Absent),
        killed: of(Verdict::Killed),
        beyond_sealed,
    }
}
