//! What a worker asks of the supervisor, as far as its manifest says that it may.

use bailiwick_tests::harness::Supervised;
use bailiwick_tests::run;

fn asks(may: &str, questions: &[&str]) -> (Supervised, Vec<String>) {
    let manifest = format!(
        r#"
[worker.other]
exec = "tw"
[worker.asker]
exec = "tw"
needs = ["other"]
may = {may}
actor.who = {{ type = "Asker", args = {{ questions = {questions:?} }} }}
"#
    );
    let supervised = run!(&manifest);
    let answers = questions.iter().map(|question| {
        let begin = format!("asker | {question}: ");
        supervised.journal().wait_until(&begin, |lines| {
            lines.iter().filter_map(|line| line.text.strip_prefix(&begin)).next_back().map(str::to_owned)
        })
    });
    let answers = answers.collect();
    (supervised, answers)
}

#[test]
fn a_worker_sees_and_orders_what_it_may() {
    let may = r#"["status", "events", "crashes", "denials", "restart", "stop", "start"]"#;
    let questions = ["status", "events", "crashes", "denials", "restart other", "stop other", "start other"];
    let (supervised, answers) = asks(may, &questions);
    let expected = ["2 rows", "from 1", "0 reports", "0 reports", "Done", "Done", "Done"];
    assert_eq!(answers[..3], expected[..3]);
    assert_eq!(answers[4..], expected[4..]);
    assert_eq!(supervised.wait_for_life("other", 3).generation, 3);
}

#[test]
fn what_a_worker_may_not_ask_is_refused_and_nothing_happens() {
    let questions = ["events", "crashes", "stop other", "restart", "reload", "shut-down", "restart nobody"];
    let (supervised, answers) = asks(r#"["status", "restart"]"#, &questions);
    for refused in 0..6 {
        assert!(
            answers[refused].starts_with("PermissionDenied"),
            "{}: {}",
            questions[refused],
            answers[refused]
        );
    }
    assert_eq!(answers[6], "UnknownTarget");
    assert_eq!(supervised.worker("other").generation, 1);
}

#[test]
fn who_may_ask_nothing_is_refused_at_once() {
    let (_supervised, answers) = asks("[]", &["status", "restart other"]);
    assert!(answers.iter().all(|answer| answer.starts_with("PermissionDenied")), "{answers:?}");
}

#[test]
fn questions_wait_for_each_other_and_for_what_nobody_waits_for_any_more() {
    let (_supervised, answers) = asks(r#"["status", "events"]"#, &["many", "dropped", "status", "many"]);
    assert_eq!(answers, ["20 answers", "asked", "2 rows", "20 answers"]);
}
