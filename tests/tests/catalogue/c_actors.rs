//! C. Deaths of actors, which cost a process only when they are too many.

use bailiwick_tests::run;

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
