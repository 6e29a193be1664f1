//! Orders and `status` against a supervisor that answers as it is told: what is asked, and which exit code follows.

#[path = "support/supervisor.rs"]
mod supervisor;

use std::process::Command;
use std::time::Duration;

use bailiwick_supervisor::control::{
    Cause, End, Event, EventKind, GivenUp, Goal, Head, Outcome, Record, Row, Signs, State, Target, Text, Verb,
};

use supervisor::Supervisor;

fn end(outcome: Outcome) -> Vec<Record> {
    vec![Record::End(End { outcome })]
}

/// Reports a worker `web` with two instances in these states.
fn status(states: [State; 2]) -> Vec<Record> {
    let head = Head { name: "shop".into(), pid: 1, uptime: Duration::from_secs(1), ..Head::default() };
    let row = |(instance, state)| {
        Record::Row(Row {
            name: "web".into(),
            instance,
            numbered: true,
            state,
            generation: 1,
            restarts: 1,
            budget_left: 5,
            budget_max: 5,
            budget_period: Duration::from_secs(30),
            last_cause: Some(Cause::Exit(3)),
            given_up: (state == State::Failed).then_some(GivenUp::BudgetSpent),
            ..Row::default()
        })
    };
    let rows = (1..).zip(states).map(row);
    std::iter::once(Record::Head(head)).chain(rows).chain(end(Outcome::Done)).collect()
}

const READY: [State; 2] = [State::Ready; 2];

#[test]
fn status_exits_with_3_only_if_a_worker_that_was_named_is_not_up() {
    for (states, arguments, expected) in [
        (READY, &["status"][..], 0),
        ([State::Ready, State::Failed], &["status"], 0),
        ([State::Ready, State::Failed], &["status", "web"], 3),
        ([State::Ready, State::Failed], &["status", "web.1"], 0),
        ([State::Ready, State::Backoff], &["status", "web.2"], 3),
        ([State::Ready, State::Done], &["status", "web"], 0),
        ([State::Ready, State::Failed], &["status", "--check"], 3),
        (READY, &["status", "--check"], 0),
    ] {
        let answers = [status(states), end(Outcome::Done), end(Outcome::Done)];
        let (code, data, messages, asked) = Supervisor::answering(answers).run(arguments);
        assert_eq!((code, messages.as_str()), (expected, ""), "{states:?} {arguments:?}");
        assert!(data.contains("web.1") != arguments.contains(&"web.2"), "{data}");
        assert_eq!(asked[0], (Verb::Status, Target::System));
        let is_of_one = arguments.len() == 2 && arguments[1] != "--check";
        let more: Vec<_> = asked[1..].iter().map(|(verb, _)| *verb).collect();
        let of_one = if is_of_one { &[Verb::Lines, Verb::Crashes][..] } else { &[] };
        assert_eq!(more, of_one, "what it printed and how it ended is asked of one only");
    }
}

#[test]
fn status_as_json_is_one_document_even_without_colours() {
    let line = |text: &str| Record::Text(Text { text: text.into(), ends: true });
    let lines = [vec![line("hello"), line("world")], end(Outcome::Done)].concat();
    let supervisor =
        Supervisor::answering([status([State::Ready, State::Failed]), lines, end(Outcome::Done)]);
    let (code, data, _, _) = supervisor.run(&["status", "--json", "--color=always", "web"]);
    let document: serde_json::Value = serde_json::from_str(&data).expect("it is one document");
    assert_eq!(code, 3);
    assert_eq!(document["schema_version"], 1);
    assert_eq!(document["last_lines"], serde_json::json!(["hello", "world"]));
    assert_eq!(document["workers"][1]["detail"], "given up: restart budget spent: exit code 3");
}

#[test]
fn an_unknown_name_exits_with_4_before_anything_is_ordered() {
    for arguments in [&["status", "wob"][..], &["stop", "web", "wob"], &["restart", "web.3"]] {
        let (code, data, messages, asked) = Supervisor::answering([status(READY)]).run(arguments);
        assert_eq!((code, data.as_str()), (4, ""), "{arguments:?}");
        assert!(messages.contains("no worker is called"), "{messages}");
        assert_eq!(asked, [(Verb::Status, Target::System)], "nothing was ordered");
    }
}

#[test]
fn each_order_goes_to_whom_it_names() {
    // After each order it is asked what else happened: nothing.
    let answers = [status(READY), end(Outcome::Done), end(Outcome::TimedOut), end(Outcome::Done)];
    let (code, _, messages, mut asked) = Supervisor::answering(answers).run(&["restart", "web", "web.2"]);
    assert_eq!((code, messages.as_str()), (0, "restart web: done\nrestart web.2: done\n"));
    let web = || "web".to_owned();
    assert_eq!(asked.remove(2), (Verb::Events(0), Target::System));
    let expected = [(Verb::Restart, Target::Worker(web())), (Verb::Restart, Target::Instance(web(), 2))];
    assert_eq!(asked[1..], expected);
    let (code, _, _, asked) = Supervisor::answering([end(Outcome::Done)]).run(&["stop", "--all"]);
    assert_eq!((code, &asked[..]), (0, &[(Verb::ShutDown, Target::System)][..]));
    let answers = [status(READY), end(Outcome::Done)];
    let (code, _, _, asked) = Supervisor::answering(answers).run(&["start", "--all"]);
    assert_eq!((code, &asked[1..]), (0, &[(Verb::Start, Target::System)][..]));
}

