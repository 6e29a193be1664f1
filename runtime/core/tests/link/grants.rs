//! What bounds a grant: how fast, how often, and for how long.

use std::time::Duration;

use bailiwick_core::credit::{Grant, Ledger, Size};
use bailiwick_core::link::{
    Action, Closed, Config, Event, Export, Fault, Frame, Methods, NotDelivered, Once, Patience, Target,
};
use bailiwick_core::pace::Rate;
use bailiwick_core::time::Instant;
use proptest::prelude::*;

use crate::pair::{MESSAGE, METHOD, Pair, SCHEMA, Who};

const FIRST: Grant = Grant { messages: 16, bytes: 1000, fds: 0 };
const SECOND: Duration = Duration::from_secs(1);

/// What the right side gives.
fn plain() -> Export {
    Export::plain(vec![SCHEMA], FIRST, 4)
}

fn once(once: Once) -> Export {
    Export { once, ..plain() }
}

fn paced(messages: u32) -> Export {
    Export { rate: Some(Rate { messages, period: SECOND }), ..plain() }
}

fn regrant(pair: &mut Pair, slot: u32, export: Export) {
    pair.feed(Who::Right, Event::Regrant { slot, export: Box::new(export) }, None);
}

/// Two workers of which the left may send to the right on these terms.
fn linked(export: Export) -> Pair {
    let mut pair = Pair::new(Config::default(), 1, FIRST);
    regrant(&mut pair, 0, export);
    pair.open();
    pair
}

/// Tells, and returns why not, if it came back at once.
fn tell(pair: &mut Pair) -> Option<NotDelivered> {
    let number = pair.tell(Who::Left, 0, Patience::Wait);
    pair.finish();
    pair.fate(Who::Left).undelivered.get(&number).copied()
}

/// What a sender writes that does not hold to anything.
fn raw(pair: &mut Pair) -> Vec<Action> {
    let target = Target { slot: 0, generation: 0 };
    let mut actions = Vec::new();
    let frame = Frame::Tell { target, method: METHOD, size: MESSAGE };
    pair.side_mut(Who::Right).link.handle(Instant::START, Event::Received(frame), &mut actions);
    actions
}

/// Gives the left side a fresh life, which the right one knows as such.
fn reborn(pair: &mut Pair) {
    pair.crash(Who::Left);
    pair.tell_death(Who::Left);
    pair.empty(Who::Right);
    pair.open();
}

#[test]
fn what_is_granted_once_is_delivered_once_and_a_restart_renews_it_only_where_that_is_meant() {
    for (once_, after_a_restart) in [(Once::Ever, Some(NotDelivered::UsedUp)), (Once::PerLife, None)] {
        let mut pair = linked(once(once_));
        assert_eq!((tell(&mut pair), tell(&mut pair)), (None, Some(NotDelivered::UsedUp)), "{once_:?}");
        // A fresh link to the same life is no fresh life.
        pair.open();
        assert_eq!(tell(&mut pair), Some(NotDelivered::UsedUp), "{once_:?}");
        reborn(&mut pair);
        assert_eq!(tell(&mut pair), after_a_restart, "{once_:?}");
        assert_eq!(tell(&mut pair), Some(NotDelivered::UsedUp), "{once_:?}");
    }
}

#[test]
fn a_use_is_told_where_it_is_to_be_remembered_and_counts_when_it_was_elsewhere() {
    for (once_, told) in [(Once::Ever, 1), (Once::PerLife, 0)] {
        let mut pair = linked(once(once_));
        let used =
            raw(&mut pair).into_iter().filter(|action| matches!(action, Action::Used { slot: 0, method: 0 }));
        assert_eq!(used.count(), told);
    }
    let mut pair = linked(once(Once::Ever));
    pair.feed(Who::Right, Event::Used { slot: 0, method: METHOD }, None);
    assert!(!raw(&mut pair).iter().any(|action| matches!(action, Action::Deliver { .. })));
    let mut pair = linked(Export { used: Methods::NONE.with(METHOD), ..once(Once::Ever) });
    assert_eq!(tell(&mut pair), Some(NotDelivered::UsedUp));
}

