//! `top` against a supervisor that answers as it is told: what is printed once, and where it does not take over.

#[path = "support/supervisor.rs"]
mod supervisor;
mod support;

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, End, Head, Outcome, Record, Row, State, Target, Verb};
use supervisor::Supervisor;

/// Reports two workers, of whom one is in a group.
fn status() -> Vec<Record> {
    let head = Head { name: "shop".into(), pid: 1, uptime: Duration::from_secs(61), ..Head::default() };
    let web = Row {
        name: "web".into(),
        instance: 1,
        state: State::Ready,
        // It is nobody's, or not a child of process 1.
        pid: Some(u32::MAX >> 1),
        generation: 2,
        uptime: Some(Duration::from_secs(60)),
        ..Row::default()
    };
    let db = Row {
        name: "db".into(),
        group: "back".into(),
        state: State::Backoff,
        pid: None,
        uptime: None,
        restarts: 7,
        next_start: Some(Duration::from_secs(2)),
        last_cause: Some(Cause::Signal(11)),
        ..web.clone()
    };
    vec![Record::Head(head), Record::Row(web), Record::Row(db), Record::End(End { outcome: Outcome::Done })]
}

fn once(arguments: &[&str]) -> String {
    let all = [&["top", "--once", "--interval", "100ms"], arguments].concat();
    let (code, data, messages, asked) = Supervisor::answering([status(), status()]).run(&all);
    assert_eq!((code, messages.as_str()), (0, ""));
    assert_eq!(asked, [(Verb::Status, Target::System), (Verb::Status, Target::System)], "two looks");
    data
}

#[test]
fn once_is_a_table_that_is_sorted_as_it_is_wanted() {
    let expected = "\
shop: pid 1, user root, up 1 min 1 s
NAME  STATE    PID         UPTIME  RESTARTS  CPU  MEM  DETAIL
web   ready    2147483647  1min0s  0         -    -    at work
db    backoff  -           -       7         -    -    next start in 2.0 s: SIGSEGV
";
    assert_eq!(once(&[]), expected);
    let lines: Vec<_> = expected.lines().collect();
    let other = [lines[0], lines[1], lines[3], lines[2], ""].join("\n");
    for sort in ["name", "state", "restarts"] {
        assert_eq!(once(&["-s", sort]), other, "{sort}");
    }
    // The columns are as wide as what is in them.
    let first = once(&["-s", "restarts", "-n", "1"]);
    assert_eq!(first.lines().count(), 3, "{first}");
    assert!(first.contains("\ndb    backoff  -    -       7"), "{first}");
}

#[test]
fn once_as_json_is_one_document() {
    let mut found: serde_json::Value =
        serde_json::from_str(&once(&["--json", "-s", "state"])).expect("it is one document");
    let window = found["window_s"].take().as_f64().expect("a number");
    assert!(window >= 0.1, "{window}");
    assert!(found["time"].take().as_str().is_some_and(|time| time.ends_with('Z')));
    let worker = |name, group, state, pid: Option<u32>, uptime: Option<f64>, restarts, detail| {
        serde_json::json!({
            "name": name, "instance": 1, "title": name, "group": group, "state": state,
            "ready": state == "ready", "pid": pid, "generation": 2, "uptime_s": uptime, "restarts": restarts,
            "cpu_percent": null, "cpu_s": null, "memory_bytes": null, "mailbox": null, "messages_per_s": null,
            "handling_p99_s": null, "detail": detail,
        })
    };
    let expected = serde_json::json!({
        "schema_version": 1, "time": null, "system": "shop", "sorted_by": "state", "window_s": null,
        "workers": [
            worker("db", "back", "backoff", None, None, 7, "next start in 2.0 s: SIGSEGV"),
            worker("web", "", "ready", Some(u32::MAX >> 1), Some(60.0), 0, "at work"),
        ],
    });
    assert_eq!(found, expected);
}

#[test]
fn where_there_is_no_terminal_it_says_what_to_do_instead() {
    let (_keep, folder) = support::folder();
    let (code, data, messages) = support::run(support::bailiwick(&folder).arg("top").env("TERM", "xterm"));
    assert_eq!((code, data.as_str()), (2, ""));
    assert!(messages.contains("standard input") && messages.contains("`bailiwick top --once`"), "{messages}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (_keep, folder) = support::folder();
    for (arguments, hint) in [
        (&["top", "--json"][..], "--once"),
        (&["top", "--interval", "10ms"], "from 100ms to 1h"),
        (&["top", "--interval", "2h"], "from 100ms to 1h"),
        (&["top", "-n", "0"], "0 is not in"),
        (&["top", "-s", "colour"], "restarts"),
    ] {
        let (code, data, messages) = support::run(support::bailiwick(&folder).args(arguments));
        assert_eq!((code, data.as_str()), (2, ""), "{messages}");
        assert!(messages.contains(hint), "{messages}");
    }
    let nobody = ["top", "--once", "--state-dir", "/nonexistent/dir"];
    let (code, data, messages) = support::run(support::bailiwick(&folder).args(nobody));
    assert_eq!((code, data.as_str()), (5, ""), "{messages}");
}
