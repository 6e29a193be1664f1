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
use bailiwick_core::tree::{
    ChildConfig, ChildId, Config, Event, GroupConfig, Kind, OnExhausted, Restart, Verb,
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
    let mut start = Observed::new(config);
    start.tell(Event::Boot);
    let mut seen = HashSet::from([fingerprint(&start)]);
    let mut open = VecDeque::from([(start, 0)]);
    let mut transitions = 0;
    while let Some((world, length)) = open.pop_front() {
        if length == longest {
            continue;
        }
        let mut events = vec![Event::ShutDown, Event::Kill];
        for child in (0..).take(world.tree.children().len()) {
            events.extend(events_about(&world, child, exits));
        }
        let mut next: Vec<_> = events
            .into_iter()
            .map(|event| {
                let mut next = world.clone();
                next.tell(event);
                next
            })
            .collect();
        let mut later = world.clone();
        if later.tick() {
            next.push(later);
        }
        transitions += next.len();
        for next in next {
            if !next.has_left() && seen.insert(fingerprint(&next)) {
                next.clone().check_that_a_stop_ends();
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

/// Every history, however long. 28,411 states and 539,459 transitions for a permanent worker that cools down;
/// 16,081 and 305,290 for a transient one whose spent budget stops everything.
#[test]
fn one_worker_keeps_the_invariants_in_every_state() {
    let found = [
        (Restart::Permanent, OnExhausted::CoolDown, (28_411, 539_459)),
        (Restart::Transient, OnExhausted::Escalate, (16_081, 305_290)),
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

/// Every history of up to seven events after the boot: 24,256 states and 232,748 transitions where a resident
/// worker is needed, 9,200 and 85,604 where a oneshot is.
#[test]
fn two_workers_of_which_one_needs_the_other_keep_the_invariants_in_every_state() {
    for (kind, exit, size) in
        [(Kind::Resident, Exit::Code(1), (24_256, 232_748)), (Kind::Oneshot, Exit::Code(0), (9_200, 85_604))]
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
