//! Single stories, told with numbers.

use std::time::Duration;

use bailiwick_core::asks::Ticket;
use bailiwick_core::credit::{Grant, Size};
use bailiwick_core::link::{
    Action, Cause, CloseReason, Closed, Config, Event, Failure, Frame, Hello, Import, ImportId, Limits, Link,
    Method, MethodName, NotDelivered, Offer, Outcome, Page, Patience, Refusal, Send, Target, Terms, Unknown,
    VERSION, WhileDown,
};
use bailiwick_core::precedence::Priority;
use bailiwick_core::time::Instant;

use crate::pair::{ASKS, LOST, MESSAGE, METHOD, Pair, SCHEMA, UNHANDLED, Who};

const FIRST: Grant = Grant { messages: 2, bytes: 100, fds: 0 };

fn opened(actors: u32) -> Pair {
    let mut pair = Pair::new(Config::default(), actors, FIRST);
    pair.open();
    assert_eq!((pair.side(Who::Left).opened, pair.side(Who::Right).opened), (1, 1));
    pair
}

#[test]
fn an_ask_is_answered() {
    let mut pair = opened(1);
    let number = pair.ask(Who::Left, 0, None);
    pair.finish();
    assert_eq!(pair.fate(Who::Left).ended[&number], Outcome::Replied);
}

#[test]
fn a_full_actor_stalls_only_those_who_send_to_it() {
    let mut pair = opened(2);
    for _ in 0..5 {
        pair.tell(Who::Left, 0, Patience::Wait);
    }
    pair.settle();
    assert_eq!(pair.side(Who::Left).keeps(), 3);
    let number = pair.ask(Who::Left, 1, None);
    pair.settle();
    assert!(pair.take(Who::Right, 1) && pair.reply(Who::Right));
    pair.settle();
    assert_eq!(pair.fate(Who::Left).ended[&number], Outcome::Replied);
    assert_eq!(pair.side(Who::Left).keeps(), 3);
    pair.finish();
    assert_eq!(pair.side(Who::Left).keeps(), 0);
    assert_eq!(pair.fate(Who::Left).started.len(), 6);
}

#[test]
fn an_ask_beyond_those_that_may_be_open_leaves_with_the_reply_to_one_of_them() {
    let mut pair = Pair::new(Config::default(), 1, Grant { messages: 100, bytes: 10_000, fds: 0 });
    pair.open();
    let asks: Vec<_> = (0..=ASKS).map(|_| pair.ask(Who::Left, 0, None)).collect();
    pair.settle();
    assert_eq!(pair.side(Who::Left).keeps(), 1);
    assert!(pair.take(Who::Right, 0) && pair.reply(Who::Right));
    pair.settle();
    assert_eq!(pair.side(Who::Left).keeps(), 0);
    pair.finish();
    assert!(asks.iter().all(|number| pair.fate(Who::Left).ended[number] == Outcome::Replied));
}

#[test]
fn an_impatient_tell_without_credit_is_refused() {
    let mut pair = opened(1);
    pair.tell(Who::Left, 0, Patience::Now);
    pair.tell(Who::Left, 0, Patience::Now);
    let third = pair.tell(Who::Left, 0, Patience::Now);
    assert_eq!(pair.fate(Who::Left).undelivered[&third], NotDelivered::Full);
}

#[test]
fn credit_grows_for_an_actor_that_keeps_up() {
    let mut pair = opened(1);
    for _ in 0..20 {
        for _ in 0..40 {
            pair.tell(Who::Left, 0, Patience::Wait);
        }
        pair.finish();
    }
    let before = pair.fate(Who::Left).sent;
    for _ in 0..16 {
        pair.tell(Who::Left, 0, Patience::Now);
    }
    assert_eq!(pair.fate(Who::Left).sent, before + 16);
    assert!(pair.fate(Who::Left).undelivered.is_empty());
}

