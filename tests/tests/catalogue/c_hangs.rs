//! Workers that do not get on: stopped by a signal, held by a debugger, or caught in a poll that does not end.

use std::path::Path;
use std::time::Duration;

use bailiwick_cli::symbols::stacks;
use bailiwick_supervisor::control::{Cause, State, Verb};
use bailiwick_tests::harness::{Stopwatch, Supervised, needs_root};
use bailiwick_tests::run;
use bailiwick_wire::backtraces::{self, Backtraces};
use bailiwick_wire::slate::LAST_WORDS_AT;
use nix::sys::signal::Signal;

use crate::support::{plain, worker};

/// Ends a worker that does not get on quickly, which the defaults do not.
const IMPATIENT: &str = "liveness_timeout = \"1s\"\ndrain_timeout = \"0s\"\nstop_timeout = \"1s\"";
const SECOND: Duration = Duration::from_secs(1);

/// Seen to fail without the notice of SIGSTOP; the wait for stopped children; the limit for who is stopped.
#[test]
fn c7_a_worker_that_sigstop_holds_is_told_at_once_and_killed_after_the_limit() {
    let mut supervised = run!(&worker("a", IMPATIENT, ""));
    supervised.wait_for_life("a", 1);
    let (from, stopwatch) = (supervised.journal().len(), Stopwatch::start());
    supervised.pid("a").signal(Signal::SIGSTOP);
    supervised.journal().wait_for(from, "a#1 is stopped by a signal");
    stopwatch.assert_within(Duration::from_millis(100), "the news of the stop");
    assert!(supervised.worker("a").signs.sigstopped);
    let again = supervised.wait_for_life("a", 2);
    stopwatch.assert_within(2 * SECOND, "the replacement");
    assert!(stopwatch.began().elapsed() >= SECOND, "it was killed before its time");
    assert_eq!((again.restarts, again.last_cause), (1, Some(Cause::Suspended)));
    supervised.stop();
}

/// Seen to fail without the notice of SIGSTOP; the wait for stopped children; `on_sigstop = "ignore"`.
#[test]
fn c7_a_worker_may_be_left_stopped() {
    let mut supervised = run!(&worker("a", &format!("{IMPATIENT}\non_sigstop = \"ignore\""), ""));
    supervised.wait_for_life("a", 1);
    supervised.pid("a").signal(Signal::SIGSTOP);
    supervised.journal().wait_for(0, "a#1 is stopped by a signal");
    outlast(&supervised, 3 * SECOND);
    supervised.pid("a").signal(Signal::SIGCONT);
    assert_eq!(supervised.wait_for_life("a", 1).restarts, 0);
    supervised.stop();
}

/// Seen to fail without the notice of SIGSTOP; the wait for stopped children; the notice of SIGCONT.
#[test]
fn c8_a_worker_that_goes_on_before_the_limit_is_left_alone() {
    let mut supervised = run!(&worker("a", "liveness_timeout = \"3s\"", ""));
    let before = supervised.wait_for_life("a", 1).pid;
    for _ in 0..3 {
        let from = supervised.journal().len();
        supervised.pid("a").signal(Signal::SIGSTOP);
        supervised.journal().wait_for(from, "a#1 is stopped by a signal");
        outlast(&supervised, SECOND);
        supervised.pid("a").signal(Signal::SIGCONT);
        outlast(&supervised, SECOND / 2);
    }
    let after = supervised.worker("a");
    assert_eq!((after.pid, after.restarts, after.state), (before, 0, State::Ready));
    assert!(!after.signs.sigstopped);
    supervised.stop();
}

/// Seen to fail without the SIGCONT after the stop signal.
#[test]
fn c9_a_stop_wakes_a_worker_that_sigstop_holds_and_ends_it_in_order() {
    let mut supervised = run!(&worker("a", "stop_timeout = \"5s\"\ndrain_timeout = \"1s\"", ""));
    supervised.wait_for_life("a", 1);
    supervised.pid("a").signal(Signal::SIGSTOP);
    supervised.journal().wait_for(0, "a#1 is stopped by a signal");
    let stopwatch = Stopwatch::start();
    supervised.order(Verb::Stop, "a");
    stopwatch.assert_within(2 * SECOND, "the stop");
    let stopped = supervised.worker("a");
    assert_eq!((stopped.state, stopped.last_cause), (State::Stopped, Some(Cause::Stopped)));
    supervised.stop();
}

