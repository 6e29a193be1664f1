//! Reports of deaths, as `crashes --json` and `/api/v1/crashes` say them. Times are in seconds.

use std::time::Duration;

use bailiwick_supervisor::control::signal_name;
use bailiwick_sys::system_call;
use bailiwick_wire::backtraces::{Backtraces, Frame};
use bailiwick_wire::crash::{self, Core, End, Report};
use serde::Serialize;

use crate::json::{SCHEMA_VERSION, time};
use crate::words::hex;

/// Where a thread of a life stood: its number, its name, and the calls under way in words, the innermost first.
pub type Stack = (u32, String, Vec<String>);

/// All of some reports.
#[derive(Serialize)]
pub struct Document {
    schema_version: u32,
    crashes: Vec<Crash>,
}

/// One report.
#[derive(Serialize)]
pub struct Crash {
    worker: String,
    instance: u16,
    group: String,
    generation: u32,
    pid: Option<u32>,
    started: String,
    started_mono_ns: u64,
    ended: String,
    ended_mono_ns: u64,
    uptime_s: f64,
    cause: String,
    exit_code: Option<u8>,
    signal: Option<u8>,
    signal_name: Option<&'static str>,
    core_dumped: bool,
    /// The file, with `*` for what is not known, or else the program to which the kernel gave it.
    core_path: Option<String>,
    core_program: Option<String>,
    stack_overflow: bool,
    start_failed_at: Option<String>,
    errno: Option<i32>,
    forbidden_call: Option<String>,
    sent_by_us: Vec<Sent>,
    last_state: String,
    ready_for_s: Option<f64>,
    failures_in_a_row: u32,
    budget: Budget,
    decision: Decision,
    steps: Vec<String>,
    usage: Usage,
    cgroup: Cgroup,
    executable_sha256: Option<String>,
    build_id: Option<String>,
    at_work: Option<AtWork>,
    panic: Option<Panic>,
    escalation: Vec<Step>,
    lost_messages: u64,
    snapshot: String,
    /// What was left out of the snapshot and of the threads, in bytes.
    snapshot_cut_bytes: u32,
    threads_cut_bytes: u32,
    threads: Vec<Thread>,
    last_log_lines: Vec<String>,
}

#[derive(Serialize)]
struct Sent {
    signal: u8,
    signal_name: Option<&'static str>,
    before_end_s: f64,
}

#[derive(Serialize)]
struct Budget {
    charged: bool,
    restarts_in_window: u32,
    left: u32,
    max: u32,
    period_s: f64,
}

#[derive(Serialize)]
struct Decision {
    action: String,
    detail: String,
    delay_s: Option<f64>,
    next_start_at: Option<String>,
    next_start_at_mono_ns: Option<u64>,
}

#[derive(Serialize)]
struct Usage {
    user_s: f64,
    system_s: f64,
    peak_memory_bytes: u64,
}

#[derive(Serialize)]
struct Cgroup {
    memory_max_bytes: Option<u64>,
    memory_peak_bytes: Option<u64>,
    oom_kills: Option<u64>,
    tasks_refused: Option<u64>,
}

#[derive(Serialize)]
struct AtWork {
    actor: String,
    method: String,
    for_s: f64,
}

#[derive(Serialize)]
struct Panic {
    message: String,
    location: String,
    thread: String,
    actor: String,
    before_end_s: f64,
    count: u32,
}

#[derive(Serialize)]
struct Step {
    actor: String,
    why: String,
}

#[derive(Serialize)]
struct Thread {
    thread: u32,
    name: String,
    calls: Vec<String>,
}

/// Returns reports as one document, the oldest first. `stacks` tells where the threads of one stood.
pub fn document(mut reports: Vec<Report>, stacks: impl Fn(&Report) -> Vec<Stack>) -> Document {
    reports.sort_by_key(|report| report.ended.monotonic_ns);
    let crashes = reports.iter().map(|report| crash(report, stacks(report))).collect();
    Document { schema_version: SCHEMA_VERSION, crashes }
}

/// Returns one report.
pub fn crash(report: &Report, stacks: Vec<Stack>) -> Crash {
    let end_ns = report.ended.monotonic_ns;
    let (mut exit_code, mut signal, mut core_dumped, mut failed) = (None, None, false, None);
    match &report.end {
        End::Exited { code } => exit_code = Some(*code),
        End::Signalled { signal: number, core } => (signal, core_dumped) = (Some(*number), *core),
        End::NotStarted { step, errno } => failed = Some((step.clone(), *errno)),
    }
    let words = &report.last_words;
    let (core_path, core_program) = core(report);
    Crash {
        worker: report.worker.clone(),
        instance: report.instance,
        group: report.group.clone(),
        generation: report.generation,
        pid: report.pid,
        started: time(report.began.wall),
        started_mono_ns: report.began.monotonic_ns,
        ended: time(report.ended.wall),
        ended_mono_ns: end_ns,
        uptime_s: before_end(report, report.began.monotonic_ns),
        cause: report.cause.to_string(),
        exit_code,
        signal,
        signal_name: signal.and_then(signal_name),
        core_dumped,
        core_path,
        core_program,
        stack_overflow: overflowed(report),
        errno: failed.as_ref().map(|(_, errno)| *errno),
        start_failed_at: failed.map(|(step, _)| step).filter(|step| !step.is_empty()),
        forbidden_call: call(report),
        sent_by_us: report.sent.iter().map(|sent| sent_by_us(sent, end_ns)).collect(),
        last_state: report.last_state.clone(),
        ready_for_s: report.ready_for.map(|time| time.as_secs_f64()),
        failures_in_a_row: report.budget.failures,
        budget: budget(report),
        decision: decision(report),
        steps: report.steps.clone(),
        usage: usage(report),
        cgroup: cgroup(report),
        executable_sha256: report.executable.as_ref().map(hex),
        build_id: Some(hex(&words.build_id)).filter(|id| !id.is_empty()),
        at_work: at_work(report),
        panic: panic(report),
        escalation: escalation(report),
        lost_messages: words.lost_messages,
        snapshot: String::from_utf8_lossy(&report.snapshot).into_owned(),
        snapshot_cut_bytes: report.cut.snapshot_bytes,
        threads_cut_bytes: report.cut.backtraces_bytes,
        threads: stacks.into_iter().map(|(thread, name, calls)| Thread { thread, name, calls }).collect(),
        last_log_lines: report.last_lines.clone(),
    }
}

