//! What bounds a grant, between real processes: how fast, how often, and for how long it stands. And what bounds a message.

use std::time::{Duration, Instant};

use bailiwick_supervisor::control::{Outcome, ReloadMode, Verb};
use bailiwick_tests::harness::{Line, Supervised};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

const NARROW: Verb = Verb::Reload(ReloadMode::Narrow);
const WIDENING: Verb = Verb::Reload(ReloadMode::Widening);

/// A pilot that asks a probe without a pause, on these terms.
fn system(terms: &str) -> String {
    format!(
        r#"
[worker.probe]
exec = "tw"
drain_timeout = "1s"
actor.life = {{ type = "Life", args = {{}} }}
[worker.pilot]
exec = "tw"
drain_timeout = "1s"
backoff = {{ base = "50ms", cap = "50ms" }}
actor.flight = {{ type = "Pilot", args = {{ target = "probe", pause_ms = 1 }} }}
[[grant]]
from = "pilot"
to = "probe/life"
{terms}
"#
    )
}

/// What the pilot says of the asks that ended since `from`.
fn asks(supervised: &Supervised, from: usize) -> Vec<Line> {
    let lines = supervised.journal().since(from).into_iter();
    lines.filter(|line| line.text.starts_with("pilot | ask ") && line.text.contains(" after ")).collect()
}

/// Waits for so many asks that end in this way.
fn wait_for_asks(supervised: &Supervised, from: usize, count: usize, says: &str) {
    supervised.journal().wait_until(&format!("{count} asks that say {says}"), |_| {
        let said = asks(supervised, from).into_iter().filter(|line| line.text.contains(says));
        (said.count() >= count).then_some(())
    });
}

fn answered(supervised: &Supervised, from: usize) -> usize {
    asks(supervised, from).iter().filter(|line| line.text.contains(" ok after ")).count()
}

fn pids(supervised: &Supervised) -> [Option<u32>; 2] {
    ["pilot", "probe"].map(|name| supervised.worker(name).pid)
}

const USED_UP: &str = "not delivered: the method was granted for one use";
const TOO_OFTEN: &str = "not delivered: the rate of its grant permits no more";
const NOT_GRANTED: &str = "not delivered: no grant permits it";

/// What each part of it does is held by the tests of the machine, `runtime/core/tests/link/grants.rs`.
#[test]
fn a_rate_holds_for_an_honest_sender_that_would_send_more_and_a_restart_renews_nothing() {
    // From before anybody could ask: how long that was ago is then the most that was waited.
    let began = Instant::now();
    let mut supervised = run!(&system("rate = \"2/500ms\""));
    wait_for_asks(&supervised, 0, 6, " ok after ");
    wait_for_asks(&supervised, 0, 50, TOO_OFTEN);
    // Two at once and one each 250 ms: the sixth after one second.
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    for generation in 2..=4 {
        supervised.pid("pilot").signal(Signal::SIGKILL);
        supervised.wait_for_life("pilot", generation);
    }
    wait_for_asks(&supervised, supervised.journal().len(), 20, TOO_OFTEN);
    // What is answered after the count is in the time after it.
    let answered = answered(&supervised, 0);
    let most = 2 + began.elapsed().as_millis() / 250;
    assert!(answered as u128 <= most, "{answered} of {most}");
    assert_eq!(supervised.worker("probe").generation, 1, "{}", supervised.journal());
    supervised.stop();
}

#[test]
fn what_is_granted_once_is_used_up_for_every_life_of_both_ends() {
    let mut supervised = run!(&system("methods = [\"echo\"]\nonce = true"));
    wait_for_asks(&supervised, 0, 1, " ok after ");
    wait_for_asks(&supervised, 0, 5, USED_UP);
    for (worker, generation) in [("pilot", 2), ("probe", 2), ("pilot", 3), ("probe", 3)] {
        supervised.pid(worker).signal(Signal::SIGKILL);
        let from = supervised.journal().len();
        supervised.wait_for_life(worker, generation);
        wait_for_asks(&supervised, from, 5, USED_UP);
    }
    assert_eq!(answered(&supervised, 0), 1, "{}", supervised.journal());
    supervised.stop();
}

#[test]
fn what_is_granted_once_in_a_life_is_there_again_for_the_next() {
    let mut supervised = run!(&system("methods = [\"echo\"]\nonce = \"per_life\""));
    for generation in 1..=3 {
        supervised.wait_for_life("pilot", generation);
        let lives = generation as usize;
        wait_for_asks(&supervised, 0, lives, " ok after ");
        wait_for_asks(&supervised, supervised.journal().len(), 5, USED_UP);
        assert_eq!(answered(&supervised, 0), lives, "{}", supervised.journal());
        supervised.pid("pilot").signal(Signal::SIGKILL);
    }
    supervised.stop();
}