#[test]
fn who_uses_again_what_it_may_use_once_gets_nothing_and_is_guilty_after_ten_in_a_minute() {
    let mut pair = linked(once(Once::Ever));
    assert!(raw(&mut pair).iter().any(|action| matches!(action, Action::Deliver { .. })));
    for _ in 0..10 {
        let actions = raw(&mut pair);
        let refused =
            |action: &Action| matches!(action, Action::DeadLetter { reason: NotDelivered::UsedUp, .. });
        assert!(actions.iter().any(refused), "{actions:?}");
    }
    assert!(raw(&mut pair).contains(&Action::Close { reason: Closed::Violation(Fault::Quota) }));
}

#[test]
fn what_comes_too_often_stays_with_the_sender_and_comes_again_with_time() {
    let mut pair = linked(paced(2));
    assert_eq!([(); 3].map(|()| tell(&mut pair)), [None, None, Some(NotDelivered::TooOften)]);
    pair.advance(SECOND / 2 - Duration::from_nanos(1));
    assert_eq!(tell(&mut pair), Some(NotDelivered::TooOften));
    pair.advance(Duration::from_nanos(1));
    assert_eq!([(); 2].map(|()| tell(&mut pair)), [None, Some(NotDelivered::TooOften)]);
    pair.advance(60 * SECOND);
    assert_eq!([(); 3].map(|()| tell(&mut pair)), [None, None, Some(NotDelivered::TooOften)]);
}

#[test]
fn a_sender_that_does_not_hold_to_the_rate_has_no_credit() {
    let mut pair = linked(paced(2));
    for _ in 0..2 {
        assert!(raw(&mut pair).iter().any(|action| matches!(action, Action::Deliver { .. })));
    }
    let target = Target { slot: 0, generation: 0 };
    let fault = Fault::Overspent { target };
    assert!(raw(&mut pair).contains(&Action::Close { reason: Closed::Violation(fault) }));
}

#[test]
fn a_restart_renews_no_rate() {
    let mut pair = linked(paced(2));
    assert_eq!([(); 2].map(|()| tell(&mut pair)), [None; 2]);
    reborn(&mut pair);
    // The fresh life knows what the one before has sent, and waits for nothing that it cannot have.
    assert_eq!(tell(&mut pair), Some(NotDelivered::TooOften));
    assert_eq!(pair.side(Who::Right).link.pays_at(), Some(Instant::START + SECOND / 2));
    pair.advance(SECOND / 2);
    pair.settle();
    assert_eq!([(); 2].map(|()| tell(&mut pair)), [None, Some(NotDelivered::TooOften)]);
    reborn(&mut pair);
    pair.advance(SECOND / 2);
    pair.settle();
    assert_eq!(tell(&mut pair), None);
}

#[test]
fn a_large_rate_is_no_small_credit() {
    let mut pair = linked(paced(1000));
    let told: Vec<_> = (0..500).map(|_| pair.tell(Who::Left, 0, Patience::Wait)).collect();
    let mut came = Vec::new();
    while came.iter().sum::<usize>() < told.len() {
        pair.flush(Who::Left);
        while pair.read(Who::Right) {}
        came.push(pair.side(Who::Right).mailboxes[0].len());
        while pair.take(Who::Right, 0) {}
        pair.flush(Who::Right);
        while pair.read(Who::Left) {}
        assert!(came.len() < 12, "{came:?}");
    }
    // The thousand and first waits for the rate, however much its mailbox would lend.
    for _ in told.len()..1000 {
        assert_eq!(tell(&mut pair), None);
    }
    assert_eq!(tell(&mut pair), Some(NotDelivered::TooOften));
}

