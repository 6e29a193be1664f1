//! Exhaustive exploration: from every state that can be reached, every event; each new state once.
//!
//! Two states are the same if they are the same up to a shift in time, so the number of states is finite and the
//! search ends. The invariants are checked on each transition, and from every state an ordered stop is asked for
//! and must end although nothing answers.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bailiwick_core::backoff::Backoff;
use bailiwick_core::exit::Exit;
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{
    AutoShutdown, ChildConfig, ChildId, Config, Event, GroupConfig, GroupId, Kind, OnExhausted, Restart,
    Strategy, Verb,
};

use crate::observer::Observed;

const SECOND: Duration = Duration::from_secs(1);

/// Whole seconds everywhere, so that few offsets occur.
fn child() -> ChildConfig {
    ChildConfig {
        backoff: Backoff {
            first: Duration::ZERO,
            base: SECOND,
            factor_permille: 2000,
            cap: 2 * SECOND,
            jitter_permille: 0,
        },
        start_timeout: SECOND,
        stop_timeout: SECOND,
        drain_timeout: SECOND,
        stable_after: SECOND,
        // Offences are forgotten at once: their times would make as many states as there are seconds in their window.
        offence_period: Duration::ZERO,
        ..ChildConfig::default()
    }
}

fn group(on_exhausted: OnExhausted) -> GroupConfig {
    GroupConfig { max_restarts: 1, period: 2 * SECOND, on_exhausted, ..GroupConfig::default() }
}

/// Every event about one child's present life; an exit at every point, of every kind that is told apart.
fn events_about(world: &Observed, child: u16, exits: &[Exit]) -> Vec<Event> {
    let of = world.life(child);
    let mut events = vec![
        Event::Spawned(of),
        Event::SpawnFailed { of, step: 1, errno: 2, chance: 0 },
        Event::Ready(of),
        Event::Unready(of),
        Event::Drained(of),
        Event::Violated(of),
        Event::Emptied { of, chance: 0 },
    ];
    events.extend(exits.iter().map(|exit| Event::Exited { of, exit: *exit }));
    for verb in [Verb::Start, Verb::Stop, Verb::Restart] {
        events.push(Event::Operator { verb, child: ChildId(child) });
    }
    events
}

/// Explores every history of up to `longest` events and returns the numbers of states and of transitions.
fn explore(config: Config, exits: &[Exit], longest: u32) -> (usize, usize) {
    explore_with(config, longest, |world| {
        let children = (0..).take(world.tree.children().len());
        children.flat_map(|child| events_about(world, child, exits)).chain([Event::Kill]).collect()
    })
}

/// Does so with the events that `possible` tells of a state, and with an ordered stop and time.
fn explore_with(config: Config, longest: u32, possible: impl Fn(&Observed) -> Vec<Event>) -> (usize, usize) {
    let mut start = Observed::new(config);
    start.tell(Event::Boot);
    explore_from(start, longest, possible)
}

/// Does so from a state.
fn explore_from(start: Observed, longest: u32, possible: impl Fn(&Observed) -> Vec<Event>) -> (usize, usize) {
    let mut seen = HashSet::from([fingerprint(&start)]);
    let mut open = VecDeque::from([(start, 0)]);
    let mut transitions = 0;
    while let Some((world, length)) = open.pop_front() {
        if length == longest {
            continue;
        }
        let mut next: Vec<_> = possible(&world)
            .into_iter()
            .chain([Event::ShutDown])
            .map(|event| {
                let mut next = world.clone();
                next.tell(event);
                next
            })
            .collect();
        // In time, and so late that the supervisor must doubt itself.
        for lag in [Duration::ZERO, 2 * SECOND] {
            let mut later = world.clone();
            if later.tick_late(lag) {
                next.push(later);
            }
        }
        transitions += next.len();
        for next in next {
            if !next.has_left() && seen.insert(fingerprint(&next)) {
                next.clone().check_that_a_stop_ends();
                next.clone().check_that_it_settles();
                open.push_back((next, length + 1));
            }
        }
    }
    (seen.len(), transitions)
}

