//! Messages of two priorities to one actor: what waits, and what passes it.

use std::time::Duration;

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{Config, Event, NotDelivered, Patience, WhileDown};
use bailiwick_core::precedence::PASSES;

use crate::pair::{ASKS, Number, Pair, UNHANDLED, Who};

/// Every other message is of high priority: those with odd numbers.
fn mixed(config: Config, messages: u32) -> Pair {
    let mut pair = Pair::new(config, 1, Grant { messages, bytes: 10_000, fds: 0 });
    pair.mixed = true;
    pair
}

/// Lets the peer take one message after the other, and returns them in that order.
fn take_all(pair: &mut Pair) -> Vec<Number> {
    let mut order = Vec::new();
    loop {
        pair.settle();
        order.extend(pair.numbers(Who::Right, 0).first());
        if !pair.take(Who::Right, 0) {
            return order;
        }
    }
}

fn tell(pair: &mut Pair, messages: u32) {
    for _ in 0..messages {
        pair.tell(Who::Left, 0, Patience::Wait);
    }
}

#[test]
fn what_waits_for_room_leaves_by_priority_and_within_one_in_the_order_sent() {
    let mut pair = mixed(Config::default(), 1);
    pair.open();
    tell(&mut pair, 9);
    // The first had room.
    assert_eq!(take_all(&mut pair), [0, 1, 3, 5, 7, 2, 4, 6, 8]);
}

#[test]
fn what_has_room_overtakes_nobody_on_its_way() {
    let mut pair = mixed(Config::default(), 9);
    pair.open();
    tell(&mut pair, 9);
    // The mailbox has the last word, which is not of the link's machine.
    pair.settle();
    assert_eq!(pair.numbers(Who::Right, 0), (0..9).collect::<Vec<_>>());
}

#[test]
fn what_waits_is_passed_by_so_often_and_no_more() {
    let mut pair = mixed(Config::default(), 1);
    pair.open();
    tell(&mut pair, 4 * PASSES);
    let order = take_all(&mut pair);
    // The first had room.
    let (first, rest) = order.split_at(1 + PASSES as usize);
    assert_eq!(first[1..].iter().filter(|number| *number % 2 == 1).count() as u32, PASSES);
    assert_eq!(rest[..2], [2, 2 * PASSES + 1], "its turn, and then the next of high priority");
}

#[test]
fn a_message_with_room_passes_those_that_wait_without_and_no_more_often_than_it_may() {
    let mut pair = mixed(Config::default(), 1000);
    pair.open();
    // As many asks as may be open, and one more, which is ordinary and waits; tells have room.
    let asks = [(); ASKS as usize + 1].map(|()| pair.ask(Who::Left, 0, None));
    assert_eq!((asks[ASKS as usize] % 2, pair.side(Who::Left).keeps()), (0, 1));
    let mut tell_high = || {
        if pair.fate(Who::Left).sent.is_multiple_of(2) {
            let spare = pair.ask(Who::Left, 0, None);
            pair.cancel(Who::Left, spare);
        }
        let number = pair.tell(Who::Left, 0, Patience::Now);
        pair.fate(Who::Left).undelivered.get(&number).copied()
    };
    for _ in 0..PASSES {
        assert_eq!(tell_high(), None);
    }
    assert_eq!(tell_high(), Some(NotDelivered::Full), "it is the turn of the ask");
}

#[test]
fn priority_buys_no_room() {
    let mut pair = mixed(Config { waiting: 2, ..Config::default() }, 1);
    pair.open();
    tell(&mut pair, 4);
    assert_eq!(pair.fate(Who::Left).undelivered, [(3, NotDelivered::Full)].into());
    assert_eq!(take_all(&mut pair), [0, 1, 2]);
}

#[test]
fn of_what_waits_for_a_dead_worker_that_stays_which_would_leave_first() {
    let while_down = WhileDown { messages: 3, bytes: 1000 };
    let mut pair = mixed(Config { while_down, ..Config::default() }, 1);
    pair.open();
    tell(&mut pair, 7);
    pair.crash(Who::Right);
    pair.tell_death(Who::Right);
    pair.empty(Who::Left);
    let lost: Vec<_> = pair.fate(Who::Left).undelivered.keys().copied().collect();
    // The first had room, and was not written.
    assert_eq!(lost, [0, 2, 4, 6]);
    pair.open();
    assert_eq!(take_all(&mut pair), [1, 3, 5]);
}

#[test]
fn what_expires_or_is_taken_back_waits_no_longer_whatever_its_priority() {
    let mut pair = mixed(Config::default(), 1);
    pair.open();
    tell(&mut pair, 3);
    let soon = Some(Duration::from_secs(1));
    let [high, ordinary] = [(); 2].map(|()| pair.ask(Who::Left, 0, soon));
    pair.cancel(Who::Left, 1);
    pair.advance(Duration::from_secs(2));
    for expired in [high, ordinary] {
        assert!(pair.fate(Who::Left).ended.contains_key(&expired));
    }
    assert_ne!(pair.fate(Who::Left).ended[&high], UNHANDLED);
    assert_eq!(take_all(&mut pair), [0, 2]);
}

#[test]
fn what_is_handed_to_another_life_keeps_its_priority() {
    let mut pair = mixed(Config::default(), 1);
    pair.open();
    tell(&mut pair, 6);
    pair.supersede(Who::Left);
    assert_eq!(pair.side(Who::Left).keeps(), 5);
    assert_eq!(take_all(&mut pair), [0, 1, 3, 5, 2, 4]);
}

#[test]
fn a_rendezvous_is_with_those_of_high_priority_first() {
    let mut pair = Pair::of_rendezvous(Config::default(), 1);
    pair.mixed = true;
    pair.open();
    tell(&mut pair, 6);
    assert_eq!(take_all(&mut pair), [0, 1, 3, 5, 2, 4]);
    pair.feed(Who::Left, Event::Drain, None);
    pair.finish();
    assert_eq!(pair.fate(Who::Left).met.len(), 6);
}