#[test]
fn an_ask_that_waits_expires_as_not_delivered_and_one_that_was_written_as_unknown() {
    let mut pair = opened(1);
    let second = Some(Duration::from_secs(1));
    let numbers: Vec<_> = (0..3).map(|_| pair.ask(Who::Left, 0, second)).collect();
    pair.settle();
    pair.advance(Duration::from_secs(1));
    let ended = &pair.fate(Who::Left).ended;
    assert_eq!(ended[&numbers[0]], Outcome::Failed(Failure::Unknown(Unknown::Expired)));
    assert_eq!(ended[&numbers[2]], Outcome::Failed(Failure::NotDelivered(NotDelivered::Expired)));
    pair.finish();
    assert!(pair.fate(Who::Left).started.is_empty(), "the cancel arrived before the actor's turn");
}

#[test]
fn death_of_the_peer_ends_its_asks_at_once_and_tells_it_after_the_last_message() {
    let mut pair = opened(1);
    let answered = pair.ask(Who::Left, 0, None);
    let lost = pair.ask(Who::Left, 0, None);
    let unwritten = pair.ask(Who::Left, 0, None);
    pair.watch(Who::Left, 0, 1);
    pair.settle();
    pair.take(Who::Right, 0);
    pair.reply(Who::Right);
    pair.take(Who::Right, 0);
    pair.tell(Who::Right, 0, Patience::Wait);
    pair.flush(Who::Right);
    pair.crash(Who::Right);
    pair.tell_death(Who::Right);
    assert!(pair.side(Who::Left).downs.is_empty());
    pair.empty(Who::Left);
    let side = pair.side(Who::Left);
    assert_eq!(side.downs, [1]);
    assert_eq!(side.mailboxes[0].len(), 1, "the last message of the dead arrives");
    assert_eq!(pair.watching(Who::Left), 0);
    assert_eq!(pair.fate(Who::Left).ended[&answered], Outcome::Replied);
    assert_eq!(pair.fate(Who::Left).ended[&lost], LOST);
    assert!(!pair.fate(Who::Left).ended.contains_key(&unwritten), "it waits for the next incarnation");
    pair.open();
    pair.finish();
    assert_eq!(pair.fate(Who::Left).ended[&unwritten], Outcome::Replied);
}

#[test]
fn what_waited_for_its_turn_when_the_peer_died_is_not_delivered() {
    for lost_first in [false, true] {
        let mut pair = opened(1);
        let (begun, waited) = (pair.ask(Who::Left, 0, None), pair.ask(Who::Left, 0, None));
        pair.settle();
        pair.take(Who::Right, 0);
        pair.crash(Who::Right);
        if lost_first {
            pair.feed(Who::Left, Event::Lost, None);
        }
        pair.tell_death(Who::Right);
        pair.empty(Who::Left);
        let ended = &pair.fate(Who::Left).ended;
        assert_eq!((ended[&begun], ended[&waited]), (LOST, UNHANDLED));
    }
}

#[test]
fn of_a_use_of_an_index_the_page_says_nothing_that_holds_for_the_next() {
    let mut pair = opened(1);
    for outcome in [Outcome::Replied, UNHANDLED] {
        let number = pair.ask(Who::Left, 0, None);
        pair.settle();
        if outcome == UNHANDLED {
            pair.crash(Who::Right);
            pair.tell_death(Who::Right);
            pair.empty(Who::Left);
        }
        pair.finish();
        assert_eq!(pair.fate(Who::Left).ended[&number], outcome);
    }
}

#[test]
fn what_never_left_the_process_is_not_delivered() {
    let mut pair = opened(1);
    let number = pair.ask(Who::Left, 0, None);
    pair.crash(Who::Right);
    pair.tell_death(Who::Right);
    pair.empty(Who::Left);
    assert_eq!(pair.fate(Who::Left).ended[&number], UNHANDLED);
}

#[test]
fn a_peer_that_is_down_takes_as_many_as_may_wait_and_no_more() {
    let while_down = WhileDown { messages: 2, bytes: 1000 };
    let mut pair = Pair::new(Config { while_down, ..Config::default() }, 1, FIRST);
    let numbers: Vec<_> = (0..3).map(|_| pair.ask(Who::Left, 0, None)).collect();
    assert_eq!(pair.fate(Who::Left).ended[&numbers[2]], UNHANDLED);
    pair.open();
    pair.finish();
    assert_eq!(pair.fate(Who::Left).ended[&numbers[1]], Outcome::Replied);

    let while_down = WhileDown { messages: 9, bytes: 2 * MESSAGE.bytes };
    let mut pair = Pair::new(Config { while_down, ..Config::default() }, 1, FIRST);
    let numbers: Vec<_> = (0..3).map(|_| pair.ask(Who::Left, 0, None)).collect();
    assert_eq!(pair.fate(Who::Left).ended.keys().collect::<Vec<_>>(), [&numbers[2]]);

    let while_down = WhileDown { messages: 0, bytes: 0 };
    let mut pair = Pair::new(Config { while_down, ..Config::default() }, 1, FIRST);
    let number = pair.ask(Who::Left, 0, None);
    assert_eq!(pair.fate(Who::Left).ended[&number], UNHANDLED);
}