/// 128 bits stand for a state; that two of a million collide has a chance of one in 10^26.
fn fingerprint(world: &Observed) -> (u64, u64) {
    let key = world.key();
    let (mut left, mut right) = (DefaultHasher::new(), DefaultHasher::new());
    key.hash(&mut left);
    (key, 0u8).hash(&mut right);
    (left.finish(), right.finish())
}

const ALL_EXITS: [Exit; 6] =
    [Exit::Code(0), Exit::Code(1), Exit::Code(75), Exit::Code(78), Exit::Signal(9), Exit::Signal(15)];

/// Every history, however long. 37,801 states and 755,320 transitions for a permanent worker that cools down;
/// 21,766 and 434,822 for a transient one whose spent budget stops everything.
#[test]
fn one_worker_keeps_the_invariants_in_every_state() {
    let found = [
        (Restart::Permanent, OnExhausted::CoolDown, (37_801, 755_320)),
        (Restart::Transient, OnExhausted::Escalate, (21_766, 434_822)),
    ];
    for (restart, on_exhausted, size) in found {
        let config = Config {
            groups: vec![group(on_exhausted)],
            children: vec![ChildConfig { restart, ..child() }],
            shutdown_timeout: 4 * SECOND,
            ..Config::default()
        };
        assert_eq!(explore(config, &ALL_EXITS, u32::MAX), size, "{restart:?} {on_exhausted:?}");
    }
}

/// Time enters only by SIGKILL's grace and the ordered stop; what time does to one child is explored above.
fn timeless() -> ChildConfig {
    ChildConfig {
        backoff: Backoff { cap: Duration::ZERO, ..child().backoff },
        start_timeout: Duration::MAX,
        stop_timeout: Duration::MAX,
        drain_timeout: Duration::MAX,
        stable_after: Duration::ZERO,
        ..child()
    }
}

/// Every history of up to seven events after the boot: 23,438 states and 244,062 transitions where a resident
/// worker is needed, 8,701 and 87,780 where a oneshot is.
#[test]
fn two_workers_of_which_one_needs_the_other_keep_the_invariants_in_every_state() {
    for (kind, exit, size) in
        [(Kind::Resident, Exit::Code(1), (23_438, 244_062)), (Kind::Oneshot, Exit::Code(0), (8_701, 87_780))]
    {
        let needed = ChildConfig { kind, ..timeless() };
        let needing = ChildConfig { needs: vec![ChildId(0)], ..timeless() };
        let config = Config {
            groups: vec![GroupConfig { period: Duration::MAX, ..group(OnExhausted::Fail) }],
            children: vec![needed, needing],
            shutdown_timeout: SECOND,
            ..Config::default()
        };
        assert_eq!(explore(config, &[exit], 7), size, "{kind:?}");
    }
}

/// What can happen to a few workers that live by the rules: what the process does, and what operators want.
fn happenings(world: &Observed) -> Vec<Event> {
    let children = (0..).take(world.tree.children().len());
    let about = |child: u16| {
        let of = world.life(child);
        let operator = |verb| Event::Operator { verb, child: ChildId(child) };
        [
            Event::Ready(of),
            Event::SpawnFailed { of, step: 1, errno: 2, chance: 0 },
            Event::Drained(of),
            Event::Exited { of, exit: Exit::Code(0) },
            Event::Exited { of, exit: Exit::Code(1) },
            Event::Emptied { of, chance: 0 },
            operator(Verb::Start),
            operator(Verb::Stop),
            operator(Verb::Restart),
        ]
    };
    children.flat_map(about).collect()
}

fn within(strategy: Strategy, parent: Option<GroupId>, max_restarts: u32) -> GroupConfig {
    let group = group(OnExhausted::Escalate);
    GroupConfig { parent, strategy, max_restarts, period: Duration::MAX, ..group }
}

fn small(groups: Vec<GroupConfig>, children: Vec<ChildConfig>) -> Config {
    Config { groups, children, shutdown_timeout: SECOND, ..Config::default() }
}

