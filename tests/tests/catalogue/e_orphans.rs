//! No orphan and no duplicate: not when the supervisor dies, not when a worker does, not when a second one starts.

use std::process::Command;
use std::time::Duration;

use bailiwick_supervisor::control::{ReloadMode, Verb};
use bailiwick_tests::harness::{Ended, Process, Stopwatch, Supervised, needs_root};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::{plain, worker};

/// Two workers, each with three descendants that have left its session and ignore what one asks them.
const BREEDERS: &str = r#"
[worker.breeder]
exec = "tw"
instances = 2
sandbox.preset = "exec"
environment = { TW_HOME = "FOLDER" }
actor.life = { type = "Life", args = { grandchildren = 3 } }
[worker.plain]
exec = "tw"
actor.life = { type = "Life", args = {} }
"#;

const BREEDING: &str = "only root can end all that these workers start";

/// Waits until all six descendants are there, and returns every process.
fn breeders() -> (Supervised, Vec<Process>) {
    breeders_with("")
}

/// The same, with more keys of the breeders.
fn breeders_with(keys: &str) -> (Supervised, Vec<Process>) {
    let supervised = run!(&BREEDERS.replace("instances = 2\n", &format!("instances = 2\n{keys}")));
    for worker in ["breeder.1", "breeder.2", "plain"] {
        supervised.wait_for_life(worker, 1);
    }
    let all = supervised.journal().wait_until("six descendants", |_| {
        let all = supervised.processes();
        (all.iter().filter(|process| is_lingering(**process)).count() == 6).then_some(all)
    });
    (supervised, all)
}

fn is_lingering(process: Process) -> bool {
    process.status().get("Name").is_some_and(|name| name == "sleep")
}

/// Seen to fail without the guardian's kill.
#[test]
fn e1_nothing_outlives_a_killed_supervisor_by_more_than_a_second() {
    if needs_root(BREEDING) {
        return;
    }
    let (mut supervised, _) = breeders();
    let stopwatch = Stopwatch::start();
    supervised.signal(Signal::SIGKILL);
    assert_eq!(supervised.wait(), Ended::Signal(9));
    supervised
        .journal()
        .wait_until("workers and descendants to be gone", |_| supervised.workers().is_empty().then_some(()));
    stopwatch.assert_within(Duration::from_secs(1), "the end of workers and descendants");
}

/// The kernel alone ends a worker that hangs when it should stop, if the guardian is gone as well.
///
/// Seen to fail without the parent-death signal.
#[test]
fn a_worker_that_hangs_dies_with_its_supervisor_without_a_guardian() {
    let hangs =
        "[worker.hangs]\nexec = \"tw\"\nactor.life = { type = \"Life\", args = { stubborn = true } }\n";
    let mut supervised = run!(hangs);
    supervised.wait_for_life("hangs", 1);
    let (supervisor, worker) = (supervised.process(), supervised.pid("hangs"));
    // It would start another guardian.
    supervisor.signal(Signal::SIGSTOP);
    let is_guardian = |process: &Process| *process != supervisor && *process != worker;
    let guardian: Vec<_> = supervised.processes().into_iter().filter(is_guardian).collect();
    guardian.iter().for_each(|process| process.signal(Signal::SIGKILL));
    let stopwatch = Stopwatch::start();
    supervisor.signal(Signal::SIGKILL);
    assert_eq!(supervised.wait(), Ended::Signal(9));
    supervised.journal().wait_until("the worker to be gone", |_| (!worker.is_alive()).then_some(()));
    stopwatch.assert_within(Duration::from_secs(1), "the end of the worker");
}

/// Waits until the guardian, another one than the `former`, is all that the supervisor has beside its workers.
fn guardian(supervised: &Supervised, former: Option<Process>) -> Process {
    let workers: Vec<_> = supervised.status().workers.iter().filter_map(|row| row.pid).collect();
    supervised.journal().wait_until("the guardian alone", |_| {
        // A process that hashes the executables is there for a moment as well.
        let children = supervised.process().children().into_iter();
        let is_other = |child: &Process| !workers.contains(&child.0) && Some(*child) != former;
        let others: Vec<_> = children.filter(is_other).collect();
        let [guardian] = others[..] else { return None };
        Some(guardian)
    })
}

