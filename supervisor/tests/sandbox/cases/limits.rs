//! How much a worker may use.

use bailiwick_supervisor::control::MemoryMechanism;
use bailiwick_supervisor::sandbox::{Aspect, Machine};
use bailiwick_supervisor::spec::Preset;
use bailiwick_sys::events::Signal;
use bailiwick_sys::identity::effective_uid;
use bailiwick_sys::wait::Change;

use crate::bench::{Bench, is_root, worker};

const MIB: u64 = 1 << 20;

pub(super) fn memory_beyond_the_limit_costs_the_worker_its_life() {
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.memory_max = Some(64 * MIB);
    exhaust(&Bench::new(worker.clone()));
    let bench = Bench::on(Machine::probe().without_cgroups(), worker).expect("a sandbox");
    assert_eq!(bench.prepared().memory_mechanism(), MemoryMechanism::AddressSpace);
    let told: Vec<_> = bench.prepared().missing().iter().map(|missing| missing.what).collect();
    assert!(told.contains(&Aspect::Memory), "{told:?}");
    exhaust(&bench);
}

fn exhaust(bench: &Bench) {
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
    let bench = Bench::new(worker);
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
    let error = Bench::on(Machine::probe().without_cgroups(), worker).err().expect("a refusal");
    assert_eq!(error.exit_code(), 69);
    let text = "worker probe needs tasks_max, which this machine does not give: there is neither a pids control \
                group nor a user of the worker's own";
    assert_eq!(error.to_string(), text);
}

fn fill(mut bench: Bench) {
    let life = bench.start_confined();
    let bomb = "i=0; while [ $i -lt 32 ]; do sleep 60 & i=$((i+1)); done 2>/dev/null; exit 9";
    assert_ne!(life.ask(&format!("run {bomb}")), "exit status: 9", "32 processes beside each other");
    drop(life);
    bench.kill_tree();
}
