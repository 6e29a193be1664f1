//! Which lines of the policy of system calls hold for which worker.

use bailiwick_sys::seccomp::policy::{SystemCall, Verdict, lines};
use bailiwick_sys::seccomp::stages::Stages;

use super::error::SandboxError;
use super::paths::binds_any_port;
use crate::spec::{Preset, Sandbox, Worker};

/// Returns the policy that holds for a worker, line by line.
pub fn system_calls(worker: &Worker) -> Vec<SystemCall> {
    let staged = |line: &SystemCall| match worker.sandbox.preset {
        Preset::None => false,
        Preset::Exec => line.verdict != Verdict::Allowed,
        Preset::Sealed | Preset::NetClient | Preset::NetServer | Preset::FsRo => true,
    };
    lines(|circumstance| is_given(&worker.sandbox, circumstance)).filter(staged).collect()
}

/// Compiles the policy of a worker.
pub(super) fn filters(worker: &Worker) -> Result<Stages, SandboxError> {
    let executes = matches!(worker.sandbox.preset, Preset::Exec | Preset::None);
    let failed = |source| SandboxError::Filter { worker: worker.name.clone(), source };
    Stages::compile(&system_calls(worker), executes).map_err(failed)
}

/// Returns whether a circumstance that a line names is given; what is none of the others is a capability.
fn is_given(sandbox: &Sandbox, circumstance: &str) -> bool {
    match circumstance {
        "write" => sandbox.writes(),
        "bind" => !sandbox.tcp_bind.is_empty() || binds_any_port(sandbox),
        "connect" => sandbox.preset == Preset::NetClient || !sandbox.tcp_connect.is_empty(),
        capability => sandbox.capabilities.iter().any(|held| held == capability),
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_sys::seccomp::policy::CIRCUMSTANCES;

    use super::*;
    use crate::spec::Exec;

    fn allowed(change: impl FnOnce(&mut Worker)) -> Vec<&'static str> {
        let mut worker = Worker::new("probe", Exec::Own);
        change(&mut worker);
        let allowed = system_calls(&worker).into_iter().filter(|line| line.verdict == Verdict::Allowed);
        allowed.map(|line| line.name).collect()
    }

    #[test]
    fn calls_are_allowed_to_whom_they_are_meant_for() {
        let holder = |name: &str| allowed(|worker| worker.sandbox.capabilities.push(name.into()));
        let writer = allowed(|worker| worker.sandbox.read_write_paths.push("/tmp".into()));
        let binder = allowed(|worker| worker.sandbox.tcp_bind.push(80));
        let client = allowed(|worker| worker.sandbox.preset = Preset::NetClient);
        let connects = allowed(|worker| worker.sandbox.tcp_connect.push(80));
        let any = holder("CAP_NET_BIND_SERVICE");
        let sealed = allowed(|_| {});
        for (call, whom) in [
            ("mkdirat", &writer),
            ("listen", &binder),
            ("listen", &any),
            ("connect", &client),
            ("connect", &connects),
            ("kill", &holder("CAP_KILL")),
        ] {
            assert!(whom.contains(&call) && !sealed.contains(&call), "{call}");
        }
        assert!(CIRCUMSTANCES.iter().all(|known| !known.starts_with("CAP_")));
    }

    #[test]
    fn who_executes_is_held_by_what_is_stopped_and_who_has_no_sandbox_by_nothing() {
        let of = |preset| {
            let mut worker = Worker::new("probe", Exec::Own);
            worker.sandbox.preset = preset;
            system_calls(&worker)
        };
        assert!(of(Preset::Exec).len() > 50 && of(Preset::None).is_empty());
        assert!(of(Preset::Exec).iter().all(|line| line.verdict != Verdict::Allowed));
        let mut exec = Worker::new("probe", Exec::Own);
        exec.sandbox.preset = Preset::Exec;
        assert!(filters(&exec).unwrap().running.is_none());
    }
}
