//! How much a worker may use.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bailiwick_supervisor::control::MemoryMechanism;
use bailiwick_supervisor::sandbox::{Aspect, Machine};
use bailiwick_supervisor::spec::{Limits, Preset, Shares};
use bailiwick_sys::events::Signal;
use bailiwick_sys::identity::effective_uid;
use bailiwick_sys::wait::Change;

use crate::bench::{Bench, PATIENCE, is_root, worker};

const MIB: u64 = 1 << 20;

pub(super) fn memory_beyond_the_limit_costs_the_worker_its_life() {
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.memory_max = Some(64 * MIB);
    exhaust(&mut Bench::new(worker.clone()));
    let mut bench = Bench::on(Machine::probe().without_cgroups(), worker).expect("a sandbox");
    assert_eq!(bench.prepared().memory_mechanism(), MemoryMechanism::AddressSpace);
    let told: Vec<_> = bench.prepared().missing().iter().map(|missing| missing.what).collect();
    assert!(told.contains(&Aspect::Memory), "{told:?}");
    exhaust(&mut bench);
}

fn exhaust(bench: &mut Bench) {
    let life = bench.start_confined();
    assert_eq!(life.ask(&format!("allocate {}", 16 * MIB)), format!("holds {}", 16 * MIB));
    life.send(&format!("allocate {}", 256 * MIB), &[]);
    let Change::Killed { signal, .. } = life.end() else { panic!("it lives on") };
    match bench.prepared().memory_mechanism() {
        MemoryMechanism::AddressSpace => assert_eq!(signal, Signal::SIGABRT as i32),
        mechanism => {
            assert_eq!(
                (signal, bench.prepared().counts().oom_kills),
                (Signal::SIGKILL as i32, Some(1)),
                "{mechanism:?}"
            );
        }
    }
}

pub(super) fn limits_are_what_is_declared() {
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.limit_nofile = Some(77);
    // A level that a process without privilege may reach, whatever it has itself.
    let nice = (own_nice() + 3).min(19);
    worker.sandbox.nice = Some(nice);
    let mut bench = Bench::new(worker);
    let life = bench.start();
    assert_eq!((life.ask("limit core"), life.ask("limit nofile")), ("(0, 0)".into(), "(77, 77)".into()));
    if is_root() {
        assert_eq!(life.ask("limit nproc"), "(64, 64)");
    }
    let read =
        |file| std::fs::read_to_string(format!("/proc/{}/{file}", life.child.pid)).expect("our own child");
    assert_eq!(read("oom_score_adj").trim(), "500");
    let stat = read("stat");
    assert_eq!(nice_of(&stat), Some(nice), "{stat}");
}

pub(super) fn a_sandboxed_worker_has_limits_of_every_kind_where_none_is_declared() {
    let mut bench = Bench::new(worker(Preset::Sealed));
    let life = bench.start();
    let both = |most: u64| format!("({most}, {most})");
    for (limit, most) in [
        ("fsize", 256 * MIB),
        ("stack", 8 * MIB),
        ("memlock", 0),
        ("msgqueue", 0),
        ("sigpending", 256),
        ("rtprio", 0),
        ("nice", 0),
    ] {
        assert_eq!(life.ask(&format!("limit {limit}")), both(most), "{limit}");
    }
    assert!(life.ask("facts").ends_with("umask 77"), "{}", life.ask("facts"));
}

pub(super) fn each_declared_limit_is_set_hard() {
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.umask = Some(0o027);
    worker.sandbox.limits = Limits {
        file_size: Some(3 * MIB),
        address_space: Some(900 * MIB),
        stack: Some(MIB),
        locked_memory: Some(4096),
        cpu_seconds: Some(70),
        message_queues: Some(8192),
        pending_signals: Some(7),
        ..Limits::default()
    };
    let mut bench = Bench::new(worker);
    let life = bench.start();
    for (limit, soft, hard) in [
        ("fsize", 3 * MIB, 3 * MIB),
        ("as", 900 * MIB, 900 * MIB),
        ("stack", MIB, MIB),
        ("memlock", 4096, 4096),
        ("cpu", 70, 71),
        ("msgqueue", 8192, 8192),
        ("sigpending", 7, 7),
    ] {
        assert_eq!(life.ask(&format!("limit {limit}")), format!("({soft}, {hard})"), "{limit}");
    }
    assert!(life.ask("facts").ends_with("umask 27"), "{}", life.ask("facts"));
}

pub(super) fn a_file_grows_as_far_as_the_limit() {
    let grow = |limit: Option<u64>, bytes: u64| {
        let mut worker = worker(Preset::Sealed);
        worker.sandbox.limits.file_size = limit;
        let file = tempfile::tempfile().expect("a file");
        let mut bench = Bench::new(worker);
        let life = bench.start_confined();
        let answer = life.ask_with(&format!("grow {bytes}"), file.as_fd());
        (answer, file.metadata().expect("an open file").len())
    };
    assert_eq!(grow(None, 8192), ("ok".into(), 8192));
    assert_eq!(grow(Some(4096), 4096), ("ok".into(), 4096));
    // This program is not one of the runtime, so that the signal ends it.
    assert_eq!(grow(Some(4096), 8192), (String::new(), 4096));
}

pub(super) fn memory_is_locked_and_reserved_as_far_as_the_limits() {
    let ask = |order: &str, limits: Limits| {
        // Of a worker whose filter leaves it to the limit.
        let mut worker = worker(Preset::Exec);
        worker.sandbox.limits = limits;
        Bench::new(worker).start().ask(order)
    };
    let some = Limits { locked_memory: Some(64 << 10), ..Limits::default() };
    assert_eq!(ask("lock-memory", some), "ok");
    assert_eq!(ask("lock-memory", Limits::default()), "EPERM");
    let reserve = format!("reserve {}", 512 * MIB);
    assert_eq!(ask(&reserve, Limits::default()), "ok");
    let little = Limits { address_space: Some(256 * MIB), ..Limits::default() };
    assert_eq!(ask(&reserve, little), "no memory");
}

