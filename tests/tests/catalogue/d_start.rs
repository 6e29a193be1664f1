//! D. Start-up: readiness, order, what a worker is born with.

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, State};
use bailiwick_tests::harness::Stopwatch;
use bailiwick_tests::run;

use crate::support::{check, first_starts, gate, kill, lives, open, plain, worker};

/// Seen to fail without the deadline of the start.
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

/// Seen to fail without giving it up with what it needs; the wait for what it needs.
#[test]
fn d7_a_worker_waits_for_what_it_needs_and_is_given_up_with_it() {
    let manifest =
        [worker("b", "", "ready_after_ms = 300, exit_early = 78"), worker("a", "needs = [\"b\"]", "")];
    let mut supervised = run!(&manifest.concat());
    let a = supervised.wait_for_state("a", State::Failed);
    assert_eq!((a.generation, a.pid), (0, None));
    supervised.journal().wait_for(0, "a is given up: it needs b, which is given up");
    supervised.stop();
}

/// Seen to fail without the wait for what it needs.
#[test]
fn d7_what_is_waited_for_is_told_and_nothing_is_spawned_before() {
    let manifest = [gate("b"), worker("a", "needs = [\"b\"]", ""), worker("c", "needs = [\"a\"]", "")];
    let mut supervised = run!(&manifest.concat());
    for name in ["a", "c"] {
        let waits = supervised.wait_for_state(name, State::Waiting);
        assert_eq!((waits.generation, waits.pid), (0, None), "{name}");
    }
    open(&supervised, "b");
    supervised.wait_for_life("c", 1);
    assert_eq!(first_starts(&supervised, 3), ["b#1", "a#1", "c#1"]);
    supervised.stop();
}

/// Seen to fail without the difference of one_for_one from one_for_all; the independence of who needs it (restarted
/// with it instead).
#[test]
fn d7_a_need_that_restarts_by_itself_leaves_its_dependents_alone() {
    let mut supervised = run!(&[plain("b"), worker("a", "needs = [\"b\"]", "")].concat());
    let [a] = lives(&supervised, ["a"], 1);
    kill(&supervised, "b");
    lives(&supervised, ["b"], 2);
    assert_eq!(lives(&supervised, ["a"], 1), [a]);
    supervised.stop();
}

/// Workers each of which needs the next.
fn chain(length: usize, last: &str) -> String {
    let link = |at: usize| match at + 1 {
        next if next < length => worker(&format!("w{at}"), &format!("needs = [\"w{next}\"]"), ""),
        _ => worker(&format!("w{at}"), last, ""),
    };
    (0..length).map(link).collect()
}

/// Seen to fail without the check of chains and circles; the check of names.
#[test]
fn d8_circles_unknown_names_and_long_chains_are_refused_with_the_path() {
    let (code, text) = check(&chain(20, "needs = [\"w0\"]"));
    assert_eq!(code, Some(8), "{text}");
    let path: Vec<_> = (0..20).chain([0]).map(|at| format!("w{at}")).collect();
    assert!(text.contains(&format!("in a circle: {}", path.join(" -> "))), "{text}");
    let (code, text) = check(&chain(40, ""));
    assert_eq!(code, Some(8), "{text}");
    let path: Vec<_> = (7..40).map(|at| format!("w{at}")).collect();
    assert!(
        text.contains(&format!("a chain of more than 32 workers: w6 -> {}", path.join(" -> "))),
        "{text}"
    );
    let (code, text) = check(&worker("web", "needs = [\"wbe\"]", ""));
    assert_eq!(code, Some(8), "{text}");
    assert!(text.contains("no worker is called `wbe`") && text.contains("app.toml:3:10"), "{text}");
    assert!(text.contains("did you mean `web`?"), "{text}");
}

/// Seen to fail without the checks of the order.
#[test]
fn d8_a_circle_that_a_serial_group_closes_is_refused_with_the_path() {
    let groups = "[group.site]\nstrategy = \"rest_for_one\"\n[group.front]\ngroup = \"site\"\n";
    let manifest = [
        groups,
        &worker("web", "group = \"front\"", ""),
        &worker("cache", "group = \"site\"\nneeds = [\"web\"]", ""),
        &worker("files", "group = \"front\"\nwants = [\"cache\"]", ""),
    ];
    let (code, text) = check(&manifest.concat());
    assert_eq!(code, Some(8), "{text}");
    assert!(text.contains("in a circle: cache -> files -> cache"), "{text}");
    assert!(text.contains("`cache` waits for `files`"), "{text}");
}
