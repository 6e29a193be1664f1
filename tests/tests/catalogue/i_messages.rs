//! I. Messages across a crash: each ask ends at once, truly, and the replacement answers.

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, State, Verb};
use bailiwick_tests::harness::{Line, Stopwatch, Supervised};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

/// A pilot that asks `probe`, and the probe; both may die as often as a test wants.
fn system(course: &str, drain: &str) -> String {
    format!(
        r#"
[group.g]
max_restarts = 1000
period = "10s"
[worker.probe]
exec = "tw"
group = "g"
drain_timeout = "{drain}"
backoff = {{ base = "1ms", cap = "5ms" }}
actor.life = {{ type = "Life", args = {{}} }}
[worker.pilot]
exec = "tw"
group = "g"
drain_timeout = "{drain}"
backoff = {{ base = "1ms", cap = "5ms" }}
actor.flight = {{ type = "Pilot", args = {{ target = "probe", {course} }} }}
[[grant]]
from = "pilot"
to = "probe"
"#
    )
}

/// Returns the outcome of an ask: nothing if it was answered, otherwise what is said of it.
fn failure(line: &Line) -> Option<&str> {
    let (_, outcome) = line.text.split_once(" failed after ")?;
    outcome.split_once(": ").map(|(_, error)| error)
}

