//! Whether anybody stays behind.

use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use bailiwick_supervisor::sandbox::Aspect;
use bailiwick_supervisor::spec::{Preset, Worker};
use bailiwick_sys::events::Signal;
use bailiwick_sys::process::open_pidfd;
use bailiwick_sys::wait::{self, Change};

use crate::bench::{Bench, Life, WORKER, await_readable, worker};

/// Leaves two processes that no signal to the worker's session or group reaches.
const RUNAWAYS: &str = "run setsid sh -c 'sleep 1000 & exec sleep 1000' > /dev/null 2>&1 & echo";

/// Starts runaways and returns everything that runs as the worker's user.
fn everybody(bench: &Bench, life: &Life) -> Vec<i32> {
    assert_eq!(life.ask(RUNAWAYS), "exit status: 0");
    let uid = bench.prepared().identity().uid.to_string();
    let all = || -> Vec<i32> {
        let processes = std::fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            status
                .lines()
                .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(1) == Some(&uid))
        })
        .collect()
    };
    // The shell has returned before its background has started; asking the worker again gives it time to.
    let found = std::iter::repeat_with(|| (life.ask("run true"), all()).1).find(|pids| pids.len() >= 3);
    found.expect("an endless search")
}

pub(super) fn grandchildren_in_sessions_of_their_own_are_killed() {
    // By the worker's own user, and then by a control group.
    leave_nobody(Bench::new(worker(Preset::Exec)));
    let shared = Bench::new(shared());
    if shared.prepared().missing().iter().any(|missing| missing.what == Aspect::Descendants) {
        return println!("skipped for a shared user: there is no cgroup.kill");
    }
    leave_nobody(shared);
}

fn leave_nobody(mut bench: Bench) {
    let life = bench.start_confined();
    let everybody: Vec<_> =
        everybody(&bench, &life).into_iter().map(open_pidfd).filter_map(Result::ok).collect();
    life.send("exit 3", &[]);
    assert!(matches!(life.end(), Change::Exited { code: 3, .. }));
    bench.kill_tree();
    assert!(bench.launcher.is_empty(WORKER).expect("an answer"));
    everybody.iter().for_each(|pidfd| await_readable(pidfd.as_fd()));
    // And the next life is not hurt by what ended the last one.
    assert_eq!(bench.start_confined().ask("thread"), "ok");
}

/// Declares a worker whose user may have other processes too.
fn shared() -> Worker {
    let mut worker = worker(Preset::Exec);
    worker.sandbox.user = Some("4711".into());
    worker
}

pub(super) fn a_killed_supervisor_leaves_nobody() {
    for scene in ["a_supervisor_waits_with_runaways", "a_supervisor_waits_with_runaways_of_a_shared_user"] {
        kill_supervisor(scene);
    }
}

pub(super) fn kill_supervisor(scene: &str) {
    let (mut supervisor, everybody) = supervise(scene);
    supervisor.kill().expect("it is a child of ours");
    // How soon is asserted where the lag of the machine is measured: of the whole supervisor, in the catalogue.
    everybody.iter().for_each(|pidfd| await_readable(pidfd.as_fd()));
    supervisor.wait().expect("it is a child of ours");
}

pub(super) fn a_worker_that_cannot_fork_dies_with_its_supervisor() {
    let (mut supervisor, everybody) = supervise("a_supervisor_waits_with_a_sealed_worker");
    supervisor.kill().expect("it is a child of ours");
    everybody.iter().for_each(|pidfd| await_readable(pidfd.as_fd()));
    supervisor.wait().expect("it is a child of ours");
}

pub(super) fn the_guardian_is_replaced_when_it_dies() {
    let mut bench = Bench::new(worker(Preset::Sealed));
    let first = bench.launcher.guardian().expect("as root there is one");
    let pidfd = open_pidfd(first).expect("it was not waited for");
    wait::send_signal(pidfd.as_fd(), Signal::SIGKILL).expect("it is a child of ours");
    await_readable(pidfd.as_fd());
    bench.launcher.tend().expect("another");
    assert!(bench.launcher.guardian().is_some_and(|second| second != first));
}

pub(super) fn a_supervisor_waits_with_runaways() {
    let mut bench = Bench::new(worker(Preset::Exec));
    let life = bench.start_confined();
    wait_with(&everybody(&bench, &life));
}

pub(super) fn a_supervisor_waits_with_runaways_of_a_shared_user() {
    let mut bench = Bench::new(shared());
    let life = bench.start_confined();
    wait_with(&everybody(&bench, &life));
}

pub(super) fn a_supervisor_waits_with_a_sealed_worker() {
    let mut bench = Bench::new(worker(Preset::Sealed));
    let life = bench.start_confined();
    wait_with(&[life.child.pid]);
}

pub(super) fn wait_with(everybody: &[i32]) {
    println!("{}", everybody.iter().map(i32::to_string).collect::<Vec<_>>().join(" "));
    nix::unistd::pause();
}

/// Runs a supervisor in a process of its own and returns it with descriptors of everybody below it.
fn supervise(scene: &str) -> (Child, Vec<OwnedFd>) {
    let program = std::env::current_exe().expect("a running program");
    let mut supervisor = Command::new(program)
        .args(["--case", scene])
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts");
    let mut line = String::new();
    let output = supervisor.stdout.take().expect("it is piped");
    BufReader::new(output).read_line(&mut line).expect("a line of process ids");
    let open = |pid: &str| open_pidfd(pid.parse().expect("a process id")).expect("a live process");
    let everybody: Vec<_> = line.split_whitespace().map(open).collect();
    assert!(!everybody.is_empty(), "{scene} has nobody");
    (supervisor, everybody)
}
