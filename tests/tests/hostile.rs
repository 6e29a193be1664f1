//! Workers that somebody has taken over, among honest ones: nobody honest is killed, and honest asks are answered.
//!
//! What has an id in the catalogue of attacks stands in `attacks`; these are storms, lies and silence that have none.

use std::process::Command;
use std::time::{Duration, Instant};

use bailiwick_supervisor::control::{Cause, Event, State, Verb};
use bailiwick_tests::harness::{Line, Stopwatch, Supervised, needs_root};
use bailiwick_tests::run;
use bailiwick_wire::audit::Violation;
use nix::sys::signal::Signal;

/// A pilot that asks the probe, and somebody hostile who has links with both, as asker of the one and as asked by
/// the other. `probe_keys` may make the probe privileged.
fn system(attack: &str, probe_keys: &str) -> String {
    format!(
        r#"
[group.g]
max_restarts = 1000
period = "10s"
[worker.probe]
exec = "tw"
{probe_keys}
actor.life = {{ type = "Life", args = {{}} }}
[worker.pilot]
exec = "tw"
actor.flight = {{ type = "Pilot", args = {{ target = "probe" }} }}
[worker.hostile]
exec = "tw"
group = "g"
backoff = {{ base = "50ms", cap = "50ms" }}
drain_timeout = "100ms"
environment = {{ TW_ATTACK = "{attack}" }}
actor.life = {{ type = "Life", args = {{}} }}
[[grant]]
from = "pilot"
to = "probe"
[[grant]]
from = "hostile"
to = "probe"
[[grant]]
from = "pilot"
to = "hostile"
"#
    )
}

const UNCONFINED: &str = "only root can end all that a worker without a sandbox may start";
const PRIVILEGED: &str = "privileged = true\nsandbox.preset = \"none\"";

/// Waits until the hostile worker has done `deed`, and then for more answers to the pilot.
fn assert_that_the_honest_live(supervised: &mut Supervised, deed: &str) {
    supervised.journal().wait_for(0, deed);
    let seen = supervised.journal().len();
    supervised.journal().wait_until("twenty more answers", |lines| {
        let answers =
            lines.get(seen..).unwrap_or_default().iter().filter(|line| line.text.contains("of probe ok"));
        (answers.count() >= 20).then_some(())
    });
    for worker in ["probe", "pilot"] {
        let row = supervised.worker(worker);
        assert_eq!((row.generation, row.state), (1, State::Ready), "{worker}: {}", supervised.journal());
    }
    let stopwatch = Stopwatch::start();
    supervised.status();
    stopwatch.assert_within(Duration::from_millis(100), "a report under attack");
}

/// Returns every event that is remembered.
fn remembered(supervised: &Supervised) -> Vec<Event> {
    let client = supervised.control();
    let mut events: Vec<Event> = Vec::new();
    loop {
        let seen = events.last().map_or(0, |event| event.number);
        let more = client.events(seen, Duration::ZERO).expect("it answers");
        if more.is_empty() {
            return events;
        }
        events.extend(more);
    }
}

