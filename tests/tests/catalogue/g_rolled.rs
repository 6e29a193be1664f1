//! G. Rolling replacement: who can be replaced so, and who is there while two lives are.

use std::fs;
use std::time::Duration;

use bailiwick_supervisor::control::{ClientError, Outcome, Target, Verb};
use bailiwick_tests::harness::{Process, Supervised};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::{Cli, foreign, kill, plain, worker};

const NOTIFIES: &str = "notify = true";

/// Has a worker replaced by rolling; returns what came of it.
fn roll(supervised: &Supervised, name: &str) -> Result<Outcome, ClientError> {
    supervised.control().order(Verb::Roll, Target::Worker(name.into()), Duration::from_secs(30))
}

/// Seen to fail without the reasons for which a roll is refused.
#[test]
fn g17_who_cannot_be_replaced_by_rolling_is_left_alone_and_the_reason_is_told() {
    let out = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
    let inside = out.path().join("inside");
    fs::create_dir(&inside).expect("the folder is ours");
    let writer = worker("writer", &format!("sandbox.read_write_paths = [{inside:?}]"), "");
    let silent = foreign("silent", "", &["wait"]);
    let once = worker("once", "kind = \"oneshot\"", "skip = true");
    let mut supervised = run!(&[plain("probe"), writer, silent, once].concat());
    for name in ["probe", "writer", "silent"] {
        supervised.wait_for_life(name, 1);
    }
    supervised.order(Verb::Stop, "probe");
    for (name, why) in [
        ("probe", "it is not ready"),
        ("writer", "it writes to files as a user of its own"),
        ("silent", "it does not say when it is ready"),
        ("once", "it is a oneshot"),
    ] {
        let before = supervised.worker(name);
        let told = Cli::of(&supervised).run(&["restart", "--rolling", name]);
        assert_eq!(told.code, 1, "{name}: {}", told.messages);
        assert!(told.messages.contains(why), "{name}: {}", told.messages);
        let after = supervised.worker(name);
        assert_eq!((after.pid, after.generation, after.state), (before.pid, before.generation, before.state));
    }
    supervised.stop();
}

/// Seen to fail without the readiness of the life beside the present one.
#[test]
fn g18_a_foreign_program_that_says_when_it_is_ready_is_replaced() {
    let mut supervised = run!(&foreign("a", NOTIFIES, &["sleep=300", "notify=READY=1", "wait"]));
    let first = supervised.wait_for_life("a", 1).pid.expect("it lives");
    assert!(matches!(roll(&supervised, "a"), Ok(Outcome::Done)), "so far:\n{}", supervised.journal());
    let row = supervised.worker("a");
    assert_eq!((row.generation, row.restarts), (2, 0));
    assert_ne!(row.pid, Some(first));
    let former = Process(first);
    supervised.journal().wait_until("the end of the first", |_| (!former.is_alive()).then_some(()));
    supervised.stop();
}

/// Seen to fail without the handing over of routes; links that nobody sends over yet; the readiness of the life beside
/// the present one.
#[test]
fn g19_a_peer_that_begins_while_two_lives_are_there_sends_to_the_one_that_took_over() {
    let asker = |name: &str, knobs: &str| {
        format!(
            "[worker.{name}]\nexec = \"tw\"\n\
             actor.flight = {{ type = \"Pilot\", args = {{ target = \"probe\", {knobs} }} }}\n\
             [[grant]]\nfrom = \"{name}\"\nto = \"probe\"\n"
        )
    };
    let probe = worker("probe", "drain_timeout = \"60s\"", "say = \"begins\"");
    let askers = asker("holder", "hold_ms = 8000") + &asker("pilot", "who = 2");
    let mut supervised = run!(&(probe + &askers));
    let first = supervised.wait_for_life("probe", 1).pid.expect("it lives");
    supervised.journal().wait_until("an ask in hand", |lines| {
        lines.iter().any(|line| line.text.ends_with("holds an ask")).then_some(())
    });
    assert!(matches!(roll(&supervised, "probe"), Ok(Outcome::Done)), "so far:\n{}", supervised.journal());
    let second = supervised.worker("probe").pid.expect("it lives");
    kill(&supervised, "pilot");
    let seen = supervised.journal().len();
    supervised.wait_for_life("pilot", 2);
    supervised.journal().wait_until("answers of the second", |lines| {
        let answers =
            lines[seen..].iter().filter(|line| line.text.ends_with(&format!("answered by {second}")));
        (answers.count() >= 20).then_some(())
    });
    assert!(Process(first).is_alive(), "it finishes what it has begun");
    Process(first).signal(Signal::SIGKILL);
    supervised.wait_for_crash("probe", 1);
    let lines = supervised.journal().since(seen);
    let lost = lines.iter().find(|line| line.text.starts_with("pilot") && line.text.contains("lost"));
    assert!(lost.is_none(), "{lost:?}; so far:\n{}", supervised.journal());
    supervised.stop();
}
