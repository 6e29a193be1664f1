//! What is asked of actors from outside: by the command line and over HTTP, with an admin worker and grants of `operator`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::time::Duration;

use bailiwick_supervisor::control::Verb;
use bailiwick_tests::harness::{Process, Stopwatch, Supervised};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "correct-horse-battery-staple";
/// How long what is done at once may take, with the start of a process.
const SOON: Duration = Duration::from_secs(10);

const ACTORS: &str = r#"
[worker.store]
exec = "tw"
actor.goods = { type = "Shelves" }
actor.cellar = { type = "Shelves" }
[worker.other]
exec = "tw"
actor.goods = { type = "Shelves" }
[[grant]]
from = "operator"
to = "store/goods"
methods = ["get", "put", "wait", "drop_it", "read", "count"]
[[grant]]
from = "operator"
to = "store/cellar"
methods = ["get"]
[[grant]]
from = "operator"
to = "store/bailiwick"
methods = ["inspect"]
"#;

/// A system that runs, and the folder with the token of its admin worker.
struct System {
    supervised: Supervised,
    _folder: TempDir,
}

/// A system whose admin worker has a token.
fn system() -> System {
    let folder = tempfile::tempdir().expect("there is room");
    let token = folder.path().join("token");
    fs::write(&token, format!("{TOKEN}\n")).expect("it is ours");
    let supervised = run!(&manifest(&format!("token = {token:?}"), ACTORS));
    for worker in ["admin", "store", "other"] {
        supervised.wait_for_life(worker, 1);
    }
    System { supervised, _folder: folder }
}

fn manifest(admin: &str, rest: &str) -> String {
    let exec = env!("CARGO_BIN_EXE_bailiwick-under-test");
    format!("[admin]\ntcp = \"127.0.0.1:0\"\nexec = {exec:?}\n{admin}\n{rest}")
}

impl System {
    /// Runs a command; returns its exit code and what it printed, to stdout and to stderr.
    fn told(&self, arguments: &[&str]) -> (i32, String, String) {
        told(&self.supervised, arguments)
    }

    /// Runs a command that fails; returns its exit code and its complaint.
    fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let (code, stdout, stderr) = self.told(arguments);
        assert_eq!(stdout, "", "{arguments:?}");
        (code, stderr)
    }

    /// Runs a command with `--json`; returns its exit code and the document.
    fn document(&self, arguments: &[&str]) -> (i32, Value) {
        let (code, stdout, stderr) = self.told(&[arguments, &["--json"]].concat());
        assert_eq!(stderr, "", "{arguments:?}");
        (code, serde_json::from_str(&stdout).expect("it is one document"))
    }

    /// Posts a body to a path of the admin worker; returns the code and the answer.
    fn post(&self, path: &str, headers: &[&str], body: &str) -> (u16, String) {
        let address = self.supervised.journal().wait_until("an address", |lines| {
            let said = lines.iter().find_map(|line| line.text.strip_prefix("admin | serving at http://"));
            said.map(|address| address.trim_end_matches('/').to_owned())
        });
        let mut stream = TcpStream::connect(&address).expect("the supervisor listens, whoever serves");
        stream.set_read_timeout(Some(SOON)).expect("it is a socket");
        let (more, length) = (headers.join("\r\n"), body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}"
        );
        // Whoever is refused early does not read the rest.
        let _ = stream.write_all(format!("{head}\r\n{more}\r\n\r\n{body}").as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        (code.unwrap_or_else(|| panic!("{path}: {answer:?}")), answer)
    }
}

fn told(supervised: &Supervised, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
    command.args(arguments).arg("--state-dir").arg(supervised.state_dir());
    let Output { status, stdout, stderr } = command.output().expect("it can be run");
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    (status.code().expect("it ends by itself"), text(stdout), text(stderr))
}

