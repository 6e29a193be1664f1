//! Workers in namespaces of their own: of processes, and without root of users.

use std::os::fd::AsFd;

use bailiwick_supervisor::sandbox::{Aspect, Machine};
use bailiwick_supervisor::spec::{Preset, Worker};
use bailiwick_sys::connections::{Connections, Terms};
use bailiwick_sys::events::Signal;
use bailiwick_sys::named_socket::listen_in;
use bailiwick_sys::process::open_pidfd;
use bailiwick_sys::wait::{self, Change};

use crate::bench::{Bench, Life, WORKER, await_readable, is_root, worker};
use crate::worker::connect_to;

/// Declares a worker that nothing confines but its namespaces.
fn bare() -> Worker {
    let mut worker = worker(Preset::None);
    worker.privileged = true;
    worker.sandbox.private_pids = Some(true);
    if is_root() {
        // Who has every capability may do everything also to who is not there.
        worker.sandbox.user = Some("4711".into());
    }
    worker
}

/// Returns every process that executes `sleep` for so many seconds.
fn sleepers(seconds: u32) -> Vec<i32> {
    let line = format!("sleep\0{seconds}\0");
    let processes = std::fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|found| found == line.as_bytes())
    })
    .collect()
}

/// Leaves two processes that no signal to the worker's session or group reaches, and returns them.
fn runaways(life: &Life) -> Vec<i32> {
    let seconds = std::process::id() + 1_000_000;
    let order = format!("run setsid sh -c 'sleep {seconds} & exec sleep {seconds}' > /dev/null 2>&1 & echo");
    assert_eq!(life.ask(&order), "exit status: 0");
    // The shell has returned before its background has started; asking the worker again gives it time to.
    let found =
        std::iter::repeat_with(|| (life.ask("pid"), sleepers(seconds)).1).find(|pids| pids.len() == 2);
    found.expect("an endless search")
}

pub(super) fn who_may_fork_is_the_second_process_of_its_namespace() {
    let mut bench = Bench::new(worker(Preset::Exec));
    for _ in 0..2 {
        let life = bench.start_confined();
        assert_eq!(life.ask("pid"), "2");
        assert_eq!(life.status("NSpid"), format!("{} 2", life.child.pid));
        drop(life);
        bench.kill_tree();
    }
    // Who may not fork has nobody to keep, and as root a user of its own that keeps others from it.
    let mut sealed = Bench::new(worker(Preset::Sealed));
    let life = sealed.start_confined();
    assert_eq!(life.status("NSpid").ends_with(" 2"), !is_root());
}

pub(super) fn an_end_is_told_as_what_it_is_from_within_a_namespace() {
    let mut bench = Bench::new(worker(Preset::Exec));
    let life = bench.start_confined();
    life.send("abort", &[]);
    let Change::Killed { signal, .. } = life.end() else { panic!("it lives on") };
    assert_eq!(signal, Signal::SIGABRT as i32);
    bench.kill_tree();
    let life = bench.start_confined();
    // What it does not handle reaches it all the same, which the first process of a namespace would not notice.
    wait::send_signal(life.child.pidfd.as_fd(), Signal::SIGTERM).expect("it is ours");
    let Change::Killed { signal, .. } = life.end() else { panic!("it lives on") };
    assert_eq!(signal, Signal::SIGTERM as i32);
    bench.kill_tree();
    let life = bench.start_confined();
    life.send("exit 7", &[]);
    assert!(matches!(life.end(), Change::Exited { code: 7, .. }));
}

/// E1 to E4, with the supervisor as the victim.
pub(super) fn from_within_a_namespace_nobody_else_can_be_named() {
    let secret = Box::new(*b"a secret");
    let assault = format!("assault {} {}", std::process::id(), secret.as_ptr() as usize);
    let mut open = bare();
    (open.sandbox.private_pids, open.sandbox.user) = (None, None);
    if is_root() {
        // The same as the supervisor, as it is without root.
        open.sandbox.user = Some("0".into());
    }
    let reached = Bench::new(open).start().ask(&assault);
    let all = "kill ok, kill all ok, pidfd_open ok, process_vm_readv ok, affinity ok, ptrace ok";
    assert_eq!(reached, all, "without a namespace nothing holds it");
    let reached = Bench::new(bare()).start().ask(&assault);
    assert_eq!(reached, all.replace("ok", "ESRCH"));
}

pub(super) fn who_is_in_a_namespace_of_users_makes_no_other_and_holds_nothing_in_it() {
    if is_root() {
        // As root each worker has a user of its own instead.
        let mut asking = bare();
        (asking.sandbox.private_pids, asking.sandbox.private_users) = (None, Some(true));
        assert!(Bench::try_new(asking).is_err());
        return;
    }
    let mut bench = Bench::new(bare());
    let life = bench.start();
    assert_eq!(life.ask("nest"), "ENOSPC");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(life.status(set), "0000000000000000", "{set}");
    }
    let facts = life.ask("facts");
    assert!(facts.contains("securebits 0xeb"), "{facts}");
    // As seen from here it is who the supervisor is, in its namespace too.
    let uid = nix::unistd::getuid();
    assert_eq!(life.status("Uid"), format!("{uid} {uid} {uid} {uid}"));
}