#[test]
fn methods_are_told_apart_wherever_their_bits_lie() {
    let numbers = [0, 63, 64, 127, 128, u16::MAX];
    for one in numbers {
        let (only, others) = (Methods::NONE.with(one), Methods::first(Methods::MAX).without(one));
        for other in numbers {
            let exists = other < Methods::MAX;
            assert_eq!(
                (only.has(other), others.has(other)),
                (exists && one == other, exists && one != other)
            );
        }
        assert_eq!(only.union(others), Methods::first(u16::MAX));
        assert_eq!(Methods::from_bits(only.bits()), only);
    }
    assert_eq!([63, 64, 65].map(|count| Methods::first(count).has(63)), [false, true, true]);
    assert_eq!([64, 65, 66].map(|count| Methods::first(count).has(64)), [false, true, true]);
}

#[test]
fn credit_comes_back_by_quarters() {
    for (lent, together) in [(1, 1), (4, 1), (5, 2), (16, 4), (17, 5)] {
        let mut ledger = Ledger::new(Grant { messages: lent, bytes: u32::MAX, fds: 0 });
        let size = Size { bytes: 1, fds: 0 };
        (0..together).for_each(|_| assert!(ledger.receive(size), "there is credit for {lent}"));
        let back = (0..together).filter_map(|_| ledger.take(size)).collect::<Vec<_>>();
        assert_eq!(back, [Grant { messages: together, bytes: together, fds: 0 }], "of {lent}");
    }
}

#[test]
fn what_a_message_with_descriptors_took_is_back_before_the_next_needs_all_of_it() {
    let first = Grant { messages: 16, bytes: 64 << 10, fds: 16 };
    let (mut ledger, one, all) = (Ledger::new(first), Size { bytes: 1, fds: 1 }, Size { bytes: 1, fds: 16 });
    assert!(ledger.receive(one), "there is credit for it");
    assert_eq!(ledger.take(one), Some(Grant::of(one)));
    assert!(ledger.receive(all), "there is credit for as many again");
}

#[test]
fn a_message_that_took_all_bytes_under_a_rate_does_not_hold_its_sender_up_for_ever() {
    // The rate is of as many messages as are lent, so that no more will be.
    let mut pair = linked(Export { first: Grant { bytes: MESSAGE.bytes, ..FIRST }, ..paced(16) });
    let told: Vec<_> = (0..4).map(|_| pair.tell(Who::Left, 0, Patience::Wait)).collect();
    for _ in &told {
        pair.finish();
        pair.advance(SECOND);
    }
    assert!(told.iter().all(|number| pair.fate(Who::Left).started.contains(number)), "each was handled");
}

/// What a sender is given because its rate allows it says nothing of what it has sent before.
#[test]
fn credit_that_is_earned_is_no_word_that_a_tell_was_taken() {
    let mut pair = linked(paced(4));
    assert_eq!([(); 3].map(|()| tell(&mut pair)), [None; 3]);
    reborn(&mut pair);
    pair.tell(Who::Left, 0, Patience::Wait);
    pair.flush(Who::Left);
    assert!(pair.read(Who::Right), "one was left of the rate");
    pair.advance(SECOND);
    for _ in 0..3 {
        pair.flush(Who::Right);
        while pair.read(Who::Left) {}
    }
    // It lies in the mailbox, and its taker dies.
    pair.crash(Who::Right);
    pair.tell_death(Who::Right);
    pair.empty(Who::Left);
    assert_eq!(pair.fate(Who::Left).unknown, 1);
    pair.assert_tells_accounted_for(Who::Left);
}

#[test]
fn what_is_revoked_under_way_comes_back_and_nobody_is_at_fault() {
    let mut pair = linked(plain());
    let raced = pair.tell(Who::Left, 0, Patience::Wait);
    pair.flush(Who::Left);
    regrant(&mut pair, 0, Export { granted: Methods::NONE, ..plain() });
    pair.finish();
    assert_eq!(pair.fate(Who::Left).undelivered[&raced], NotDelivered::NotGranted);
    assert_eq!(tell(&mut pair), Some(NotDelivered::NotGranted));
    assert!(pair.side(Who::Left).link.is_open());
    regrant(&mut pair, 0, plain());
    pair.finish();
    assert_eq!(tell(&mut pair), None);
}

