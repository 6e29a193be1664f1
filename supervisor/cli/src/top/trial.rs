//! A system as it might be, for the tests of what is made of it.

use std::time::Duration;

use bailiwick_admin::documents::status::Usage;
use bailiwick_admin::sample::sample;
use bailiwick_supervisor::control::{Cause, GivenUp, Row, State, Status};

use super::inside::Inside;
use super::sample::{Sample, Worker};
use crate::admin::actors::{Actor, Actors, Survey, Told, Type};

/// Three workers without a group, one in a group and one in a group in it.
pub(super) fn found() -> Status {
    let mut found = sample();
    let cache = Row {
        name: "cache".into(),
        instance: 1,
        state: State::Ready,
        pid: Some(103),
        generation: 2,
        restarts: 1,
        uptime: Some(Duration::from_secs(3599)),
        last_cause: Some(Cause::Signal(9)),
        budget_left: 5,
        budget_max: 5,
        budget_period: Duration::from_secs(30),
        group: "back".into(),
        ..Row::default()
    };
    let db = Row {
        name: "db".into(),
        state: State::Failed,
        pid: None,
        uptime: None,
        given_up: Some(GivenUp::BudgetSpent),
        budget_left: 0,
        restarts: 5,
        generation: 6,
        group: "back/store".into(),
        ..cache.clone()
    };
    found.workers.extend([cache, db]);
    found
}

/// A look at it so long after the first, at which each process has used so much for each second that has passed.
pub(super) fn look(at: Duration) -> Sample {
    let found = found();
    let usage = |row: &Row| {
        let pid = row.pid?;
        let cpu = Duration::from_secs(60) + at * (pid - 100) / 8;
        Some(Usage { cpu, memory_bytes: u64::from(pid) << 18 })
    };
    let usage = found.workers.iter().map(usage).collect();
    Sample::of(at, found, usage)
}

pub(super) fn workers() -> Vec<Worker> {
    look(Duration::from_secs(2)).workers(Some(&look(Duration::from_secs(1))))
}

/// What the admin worker is told so long after the first look: of one instance more each second, of another life each time of the second,
/// and nothing of the third.
pub(super) fn inside(at: Duration) -> Inside {
    let of_type = |name: &str, handled, waiting| Type {
        r#type: name.into(),
        actors: if waiting == 9 { 3 } else { 1 },
        handled,
        waiting,
        waiting_max: waiting.min(7),
        ..Type::default()
    };
    let mailbox = |path: &str, waiting, capacity| Actor {
        actor: path.into(),
        r#type: "Front".into(),
        generation: 1,
        waiting,
        capacity,
        ..Actor::default()
    };
    let front = Type { failures: 2, restarts: 1, ..of_type("Front", 1000 + 199 * (at.as_secs() - 1) / 2, 9) };
    let first = Actors {
        types: vec![front, of_type("Clerk", at.as_secs() / 2, 0)],
        actors_total: 4,
        actors: vec![
            Actor { generation: 2, waiting_bytes: 70, ..mailbox("front", 7, Some(7)) },
            Actor { waiting_bytes: 9, ..mailbox("front/x", 2, None) },
        ],
        ..Actors::default()
    };
    let second = Actors {
        types: vec![of_type("Front", 5, 1)],
        actors_total: 1,
        actors: vec![Actor { waiting_bytes: 1, ..mailbox("front", 1, Some(7)) }],
        ..Actors::default()
    };
    let silent = Actors { silent_because: Some("it computes without end".into()), ..Actors::default() };
    let told = |worker: &str, instance, generation, actors| Told {
        worker: worker.into(),
        instance,
        generation,
        actors,
    };
    let life = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
    let workers = vec![told("web", 1, 1, first), told("web", 2, life, second), told("cache", 1, 2, silent)];
    Inside { at, survey: Survey { workers }, ..Inside::default() }
}