pub(super) fn all_that_was_started_in_a_nest_ends_with_it() {
    let mut bench = Bench::new(worker(Preset::Exec));
    let life = bench.start_confined();
    let runaways: Vec<_> =
        runaways(&life).into_iter().map(|pid| open_pidfd(pid).expect("it lives")).collect();
    life.send("exit 3", &[]);
    assert!(matches!(life.end(), Change::Exited { code: 3, .. }));
    bench.kill_tree();
    assert!(bench.launcher.is_empty(WORKER).expect("an answer"));
    runaways.iter().for_each(|pidfd| await_readable(pidfd.as_fd()));
    // And the next life is not hurt by what ended the last one.
    assert_eq!(bench.start_confined().ask("thread"), "ok");
}

pub(super) fn a_supervisor_waits_with_runaways_in_a_nest() {
    let mut bench = Bench::on(Machine::probe().without_cgroups(), worker(Preset::Exec)).expect("a sandbox");
    let life = bench.start_confined();
    let all = [runaways(&life), vec![life.child.pid]].concat();
    // The kernel alone has to do it.
    let guardian = bench.launcher.guardian().map(|pid| open_pidfd(pid).expect("it was not waited for"));
    if let Some(guardian) = guardian {
        wait::send_signal(guardian.as_fd(), Signal::SIGKILL).expect("it is a child of ours");
        await_readable(guardian.as_fd());
    }
    super::tree::wait_with(&all);
}

pub(super) fn a_killed_supervisor_leaves_nobody_in_a_nest() {
    super::tree::kill_supervisor("a_supervisor_waits_with_runaways_in_a_nest");
}

pub(super) fn the_first_process_of_a_namespace_has_no_power_and_one_descriptor() {
    let mut bench = Bench::new(worker(Preset::Exec));
    let life = bench.start_confined();
    let of_us = |pid: &i32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        text.lines().any(|line| line == format!("PPid:\t{}", std::process::id()))
    };
    let processes = std::fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
    let children = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(of_us);
    let name = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let inits: Vec<i32> = children.filter(|pid| name(pid) == "bailiwick-init\n").collect();
    let [init] = inits[..] else { panic!("{inits:?}") };
    let status = std::fs::read_to_string(format!("/proc/{init}/status")).expect("it lives");
    for line in ["CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t1"] {
        assert!(status.contains(line), "{line} is not in {status}");
    }
    // Nobody can look into it from within, and only root from without.
    if let Ok(held) = std::fs::read_dir(format!("/proc/{init}/fd")) {
        assert_eq!(held.count(), 1);
    }
    drop(life);
}

pub(super) fn a_start_that_fails_leaves_no_namespace() {
    let mut bench = Bench::new(worker(Preset::Exec));
    let life = bench.spawn();
    let pidfd = life.child.pidfd.try_clone().expect("a copy");
    // Nobody wants it any more while it is on its way.
    bench.launcher.abandon(WORKER);
    await_readable(pidfd.as_fd());
    assert!(bench.launcher.is_empty(WORKER).expect("an answer"));
    drop(life);
}

pub(super) fn what_the_machine_refuses_is_told_or_refuses_the_start() {
    let told = |worker: Worker| {
        let bench = Bench::on(Machine::probe().without_nests(), worker).expect("no key asks for it");
        bench.prepared().missing().iter().any(|missing| missing.what == Aspect::Key("private_pids"))
    };
    assert!(told(worker(Preset::Exec)));
    assert_eq!(told(worker(Preset::Sealed)), !is_root());
    let refused = Bench::required_on(Machine::probe().without_nests(), bare()).err();
    assert_eq!(refused.map(|error| error.exit_code()), Some(69));
    let mut not = worker(Preset::Exec);
    not.sandbox.private_pids = Some(false);
    not.sandbox.private_users = (!is_root()).then_some(false);
    assert!(!told(not));
}

/// Seen to fail without the look at who is confined.
pub(super) fn a_worker_is_no_operator_of_a_supervisor_of_its_own_user() {
    if is_root() {
        // As root no worker has the supervisor's user, nor sees its socket.
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("control.sock");
    let name = path.to_str().expect("a plain path").to_owned();
    let place = std::fs::File::open(folder.path()).expect("it is there");
    let listener = listen_in(place.as_fd(), folder.path(), "control.sock").expect("a socket");
    let said = b"not permitted".to_vec();
    let terms = Terms { most: 4, request_bytes: 64, not_permitted: said, too_many: Vec::new() };
    let mut connections = Connections::new(listener, terms);
    let honest = connect_to(&name).expect("it listens");
    assert!(connections.accept().is_some(), "an operator of the same user is let in");
    // In a view of its own it would not even find it.
    let mut bench = Bench::bare(worker(Preset::Exec));
    let life = bench.start_confined();
    life.send(&format!("heard {name}"), &[]);
    await_readable(connections.listener());
    assert_eq!(connections.accept(), None, "a worker was let in");
    assert_eq!(life.hear(), "not permitted");
    drop(honest);
}
