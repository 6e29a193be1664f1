//! Arbitrary stories of two honest workers.

use bailiwick_core::credit::Grant;
use proptest::prelude::*;

use crate::pair::Who;
use crate::story::{ACTORS, Step, play, play_mixed, play_rendezvous};

fn step() -> impl Strategy<Value = Step> {
    let who = prop_oneof![Just(Who::Left), Just(Who::Right)];
    let actor = 0..ACTORS;
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
        1 => who.clone().prop_map(Step::Refuse),
        2 => who.clone().prop_map(Step::Unready),
        2 => who.clone().prop_map(Step::Ready),
        1 => who.clone().prop_map(Step::Supersede),
        1 => (who, actor).prop_map(|(w, a)| Step::Watch(w, a)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_ask_ends_once_and_no_credit_is_lost(
        steps in prop::collection::vec(step(), 0..150),
        messages in 1..4u32,
        bytes in 1..400u32,
    ) {
        play(Grant { messages, bytes, fds: 0 }, steps);
    }

    #[test]
    fn messages_of_each_priority_come_in_the_order_sent_and_none_is_lost(
        steps in prop::collection::vec(step(), 0..150),
        messages in 1..4u32,
    ) {
        play_mixed(Grant { messages, bytes: 400, fds: 0 }, steps);
    }

    #[test]
    fn every_tell_to_a_rendezvous_ends_once_and_as_it_truly_did(
        steps in prop::collection::vec(step(), 0..150),
    ) {
        play_rendezvous(steps);
    }
}
