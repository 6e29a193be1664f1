//! How much a worker may use, and what holds it to that here.

use bailiwick_supervisor::sandbox::Machine;
use bailiwick_supervisor::spec::{Limits, Preset, Sandbox, Worker};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Limit {
    /// The key of the manifest.
    pub(super) key: &'static str,
    pub(super) value: i64,
    /// Whether the manifest says so, or it is the default.
    pub(super) declared: bool,
    /// What enforces it on this machine.
    pub(super) by: String,
}

/// Returns every limit that there is.
pub(super) fn of(worker: &Worker, machine: &Machine) -> Vec<Limit> {
    let sandbox = &worker.sandbox;
    let mut all = counted(sandbox, machine);
    all.extend(of_process(&sandbox.limits, sandbox.limits()));
    all.extend(shares(sandbox));
    all
}

fn limit(key: &'static str, declared: Option<i64>, default: Option<i64>, by: String) -> Option<Limit> {
    let value = declared.or(default)?;
    Some(Limit { key, value, declared: declared.is_some(), by })
}

/// Returns those that a control group counts where there is one.
fn counted(sandbox: &Sandbox, machine: &Machine) -> Vec<Limit> {
    let usual = |value: u32| (sandbox.preset != Preset::None).then_some(i64::from(value));
    let group = |version: Option<_>| version.map(|version| format!("control group, {version:?}"));
    let memory = group(machine.cgroups.memory()).unwrap_or_else(|| "RLIMIT_AS".into());
    let tasks = group(machine.cgroups.tasks()).unwrap_or_else(|| match machine.can_switch_users() {
        true => "RLIMIT_NPROC".into(),
        false => "nothing".into(),
    });
    let core = number(sandbox.limit_core);
    let score = i64::from(Sandbox::OOM_SCORE_ADJUST);
    let all = [
        limit("memory_max", sandbox.memory_max.map(number), None, memory),
        limit("tasks_max", sandbox.tasks_max.map(i64::from), usual(Sandbox::TASKS), tasks),
        limit(
            "limit_nofile",
            sandbox.limit_nofile.map(i64::from),
            usual(Sandbox::FILES),
            "RLIMIT_NOFILE".into(),
        ),
        limit("limit_core", (core > 0).then_some(core), Some(0), "RLIMIT_CORE".into()),
        limit("nice", sandbox.nice.map(i64::from), Some(0), "setpriority".into()),
        limit(
            "oom_score_adjust",
            sandbox.oom_score_adjust.map(i64::from),
            Some(score),
            "/proc/self/oom_score_adj".into(),
        ),
        limit("umask", sandbox.umask.map(i64::from), Some(i64::from(Sandbox::UMASK)), "umask".into()),
    ];
    all.into_iter().flatten().collect()
}

/// Returns those that each process carries.
fn of_process(declared: &Limits, all: Limits) -> Vec<Limit> {
    let rows = [
        ("limit_fsize", declared.file_size, all.file_size, "RLIMIT_FSIZE"),
        ("limit_as", declared.address_space, all.address_space, "RLIMIT_AS"),
        ("limit_stack", declared.stack, all.stack, "RLIMIT_STACK"),
        ("limit_memlock", declared.locked_memory, all.locked_memory, "RLIMIT_MEMLOCK"),
        ("limit_cpu", declared.cpu_seconds, all.cpu_seconds, "RLIMIT_CPU"),
        ("limit_msgqueue", declared.message_queues, all.message_queues, "RLIMIT_MSGQUEUE"),
        ("limit_sigpending", declared.pending_signals, all.pending_signals, "RLIMIT_SIGPENDING"),
        ("real time", declared.real_time, all.real_time, "RLIMIT_RTPRIO"),
        ("nice limit", declared.nice, all.nice, "RLIMIT_NICE"),
    ];
    let bounded = rows.into_iter().filter(|(_, _, all, _)| *all != Some(Limits::NONE));
    bounded
        .filter_map(|(key, declared, all, by)| {
            limit(key, declared.map(number), all.map(number), by.to_owned())
        })
        .collect()
}

/// Returns what it gets of what others want too, where the manifest says so.
fn shares(sandbox: &Sandbox) -> Vec<Limit> {
    let shares = &sandbox.shares;
    let rows = [
        ("memory_high", shares.memory_high.map(number)),
        ("memory_low", shares.memory_low.map(number)),
        ("memory_min", shares.memory_min.map(number)),
        ("memory_swap_max", shares.memory_swap_max.map(number)),
        ("cpu_weight", shares.cpu_weight.map(i64::from)),
        ("cpu_quota", shares.cpu_quota.map(i64::from)),
        ("io_weight", shares.io_weight.map(i64::from)),
    ];
    rows.into_iter().filter_map(|(key, value)| limit(key, value, None, "control group".into())).collect()
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