#[test]
fn what_is_sent_to_a_side_that_is_not_ready_waits_and_then_leaves_in_its_order() {
    let mut pair = opened(2);
    let before = pair.ask(Who::Left, 0, None);
    pair.settle();
    pair.feed(Who::Right, Event::Unready, None);
    // The word is not there yet.
    let crossing = pair.ask(Who::Left, 0, None);
    pair.settle();
    let waits = [0, 1, 0, 1].map(|actor| pair.tell(Who::Left, actor, Patience::Wait));
    pair.settle();
    assert!(!pair.side(Who::Left).link.is_open());
    assert_eq!((pair.side(Who::Left).keeps(), pair.side(Who::Right).mailboxes[1].len()), (4, 0));
    while pair.take(Who::Right, 0) {}
    while pair.reply(Who::Right) {}
    pair.settle();
    for number in [before, crossing] {
        assert_eq!(pair.fate(Who::Left).ended[&number], Outcome::Replied, "what was sent is handled");
    }
    // Its own messages leave as ever.
    let own = pair.ask(Who::Right, 0, None);
    pair.finish();
    assert_eq!(pair.fate(Who::Right).ended[&own], Outcome::Replied);
    assert_eq!(pair.side(Who::Left).keeps(), 4);

    pair.feed(Who::Right, Event::Ready, None);
    pair.finish();
    assert!(pair.side(Who::Left).link.is_open());
    assert_eq!(pair.side(Who::Left).keeps(), 0);
    assert!(waits.iter().all(|number| pair.fate(Who::Left).started.contains(number)));
}

#[test]
fn a_side_says_what_has_changed_and_nothing_twice() {
    let mut pair = opened(1);
    let says = |pair: &mut Pair, event| pair.feed(Who::Right, event, None);
    assert_eq!(says(&mut pair, Event::Ready), []);
    assert_eq!(says(&mut pair, Event::Unready), [Action::Send(Frame::Unready)]);
    assert_eq!(says(&mut pair, Event::Unready), []);
    pair.flush(Who::Right);
    assert_eq!(says(&mut pair, Event::Ready), [Action::Send(Frame::Ready)]);
}

#[test]
fn of_words_that_are_not_written_one_waits_and_the_last_wish_is_told_after_it() {
    let mut pair = opened(1);
    let says = |pair: &mut Pair, event| pair.feed(Who::Right, event, None);
    assert_eq!(says(&mut pair, Event::Unready), [Action::Send(Frame::Unready)]);
    for _ in 0..1000 {
        assert_eq!(says(&mut pair, Event::Ready), []);
        assert_eq!(says(&mut pair, Event::Unready), []);
    }
    pair.flush(Who::Right);
    assert!(!pair.side(Who::Right).has_unflushed(), "the peer is told what holds");
    // It changes its mind while the word that it did is on its way.
    assert_eq!(says(&mut pair, Event::Ready), [Action::Send(Frame::Ready)]);
    assert_eq!(says(&mut pair, Event::Unready), []);
    pair.flush(Who::Right);
    assert!(pair.side(Who::Right).has_unflushed(), "what holds by then follows");
    pair.finish();
    assert!(!pair.side(Who::Left).link.is_open());
    assert_eq!(says(&mut pair, Event::Ready), [Action::Send(Frame::Ready)]);
    pair.finish();
    assert!(pair.side(Who::Left).link.is_open());
}

