//! A tree of up to four children with any terms, told anything in any order: no two lives of one child at once, every
//! exit recorded once, no start after a stop began, every budget kept, every stop ends. Asserted by the observer that
//! the tests of the crate use as well.
#![no_main]

#[allow(dead_code)]
#[path = "../../../runtime/core/tests/supervision/observer.rs"]
mod observer;
#[path = "../../../runtime/core/tests/supervision/steps.rs"]
mod steps;

use std::time::Duration;

use bailiwick_core::backoff::Backoff;
use bailiwick_core::exit::Exit;
use bailiwick_core::tree::{
    ChildConfig, ChildId, Config, GroupConfig, GroupId, Kind, OnExhausted, Restart, Strategy, Tree, Verb,
};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use steps::{SPARE, Step, What, walk};

const CHILDREN_MAX: u16 = 4;
const GROUPS: u16 = 3;
const STEPS_MAX: usize = 200;
const VERBS: [Verb; 11] = [
    Verb::Start,
    Verb::Join,
    Verb::Stop,
    Verb::Restart,
    Verb::Roll,
    Verb::Reload,
    Verb::Renew,
    Verb::Drain,
    Verb::Kill,
    Verb::Reset,
    Verb::Remove,
];

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Unstructured::new(bytes);
    let Ok(config) = config(&mut bytes) else { return };
    // Members of serial groups that depend on each other both ways have no order, and a group in a pool is refused.
    if Tree::new(config.clone()).is_err() {
        return;
    }
    let steps = std::iter::from_fn(|| (!bytes.is_empty()).then(|| step(&mut bytes).ok())?);
    walk(config, steps.take(STEPS_MAX));
});

fn config(bytes: &mut Unstructured<'_>) -> Result<Config> {
    let count = bytes.int_in_range(1..=CHILDREN_MAX)?;
    let children = (0..count).map(|id| child(bytes, id)).collect::<Result<_>>()?;
    let groups = (0..GROUPS).map(|id| group(bytes, id)).collect::<Result<_>>()?;
    let shutdown_timeout = Duration::from_millis(bytes.int_in_range(0..=10_000)?);
    Ok(Config { children, groups, shutdown_timeout, ..Config::default() })
}

fn child(bytes: &mut Unstructured<'_>, id: u16) -> Result<ChildConfig> {
    let mut needs = Vec::new();
    for need in 0..id {
        if bytes.ratio(1, 3)? {
            needs.push(ChildId(need));
        }
    }
    Ok(ChildConfig {
        group: GroupId(bytes.int_in_range(0..=GROUPS - 1)?),
        kind: *bytes.choose(&[Kind::Resident, Kind::Oneshot, Kind::Main])?,
        restart: *bytes.choose(&[Restart::Permanent, Restart::Transient, Restart::Temporary])?,
        essential: bytes.ratio(1, 6)?,
        needs,
        backoff: Backoff {
            first: pause(bytes)?,
            base: pause(bytes)?,
            factor_permille: bytes.int_in_range(0..=3000)?,
            cap: pause(bytes)?,
            jitter_permille: bytes.int_in_range(0..=1000)?,
        },
        start_timeout: pause(bytes)?,
        stop_timeout: pause(bytes)?,
        drain_timeout: pause(bytes)?,
        stable_after: pause(bytes)?,
        stuck_after: pause(bytes)?,
        liveness_timeout: pause(bytes)?,
        on_demand: bytes.ratio(1, 5)?,
        disposable: true,
        max_age: pause(bytes)?,
        spare: bytes.ratio(1, 3)?,
        ..ChildConfig::default()
    })
}

fn group(bytes: &mut Unstructured<'_>, id: u16) -> Result<GroupConfig> {
    Ok(GroupConfig {
        parent: id.checked_sub(1).map(GroupId),
        strategy: *bytes.choose(&[
            Strategy::OneForOne,
            Strategy::RestForOne,
            Strategy::OneForAll,
            Strategy::Pool,
        ])?,
        size: bytes.int_in_range(0..=CHILDREN_MAX)?,
        max_restarts: bytes.int_in_range(0..=3)?,
        period: Duration::from_millis(bytes.int_in_range(1..=5000)?),
        on_exhausted: *bytes.choose(&[OnExhausted::CoolDown, OnExhausted::Fail, OnExhausted::Escalate])?,
        ..GroupConfig::default()
    })
}

fn pause(bytes: &mut Unstructured<'_>) -> Result<Duration> {
    Ok(match bytes.int_in_range(0..=3000u64)? {
        3000 => Duration::MAX,
        ms => Duration::from_millis(ms),
    })
}

fn step(bytes: &mut Unstructured<'_>) -> Result<Step> {
    // One child more than there can be: nobody may be harmed by what is said of it.
    let child = bytes.int_in_range(0..=CHILDREN_MAX)?;
    Ok(match bytes.int_in_range(0..=17u8)? {
        0..=8 => {
            let earlier = *bytes.choose(&[0, 0, 0, 0, 0, SPARE, SPARE, 1])?;
            Step::About { child, earlier, what: what(bytes)? }
        }
        9 => Step::Operator(*bytes.choose(&VERBS)?, child),
        16 => Step::Scale(bytes.int_in_range(0..=GROUPS)?, child),
        17 => Step::Adopt,
        10 => Step::Boot,
        11 => Step::ShutDown,
        12 => Step::Kill,
        13 => Step::Pass(bytes.int_in_range(0..=4000)?),
        _ => Step::ToDeadline,
    })
}

fn what(bytes: &mut Unstructured<'_>) -> Result<What> {
    Ok(match bytes.int_in_range(0..=15u8)? {
        0 => What::Spawned,
        1 => What::SpawnFailed,
        2 => What::Ready,
        3 => What::Unready,
        4 => What::Drained,
        5 => What::Violated,
        6 => What::Exited(Exit::Code(bytes.arbitrary()?)),
        7 => What::Exited(Exit::Signal(bytes.arbitrary()?)),
        8 => What::Exited(Exit::OutOfMemory),
        9 => What::Sigstopped,
        10 => What::Continued,
        11 => What::Looked(bytes.arbitrary::<Option<u16>>()?.map(u64::from), bytes.arbitrary()?),
        12 => *bytes.choose(&[
            What::Reloading,
            What::Declined,
            What::Refused,
            What::Settled,
            What::Skipped,
            What::Hung,
        ])?,
        13 => *bytes.choose(&[What::Standing, What::Spent, What::Idle, What::Wanted])?,
        14 => What::Extend(bytes.int_in_range(0..=5000)?),
        _ => What::Emptied(bytes.arbitrary()?),
    })
}
