//! Who reads along what actors handle: by the command line and over HTTP, with an admin worker and grants of `operator`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use bailiwick_tests::harness::{Process, Stopwatch, Supervised, wait_until};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "correct-horse-battery-staple";
/// How long what is done at once may take, with the start of a process.
const SOON: Duration = Duration::from_secs(10);
/// How many traces one worker has at a time.
const AT_ONCE: usize = 4;

const ACTORS: &str = r#"
[worker.store]
exec = "tw"
actor.goods = { type = "Shelves" }
actor.cellar = { type = "Shelves" }
[worker.pair]
exec = "tw"
instances = 2
actor.goods = { type = "Shelves" }
[worker.closed]
exec = "tw"
actor.goods = { type = "Shelves" }
[worker.hears]
exec = "tw"
actor.parrot = { type = "Parrot" }
[worker.talker]
exec = "tw"
actor.mouth = { type = "Chatter", args = { targets = ["hears/parrot"], pause_ms = 20 } }
[[grant]]
from = "talker"
to = "hears/parrot"
methods = ["word", "hear", "read", "carry", "count"]
fds = { send = ["file", "sealed-memory"], receive = ["sealed-memory"] }
[[grant]]
from = "operator"
to = "store"
methods = ["get", "put", "wait", "drop_it"]
[[grant]]
from = "operator"
to = "pair"
methods = ["get"]
[[grant]]
from = "operator"
to = "store/bailiwick"
methods = ["inspect", "trace"]
[[grant]]
from = "operator"
to = "pair/bailiwick"
methods = ["trace"]
[[grant]]
from = "operator"
to = "hears/bailiwick"
methods = ["trace"]
"#;

/// A system that runs, and the folder with the token of its admin worker.
struct System {
    supervised: Supervised,
    _folder: TempDir,
}

fn system(actors: &str) -> System {
    let folder = tempfile::tempdir().expect("there is room");
    let token = folder.path().join("token");
    fs::write(&token, format!("{TOKEN}\n")).expect("it is ours");
    let exec = env!("CARGO_BIN_EXE_bailiwick-under-test");
    let admin = format!("[admin]\ntcp = \"127.0.0.1:0\"\nexec = {exec:?}\ntoken = {token:?}\n");
    let supervised = run!(&(admin + actors));
    System { supervised, _folder: folder }
}

