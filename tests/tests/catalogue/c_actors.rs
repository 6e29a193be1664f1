//! C. Deaths of actors, which cost a process only when they are too many.

use bailiwick_supervisor::control::Cause;
use bailiwick_tests::run;

use crate::support::{Cli, worker};

/// Seen to fail without the catching of panics.
#[test]
fn c4_actors_that_give_up_end_their_worker_with_81_and_the_log_has_the_chain() {
    let manifest = r#"
[worker.w]
exec = "tw"
actors = { max_restarts = 1, period = "10s" }
actor.life = { type = "Life", args = { panic_at_start = true } }
"#;
    let mut supervised = run!(manifest);
    let line = supervised.journal().wait_for(0, "gave up: panicked: on purpose, at ");
    assert!(line.text.contains("w/life#2 gave up"), "one restart was covered: {}", line.text);
    let ended = supervised.journal().wait_for(0, "w#1 ended after");
    assert!(ended.text.contains("exit code 81 (an actor gave up); restarts"), "{}", ended.text);
    supervised.stop();
}

/// Runs an actor that dies in this way once it is ready, and asserts that its process ends by a signal that is told,
/// after it has said `words`, and is replaced.
fn assert_death(way: &str, signal: u8, words: &str) {
    let knobs = format!("die = \"{way}\", after_ms = 50");
    let mut supervised = run!(&worker("w", "backoff = { first = \"10s\" }", &knobs));
    let ended = supervised.journal().wait_for(0, "w#1 ended after");
    let row = supervised.wait_for_worker("w", "down", |row| row.last_cause.map(|_| row.clone()));
    assert_eq!(row.last_cause, Some(Cause::Signal(signal)), "{way}");
    assert!(ended.text.contains("restarts"), "{}", ended.text);
    supervised.journal().wait_for(0, words);
    supervised.stop();
}

/// Seen to fail without the restart after a signal.
#[test]
fn c4_a_panic_within_a_panic_ends_the_process_and_both_are_told() {
    assert_death("panic_twice", 6, "the second");
}

/// Seen to fail without the recognition of a stack that is used up; the reading of its mark in the report.
#[test]
fn c4_a_stack_that_overflows_ends_the_process() {
    let knobs = "die = \"overflow\", after_ms = 50";
    let mut supervised = run!(&worker("w", "backoff = { first = \"10s\" }", knobs));
    supervised.journal().wait_for(0, "has overflowed its stack");
    let report = supervised.wait_for_crash("w", 1);
    assert_eq!(report.cause, Cause::Signal(11));
    let cli = Cli::of(&supervised);
    assert_eq!(cli.json(&["crashes", "--json"])["crashes"][0]["stack_overflow"], true);
    let told = cli.run(&["crashes", "w"]).data;
    assert!(told.contains("why  SIGSEGV (a stack that overflowed), "), "{told}");
    supervised.stop();
}