#[test]
fn terms_change_while_the_link_is_in_use() {
    let mut pair = linked(plain());
    assert_eq!(tell(&mut pair), None);
    regrant(&mut pair, 0, paced(1));
    pair.settle();
    assert_eq!([(); 2].map(|()| tell(&mut pair)), [None, Some(NotDelivered::TooOften)]);
    regrant(&mut pair, 0, once(Once::Ever));
    pair.settle();
    assert_eq!([(); 2].map(|()| tell(&mut pair)), [None, Some(NotDelivered::UsedUp)]);
    // Whoever may use it once and has done so may not again because the grant was read again.
    regrant(&mut pair, 0, once(Once::Ever));
    pair.settle();
    assert_eq!(tell(&mut pair), Some(NotDelivered::UsedUp));
    regrant(&mut pair, 0, plain());
    pair.settle();
    for _ in 0..40 {
        assert_eq!(tell(&mut pair), None);
    }
}

#[test]
fn a_slot_that_is_granted_later_works_whoever_hears_of_it_first() {
    for asks_first in [true, false] {
        let mut pair = Pair::new(Config::default(), 1, FIRST);
        pair.open();
        let import = |pair: &mut Pair| {
            let entry = bailiwick_core::link::Import {
                slot: 1,
                generation: None,
                uses: vec![SCHEMA],
                rendezvous: false,
            };
            let event = Event::Import { import: bailiwick_core::link::ImportId(1), entry: Box::new(entry) };
            pair.feed(Who::Left, event, None);
            pair.settle();
        };
        if asks_first {
            import(&mut pair);
        }
        regrant(&mut pair, 1, plain());
        pair.settle();
        if !asks_first {
            import(&mut pair);
        }
        pair.side_mut(Who::Right).mailboxes.push(Default::default());
        let number = pair.tell(Who::Left, 1, Patience::Now);
        pair.settle();
        assert!(pair.take(Who::Right, 1), "message {number}, asked first: {asks_first}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Tell,
    Flush(Who),
    Read(Who),
    Take,
    Wait(u16),
    Regrant(u32),
    Reborn,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || prop_oneof![Just(Who::Left), Just(Who::Right)];
    prop_oneof![
        6 => Just(Step::Tell),
        4 => who().prop_map(Step::Flush),
        6 => who().prop_map(Step::Read),
        4 => Just(Step::Take),
        3 => (0..400u16).prop_map(Step::Wait),
        1 => (0..4u32).prop_map(Step::Regrant),
        1 => Just(Step::Reborn),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// An honest sender that tells as fast as it can is never at fault, whenever what arrives, and whatever its grant
    /// becomes meanwhile; and where the rate stays as it is, no more is delivered than that.
    #[test]
    fn an_honest_sender_is_never_at_fault_for_a_rate(
        messages in 1..4u32,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut pair = linked(paced(messages));
        let stays = !steps.iter().any(|step| matches!(step, Step::Regrant(_)));
        let mut waited = Duration::ZERO;
        for step in steps {
            match step {
                Step::Tell => _ = pair.tell(Who::Left, 0, Patience::Wait),
                Step::Flush(who) => pair.flush(who),
                Step::Read(who) => _ = pair.read(who),
                Step::Take => _ = pair.take(Who::Right, 0),
                Step::Wait(millis) => {
                    waited += Duration::from_millis(millis.into());
                    pair.advance(Duration::from_millis(millis.into()));
                }
                Step::Regrant(0) => regrant(&mut pair, 0, Export { granted: Methods::NONE, ..plain() }),
                Step::Regrant(messages) => regrant(&mut pair, 0, paced(messages)),
                Step::Reborn => reborn(&mut pair),
            }
            let handled = pair.fate(Who::Left).started.len() + pair.side(Who::Right).mailboxes[0].len();
            let most = u128::from(messages) + waited.as_millis() * u128::from(messages) / 1000;
            prop_assert!(!stays || handled as u128 <= most, "{handled} of {most} after {waited:?}");
        }
        // What waits goes on its way once there is time.
        regrant(&mut pair, 0, plain());
        pair.finish();
        pair.advance(4 * SECOND);
        pair.finish();
        prop_assert_eq!(pair.side(Who::Left).keeps(), 0);
    }
}