/// Every history of up to seven events.
#[test]
fn two_workers_in_rest_for_one_keep_the_invariants_in_every_state() {
    let config = small(vec![within(Strategy::RestForOne, None, 1)], vec![timeless(); 2]);
    assert_eq!(explore_with(config, 7, happenings), (32_915, 299_667));
}

/// Every history of up to six events.
#[test]
fn three_workers_in_one_for_all_keep_the_invariants_in_every_state() {
    let config = small(vec![within(Strategy::OneForAll, None, 1)], vec![timeless(); 3]);
    assert_eq!(explore_with(config, 6, happenings), (45_344, 329_570));
}

/// Every history of up to five events.
#[test]
fn a_nested_group_keeps_the_invariants_in_every_state() {
    let inner = ChildConfig { group: GroupId(1), ..timeless() };
    for (strategy, size) in
        [(Strategy::OneForOne, (26_282, 168_998)), (Strategy::OneForAll, (11_316, 69_944))]
    {
        let groups = vec![within(strategy, None, 1), within(Strategy::RestForOne, Some(GroupId(0)), 0)];
        let config = small(groups, vec![timeless(), inner.clone(), inner.clone()]);
        assert_eq!(explore_with(config, 5, happenings), size, "{strategy:?}");
    }
}

/// Every history of up to six events.
#[test]
fn a_pool_of_two_keeps_the_invariants_in_every_state() {
    let pool = GroupConfig { size: 1, ..within(Strategy::Pool, Some(GroupId(0)), 1) };
    let place = ChildConfig { group: GroupId(1), ..timeless() };
    let config = small(vec![within(Strategy::OneForOne, None, 0), pool], vec![place; 2]);
    let found = explore_with(config, 6, |world| {
        let scales = (0..=3).map(|size| Event::Scale { group: GroupId(1), size });
        happenings(world).into_iter().chain(scales).collect()
    });
    assert_eq!(found, (15_027, 121_229));
}

/// Every history of up to five events.
#[test]
fn significant_workers_keep_the_invariants_in_every_state() {
    let work =
        ChildConfig { group: GroupId(1), restart: Restart::Transient, significant: true, ..timeless() };
    let help = ChildConfig { group: GroupId(1), ..timeless() };
    let inner = GroupConfig {
        auto_shutdown: AutoShutdown::AllSignificant,
        ..within(Strategy::OneForAll, Some(GroupId(0)), 1)
    };
    let config = small(vec![within(Strategy::OneForOne, None, 0), inner], vec![work.clone(), work, help]);
    assert_eq!(explore_with(config, 5, happenings), (11_179, 68_570));
}

/// Every history of up to seven events of what makes a life doubtful: a signal that stops it, a poll that lasts, a debugger, a
/// reload, and a supervisor that does not run in time.
#[test]
fn a_watched_worker_keeps_the_invariants_in_every_state() {
    let watched = ChildConfig {
        abort_timeout: SECOND,
        reload_timeout: SECOND,
        stuck_after: SECOND,
        liveness_timeout: 2 * SECOND,
        backoff: Backoff { cap: Duration::ZERO, ..child().backoff },
        stable_after: Duration::ZERO,
        ..child()
    };
    let group = GroupConfig { max_restarts: u32::MAX, period: Duration::ZERO, ..group(OnExhausted::Fail) };
    let found = explore_with(small(vec![group], vec![watched]), 7, |world| {
        let of = world.life(0);
        let polls = [None, Some(Instant::START), Some(world.now)];
        let looked = polls
            .into_iter()
            .flat_map(|busy_since| [false, true].map(|traced| Event::Looked { of, busy_since, traced }));
        let others = [
            Event::Ready(of),
            Event::Exited { of, exit: Exit::Signal(6) },
            Event::Emptied { of, chance: 0 },
            Event::Sigstopped(of),
            Event::Continued(of),
            Event::Declined(of),
            Event::Refused(of),
            Event::Unready(of),
            Event::Extend { of, by: SECOND },
            Event::Operator { verb: Verb::Reload, child: ChildId(0) },
            Event::Operator { verb: Verb::Renew, child: ChildId(0) },
            Event::Operator { verb: Verb::Restart, child: ChildId(0) },
        ];
        looked.chain(others).collect()
    });
    assert_eq!(found, (22_171, 213_213));
}

