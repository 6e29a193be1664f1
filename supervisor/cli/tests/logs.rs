//! `logs` against a supervisor that answers as it is told: what is asked, and what is printed.

#[path = "support/supervisor.rs"]
mod supervisor;

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, End, Head, Outcome, Record, Row, State, Target, Verb};
use bailiwick_wire::crash::{self, Moment, Report};
use bailiwick_wire::log::{Count, Event, Level, Line, NEXT_LINE, Priority, Said, Source, write};
use supervisor::{Packet, Supervisor};

fn source(worker: &str, instance: u16) -> Source {
    Source { worker: worker.into(), instance, numbered: false }
}

/// The line of this number, which is the how-manieth of its source, after so many that were dropped.
fn line(number: u64, source: Source, (nth, dropped): (u64, u64), said: (Priority, &str)) -> Line {
    let at = Moment { wall: Duration::from_millis(951_782_400_001), monotonic_ns: 7 };
    let (priority, text) = (said.0, said.1.to_owned());
    Line {
        number,
        source,
        count: Count { nth, dropped },
        said: Said { at, generation: 2, priority, text, event: None },
    }
}

fn end(outcome: Outcome) -> Packet {
    Record::End(End { outcome }).into()
}

fn told(lines: Vec<Line>) -> Vec<Packet> {
    vec![Packet(write(lines).expect("there are lines")), end(Outcome::Done)]
}

fn nothing() -> Vec<Packet> {
    vec![end(Outcome::TimedOut)]
}

fn status() -> Vec<Packet> {
    let row = Row { name: "web".into(), instance: 1, state: State::Ready, ..Row::default() };
    vec![Record::Head(Head::default()).into(), Record::Row(row).into(), end(Outcome::Done)]
}

/// Two workers and the supervisor: of one a line was dropped, and two were forgotten.
fn lines() -> Vec<Line> {
    let (web, db) = (|| source("web", 1), || source("db", 1));
    let own = Source::supervisor();
    vec![
        line(1, web(), (1, 0), (Priority::Info, "listens")),
        line(2, db(), (1, 0), (Priority::Error, "cannot \"write\"")),
        line(6, web(), (5, 1), (Priority::Debug, "odd \\x1b[2J")),
        line(7, own, (1, 0), (Priority::Warning, "web#2: exit code 1")),
    ]
}

