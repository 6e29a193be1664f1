//! Arbitrary steps.

use std::time::Duration;

use bailiwick_core::backoff::Backoff;
use bailiwick_core::credit::{Grant, Size};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::model::{self, Ask, Reopen, Spend};

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        3 => (any::<Option<u8>>(), any::<bool>()).prop_map(|(deadline, queued)| Ask::Claim { deadline, queued }),
        2 => any::<u16>().prop_map(Ask::End),
        1 => any::<u16>().prop_map(Ask::ForgetDeadline),
        2 => Just(Ask::Pop),
    ]
}

fn grant(least: u32) -> impl Strategy<Value = Grant> {
    (least..6, least..400, 0..4u16).prop_map(|(messages, bytes, fds)| Grant { messages, bytes, fds })
}

fn spend() -> impl Strategy<Value = Spend> {
    prop_oneof![
        4 => (0..200u32, 0..3u16).prop_map(|(bytes, fds)| Spend::Send(Size { bytes, fds })),
        4 => Just(Spend::Arrive),
        4 => Just(Spend::Take),
        4 => Just(Spend::Learn),
        1 => grant(0).prop_map(Spend::Lend),
    ]
}

fn reopen() -> impl Strategy<Value = Reopen> {
    prop_oneof![
        6 => any::<(u8, u8, u32)>().prop_map(|(by, peer, chance)| Reopen::Asked { by, peer, chance }),
        1 => any::<u8>().prop_map(Reopen::Ended),
        2 => (0..100_000u64).prop_map(|ms| Reopen::Pass(Duration::from_millis(ms))),
        4 => Just(Reopen::ToDeadline),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_of_sends_agrees_with_a_map_and_a_list(steps in vec(ask(), 0..200)) {
        model::asks(steps);
    }

    #[test]
    fn credit_is_neither_made_nor_lost(first in grant(1), steps in vec(spend(), 0..200)) {
        model::credit(first, steps);
    }

    #[test]
    fn a_budget_agrees_with_counting(max in 0..5u32, gaps in vec(0..700u64, 0..60)) {
        model::budget(max, Duration::from_secs(1), gaps.into_iter().map(Duration::from_millis));
    }

    #[test]
    fn a_pause_stays_within_cap_and_jitter(
        base in any::<u64>(), cap in any::<u64>(), factor_permille in any::<u32>(), jitter_permille in 0..2000u32,
        failures in 0..80u32, chance in any::<u32>(),
    ) {
        let (base, cap) = (Duration::from_nanos(base), Duration::from_nanos(cap));
        let terms = Backoff { first: base, base, factor_permille, cap, jitter_permille };
        model::backoff(terms, failures, chance);
    }

    #[test]
    fn links_are_made_anew_as_announced(steps in vec(reopen(), 0..200)) {
        model::reopening(steps);
    }
}
