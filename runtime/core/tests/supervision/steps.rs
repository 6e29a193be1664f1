//! Steps through the life of a tree, for whoever makes them up: chance, or a fuzzer. Any events in any order, also
//! such as no driver would tell; the observer asserts as it goes.

use std::time::Duration;

use bailiwick_core::exit::Exit;
use bailiwick_core::tree::{ChildConfig, ChildId, Config, Event, GroupId, Incarnation, Verb};

use crate::observer::Observed;

/// One step of a walk; which life an event is about is only known when it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Of the child's present life, or of one before it.
    About {
        child: u16,
        earlier: u32,
        what: What,
    },
    Operator(Verb, u16),
    Scale(u16, u16),
    /// The terms of the children change places, as far as they do not order or place anybody.
    Adopt,
    Boot,
    ShutDown,
    Kill,
    Pass(u64),
    ToDeadline,
}

/// What is told of a life.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Spawned,
    Standing,
    SpawnFailed,
    Ready,
    Unready,
    Drained,
    Violated,
    Reloading,
    Declined,
    Refused,
    Extend(u64),
    Settled,
    Hung,
    Skipped,
    Spent,
    Idle,
    Wanted,
    Sigstopped,
    Continued,
    Looked(Option<u64>, bool),
    Exited(Exit),
    Emptied(u32),
}

/// Walks through the life of a tree that was booted, and then asks it to stop.
pub(crate) fn walk(config: Config, steps: impl IntoIterator<Item = Step>) {
    let mut world = Observed::new(config);
    world.tell(Event::Boot);
    for step in steps {
        take(&mut world, step);
    }
    if !world.has_left() {
        world.check_that_a_stop_ends();
    }
}

fn event(world: &Observed, child: u16, earlier: u32, what: What) -> Event {
    let life = if usize::from(child) < world.tree.children().len() {
        world.life(child)
    } else {
        Incarnation { child: ChildId(child), generation: 1 }
    };
    let generation = match earlier {
        SPARE if usize::from(child) < world.tree.children().len() => world.other(child).generation,
        SPARE => life.generation + 1,
        _ => life.generation.saturating_sub(earlier),
    };
    let of = Incarnation { generation, ..life };
    match what {
        What::Standing => Event::Standing(of),
        What::Spawned => Event::Spawned(of),
        What::SpawnFailed => Event::SpawnFailed { of, step: 3, errno: 11, chance: 7 },
        What::Ready => Event::Ready(of),
        What::Unready => Event::Unready(of),
        What::Drained => Event::Drained(of),
        What::Violated => Event::Violated(of),
        What::Reloading => Event::Reloading(of),
        What::Declined => Event::Declined(of),
        What::Refused => Event::Refused(of),
        What::Extend(ms) => Event::Extend { of, by: Duration::from_millis(ms) },
        What::Hung => Event::Hung(of),
        What::Settled => Event::Settled(of),
        What::Skipped => Event::Skipped(of),
        What::Spent => Event::Spent(of),
        What::Idle => Event::Idle(of),
        What::Wanted => Event::Wanted(of.child),
        What::Sigstopped => Event::Sigstopped(of),
        What::Continued => Event::Continued(of),
        What::Looked(ago, traced) => {
            let busy_since = ago.map(|ms| world.now.saturating_sub(Duration::from_millis(ms)));
            Event::Looked { of, busy_since, traced }
        }
        What::Exited(exit) => Event::Exited { of, exit },
        What::Emptied(chance) => Event::Emptied { of, chance },
    }
}

/// In place of a number of lives ago: the process beside the present life, or the number of the next.
pub(crate) const SPARE: u32 = u32::MAX;

fn adopt(world: &mut Observed) {
    let mut config = world.tree.config().clone();
    let others: Vec<_> = {
        let count = config.children.len();
        config.children.iter().cycle().skip(1).take(count).cloned().collect()
    };
    for (child, other) in config.children.iter_mut().zip(others) {
        let (start_timeout, stop_timeout) = (other.start_timeout, other.stop_timeout);
        *child = ChildConfig { start_timeout, stop_timeout, backoff: other.backoff, ..child.clone() };
    }
    let limits: Vec<_> = config.groups.iter().map(|group| (group.max_restarts, group.period)).collect();
    for (group, (max_restarts, period)) in
        config.groups.iter_mut().zip(limits.iter().copied().cycle().skip(1))
    {
        (group.max_restarts, group.period) = (max_restarts, period);
    }
    world.adopt(config);
}

fn take(world: &mut Observed, step: Step) {
    match step {
        Step::About { child, earlier, what } => drop(world.tell(event(world, child, earlier, what))),
        Step::Operator(verb, child) => drop(world.tell(Event::Operator { verb, child: ChildId(child) })),
        Step::Scale(group, size) => drop(world.tell(Event::Scale { group: GroupId(group), size })),
        Step::Adopt => adopt(world),
        Step::Boot => drop(world.tell(Event::Boot)),
        Step::ShutDown => drop(world.tell(Event::ShutDown)),
        Step::Kill => drop(world.tell(Event::Kill)),
        Step::Pass(ms) => {
            world.now += Duration::from_millis(ms);
            world.tell(Event::Tick);
        }
        Step::ToDeadline => drop(world.tick()),
    }
}
