//! A peer that sends anything at any time.

use bailiwick_core::asks::Ticket;
use bailiwick_core::credit::{Grant, Size};
use bailiwick_core::link::{
    Action, Cause, CloseReason, Closed, Config, Event, Export, Failure, Fault, Frame, Hello, Import,
    ImportId, Limits, Link, Method, MethodName, Methods, NotDelivered, Offer, Outcome, Page, Patience, Send,
    Target, Terms, Unknown, VERSION, WatchId,
};
use bailiwick_core::precedence::Priority;
use bailiwick_core::time::Instant;
use proptest::prelude::*;

const LIMITS: Limits = Limits { message_bytes: 100, message_fds: 2, items: 2, watches: 2 };

/// A link with slot 0 in generation 1, method 0 granted, method 1 revoked, method 2 never granted.
fn open(may_accuse: bool) -> Link {
    open_to(may_accuse, false)
}

/// The same, with a mailbox that may be a rendezvous.
fn open_to(may_accuse: bool, rendezvous: bool) -> Link {
    let mut link = Link::new(Config { may_accuse, limits: LIMITS, ..Config::default() });
    let mut actions = Vec::new();
    let method = |name| Method { name: MethodName(name), fingerprint: [0; 16] };
    let export = || {
        let first = Grant { messages: 2, bytes: 150, fds: 2 };
        let methods = vec![method(0), method(1), method(2)];
        Box::new(Export { granted: Methods::first(2), rendezvous, ..Export::plain(methods, first, 1) })
    };
    let entry = Import { slot: 0, generation: None, uses: vec![method(0)], rendezvous: false };
    let grant = Grant { messages: 9, bytes: 900, fds: 9 };
    let terms = Terms::plain(0, grant, 9);
    let methods = vec![(method(0), Some(0))];
    for event in [
        Event::Export { slot: 0, export: export() },
        Event::Revoke { slot: 0 },
        Event::Export { slot: 0, export: export() },
        Event::Import { import: ImportId(0), entry: Box::new(entry) },
        Event::Linked { generation: 1 },
        Event::Received(Frame::Hello(Hello { version: VERSION, limits: LIMITS })),
        Event::Received(Frame::Uses { slot: 0, uses: vec![method(0), method(1)] }),
        Event::Received(Frame::HelloAck),
        Event::Received(Frame::Offer(Offer { slot: 0, terms: Some(terms), methods })),
        Event::RevokeMethod { slot: 0, method: 1 },
    ] {
        link.handle(Instant::START, event, &mut actions);
    }
    assert!(link.is_open(), "{actions:?}");
    link
}

fn feed(link: &mut Link, frame: Frame) -> Vec<Action> {
    let mut actions = Vec::new();
    link.handle(Instant::START, Event::Received(frame), &mut actions);
    actions
}

fn message(slot: u32, generation: u32, method: u16, size: Size) -> Frame {
    Frame::Tell { target: Target { slot, generation }, method, size }
}

const SMALL: Size = Size { bytes: 1, fds: 0 };

#[track_caller]
fn assert_fault(frames: &[Frame], fault: Fault) {
    for may_accuse in [false, true] {
        let mut link = open(may_accuse);
        let (last, before) = frames.split_last().expect("there is a frame");
        for frame in before {
            let actions = feed(&mut link, frame.clone());
            assert!(!actions.iter().any(|action| matches!(action, Action::Close { .. })), "{actions:?}");
        }
        let actions = feed(&mut link, last.clone());
        assert!(actions.contains(&Action::Send(Frame::Close(CloseReason::Protocol))), "{actions:?}");
        assert!(actions.contains(&Action::Close { reason: Closed::Violation(fault) }), "{actions:?}");
        assert_eq!(actions.contains(&Action::Accuse { fault }), may_accuse);
        assert_eq!(
            actions.contains(&Action::AskAnew { fault }),
            !may_accuse,
            "a link is accused of, or asked for anew"
        );
        assert_eq!(feed(&mut link, message(0, 1, 0, SMALL)), [], "nothing is delivered after the end");
    }
}