#[test]
fn what_waits_for_a_peer_to_which_no_grant_is_left_is_given_up_and_nothing_waits_for_it_again() {
    let mut pair = opened(1);
    pair.crash(Who::Right);
    pair.tell_death(Who::Right);
    pair.empty(Who::Left);
    let waits = [pair.ask(Who::Left, 0, None), pair.tell(Who::Left, 0, Patience::Wait)];
    assert_eq!(pair.side(Who::Left).keeps(), 2);
    pair.feed(Who::Left, Event::Part, None);
    let later = pair.ask(Who::Left, 0, None);
    assert_eq!(pair.side(Who::Left).keeps(), 0, "nothing waits");
    for number in waits.into_iter().chain([later]) {
        assert!(!pair.fate(Who::Left).started.contains(&number));
    }
    // A transport makes peers of them again.
    pair.open();
    pair.finish();
    let again = pair.ask(Who::Left, 0, None);
    pair.finish();
    assert!(pair.fate(Who::Left).started.contains(&again));
}

#[test]
fn who_is_not_ready_when_it_is_linked_is_sent_nothing_before_it_is() {
    let mut pair = Pair::new(Config::default(), 1, FIRST);
    pair.feed(Who::Right, Event::Unready, None);
    let early = pair.tell(Who::Left, 0, Patience::Wait);
    pair.open();
    assert!(pair.side(Who::Right).mailboxes[0].is_empty() && pair.side(Who::Left).keeps() == 1);
    pair.feed(Who::Right, Event::Ready, None);
    pair.finish();
    assert!(pair.fate(Who::Left).started.contains(&early));

    // The next incarnation is ready until it says something else.
    pair.feed(Who::Right, Event::Unready, None);
    pair.settle();
    let waits = pair.tell(Who::Left, 0, Patience::Wait);
    pair.crash(Who::Right);
    pair.tell_death(Who::Right);
    pair.empty(Who::Left);
    pair.open();
    pair.finish();
    assert!(pair.fate(Who::Left).started.contains(&waits));
}

#[test]
fn no_more_waits_for_a_side_that_is_not_ready_than_for_one_that_is_down() {
    let while_down = WhileDown { messages: 1, bytes: 100 };
    let mut pair = Pair::new(Config { while_down, ..Config::default() }, 1, FIRST);
    pair.open();
    pair.feed(Who::Right, Event::Unready, None);
    pair.settle();
    pair.tell(Who::Left, 0, Patience::Wait);
    let second = pair.ask(Who::Left, 0, None);
    let outcome = Outcome::Failed(Failure::NotDelivered(NotDelivered::Unready));
    assert_eq!(pair.fate(Who::Left).ended[&second], outcome);
}

#[test]
fn a_draining_side_finishes_what_it_has_and_takes_nothing_new() {
    let mut pair = opened(1);
    let taken = pair.ask(Who::Left, 0, None);
    pair.settle();
    pair.feed(Who::Right, Event::Drain, None);
    let crossing = pair.ask(Who::Left, 0, None);
    pair.settle();
    let waits = pair.ask(Who::Left, 0, None);
    pair.settle();
    assert!(!pair.side(Who::Right).drained);
    pair.finish();
    assert!(pair.side(Who::Right).drained);
    let fate = pair.fate(Who::Left);
    assert_eq!(fate.ended[&taken], Outcome::Replied);
    assert_eq!(fate.ended[&crossing], Outcome::Replied, "it was sent before the peer could know");
    assert!(!fate.ended.contains_key(&waits), "it waits for the next incarnation");
}

#[test]
fn a_draining_side_has_not_finished_before_the_peer_has_heard_of_it() {
    let mut pair = opened(1);
    pair.feed(Who::Right, Event::Drain, None);
    assert!(!pair.side(Who::Right).link.is_heard_out());
    let crossing = pair.tell(Who::Left, 0, Patience::Wait);
    pair.flush(Who::Right);
    pair.read(Who::Left);
    assert!(!pair.side(Who::Right).drained, "the answer is on its way");
    pair.finish();
    assert!(pair.side(Who::Right).drained && pair.side(Who::Right).link.is_heard_out());
    assert!(pair.fate(Who::Left).started.contains(&crossing));
}