/// Seen to fail without the look at the longest poll; the end of who hangs; the news of who is stuck; the slate of
/// polls.
#[test]
fn c10_a_handler_that_never_ends_is_named_and_its_worker_is_aborted() {
    let mut supervised = run!(&worker("a", &IMPATIENT.replacen("1s", "3s", 1), "spin_ms = 1_000_000_000"));
    supervised.wait_for_life("a", 1);
    let stopwatch = Stopwatch::start();
    supervised.journal().wait_for(0, "a#1 is stuck: its actor life has been in Probe.spin for ");
    stopwatch.assert_within(2 * SECOND, "the news");
    assert!(supervised.worker("a").signs.stuck);
    supervised.journal().wait_for(0, "a#1 ended after");
    stopwatch.assert_within(5 * SECOND, "the end");
    // By the supervisor's own clock: that it was ready may be seen late.
    let report = supervised.wait_for_crash("a", 1);
    assert!(report.ready_for.is_some_and(|ready| ready >= 2 * SECOND), "killed before its time: {report:?}");
    assert_eq!(supervised.wait_for_life("a", 2).last_cause, Some(Cause::Hung));
    supervised.stop();
}

/// Seen to fail without a thread of its own for the one that hangs.
#[test]
fn c10_a_handler_that_never_ends_holds_up_only_the_actors_of_its_thread() {
    let spins = "actor.other = { type = \"Life\", args = { spin_ms = 1_000_000_000 } }";
    let limit = IMPATIENT.replacen("1s", "3s", 1);
    let pilot = "[worker.pilot]\nexec = \"tw\"\nactor.flight = { type = \"Pilot\", args = { target = \"a/life\" } }\n";
    let grant = "[[grant]]\nfrom = \"pilot\"\nto = \"a\"\n";
    // The one that answers is on the first thread, with the work of links, and the other on the second.
    let a = [worker("a", &format!("threads = 2\n{limit}"), ""), format!("{spins}\n")].concat();
    let mut supervised = run!(&[&a, pilot, grant].concat());
    supervised.journal().wait_for(0, "a#1 is stuck: its actor other has been in Probe.spin for ");
    let from = supervised.journal().len();
    supervised.journal().wait_until("answers of its neighbour", |lines| {
        // The answers of this life, and none of the next.
        let alive = lines[from..].iter().take_while(|line| !line.text.contains("a#1 ended"));
        let answers = alive.filter(|line| line.text.contains("of a/life ok"));
        (answers.count() >= 20).then_some(())
    });
    assert_eq!(supervised.wait_for_crash("a", 1).cause, Cause::Hung);
    assert_eq!(supervised.wait_for_life("a", 2).last_cause, Some(Cause::Hung));
    supervised.stop();
}

/// Seen to fail without the handlers that leave the stacks; the list of its threads.
#[test]
fn c10_a_sealed_worker_that_is_aborted_leaves_the_stacks_of_all_its_threads() {
    abort("");
}

/// There its threads have other numbers than where they are listed. Seen to fail without the search for them.
#[test]
fn c10_a_worker_in_a_pid_namespace_leaves_the_stacks_of_all_its_threads() {
    if needs_root("only root can end all that it may start") {
        return;
    }
    abort("sandbox.preset = \"exec\"\n");
}

/// Aborts a worker of two threads that has these keys.
fn abort(keys: &str) {
    let keys = [keys, &IMPATIENT.replacen("1s", "60s", 1)].concat();
    let mut supervised = run!(&worker("a", &keys, "spin_ms = 1_000_000_000, second_thread = true"));
    supervised.journal().wait_for(0, "a#1 is stuck");
    // As long as it stands still, the supervisor holds what the dead leave.
    let (supervisor, dying) = (supervised.process(), supervised.pid("a"));
    supervisor.signal(Signal::SIGSTOP);
    dying.signal(Signal::SIGABRT);
    supervised.journal().wait_until("the worker to be dead", |_| (!dying.is_alive()).then_some(()));
    let is_slate = |(_, target): &(u32, String)| target.starts_with("/memfd:bailiwick");
    let (slate, _) = supervisor.descriptors().into_iter().find(is_slate).expect("each worker has one");
    let slate = std::fs::read(format!("/proc/{}/fd/{slate}", supervisor.0)).expect("it is our supervisor's");
    supervisor.signal(Signal::SIGCONT);
    let text = backtraces::left(&slate[LAST_WORDS_AT..]).expect("a signal ended it");
    let backtraces = Backtraces::from_bytes(&text);
    assert_eq!((backtraces.signal, backtraces.is_complete), (Some(6), true), "{backtraces:?}");
    let (stacks, problem) = stacks(&backtraces, Path::new(env!("CARGO_BIN_EXE_tw")));
    assert_eq!(problem, None);
    let second = stacks.iter().find(|stack| stack.name == "second").expect("its second thread told too");
    assert!(second.calls.iter().any(|call| call.function.contains("functions::park")), "{second:?}");
    // Its code was interrupted, and not the handler of the signal.
    let depth = |function: &str| stacks[0].calls.iter().position(|call| call.function.contains(function));
    let (spins, polled) = (depth("life::Life"), depth("progress::one_poll"));
    assert!(spins.is_some() && spins < polled, "{stacks:?}");
    supervised.stop();
}

