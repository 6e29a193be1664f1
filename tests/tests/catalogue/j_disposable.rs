//! J. Lives that end as planned, workers that start on demand, and spares.

use std::collections::BTreeSet;
use std::time::Duration;

use bailiwick_supervisor::control::{Cause, State, Verb};
use bailiwick_tests::harness::Stopwatch;
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::{answers, worker};

/// Workers `probe` with these keys, and one that asks them on this course.
fn system(keys: &str, course: &str) -> String {
    let pilot = format!(
        "[worker.pilot]\nexec = \"tw\"\n\
         actor.flight = {{ type = \"Pilot\", args = {{ target = \"probe\", {course} }} }}\n\
         [[grant]]\nfrom = \"pilot\"\nto = \"probe\"\n"
    );
    worker("probe", keys, "") + &pilot
}

/// Seen to fail without the end of a life that is spent; the limit of messages; the exception of planned ends from
/// the budget.
#[test]
fn j1_each_message_is_handled_by_a_process_of_its_own() {
    let mut supervised = run!(&system("max_messages = 1", "who = 1, rounds = 20"));
    let pids = answers(&supervised, 20);
    assert_eq!(pids.iter().collect::<BTreeSet<_>>().len(), 20, "{pids:?}");
    // Nothing is charged, nothing counts as a failure, and nobody is told of each.
    let row = supervised.wait_for_life("probe", 21);
    assert_eq!((row.budget_left, row.restarts, row.last_cause), (row.budget_max, 0, Some(Cause::Stopped)));
    let lines = supervised.journal().since(0);
    assert!(!lines.iter().any(|line| line.text.contains("probe#7")), "{lines:?}");
    supervised.stop();
}

/// Seen to fail without the end of a life that is spent; the limit of messages.
#[test]
fn j1_a_life_takes_as_many_messages_as_it_may_and_no_more() {
    let mut supervised = run!(&system("max_messages = 5", "who = 1, rounds = 20"));
    let pids = answers(&supervised, 20);
    for (life, pids) in pids.chunks(5).enumerate() {
        assert_eq!(pids.iter().collect::<BTreeSet<_>>().len(), 1, "life {life}: {pids:?}");
    }
    assert_eq!(pids.iter().collect::<BTreeSet<_>>().len(), 4, "{pids:?}");
    supervised.stop();
}

/// Seen to fail without the wait for streams of replies.
#[test]
fn j1_a_stream_that_answers_the_last_message_of_a_life_comes_whole() {
    let mut supervised = run!(&system("max_messages = 1", "counts = 10, rounds = 3"));
    supervised.journal().wait_until("three streams", |lines| {
        let failed = lines.iter().find(|line| line.text.contains(" of probe failed after"));
        assert!(failed.is_none(), "{failed:?}");
        lines.iter().any(|line| line.text.contains("ask 3 of probe ok after")).then_some(())
    });
    supervised.stop();
}

/// Seen to fail without the drain of links.
#[test]
fn j2_no_ask_is_lost_in_a_pool_whose_members_live_for_one() {
    let mut supervised =
        run!(&system("instances = 2\nmax_messages = 1", "who = 8, rounds = 25, pause_ms = 0"));
    let pids = answers(&supervised, 200);
    assert_eq!(pids.iter().collect::<BTreeSet<_>>().len(), 200, "a process answered twice");
    supervised.stop();
}

/// Seen to fail without the stop of who is idle; the start for a message; the wait for the first message.
#[test]
fn j3_a_worker_on_demand_starts_for_the_first_ask_and_is_gone_when_idle() {
    let keys = "start = \"on_demand\"\nidle_stop = \"300ms\"";
    // Each of its lives asks once, when an operator has it begin.
    let system = system(keys, "who = 1, rounds = 1");
    let pilot = "[worker.pilot]\n";
    let mut supervised = run!(&system.replace(pilot, &format!("{pilot}start = \"on_demand\"\n")));
    let waits = |row: &bailiwick_supervisor::control::Row| (row.state == State::Waiting).then_some(row.pid);
    assert_eq!(supervised.wait_for_worker("probe", "waiting", waits), None);
    supervised.order(Verb::Start, "pilot");
    let first = answers(&supervised, 1);
    let asleep = |row: &bailiwick_supervisor::control::Row| row.pid.is_none().then_some(row.generation);
    assert_eq!(supervised.wait_for_worker("probe", "asleep", asleep), 1);
    supervised.order(Verb::Restart, "pilot");
    let both = answers(&supervised, 2);
    assert_ne!(first[0], both[1]);
    let row = supervised.worker("probe");
    assert_eq!((row.generation, row.restarts, row.budget_left), (2, 0, row.budget_max));
    supervised.wait_for_worker("probe", "asleep", asleep);
    supervised.stop();
}

