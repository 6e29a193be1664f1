//! A system as it might be, for the tests of what is made of it.

use std::time::Duration;

use bailiwick_admin::documents::status::Usage;
use bailiwick_admin::sample::sample;
use bailiwick_supervisor::control::{Cause, GivenUp, Row, State, Status};

use super::sample::{Sample, Worker};

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
