//! I. The unread mailbox of an actor that hands off, from one life of its worker to the next.

use std::time::Duration;

use bailiwick_supervisor::control::{Outcome, Target, Verb};
use bailiwick_tests::harness::Supervised;
use bailiwick_tests::run;

use crate::i_books::{Books, system, wait_for_entry};
use crate::support::kill;

/// What the worker says when it leaves something, and when it does not.
const LEFT: &str = " unread messages are left to the next life";
const UNREAD: &str = " messages were unread when this worker was stopped";
const CANNOT: &str = " unread messages cannot be left to the next life";

/// A sender that always has the mailbox of the slow clerk full. A drain ends before that is read.
fn office(clerk: &str, hands_off: bool) -> String {
    let clerk = format!("drain_timeout = \"50ms\"\n{clerk}");
    let handoff = if hands_off { "handoff = true, " } else { "" };
    system("tells = 10, every_ms = 1", &clerk, "work_ms = 40")
        .replace("\"Clerk\",", &format!("\"Clerk\", {handoff}mailbox = {{ capacity = 16 }},"))
}

/// How many messages the first line with these words says, of those since `seen`.
fn count(supervised: &Supervised, seen: usize, words: &str) -> u64 {
    let line = supervised.journal().wait_for(seen, words);
    line.text.split(' ').find_map(|word| word.parse().ok()).expect("it says how many")
}

/// Asserts that what was told up to `last` was entered once, in the order in which it was told; but for what the sender counts as
/// lost, which is what it had not heard in time that the clerk drains.
#[track_caller]
fn assert_whole(supervised: &Supervised, lives: &[u32], last: u64) {
    let mut books = Books::of(&supervised.journal().since(0));
    // What a life has said last may be read after what the next one says first.
    books.entered.sort_by_key(|(_, process)| lives.iter().position(|life| life == process));
    books.assert_in_order();
    let entered = books.entries();
    let missing: Vec<_> =
        books.told.iter().filter(|told| **told <= last && !entered.contains(told)).collect();
    let lost: u64 = books.lost.values().sum();
    assert!(missing.len() as u64 <= lost, "{missing:?} of {last} are missing, counted: {:?}", books.lost);
}

/// Restarts three times, and has each life leave something to the next.
fn three_restarts(office: &str) {
    let mut supervised = run!(office);
    let mut lives = vec![supervised.wait_for_life("clerk", 1).pid.expect("it is ready")];
    for generation in 2..=4 {
        wait_for_entry(&supervised);
        let seen = supervised.journal().len();
        if generation < 4 {
            supervised.order(Verb::Restart, "clerk");
        } else {
            // An operator may take time between the two, and so do the messages.
            supervised.order(Verb::Stop, "clerk");
            supervised.order(Verb::Start, "clerk");
        }
        assert!(count(&supervised, seen, LEFT) > 0);
        lives.push(supervised.wait_for_life("clerk", generation).pid.expect("it is ready"));
    }
    let last = wait_for_entry(&supervised);
    assert_whole(&supervised, &lives, last);
    let seen = supervised.journal().len();
    supervised.stop();
    let said = supervised.journal().since(seen);
    let of_leaving: Vec<_> = said.iter().filter(|line| line.text.contains(LEFT)).collect();
    assert!(of_leaving.is_empty(), "no life comes after the end of everything: {of_leaving:?}");
}

/// Seen to fail without the key; with what is inherited put in behind what comes; without the
/// word that no life comes after the end of everything.
#[test]
fn i7_who_hands_off_handles_what_was_told_once_and_in_order_over_every_restart() {
    three_restarts(&office("", true));
}

/// Seen to fail with what is inherited put in behind what comes; without the word that no life comes after the end of everything.
#[test]
fn i7_who_hands_off_and_is_given_no_time_to_drain_loses_nothing_either() {
    three_restarts(&office("", true).replace("drain_timeout = \"50ms\"", "drain_timeout = \"0s\""));
}

/// Seen to fail without emptying what was taken, and discarding it.
#[test]
fn i7_what_a_life_has_taken_over_is_nothing_to_the_one_that_comes_after_its_crash() {
    let mut supervised = run!(&office("backoff = { base = \"1ms\" }", true));
    let mut lives = vec![supervised.wait_for_life("clerk", 1).pid.expect("it is ready")];
    wait_for_entry(&supervised);
    let seen = supervised.journal().len();
    supervised.order(Verb::Restart, "clerk");
    assert!(count(&supervised, seen, LEFT) > 0);
    lives.push(supervised.wait_for_life("clerk", 2).pid.expect("it is ready"));
    // What is told now is behind all that was taken over, so that is handled.
    wait_for_entry(&supervised);
    assert_eq!(Some(&kill(&supervised, "clerk")), lives.last());
    lives.push(supervised.wait_for_life("clerk", 3).pid.expect("it is ready"));
    let last = wait_for_entry(&supervised);
    assert_whole(&supervised, &lives, last);
    supervised.stop();
}

/// Seen to fail without asking for the key.
#[test]
fn i7_who_does_not_hand_off_leaves_nothing() {
    let mut supervised = run!(&office("", false));
    supervised.wait_for_life("clerk", 1);
    wait_for_entry(&supervised);
    let seen = supervised.journal().len();
    supervised.order(Verb::Restart, "clerk");
    assert!(count(&supervised, seen, UNREAD) > 0);
    supervised.wait_for_life("clerk", 2);
    wait_for_entry(&supervised);
    assert!(supervised.journal().since(0).iter().all(|line| !line.text.contains(LEFT)));
    supervised.stop();
}

/// Seen to fail without the word that no life comes after the predecessor.
#[test]
fn i7_a_predecessor_leaves_nothing_to_a_life_that_is_there_already() {
    let mut supervised = run!(&office("", true));
    supervised.wait_for_life("clerk", 1);
    wait_for_entry(&supervised);
    let seen = supervised.journal().len();
    let target = Target::Worker("clerk".into());
    let rolled = supervised.control().order(Verb::Roll, target, Duration::from_secs(60));
    assert!(matches!(rolled, Ok(Outcome::Done)), "{rolled:?}, so far:\n{}", supervised.journal());
    assert!(count(&supervised, seen, UNREAD) > 0);
    assert!(supervised.journal().since(0).iter().all(|line| !line.text.contains(LEFT)));
    supervised.stop();
}

/// Seen to fail without the count of what cannot be left.
#[test]
fn i7_who_may_make_no_memory_leaves_nothing_and_says_so() {
    let filter = "sandbox.system_call_filter = [\"~memfd_create\"]";
    let mut supervised = run!(&office(filter, true));
    supervised.wait_for_life("clerk", 1);
    wait_for_entry(&supervised);
    let seen = supervised.journal().len();
    supervised.order(Verb::Restart, "clerk");
    let line = supervised.journal().wait_for(seen, CANNOT);
    assert!(line.text.contains("memfd_create"), "{}", line.text);
    supervised.wait_for_life("clerk", 2);
    wait_for_entry(&supervised);
    supervised.stop();
}