/// Takes out of a document what differs from run to run.
fn settled(mut document: Value) -> Value {
    for key in ["time", "duration_s"] {
        assert!(document.as_object_mut().expect("an object").remove(key).is_some() || key == "duration_s");
    }
    document
}

const ITEM: &str = r#"{"key": "rope", "item": {"count": 2, "quality": {"Lasting": {"years": 0.1}}, "notes": ["long\u001b[2J"]}}"#;

#[test]
fn what_is_granted_is_asked_and_sent_by_json() {
    let system = system();
    let get = |key: &str| system.told(&["ask", "store/goods.get", &json!({ "key": key }).to_string()]);
    assert_eq!(get("rope"), (0, "null\n".into(), "".into()));
    let put = system.told(&["ask", "store/goods.put", ITEM]);
    assert_eq!(put, (0, "{\n  \"Ok\": 1\n}\n".into(), "".into()));
    let expected = r#"{
  "count": 2,
  "notes": [
    "long\u001b[2J"
  ],
  "quality": {
    "Lasting": {
      "years": 0.1
    }
  }
}
"#;
    assert_eq!(get("rope"), (0, expected.into(), "".into()));
    let (code, document) = system.document(&["ask", "store/goods.get", r#"{"key": "rope"}"#]);
    let reply = json!({ "count": 2, "quality": { "Lasting": { "years": 0.1 } }, "notes": ["long\u{1b}[2J"] });
    let expected = json!({
        "schema_version": 1, "target": "store/goods", "method": "get", "outcome": "replied", "reply": reply, "detail": ""
    });
    assert_eq!((code, settled(document)), (0, expected));
    let second = ITEM.replace("rope", "nail");
    let sent = system.told(&["send", "store/goods.put", &second]);
    assert_eq!(sent, (0, "store/goods.put: it is on its way\n".into(), "".into()));
    system.supervised.journal().wait_for(0, "store | has 2 nail");
    let (code, document) = system.document(&["send", "store/goods.put", ITEM]);
    let expected = json!({
        "schema_version": 1, "target": "store/goods", "method": "put", "outcome": "sent", "reply": null, "detail": "it is on its way"
    });
    assert_eq!((code, settled(document)), (0, expected));
    let full = ITEM.replace("\"count\": 2", "\"count\": 0");
    let refused = system.told(&["ask", "store/goods.put", &full]);
    assert_eq!(refused, (0, "{\n  \"Err\": \"nothing of it\"\n}\n".into(), "".into()), "it replied");
    // Each use is in the log, and nothing of what was in it.
    let journal = system.supervised.journal();
    let line = journal.wait_for(0, "admin | ask store/goods.put: by 127.0.0.1:");
    assert!(line.text.ends_with(" with the token"), "{line:?}");
    journal.wait_for(0, "admin | ask store/goods.put: replied");
    journal.wait_for(0, "admin | send store/goods.put: sent");
    assert!(journal.since(0).iter().all(|line| !line.text.contains("Lasting")), "no payload");
}

#[test]
fn what_is_not_granted_is_not_asked() {
    let system = system();
    let item = r#"{"key": "x", "item": {"count": 1, "quality": "Plain", "notes": []}}"#;
    for (target, text) in [
        ("store/cellar.put", "no grant permits it"),
        ("other/goods.get", "`from = \"operator\"` and `to = \"other/goods\"`"),
    ] {
        let (code, error) = system.fails(&["ask", target, item]);
        assert!(code == 7 && error.contains(text), "{target}: {code} {error}");
    }
    assert_eq!(system.told(&["ask", "store/cellar.get", r#"{"key": "x"}"#]).0, 0);
    for (target, text) in [
        ("stor/goods.get", "no worker is called `stor`"),
        ("store/gods.get", "`store` has no actor `gods`; its actors are: goods, cellar"),
        ("store/bailiwick.look", "`store` has no actor `bailiwick`"),
        ("store/goods.fetch", "`store/goods` has no method `fetch`; its methods are: get, put, wait"),
    ] {
        let (code, error) = system.fails(&["ask", target]);
        assert!(code == 4 && error.contains(text), "{target}: {code} {error}");
    }
    let (code, document) = system.document(&["ask", "store/goods.fetch"]);
    assert_eq!((code, &document["outcome"], &document["reply"]), (4, &"refused".into(), &Value::Null));
}

#[test]
fn json_that_the_schema_does_not_know_is_refused_by_its_place() {
    let system = system();
    for (method, json, text) in [
        ("get", r#"{"key": 7}"#, ".key: expected text, found 7"),
        ("get", "{}", "the arguments: `key` is missing"),
        ("put", r#"{"key": "x", "item": {"count": -1}}"#, ".item"),
        (
            "put",
            r#"{"key": "x", "item": {"count": -1, "quality": "Plain", "notes": []}}"#,
            ".item.count: expected u32, found -1",
        ),
        ("read", r#"{"file": 3}"#, ".file: `Fd<file>` is nothing that can be written as JSON"),
        ("count", "{}", "a stream of replies"),
        ("get", "[1]", "expected an object with the arguments"),
        ("get", "{key: 1}", "no JSON"),
    ] {
        let (code, error) = system.fails(&["ask", &format!("store/goods.{method}"), json]);
        assert!(code == 2 && error.contains(text), "{method} {json}: {code} {error}");
    }
    for usage in
        [&["ask", "store.get"][..], &["ask", "store/goods.get", "{}", "--timeout", "1h"], &["inspect"]]
    {
        assert_eq!(system.told(usage).0, 2, "{usage:?}");
    }
}

#[test]
fn who_does_not_answer_is_waited_for_so_long_and_others_answer_meanwhile() {
    let system = system();
    let watch = Stopwatch::start();
    let (code, error) = system.fails(&["ask", "store/goods.wait", "--timeout", "300ms"]);
    watch.assert_within(SOON, "a timeout of 300 ms");
    assert!(code == 6 && error.contains("the deadline passed"), "{code} {error}");
    // An ask that is given up is dropped by its handler; a tell is not.
    assert_eq!(system.told(&["send", "store/goods.wait"]).0, 0);
    system.supervised.journal().wait_until("it to wait twice", |lines| {
        (lines.iter().filter(|line| line.text.ends_with("store | waits")).count() == 2).then_some(())
    });
    let (code, text, _) = system.told(&["inspect", "store/goods"]);
    assert!(code == 0 && text.contains("not told: it is busy with a message"), "{text}");
    assert_eq!(system.told(&["ask", "store/cellar.get", r#"{"key": "x"}"#]).0, 0);
    let (code, error) = system.fails(&["ask", "store/goods.get", r#"{"key": "x"}"#, "--timeout", "300ms"]);
    assert!(code == 6 && error.contains("the deadline passed"), "{code} {error}");
}

#[test]
fn an_actor_is_looked_into_with_what_it_says_of_its_state() {
    let system = system();
    assert_eq!(system.told(&["ask", "store/goods.put", ITEM]).0, 0);
    let (code, text, error) = system.told(&["inspect", "store/goods"]);
    assert_eq!((code, &*error), (0, ""));
    let expected = "store/goods
  type         Shelves
  incarnation  1
  handled      1
  waiting      0 of 1024, 0 bytes
  serves       Stock: get, put, wait, drop_it, read, count
  state        as it says:
    Shelves {
        items: {
            \"rope\": Item {
";
    assert!(text.starts_with(expected), "{text}");
    let (code, document) = system.document(&["inspect", "store/cellar"]);
    let mut document = settled(document);
    assert_eq!(document["actor"]["words"].take(), "Shelves {\n    items: {},\n}");
    let methods = ["get", "put", "wait", "drop_it", "read", "count"];
    let actor = json!({
        "type": "Shelves", "generation": 1, "handled": 0, "children": 0, "waiting": 0, "waiting_bytes": 0, "in_line": 0,
        "capacity": 1024, "protocols": [{ "name": "Stock", "methods": methods }], "state": "words", "words": null
    });
    let expected = json!({ "schema_version": 1, "target": "store/cellar", "outcome": "found", "detail": "", "actor": actor });
    assert_eq!((code, document), (0, expected));
    let (code, error) = system.fails(&["inspect", "store/nobody"]);
    assert!(code == 4 && error.contains("no actor `nobody`"), "{error}");
    let (code, error) = system.fails(&["inspect", "other/goods"]);
    assert!(code == 7 && error.contains("`to = \"other/bailiwick\"`"), "{error}");
    system.supervised.journal().wait_for(0, "admin | inspect store/goods: found");
}

#[test]
fn who_dies_is_asked_in_the_next_life() {
    let system = system();
    let get = ["ask", "store/goods.get", r#"{"key": "x"}"#];
    assert_eq!(system.told(&get).0, 0);
    let (code, error) = system.fails(&["ask", "store/goods.drop_it"]);
    assert!(code == 1 && error.contains("its handler panicked: it fell"), "{code} {error}");
    assert_eq!(system.told(&get).0, 0, "the actor is made anew");
    let killed = system.supervised.wait_for_life("store", 1);
    Process(killed.pid.expect("it runs")).signal(Signal::SIGKILL);
    system.supervised.wait_for_life("store", 2);
    assert_eq!(system.told(&get).0, 0, "what was learnt holds");
    let killed = system.supervised.wait_for_life("admin", 1);
    Process(killed.pid.expect("it runs")).signal(Signal::SIGKILL);
    system.supervised.wait_for_life("admin", 2);
    assert_eq!(system.told(&get).0, 0);
    system.supervised.order(Verb::Stop, "admin");
    let (code, error) = system.fails(&get);
    assert!(code == 5 && error.contains("the admin worker does not run"), "{code} {error}");
    assert_eq!(system.supervised.worker("store").generation, 2, "nobody else minds");
}

#[test]
fn only_who_knows_the_token_asks_and_no_page_of_another_site() {
    let system = system();
    let body = r#"{"target": "store/goods", "method": "get", "arguments": {"key": "x"}}"#;
    let token = format!("Authorization: Bearer {TOKEN}");
    for path in ["/api/v1/ask", "/api/v1/send", "/api/v1/inspect"] {
        let origin = "Origin: http://evil.example";
        assert_eq!(system.post(path, &[&token, origin], body).0, 403, "{path}");
        assert_eq!(system.post(path, &[], body).0, 401, "{path}");
        assert_eq!(system.post(path, &["Authorization: Bearer wrong"], body).0, 401, "{path}");
    }
    assert_eq!(system.post("/api/v1/ask", &[&token], body).0, 200);
    let (code, answer) = system.post("/api/v1/ask", &[&token], "{\"target\": \"store/goods\"}");
    assert!(code == 400 && answer.contains("missing field `method`"), "{answer}");
    let forged = json!({ "target": "store/goods\nadmin | forged", "method": "get" }).to_string();
    assert_eq!(system.post("/api/v1/ask", &[&token], &forged).0, 400);
    let large = format!("{{\"target\": \"{}\"}}", "x".repeat(300 << 10));
    assert_eq!(system.post("/api/v1/ask", &[&token], &large).0, 413);
    assert!(system.supervised.journal().since(0).iter().all(|line| !line.text.contains("forged")));
}

#[test]
fn without_a_token_nothing_is_asked() {
    let supervised =
        run!(&manifest("", "[worker.store]\nexec = \"tw\"\nactor.goods = { type = \"Shelves\" }\n"));
    supervised.wait_for_life("admin", 1);
    for verb in [&["ask", "store/goods.get"][..], &["send", "store/goods.get"], &["inspect", "store/goods"]] {
        let (code, _, error) = told(&supervised, verb);
        assert!(code == 7 && error.contains("has no `token`"), "{code} {error}");
    }
}