#[test]
fn a_side_that_cannot_wait_for_that_refuses_what_crosses() {
    let mut pair = opened(1);
    pair.feed(Who::Right, Event::Refuse, None);
    assert!(pair.side(Who::Right).link.is_heard_out());
    let crossing = pair.ask(Who::Left, 0, None);
    let told = pair.tell(Who::Left, 0, Patience::Wait);
    pair.settle();
    let fate = pair.fate(Who::Left);
    assert_eq!(fate.ended[&crossing], Outcome::Failed(Failure::NotDelivered(NotDelivered::Draining)));
    assert_eq!(fate.undelivered[&told], NotDelivered::Draining);
}

#[test]
fn a_draining_side_does_not_wait_for_a_peer_that_may_never_come_back() {
    let mut pair = opened(1);
    pair.feed(Who::Right, Event::Drain, None);
    pair.settle();
    let waits = pair.ask(Who::Left, 0, None);
    pair.settle();
    assert!(!pair.fate(Who::Left).ended.contains_key(&waits));
    pair.feed(Who::Left, Event::Drain, None);
    let outcome = |reason| Outcome::Failed(Failure::NotDelivered(reason));
    assert_eq!(pair.fate(Who::Left).ended[&waits], outcome(NotDelivered::Draining));
    pair.crash(Who::Right);
    pair.tell_death(Who::Right);
    pair.empty(Who::Left);
    let late = pair.ask(Who::Left, 0, None);
    assert_eq!(pair.fate(Who::Left).ended[&late], outcome(NotDelivered::PeerDown));
}

#[test]
fn closing_answers_what_is_being_handled() {
    let mut pair = opened(1);
    let number = pair.ask(Who::Left, 0, None);
    pair.settle();
    pair.take(Who::Right, 0);
    let actions = pair.feed(Who::Right, Event::Close, None);
    assert!(actions.contains(&Action::Send(Frame::Failure {
        correlation: Ticket::new(0, 1),
        failure: Failure::Unknown(Unknown::Stopped),
    })));
    assert!(actions.contains(&Action::Send(Frame::Close(CloseReason::Done))));
    assert!(actions.contains(&Action::Close { reason: Closed::ByUs }));
    pair.feed(Who::Left, Event::Lost, None);
    pair.advance(Duration::from_millis(249));
    assert!(!pair.fate(Who::Left).ended.contains_key(&number), "the supervisor may still say why");
    pair.advance(Duration::from_millis(1));
    assert_eq!(
        pair.fate(Who::Left).ended[&number],
        Outcome::Failed(Failure::Unknown(Unknown::LinkClosed)),
        "in this story the last frames got lost with the transport"
    );
}

#[test]
fn an_ask_ends_with_the_peers_death_though_the_end_of_its_transport_is_seen_first() {
    let mut pair = opened(1);
    let number = pair.ask(Who::Left, 0, None);
    pair.settle();
    pair.take(Who::Right, 0);
    pair.crash(Who::Right);
    pair.feed(Who::Left, Event::Lost, None);
    let waits = pair.ask(Who::Left, 0, None);
    pair.tell_death(Who::Right);
    assert_eq!(pair.fate(Who::Left).ended[&number], Outcome::Failed(Failure::Unknown(Unknown::PeerDown)));
    assert_eq!(pair.side(Who::Left).downs, [1]);
    pair.open();
    pair.finish();
    assert_eq!(pair.fate(Who::Left).ended[&waits], Outcome::Replied, "the next incarnation answers");
}

#[test]
fn a_reply_to_an_earlier_incarnation_goes_nowhere() {
    let mut pair = opened(1);
    pair.ask(Who::Left, 0, None);
    pair.settle();
    pair.take(Who::Right, 0);
    let stale = pair.side(Who::Right).handlers[0];
    pair.crash(Who::Left);
    pair.tell_death(Who::Left);
    pair.empty(Who::Right);
    pair.open();
    let fresh = pair.ask(Who::Left, 0, None);
    pair.settle();
    let actions = pair.feed(Who::Right, Event::Reply { asked: stale, size: MESSAGE }, None);
    assert_eq!(actions, []);
    pair.finish();
    assert_eq!(pair.fate(Who::Left).ended[&fresh], Outcome::Replied);
}