/// Seen to fail without the look at the longest poll; the end of who hangs; the slate of polls.
#[test]
fn c11_an_executor_that_waits_for_itself_is_named_and_its_worker_is_aborted() {
    let mut supervised = run!(&worker("a", IMPATIENT, "deadlock = true"));
    supervised.journal().wait_for(0, "a#1 ended after");
    assert_eq!(supervised.wait_for_life("a", 2).last_cause, Some(Cause::Hung));
    supervised.stop();
}

/// Seen to fail without the look at the longest poll; the end of who hangs; the news of who is stuck; the slate of
/// polls.
#[test]
fn c11_a_deadlock_is_told_long_before_its_worker_is_ended() {
    let mut supervised = run!(&worker("a", "", "deadlock = true"));
    supervised.journal().wait_for(0, "a#1 is stuck: its actor life has been in Probe.deadlock for ");
    assert_eq!(supervised.worker("a").restarts, 0);
    supervised.order(Verb::Stop, "a");
    supervised.stop();
}

/// Seen to fail without the end that a poll comes to.
#[test]
fn c10_neither_waiting_nor_work_within_the_limit_is_a_hang() {
    // It spins while it is looked at, twice, and is within its limits all the same, also where others have its core for as long.
    let limits = "liveness_timeout = \"5s\"\nstuck_after = \"4900ms\"";
    let busy = worker("busy", limits, "spin_ms = 2200");
    let patient = worker("patient", IMPATIENT, "patient = true");
    let mut supervised = run!(&[busy, patient, worker("idle", IMPATIENT, "")].concat());
    outlast(&supervised, 6 * SECOND);
    for name in ["busy", "patient", "idle"] {
        assert_eq!(supervised.wait_for_life(name, 1).restarts, 0, "{name}");
    }
    assert!(!supervised.journal().since(0).iter().any(|line| line.text.contains("is stuck")));
    supervised.stop();
}

/// Seen to fail without the look at the longest poll; the look for a debugger; the slate of polls.
#[test]
fn c14_a_worker_that_a_debugger_holds_is_not_killed_until_it_lets_go() {
    if needs_root("a worker may be traced by root only") {
        return;
    }
    let mut supervised = run!(&worker("a", IMPATIENT, "spin_ms = 1_000_000_000, after_ms = 2000"));
    let worker = supervised.wait_for_life("a", 1);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(worker.pid.expect("it runs")).expect("a pid fits"));
    // It is held like by gdb before it spins: from then on it is in no poll; and let run while it is traced.
    nix::sys::ptrace::seize(pid, nix::sys::ptrace::Options::empty()).expect("root may trace it");
    supervised.wait_for_worker("a", "traced", |row| row.signs.traced.then_some(()));
    outlast(&supervised, 6 * SECOND);
    let held = supervised.worker("a");
    assert_eq!((held.pid, held.restarts), (worker.pid, 0), "a debugger suspends the watchdog");
    nix::sys::ptrace::interrupt(pid).expect("it is traced");
    nix::sys::wait::waitpid(pid, None).expect("it stops");
    nix::sys::ptrace::detach(pid, None).expect("it is stopped");
    supervised.journal().wait_for(0, "a#1 ended after");
    assert_eq!(supervised.wait_for_life("a", 2).last_cause, Some(Cause::Hung));
    supervised.stop();
}

/// Seen to fail without the forgiveness of the supervisor's own lag.
#[test]
fn the_supervisor_kills_nobody_for_the_time_that_it_stood_still_itself() {
    let mut supervised = run!(&[worker("a", IMPATIENT, ""), worker("b", IMPATIENT, ""), plain("c")].concat());
    let before = ["a", "b", "c"].map(|name| supervised.wait_for_life(name, 1).pid);
    // One of them stands still as well, from before, as all do in a virtual machine that pauses.
    let stopped = supervised.pid("b");
    stopped.signal(Signal::SIGSTOP);
    supervised.journal().wait_for(0, "b#1 is stopped by a signal");
    supervised.process().signal(Signal::SIGSTOP);
    outlast_alone(4 * SECOND);
    stopped.signal(Signal::SIGCONT);
    supervised.process().signal(Signal::SIGCONT);
    supervised.journal().wait_for(0, "the supervisor itself did not run for");
    outlast(&supervised, 2 * SECOND);
    let after = ["a", "b", "c"].map(|name| supervised.wait_for_life(name, 1));
    assert_eq!(after.each_ref().map(|row| (row.pid, row.restarts)), before.map(|pid| (pid, 0)));
    supervised.stop();
}

/// Lets time pass while the supervisor does its work.
fn outlast(supervised: &Supervised, time: Duration) {
    let until = std::time::Instant::now() + time;
    supervised.journal().wait_until("time to pass", |_| {
        supervised.status();
        (std::time::Instant::now() >= until).then_some(())
    });
}

/// Lets time pass.
fn outlast_alone(time: Duration) {
    let until = std::time::Instant::now() + time;
    while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
        std::thread::park_timeout(left);
    }
}