/// What the guardian held of the supervisor's would outlive it: listeners, connections, the ends of links.
/// Seen to fail without the closing of its descriptors, among them its own end of the pipe: nothing starts.
#[test]
fn e1_the_guardian_holds_what_it_needs_and_nothing_else() {
    let listens = "[[listen]]\nname = \"http\"\ntcp = \"127.0.0.1:0\"\n";
    let web = worker("web", "kept = [\"http\"]\ninstances = 3", "");
    let mut supervised = run!(&[listens, &web, &plain("b")].concat());
    ["web.1", "web.2", "web.3", "b"].iter().for_each(|name| drop(supervised.wait_for_life(name, 1)));
    // With a connection and a link under way.
    let _client = supervised.control();
    let guardian = guardian(&supervised, None);
    let held: Vec<String> = guardian.descriptors().into_values().collect();
    let is_needed = |held: &&String| {
        let of_its_state = held.starts_with(&supervised.state_dir().display().to_string());
        let kills = held.ends_with("/cgroup.kill") || held.starts_with("/run/bailiwick/uids/");
        held.starts_with("pipe:") || of_its_state || kills
    };
    let needless: Vec<_> = held.iter().filter(|held| !is_needed(held)).collect();
    assert!(needless.is_empty(), "{needless:?} of {held:?}");
    assert_eq!(held.iter().filter(|held| held.starts_with("pipe:")).count(), 1, "{held:?}");
    supervised.stop();
}

/// Control: the one that is killed is replaced.
/// Seen to fail where a stop is taken for an end, and where a guardian that is dismissed is waited for until it ends by
/// itself: the supervisor hangs.
#[test]
fn e1_a_guardian_that_is_stopped_is_still_the_guardian_and_holds_nobody_up() {
    let mut supervised = run!(&plain("a"));
    let a = supervised.wait_for_life("a", 1).pid;
    let first = guardian(&supervised, None);
    for at in 0..20_000 {
        first.signal(Signal::SIGSTOP);
        first.signal(Signal::SIGCONT);
        if at % 100 == 0 {
            supervised.status();
        }
    }
    assert!(first.is_alive(), "it was replaced");
    first.signal(Signal::SIGKILL);
    let second = guardian(&supervised, Some(first));
    second.signal(Signal::SIGSTOP);
    supervised.reload(Verb::Reload(ReloadMode::Widening), &[plain("a"), plain("b")].concat());
    supervised.wait_for_life("b", 1);
    assert!(!second.is_alive(), "it was not replaced");
    assert_eq!(supervised.worker("a").pid, a, "it took its dismissal for the end of the supervisor");
    // At the end as well.
    guardian(&supervised, Some(second)).signal(Signal::SIGSTOP);
    supervised.stop();
}

/// Seen to fail without the replacement of a stale socket; the word about the supervisor before.
#[test]
fn e3_what_a_killed_supervisor_leaves_is_in_nobodys_way() {
    if needs_root(BREEDING) {
        return;
    }
    let (mut supervised, _) = breeders();
    supervised.signal(Signal::SIGKILL);
    supervised.wait();
    let mut command = Command::new(supervised.path().join("bailiwickd"));
    command.arg(supervised.path().join("app.toml")).arg("--state-dir").arg(supervised.state_dir());
    let mut next = supervised.again(command);
    next.wait_for_life("plain", 1);
    next.journal().wait_for(0, "the supervisor that ran here before");
    next.stop();
}

/// Kills the supervisor and its guardian at once.
fn kill_both(supervised: &mut Supervised) {
    let supervisor = supervised.process();
    // It would start another guardian.
    supervisor.signal(Signal::SIGSTOP);
    let workers = supervised.workers();
    let is_guardian = |process: &Process| {
        let is_init = process.status().get("Name").is_some_and(|name| name == "bailiwick-init");
        *process != supervisor && !workers.contains(process) && !is_init
    };
    let guardians = supervised.processes().into_iter().filter(is_guardian);
    guardians.for_each(|process| process.signal(Signal::SIGKILL));
    supervisor.signal(Signal::SIGKILL);
    assert_eq!(supervised.wait(), Ended::Signal(9));
}

/// In a PID namespace the kernel alone ends everybody.
///
/// Seen to fail without the namespace.
#[test]
fn e1_what_is_in_a_pid_namespace_outlives_no_supervisor_without_a_guardian_either() {
    if needs_root(BREEDING) {
        return;
    }
    let (mut supervised, _) = breeders();
    let stopwatch = Stopwatch::start();
    kill_both(&mut supervised);
    supervised
        .journal()
        .wait_until("workers and descendants to be gone", |_| supervised.workers().is_empty().then_some(()));
    stopwatch.assert_within(Duration::from_secs(1), "the end of workers and descendants");
}

