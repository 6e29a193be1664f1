//! Which lines of the policy of system calls hold for which worker.

use bailiwick_sys::seccomp::line::{SystemCall, Verdict, lines};
use bailiwick_sys::seccomp::policy::{Decision, Policy};
use bailiwick_sys::seccomp::stages::Stages;
use bailiwick_sys::seccomp::wish::Wish;

use super::error::SandboxError;
use super::paths::binds_any_port;
use crate::spec::{Families, Namespace, Preset, Worker};

/// Returns the policy that holds for a worker, line by line, as [`filters`].
pub fn system_calls(worker: &Worker, counted: bool) -> Vec<SystemCall> {
    policy(worker, counted).lines
}

/// Returns what becomes of every known system call of a worker, and why, as [`filters`].
pub fn decisions(worker: &Worker, counted: bool) -> Vec<Decision> {
    policy(worker, counted).decisions()
}

/// Compiles the policy of a worker whose memory is counted, or [is not](crate::spec::Sandbox::is_counted).
///
/// # Errors
/// When it does not compile, which is our own fault.
pub fn filters(worker: &Worker, counted: bool) -> Result<Stages, SandboxError> {
    let failed = |source| SandboxError::Filter { worker: worker.name.clone(), source };
    Stages::compile(&policy(worker, counted), worker.command.is_some()).map_err(failed)
}

fn policy(worker: &Worker, counted: bool) -> Policy {
    let (sandbox, calls) = (&worker.sandbox, &worker.sandbox.calls);
    let executes = sandbox.starts_programs();
    let mut policy = Policy {
        is_list: !executes,
        forks: executes,
        denial: calls.denial.unwrap_or_default(),
        ..Policy::default()
    };
    if sandbox.preset == Preset::None {
        return policy;
    }
    // What whoever executes may call is no list unless it gets one of its own.
    let holds =
        |line: &SystemCall| !executes || line.verdict != Verdict::Allowed || line.is_needed_to_start();
    let is_given = |word: &str| if word == "counted" { counted } else { is_given(worker, word) };
    policy.lines = lines(is_given).filter(holds).collect();
    let wishes = Wish::read_all(&calls.filter);
    policy.take_up(&wishes, worker.privileged);
    if !counted {
        policy.bound_by_address_space(&wishes);
    }
    policy.logged = Wish::read_all(&calls.log);
    policy.paths = sandbox.paths_told();
    match &calls.families {
        Some(Families::Only(names)) => policy.only_families(names),
        Some(Families::Except(names)) => policy.no_families(names),
        None => {}
    }
    policy
}

/// Returns whether a circumstance that a line names is given; what is none of the others is a capability.
fn is_given(worker: &Worker, circumstance: &str) -> bool {
    let (sandbox, calls) = (&worker.sandbox, &worker.sandbox.calls);
    match circumstance {
        "write" => sandbox.writes(),
        "locks" => sandbox.writes() || sandbox.starts_programs(),
        "bind" => !sandbox.tcp_bind.is_empty() || binds_any_port(sandbox),
        "connect" => sandbox.preset == Preset::NetClient || !sandbox.tcp_connect.is_empty(),
        "udp" => sandbox.udp_bind,
        "command" => worker.command.is_some(),
        "libraries" => sandbox.preset == Preset::NetClient,
        "wx" => sandbox.may_make_code(),
        "memfd_exec" => calls.memfd_no_exec != Some(true),
        "suid" => calls.restrict_suid_sgid == Some(false),
        "openat2" => calls.restrict_suid_sgid != Some(true),
        "realtime" => !calls.restrict_realtime.unwrap_or_else(|| !sandbox.holds("CAP_SYS_NICE")),
        "personality" => calls.lock_personality == Some(false),
        name => match Namespace::ALL.into_iter().find(|kind| kind.circumstance() == name) {
            Some(kind) => sandbox.may_make(kind),
            None => sandbox.holds(name),
        },
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_sys::seccomp::line::CIRCUMSTANCES;

    use super::*;
    use crate::spec::Exec;

    fn allowed(change: impl FnOnce(&mut Worker)) -> Vec<&'static str> {
        let mut worker = Worker::new("probe", Exec::Own);
        change(&mut worker);
        let allowed = system_calls(&worker, true).into_iter().filter(|line| line.verdict == Verdict::Allowed);
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
            system_calls(&worker, true)
        };
        assert!(of(Preset::Exec).len() > 50 && of(Preset::None).is_empty());
        assert!(of(Preset::Exec).iter().all(|line| line.verdict != Verdict::Allowed));
        let mut exec = Worker::new("probe", Exec::Own);
        exec.sandbox.preset = Preset::Exec;
        assert!(filters(&exec, true).unwrap().running.is_none());
    }
}
