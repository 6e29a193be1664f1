//! F. The ordered stop.

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, State, Verb};
use bailiwick_tests::harness::{Ended, Stopwatch};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::{ends, plain, worker};

/// Seen to fail without the levels of the stop.
#[test]
fn f8_each_level_stops_only_when_the_level_above_is_gone() {
    let b = worker("b", "needs = [\"a\"]", "");
    let c =
        worker("c", "needs = [\"b\"]\nstop_timeout = \"200ms\"\ndrain_timeout = \"50ms\"", "stubborn = true");
    let mut supervised = run!(&[plain("a"), b, c].concat());
    supervised.wait_for_life("c", 1);
    supervised.signal(Signal::SIGTERM);
    assert_eq!(supervised.wait(), Ended::Code(0));
    assert_eq!(ends(&supervised), ["c#1", "b#1", "a#1"]);
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the deadline of the stop.
#[test]
fn f2_a_worker_that_does_not_stop_is_killed_at_its_timeout() {
    let keys = "stop_timeout = \"200ms\"\ndrain_timeout = \"100ms\"";
    let mut supervised = run!(&worker("a", keys, "stubborn = true"));
    supervised.wait_for_life("a", 1);
    let stopwatch = Stopwatch::start();
    supervised.order(Verb::Stop, "a");
    stopwatch.assert_within(Duration::from_millis(300), "the stop of a");
    assert_eq!(supervised.worker("a").last_cause, Some(Cause::StopTimeout));
    supervised.stop();
}

/// Seen to fail without the second step of the stop; the third step of the stop.
#[test]
fn each_further_signal_hastens_the_stop() {
    let keys = "stop_timeout = \"40s\"\ndrain_timeout = \"40s\"";
    let stubborn = worker("b", &format!("needs = [\"a\"]\n{keys}"), "stubborn = true");
    let mut supervised = run!(&[plain("a"), stubborn].concat());
    supervised.wait_for_life("b", 1);
    let stopwatch = Stopwatch::start();
    supervised.signal(Signal::SIGTERM);
    supervised.wait_for_state("b", State::Draining);
    assert_eq!(supervised.worker("a").state, State::Ready);
    supervised.signal(Signal::SIGTERM);
    supervised.wait_for_state("b", State::Stopping);
    supervised.wait_for_state("a", State::Stopped);
    supervised.signal(Signal::SIGTERM);
    assert_eq!(supervised.wait(), Ended::Signal(Signal::SIGTERM as i32));
    stopwatch.assert_within(Duration::from_secs(1), "a stop in three steps");
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the second step of the stop; the third step of the stop.
#[test]
fn a_second_interrupt_is_neither_lost_nor_out_of_order_and_each_step_is_said() {
    let keys = "stop_timeout = \"40s\"\ndrain_timeout = \"40s\"";
    let mut supervised = run!(&worker("a", keys, "stubborn = true"));
    supervised.wait_for_life("a", 1);
    let mut seen = supervised.journal().len();
    for step in ["stopping in order", "stopping all at once", "killing what is left"] {
        supervised.signal(Signal::SIGINT);
        supervised.journal().wait_for(seen, step);
        seen = supervised.journal().len();
    }
    assert_eq!(supervised.wait(), Ended::Signal(Signal::SIGINT as i32));
    supervised.assert_nothing_is_left();
}

/// Asks `a` without end.
const PILOT: &str = "[worker.pilot]\nexec = \"tw\"\nneeds = [\"a\"]\nsandbox.preset = \"sealed\"\n\
    actor.flight = { type = \"Pilot\", args = { target = \"a\", hold_ms = 20 } }\n\
    [[grant]]\nfrom = \"pilot\"\nto = \"a\"\n";

/// Seen to fail without the levels of the stop.
#[test]
fn f1_a_stop_under_load_answers_every_ask_and_goes_in_reverse_order() {
    let mut supervised = run!(&[&plain("a"), PILOT].concat());
    supervised.journal().wait_for(0, "ask 10 of a ok");
    supervised.signal(Signal::SIGTERM);
    assert_eq!(supervised.wait(), Ended::Code(0));
    assert_eq!(ends(&supervised), ["pilot#1", "a#1"]);
    let lines = supervised.journal().since(0);
    let failed: Vec<_> = lines.iter().filter(|line| line.text.contains(" of a failed ")).collect();
    assert!(failed.is_empty(), "{failed:?}");
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the rule that nothing starts in a stop.
#[test]
fn f6_a_worker_that_dies_during_the_stop_is_not_restarted() {
    let keys = "needs = [\"a\"]\nstop_timeout = \"20s\"";
    let mut supervised = run!(&[plain("a"), worker("b", keys, "stop_after_ms = 500")].concat());
    supervised.wait_for_life("b", 1);
    let a = supervised.pid("a");
    supervised.signal(Signal::SIGTERM);
    supervised.journal().wait_for(0, "stopping in order");
    a.signal(Signal::SIGKILL);
    assert_eq!(supervised.wait(), Ended::Code(0));
    assert_eq!(ends(&supervised), ["a#1", "b#1"]);
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the total of the stop.
#[test]
fn f11_the_total_is_kept_although_the_parts_would_take_longer() {
    let total = "[supervisor]\nshutdown_timeout = \"500ms\"\n";
    let keys = |need: &str| format!("needs = [{need}]\nstop_timeout = \"20s\"\ndrain_timeout = \"20s\"");
    let stubborn = [("a", ""), ("b", "\"a\""), ("c", "\"b\"")];
    let workers = stubborn.map(|(name, need)| worker(name, &keys(need), "stubborn = true"));
    let mut supervised = run!(&[total, &workers.concat()].concat());
    supervised.wait_for_life("c", 1);
    let stopwatch = Stopwatch::start();
    supervised.signal(Signal::SIGTERM);
    assert_eq!(supervised.wait(), Ended::Code(0));
    stopwatch.assert_within(Duration::from_millis(1500), "a stop whose total is half a second");
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the kill without time; the endless patience.
#[test]
fn f13_a_stop_without_time_kills_at_once_and_one_without_end_waits() {
    let brutal = worker("brutal", "stop_timeout = \"0s\"\ndrain_timeout = \"0s\"", "stubborn = true");
    // It is not drained, where it could take its time as well.
    let keys = "stop_timeout = \"infinity\"\ndrain_timeout = \"0s\"";
    let patient = worker("patient", keys, "stop_after_ms = 1500");
    let mut supervised = run!(&[brutal, patient].concat());
    supervised.wait_for_life("brutal", 1);
    supervised.wait_for_life("patient", 1);
    let stopwatch = Stopwatch::start();
    supervised.order(Verb::Stop, "brutal");
    stopwatch.assert_within(Duration::from_millis(300), "a stop without time");
    supervised.order(Verb::Stop, "patient");
    let causes = ["brutal", "patient"].map(|name| supervised.worker(name).last_cause);
    assert_eq!(causes[1], Some(Cause::Stopped), "{causes:?}");
    assert!(matches!(causes[0], Some(Cause::Stopped | Cause::StopTimeout)), "{causes:?}");
    supervised.stop();
}

/// Seen to fail without the memory of the order to stop.
#[test]
fn f14_a_worker_that_exits_with_1_when_it_is_to_stop_is_told_and_changes_nothing() {
    let mut supervised = run!(&worker("a", "", "stop_exit = 1"));
    supervised.wait_for_life("a", 1);
    supervised.signal(Signal::SIGTERM);
    assert_eq!(supervised.wait(), Ended::Code(0));
    supervised.journal().wait_for(0, "exit code 1; stays stopped");
    supervised.assert_nothing_is_left();
}