/// Workers that say for ever that they are ready, not ready, spent, idle, and that others are wanted.
#[test]
fn a_storm_of_words_keeps_nobody_from_the_supervisor_and_restarts_nothing() {
    let idle = "[worker.idle]\nexec = \"tw\"\ninstances = 40\nactor.life = { type = \"Life\", args = {} }\n";
    let storm = system("storm", "").replace("[worker.hostile]\n", "[worker.hostile]\ninstances = 3\n");
    let calm = "[worker.calm]\nexec = \"tw\"\nactor.life = { type = \"Life\", args = {} }\n";
    let mut supervised = run!(&[&storm, idle, calm].concat());
    for name in ["idle.40", "hostile.3", "pilot"] {
        supervised.wait_for_worker(name, "up", |row| row.pid);
    }
    let client = supervised.control();
    for _ in 0..50 {
        let stopwatch = Stopwatch::start();
        client.status().expect("it answers");
        stopwatch.assert_within(Duration::from_secs(1), "a report in a storm");
    }
    let stopwatch = Stopwatch::start();
    supervised.order(Verb::Restart, "calm");
    stopwatch.assert_within(Duration::from_secs(5), "an order in a storm");
    supervised.pid("calm").signal(Signal::SIGKILL);
    supervised.wait_for_life("calm", 3);
    for instance in ["hostile.1", "hostile.2", "hostile.3"] {
        let heard = format!("{instance}#1 says more than 100 words a second, and is heard no faster");
        supervised.journal().wait_for(0, &heard);
    }
    // Nobody asks it anything meanwhile; the pilot writes a line now and then.
    let (began, cpu) = (Instant::now(), supervised.process().cpu());
    let window = Duration::from_secs(5);
    supervised.journal().wait_until("the end of a window", |_| (began.elapsed() > window).then_some(()));
    let (took, used) = (began.elapsed(), supervised.process().cpu() - cpu);
    assert!(used * 4 < took, "{used:?} of {took:?} are more than 25 %");
    let events = remembered(&supervised);
    let crash = |event: &&Event| event.worker == "calm" && event.cause == Some(Cause::Signal(9));
    assert_eq!(events.iter().filter(crash).count(), 1, "the crash of another is remembered");
    let first = events[0].monotonic_ns;
    let flaps: Vec<_> = events.iter().filter(|event| event.worker == "hostile").collect();
    let seconds = flaps.iter().map(|event| (event.monotonic_ns - first) / 1_000_000_000).max().unwrap_or(0);
    // What is told of a life at once, and per second, and the alert.
    assert!(flaps.len() as u64 <= 3 * (30 + 5 * (seconds + 1) + 1), "{} in {seconds} s", flaps.len());
    assert!(flaps.iter().any(|event| event.detail.contains("changes that are not shown")));
    assert_that_the_honest_live(&mut supervised, "has begun to Storm");
    for instance in ["hostile.1", "hostile.2", "hostile.3"] {
        let row = supervised.worker(instance);
        assert_eq!((row.generation, row.restarts), (1, 0), "a lie is worth no fresh life");
    }
    supervised.stop();
}

#[test]
fn who_says_anything_before_it_is_in_its_sandbox_is_killed() {
    let mut supervised = run!(&system("hasty", ""));
    let hostile =
        supervised.wait_for_worker("hostile", "killed", |row| (row.generation > 2).then(|| row.clone()));
    assert_eq!(hostile.last_cause, Some(Cause::Protocol));
    supervised.journal().wait_for(0, "at the wrong time");
    supervised.stop();
}

#[test]
fn a_privileged_worker_may_have_the_source_of_garbage_killed() {
    if needs_root(UNCONFINED) {
        return;
    }
    let mut supervised = run!(&system("garbage", PRIVILEGED));
    // Often it is killed before it comes to its second link; and after a few such lives it gets no other.
    assert_that_the_honest_live(&mut supervised, "hostile is given up: too many offences");
    let hostile =
        supervised.wait_for_worker("hostile", "killed", |row| (row.generation > 1).then(|| row.clone()));
    assert_eq!(hostile.last_cause, Some(Cause::Accused));
    let killed: Vec<_> =
        violations(&supervised).into_iter().filter(|(_, violation)| violation.is_killed).collect();
    let lives: Vec<_> = killed.iter().map(|(event, _)| (event.worker.as_str(), event.generation)).collect();
    assert_eq!(lives, [1, 2, 3, 4].map(|generation| ("hostile", generation)), "{}", supervised.journal());
    for (event, violation) in &killed {
        assert!(violation.fault.is_some() && violation.evidence.header != [0; 32], "{violation:?}");
        assert!(violation.pid > 0 && violation.uid > 0, "{violation:?}");
        assert!(event.detail.contains("is killed: probe#1 accuses it: "), "{}", event.detail);
    }
    let command = env!("CARGO_BIN_EXE_bailiwick-under-test");
    let audit = |more: &[&str]| {
        let mut audit = Command::new(command);
        let told =
            audit.arg("audit").args(more).arg("--state-dir").arg(supervised.state_dir()).output().unwrap();
        assert!(told.status.success(), "{told:?}");
        String::from_utf8(told.stdout).unwrap()
    };
    let told: serde_json::Value = serde_json::from_str(&audit(&["--json"])).unwrap();
    let last = told["violations"].as_array().unwrap().iter().rfind(|one| one["killed"] == true).unwrap();
    assert_eq!(
        (&last["worker"], &last["generation"], &last["class"]),
        (&"hostile".into(), &4.into(), &"violation".into())
    );
    assert_eq!(last["header"].as_str().map(str::len), Some(64));
    assert!(
        audit(&[]).lines().any(|line| line.contains(" violation ") && line.contains("hostile#4 is killed"))
    );
    assert!(audit(&["hostile"]).contains("hostile#4 is killed"));
    assert_eq!(audit(&["probe"]), "", "the one who accuses broke nothing");
    supervised.stop();
}

