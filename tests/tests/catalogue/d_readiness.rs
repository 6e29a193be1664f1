//! D16, for workers of the runtime: their actors say that nothing should be sent at present, and routes follow.

use bailiwick_supervisor::control::{Cause, State};
use bailiwick_tests::harness::Supervised;
use bailiwick_tests::run;

use crate::support::answers;

/// A worker `r` with these keys whose actor rests, and one that walks through its rests.
fn system(keys: &str, nap: &str, walk: &str) -> String {
    format!(
        r#"
[worker.r]
exec = "tw"
{keys}
actor.sleeper = {{ type = "Sleeper", args = {{ {nap} }} }}
[worker.w]
exec = "tw"
needs = ["r"]
actor.waker = {{ type = "Waker", args = {{ target = "r", {walk} }} }}
[[grant]]
from = "w"
to = "r"
"#
    )
}

/// What was said of each rest, once the walk is over.
fn said(supervised: &Supervised, of: &str) -> Vec<String> {
    supervised.journal().wait_for(0, "the walk is over");
    let lines = supervised.journal().since(0);
    let fault = |text: &str| text.contains(" failed: ") || text.contains("asked while it rests");
    assert!(!lines.iter().any(|line| fault(&line.text)), "{lines:#?}");
    lines.iter().filter_map(|line| Some(line.text.split_once(of)?.1.to_owned())).collect()
}

fn assert_never_restarted(supervised: &Supervised, worker: &str) {
    let row = supervised.wait_for_life(worker, 1);
    assert_eq!((row.generation, row.restarts), (1, 0));
}

/// Seen to fail without the choice of an instance that takes messages; the word to peers about a rest.
#[test]
fn d16_while_an_instance_rests_its_messages_go_to_the_other_one() {
    let mut supervised = run!(&system("instances = 2", "", "rests = 20, rest_ms = 40, marks = 3, asks = 8"));
    let answered = said(&supervised, ": answered by ");
    let [first, second] = ["r.1", "r.2"].map(|instance| supervised.pid(instance).0);
    assert!(answered.len() >= 5, "nearly every rest was over before it was tried: {answered:?}");
    assert_eq!(
        answered,
        vec![format!("{{{second}}}"); answered.len()],
        "{first} was asked although it rested"
    );
    let awake = said(&supervised, "awake after rest ");
    let expected: Vec<_> = (1..=20).map(|n| format!("{n}: {first} with {} marks", 3 * n)).collect();
    assert_eq!(awake, expected, "what was told while it rested arrives afterwards");
    ["r.1", "r.2", "w"].iter().for_each(|worker| assert_never_restarted(&supervised, worker));
    supervised.stop();
}

/// Seen to fail without the links before the permission to run; the choice of an instance that begins.
#[test]
fn d_what_is_sent_first_to_a_pool_with_free_places_goes_to_its_members() {
    let mut supervised = run!(
        r#"
[group.g]
strategy = "pool"
[worker.p]
exec = "tw"
group = "g"
max_children = 3
actor.life = { type = "Life", args = {} }
[worker.w]
exec = "tw"
needs = ["p"]
actor.flight = { type = "Pilot", args = { target = "p", who = 6, rounds = 1 } }
[[grant]]
from = "w"
to = "p"
"#
    );
    assert_eq!(answers(&supervised, 6), [supervised.pid("p.1").0; 6], "a place that nobody has was asked");
    supervised.stop();
}

/// Seen to fail without the word to peers about a rest.
#[test]
fn d16_what_is_sent_to_a_worker_that_rests_waits_for_it() {
    let mut supervised = run!(&system("", "", "rests = 20, rest_ms = 10, marks = 3, asks = 2"));
    let awake = said(&supervised, " marks");
    assert_eq!(awake.len(), 20);
    let pid = supervised.pid("r").0;
    assert_eq!(said(&supervised, "awake after rest 20: "), [format!("{pid} with 60 marks")]);
    assert_never_restarted(&supervised, "r");
    supervised.stop();
}

/// Seen to fail without the limit of what waits.
#[test]
fn d16_no_more_waits_for_it_than_while_it_is_down() {
    let keys = "while_down = { messages = 2 }";
    let mut supervised = run!(&system(keys, "", "rests = 1, rest_ms = 100, marks = 3"));
    let refused = "told 2 of 3 not delivered: the worker is not ready, and no more messages may wait for it";
    supervised.journal().wait_for(0, refused);
    supervised.stop();
}

/// Seen to fail without the heed of "not ready".
#[test]
fn d16_the_supervisor_shows_a_worker_that_rests_and_leaves_it_alone() {
    let keys = "instances = 2\nstable_after = \"50ms\"";
    let mut supervised = run!(&system(keys, "", "rests = 1, rest_ms = 2000"));
    let row = supervised.wait_for_state("r.1", State::Unready);
    assert_eq!((row.generation, row.restarts, row.last_cause), (1, 0, None));
    assert_never_restarted(&supervised, "r.2");
    assert_eq!(said(&supervised, "awake after rest ").len(), 1);
    assert_never_restarted(&supervised, "r.1");
    supervised.stop();
}

/// Seen to fail without the end of a rest.
#[test]
fn d16_an_actor_that_ends_no_longer_asks_for_a_pause() {
    let mut supervised = run!(&system("", "", "rests = 3, rest_ms = 10, faint = true"));
    assert_eq!(said(&supervised, "fainted: "), ["true"]);
    let pid = supervised.pid("r").0;
    assert_eq!(said(&supervised, "awake after rest 3: "), [format!("{pid} with 0 marks")]);
    assert_never_restarted(&supervised, "r");
    supervised.stop();
}

/// Seen to fail without the deadline of the start.
#[test]
fn d16_who_rests_from_its_start_on_is_not_ready_yet() {
    let keys = "start_timeout = \"300ms\"\nbackoff = { first = \"20s\", cap = \"30s\" }";
    let mut supervised = run!(&system(keys, "from_start = true", "rests = 1, rest_ms = 1"));
    let row = supervised.wait_for_state("r", State::Backoff);
    assert_eq!(row.last_cause, Some(Cause::StartTimeout));
    assert_eq!(supervised.worker("w").pid, None, "who needs it waits");
    supervised.stop();
}