#[test]
fn a_grant_is_narrowed_and_widened_on_the_living_link_and_nobody_is_restarted() {
    let all = system("methods = [\"echo\", \"hold\"]");
    let mut supervised = run!(&all);
    wait_for_asks(&supervised, 0, 20, " ok after ");
    let before = pids(&supervised);
    let hot = "hot\tprobe\tgrant\nhot\tpilot\tgrant\n";
    // Few enough for the supervisor, which takes ten reloads at once.
    for round in 0..2 {
        let (text, outcome) = supervised.reload(NARROW, &system("methods = [\"hold\"]"));
        assert_eq!((text.as_str(), outcome), (hot, Outcome::Done));
        wait_for_asks(&supervised, supervised.journal().len(), 5, NOT_GRANTED);
        let from = supervised.journal().len();
        wait_for_asks(&supervised, from, 20, NOT_GRANTED);
        assert_eq!(answered(&supervised, from), 0, "round {round}: {}", supervised.journal());
        let (text, outcome) = supervised.reload(NARROW, &all);
        assert_eq!(outcome, Outcome::Refused, "{text}");
        let (text, outcome) = supervised.reload(WIDENING, &all);
        assert_eq!((text.starts_with(hot), outcome), (true, Outcome::Done), "{text}");
        wait_for_asks(&supervised, supervised.journal().len(), 20, " ok after ");
    }
    assert_eq!(pids(&supervised), before);
    let unsound = ["deadline", "rules", "outcome unknown"];
    for line in asks(&supervised, 0) {
        assert!(!unsound.iter().any(|word| line.text.contains(word)), "{}", line.text);
    }
    // Other bounds are taken up as well.
    let (text, outcome) =
        supervised.reload(NARROW, &system("methods = [\"echo\", \"hold\"]\nrate = \"1/m\""));
    assert_eq!((text.as_str(), outcome), (hot, Outcome::Done));
    wait_for_asks(&supervised, supervised.journal().len(), 20, TOO_OFTEN);
    let (text, outcome) = supervised.reload(WIDENING, &system("methods = [\"echo\", \"hold\"]\nonce = true"));
    assert_eq!(outcome, Outcome::Done, "{text}");
    wait_for_asks(&supervised, supervised.journal().len(), 20, USED_UP);
    assert_eq!(pids(&supervised), before);
    supervised.stop();
}

/// A worker that sends text of 3,000 bytes, and much of every form, to another; with lines about either.
fn conversation(speaks: &str, hears: &str) -> String {
    format!(
        r#"
[worker.hears]
exec = "tw"
{hears}
actor.life = {{ type = "Life", args = {{}} }}
actor.parrot = {{ type = "Parrot" }}
[worker.speaks]
exec = "tw"
{speaks}
actor.flight = {{ type = "Pilot", args = {{ target = "hears/life", bytes = 3000 }} }}
actor.mouth = {{ type = "Chatter", args = {{ targets = ["hears/parrot"], pause_ms = 1, tells = true }} }}
[[grant]]
from = "speaks"
to = "hears/life"
[[grant]]
from = "speaks"
to = "hears/parrot"
"#
    )
}

/// The limit of either end holds for both, and who would exceed it is told by its own end: nobody breaks a rule.
#[test]
fn the_tighter_end_of_a_link_says_what_one_message_may_be() {
    for (line, says) in [
        ("max_frame = \"2K\"", "payload bytes are too many, the limit is 2048"),
        ("max_depth = 3", "nesting depth are too many, the limit is 3"),
        ("max_elements = 4", "elements are too many, the limit is 4"),
        ("decode_budget = \"2K\"", "decoded bytes are too many, the limit is 2048"),
    ] {
        let channel = format!("channel = {{ {line} }}");
        for (speaks, hears) in [(channel.as_str(), ""), ("", channel.as_str())] {
            let mut supervised = run!(&conversation(speaks, hears));
            supervised.journal().wait_until(&format!("what `{line}` forbids"), |lines| {
                lines.iter().any(|line| line.text.contains(says)).then_some(())
            });
            let lives = ["hears", "speaks"].map(|name| supervised.worker(name).generation);
            assert_eq!(lives, [1, 1], "{line}: {}", supervised.journal());
            supervised.stop();
        }
    }
    // What none of these lines forbids arrives.
    let mut supervised = run!(&conversation("", ""));
    supervised.journal().wait_until("everything to be answered", |lines| {
        let said = |text: &str| lines.iter().any(|line| line.text.contains(text));
        (said("round 5 with hears/parrot ok") && said("ask 5 of hears/life ok")).then_some(())
    });
    assert!(!supervised.journal().to_string().contains("too many"), "{}", supervised.journal());
    supervised.stop();
}