#[test]
fn a_stream_stops_at_its_credit_and_goes_on_when_items_are_taken() {
    let mut pair = opened(1);
    let number = pair.ask(Who::Left, 0, Some(Duration::from_secs(1)));
    pair.settle();
    pair.take(Who::Right, 0);
    let asked = pair.side(Who::Right).handlers[0];
    let items = Config::default().limits.items;
    pair.feed(Who::Right, Event::Open { asked }, None);
    pair.settle();
    // What is open has no deadline.
    pair.advance(Duration::from_secs(2));
    for _ in 0..items {
        let actions = pair.feed(Who::Right, Event::Item { asked, size: MESSAGE }, None);
        assert!(matches!(actions[..], [Action::Send(Frame::Item { .. })]));
    }
    let actions = pair.feed(Who::Right, Event::Item { asked, size: MESSAGE }, None);
    assert_eq!(actions, [Action::MoreItems { asked, items: 0 }]);
    pair.settle();
    pair.feed(Who::Left, Event::ItemsTaken { ticket: asked.ticket, items }, None);
    pair.settle();
    let actions = pair.feed(Who::Right, Event::Item { asked, size: MESSAGE }, None);
    assert!(matches!(actions[..], [Action::Send(Frame::Item { .. })]));
    pair.feed(Who::Right, Event::End { asked }, None);
    pair.settle();
    assert_eq!(pair.fate(Who::Left).ended[&number], Outcome::Ended);
}

/// A link of the left side alone, greeted by a peer of the test's making.
fn alone(terms: Terms, limits: Limits) -> Link {
    let mut link = Link::new(Config::default());
    let mut actions = Vec::new();
    let entry = Import { slot: 0, generation: None, uses: vec![SCHEMA], rendezvous: false };
    let methods = vec![(SCHEMA, Some(0))];
    for event in [
        Event::Import { import: ImportId(0), entry: Box::new(entry) },
        Event::Linked { generation: 1 },
        Event::Received(Frame::Hello(Hello { version: VERSION, limits })),
        Event::Received(Frame::HelloAck),
        Event::Received(Frame::Offer(Offer { slot: 0, terms: Some(terms), methods })),
    ] {
        link.handle(Instant::START, event, &mut actions);
    }
    assert!(link.is_open());
    link
}

fn terms(messages: u32, bytes: u32, fds: u16) -> Terms {
    Terms::plain(0, Grant { messages, bytes, fds }, 2)
}

const ORDINARY: Priority = Priority::Ordinary;

fn tell(link: &mut Link, size: Size) -> Vec<Action> {
    let ticket = link.vacant_ticket().expect("the table has room");
    let (import, method, patience, deadline) = (ImportId(0), METHOD, Patience::Wait, None);
    let send = Send { ticket, import, method, size, patience, priority: ORDINARY, deadline };
    let mut actions = Vec::new();
    link.handle(Instant::START, Event::Tell(send), &mut actions);
    actions
}

#[test]
fn the_receivers_limits_bind_the_sender_at_the_limit_and_beyond() {
    let mut limits = Config::default().limits;
    (limits.message_bytes, limits.message_fds) = (100, 1);
    let mut link = alone(terms(9, 1000, 9), limits);
    assert!(matches!(tell(&mut link, Size { bytes: 0, fds: 0 })[..], [Action::Transmit { .. }]));
    assert!(matches!(tell(&mut link, Size { bytes: 100, fds: 1 })[..], [Action::Transmit { .. }]));
    let reason = |actions: Vec<Action>| match actions[..] {
        [Action::Undelivered { reason, .. }] => reason,
        _ => panic!("{actions:?}"),
    };
    assert_eq!(reason(tell(&mut link, Size { bytes: 101, fds: 0 })), NotDelivered::TooLarge { limit: 100 });
    assert_eq!(reason(tell(&mut link, Size { bytes: 1, fds: 2 })), NotDelivered::TooManyFds { limit: 1 });
}

#[test]
fn what_waits_for_a_peer_that_is_down_holds_few_descriptors() {
    let mut link = Link::new(Config::default());
    let mut actions = Vec::new();
    let entry = Import { slot: 0, generation: None, uses: vec![SCHEMA], rendezvous: false };
    link.handle(Instant::START, Event::Import { import: ImportId(0), entry: Box::new(entry) }, &mut actions);
    for _ in 0..4 {
        assert!(matches!(tell(&mut link, Size { bytes: 1, fds: 16 })[..], [Action::Keep { .. }]));
    }
    assert!(matches!(tell(&mut link, Size { bytes: 1, fds: 1 })[..], [Action::Undelivered { .. }]));
    assert!(matches!(tell(&mut link, Size { bytes: 1, fds: 0 })[..], [Action::Keep { .. }]));
}