#[test]
fn violations_close_and_only_the_privileged_side_accuses() {
    let target = |slot, generation| Target { slot, generation };
    let small = |slot, generation, method| message(slot, generation, method, SMALL);
    assert_fault(&[small(1, 0, 0)], Fault::NoSuchSlot { target: target(1, 0) });
    assert_fault(&[small(u32::MAX, 0, 0)], Fault::NoSuchSlot { target: target(u32::MAX, 0) });
    assert_fault(&[small(0, 2, 0)], Fault::NoSuchSlot { target: target(0, 2) });
    assert_fault(&[small(0, 1, 2)], Fault::NeverGranted { target: target(0, 1), method: 2 });
    assert_fault(&[small(0, 1, u16::MAX)], Fault::NeverGranted { target: target(0, 1), method: u16::MAX });
    let large = Size { bytes: 101, fds: 0 };
    assert_fault(&[message(0, 1, 0, large)], Fault::TooLarge { bytes: 101, limit: 100 });
    let many = Size { bytes: 1, fds: 3 };
    assert_fault(&[message(0, 1, 0, many)], Fault::TooManyFds { fds: 3, limit: 2 });
    assert_fault(
        &[small(0, 1, 0), small(0, 1, 0), small(0, 1, 0)],
        Fault::Overspent { target: target(0, 1) },
    );
    let correlation = Ticket::new(5, 0);
    assert_fault(
        &[Frame::Rendezvous { target: target(0, 1), method: 0, size: SMALL, correlation }],
        Fault::NoRendezvous { target: target(0, 1) },
    );
    assert_fault(&[Frame::Reply { correlation, size: SMALL }], Fault::BadCorrelation { correlation });
    assert_fault(&[Frame::HelloAck], Fault::OutOfPlace);
    assert_fault(&[Frame::Ready], Fault::OutOfPlace);
    assert_fault(&[Frame::Heard], Fault::OutOfPlace);
    assert_fault(&[Frame::Unready, Frame::Unready], Fault::OutOfPlace);
    assert_fault(&[Frame::Unready, Frame::Ready, Frame::Ready], Fault::OutOfPlace);
    let uses = vec![Method { name: MethodName(9), fingerprint: [0; 16] }; 129];
    assert_fault(&[Frame::Uses { slot: 0, uses }], Fault::TooManyUses);
    let watch = |id| Frame::Watch { target: target(0, 1), watch: WatchId(id) };
    assert_fault(&[watch(1), watch(1)], Fault::BadWatch);
    assert_fault(&[watch(1), watch(2), watch(3)], Fault::BadWatch);
}

#[test]
fn what_was_true_when_it_was_sent_is_only_not_delivered() {
    let mut link = open(true);
    for (frame, reason) in
        [(message(0, 0, 0, SMALL), NotDelivered::Gone), (message(0, 1, 1, SMALL), NotDelivered::NotGranted)]
    {
        let actions = feed(&mut link, frame);
        assert!(
            matches!(actions[0], Action::DeadLetter { reason: found, .. } if found == reason)
                || matches!(actions[1], Action::DeadLetter { reason: found, .. } if found == reason),
            "{actions:?}"
        );
        assert!(link.is_open());
    }
}

#[test]
fn asks_over_the_limit_come_back_and_too_many_of_them_are_a_violation() {
    let mut link = open(true);
    let ask = |index| Frame::Ask {
        target: Target { slot: 0, generation: 1 },
        method: 0,
        size: SMALL,
        correlation: Ticket::new(index, 0),
        remaining: None,
    };
    assert!(matches!(feed(&mut link, ask(0))[..], [Action::Deliver { .. }]));
    let failure = Failure::NotDelivered(NotDelivered::Full);
    for index in 1..=10 {
        let actions = feed(&mut link, ask(index));
        let correlation = Ticket::new(index, 0);
        assert!(actions.contains(&Action::Send(Frame::Failure { correlation, failure })), "{actions:?}");
        assert!(link.is_open());
    }
    assert!(feed(&mut link, ask(11)).contains(&Action::Accuse { fault: Fault::Quota }));
}

