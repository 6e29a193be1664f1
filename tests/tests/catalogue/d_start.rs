//! D. Start-up: readiness, order, what a worker is born with.

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, State};
use bailiwick_tests::harness::Stopwatch;
use bailiwick_tests::run;

use crate::support::worker;

#[test]
fn d1_a_worker_that_is_never_ready_is_stopped_and_counted() {
    let keys = "start_timeout = \"100ms\"\nbackoff = { first = \"20s\", cap = \"30s\" }";
    let stopwatch = Stopwatch::start();
    let mut supervised = run!(&worker("a", keys, "never_ready = true"));
    let late = supervised.wait_for_state("a", State::Backoff);
    stopwatch.assert_within(Duration::from_secs(1), "the end of a worker that is never ready");
    assert_eq!((late.generation, late.last_cause), (1, Some(Cause::StartTimeout)));
    supervised.stop();
}

#[test]
fn d7_a_worker_waits_for_what_it_needs_and_is_given_up_with_it() {
    let manifest =
        [worker("b", "", "ready_after_ms = 300, exit_early = 78"), worker("a", "needs = [\"b\"]", "")];
    let mut supervised = run!(&manifest.concat());
    let a = supervised.wait_for_state("a", State::Failed);
    assert_eq!((a.generation, a.pid), (0, None));
    supervised.stop();
}