/// Seen to fail without the stop of who is idle; the start for a message.
#[test]
fn j3_asks_that_race_with_the_stop_are_answered() {
    // As long between two asks as it stays idle, so that some come while it goes.
    let keys = "start = \"on_demand\"\nidle_stop = \"20ms\"";
    let mut supervised = run!(&system(keys, "who = 2, rounds = 60, pause_ms = 21"));
    answers(&supervised, 120);
    assert!(supervised.worker("probe").generation > 1, "it never went");
    supervised.stop();
}

/// Seen to fail without the precedence of the operator's stop.
#[test]
fn j3_what_an_operator_stopped_nobody_wakes() {
    let mut supervised = run!(&system("start = \"on_demand\"", "who = 1, pause_ms = 50"));
    answers(&supervised, 1);
    supervised.order(Verb::Stop, "probe");
    let seen = answers(&supervised, 1).len();
    assert_eq!(supervised.wait_for_state("probe", State::Stopped).generation, 1);
    supervised.order(Verb::Start, "probe");
    answers(&supervised, seen + 1);
    supervised.stop();
}

/// Seen to fail without its being as good as ready for those who need it.
#[test]
fn j3_who_needs_a_worker_on_demand_does_not_wait_for_it() {
    let needing = worker("front", "needs = [\"probe\"]", "");
    let mut supervised =
        run!(&[system("start = \"on_demand\"", "who = 1, first_ms = 1000000"), needing].concat());
    supervised.wait_for_life("front", 1);
    assert_eq!(supervised.worker("probe").pid, None);
    supervised.stop();
}

/// Seen to fail without `max_age`; the exception of planned ends from the budget.
#[test]
fn j4_instances_that_grow_old_go_one_after_the_other_and_no_ask_is_lost() {
    let keys = "instances = 3\nmax_age = \"1s\"";
    let mut supervised = run!(&system(keys, "who = 2, pause_ms = 1"));
    for instance in 1..=3 {
        supervised.wait_for_life(&format!("probe.{instance}"), 3);
    }
    answers(&supervised, 100);
    let row = supervised.worker("probe.1");
    assert_eq!((row.budget_left, row.restarts), (row.budget_max, 0));
    supervised.stop();
}

/// Seen to fail without the restart after a signal.
#[test]
fn j5_a_disposable_worker_that_is_killed_at_any_moment_is_charged_and_replaced() {
    let group = "group = \"g\"\nmax_messages = 1\nbackoff = { base = \"1ms\", cap = \"5ms\" }";
    let budget = "[group.g]\nmax_restarts = 1000\n";
    let mut supervised = run!(&[budget.into(), system(group, "who = 1, pause_ms = 0")].concat());
    for round in 1..=30 {
        // An ask that was in hand is lost with its worker; the next is answered.
        supervised.journal().wait_until(&format!("round {round}"), |lines| {
            let ended = lines.iter().filter(|line| {
                line.text.contains("of probe ")
                    && (line.text.contains(" ok ") || line.text.contains(" failed "))
            });
            (ended.count() >= round * 3).then_some(())
        });
        if let Some(pid) = supervised.worker("probe").pid {
            bailiwick_tests::harness::Process(pid).signal(Signal::SIGKILL);
        }
    }
    assert!(supervised.worker("probe").restarts > 0, "no kill hit");
    let stopwatch = Stopwatch::start();
    supervised.stop();
    stopwatch.assert_within(Duration::from_secs(2), "the ordered stop");
}
