//! Random walks: any events in any order, also such as no driver would tell.

use std::env;
use std::time::Duration;

use bailiwick_core::backoff::Backoff;
use bailiwick_core::exit::Exit;
use bailiwick_core::tree::{
    AutoShutdown, ChildConfig, ChildId, Config, GroupConfig, GroupId, Kind, OnExhausted, Restart, Strategy,
    Tree, Verb,
};
use proptest::prelude::{
    BoxedStrategy, Just, ProptestConfig, Strategy as Generator, any, prop_oneof, proptest,
};

use crate::steps::{SPARE, Step, What, walk};

const CHILDREN: u16 = 4;

fn what() -> impl Generator<Value = What> {
    let exit = prop_oneof![
        prop_oneof![Just(0), Just(1), Just(75), Just(78), any::<u8>()].prop_map(Exit::Code),
        prop_oneof![Just(9), Just(15), Just(11), Just(31)].prop_map(Exit::Signal),
        Just(Exit::OutOfMemory),
    ];
    prop_oneof![
        3 => Just(What::Spawned),
        2 => Just(What::Standing),
        1 => Just(What::SpawnFailed),
        4 => Just(What::Ready),
        1 => Just(What::Unready),
        2 => Just(What::Drained),
        1 => Just(What::Violated),
        1 => Just(What::Reloading),
        1 => Just(What::Declined),
        1 => Just(What::Refused),
        1 => (0u64..5000).prop_map(What::Extend),
        1 => Just(What::Settled),
        1 => Just(What::Hung),
        1 => Just(What::Skipped),
        1 => Just(What::Spent),
        1 => Just(What::Idle),
        1 => Just(What::Wanted),
        1 => Just(What::Sigstopped),
        1 => Just(What::Continued),
        2 => (proptest::option::of(0u64..3000), proptest::bool::weighted(0.2)).prop_map(|(ms, traced)| {
            What::Looked(ms, traced)
        }),
        5 => exit.prop_map(What::Exited),
        7 => any::<u32>().prop_map(What::Emptied),
    ]
}

fn step() -> impl Generator<Value = Step> {
    let verb = prop_oneof![
        3 => prop_oneof![2 => Just(Verb::Start), 1 => Just(Verb::Join)],
        2 => Just(Verb::Stop),
        2 => Just(Verb::Restart),
        4 => Just(Verb::Roll),
        1 => Just(Verb::Reload),
        1 => Just(Verb::Renew),
        1 => Just(Verb::Drain),
        1 => Just(Verb::Kill),
        1 => Just(Verb::Reset),
        1 => Just(Verb::Remove),
    ];
    let earlier = prop_oneof![9 => Just(0u32), 1 => 1u32..3, 4 => Just(SPARE)];
    prop_oneof![
        80 => (0..CHILDREN + 1, earlier, what())
            .prop_map(|(child, earlier, what)| Step::About { child, earlier, what }),
        8 => (verb, 0..CHILDREN + 1).prop_map(|(verb, child)| Step::Operator(verb, child)),
        4 => (0u16..5, 0u16..5).prop_map(|(group, size)| Step::Scale(group, size)),
        2 => Just(Step::Adopt),
        2 => Just(Step::Boot),
        1 => Just(Step::ShutDown),
        1 => Just(Step::Kill),
        8 => (0u64..4000).prop_map(Step::Pass),
        8 => Just(Step::ToDeadline),
    ]
}

fn timeout() -> impl Generator<Value = Duration> {
    prop_oneof![
        1 => Just(Duration::ZERO),
        6 => (1u64..3000).prop_map(Duration::from_millis),
        1 => Just(Duration::MAX),
    ]
}

