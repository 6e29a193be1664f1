//! The pipeline accounts for every line, while lines end its parsers and somebody else ends its store.

mod support;

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;

use serde_json::{Value, json};
use support::deployed::Deployed;
use support::program::{WATCHDOG, kill_process};

/// Lines that say something, beside each line of poison.
const GOOD_PER_POISON: u64 = 50;
/// Of each kind.
const POISON: u64 = 4;
/// How many parsers a line of poison ends before it is known.
const DEATHS: u64 = 3;

fn start() -> Deployed {
    let place = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(place.path().join("store")).expect("made");
    Deployed::start_in(place, "pipeline", &[], &["reader", "parser.1", "parser.2", "parser.3", "store"])
}

/// Sends lines, and returns the counts.
fn settled(pipeline: &Deployed, lines: &str) -> Value {
    let mut client = UnixStream::connect(pipeline.path("lines.sock")).expect("the supervisor listens");
    client.set_read_timeout(Some(WATCHDOG)).expect("set");
    client.write_all(lines.as_bytes()).expect("taken");
    client.shutdown(Shutdown::Write).expect("shut");
    let mut told = String::new();
    client.read_to_string(&mut told).expect("in time");
    serde_json::from_str(&told).unwrap_or_else(|_| panic!("`{told}` are no counts"))
}

/// Reads what the store keeps.
fn kept(pipeline: &Deployed) -> Vec<Value> {
    let text = fs::read_to_string(pipeline.path("store/lines.json")).expect("the store has written");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is whole")).collect()
}

/// Counts the lives that have ended otherwise than in order.
fn deaths(pipeline: &Deployed) -> u64 {
    let lines = pipeline.program.journal().lines();
    let died = |text: &str| text.contains(" ended after ") && !text.contains(": stopped");
    lines.iter().filter(|line| died(&line.text)).count() as u64
}

/// Lines that say something, that say nothing, and that end a parser by its stack and by its memory.
fn mixture() -> String {
    let mut lines = String::new();
    for number in 0..POISON {
        (0..GOOD_PER_POISON)
            .for_each(|line| lines += &format!("host=[name=a{number} line={line}] bar=3*-\n"));
        lines += &format!("{}\n", "a=[".repeat(20_000));
        lines += "no line\n";
        lines += &format!("x={number}9999999999*A\n");
    }
    lines
}

fn counts(times: u64) -> Value {
    let (stored, refused, poison) = (times * POISON * GOOD_PER_POISON, times * POISON, times * 2 * POISON);
    json!({ "read": stored + refused + poison, "stored": stored, "refused": refused, "poison": poison })
}

/// Seen to fail with suspects that go to the parsers of all, and with the default pauses before restarts.
#[test]
fn every_line_is_stored_or_told_of_while_parsers_die() {
    let mut pipeline = start();
    assert_eq!(settled(&pipeline, &mixture()), counts(1));
    let entries = kept(&pipeline);
    for (kind, expected) in [("stored", 200), ("refused", 4), ("poison", 8)] {
        let found = entries.iter().filter(|entry| !entry[kind].is_null()).count();
        assert_eq!(found, expected, "{kind}");
    }
    let poison = entries.iter().filter_map(|entry| entry["poison"]["line"].as_str());
    assert!(
        poison.clone().all(|line| line.starts_with("a=[a=[") || line.ends_with("9*A")),
        "an innocent is blamed"
    );
    let reasons = entries.iter().filter_map(|entry| entry["poison"]["reason"].as_str());
    assert!(reasons.clone().all(|reason| reason.contains("went down")), "{:?}", reasons.collect::<Vec<_>>());
    assert!(pipeline.program.stop().success(), "an ordered stop ends with 0");
    assert_eq!(
        deaths(&pipeline),
        DEATHS * 2 * POISON,
        "each line of poison ends three, and nothing else ends one"
    );
}

#[test]
fn nothing_is_kept_twice_while_the_store_is_killed() {
    let pipeline = start();
    const TIMES: u64 = 3;
    thread::scope(|all| {
        let sender =
            all.spawn(|| (0..TIMES).for_each(|_| assert_eq!(settled(&pipeline, &mixture()), counts(1))));
        let mut killed = 0;
        while !sender.is_finished() && killed < 4 {
            let [(_, pid)] = &pipeline.program.instances("store")[..] else { continue };
            kill_process(*pid);
            killed += 1;
            let is_back = format!("store#{} is ready", killed + 1);
            pipeline.program.journal().wait_for(0, |line| line.contains(&is_back).then_some(()));
        }
        sender.join().expect("all lines are settled");
        assert!(killed > 0, "the store was killed while lines came");
    });
    let entries = kept(&pipeline);
    let ids: HashSet<String> = entries.iter().map(|entry| entry["id"].to_string()).collect();
    assert_eq!(ids.len(), entries.len(), "an entry is kept twice");
    assert_eq!(json!(entries.len()), counts(TIMES)["read"]);
}

#[test]
fn a_line_without_end_ends_its_conversation_and_no_other() {
    let pipeline = start();
    let mut client = UnixStream::connect(pipeline.path("lines.sock")).expect("the supervisor listens");
    client.set_read_timeout(Some(WATCHDOG)).expect("set");
    // The reader may hang up before it has all.
    let _ = client.write_all(&[b'a'; (64 << 10) + 2]);
    let mut told = Vec::new();
    let _ = client.read_to_end(&mut told);
    assert_eq!(told, b"", "no counts");
    let expected = json!({ "read": 2, "stored": 1, "refused": 1, "poison": 0 });
    assert_eq!(settled(&pipeline, "a=1\nno line"), expected);
}
