//! One life of a peer takes the place of another: what its link hands back, and what it keeps.

use std::time::Duration;

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{Config, Event, ImportId, NotDelivered, Outcome, Patience, WatchId, WhileDown};

use crate::pair::{LOST, Pair, Who};

const FIRST: Grant = Grant { messages: 2, bytes: 100, fds: 0 };

fn opened(actors: u32) -> Pair {
    let mut pair = Pair::new(Config::default(), actors, FIRST);
    pair.open();
    pair
}

#[test]
fn what_waits_is_handed_back_in_order_and_what_is_written_is_answered() {
    let mut pair = opened(2);
    let written: Vec<_> = (0..2).map(|_| pair.ask(Who::Left, 0, None)).collect();
    let tell = pair.tell(Who::Left, 0, Patience::Wait);
    let ask = pair.ask(Who::Left, 0, Some(Duration::from_secs(1)));
    let other = [(); 4].map(|()| pair.tell(Who::Left, 1, Patience::Wait));
    pair.feed(Who::Left, Event::Superseded, None);
    let (first, second) = (ImportId(0), ImportId(1));
    let back =
        [(first, tell, false), (first, ask, true), (second, other[2], false), (second, other[3], false)];
    assert_eq!(pair.side(Who::Left).handed_back, back);
    assert_eq!(pair.side(Who::Left).keeps(), 0);
    pair.finish();
    for ask in written {
        assert_eq!(pair.fate(Who::Left).ended[&ask], Outcome::Replied);
    }
    assert_eq!(pair.fate(Who::Left).started.len(), 4, "two asks, and two tells to the other actor");
    assert_eq!(pair.side(Who::Left).link.outstanding(), 0);
}

#[test]
fn what_waited_for_a_life_that_is_over_is_handed_back_too() {
    let mut pair = opened(1);
    pair.watch(Who::Left, 0, 1);
    pair.crash(Who::Right);
    pair.tell_death(Who::Right);
    let lost = pair.ask(Who::Left, 0, None);
    pair.empty(Who::Left);
    pair.watch(Who::Left, 0, 2);
    let waits = pair.ask(Who::Left, 0, None);
    pair.feed(Who::Left, Event::Superseded, None);
    let back: Vec<_> = pair.side(Who::Left).handed_back.iter().map(|(_, number, _)| *number).collect();
    assert_eq!(back, [lost, waits]);
    assert_eq!(pair.side(Who::Left).watches_back, [(ImportId(0), WatchId(2))], "the first was answered");
}

#[test]
fn a_watch_of_the_present_life_stays_with_it() {
    let mut pair = opened(1);
    pair.watch(Who::Left, 0, 1);
    pair.feed(Who::Left, Event::Superseded, None);
    assert_eq!(pair.side(Who::Left).watches_back, []);
    pair.crash(Who::Right);
    pair.tell_death(Who::Right);
    pair.empty(Who::Left);
    assert_eq!(pair.watching(Who::Left), 0);
}

#[test]
fn senders_wait_for_a_successor_that_has_not_greeted_as_they_wait_for_room() {
    let while_down = WhileDown { messages: 1, bytes: 10 };
    let mut pair = Pair::new(Config { while_down, ..Config::default() }, 1, FIRST);
    pair.link();
    pair.feed(Who::Left, Event::Succeeds, None);
    assert!(pair.side(Who::Left).link.has_line());
    let asks: Vec<_> = (0..20).map(|_| pair.ask(Who::Left, 0, None)).collect();
    assert_eq!(pair.side(Who::Left).keeps(), 20, "more than may wait while a peer is down");
    pair.finish();
    for ask in asks {
        assert_eq!(pair.fate(Who::Left).ended[&ask], Outcome::Replied);
    }
}

#[test]
fn a_successor_that_ends_before_it_greeted_is_a_peer_that_is_down() {
    let while_down = WhileDown { messages: 1, bytes: 10 };
    let mut pair = Pair::new(Config { while_down, ..Config::default() }, 1, FIRST);
    pair.link();
    pair.feed(Who::Left, Event::Succeeds, None);
    let asks: Vec<_> = (0..3).map(|_| pair.ask(Who::Left, 0, None)).collect();
    pair.crash(Who::Right);
    pair.tell_death(Who::Right);
    pair.empty(Who::Left);
    assert!(!pair.side(Who::Left).link.has_line());
    assert_eq!(pair.side(Who::Left).keeps(), 1);
    assert!(!pair.fate(Who::Left).ended.contains_key(&asks[0]), "the oldest waits for the next life");
    pair.feed(Who::Left, Event::Succeeds, None);
    assert!(!pair.side(Who::Left).link.has_line(), "there is nobody to wait for");
}

#[test]
fn what_is_handed_over_waits_whatever_waits_with_it() {
    let while_down = WhileDown { messages: 1, bytes: 10 };
    let mut pair = Pair::new(Config { while_down, ..Config::default() }, 1, FIRST);
    pair.open();
    for _ in 0..10 {
        pair.ask(Who::Left, 0, None);
    }
    assert_eq!(pair.side(Who::Left).keeps(), 8, "two have room");
    // The life that takes over takes nothing now, and is about to end.
    pair.feed(Who::Right, Event::Drain, None);
    pair.settle();
    pair.supersede(Who::Left);
    assert_eq!(pair.side(Who::Left).keeps(), 8, "more than may wait while a peer is down");
}

#[test]
fn an_ask_that_the_superseded_life_took_fails_with_it() {
    let mut pair = opened(1);
    let ask = pair.ask(Who::Left, 0, None);
    pair.settle();
    pair.take(Who::Right, 0);
    pair.feed(Who::Left, Event::Superseded, None);
    pair.crash(Who::Right);
    pair.tell_death(Who::Right);
    pair.empty(Who::Left);
    assert_eq!(pair.fate(Who::Left).ended[&ask], LOST);
}

#[test]
fn senders_wait_for_a_life_beside_the_one_that_drains_and_who_may_not_wait_is_buffered() {
    let while_down = WhileDown { messages: 1, bytes: 10 };
    let mut pair = Pair::new(Config { while_down, ..Config::default() }, 1, FIRST);
    pair.open();
    pair.feed(Who::Left, Event::Accompanied { accompanied: true }, None);
    pair.feed(Who::Right, Event::Drain, None);
    pair.settle();
    let buffered = pair.tell(Who::Left, 0, Patience::Now);
    for _ in 0..20 {
        pair.ask(Who::Left, 0, None);
    }
    let refused = pair.tell(Who::Left, 0, Patience::Now);
    assert_eq!(pair.fate(Who::Left).undelivered[&refused], NotDelivered::Draining);
    pair.feed(Who::Left, Event::Superseded, None);
    let back = &pair.side(Who::Left).handed_back;
    assert_eq!((back.len(), back[0].1), (21, buffered));
}

#[test]
fn beside_nobody_a_draining_peer_keeps_what_a_dead_one_keeps() {
    let while_down = WhileDown { messages: 1, bytes: 10 };
    let mut pair = Pair::new(Config { while_down, ..Config::default() }, 1, FIRST);
    pair.open();
    for accompanied in [true, false] {
        pair.feed(Who::Left, Event::Accompanied { accompanied }, None);
    }
    pair.feed(Who::Right, Event::Drain, None);
    pair.settle();
    for _ in 0..20 {
        pair.ask(Who::Left, 0, None);
    }
    assert_eq!(pair.side(Who::Left).keeps(), 1);
}