#[test]
fn of_more_descriptors_than_may_wait_those_go_that_came_last_and_nothing_else() {
    let mut link = alone(terms(1, 1000, 99), Config::default().limits);
    assert!(matches!(tell(&mut link, Size { bytes: 1, fds: 0 })[..], [Action::Transmit { .. }]));
    for fds in [16, 16, 16, 16, 16, 0] {
        assert!(
            matches!(tell(&mut link, Size { bytes: 1, fds })[..], [Action::Keep { .. }]),
            "credit is out"
        );
    }
    let mut actions = Vec::new();
    let page = Page::UNREAD;
    link.handle(Instant::START, Event::PeerDied { generation: 1, cause: Cause(9), page }, &mut actions);
    link.handle(Instant::START, Event::Emptied, &mut actions);
    let refused = actions.iter().filter(|action| matches!(action, Action::Undelivered { .. })).count();
    assert_eq!(refused, 1, "{actions:?}");
    assert!(matches!(tell(&mut link, Size { bytes: 1, fds: 0 })[..], [Action::Keep { .. }]));
}

#[test]
fn a_message_larger_than_the_credit_overdraws_once() {
    let mut link = alone(terms(9, 50, 0), Config::default().limits);
    assert!(matches!(tell(&mut link, Size { bytes: 80, fds: 0 })[..], [Action::Transmit { .. }]));
    assert!(matches!(tell(&mut link, Size { bytes: 1, fds: 0 })[..], [Action::Keep { .. }]));
    let grant = Grant { messages: 1, bytes: 30, fds: 0 };
    let mut actions = Vec::new();
    let credit = Frame::Credit { target: Target { slot: 0, generation: 0 }, grant };
    link.handle(Instant::START, Event::Received(credit.clone()), &mut actions);
    assert_eq!(actions, [], "the overdraft is paid, and nothing is left");
    link.handle(Instant::START, Event::Received(credit), &mut actions);
    assert!(matches!(actions[..], [Action::Transmit { .. }]));
}

#[test]
fn a_message_with_descriptors_waits_for_descriptor_credit() {
    let mut link = alone(terms(9, 50, 1), Config::default().limits);
    assert!(matches!(tell(&mut link, Size { bytes: 1, fds: 1 })[..], [Action::Transmit { .. }]));
    assert!(matches!(tell(&mut link, Size { bytes: 1, fds: 1 })[..], [Action::Keep { .. }]));
    let grant = Grant { messages: 0, bytes: 0, fds: 1 };
    let mut actions = Vec::new();
    let credit = Frame::Credit { target: Target { slot: 0, generation: 0 }, grant };
    link.handle(Instant::START, Event::Received(credit), &mut actions);
    assert!(matches!(actions[..], [Action::Transmit { .. }]));
}

#[test]
fn more_asks_than_the_grant_allows_wait() {
    let mut link = alone(terms(9, 1000, 0), Config::default().limits);
    let ask = |link: &mut Link| {
        let ticket = link.vacant_ticket().expect("the table has room");
        let (import, patience) = (ImportId(0), Patience::Wait);
        let (method, size, deadline) = (METHOD, MESSAGE, None);
        let send = Send { ticket, import, method, size, patience, priority: ORDINARY, deadline };
        let mut actions = Vec::new();
        link.handle(Instant::START, Event::Ask(send), &mut actions);
        actions.remove(0)
    };
    assert!(matches!(ask(&mut link), Action::Transmit { .. }));
    assert!(matches!(ask(&mut link), Action::Transmit { .. }));
    assert!(matches!(ask(&mut link), Action::Keep { .. }));
    let mut actions = Vec::new();
    let reply = Frame::Reply { correlation: Ticket::new(0, 1), size: MESSAGE };
    link.handle(Instant::START, Event::Received(reply), &mut actions);
    assert!(matches!(actions[..], [Action::Resolve { .. }, Action::Transmit { .. }]));
}

