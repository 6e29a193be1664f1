//! Arbitrary sequences of events between two honest machines. The simulation asserts as it goes; here stands
//! what must hold at the end.

use std::time::Duration;

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{Config, Event, Patience};
use proptest::prelude::*;

use crate::pair::{Pair, Who};

#[derive(Clone, Copy, Debug)]
enum Step {
    Tell(Who, u32, bool),
    Ask(Who, u32, Option<u8>),
    Cancel(Who, u8),
    Flush(Who),
    Read(Who),
    Take(Who, u32),
    Reply(Who),
    Advance(u8),
    Crash { dead: Who, told_at_once: bool },
    Lose,
    Drain(Who),
    Watch(Who, u32),
}

fn step() -> impl Strategy<Value = Step> {
    let who = prop_oneof![Just(Who::Left), Just(Who::Right)];
    let actor = 0..2u32;
    prop_oneof![
        4 => (who.clone(), actor.clone(), any::<bool>()).prop_map(|(w, a, p)| Step::Tell(w, a, p)),
        6 => (who.clone(), actor.clone(), any::<Option<u8>>()).prop_map(|(w, a, d)| Step::Ask(w, a, d)),
        1 => (who.clone(), any::<u8>()).prop_map(|(w, n)| Step::Cancel(w, n)),
        8 => who.clone().prop_map(Step::Flush),
        12 => who.clone().prop_map(Step::Read),
        6 => (who.clone(), actor.clone()).prop_map(|(w, a)| Step::Take(w, a)),
        6 => who.clone().prop_map(Step::Reply),
        1 => any::<u8>().prop_map(Step::Advance),
        1 => (who.clone(), any::<bool>()).prop_map(|(dead, told_at_once)| Step::Crash { dead, told_at_once }),
        1 => Just(Step::Lose),
        1 => who.clone().prop_map(Step::Drain),
        1 => (who, actor).prop_map(|(w, a)| Step::Watch(w, a)),
    ]
}

fn perform(pair: &mut Pair, step: Step, watches: &mut u64) {
    match step {
        Step::Tell(who, to, wait) => {
            pair.tell(who, to, if wait { Patience::Wait } else { Patience::Now });
        }
        Step::Ask(who, to, within) => {
            pair.ask(who, to, within.map(|nanos| Duration::from_nanos(nanos.into())));
        }
        Step::Cancel(who, n) => {
            let sent = pair.fate(who).sent;
            if sent > 0 {
                pair.cancel(who, sent - 1 - u32::from(n) % sent);
            }
        }
        Step::Flush(who) => pair.flush(who),
        Step::Read(who) => {
            pair.read(who);
        }
        Step::Take(who, slot) => {
            pair.take(who, slot);
        }
        Step::Reply(who) => {
            pair.reply(who);
        }
        Step::Advance(nanos) => pair.advance(Duration::from_nanos(nanos.into())),
        Step::Crash { dead, told_at_once } => {
            let survivor = dead.other();
            pair.crash(dead);
            if told_at_once {
                pair.tell_death(dead);
                pair.ask(survivor, 0, None);
                pair.empty(survivor);
            } else {
                // End of file comes first, and the word of the supervisor later.
                while pair.read(survivor) {}
                pair.feed(survivor, Event::Lost, None);
                pair.tell(survivor, 1, Patience::Wait);
                pair.tell_death(dead);
            }
            pair.link();
        }
        Step::Lose => {
            for who in [Who::Left, Who::Right] {
                pair.feed(who, Event::Lost, None);
            }
            pair.link();
        }
        Step::Drain(who) => {
            pair.feed(who, Event::Drain, None);
        }
        Step::Watch(who, to) => {
            *watches += 1;
            pair.watch(who, to, *watches);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_ask_ends_once_and_no_credit_is_lost(
        steps in prop::collection::vec(step(), 0..150),
        messages in 1..4u32,
        bytes in 1..400u32,
    ) {
        let first = Grant { messages, bytes, fds: 0 };
        let mut pair = Pair::new(Config::default(), 2, first);
        pair.open();
        let mut watches = 0;
        for step in steps {
            perform(&mut pair, step, &mut watches);
        }
        pair.finish();
        // A fresh incarnation of both lets go of everything that waited for a draining peer.
        for dead in [Who::Right, Who::Left] {
            pair.crash(dead);
            pair.tell_death(dead);
            pair.empty(dead.other());
            pair.open();
            pair.finish();
            pair.assert_all_ended(dead.other());
            pair.assert_tells_accounted_for(dead.other());
            prop_assert_eq!(pair.side(dead.other()).keeps(), 0, "credit was lost: sends wait for ever");
        }
        let (fate, side) = (pair.fate(Who::Left), pair.side(Who::Left));
        prop_assert!(side.downs.is_empty(), "the last incarnation saw nobody die");
        prop_assert!(fate.ended.len() + fate.cancelled.len() <= fate.sent as usize);
    }
}