/// Every history of up to five events of three workers that are ready: each gets ready, exits, crashes, hangs, is
/// stopped, restarted and reloaded at every point.
fn explore_three_ready(strategy: Strategy) -> (usize, usize) {
    let watched = ChildConfig {
        abort_timeout: Duration::MAX,
        reload_timeout: Duration::MAX,
        liveness_timeout: SECOND,
        ..timeless()
    };
    let mut world = Observed::new(small(vec![within(strategy, None, 2)], vec![watched; 3]));
    world.tell(Event::Boot);
    for child in 0..3 {
        world.tell(Event::Ready(world.life(child)));
    }
    explore_from(world, 5, |world| {
        let about = |child: u16| {
            let of = world.life(child);
            let operator = |verb| Event::Operator { verb, child: ChildId(child) };
            [
                Event::Ready(of),
                Event::Exited { of, exit: Exit::Code(0) },
                Event::Exited { of, exit: Exit::Signal(9) },
                Event::Emptied { of, chance: 0 },
                // It hangs, with the time that passes besides.
                Event::Looked { of, busy_since: Some(Instant::START), traced: false },
                operator(Verb::Stop),
                operator(Verb::Restart),
                operator(Verb::Reload),
            ]
        };
        (0..3).flat_map(about).collect()
    })
}

#[test]
fn three_ready_workers_in_one_for_one_keep_the_invariants_in_every_state() {
    assert_eq!(explore_three_ready(Strategy::OneForOne), (102_740, 417_053));
}

#[test]
fn three_ready_workers_in_rest_for_one_keep_the_invariants_in_every_state() {
    assert_eq!(explore_three_ready(Strategy::RestForOne), (107_045, 430_140));
}

#[test]
fn three_ready_workers_in_one_for_all_keep_the_invariants_in_every_state() {
    assert_eq!(explore_three_ready(Strategy::OneForAll), (106_102, 428_084));
}

/// Whole seconds, of which few pass.
fn spared() -> ChildConfig {
    let backoff = Backoff { first: Duration::ZERO, base: SECOND, cap: SECOND, ..child().backoff };
    ChildConfig {
        spare: true,
        disposable: true,
        backoff,
        start_timeout: SECOND,
        stable_after: Duration::ZERO,
        ..timeless()
    }
}

/// Every history of up to nine events after the boot of a worker behind which a spare stands: that one ready, spent,
/// crashed, stopped, restarted at every point, and the spare standing, dead, broken and gone at every point.
#[test]
fn a_worker_and_its_spare_keep_the_invariants_in_every_state() {
    let group = GroupConfig { period: Duration::MAX, ..group(OnExhausted::Fail) };
    let found = explore_with(small(vec![group], vec![spared()]), 9, |world| {
        let (life, spare) = (world.life(0), world.other(0));
        let either = [life, spare].into_iter().flat_map(|of| {
            [
                Event::Spawned(of),
                Event::SpawnFailed { of, step: 1, errno: 2, chance: 0 },
                Event::Exited { of, exit: Exit::Signal(11) },
                Event::Emptied { of, chance: 0 },
            ]
        });
        let operator = |verb| Event::Operator { verb, child: ChildId(0) };
        let others = [
            Event::Ready(life),
            Event::Spent(life),
            Event::Drained(life),
            Event::Exited { of: life, exit: Exit::Code(0) },
            Event::Standing(spare),
            Event::Violated(spare),
            operator(Verb::Start),
            operator(Verb::Stop),
            operator(Verb::Restart),
            operator(Verb::Reload),
        ];
        either.chain(others).collect()
    });
    assert_eq!(found, (58_550, 710_765));
}

