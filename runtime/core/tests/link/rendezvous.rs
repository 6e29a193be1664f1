//! Tells to an actor whose mailbox holds nothing: each ends with what is true of it.

use std::time::Duration;

use bailiwick_core::link::{Config, Event, Failure, NotDelivered, Outcome, Patience, Unknown};

use crate::pair::{ASKS, Pair, UNHANDLED, Who};

fn opened(actors: u32) -> Pair {
    let mut pair = Pair::of_rendezvous(Config::default(), actors);
    pair.open();
    pair
}

fn met(pair: &Pair, number: u32) -> Option<Outcome> {
    pair.fate(Who::Left).met.get(&number).copied()
}

#[test]
fn a_tell_ends_when_the_actor_takes_it_and_one_at_a_time_stands_before_it() {
    let mut pair = opened(1);
    let tells = [(); 3].map(|()| pair.tell(Who::Left, 0, Patience::Wait));
    pair.settle();
    assert_eq!((pair.side(Who::Left).keeps(), pair.side(Who::Right).mailboxes[0].len()), (2, 1));
    for (taken, tell) in tells.into_iter().enumerate() {
        assert_eq!(pair.fate(Who::Left).met.len(), taken);
        assert!(pair.take(Who::Right, 0));
        pair.settle();
        assert_eq!(met(&pair, tell), Some(Outcome::Replied));
    }
    pair.assert_all_ended(Who::Left);
}

#[test]
fn a_tell_that_may_not_wait_finds_no_place() {
    let mut pair = opened(1);
    let tell = pair.tell(Who::Left, 0, Patience::Now);
    assert_eq!(pair.fate(Who::Left).undelivered[&tell], NotDelivered::Full);
}

#[test]
fn a_tell_that_is_taken_back_before_the_actor_takes_it_is_not_handled_and_the_next_has_its_place() {
    let mut pair = opened(1);
    let (first, second) = (pair.tell(Who::Left, 0, Patience::Wait), pair.tell(Who::Left, 0, Patience::Wait));
    pair.settle();
    pair.cancel(Who::Left, first);
    pair.finish();
    assert_eq!(met(&pair, second), Some(Outcome::Replied));
    assert!(!pair.fate(Who::Left).started.contains(&first));
}

#[test]
fn a_dead_actor_has_told_what_it_took() {
    for taken in [true, false] {
        let mut pair = opened(1);
        let tell = pair.tell(Who::Left, 0, Patience::Wait);
        pair.settle();
        // It takes it, and is killed before anything of that leaves its process.
        assert!(!taken || pair.take(Who::Right, 0));
        pair.crash(Who::Right);
        pair.tell_death(Who::Right);
        pair.empty(Who::Left);
        assert_eq!(met(&pair, tell), Some(if taken { Outcome::Replied } else { UNHANDLED }));
    }
}

#[test]
fn of_a_link_that_ends_while_both_live_nobody_knows_what_was_taken() {
    let mut pair = opened(2);
    let written = pair.tell(Who::Left, 0, Patience::Wait);
    pair.settle();
    let waits = pair.tell(Who::Left, 0, Patience::Wait);
    let unwritten = pair.tell(Who::Left, 1, Patience::Wait);
    pair.feed(Who::Left, Event::Lost, None);
    pair.advance(Duration::from_millis(250));
    let unknown = Outcome::Failed(Failure::Unknown(Unknown::LinkClosed));
    let unhandled = Outcome::Failed(Failure::NotDelivered(NotDelivered::LinkClosed));
    let ends = [written, unwritten, waits].map(|tell| met(&pair, tell));
    assert_eq!(ends, [Some(unknown), Some(unhandled), None]);
    pair.open();
    pair.finish();
    assert_eq!(met(&pair, waits), Some(Outcome::Replied), "it waited for the next link");
}

#[test]
fn a_tell_that_a_draining_actor_does_not_take_is_not_delivered() {
    let mut pair = opened(1);
    pair.feed(Who::Right, Event::Refuse, None);
    let tell = pair.tell(Who::Left, 0, Patience::Wait);
    pair.flush(Who::Left);
    pair.finish();
    let draining = Outcome::Failed(Failure::NotDelivered(NotDelivered::Draining));
    assert_eq!(met(&pair, tell), Some(draining));
}

#[test]
fn as_many_asks_as_may_be_open_do_not_keep_a_tell_from_being_taken() {
    let mut pair = opened(1);
    for _ in 0..ASKS {
        pair.ask(Who::Left, 0, None);
        pair.settle();
        assert!(pair.take(Who::Right, 0));
        pair.settle();
    }
    let tell = pair.tell(Who::Left, 0, Patience::Wait);
    pair.settle();
    assert!(pair.take(Who::Right, 0));
    pair.finish();
    assert_eq!(met(&pair, tell), Some(Outcome::Replied));
    assert!(pair.fate(Who::Left).ended.values().all(|outcome| *outcome == Outcome::Replied));
}
