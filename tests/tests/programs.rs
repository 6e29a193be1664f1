//! A program that is its own supervisor, in three processes.

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, State};
use bailiwick_tests::harness::{Ended, Stopwatch, Supervised};
use nix::sys::signal::Signal;

/// Runs the shop, whose main function ends as its worker is called.
fn shop(how: &str) -> Supervised {
    Supervised::program(env!("CARGO_BIN_EXE_shop"), &[how])
}

#[test]
fn it_asks_another_process_and_ends_with_its_main_function() {
    let mut supervised = shop("ok");
    assert_eq!(supervised.wait(), Ended::Code(0), "{}", supervised.journal());
    supervised.journal().wait_for(0, "the probe says good day");
    supervised.assert_nothing_is_left();
}

#[test]
fn an_error_of_its_main_function_is_shown_and_ends_it_with_1() {
    let mut supervised = shop("error");
    assert_eq!(supervised.wait(), Ended::Code(1), "{}", supervised.journal());
    supervised.journal().wait_for(0, "the shop is closed");
    supervised.assert_nothing_is_left();
}

#[test]
fn a_main_function_that_is_killed_starts_again() {
    let mut supervised = shop("stay");
    supervised.journal().wait_for(0, "the probe says good day");
    // Whoever hashes the executable is gone then.
    supervised.wait_for_worker("probe", "known by its digest", |row| row.executable);
    // A guardian watches beside the supervisor and its two workers, where it has somebody to watch for.
    assert!((3..=4).contains(&supervised.processes().len()), "{:?}", supervised.processes());
    let probe = supervised.pid("probe");
    let seen = supervised.journal().len();
    supervised.pid("stay").signal(Signal::SIGKILL);
    supervised.journal().wait_for(seen, "the probe says good day");
    let front = supervised.worker("stay");
    assert_eq!((front.generation, front.last_cause), (2, Some(Cause::Signal(9))));
    assert_eq!((supervised.pid("probe"), supervised.worker("probe").state), (probe, State::Ready));
    let stopwatch = Stopwatch::start();
    supervised.signal(Signal::SIGTERM);
    assert_eq!(supervised.wait(), Ended::Code(0));
    stopwatch.assert_within(Duration::from_secs(1), "the ordered stop of a main function that stays");
    supervised.assert_nothing_is_left();
}

#[test]
fn nothing_outlives_a_killed_program() {
    let mut supervised = shop("stay");
    supervised.journal().wait_for(0, "the probe says good day");
    supervised.signal(Signal::SIGKILL);
    assert_eq!(supervised.wait(), Ended::Signal(9));
    supervised
        .journal()
        .wait_until("nothing to be left", |_| supervised.processes().is_empty().then_some(()));
}

#[test]
fn a_process_within_an_async_runtime_does_not_supervise() {
    let mut supervised = shop("runtime");
    assert_eq!(supervised.wait(), Ended::Code(78), "{}", supervised.journal());
    supervised.journal().wait_for(0, "within an async runtime");
}

#[test]
fn a_process_with_threads_does_not_supervise() {
    let mut supervised = shop("threads");
    assert_eq!(supervised.wait(), Ended::Code(78), "{}", supervised.journal());
    supervised.journal().wait_for(0, "more than one thread");
}
