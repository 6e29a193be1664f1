//! A. Restart types, strategies, budgets.

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, State, Verb};
use bailiwick_tests::harness::{Ended, Stopwatch};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::{ends, plain, worker};

#[test]
fn a6_a_killed_worker_is_replaced_and_the_others_keep_their_processes() {
    let mut supervised = run!(&[plain("a"), plain("b"), plain("c")].concat());
    let before = ["a", "b", "c"].map(|name| supervised.wait_for_life(name, 1).pid);
    let stopwatch = Stopwatch::start();
    supervised.pid("b").signal(Signal::SIGKILL);
    let b = supervised.wait_for_life("b", 2);
    stopwatch.assert_within(Duration::from_millis(300), "the replacement of b");
    assert_eq!((b.generation, b.restarts, b.last_cause), (2, 1, Some(Cause::Signal(9))));
    assert_ne!(b.pid, before[1]);
    assert_eq!([supervised.worker("a").pid, supervised.worker("c").pid], [before[0], before[2]]);
    supervised.stop();
}

#[test]
fn a2_a_transient_worker_that_ends_well_is_done_and_can_be_started() {
    let manifest = worker("a", "restart = \"transient\"", "exit = 0, after_ms = 1");
    let mut supervised = run!(&manifest);
    let done = supervised.wait_for_state("a", State::Done);
    assert_eq!((done.generation, done.restarts, done.pid), (1, 0, None));
    supervised.order(Verb::Start, "a");
    supervised.wait_for_worker("a", "done again", |row| {
        (row.state == State::Done && row.generation == 2).then_some(())
    });
    supervised.stop();
}

#[test]
fn a10_b1_a_spent_budget_gives_the_worker_up_and_leaves_its_siblings() {
    let group = "[group.few]\nmax_restarts = 2\nperiod = \"60s\"\non_exhausted = \"fail\"\n";
    let keys = "group = \"few\"\nbackoff = { base = \"10ms\", cap = \"10ms\" }";
    let manifest =
        [group, &worker("bad", keys, "exit_early = 1"), &worker("good", "group = \"few\"", "")].concat();
    let mut supervised = run!(&manifest);
    let bad = supervised.wait_for_state("bad", State::Failed);
    assert_eq!((bad.generation, bad.restarts, bad.last_cause), (3, 2, Some(Cause::Exit(1))));
    let budget = (bad.budget_left, bad.budget_max, bad.budget_period);
    assert_eq!(budget, (0, 2, Duration::from_secs(60)));
    assert_eq!(supervised.wait_for_life("good", 1).generation, 1);
    supervised.stop();
}

#[test]
fn a20_an_essential_worker_that_cannot_start_ends_everything_with_1() {
    let essential =
        worker("c", "essential = true\ncrash_may_stop = \"all\"\nneeds = [\"b\"]", "exit_early = 1");
    let manifest = [plain("a"), worker("b", "needs = [\"a\"]", ""), essential].concat();
    let mut supervised = run!(&manifest);
    assert_eq!(supervised.wait(), Ended::Code(1));
    assert_eq!(ends(&supervised), ["c#1", "b#1", "a#1"]);
    supervised.assert_nothing_is_left();
}

#[test]
fn an_essential_worker_that_is_given_up_ends_everything_with_3() {
    let group = "[group.none]\nmax_restarts = 0\nperiod = \"60s\"\non_exhausted = \"fail\"\n";
    let essential = worker("b", "essential = true\ncrash_may_stop = \"all\"\ngroup = \"none\"", "");
    let mut supervised = run!(&[group, &plain("a"), &essential].concat());
    supervised.wait_for_life("a", 1);
    supervised.wait_for_life("b", 1);
    supervised.pid("b").signal(Signal::SIGKILL);
    assert_eq!(supervised.wait(), Ended::Code(3));
    supervised.assert_nothing_is_left();
}