/// Returns the file or the program that has the core.
fn core(report: &Report) -> (Option<String>, Option<String>) {
    match report.core.clone() {
        Some(Core::File(path)) => (Some(path), None),
        Some(Core::Program(path)) => (None, Some(path)),
        None => (None, None),
    }
}

/// Returns where the threads of a life stood, as addresses in files.
pub fn addresses(report: &Report) -> Vec<Stack> {
    let backtraces = Backtraces::from_bytes(&report.backtraces);
    let address = |frame: &Frame| {
        let object = frame.object.and_then(|object| backtraces.objects.get(object));
        format!("{:#x} in {}", frame.address, object.map_or("no file", |object| &*object.path))
    };
    let threads = backtraces.threads.iter();
    threads.map(|one| (one.id, one.name.clone(), one.frames.iter().map(address).collect())).collect()
}

/// Returns the name of the forbidden system call that ended a life, or its number.
pub fn call(report: &Report) -> Option<String> {
    let call = report.last_words.forbidden_call?;
    Some(system_call::name(call.number).map_or_else(|| call.number.to_string(), str::to_owned))
}

/// Returns whether a life says that it had used up a stack.
pub fn overflowed(report: &Report) -> bool {
    Backtraces::from_bytes(&report.backtraces).overflowed
}

fn sent_by_us(sent: &crash::Sent, end_ns: u64) -> Sent {
    Sent {
        signal: sent.signal,
        signal_name: signal_name(sent.signal),
        before_end_s: Duration::from_nanos(end_ns.saturating_sub(sent.at_ns)).as_secs_f64(),
    }
}

fn budget(report: &Report) -> Budget {
    let crash::Budget { charged, left, max, period, .. } = report.budget;
    let period_s = period.as_secs_f64();
    Budget { charged, restarts_in_window: max.saturating_sub(left), left, max, period_s }
}

fn usage(report: &Report) -> Usage {
    let crash::Usage { user, system, peak_memory_bytes } = report.usage;
    Usage { user_s: user.as_secs_f64(), system_s: system.as_secs_f64(), peak_memory_bytes }
}

fn cgroup(report: &Report) -> Cgroup {
    let crash::Counters { memory_max_bytes, memory_peak_bytes, oom_kills, tasks_refused } = report.counters;
    Cgroup { memory_max_bytes, memory_peak_bytes, oom_kills, tasks_refused }
}

fn at_work(report: &Report) -> Option<AtWork> {
    let poll = report.at_work.as_ref().filter(|poll| !poll.actor.is_empty())?;
    let for_s = before_end(report, poll.since_ns);
    Some(AtWork { actor: poll.actor.clone(), method: poll.method.clone(), for_s })
}

fn panic(report: &Report) -> Option<Panic> {
    let panic = report.last_words.panic.as_ref()?;
    Some(Panic {
        message: panic.message.clone(),
        location: panic.location.clone(),
        thread: panic.thread.clone(),
        actor: panic.actor.clone(),
        before_end_s: before_end(report, panic.at_ns),
        count: panic.count,
    })
}

fn escalation(report: &Report) -> Vec<Step> {
    let chain = report.last_words.gave_up.iter().flat_map(|gave_up| &gave_up.chain);
    chain.map(|step| Step { actor: step.actor.clone(), why: step.why.clone() }).collect()
}

fn before_end(report: &Report, at_ns: u64) -> f64 {
    Duration::from_nanos(report.ended.monotonic_ns.saturating_sub(at_ns)).as_secs_f64()
}

fn decision(report: &Report) -> Decision {
    let pause = report.decision.pause;
    // The monotonic clock counts; on the wall it is what it will be if nobody sets it.
    let at = |until_ns: u64| {
        let ahead = Duration::from_nanos(until_ns.saturating_sub(report.ended.monotonic_ns));
        time(report.ended.wall.saturating_add(ahead))
    };
    Decision {
        action: report.decision.action.clone(),
        detail: report.decision.detail.clone(),
        delay_s: pause.map(|pause| pause.delay.as_secs_f64()),
        next_start_at: pause.map(|pause| at(pause.until_ns)),
        next_start_at_mono_ns: pause.map(|pause| pause.until_ns),
    }
}