#[test]
fn different_schemas_refuse_the_link_and_nothing_waits_for_it() {
    let mut pair = Pair::new(Config::default(), 1, FIRST);
    let side = pair.side_mut(Who::Left);
    let mut actions = Vec::new();
    side.link.handle(Instant::START, Event::Linked { generation: 1 }, &mut actions);
    let hello = Hello { version: VERSION, limits: Config::default().limits };
    side.link.handle(Instant::START, Event::Received(Frame::Hello(hello)), &mut actions);
    actions.clear();
    let uses = vec![Method { fingerprint: [8; 16], ..SCHEMA }];
    side.link.handle(Instant::START, Event::Received(Frame::Uses { slot: 0, uses }), &mut actions);
    let refusal = Refusal::Schema { slot: 0, method: SCHEMA.name, fingerprint: [7; 16] };
    assert_eq!(
        actions,
        [
            Action::Send(Frame::Refuse(refusal)),
            Action::Send(Frame::Close(CloseReason::Refused)),
            Action::Refused { refusal, by_peer: false },
            Action::Close { reason: Closed::Refused },
        ]
    );
    assert!(matches!(
        tell(&mut side.link, MESSAGE)[..],
        [Action::Undelivered { reason: NotDelivered::Refused, .. }]
    ));
}

#[test]
fn a_different_method_that_is_named_later_is_refused_alone() {
    let mut pair = opened(1);
    let uses =
        vec![Method { name: MethodName(9), fingerprint: [9; 16] }, Method { fingerprint: [8; 16], ..SCHEMA }];
    let before = pair.ask(Who::Left, 0, None);
    let first = pair.feed(Who::Left, Event::Uses { import: ImportId(0), uses, learnt: false }, None);
    assert!(matches!(first[..], [Action::Send(Frame::Uses { slot: 0, .. })]));
    pair.refuses = true;
    pair.finish();
    assert_eq!(pair.fate(Who::Left).ended[&before], Outcome::Replied);
    let mut actions = Vec::new();
    let link = &mut pair.side_mut(Who::Left).link;
    for (method, reason) in [(1, NotDelivered::NotGranted), (2, NotDelivered::Refused)] {
        let ticket = link.vacant_ticket().unwrap();
        let (import, patience) = (ImportId(0), Patience::Wait);
        let (size, deadline) = (MESSAGE, None);
        let send = Send { ticket, import, method, size, patience, priority: ORDINARY, deadline };
        link.handle(Instant::START, Event::Tell(send), &mut actions);
        assert_eq!(actions.pop(), Some(Action::Undelivered { ticket, reason }));
    }
}

#[test]
fn another_version_is_refused() {
    let mut link = Link::new(Config::default());
    let mut actions = Vec::new();
    link.handle(Instant::START, Event::Linked { generation: 1 }, &mut actions);
    let hello = Hello { version: VERSION + 1, limits: Config::default().limits };
    link.handle(Instant::START, Event::Received(Frame::Hello(hello)), &mut actions);
    let refusal = Refusal::Version { spoken: VERSION };
    assert!(actions.contains(&Action::Refused { refusal, by_peer: false }));
}

#[test]
fn a_watch_on_a_revoked_actor_is_answered_at_once() {
    let mut pair = opened(1);
    pair.watch(Who::Left, 0, 1);
    pair.settle();
    pair.feed(Who::Right, Event::Revoke { slot: 0 }, None);
    pair.feed(
        Who::Right,
        Event::ActorDown { watch: bailiwick_core::link::WatchId(1), cause: Cause(3) },
        None,
    );
    pair.settle();
    assert_eq!(pair.watching(Who::Left), 0);
    pair.watch(Who::Left, 0, 2);
    assert_eq!(pair.watching(Who::Left), 0);
    let number = pair.ask(Who::Left, 0, None);
    assert_eq!(
        pair.fate(Who::Left).ended[&number],
        Outcome::Failed(Failure::NotDelivered(NotDelivered::Gone))
    );
}

#[test]
fn what_races_with_a_revocation_is_not_delivered() {
    let mut pair = opened(1);
    let number = pair.ask(Who::Left, 0, None);
    pair.feed(Who::Right, Event::Revoke { slot: 0 }, None);
    pair.settle();
    assert_eq!(
        pair.fate(Who::Left).ended[&number],
        Outcome::Failed(Failure::NotDelivered(NotDelivered::Gone))
    );
}