#[test]
fn lines_of_all_are_merged_and_what_is_missing_is_told_on_stderr() {
    let supervisor = Supervisor::answering([told(lines()), nothing()]);
    let (code, data, messages, asked) = supervisor.run(&["logs"]);
    let expected = "\
web | listens
db | cannot \"write\"
web | odd \\x1b[2J
bailiwick | web#2: exit code 1
";
    assert_eq!((code, data.as_str()), (0, expected));
    assert_eq!(messages, "[web: 2 lines forgotten]\n[web: 1 line dropped: printed too fast]\n");
    assert_eq!(asked, [(Verb::Log(0), Target::System), (Verb::Log(7), Target::System)]);
}

#[test]
fn documents_are_one_on_each_line_with_what_is_missing_among_them() {
    let (code, data, messages, _) =
        Supervisor::answering([told(lines()), nothing()]).run(&["logs", "--json"]);
    let expected = concat!(
        r#"{"schema_version":1,"number":1,"time":"2000-02-29T00:00:00.001Z","time_mono_ns":7,"worker":"web","instance":1,"generation":2,"priority":6,"text":"listens"}"#,
        "\n",
        r#"{"schema_version":1,"number":2,"time":"2000-02-29T00:00:00.001Z","time_mono_ns":7,"worker":"db","instance":1,"generation":2,"priority":3,"text":"cannot \"write\""}"#,
        "\n",
        r#"{"schema_version":1,"worker":"web","instance":1,"dropped":1,"forgotten":2}"#,
        "\n",
        r#"{"schema_version":1,"number":6,"time":"2000-02-29T00:00:00.001Z","time_mono_ns":7,"worker":"web","instance":1,"generation":2,"priority":7,"text":"odd \\x1b[2J"}"#,
        "\n",
        r#"{"schema_version":1,"number":7,"time":"2000-02-29T00:00:00.001Z","time_mono_ns":7,"worker":"bailiwick","instance":null,"generation":null,"priority":4,"text":"web#2: exit code 1"}"#,
        "\n"
    );
    assert_eq!((code, data.as_str(), messages.as_str()), (0, expected, ""));
    for line in data.lines() {
        let document: serde_json::Value = serde_json::from_str(line).expect("each line is a document");
        assert_eq!(document["schema_version"], 1);
    }
}

#[test]
fn the_last_lines_are_the_last_of_what_is_wanted() {
    let shown = |arguments: &[&str]| {
        let all = [&["logs"], arguments].concat();
        let (code, data, messages, _) = Supervisor::answering([told(lines()), nothing()]).run(&all);
        assert_eq!(code, 0, "{messages}");
        (data, messages)
    };
    let of = |text: &str| (text.to_owned(), String::new());
    assert_eq!(shown(&["-n", "1"]), of("bailiwick | web#2: exit code 1\n"));
    assert_eq!(shown(&["-n", "2"]), of("web | odd \\x1b[2J\nbailiwick | web#2: exit code 1\n"));
    assert_eq!(shown(&["-n", "0"]), of(""));
    assert_eq!(shown(&["--level", "err", "-n", "1"]).0, "db | cannot \"write\"\n");
    assert_eq!(shown(&["--since", "5m"]), of(""), "they are as old as the machine");
    let (data, _) = shown(&["--since", "2000-02-29T00:00:00Z"]);
    assert_eq!(data.lines().count(), 4);
    assert_eq!(shown(&["--since", "2000-02-29T00:00:01Z"]), of(""));
}

#[test]
fn ten_lines_are_shown_unless_it_is_said_how_many() {
    let many = || (1..=30).map(|n| line(n, source("web", 1), (n, 0), (Priority::Info, "x"))).collect();
    for (arguments, expected) in
        [(&["logs"][..], 10), (&["logs", "-n", "all"], 30), (&["logs", "-n", "12"], 12)]
    {
        let (_, data, _, _) = Supervisor::answering([told(many()), nothing()]).run(arguments);
        assert_eq!(data.lines().count(), expected, "{arguments:?}");
    }
}

#[test]
fn one_name_is_asked_for_and_of_several_each_is_picked_out() {
    let web = || Target::Worker("web".into());
    let answers = [nothing(), told(vec![lines().remove(0)]), nothing()];
    let (_, data, _, asked) = Supervisor::answering(answers).run(&["logs", "web"]);
    assert_eq!(data, "web | listens\n");
    assert_eq!(asked, [(Verb::Log(NEXT_LINE), web()), (Verb::Log(0), web()), (Verb::Log(1), web())]);
    let answers = [nothing(), nothing(), told(lines()), nothing()];
    let (_, data, messages, asked) = Supervisor::answering(answers).run(&["logs", "db.1", "bailiwick"]);
    assert_eq!(data, "db | cannot \"write\"\nbailiwick | web#2: exit code 1\n");
    assert_eq!((messages.as_str(), &asked[2]), ("", &(Verb::Log(0), Target::System)));
    assert_eq!(asked[0].1, Target::Instance("db".into(), 1));
}

#[test]
fn a_name_that_nobody_has_exits_with_4_and_the_nearest() {
    for (name, near) in [
        ("wob", "did you mean `web`?"),
        ("web.7", "web, bailiwick"),
        ("bailiwik", "did you mean `bailiwick`?"),
    ] {
        let answers = [vec![end(Outcome::UnknownTarget)], status()];
        let (code, data, messages, _) = Supervisor::answering(answers).run(&["logs", name]);
        assert_eq!((code, data.as_str()), (4, ""), "{messages}");
        assert!(messages.contains(near), "{messages}");
    }
}

#[test]
fn events_are_shown_with_level_actor_and_fields_and_found_by_actor() {
    let event = |actor: &str, level: Level| Event { level, actor: actor.into(), ..Event::default() };
    let of = |number, event: Event| {
        let mut line = line(number, source("web", 1), (number, 0), (event.level.priority(), "said"));
        line.said.event = Some(Box::new(event));
        line
    };
    let fields =
        vec![("peer".to_owned(), "10.0.0.1".to_owned()), ("why".to_owned(), "a \u{1b}[2J".to_owned())];
    let lines = || {
        let whole = Event {
            target: "shop".into(),
            trace: "0".repeat(32),
            file: "src/a.rs".into(),
            line: 7,
            fields: fields.clone(),
            omitted: 2,
            ..event("front#1", Level::Warn)
        };
        vec![
            of(1, whole),
            of(2, event("front/job#3", Level::Trace)),
            of(3, event("back#1", Level::Error)),
            self::lines().remove(0),
        ]
    };
    let shown = |arguments: &[&str]| {
        let all = [&["logs"], arguments].concat();
        Supervisor::answering([told(lines()), nothing()]).run(&all).1
    };
    let (warns, traces) = (
        "web | WARN front#1: said peer=10.0.0.1 why=\"a \\x1b[2J\" [2 more]\n",
        "web | TRACE front/job#3: said\n",
    );
    assert_eq!(shown(&["--actor", "front"]), format!("{warns}{traces}"));
    assert_eq!(shown(&["--actor", "front#1"]), warns);
    assert_eq!(shown(&["--actor", "fron"]), "");
    assert_eq!(shown(&["--level", "error"]), "web | ERROR back#1: said\n");
    let expected = concat!(
        r#"{"schema_version":1,"number":1,"time":"2000-02-29T00:00:00.001Z","time_mono_ns":7,"worker":"web","instance":1,"generation":2,"priority":4,"text":"said","event":{"level":"warn","target":"shop","actor":"front#1","trace_id":"00000000000000000000000000000000","file":"src/a.rs","line":7,"fields":{"peer":"10.0.0.1","why":"a \\x1b[2J"},"fields_omitted":2}}"#,
        "\n",
    );
    assert_eq!(shown(&["--actor", "front#1", "--json"]), expected);
}

#[test]
fn who_follows_is_told_what_comes_to_the_end_of_the_supervisor() {
    let web = || source("web", 1);
    let answers = [
        told(vec![line(1, web(), (1, 0), (Priority::Info, "one"))]),
        nothing(),
        told(vec![line(4, web(), (4, 0), (Priority::Info, "four"))]),
        nothing(),
    ];
    let (code, data, messages, asked) = Supervisor::answering(answers).run(&["logs", "-f"]);
    assert_eq!((code, data.as_str()), (0, "web | one\nweb | four\n"));
    assert_eq!(messages, "[web: 2 lines forgotten]\n");
    assert_eq!(asked.last(), Some(&(Verb::Log(4), Target::System)));
}

#[test]
fn of_the_last_crash_the_lines_of_that_life_are_shown_or_those_in_its_report() {
    let report = |generation, seconds| {
        let ended = Moment { wall: Duration::from_secs(seconds), monotonic_ns: seconds * 1_000_000_000 };
        let report = Report { ended, cause: Cause::Exit(1), ..Report::of("web", 1, generation) };
        Packet(Report { last_lines: vec!["from its report".into()], ..report }.to_bytes())
    };
    let crashes = |generation| vec![report(1, 1), report(generation, 2), end(Outcome::Done)];
    for (generation, expected) in [(2, "web | listens\nweb | odd \\x1b[2J\n"), (3, "web | from its report\n")]
    {
        let answers = [nothing(), crashes(generation), told(lines()), nothing()];
        let (code, data, _, asked) = Supervisor::answering(answers).run(&["logs", "web", "--crash"]);
        assert_eq!((code, data.as_str()), (0, expected));
        assert_eq!(asked[1], (Verb::Crashes, Target::Worker("web".into())));
    }
    let (code, data, messages, _) =
        Supervisor::answering([vec![end(Outcome::Done)]]).run(&["logs", "--crash"]);
    assert_eq!((code, data.as_str(), messages.as_str()), (0, "", "no crash is remembered\n"));
}

#[test]
fn a_supervisor_is_not_believed() {
    let mut cut = write(lines()).expect("there are lines");
    cut.truncate(cut.len() - 1);
    let mut many = write(lines()).expect("there are lines");
    many[5..13].copy_from_slice(&u64::MAX.to_le_bytes());
    for packet in [cut, many, b"BWLG".to_vec(), crash::MAGIC.to_vec()] {
        let (code, data, messages, _) =
            Supervisor::answering([vec![Packet(packet), end(Outcome::Done)]]).run(&["logs"]);
        assert_eq!((code, data.as_str()), (1, ""), "{messages}");
    }
    let hostile = line(1, source("web\u{1b}[2J", 1), (1, 0), (Priority::Info, "a\rb\u{202e}\u{1b}[31m"));
    for arguments in [&["logs"][..], &["logs", "--json"]] {
        let (_, data, _, _) = Supervisor::answering([told(vec![hostile.clone()]), nothing()]).run(arguments);
        let is_trick = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!data.contains(is_trick) && data.contains("x1b[31m"), "{data:?}");
    }
}
