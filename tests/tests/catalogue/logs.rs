//! `logs` over a running system: what is remembered, over restarts, under floods and for slow readers.

use std::process::Stdio;
use std::time::Duration;

use bailiwick_supervisor::control::{State, Target};
use bailiwick_tests::harness::{Journal, Supervised};
use bailiwick_tests::run;
use bailiwick_wire::log::{BYTES_MAX, Count, LINES_EACH, Line, Priority, SUPERVISOR};
use nix::sys::signal::Signal;

use crate::support::{Cli, Told, foreign, worker};

/// Who is not restarted soon.
const ONCE: &str = "backoff = { first = \"60s\", cap = \"60s\" }";

/// Lines that are far more than a worker may print at once.
const MANY: u64 = 100_000;

/// Floods, and says so once the allowance has recovered.
const FLOODS: [&str; 3] = ["flood=100000", "sleep=2000", "say=flooded"];

/// What the command that follows prints; it is killed at the end.
struct Follower {
    child: std::process::Child,
    told: Journal,
}

impl Follower {
    fn of(supervised: &Supervised, arguments: &[&str]) -> Self {
        let mut command = Cli::of(supervised).command(&[], &[&["logs", "-f"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be run");
        let told = Journal::default();
        told.follow(child.stdout.take().expect("it was piped"));
        told.follow(child.stderr.take().expect("it was piped"));
        Self { child, told }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything that is remembered of a worker.
pub(crate) fn remembered(supervised: &Supervised, target: &Target) -> Vec<Line> {
    let (client, mut seen, mut lines) = (supervised.control(), 0, Vec::new());
    loop {
        let some = client.log(seen, target.clone(), Duration::ZERO).expect("it answers");
        let Some(last) = some.last() else { return lines };
        seen = last.number;
        lines.extend(some);
    }
}

/// Seen to fail without the priorities; the memory over a restart; the lines of the supervisor.
#[test]
fn what_was_printed_is_shown_over_lives_with_its_priority() {
    let fails = foreign("bad", "backoff = { first = \"50ms\" }", &["say=<3>broken", "say=<9>odd", "exit=1"]);
    let mut supervised = run!(&[foreign("calm", "", &["say=<5>hello", "wait"]), fails].concat());
    supervised.journal().wait_for(0, "calm | hello");
    supervised.wait_for_worker("bad", "restarted twice", |row| (row.restarts >= 2).then_some(()));
    supervised.order(bailiwick_supervisor::control::Verb::Stop, "bad");
    let cli = Cli::of(&supervised);
    let Told { code, data, messages } = cli.run(&["logs", "calm"]);
    assert_eq!((code, data.as_str(), messages.as_str()), (0, "calm | hello\n", ""));
    let broken = cli.run(&["logs", "bad", "--level", "err", "-n", "all"]).data;
    assert!(broken.lines().count() >= 2 && broken.lines().all(|line| line == "bad | broken"), "{broken}");
    let own = cli.run(&["logs", SUPERVISOR, "--level", "warning", "-n", "all"]).data;
    assert!(own.lines().any(|line| line.starts_with("bailiwick | bad#1")), "{own}");
    let all = cli.run(&["logs", "-n", "all"]).data;
    for line in ["calm | hello", "bad | <9>odd", "bailiwick | calm#1 is ready"] {
        assert!(all.lines().any(|one| one == line), "{line} in {all}");
    }
    let crash = cli.run(&["logs", "bad", "--crash"]);
    assert_eq!((crash.code, crash.data.as_str()), (0, "bad | broken\nbad | <9>odd\n"));
    let told = cli.run(&["logs", "bat"]);
    assert_eq!(told.code, 4);
    assert!(told.messages.contains("did you mean `bad`?"), "{}", told.messages);
    for line in cli.run(&["logs", "--json"]).data.lines() {
        let document: serde_json::Value = serde_json::from_str(line).expect("each line is a document");
        assert_eq!(document["schema_version"], 1);
    }
    supervised.stop();
}

/// What is said with `tracing` keeps its fields.
#[test]
fn events_of_tracing_are_taken_apart_and_found_by_level_and_actor() {
    let says = |name: &str, keys: &str| worker(name, keys, "event = \"odd \\u001b[2J\", settled = true");
    let loud = "environment = { RUST_LOG = \"warn,bailiwick_tests=debug,bailiwick::actor=debug\" }";
    let mut supervised = run!(&[says("a", ""), says("b", loud)].concat());
    for name in ["a", "b"] {
        supervised.journal().wait_for(0, &format!("{name} | INFO life#1: settled: odd \\x1b[2J bytes=8"));
    }
    let cli = Cli::of(&supervised);
    let shown = |arguments: &[&str]| cli.run(&[&["logs", "-n", "all"], arguments].concat()).data;
    let starts = "WARN life: starts text=\"odd \\x1b[2J\"";
    assert_eq!(shown(&["a", "--level", "warning"]), format!("a | {starts}\n"));
    let (a, b) = (shown(&["a"]), shown(&["b"]));
    assert!(a.contains("a | has settled\n") && !a.contains("DEBUG"), "{a}");
    assert!(b.contains("b | DEBUG life#1: odd \\x1b[2J\n"), "{b}");
    assert_eq!(shown(&["a", "--actor", "life"]).lines().count(), 2, "{a}");
    assert_eq!(shown(&["a", "--actor", "life#1"]).lines().count(), 1, "{a}");
    assert_eq!(shown(&["--actor", "lif"]), "");
    let documents = |name: &str| -> Vec<serde_json::Value> {
        let lines = shown(&[name, "--actor", "life", "--level", "info", "--json"]);
        lines.lines().map(|line| serde_json::from_str(line).expect("a document")).collect()
    };
    let (quiet, traced) = (&documents("a")[1], &documents("b")[1]);
    assert_eq!(
        (&quiet["worker"], &quiet["generation"], &quiet["priority"]),
        (&"a".into(), &1.into(), &6.into())
    );
    let event = &quiet["event"];
    assert_eq!((&event["level"], &event["fields"]["bytes"]), (&"info".into(), &"8".into()), "{quiet}");
    assert_eq!(
        (&event["actor"], &event["trace_id"]),
        (&"life#1".into(), &serde_json::Value::Null),
        "{quiet}"
    );
    assert!(event["file"].as_str().is_some_and(|file| file.ends_with("life.rs")), "{quiet}");
    assert_eq!(traced["event"]["trace_id"].as_str().map(str::len), Some(32), "{traced}");
    supervised.stop();
}

/// Seen to fail without the waiting for what comes; the end with the supervisor.
#[test]
fn who_follows_sees_the_next_life_and_the_end() {
    let steps = ["ignore=SIGUSR1", "say=begins", "until=SIGUSR1", "say=<0>breaks", "exit=1"];
    let mut supervised = run!(&foreign("a", "backoff = { first = \"0s\", base = \"10ms\" }", &steps));
    supervised.journal().wait_for(0, "a | begins");
    let mut follower = Follower::of(&supervised, &["a", SUPERVISOR]);
    follower.told.wait_for(0, "a | begins");
    let from = follower.told.len();
    supervised.pid("a").signal(Signal::SIGUSR1);
    follower.told.wait_for(from, "a | breaks");
    follower.told.wait_for(from, "bailiwick | a#1");
    follower.told.wait_for(from, "a | begins");
    supervised.stop();
    assert!(follower.child.wait().expect("it is our child").success());
    follower.told.wait_for_end();
    assert!(
        follower.told.since(0).iter().any(|line| line.text.contains("stop ordered")),
        "{}",
        follower.told
    );
}

/// Seen to fail without the count of what is dropped; the bound of each; the bound of all.
#[test]
fn floods_are_bounded_counted_and_push_out_nobody_else() {
    let floods: String = (0..6)
        .map(|number| foreign(&format!("flood{number}"), ONCE, &[&FLOODS[..], &["wait"]].concat()))
        .collect();
    let calm = foreign("calm", "", &["say=all is well", "wait"]);
    let mut supervised = run!(&[calm, floods].concat());
    supervised.journal().wait_for(0, "calm | all is well");
    let follower = Follower::of(&supervised, &["flood0", "--json"]);
    let process = supervised.process();
    let before = process.resident_bytes();
    let is_over = |name: &str| supervised.journal().wait_for(0, &format!("{name} | flooded"));
    (0..6).for_each(|number| _ = is_over(&format!("flood{number}")));
    let grown = process.resident_bytes().saturating_sub(before);
    assert!(grown < BYTES_MAX as u64, "the supervisor has grown by {grown} bytes");
    for number in 0..6 {
        let lines = remembered(&supervised, &Target::Worker(format!("flood{number}")));
        let last = lines.last().expect("the end of the flood");
        assert_eq!(last.said.text, "flooded");
        assert!(lines.len() <= LINES_EACH, "{}", lines.len());
        assert_eq!(last.count.nth, MANY + 1, "every line has a number, whether it was kept or not");
        assert!(last.count.dropped > 0, "{:?}", last.count);
        let whole = lines.windows(2).map(|pair| pair[1].count.lost_since(pair[0].count));
        let first = lines[0].count.lost_since(Count::default());
        let lost: u64 = whole.chain([first]).map(|lost| lost.dropped + lost.forgotten).sum();
        assert_eq!(lost + lines.len() as u64, MANY + 1);
    }
    let cli = Cli::of(&supervised);
    assert_eq!(cli.run(&["logs", "calm"]).data, "calm | all is well\n");
    let (mut told, mut lost) = (0, 0);
    follower.told.wait_for(0, "\"text\":\"flooded\"");
    for line in follower.told.since(0) {
        let document: serde_json::Value = serde_json::from_str(&line.text).expect("each line is a document");
        match document["text"].as_str() {
            Some(_) => told += 1,
            None => lost += document["dropped"].as_u64().unwrap() + document["forgotten"].as_u64().unwrap(),
        }
    }
    // Those before the first line that is shown are not told.
    assert!(told > 0 && lost > 0 && told + lost <= MANY + 1, "{told} and {lost}");
    supervised.stop();
}

/// Seen to fail without the bound of one answer.
#[test]
fn a_reader_that_does_not_read_costs_lines_and_holds_nobody_up() {
    let steps = [&FLOODS[..], &FLOODS, &["wait"]].concat();
    let mut supervised = run!(&foreign("flood", ONCE, &steps));
    // Before there is a socket nobody could be asked.
    drop(supervised.control());
    let mut command = Cli::of(&supervised).command(&[], &["logs", "-f", "-n", "all", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it can be run");
    // After the second flood nothing of the first is remembered. What is shown is no sign of its end: a test that is slow to
    // read loses lines of it.
    let flood = Target::Worker("flood".into());
    let is_over =
        || remembered(&supervised, &flood).last().is_some_and(|last| last.count.nth == 2 * (MANY + 1));
    supervised.journal().wait_until("the second flood", |_| is_over().then_some(()));
    assert_eq!(supervised.worker("flood").state, State::Ready, "it answers all the while");
    let told = Journal::default();
    told.follow(child.stdout.take().expect("it was piped"));
    told.wait_until("the end", |lines| {
        let ends = lines.iter().filter(|line| line.text.contains("\"text\":\"flooded\"")).count();
        (ends >= 1 && lines.iter().any(|line| line.text.contains("\"forgotten\":"))).then_some(())
    });
    let numbers: Vec<u64> = told
        .since(0)
        .iter()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(&line.text).ok()?["number"].as_u64())
        .collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "each once, in order");
    let _ = child.kill();
    child.wait().expect("it is our child");
    supervised.stop();
}

/// Seen to fail without the form of the lines.
#[test]
fn programs_read_what_the_supervisor_prints_as_documents() {
    let folder = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
    let manifest = foreign("a", "", &["say=<4>a \\\"b\\\"", "wait"]);
    let manifest = manifest.replace("FOLDER", &folder.path().display().to_string());
    std::fs::write(folder.path().join("app.toml"), manifest).expect("the folder is ours");
    let own = folder.path().join("bailiwickd");
    std::fs::copy(env!("CARGO_BIN_EXE_bailiwickd-under-test"), &own).expect("it can be copied");
    let mut command = std::process::Command::new(own);
    command.args(["--log-format", "auto"]).arg(folder.path().join("app.toml"));
    command.arg("--state-dir").arg(folder.path().join("state"));
    let mut supervised = Supervised::start(command, folder);
    supervised.journal().wait_for(0, "\"text\":\"a#1 is ready\"");
    let line = supervised.journal().wait_for(0, "\"worker\":\"a\"");
    let document: serde_json::Value = serde_json::from_str(&line.text).expect("each line is a document");
    let warning = u64::from(Priority::Warning.code());
    assert_eq!((&document["priority"], &document["text"]), (&warning.into(), &"a \"b\"".into()));
    supervised.stop();
}