#[test]
fn a_rolling_restart_goes_from_instance_to_instance() {
    let rolling = |answers: Vec<Vec<Record>>| {
        Supervisor::answering(answers).run(&["restart", "--rolling", "web", "--json", "--timeout", "3s"])
    };
    let instance = |number| (Verb::Roll, Target::Instance("web".into(), number));
    let (code, data, messages, asked) = rolling(vec![status(READY), end(Outcome::Done), end(Outcome::Done)]);
    assert_eq!((code, messages.as_str()), (0, ""));
    assert_eq!(asked[1..], [instance(1), instance(2)]);
    let document: serde_json::Value = serde_json::from_str(&data).expect("it is one document");
    let order = serde_json::json!({ "order": "restart --rolling", "target": "web.2", "waited": true });
    assert_eq!(document["orders"][1], order);
}

#[test]
fn a_rolling_restart_ends_where_the_present_life_was_left_alone() {
    let said = |text: &str| vec![Record::Text(Text { text: text.into(), ends: true })];
    for (words, outcome, expected, message) in [
        (said("rolled back: exit code 1"), Outcome::RolledBack, 1, "web.1: rolled back: exit code 1"),
        (said("it is not ready"), Outcome::Refused, 1, "web.1: it is not ready"),
        (Vec::new(), Outcome::TimedOut, 6, "the order stands"),
        (Vec::new(), Outcome::ShuttingDown, 1, "the system is stopping"),
    ] {
        let answers = [status(READY), [words, end(outcome)].concat(), end(Outcome::Done)];
        let (code, data, messages, asked) =
            Supervisor::answering(answers).run(&["restart", "--rolling", "web", "--timeout", "1s"]);
        assert_eq!((code, data.as_str()), (expected, ""), "{outcome:?}");
        assert!(messages.contains(message), "{messages}");
        let rolled = asked.iter().filter(|(verb, _)| *verb == Verb::Roll);
        assert_eq!(rolled.count(), 1, "the other instance was left alone");
    }
}

