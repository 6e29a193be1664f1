//! A worker that somebody has taken over speaks as it always did, but what it sends is changed on the way: bits flipped,
//! cut, lengthened, sent twice, in another order, sent again, fields at their edges. It harms nobody but itself.
//!
//! `MUTATIONS=1000000 cargo test --release -p bailiwick-tests --test mutation` changes so many packets.

use std::fs;
use std::process::Command;
use std::time::Duration;

use bailiwick_supervisor::control::State;
use bailiwick_tests::harness::{Line, Process, Stopwatch, Supervised, copy_program};

/// How many packets each test changes unless it is told: every few cost a life, of which there are many a second.
const ON_LINKS: u64 = 300;
/// The same where nearly every one costs a life.
const ON_THE_LINE: u64 = 60;
/// After so many it is looked whether all is well.
const STEP: u64 = 20;
/// What an honest process may hold in memory.
const HELD_MAX: u64 = 64 << 20;

const GRANTED: &str = r#"methods = ["word", "hear", "read", "carry", "count"], fds = { send = ["file", "sealed-memory"], receive = ["sealed-memory"] }"#;

/// Somebody who speaks to two others, of whom one is privileged; the mutant, which speaks to both; and an honest worker
/// that speaks to the mutant.
fn system(what: &str, odds: u32) -> String {
    let grants = [
        ("pilot", "victim"),
        ("pilot", "priv"),
        ("gossip", "mutant/parrot"),
        ("mutant", "victim"),
        ("mutant", "priv"),
    ];
    let grants = grants.map(|(from, to)| format!("{{ from = \"{from}\", to = \"{to}\", {GRANTED} }}"));
    format!(
        r#"
grant = [{grants}]
[group.mutants]
max_restarts = 10000
period = "1s"
[worker.victim]
exec = "tw"
actor.parrot = {{ type = "Parrot" }}
[worker.priv]
exec = "tw"
privileged = true
actor.parrot = {{ type = "Parrot" }}
[worker.pilot]
exec = "tw"
actor.speaker = {{ type = "Chatter", args = {{ targets = ["victim", "priv"], pause_ms = 20, tells = true }} }}
[worker.gossip]
exec = "tw"
actor.speaker = {{ type = "Chatter", args = {{ targets = ["mutant"], pause_ms = 1 }} }}
# Who has changed its own greetings may have nobody to speak to any more: its next life goes on.
[worker.mutant]
exec = "mutant"
group = "mutants"
environment = {{ MUTANT = "{what}", MUTANT_ODDS = "{odds}" }}
backoff = {{ first = "0s", base = "1ms", cap = "1ms" }}
max_offences = 10000
offence_period = "1s"
max_age = "3s"
drain_timeout = "10ms"
start_timeout = "500ms"
stop_timeout = "50ms"
actor.parrot = {{ type = "Parrot" }}
actor.speaker = {{ type = "Chatter", args = {{ targets = ["victim", "priv"], rests = {rests} }} }}
"#,
        grants = grants.join(", "),
        rests = what == "line"
    )
}

fn supervise(manifest: &str) -> Supervised {
    let folder = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
    copy_program(env!("CARGO_BIN_EXE_mutant"), folder.path().join("mutant"));
    let path = folder.path().join("app.toml");
    fs::write(&path, manifest).expect("the manifest can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwickd-under-test"));
    command.arg(path).arg("--state-dir").arg(folder.path().join("state"));
    Supervised::start(command, folder)
}

/// How many packets were changed, and how many rounds of the pilot went well, according to these lines.
fn count(lines: &[Line]) -> (u64, usize) {
    let mutated = |line: &&Line| line.text.ends_with("mutated 1");
    let well = |line: &&Line| line.text.starts_with("pilot ") && line.text.ends_with(" ok");
    (lines.iter().filter(mutated).count() as u64, lines.iter().filter(well).count())
}

/// Has so many packets changed as is asked for, and looks again and again whether everybody else is well.
fn assert_that_it_harms_nobody(mut supervised: Supervised, unless_told: u64) {
    let wanted = std::env::var("MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(unless_told);
    let honest = ["victim", "priv", "pilot", "gossip"];
    supervised.journal().wait_for(0, "round 1 with priv ok");
    let descriptors = |process: Process| process.descriptors().len();
    let before = honest.map(|worker| supervised.pid(worker));
    let (mut seen, mut mutated) = (0, 0);
    while mutated < wanted {
        let step = STEP.min(wanted - mutated);
        let (changed, until) =
            supervised.journal().wait_until("packets to be changed, and rounds after", |lines| {
                let (changed, well) = count(&lines[seen..]);
                (changed >= step && well >= 2).then_some((changed, lines.len()))
            });
        (mutated, seen) = (mutated + changed, until);
        let stopwatch = Stopwatch::start();
        let status = supervised.status();
        stopwatch.assert_within(Duration::from_millis(250), "a report under attack");
        for (worker, process) in honest.iter().zip(before) {
            let row = status.workers.iter().find(|row| row.name == *worker).expect("it is there");
            assert_eq!((row.generation, row.state), (1, State::Ready), "{worker}");
            let held = process.held_bytes();
            assert!(held < HELD_MAX, "{worker} holds {} MiB", held >> 20);
            assert!(descriptors(process) < 64, "{worker} holds {:?}", process.descriptors());
        }
        let own = supervised.process();
        assert!(own.held_bytes() < HELD_MAX, "the supervisor holds {} MiB", own.held_bytes() >> 20);
        assert!(descriptors(own) < 128, "the supervisor holds {:?}", own.descriptors());
    }
    let lines = supervised.journal().since(0);
    let wrong: Vec<_> =
        lines.iter().filter(|line| line.text.starts_with("pilot ") && line.text.contains(" right")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(
        !lines.iter().any(|line| line.text.contains("was told to leave")),
        "a method without a grant was called"
    );
    println!("{mutated} packets were changed, in {} lives", supervised.worker("mutant").generation);
    supervised.stop();
}

/// Seen to fail with a receiver that ends at what is malformed.
#[test]
fn what_is_changed_on_links_harms_nobody_honest() {
    assert_that_it_harms_nobody(supervise(&system("links", 8)), ON_LINKS);
}

/// Seen to fail with a supervisor that ends at what is no record.
#[test]
fn what_is_changed_on_the_line_to_the_supervisor_harms_nobody_honest() {
    assert_that_it_harms_nobody(supervise(&system("line", 2)), ON_THE_LINE);
}