/// Nobody is left to end the descendants of the workers, which the kernel alone ends with the supervisor.
///
/// Seen to fail without the end of whoever is in the record; the record of what lives.
#[test]
fn e3_what_outlives_supervisor_and_guardian_is_ended_at_the_next_start() {
    if needs_root(BREEDING) {
        return;
    }
    let (mut supervised, all) = breeders_with("sandbox.private_pids = false\n");
    let lingering: Vec<_> = all.into_iter().filter(|process| is_lingering(*process)).collect();
    let supervisor = supervised.process();
    kill_both(&mut supervised);
    assert!(lingering.iter().all(|process| process.is_alive()), "who has ended them?");
    let mut command = Command::new(supervised.path().join("bailiwickd"));
    command.arg(supervised.path().join("app.toml")).arg("--state-dir").arg(supervised.state_dir());
    let mut next = supervised.again(command);
    next.journal().wait_for(0, &format!("the supervisor that ran here before, pid {}, died", supervisor.0));
    next.journal().wait_for(0, "what 2 workers of it had left was killed");
    next.wait_for_life("plain", 1);
    let left: Vec<_> = lingering.iter().filter(|process| process.is_alive()).collect();
    assert!(left.is_empty(), "{left:?} outlive two supervisors");
    next.stop();
}

/// Seen to fail without the kill of all that its user runs.
#[test]
fn f7_descendants_of_a_stopped_worker_are_gone_with_it() {
    if needs_root(BREEDING) {
        return;
    }
    let (mut supervised, _) = breeders();
    supervised.order(Verb::Stop, "breeder");
    let left: Vec<_> = supervised.processes().into_iter().filter(|process| is_lingering(*process)).collect();
    assert!(left.is_empty(), "{left:?} outlive their worker");
    supervised.stop();
}

/// Seen to fail without the kill of all that its user runs.
#[test]
fn descendants_of_a_killed_worker_are_gone_before_its_next_life_begins() {
    if needs_root(BREEDING) {
        return;
    }
    let (mut supervised, all) = breeders();
    let lingering: Vec<_> = all.into_iter().filter(|process| is_lingering(*process)).collect();
    for instance in ["breeder.1", "breeder.2"] {
        supervised.pid(instance).signal(Signal::SIGKILL);
    }
    for instance in ["breeder.1", "breeder.2"] {
        supervised.wait_for_life(instance, 2);
    }
    let left: Vec<_> = lingering.iter().filter(|process| process.is_alive()).collect();
    assert!(left.is_empty(), "{left:?} belong to lives that are over");
    supervised.stop();
}

/// Seen to fail without the lock of the state directory.
#[test]
fn e4_a_second_supervisor_on_one_state_directory_is_refused() {
    let mut first = run!("[worker.a]\nexec = \"tw\"\nactor.life = { type = \"Life\", args = {} }\n");
    let before = first.wait_for_life("a", 1);
    // One that is not refused runs for ever.
    let mut command = Command::new("timeout");
    command.arg("20").arg(first.path().join("bailiwickd"));
    command.arg(first.path().join("app.toml")).arg("--state-dir").arg(first.state_dir());
    let second = command.output().expect("it can be started");
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(75), "{said}");
    assert!(said.contains(&format!("pid {}", first.process().0)), "{said}");
    let after = first.worker("a");
    assert_eq!((after.pid, after.generation), (before.pid, before.generation));
    first.stop();
}

/// Seen to fail without the closing of what belongs to a life.
#[test]
fn thirty_kills_leave_neither_zombie_nor_descriptor() {
    let manifest = "[group.g]\nmax_restarts = 1000\nperiod = \"10s\"\n\
        [worker.a]\nexec = \"tw\"\ngroup = \"g\"\nbackoff = { base = \"1ms\", cap = \"1ms\" }\n\
        actor.life = { type = \"Life\", args = {} }\n";
    let mut supervised = run!(manifest);
    supervised.wait_for_life("a", 1);
    let before = supervised.process().descriptors().len();
    for generation in 2..32 {
        supervised.pid("a").signal(Signal::SIGKILL);
        supervised.wait_for_life("a", generation);
    }
    // Connections of this test that it has not seen the end of yet are none.
    supervised.journal().wait_until("neither zombie nor descriptor", |_| {
        let is_back = supervised.process().descriptors().len() <= before + 1;
        (is_back && supervised.process().zombies().is_empty()).then_some(())
    });
    supervised.stop();
}