#[test]
fn a_rolling_restart_is_of_those_who_are_named_and_waited_for() {
    for arguments in [&["restart", "--rolling", "--all"][..], &["restart", "--rolling", "web", "--no-wait"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick"));
        assert_eq!(
            command.args(arguments).output().expect("it runs").status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
    let answers = [status(READY), end(Outcome::Done)];
    let (code, _, _, asked) = Supervisor::answering(answers).run(&["restart", "--rolling", "web.2"]);
    assert_eq!((code, &asked[1]), (0, &(Verb::Roll, Target::Instance("web".into(), 2))));
    let (code, _, messages, _) = Supervisor::answering([status(READY)]).run(&["restart", "--rolling", "wob"]);
    assert!(code == 4 && messages.contains("no worker is called"), "{messages}");
}

#[test]
fn each_verb_asks_for_what_it_says() {
    let web = || Target::Worker("web".into());
    for (arguments, verb) in [
        (&["reset", "web"][..], Verb::Reset),
        (&["drain", "web"], Verb::Drain),
        (&["kill", "web"], Verb::Kill(9)),
        (&["kill", "--signal", "hup", "web"], Verb::Kill(1)),
        (&["scale", "web", "3"], Verb::Scale(3)),
        (&["wait", "web"], Verb::Wait(Goal::Ready)),
        (&["stop", "web", "--no-wait"], Verb::Stop),
    ] {
        let answers = [status(READY), end(Outcome::Done)];
        let (code, data, messages, asked) = Supervisor::answering(answers).run(arguments);
        assert_eq!((code, data.as_str()), (0, ""), "{arguments:?}: {messages}");
        assert_eq!(asked[1..], [(verb, web())], "{arguments:?}");
    }
}

#[test]
fn an_order_as_json_is_one_document() {
    let answers = [status(READY), end(Outcome::Done)];
    let (code, data, messages, _) = Supervisor::answering(answers).run(&["stop", "web", "--json"]);
    assert_eq!((code, messages.as_str()), (0, ""));
    let document: serde_json::Value = serde_json::from_str(&data).expect("it is one document");
    let order = serde_json::json!({ "order": "stop", "target": "web", "waited": true });
    assert_eq!((&document["schema_version"], &document["orders"][0]), (&1.into(), &order));
}

#[test]
fn what_came_of_waiting_is_its_exit_code() {
    for (outcome, arguments, expected) in [
        (Outcome::Done, &["wait", "web"][..], 0),
        (Outcome::TimedOut, &["wait", "web", "--timeout", "1s"], 6),
        (Outcome::GaveUp, &["wait", "web"], 3),
        (Outcome::ShuttingDown, &["wait", "web"], 3),
        // The rows of the second status say that it exited with 3.
        (Outcome::Done, &["wait", "web", "--for", "stopped"], 3),
        (Outcome::Done, &["wait", "web", "web.2", "--for", "stopped"], 0),
    ] {
        let answers = [status(READY), end(outcome), status(READY)];
        let (code, data, messages, _) = Supervisor::answering(answers).run(arguments);
        assert_eq!((code, data.as_str()), (expected, ""), "{arguments:?}: {messages}");
    }
}

#[test]
fn what_happened_is_told_with_what_was_forgotten() {
    let event = |number, numbered, to| {
        Record::Event(Event {
            number,
            wall: Duration::from_millis(951_782_400_001),
            monotonic_ns: 7,
            kind: EventKind::State,
            worker: "web".into(),
            instance: 1,
            numbered,
            generation: 2,
            from: Some(State::Starting),
            to: Some(to),
            signs: Signs::default(),
            cause: None,
            detail: String::new(),
            violation: None,
            spent: None,
        })
    };
    let answers = || {
        let some = [vec![event(4, false, State::Ready), event(5, true, State::Ready)], end(Outcome::Done)];
        let some = some.concat();
        [some, end(Outcome::TimedOut)]
    };
    let (code, data, _, asked) = Supervisor::answering(answers()).run(&["events"]);
    let expected = "\
[3 events were forgotten]
2000-02-29T00:00:00.001Z  web#2  starting -> ready
2000-02-29T00:00:00.001Z  web.1#2  starting -> ready
";
    assert_eq!((code, data.as_str()), (0, expected));
    assert_eq!(asked.iter().map(|(verb, _)| *verb).collect::<Vec<_>>(), [Verb::Events(0), Verb::Events(5)]);
    let (code, data, _, _) = Supervisor::answering(answers()).run(&["events", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&data).expect("it is one document");
    let told = &document["events"][0];
    assert_eq!((code, &told["lost"], &told["time"]), (0, &3.into(), &"2000-02-29T00:00:00.001Z".into()));
    assert_eq!((&told["from"], &told["to"]), (&"starting".into(), &"ready".into()));
    // The supervisor goes away after its second answer.
    let (code, data, _, _) = Supervisor::answering(answers()).run(&["events", "-f", "--json"]);
    let line = data.lines().next().expect("there are two");
    let line: serde_json::Value = serde_json::from_str(line).expect("each line is a document");
    assert_eq!((code, &line["schema_version"], &line["number"]), (0, &1.into(), &4.into()));
}

#[test]
fn what_became_of_an_order_is_its_exit_code() {
    for (outcome, expected, word) in [
        (Outcome::Done, 0, "done"),
        (Outcome::TimedOut, 6, "the order stands"),
        (Outcome::NotPermitted, 7, "not allowed"),
        (Outcome::UnknownTarget, 4, "no such worker"),
        (Outcome::ShuttingDown, 1, "is stopping"),
        (Outcome::Malformed, 1, "did not understand"),
    ] {
        let supervisor = Supervisor::answering([status(READY), end(outcome)]);
        let (code, data, messages, _) = supervisor.run(&["stop", "web", "--timeout", "1s"]);
        assert_eq!((code, data.as_str()), (expected, ""), "{outcome:?}: {messages}");
        assert!(messages.contains(word), "{messages}");
    }
}

#[test]
fn what_became_of_a_reload_is_its_exit_code_and_no_more_than_is_so() {
    for (text, outcome, expected, word) in [
        ("restarted\tweb\texec\nresult\tweb\tnot yet", Outcome::TimedOut, 6, "the order stands"),
        (
            "restarted\tweb\texec\nresult\tweb\tdoes not come up",
            Outcome::TimedOut,
            6,
            "taken up, but not by every worker",
        ),
        (
            "restarted\tweb\texec\nresult\tweb\tnot yet",
            Outcome::ShuttingDown,
            1,
            "stopped before it was done",
        ),
        ("", Outcome::ShuttingDown, 1, "the system is stopping"),
    ] {
        let lines = text.lines().map(|line| Record::Text(Text { text: line.into(), ends: true })).collect();
        let answer = [lines, end(outcome)].concat();
        let (code, _, messages, _) = Supervisor::answering([answer]).run(&["reload"]);
        assert_eq!(code, expected, "{outcome:?}: {messages}");
        assert!(messages.contains(word), "{messages}");
    }
}

#[test]
fn a_system_without_a_manifest_has_nothing_that_could_be_explained() {
    for verb in ["explain", "blast"] {
        let (code, data, messages, asked) = Supervisor::answering([status(READY)]).run(&[verb, "web"]);
        assert_eq!((code, data.as_str()), (1, ""), "{messages}");
        assert!(messages.contains("system shop has no manifest: it was declared by a program"), "{messages}");
        assert_eq!(asked, [(Verb::Status, Target::System)]);
    }
}

#[test]
fn a_supervisor_that_ends_before_it_answers_is_a_failure() {
    let (code, data, messages, _) = Supervisor::answering([Vec::<Record>::new()]).run(&["status"]);
    assert_eq!((code, data.as_str()), (1, ""));
    assert!(messages.contains("before it answered"), "{messages}");
}
