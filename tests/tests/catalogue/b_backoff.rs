//! B. Pauses between restarts, and what ends them.

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, State, Verb};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::worker;

#[test]
fn a_spent_budget_cools_down_by_default_and_retries_for_ever() {
    let group = "[group.few]\nmax_restarts = 1\nperiod = \"60s\"\n";
    let keys = "group = \"few\"\nbackoff = { base = \"1ms\", cap = \"50ms\" }";
    let mut supervised = run!(&[group, &worker("bad", keys, "exit_early = 1")].concat());
    supervised.wait_for_worker("bad", "tried six times", |row| (row.generation >= 6).then_some(()));
    supervised.journal().wait_for(0, "its budget is spent, retries in");
    supervised.stop();
}

#[test]
fn b9_an_exit_code_that_forbids_a_restart_is_final() {
    let mut supervised = run!(&worker("a", "", "exit = 78, after_ms = 1"));
    let failed = supervised.wait_for_state("a", State::Failed);
    assert_eq!((failed.generation, failed.last_cause), (1, Some(Cause::Exit(78))));
    supervised.stop();
}

#[test]
fn b6_a_stop_during_a_pause_is_final() {
    let keys = "backoff = { first = \"20s\", cap = \"30s\" }";
    let mut supervised = run!(&worker("a", keys, "exit = 1, after_ms = 1"));
    let pause = supervised.wait_for_state("a", State::Backoff);
    assert!(pause.next_start.is_some_and(|next| next <= Duration::from_secs(20)), "{pause:?}");
    supervised.order(Verb::Stop, "a");
    let stopped = supervised.worker("a");
    assert_eq!((stopped.state, stopped.generation, stopped.next_start), (State::Stopped, 1, None));
    supervised.stop();
}

#[test]
fn b5_a_start_ends_a_long_pause() {
    let keys = "backoff = { first = \"20s\", cap = \"30s\" }";
    let mut supervised = run!(&worker("a", keys, ""));
    supervised.wait_for_life("a", 1);
    supervised.pid("a").signal(Signal::SIGKILL);
    supervised.wait_for_state("a", State::Backoff);
    supervised.order(Verb::Start, "a");
    assert_eq!(supervised.wait_for_life("a", 2).restarts, 1);
    supervised.stop();
}

#[test]
fn b7_twenty_manual_restarts_charge_no_budget() {
    let group = "[group.none]\nmax_restarts = 0\nperiod = \"60s\"\non_exhausted = \"fail\"\n";
    let mut supervised = run!(&[group, &worker("a", "group = \"none\"", "")].concat());
    supervised.wait_for_life("a", 1);
    for generation in 2..22 {
        supervised.order(Verb::Restart, "a");
        assert_eq!(supervised.wait_for_life("a", generation).restarts, 0);
    }
    supervised.stop();
}