fn child(id: u16) -> BoxedStrategy<ChildConfig> {
    let kind = prop_oneof![8 => Just(Kind::Resident), 3 => Just(Kind::Oneshot), 1 => Just(Kind::Main)];
    let restart = prop_oneof![Just(Restart::Permanent), Just(Restart::Transient), Just(Restart::Temporary)];
    let needs = || proptest::collection::vec((0..id.max(1)).prop_map(ChildId), 0..=usize::from(id.min(2)));
    let backoff = (timeout(), timeout(), 0u32..3000, timeout(), 0u32..1001);
    (
        (0u16..3, kind, restart, proptest::bool::weighted(0.15), any::<bool>(), [needs(), needs(), needs()]),
        backoff,
        (
            [timeout(), timeout(), timeout(), timeout(), timeout(), timeout(), timeout(), timeout()],
            any::<bool>(),
            [proptest::bool::weighted(0.2), proptest::bool::weighted(0.4)],
            timeout(),
        ),
    )
        .prop_map(|((group, kind, restart, essential, significant, precedents), backoff, timeouts)| {
            let [needs, wants, after] = precedents;
            let (first, base, factor_permille, cap, jitter_permille) = backoff;
            let (timeouts, ignore_sigstop, [on_demand, spare], max_age) = timeouts;
            let [start_timeout, stop_timeout, drain_timeout, stable_after, ..] = timeouts;
            let [.., abort_timeout, reload_timeout, stuck_after, liveness_timeout] = timeouts;
            ChildConfig {
                group: GroupId(group),
                kind,
                restart,
                essential,
                significant: significant && (kind != Kind::Resident || restart != Restart::Permanent),
                needs,
                wants,
                after,
                backoff: Backoff { first, base, factor_permille, cap, jitter_permille },
                start_timeout,
                stop_timeout,
                drain_timeout,
                stable_after,
                abort_timeout,
                reload_timeout,
                stuck_after,
                liveness_timeout,
                max_offences: 1,
                offence_period: stable_after,
                ignore_sigstop,
                on_demand,
                disposable: true,
                spare,
                max_age,
                ..ChildConfig::default()
            }
        })
        .boxed()
}

fn group(parent: Option<GroupId>) -> BoxedStrategy<GroupConfig> {
    let on_exhausted =
        prop_oneof![Just(OnExhausted::CoolDown), Just(OnExhausted::Fail), Just(OnExhausted::Escalate)];
    let strategy = prop_oneof![
        3 => Just(Strategy::OneForOne),
        3 => Just(Strategy::RestForOne),
        3 => Just(Strategy::OneForAll),
        1 => Just(Strategy::Pool),
    ];
    let auto_shutdown = prop_oneof![Just(AutoShutdown::AnySignificant), Just(AutoShutdown::AllSignificant)];
    (strategy, 0u16..4, 0u32..4, 1u64..5000, on_exhausted, auto_shutdown, any::<bool>())
        .prop_map(move |(strategy, size, max_restarts, period, on_exhausted, auto_shutdown, significant)| {
            GroupConfig {
                parent,
                strategy,
                size,
                max_restarts,
                period: Duration::from_millis(period),
                on_exhausted,
                auto_shutdown,
                significant: significant && parent.is_some(),
            }
        })
        .boxed()
}

fn config() -> impl Generator<Value = Config> {
    let groups = (group(None), group(Some(GroupId(0))), group(Some(GroupId(1))));
    let total = prop_oneof![Just(Duration::ZERO), (1u64..10_000).prop_map(Duration::from_millis)];
    let any = ((child(0), child(1), child(2), child(3)), groups, total).prop_map(
        |((a, b, c, d), (root, inner, innermost), shutdown_timeout)| Config {
            children: vec![a, b, c, d],
            groups: vec![root, inner, innermost],
            shutdown_timeout,
            look_every: Duration::from_millis(700),
        },
    );
    any.prop_filter("there is an order, and no group in a pool", |config| Tree::new(config.clone()).is_ok())
}

/// How many walks: few enough for every run of the tests. `WALKS=1000000 cargo test --release -p bailiwick-core --test
/// supervision walks` takes a million.
fn walks() -> u32 {
    env::var("WALKS").map_or(1000, |walks| walks.parse().expect("WALKS is a number"))
}

proptest! {
    // Not every configuration that is drawn has an order; about every third has none.
    #![proptest_config(ProptestConfig {
        cases: walks(),
        max_local_rejects: walks().saturating_mul(10),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_sequence_of_events_breaks_an_invariant(
        config in config(),
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        walk(config, steps);
    }
}
