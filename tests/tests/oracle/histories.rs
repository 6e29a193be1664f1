//! Where ours is OTP's: strategies, restart types, budgets, nesting, the end of significant children.

use bailiwick_core::tree::{AutoShutdown, Restart, Strategy};
use proptest::prelude::{Just, Strategy as Generator, any, prop_oneof};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::assert_equal;
use crate::history::{Group, History, Member, Step};

const NAMES: [char; 4] = ['a', 'b', 'c', 'd'];
const RANDOM: usize = 3000;
const SERIAL: [Strategy; 2] = [Strategy::RestForOne, Strategy::OneForAll];

fn permanent(names: &[char]) -> Vec<Member> {
    names.iter().map(|name| Member::child(*name, Restart::Permanent)).collect()
}

/// Draws histories; the same ones in every run, so that a failure can be looked into.
fn drawn(count: usize, histories: impl Generator<Value = History>) -> Vec<History> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| histories.new_tree(&mut runner).expect("nothing is filtered").current()).collect()
}

fn restart() -> impl Generator<Value = Restart> {
    prop_oneof![2 => Just(Restart::Permanent), 1 => Just(Restart::Transient), 1 => Just(Restart::Temporary)]
}

fn strategy() -> impl Generator<Value = Strategy> {
    prop_oneof![Just(Strategy::OneForOne), Just(Strategy::RestForOne), Just(Strategy::OneForAll)]
}

/// Children that crash or end.
fn ends(names: &'static [char]) -> impl Generator<Value = Vec<Step>> {
    let name = || proptest::sample::select(names);
    let some = prop_oneof![5 => name().prop_map(Step::Crash), 2 => name().prop_map(Step::Leave)];
    proptest::collection::vec(some, 0..8)
}

/// The same, and starts that fail while others end.
fn ends_and_failing_starts(names: &'static [char]) -> impl Generator<Value = Vec<Step>> {
    let name = || proptest::sample::select(names);
    let failing = (name(), 1u32..3, name()).prop_map(|(fails, times, ends)| {
        vec![Step::Fail(fails, times), Step::Crash(ends), Step::Fail(fails, 0)]
    });
    let some = prop_oneof![3 => ends(names), 1 => failing];
    proptest::collection::vec(some, 0..3).prop_map(|steps| steps.concat())
}

#[test]
fn the_strategies_restart_the_same_children_in_the_same_order() {
    let all = SERIAL.into_iter().chain([Strategy::OneForOne]);
    let each = |strategy: Strategy| {
        NAMES.map(|name| History {
            group: Group::of(strategy, 9, permanent(&NAMES)),
            steps: vec![Step::Crash(name), Step::Leave(name)],
        })
    };
    assert_equal(&all.flat_map(each).collect::<Vec<_>>());
}

#[test]
fn a_budget_is_spent_with_the_same_failure() {
    let histories: Vec<_> = (0..5)
        .map(|max| History {
            group: Group::of(Strategy::OneForOne, max, permanent(&NAMES)),
            steps: NAMES.into_iter().chain(NAMES).map(Step::Crash).collect(),
        })
        .collect();
    assert_equal(&histories);
}

#[test]
fn any_history_of_a_flat_group_is_the_same() {
    let child = |name: char| restart().prop_map(move |restart| Member::child(name, restart));
    let group = (strategy(), 0u32..5, NAMES.map(child))
        .prop_map(|(strategy, max, members)| Group::of(strategy, max, members.into()));
    let history =
        (group, ends_and_failing_starts(&NAMES)).prop_map(|(group, steps)| History { group, steps });
    assert_equal(&drawn(RANDOM, history));
}

#[test]
fn any_history_of_a_group_within_a_group_is_the_same() {
    const INNER: [char; 2] = ['x', 'y'];
    const ALL: &[char] = &['a', 'x', 'y', 'd'];
    let inner = (strategy(), 0u32..3)
        .prop_map(|(strategy, max)| Member::Group('g', Group::of(strategy, max, permanent(&INNER))));
    let group = (strategy(), 0u32..4, inner).prop_map(|(strategy, max, inner)| {
        let members = permanent(&['a']).into_iter().chain([inner]).chain(permanent(&['d'])).collect();
        Group::of(strategy, max, members)
    });
    let history = (group, ends(ALL)).prop_map(|(group, steps)| History { group, steps });
    assert_equal(&drawn(RANDOM, history));
}

#[test]
fn significant_children_end_their_group_alike() {
    let child = |name: char| {
        (prop_oneof![Just(Restart::Transient), Just(Restart::Temporary)], any::<bool>())
            .prop_map(move |(restart, significant)| Member::Child { name, restart, significant })
    };
    let when = prop_oneof![Just(AutoShutdown::AnySignificant), Just(AutoShutdown::AllSignificant)];
    let group = (strategy(), 0u32..4, when, NAMES.map(child)).prop_map(|(strategy, max, when, members)| {
        Group { auto_shutdown: when, ..Group::of(strategy, max, members.into()) }
    });
    let history =
        (group, ends_and_failing_starts(&NAMES)).prop_map(|(group, steps)| History { group, steps });
    assert_equal(&drawn(RANDOM, history));
}

#[test]
fn an_operators_stop_and_start_are_the_same() {
    let bounce = |name: char| [Step::Stop(name), Step::Start(name), Step::Crash(name)];
    let histories: Vec<_> = [Strategy::OneForOne, Strategy::RestForOne, Strategy::OneForAll]
        .into_iter()
        .map(|strategy| History {
            group: Group::of(strategy, 9, permanent(&NAMES)),
            steps: NAMES.into_iter().flat_map(bounce).collect(),
        })
        .collect();
    assert_equal(&histories);
}