#[test]
fn payloads_that_do_not_decode_are_counted_before_they_are_a_violation() {
    let mut link = open(true);
    let mut actions = Vec::new();
    for second in 0..3u64 {
        for _ in 0..100 {
            let now = Instant::from_nanos(second * 11_000_000_000);
            link.handle(now, Event::Undecodable, &mut actions);
        }
    }
    assert_eq!(actions, []);
    link.handle(Instant::from_nanos(22_000_000_000), Event::Undecodable, &mut actions);
    assert!(actions.contains(&Action::Accuse { fault: Fault::Undecodable }));
}

fn ticket() -> impl Strategy<Value = Ticket> {
    (0..3u16, 0..3u64).prop_map(|(index, epoch)| Ticket::new(index, epoch))
}

fn target() -> impl Strategy<Value = Target> {
    (0..2u32, 0..3u32).prop_map(|(slot, generation)| Target { slot, generation })
}

fn size() -> impl Strategy<Value = Size> {
    (0..120u32, 0..4u16).prop_map(|(bytes, fds)| Size { bytes, fds })
}

fn frame() -> impl Strategy<Value = Frame> {
    let failure = Failure::NotDelivered(NotDelivered::Full);
    prop_oneof![
        4 => (target(), 0..4u16, size()).prop_map(|(target, method, size)| Frame::Tell { target, method, size }),
        4 => (target(), 0..4u16, size(), ticket()).prop_map(|(target, method, size, correlation)| {
            Frame::Ask { target, method, size, correlation, remaining: None }
        }),
        2 => (target(), 0..4u16, size(), ticket()).prop_map(|(target, method, size, correlation)| {
            Frame::Rendezvous { target, method, size, correlation }
        }),
        1 => (ticket(), size()).prop_map(|(correlation, size)| Frame::Reply { correlation, size }),
        1 => ticket().prop_map(move |correlation| Frame::Failure { correlation, failure }),
        1 => (ticket(), size()).prop_map(|(correlation, size)| Frame::Item { correlation, size }),
        1 => ticket().prop_map(|correlation| Frame::Opened { correlation }),
        1 => ticket().prop_map(|correlation| Frame::End { correlation }),
        2 => ticket().prop_map(|correlation| Frame::Cancel { correlation }),
        1 => (ticket(), any::<u32>()).prop_map(|(correlation, items)| Frame::More { correlation, items }),
        1 => (target(), any::<u32>()).prop_map(|(target, n)| Frame::Credit {
            target,
            grant: Grant { messages: n, bytes: n, fds: n as u16 },
        }),
        1 => (target(), 0..4u64).prop_map(|(target, id)| Frame::Watch { target, watch: WatchId(id) }),
        1 => (0..4u64).prop_map(|id| Frame::Unwatch { watch: WatchId(id) }),
        1 => (0..4u64).prop_map(|id| Frame::Down { watch: WatchId(id), cause: Cause(1) }),
        1 => target().prop_map(|target| Frame::Release { target }),
        1 => target().prop_map(|target| Frame::Revoke { target }),
        1 => Just(Frame::Draining),
        1 => Just(Frame::Heard),
        1 => Just(Frame::Unready),
        1 => Just(Frame::Ready),
        1 => Just(Frame::Close(CloseReason::Done)),
        1 => Just(Frame::HelloAck),
        1 => (0..2u32, 0..4u64).prop_map(|(slot, n)| Frame::Uses { slot, uses: vec![Method { name: MethodName(n), fingerprint: [0; 16] }] }),
        1 => (0..2u32, 0..3u32, any::<u32>()).prop_map(|(slot, generation, n)| {
            let grant = Grant { messages: n, bytes: n, fds: n as u16 };
            let terms = Some(Terms::plain(generation, grant, n));
            Frame::Offer(Offer { slot, terms, methods: vec![(Method { name: MethodName(0), fingerprint: [0; 16] }, Some(0))] })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_peer_gets_nothing_delivered_that_it_may_not(
        frames in prop::collection::vec((frame(), any::<bool>()), 0..40),
        rendezvous in any::<bool>(),
    ) {
        let mut link = open_to(true, rendezvous);
        let (mut queued, mut asks, mut open_asks) = (Vec::new(), 0, 0u32);
        let mut closed = false;
        for (frame, act) in frames {
            let mut actions = feed(&mut link, frame.clone());
            if act {
                let ticket = link.vacant_ticket().expect("the table has room");
                let (import, patience, size) = (ImportId(0), Patience::Wait, SMALL);
                let (priority, deadline) = (Priority::Ordinary, None);
                let send = Send { ticket, import, method: 0, size, patience, priority, deadline };
                asks += 1;
                open_asks += 1;
                link.handle(Instant::START, Event::Ask(send), &mut actions);
            }
            for action in actions {
                match action {
                    Action::Deliver { export, method, .. } => {
                        prop_assert!(!closed);
                        prop_assert_eq!((export.target.slot, export.target.generation, method), (0, 1, 0));
                        prop_assert!(rendezvous || !matches!(frame, Frame::Rendezvous { .. }), "it is none");
                        let (Frame::Tell { size, .. }
                        | Frame::Ask { size, .. }
                        | Frame::Rendezvous { size, .. }) = frame
                        else {
                            panic!()
                        };
                        queued.push((export, size));
                        prop_assert!(queued.len() <= 2, "more than was lent lies in the mailbox");
                    }
                    Action::Close { .. } => {
                        prop_assert!(!closed, "closed twice");
                        closed = true;
                        queued.clear();
                    }
                    Action::Send(_) | Action::Transmit { .. } => prop_assert!(!closed),
                    Action::Resolve { .. } => open_asks -= 1,
                    _ => {}
                }
            }
            if act && let Some((export, size)) = queued.pop() {
                link.handle(Instant::START, Event::Taken { export, size }, &mut Vec::new());
            }
        }
        let mut actions = Vec::new();
        link.handle(Instant::START, Event::Close, &mut actions);
        open_asks -= actions.iter().filter(|action| matches!(action, Action::Resolve { .. })).count() as u32;
        prop_assert_eq!((open_asks, link.outstanding()), (0, 0), "of {} asks", asks);
    }
}

proptest! {
    #[test]
    fn d1_whatever_a_dead_peer_has_said_each_of_its_asks_ends_once_and_what_it_opened_was_begun_with(
        words in prop::collection::vec(prop_oneof![0..3u64, any::<u64>()], 0..5),
    ) {
        let mut link = open(false);
        let (mut tickets, mut actions) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let ticket = link.vacant_ticket().expect("the table has room");
            let (import, patience, size) = (ImportId(0), Patience::Wait, SMALL);
            let (priority, deadline) = (Priority::Ordinary, None);
                let send = Send { ticket, import, method: 0, size, patience, priority, deadline };
            link.handle(Instant::START, Event::Ask(send), &mut actions);
            tickets.push(ticket);
        }
        for event in [
            Event::Written { frames: 100 },
            Event::Received(Frame::Opened { correlation: tickets[3] }),
            Event::PeerDied { generation: 1, cause: Cause(9), page: Page::new(words.clone()) },
        ] {
            link.handle(Instant::START, event, &mut actions);
        }
        let has_ended = actions.iter().any(|action| matches!(action, Action::Resolve { .. }));
        prop_assert!(!has_ended, "before everything is read");
        actions.clear();
        link.handle(Instant::START, Event::Emptied, &mut actions);
        for (index, ticket) in tickets.into_iter().enumerate() {
            let excluded = index < 3 && words.get(index) == Some(&0);
            let failure = if excluded {
                Failure::NotDelivered(NotDelivered::PeerDown)
            } else {
                Failure::Unknown(Unknown::PeerDown)
            };
            let outcome = Outcome::Failed(failure);
            let ends = actions.iter().filter(|action| matches!(action, Action::Resolve { ticket: ended, .. } if *ended == ticket));
            prop_assert_eq!(ends.collect::<Vec<_>>(), [&Action::Resolve { ticket, outcome }]);
        }
    }
}