#[test]
fn in_the_profile_for_development_a_violation_is_told_and_nobody_is_killed() {
    if needs_root(UNCONFINED) {
        return;
    }
    let free = "[worker.hostile]\nchannel.on_violation = \"log\"\n";
    let system = system("garbage", PRIVILEGED).replace("[worker.hostile]\n", free);
    let mut supervised = run!(&format!("[supervisor]\nprofile = \"dev\"\n{system}"));
    supervised.journal().wait_for(0, "hostile#1 goes free: probe#1 accuses it: ");
    supervised.journal().wait_until("a fresh link", |lines| (attacked(lines) >= 4).then_some(()));
    assert_that_the_honest_live(&mut supervised, "has attacked link 4");
    let hostile = supervised.worker("hostile");
    assert_eq!((hostile.generation, hostile.state), (1, State::Ready), "{}", supervised.journal());
    let told = violations(&supervised);
    assert!(told.iter().any(|(event, _)| event.worker == "hostile"), "{told:?}");
    assert!(told.iter().all(|(_, violation)| !violation.is_killed), "{told:?}");
    supervised.stop();
}

fn attacked(lines: &[Line]) -> usize {
    lines.iter().filter(|line| line.text.contains("has attacked link")).count()
}

/// Returns what is recorded of violations.
fn violations(supervised: &Supervised) -> Vec<(Event, Violation)> {
    let events = remembered(supervised).into_iter();
    events.filter_map(|event| event.violation.clone().map(|violation| (event, *violation))).collect()
}

#[test]
fn a_thousand_accusations_have_nobody_killed() {
    if needs_root(UNCONFINED) {
        return;
    }
    let mut supervised = run!(&system("accuse", PRIVILEGED));
    assert_that_the_honest_live(&mut supervised, "has accused everybody");
    let hostile = supervised
        .wait_for_worker("hostile", "heard", |row| (row.accusations_ignored >= 1200).then(|| row.clone()));
    assert_eq!((hostile.generation, hostile.state), (1, State::Ready));
    supervised.stop();
}

/// A privileged pilot asks a privileged worker that writes garbage into their link at the twentieth ask: neither may
/// accuse the other.
const EQUALS: &str = r#"
[worker.pilot]
exec = "tw"
privileged = true
sandbox.preset = "none"
actor.flight = { type = "Pilot", args = { target = "hostile" } }
[worker.hostile]
exec = "tw"
privileged = true
sandbox.preset = "none"
actor.life = { type = "Life", args = { garbage_at = 20 } }
[[grant]]
from = "pilot"
to = "hostile"
"#;

#[test]
fn a_link_that_a_peer_spoils_who_may_not_be_accused_comes_back_by_itself() {
    if needs_root(UNCONFINED) {
        return;
    }
    let mut supervised = run!(EQUALS);
    supervised.journal().wait_for(0, "ask 1 of hostile ok");
    let before = ["pilot", "hostile"].map(|worker| supervised.pid(worker).0);
    supervised.journal().wait_for(0, "has polluted 1 sockets");
    let failed = supervised.journal().wait_for(0, "of hostile failed");
    assert!(failed.text.contains("a frame broke the rules of the link"), "{failed:?}");
    supervised.journal().wait_for(0, "pilot#1 closed its link with hostile#1, which broke the protocol");
    supervised.journal().wait_for(0, "ask 40 of hostile ok");
    assert_eq!(["pilot", "hostile"].map(|worker| supervised.pid(worker).0), before);
    for worker in ["pilot", "hostile"] {
        assert_eq!(supervised.worker(worker).generation, 1, "{worker}: {}", supervised.journal());
    }
    supervised.stop();
}