/// Returns how long an ask took that ended.
fn took(line: &Line) -> Duration {
    let micros = line.text.split_once(" after ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    Duration::from_micros(micros.expect("the pilot says how long it took"))
}

/// Stops everything and asserts that nobody was waited for who had nothing left to finish.
fn assert_quick_stop(mut supervised: Supervised) {
    let stopwatch = Stopwatch::start();
    supervised.stop();
    stopwatch.assert_within(Duration::from_millis(500), "the ordered stop");
}

/// Seen to fail without the word about the death of a peer; the end of what was sent over a link that ends; the
/// difference of "unknown" from "not delivered".
#[test]
fn i1_an_ask_in_hand_when_its_worker_is_killed_ends_at_once_and_the_next_is_answered() {
    let mut supervised = run!(&system("hold_ms = 25000", "100ms"));
    supervised.wait_for_life("pilot", 1);
    supervised.wait_for_life("probe", 1);
    supervised.journal().wait_for(0, "holds an ask");
    let seen = supervised.journal().len();
    let stopwatch = Stopwatch::start();
    supervised.pid("probe").signal(Signal::SIGKILL);
    let line = supervised.journal().wait_for(seen, "ask 1 of probe failed");
    stopwatch.assert_took(line.at - stopwatch.began(), Duration::from_millis(50), "the end of an ask");
    let said = failure(&line).unwrap_or_default();
    assert!(said.starts_with("outcome unknown") && said.contains("killed by signal 9"), "{}", line.text);
    supervised.wait_for_life("probe", 2);
    supervised.journal().wait_for(seen, "holds an ask");
    assert_eq!(supervised.worker("pilot").generation, 1);
    supervised.stop();
}

/// Seen to fail without the drain of mailboxes.
#[test]
fn i7_an_ask_in_hand_when_its_worker_is_to_stop_is_answered_first() {
    let mut supervised = run!(&system("hold_ms = 500", "40s"));
    supervised.journal().wait_for(0, "holds an ask");
    supervised.order(Verb::Stop, "probe");
    supervised.journal().wait_for(0, "ask 1 of probe ok");
    assert_eq!(supervised.worker("probe").last_cause, Some(Cause::Stopped));
    supervised.stop();
}

/// Seen to fail without the end of what was sent over a link that ends; the link of a later life.
#[test]
fn i1_asks_go_on_while_their_worker_is_killed_again_and_again() {
    let supervised = run!(&system("pause_ms = 0", "40s"));
    supervised.journal().wait_for(0, "of probe ok");
    for generation in 2..22 {
        supervised.pid("probe").signal(Signal::SIGKILL);
        supervised.wait_for_life("probe", generation);
        let seen = supervised.journal().len();
        supervised.journal().wait_for(seen, "of probe ok");
    }
    let lines = supervised.journal().since(0);
    let wrong: Vec<_> = lines.iter().filter(|line| line.text.contains("the answer is wrong")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let failures: Vec<_> = lines.iter().filter_map(failure).collect();
    assert!(failures.len() <= 20, "twenty kills cost more than twenty asks: {failures:?}");
    for failure in failures {
        let said = ["not delivered: the peer is down", "not delivered: the link", "outcome unknown"];
        assert!(said.iter().any(|said| failure.starts_with(said)), "{failure}");
    }
    for line in lines.iter().filter(|line| line.text.contains("of probe failed after")) {
        assert!(took(line) < Duration::from_secs(5), "an ask waited for its deadline: {}", line.text);
    }
    assert_eq!(supervised.worker("pilot").generation, 1);
    assert_quick_stop(supervised);
}

/// Seen to fail without the link of a later life.
#[test]
fn i1_who_asks_may_be_killed_as_well() {
    let supervised = run!(&system("pause_ms = 0", "40s"));
    supervised.journal().wait_for(0, "of probe ok");
    for generation in 2..12 {
        supervised.pid("pilot").signal(Signal::SIGKILL);
        supervised.wait_for_life("pilot", generation);
        let seen = supervised.journal().len();
        supervised.journal().wait_for(seen, "of probe ok");
    }
    let probe = supervised.worker("probe");
    assert_eq!((probe.generation, probe.state), (1, State::Ready));
    assert_quick_stop(supervised);
}

/// Seen to fail without the limits of a message, the codec's and the link's.
#[test]
fn i1_an_input_over_the_limit_costs_that_ask_and_nobody_its_life() {
    // 2 MiB are more than a link carries in one message, and little enough to be encoded at once.
    let supervised = run!(&system("pause_ms = 20, bytes = 2097152", "40s"));
    supervised.wait_for_life("probe", 1);
    let line = supervised.journal().wait_for(0, "of probe failed");
    let said = failure(&line).unwrap_or_default();
    assert!(said.starts_with("not delivered") && said.contains("the limit is"), "{said}");
    let seen = supervised.journal().len();
    supervised.journal().wait_for(seen, "of probe failed");
    for worker in ["pilot", "probe"] {
        let row = supervised.worker(worker);
        assert_eq!((row.generation, row.state), (1, State::Ready), "{worker}");
    }
    assert_quick_stop(supervised);
}

/// Seen to fail without the limit of what waits; the waiting.
#[test]
fn i2_what_is_told_to_a_worker_in_backoff_waits_up_to_its_limit_and_the_rest_is_refused() {
    // So long between two rounds that the kill, which follows the first one, meets none.
    let manifest = r#"
[worker.probe]
exec = "tw"
backoff = { first = "4s" }
while_down = { messages = 3 }
actor.life = { type = "Life", args = {} }
[worker.pilot]
exec = "tw"
actor.flight = { type = "Pilot", args = { target = "probe", tells = 5, pause_ms = 400 } }
[[grant]]
from = "pilot"
to = "probe"
"#;
    let mut supervised = run!(manifest);
    supervised.journal().wait_for(0, "told 5, refused 0");
    supervised.pid("probe").signal(Signal::SIGKILL);
    let seen = supervised.journal().len();
    supervised.wait_for_state("probe", State::Backoff);
    let line = supervised.journal().wait_for(seen, "told 3, refused 2");
    assert!(line.text.contains("not delivered: the peer is down"), "{}", line.text);
    supervised.journal().wait_for(seen, "told 0, refused 5");
    let before = supervised.journal().len();
    supervised.wait_for_life("probe", 2);
    supervised.journal().wait_for(before, "holds an ask");
    supervised.journal().wait_for(before, "told 5, refused 0");
    supervised.stop();
}
