//! F. The ordered stop.

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, State, Verb};
use bailiwick_tests::harness::{Ended, Stopwatch};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::{ends, plain, worker};

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
