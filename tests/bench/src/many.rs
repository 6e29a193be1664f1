//! Two hundred workers under one supervisor: what it costs when nothing happens, and when all die at once.
//!
//! The floor of the recovery is the same number of processes of the same executable, made without sandbox or supervision
//! by the standard library, each of which says that it runs.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use bailiwick::prelude::*;
use bailiwick::{Group, Worker};
use bailiwick_supervisor::control::{Client, State, Status};
use rustix::process::{Pid, Signal, kill_process};

use crate::protocol::{EchoRef, Echoing};

const WORKERS: u16 = 200;
/// How long nothing happens.
const QUIET: Duration = Duration::from_secs(10);
/// The pause from one look to the next.
const GLANCE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);
/// The kernel's ticks in a second.
const TICKS: f64 = 100.0;

/// The name of the workers.
pub const NAME: &str = "many";

/// Runs as supervisor, or as one of the workers.
pub fn run(state_dir: Option<&str>) -> ExitCode {
    let worker = Worker::new(NAME, Sandbox::sealed())
        .serve(EchoRef::serve(Echoing::default))
        .instances(WORKERS)
        .group("measured")
        .backoff(Duration::ZERO, Duration::ZERO);
    let program =
        Program::new().group(Group::new("measured").budget(u32::from(WORKERS) * 5, QUIET)).add(worker);
    match state_dir {
        Some(path) => program.state_dir(path).run(),
        None => program.run(),
    }
}

/// What one process of the floor does: says that it runs, and waits to be killed.
pub fn floor() {
    println!("runs");
    let _ended = std::io::stdin().read(&mut [0]);
}

/// Measures, and prints a table.
pub fn print() {
    let folder = std::env::temp_dir().join(format!("bailiwick-many-{}", std::process::id()));
    let path = folder.to_str().expect("temporary folders have plain names");
    let floor_ms = floor_ms();
    let began = Instant::now();
    let mut supervisor = command(&["ours-many", path])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("we run ourselves");
    let first = wait_for(&folder, 1);
    let start_ms = millis(began);
    let pid = supervisor.id();
    let (before, quiet) = (cpu_seconds(pid), Instant::now());
    while let Some(left) = QUIET.checked_sub(quiet.elapsed()) {
        std::thread::park_timeout(left);
    }
    let idle = (cpu_seconds(pid) - before) / quiet.elapsed().as_secs_f64();
    let resident = resident_kib(pid);
    let died = Instant::now();
    for worker in &first.workers {
        let process = worker.pid.and_then(|pid| Pid::from_raw(pid.cast_signed())).expect("it is ready");
        kill_process(process, Signal::KILL).expect("we may kill it");
    }
    wait_for(&folder, 2);
    let recovery_ms = millis(died);
    let resident_after = resident_kib(pid);
    kill_process(Pid::from_raw(pid.cast_signed()).expect("a number"), Signal::TERM).expect("it is ours");
    let stopping = Instant::now();
    let ended = supervisor.wait().expect("it is ours");
    assert!(ended.success(), "an ordered stop ends with 0, this one with {ended}");
    let stop_ms = millis(stopping);
    // The lock of a state directory outlives the supervisor, for the next one.
    let _gone_already = std::fs::remove_dir_all(&folder);
    println!("| {WORKERS} workers, sandboxed | measured | beside {WORKERS} plain processes |");
    println!("|---|---:|---:|");
    println!("| start until the last is ready, ms | {start_ms:.0} | {:.2} |", start_ms / floor_ms);
    println!("| the supervisor's share of one core when nothing happens, % | {:.2} | |", idle * 100.0);
    println!("| its resident memory, KiB | {resident} | |");
    println!(
        "| all killed at once until the last is ready again, ms | {recovery_ms:.0} | {:.2} |",
        recovery_ms / floor_ms
    );
    println!("| its resident memory afterwards, KiB | {resident_after} | |");
    println!("| ordered stop, ms | {stop_ms:.0} | |");
    println!("| the plain processes: start until the last runs, ms | {floor_ms:.0} | 1 |");
}

/// Returns how long the plain processes take until the last one runs.
fn floor_ms() -> f64 {
    let began = Instant::now();
    let start = |_| {
        let command = &mut command(&["floor-many"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("we run ourselves")
    };
    let mut processes: Vec<Child> = (0..WORKERS).map(start).collect();
    for process in &mut processes {
        process.stdout.as_mut().expect("it was piped").read_exact(&mut [0]).expect("it says that it runs");
    }
    let took = millis(began);
    for mut process in processes {
        process.kill().expect("it is ours");
        process.wait().expect("it is ours");
    }
    took
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("we know ourselves"));
    command.args(arguments);
    command
}

/// Waits until every worker is ready in a life of at least this number.
fn wait_for(folder: &Path, generation: u32) -> Status {
    let until = Instant::now() + PATIENCE;
    loop {
        let status = Client::connect(folder).and_then(|client| client.status());
        if let Ok(status) = status
            && status.workers.iter().all(|row| row.state == State::Ready && row.generation >= generation)
        {
            assert_eq!(status.workers.len(), usize::from(WORKERS), "every one is counted");
            return status;
        }
        assert!(Instant::now() < until, "not all are ready after {PATIENCE:?}");
        std::thread::park_timeout(GLANCE);
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// The time that a process has used so far.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<_> = stat.rsplit_once(')').expect("the name ends").1.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / TICKS
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("every process has it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