pub(super) fn processor_time_is_used_as_far_as_the_limit() {
    let burn = |cpu_seconds| {
        let mut worker = worker(Preset::Sealed);
        worker.sandbox.limits.cpu_seconds = cpu_seconds;
        let mut bench = Bench::new(worker);
        let life = bench.start_confined();
        let answer = life.ask("burn 1500");
        match answer.is_empty().then(|| life.end()) {
            Some(Change::Killed { signal, .. }) => signal,
            _ => 0,
        }
    };
    assert_eq!(burn(None), 0);
    assert_eq!(burn(Some(1)), Signal::SIGXCPU as i32);
}

pub(super) fn memory_files_count_as_memory_where_a_group_bounds_it() {
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.memory_max = Some(64 * MIB);
    let mut bench = Bench::new(worker);
    let life = bench.start_confined();
    if bench.prepared().memory_mechanism() == MemoryMechanism::AddressSpace {
        // What a limit of address space does not count is not made, and that is told.
        assert_eq!(life.ask("memfd"), "EPERM");
        let missing = bench.prepared().missing();
        assert!(missing.iter().any(|one| one.what == Aspect::Memory), "{missing:?}");
        return;
    }
    assert_eq!(life.ask(&format!("fill-memory-file {}", 8 * MIB)), "ok");
    // The bytes alone would have room, and not the file beside them.
    assert_eq!(life.ask(&format!("fill-memory-file {}", 40 * MIB)), "");
    let killed = life.end();
    assert!(
        matches!(killed, Change::Killed { signal, .. } if signal == Signal::SIGKILL as i32),
        "{killed:?}"
    );
    assert_eq!(bench.prepared().counts().oom_kills, Some(1));
}

pub(super) fn processors_are_shared_out_as_declared() {
    let cgroups = Machine::probe().cgroups;
    let Some(own) = cgroups.v1_cpu.filter(|_| cgroups.v2_controllers.is_empty()) else {
        return println!("SKIPPED: there is no hierarchy of processors of version 1");
    };
    // Less than it gets on any machine, however busy: who is never given its quota is never held back.
    let throttled = |cpu_quota, patience: Duration| {
        let mut worker = worker(Preset::Sealed);
        worker.sandbox.shares = Shares { cpu_weight: Some(50), cpu_quota, ..Shares::default() };
        let mut bench = Bench::new(worker);
        assert_eq!(bench.group_file(&own, "cpu.shares").trim(), "512");
        let life = bench.start_confined();
        let until = Instant::now() + patience;
        loop {
            assert_eq!(life.ask("burn 5"), "burnt");
            let stat = bench.group_file(&own, "cpu.stat");
            let count = stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")?.parse::<u32>().ok());
            let count = count.expect("the kernel counts");
            if count > 0 || Instant::now() >= until {
                return count;
            }
        }
    };
    assert_eq!(throttled(None, Duration::ZERO), 0);
    assert!(throttled(Some(1), PATIENCE) > 0);
}

pub(super) fn a_share_that_cannot_be_had_is_refused_or_told() {
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.shares.cpu_quota = Some(10);
    let poor = || Machine::probe().without_cgroups();
    let error = Bench::on(poor(), worker.clone()).err().expect("a refusal");
    let text = "worker probe needs cpu_quota, which this machine does not give: there is no control group for processors";
    assert_eq!((error.exit_code(), error.to_string().as_str()), (69, text));
    let mut bench = Bench::degraded_on(poor(), worker);
    let told: Vec<_> = bench.prepared().missing().iter().map(ToString::to_string).collect();
    assert!(told.contains(&"cpu_quota: there is no control group for processors".to_owned()), "{told:?}");
    bench.start();
}

fn own_nice() -> i8 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("our own process");
    nice_of(&stat).expect("every process has a level")
}

/// Returns the nice level that a line of /proc/PID/stat tells.
fn nice_of(stat: &str) -> Option<i8> {
    stat.rsplit(')').next()?.split_whitespace().nth(16)?.parse().ok()
}

pub(super) fn tasks_beyond_the_limit_are_refused() {
    let mut worker = worker(Preset::Exec);
    worker.sandbox.tasks_max = Some(8);
    // By a control group where there is one, and then by the worker's own user.
    for machine in [Machine::probe(), Machine::probe().without_cgroups()] {
        fill(Bench::on(machine, worker.clone()).expect("a sandbox"));
    }
}

pub(super) fn a_bound_on_tasks_that_cannot_hold_is_refused() {
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.tasks_max = Some(8);
    worker.sandbox.user = Some(effective_uid().to_string());
    worker.privileged = true;
    let mut poor = Machine::probe().without_cgroups();
    poor.space.counts_tasks = false;
    let error = Bench::on(poor, worker).err().expect("a refusal");
    assert_eq!(error.exit_code(), 69);
    let text = "worker probe needs tasks_max, which this machine does not give: there is neither a pids control \
                group, nor a user or user namespace of the worker's own that counts";
    assert_eq!(error.to_string(), text);
}

fn fill(mut bench: Bench) {
    let life = bench.start_confined();
    let bomb = "i=0; while [ $i -lt 32 ]; do sleep 60 & i=$((i+1)); done 2>/dev/null; exit 9";
    assert_ne!(life.ask(&format!("run {bomb}")), "exit status: 9", "32 processes beside each other");
    drop(life);
    bench.kill_tree();
}