/// A system with those actors, all of which run.
fn shop() -> System {
    let system = system(ACTORS);
    for worker in ["admin", "store", "closed", "hears", "talker"] {
        system.supervised.wait_for_life(worker, 1);
    }
    // Of both instances of that one the actors answer.
    for instance in ["pair.1", "pair.2"] {
        let get = format!("{instance}/goods.get");
        wait_until("an answer", || system.told(&["ask", &get, r#"{"key": "x"}"#]).0 == 0);
    }
    system
}

impl System {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
        command.args(arguments).arg("--state-dir").arg(self.supervised.state_dir());
        command
    }

    /// Runs a command; returns its exit code and what it printed, to stdout and to stderr.
    fn told(&self, arguments: &[&str]) -> (i32, String, String) {
        ended(self.command(arguments).output().expect("it can be run"))
    }

    /// Starts a trace, which has begun when this returns.
    fn begin(&self, arguments: &[&str]) -> Trace {
        let mut command = self.command(&[&["trace", "--json"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be run");
        let lines = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut trace = Trace { child, lines };
        let begun = trace.next().expect("it begins");
        assert_eq!(begun["event"], "begun", "{begun}");
        trace
    }

    /// Begins to post a body to the admin worker.
    fn post(&self, body: &Value) -> TcpStream {
        let address = self.supervised.journal().wait_until("an address", |lines| {
            let said = lines.iter().find_map(|line| line.text.strip_prefix("admin | serving at http://"));
            said.map(|address| address.trim_end_matches('/').to_owned())
        });
        let mut stream = TcpStream::connect(&address).expect("the supervisor listens, whoever serves");
        stream.set_read_timeout(Some(SOON)).expect("it is a socket");
        let body = body.to_string();
        let head = format!(
            "POST /api/v1/trace HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).expect("it is read");
        stream
    }
}

fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    (output.status.code().expect("it ends by itself"), text(output.stdout), text(output.stderr))
}

/// A trace that is read line by line.
struct Trace {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Trace {
    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("it is text");
        (!line.is_empty()).then(|| serde_json::from_str(&line).expect("it is one document"))
    }

    /// Returns the messages that come, the last line, and the exit code.
    fn all(mut self) -> (Vec<Value>, Option<Value>, i32) {
        let mut told: Vec<Value> = std::iter::from_fn(|| self.next()).collect();
        let over = told.pop_if(|last| last["event"] == "over");
        (told, over, self.child.wait().expect("it ends").code().expect("by itself"))
    }

    fn interrupt(&self) {
        Process(self.child.id()).signal(Signal::SIGINT);
    }
}

/// A test that fails leaves no process behind.
impl Drop for Trace {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Takes out of a message what differs from run to run, which must be plausible.
fn settled(mut message: Value) -> Value {
    let fields = message.as_object_mut().expect("it is an object");
    let time = fields.remove("time").expect("a time");
    assert!(time.as_str().is_some_and(|time| time.ends_with('Z')), "{time}");
    assert!(fields.remove("time_mono_ns").is_some_and(|at| at.as_u64() > Some(0)));
    for span in ["waited_s", "handled_s"] {
        let span = fields.remove(span).expect("it is there");
        assert!(span.as_f64().is_some_and(|span| (0.0..60.0).contains(&span)), "{span}");
    }
    message
}

#[test]
fn what_another_worker_tells_and_asks_is_told_with_how_it_came() {
    let system = shop();
    let (told, over, code) = system.begin(&["hears/parrot", "--count", "60", "--for", "30s"]).all();
    let over = over.expect("it says why it ended");
    assert_eq!((code, &over["why"], &over["told"], told.len()), (0, &"messages".into(), &60.into(), 60));
    // Of what lay in the mailbox before, it is not known for how long.
    let is_measured = |one: &&Value| !one["waited_s"].is_null();
    let of = |method: &str| {
        let mut found = told.iter().filter(is_measured).filter(|one| one["method"] == method);
        found.next().expect("one is among them")
    };
    let hear = of("hear");
    assert!(hear["bytes"].as_u64() > Some(8), "{hear}");
    let expected = json!({
        "schema_version": 1, "event": "message", "worker": "hears", "instance": 1, "actor": "parrot", "generation": 1,
        "type": "Parrot", "protocol": "Talk", "method": "hear", "kind": "tell", "from": "talker", "bytes": hear["bytes"],
        "ended": "handled", "trace_id": null, "lost": hear["lost"]
    });
    assert_eq!(settled(hear.clone()), expected);
    let word = of("word");
    assert_eq!((&word["kind"], &word["from"]), (&"ask".into(), &"talker".into()));
    // Nothing of what is in a message, however it is asked for.
    assert!(told.iter().all(|one| !one.to_string().contains("word word")));
    let journal = system.supervised.journal();
    let line = journal.wait_for(0, "admin | trace hears/parrot: by 127.0.0.1:");
    assert!(line.text.ends_with(" with the token"), "{line:?}");
    journal.wait_for(0, "admin | trace hears/parrot: over: messages; 60 messages told, ");
}

#[test]
fn a_person_reads_columns_and_beside_them_why_it_ended() {
    let system = shop();
    let (code, text, beside) = system.told(&["trace", "hears/parrot", "--count", "2", "--for", "30s"]);
    assert_eq!((code, &*beside), (0, "tracing in hears\nover: 2 messages; 2 messages shown\n"));
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('[')).collect();
    let head = "TIME                      ACTOR             MESSAGE           KIND  FROM      BYTES  WAITED   HANDLED  ENDED";
    assert_eq!((lines.len(), lines[0]), (3, head), "{text}");
    let words: Vec<_> = lines[1].split_whitespace().collect();
    assert_eq!((words.len(), words[1], words[4]), (9, "hears/parrot#1", "talker"), "{text}");
    assert!(words[2].starts_with("Talk."), "{text}");
    let watch = Stopwatch::start();
    let (code, text, beside) = system.told(&["trace", "store/goods", "--for", "300ms"]);
    watch.assert_within(SOON, "300 ms");
    assert_eq!((code, &*text), (0, ""));
    assert_eq!(beside, "tracing in store\nover: 300 ms; 0 messages shown\n");
}

#[test]
fn of_a_type_all_instances_are_traced_that_may_be_and_others_are_named() {
    let system = shop();
    let mut trace = system.command(&["trace", "Shelves", "--json", "--count", "3", "--for", "30s"]);
    let mut child = trace.stdout(Stdio::piped()).spawn().expect("it can be run");
    let lines = BufReader::new(child.stdout.take().expect("it was piped"));
    let mut trace = Trace { child, lines };
    let begun = trace.next().expect("it begins");
    let of = |worker: &str, instance: u16, actors: u32| json!({ "worker": worker, "instance": instance, "actors": actors });
    let workers = begun["workers"].as_array().expect("a list");
    let expected = [of("store", 1, 2), of("pair", 1, 1), of("pair", 2, 1)];
    assert!(expected.iter().all(|one| workers.contains(one)), "{begun}");
    assert_eq!((workers.len(), &begun["count"], &begun["time_limit_s"]), (3, &3.into(), &json!(30.0)));
    let why = |worker: &str, why: &str| json!({ "worker": worker, "instance": 1, "why": why });
    let untraced = begun["untraced"].as_array().expect("a list");
    for one in [
        why("closed", "not granted"),
        why("hears", "it has no actor of that type"),
        why("talker", "not granted"),
    ] {
        assert!(untraced.contains(&one), "{one} in {begun}");
    }
    for target in ["pair.2/goods", "pair.1/goods", "store/cellar"] {
        let get = format!("{target}.get");
        assert_eq!(system.told(&["ask", &get, r#"{"key": "x"}"#]).0, 0, "{target}");
    }
    let (told, over, code) = trace.all();
    assert_eq!((code, &over.expect("it ends")["why"]), (0, &"messages".into()));
    let found: Vec<_> = told.iter().map(|one| (one["worker"].as_str(), one["instance"].as_u64())).collect();
    for one in [(Some("pair"), Some(2)), (Some("pair"), Some(1)), (Some("store"), Some(1))] {
        assert!(found.contains(&one), "{found:?}");
    }
    assert!(told.iter().all(|one| one["from"] == "admin" && one["method"] == "get"), "{told:?}");
    // Without a number all instances of a worker are meant, with one that alone.
    for (target, expected) in [("pair/goods", 2), ("pair.2/goods", 1)] {
        let (code, text, _) = system.told(&["trace", target, "--json", "--for", "1ms"]);
        let begun: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
        assert_eq!((code, begun["workers"].as_array().map(Vec::len)), (0, Some(expected)), "{text}");
    }
}

#[test]
fn what_becomes_of_messages_is_told() {
    let system = shop();
    let trace = system.begin(&["store/goods", "--count", "3", "--for", "30s"]);
    assert_eq!(system.told(&["ask", "store/goods.drop_it"]).0, 1);
    assert_eq!(system.told(&["ask", "store/goods.get", r#"{"key": "x"}"#]).0, 0);
    assert_eq!(system.told(&["ask", "store/goods.wait", "--timeout", "200ms"]).0, 6);
    let (told, ..) = trace.all();
    let found: Vec<_> = told.iter().map(|one| (one["method"].as_str(), one["generation"].as_u64())).collect();
    assert_eq!(found, [(Some("drop_it"), Some(1)), (Some("get"), Some(2)), (Some("wait"), Some(2))]);
    assert_eq!((&told[0]["ended"], &told[1]["ended"]), (&"panicked".into(), &"handled".into()));
    assert!(["cancelled", "expired"].contains(&told[2]["ended"].as_str().expect("text")), "{told:?}");
    assert!(told[2]["handled_s"].as_f64() > Some(0.1), "{told:?}");
}

#[test]
fn who_is_not_there_or_not_granted_is_told_with_what_to_do() {
    let system = shop();
    for (target, code, text) in [
        ("stor/goods", 4, "no worker is called `stor`, did you mean `store`?"),
        ("pair.7/goods", 4, "no worker is called `pair.7`"),
        ("store/gods", 4, "it has no such actor, did you mean `goods`?"),
        ("store/bailiwick", 4, "its actors are: "),
        (
            "Shelvs",
            4,
            "no actor is of a type `Shelvs`, did you mean `Shelves`?; it is not granted to trace: ",
        ),
        ("closed/goods", 7, "`to = \"closed/bailiwick\"` and `methods = [\"trace\"]`"),
        ("a b", 2, "expected an actor, `WORKER/ACTOR`, or the name of a type"),
    ] {
        let (found, stdout, error) = system.told(&["trace", target]);
        assert_eq!((found, &*stdout), (code, ""), "{target}: {error}");
        assert!(error.contains(text), "{target}: {error}");
    }
    let (code, document, _) = system.told(&["trace", "closed/goods", "--json"]);
    let document: Value = serde_json::from_str(&document).expect("it is one document");
    assert_eq!((code, &document["outcome"], &document["schema_version"]), (7, &"refused".into(), &1.into()));
    for usage in [&["trace"][..], &["trace", "x/y", "--count", "0"], &["trace", "x/y", "--for", "61s"]] {
        assert_eq!(system.told(usage).0, 2, "{usage:?}");
    }
    for body in
        [json!({ "target": "store/goods", "count": 10_001 }), json!({ "target": "x", "time_s": 60.5 })]
    {
        let mut answer = String::new();
        let mut stream = system.post(&body);
        BufReader::new(&mut stream).read_line(&mut answer).expect("it answers");
        assert!(answer.contains(" 400 "), "{body}: {answer}");
    }
}

#[test]
fn who_goes_away_ends_the_trace_in_the_worker_and_so_does_the_end_of_the_admin_worker() {
    let system = shop();
    let long = ["store/goods", "--for", "60s"];
    let open: Vec<_> = (0..AT_ONCE).map(|_| system.begin(&long)).collect();
    let (code, _, error) = system.told(&["trace", "store/goods"]);
    assert!(code == 1 && error.contains("4 traces are told already"), "{code} {error}");
    for trace in open {
        trace.interrupt();
        let (told, over, code) = trace.all();
        assert_eq!((code, told.len()), (0, 0));
        assert_eq!(over.expect("it says so")["why"], "interrupted");
    }
    system.supervised.journal().wait_until("all to end", |lines| {
        let gone = "admin | trace store/goods: over: its reader is gone";
        (lines.iter().filter(|line| line.text.contains(gone)).count() == AT_ONCE).then_some(())
    });
    // Both here and in the worker there are places again.
    let open: Vec<_> = (0..AT_ONCE).map(|_| system.begin(&long)).collect();
    let killed = system.supervised.wait_for_life("admin", 1);
    Process(killed.pid.expect("it runs")).signal(Signal::SIGKILL);
    for trace in open {
        let (told, over, code) = trace.all();
        assert_eq!((code, told.len(), over), (1, 0, None));
    }
    system.supervised.wait_for_life("admin", 2);
    let open: Vec<_> = (0..AT_ONCE).map(|_| system.begin(&long)).collect();
    assert_eq!(system.told(&["ask", "store/goods.get", r#"{"key": "x"}"#]).0, 0);
    for mut trace in open {
        assert_eq!(trace.next().expect("it is told")["method"], "get");
    }
}

#[test]
fn a_trace_ends_with_the_life_of_its_worker() {
    let system = shop();
    let trace = system.begin(&["store/goods", "--for", "60s"]);
    let beside = system.begin(&["Shelves", "--count", "1", "--for", "60s"]);
    let killed = system.supervised.wait_for_life("store", 1);
    Process(killed.pid.expect("it runs")).signal(Signal::SIGKILL);
    let (told, over, code) = trace.all();
    assert_eq!((code, &over.expect("it says so")["why"], told.len()), (1, &"gone".into(), 1));
    let expected = [&json!("broken"), &json!("store"), &json!(1)];
    assert_eq!(["event", "worker", "instance"].map(|field| &told[0][field]), expected);
    // Others go on.
    assert_eq!(system.told(&["ask", "pair.2/goods.get", r#"{"key": "x"}"#]).0, 0);
    let (told, over, code) = beside.all();
    assert_eq!((code, &over.expect("it ends")["why"], told.len()), (0, &"messages".into(), 2), "{told:?}");
    system.supervised.wait_for_life("store", 2);
    assert_eq!(system.told(&["trace", "store/goods", "--for", "1ms"]).0, 0);
}

#[test]
fn without_a_token_nobody_is_traced() {
    let exec = env!("CARGO_BIN_EXE_bailiwick-under-test");
    let supervised = run!(&format!(
        "[admin]\ntcp = \"127.0.0.1:0\"\nexec = {exec:?}\n[worker.store]\nexec = \"tw\"\nactor.goods = {{ type = \"Shelves\" }}\n"
    ));
    supervised.wait_for_life("admin", 1);
    let system = System { supervised, _folder: tempfile::tempdir().expect("there is room") };
    for arguments in [&["trace", "store/goods"][..], &["trace", "store/goods", "--json"]] {
        let (code, _, error) = system.told(arguments);
        assert!(code == 7 && error.contains("has no `token`"), "{code} {error}");
    }
}

const FLOOD: &str = r#"
[worker.sink]
exec = "tw"
actor.slow = { type = "Sipper", mailbox = { capacity = 256, on_full = "wait" } }
actor.beside = { type = "Neighbour" }
[worker.source]
exec = "tw"
needs = ["sink"]
sandbox.read_only_paths = ["PLACE"]
actor.hose = { type = "Hose", args = { target = "sink", end = "PLACE/end", least = 5000 } }
[[grant]]
from = "source"
to = "sink"
[[grant]]
from = "operator"
to = "sink/bailiwick"
methods = ["trace"]
"#;

/// The one that floods says in the end how many it sent and how many were taken; the reader takes nothing until then.
#[test]
fn a_flooded_actor_loses_nothing_to_a_reader_who_is_slow() {
    let place = tempfile::tempdir().expect("there is room");
    fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
    let system = system(&FLOOD.replace("PLACE", place.path().to_str().expect("a plain path")));
    system.supervised.journal().wait_for(0, "source | pouring");
    let mut slow = system.post(&json!({ "target": "sink/slow", "count": 10_000, "time_s": 3.0 }));
    let trace = system.begin(&["Sipper", "--count", "500", "--for", "60s"]);
    let (told, over, code) = trace.all();
    assert_eq!((code, &over.expect("it ends")["why"], told.len()), (0, &"messages".into(), 500));
    assert!(told.iter().any(|one| one["method"] == "sip" && one["from"] == "source"));
    fs::write(place.path().join("end"), "").expect("it is ours");
    let accounts = system.supervised.journal().wait_until("the end of the flood", |lines| {
        lines
            .iter()
            .find_map(|line| line.text.split_once("source | poured ").map(|(_, rest)| rest.to_owned()))
    });
    let accounts: Vec<u64> = accounts.split(' ').map_while(|number| number.parse().ok()).collect();
    let [sent, refused, taken, dropped, letters, ..] = accounts[..] else { panic!("{accounts:?}") };
    assert_eq!((sent, refused, dropped, letters), (taken, 0, 0, 0), "the actor took all");
    // Only now it is read, of which a part was kept for it.
    let mut text = String::new();
    slow.read_to_string(&mut text).expect("it is text");
    // Between them are the lengths of chunks.
    let documents = text.lines().filter(|line| line.starts_with('{'));
    let documents: Vec<Value> =
        documents.map(|line| serde_json::from_str(line).expect("each is a line")).collect();
    let told = documents.iter().filter(|one| one["event"] == "message").count() as u64;
    assert!(told > 0 && told <= 10_000, "{told}");
    let over = documents.last().expect("it says how it ended");
    let lost = over["lost"].as_u64().expect("a number");
    assert_eq!((&over["event"], over["told"].as_u64()), (&"over".into(), Some(told)), "{over}");
    assert!(told + lost <= taken + 1, "{told} told, {lost} lost of {taken}");
}