#[test]
fn who_asks_for_fresh_links_without_end_gets_few_and_harms_nobody() {
    if needs_root(UNCONFINED) {
        return;
    }
    let began = Instant::now();
    let mut supervised = run!(&system("plead", PRIVILEGED));
    assert_that_the_honest_live(&mut supervised, "has asked for links");
    let hostile = supervised.worker("hostile");
    assert_eq!((hostile.generation, hostile.state), (1, State::Ready), "{}", supervised.journal());
    // What it claims stands under its own name, twenty times at once and one time a second, of more than a thousand.
    let claimed = violations(&supervised);
    let most = 21 + usize::try_from(began.elapsed().as_secs()).expect("few");
    assert!((20..=most).contains(&claimed.len()), "{} records, at most {most}", claimed.len());
    assert!(claimed.iter().all(|(event, violation)| event.worker == "hostile" && !violation.is_killed));
    supervised.journal().wait_until("a link with each peer", |lines| (fresh_links(lines) >= 2).then_some(()));
    supervised.stop();
    // 100, 200, 400 ms and so on up to 30 s, of which chance takes a quarter, after one another with each of two peers, and not one
    // for each of 1,200 requests.
    let fresh = fresh_links(&supervised.journal().since(0));
    let took = began.elapsed();
    let pauses =
        (took.as_millis() / 50).ilog2() as usize + usize::try_from(took.as_secs() / 20).expect("few");
    assert!(fresh <= 2 * (2 + pauses), "{fresh} links: {}", supervised.journal());
}

fn fresh_links(lines: &[Line]) -> usize {
    lines.iter().filter(|line| line.text.contains("hostile#1 closed its link")).count()
}

#[test]
fn who_is_ready_and_not_six_hundred_times_does_not_fill_the_log() {
    let mut supervised = run!(&system("flap", ""));
    assert_that_the_honest_live(&mut supervised, "has flapped");
    let lines = supervised.journal().since(0);
    assert_eq!(lines.iter().filter(|line| line.text.contains("hostile#1 is ready")).count(), 1);
    supervised.stop();
}

#[test]
fn a_life_that_is_spent_and_has_taken_nothing_is_no_planned_end() {
    let disposable = system("vain", "").replace("[worker.hostile]\n", "[worker.hostile]\nmax_messages = 1\n");
    let mut supervised = run!(&disposable);
    // Three times it is restarted, with pauses between.
    assert_that_the_honest_live(&mut supervised, "hostile is given up: too many offences");
    let hostile = supervised.worker("hostile");
    assert_eq!((hostile.generation, hostile.restarts, hostile.last_cause), (4, 3, Some(Cause::Protocol)));
    supervised.journal().wait_for(0, "a life that is spent and has taken no message");
    supervised.stop();
}

#[test]
fn descriptors_parked_until_tables_are_full_harm_nobody_honest() {
    let mut supervised = run!(&system("park", ""));
    assert_that_the_honest_live(&mut supervised, "has attacked link 2");
    supervised.stop();
}

#[test]
fn a_link_whose_grants_name_no_descriptors_takes_none() {
    let none = "fds = { send = [], receive = [] }\n";
    let granted = system("park", "").replace("to = \"probe\"\n", &format!("to = \"probe\"\n{none}"));
    let mut supervised = run!(&granted.replace("to = \"hostile\"\n", &format!("to = \"hostile\"\n{none}")));
    supervised.journal().wait_until("two refusals", |lines| {
        let refusals = lines.iter().filter(|line| line.text.contains("may send no descriptors"));
        (refusals.count() >= 2).then_some(())
    });
    assert_that_the_honest_live(&mut supervised, "has attacked link 2");
    supervised.stop();
}

/// Without the bound of what is owed it holds 24 MiB, with it 5.
#[test]
fn a_peer_that_asks_without_end_and_reads_no_answer_fills_nobodys_memory() {
    let mut supervised = run!(&system("deaf", ""));
    assert_that_the_honest_live(&mut supervised, "has attacked link 2");
    let held = supervised.pid("probe").held_bytes();
    assert!(held < 12 << 20, "it holds {} MiB", held >> 20);
    supervised.stop();
}

#[test]
fn a_peer_that_reads_nothing_holds_nobody_up() {
    let mut supervised = run!(&system("silent", ""));
    assert_that_the_honest_live(&mut supervised, "has begun to Silent");
    supervised.stop();
}
