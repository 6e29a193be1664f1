//! G. Links that a reload makes and cuts while everybody asks.

use std::time::Duration;

use bailiwick_supervisor::control::Outcome;
use bailiwick_tests::harness::{Line, Stopwatch, Supervised};
use bailiwick_tests::run;

use crate::g_reload::{WIDENING, pids, reload, up};
use crate::support::worker;

/// Two who ask without a pause, and two whom they ask.
fn workers() -> String {
    let pilot = |name: &str, target: &str| {
        format!(
            "[worker.{name}]\nexec = \"tw\"\ndrain_timeout = \"1s\"\nactor.flight = {{ type = \"Pilot\", \
             args = {{ target = \"{target}\", pause_ms = 1 }} }}\n"
        )
    };
    [worker("kept", "", ""), worker("other", "", ""), pilot("steady", "kept"), pilot("flighty", "other")]
        .concat()
}

fn grant(from: &str, to: &str) -> String {
    format!("[[grant]]\nfrom = \"{from}\"\nto = \"{to}\"\n")
}

/// What one of them says of its asks since `from`, each that ended.
fn asks(supervised: &Supervised, from: usize, who: &str) -> Vec<Line> {
    let begins = format!("{who} | ask ");
    let lines = supervised.journal().since(from).into_iter();
    lines.filter(|line| line.text.starts_with(&begins) && line.text.contains(" after ")).collect()
}

fn failure(line: &Line) -> Option<&str> {
    line.text.split_once(" failed after ")?.1.split_once(": ").map(|(_, error)| error)
}

/// Waits until one of them has had so many further asks end as is said.
fn wait_for_asks(supervised: &Supervised, from: usize, who: &str, count: usize, says: &str) {
    supervised.journal().wait_until(&format!("{count} asks of {who} that say {says}"), |_| {
        let asks = asks(supervised, from, who);
        (asks.iter().filter(|line| line.text.contains(says)).count() >= count).then_some(())
    });
}

/// Seen to fail without the word about a grant that is gone; the links of new grants.
#[test]
fn g_links_are_made_and_cut_under_load_and_no_other_ask_is_lost() {
    let both = [workers(), grant("steady", "kept"), grant("flighty", "other")].concat();
    let one = [workers(), grant("steady", "kept")].concat();
    let mut supervised = run!(&both);
    let names = ["kept", "other", "steady", "flighty"];
    let before = up(&supervised, names);
    for _ in 0..5 {
        let from = supervised.journal().len();
        wait_for_asks(&supervised, from, "flighty", 5, " ok after ");
        wait_for_asks(&supervised, from, "steady", 5, " ok after ");
        let text = reload(&supervised, &one);
        assert_eq!(text, names.map(|name| format!("unchanged\t{name}\t\n")).concat());
        let from = supervised.journal().len();
        wait_for_asks(&supervised, from, "flighty", 5, ": ");
        wait_for_asks(&supervised, from, "steady", 5, " ok after ");
        let (text, outcome) = supervised.reload(WIDENING, &both);
        assert_eq!(outcome, Outcome::Done, "{text}");
    }
    let from = supervised.journal().len();
    wait_for_asks(&supervised, from, "flighty", 5, " ok after ");
    assert_eq!(pids(&supervised, names), before);
    let lost: Vec<_> =
        asks(&supervised, 0, "steady").into_iter().filter(|line| failure(line).is_some()).collect();
    assert!(lost.is_empty(), "asks over a grant that stays: {lost:?}");
    for line in asks(&supervised, 0, "flighty") {
        let Some(error) = failure(&line) else { continue };
        // What was in hand when the link was cut may have been handled; whatever came later was not.
        let said = ["no grant from ", "not delivered: ", "outcome unknown: "];
        assert!(said.iter().any(|said| error.contains(said)), "{error}");
        assert!(!error.contains("deadline"), "it hung: {error}");
    }
    supervised.stop();
}

/// Seen to fail without the word about a grant that is gone.
#[test]
fn g_what_waits_over_a_grant_that_is_cut_is_not_delivered_and_nothing_hangs() {
    // One ask after the other into a pause that does not end, over a reference that was resolved before.
    let down = worker("other", "backoff = { first = \"100s\", cap = \"200s\" }", "");
    let asks = "[worker.flighty]\nexec = \"tw\"\nactor.flight = { type = \"Pilot\", \
                args = { target = \"other\", who = 3, pause_ms = 1 } }\n";
    let both = [down.as_str(), asks, &grant("flighty", "other")].concat();
    let mut supervised = run!(&both);
    up(&supervised, ["other", "flighty"]);
    supervised.journal().wait_for(0, "of other ok");
    crate::support::kill(&supervised, "other");
    supervised.wait_for_state("other", bailiwick_supervisor::control::State::Backoff);
    let from = supervised.journal().len();
    let stopwatch = Stopwatch::start();
    reload(&supervised, &[down.as_str(), asks].concat());
    // They have 30 s, and were in nobody's hands: those that were ended with the worker.
    let lost = supervised.journal().wait_until("three asks that waited", |lines| {
        let lost = lines.iter().filter(|line| line.text.contains("not delivered: no grant permits it"));
        let lost: Vec<_> = lost.map(|line| line.at).collect();
        (lost.len() == 3).then_some(lost)
    });
    stopwatch.assert_took(
        lost[2] - stopwatch.began(),
        Duration::from_secs(1),
        "the end of asks over a cut grant",
    );
    supervised.journal().wait_for(from, "no grant from `flighty` to a worker `other`");
    supervised.stop();
}