/// Every history of up to seven events after the boot of two workers of which one starts on demand and the other needs
/// it: wanted, idle, spent, old, crashed and stopped at every point.
#[test]
fn a_worker_on_demand_keeps_the_invariants_in_every_state() {
    let group = GroupConfig { period: Duration::MAX, ..group(OnExhausted::Fail) };
    let on_demand = ChildConfig { on_demand: true, disposable: true, max_age: 4 * SECOND, ..timeless() };
    let needing = ChildConfig { needs: vec![ChildId(0)], ..timeless() };
    let found = explore_with(small(vec![group], vec![on_demand, needing]), 7, |world| {
        let of = world.life(0);
        let special = [Event::Wanted(ChildId(0)), Event::Idle(of), Event::Spent(of)];
        happenings(world).into_iter().chain(special).collect()
    });
    assert_eq!(found, (39_076, 335_092));
}

/// What can happen to a worker that is replaced by rolling: to its life, to the process beside that, and by order.
fn rolling(world: &Observed, child: u16) -> Vec<Event> {
    let (life, other) = (world.life(child), world.other(child));
    let either = [life, other].into_iter().flat_map(|of| {
        [
            Event::Ready(of),
            Event::Drained(of),
            Event::Exited { of, exit: Exit::Signal(11) },
            Event::Emptied { of, chance: 0 },
        ]
    });
    let operator = |verb| Event::Operator { verb, child: ChildId(child) };
    let others = [Event::Standing(other), operator(Verb::Roll), operator(Verb::Start), operator(Verb::Stop)];
    either.chain(others).collect()
}

/// Every history of up to seven events of a worker that is ready: replaced by rolling, and its life and the process beside
/// it ready, drained, crashed, hung, broken, not made, stopped, killed, restarted and reloaded at every point; with a spare
/// and without, in time and with a supervisor that lags.
#[test]
fn a_worker_that_is_replaced_by_rolling_keeps_the_invariants_in_every_state() {
    let mut all = Vec::new();
    for spare in [false, true] {
        let group = GroupConfig { max_restarts: 2, period: Duration::MAX, ..group(OnExhausted::Fail) };
        let worker = ChildConfig {
            spare,
            stop_timeout: SECOND,
            drain_timeout: SECOND,
            abort_timeout: SECOND,
            liveness_timeout: SECOND,
            ..spared()
        };
        let mut start = Observed::new(small(vec![group], vec![worker]));
        start.tell(Event::Boot);
        start.tell(Event::Ready(start.life(0)));
        let found = explore_from(start, 7, |world| {
            let (life, other) = (world.life(0), world.other(0));
            let operator = |verb| Event::Operator { verb, child: ChildId(0) };
            let others = [
                Event::SpawnFailed { of: life, step: 1, errno: 2, chance: 0 },
                Event::SpawnFailed { of: other, step: 1, errno: 2, chance: 0 },
                Event::Exited { of: other, exit: Exit::Code(0) },
                Event::Violated(other),
                Event::Extend { of: other, by: 2 * SECOND },
                Event::Hung(life),
                Event::Unready(life),
                Event::Spent(life),
                operator(Verb::Restart),
                operator(Verb::Kill),
                operator(Verb::Drain),
                operator(Verb::Reload),
            ];
            rolling(world, 0).into_iter().chain(others).collect()
        });
        all.push(found);
    }
    assert_eq!(all, [(49_112, 455_398), (118_398, 1_345_644)], "without a spare, and with one");
}

/// Every history of up to eight events of two workers that are ready, of which the second is stopped with the first.
#[test]
fn two_workers_in_rest_for_one_that_are_replaced_by_rolling_keep_the_invariants_in_every_state() {
    let mut start = Observed::new(small(vec![within(Strategy::RestForOne, None, 1)], vec![timeless(); 2]));
    start.tell(Event::Boot);
    start.tell(Event::Ready(start.life(0)));
    start.tell(Event::Ready(start.life(1)));
    let found = explore_from(start, 8, |world| (0..2).flat_map(|child| rolling(world, child)).collect());
    assert_eq!(found, (39_358, 445_586));
}
