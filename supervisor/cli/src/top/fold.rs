//! Instances of a worker as one row: what they use together, and how the one is that needs attention most.

use std::collections::BTreeSet;

use bailiwick_admin::documents::status::Usage;

use super::column::urgency;
use super::sample::Worker;
use crate::status::title;

/// What one row stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folded {
    pub(super) instances: usize,
    pub(super) well: usize,
    /// Whom of them the row tells of: the one that needs attention most.
    pub(super) of: String,
}

/// Returns the workers with one row for all instances of those whose names are `folded`, where there are several.
pub(super) fn fold(workers: &[Worker], folded: &BTreeSet<String>) -> Vec<Worker> {
    let mut rows: Vec<Worker> = Vec::new();
    for worker in workers {
        let name = &worker.row.name;
        let is_folded = worker.row.numbered && folded.contains(name);
        match rows.iter_mut().find(|row| is_folded && row.row.name == *name) {
            Some(row) => add(row, worker),
            None if is_folded => rows.push(Worker { folded: Some(alone(worker)), ..worker.clone() }),
            None => rows.push(worker.clone()),
        }
    }
    for row in rows.iter_mut().filter(|row| row.folded.is_some()) {
        // It is about no instance, and of them all has no process.
        (row.row.numbered, row.row.instance, row.row.pid) = (false, 0, None);
    }
    rows
}

fn alone(worker: &Worker) -> Folded {
    Folded { instances: 1, well: usize::from(worker.is_well()), of: title(&worker.row) }
}

/// Adds an instance to a row.
fn add(row: &mut Worker, worker: &Worker) {
    let Some(known) = &mut row.folded else { return };
    let restarts = row.row.restarts.saturating_add(worker.row.restarts);
    known.instances += 1;
    known.well += usize::from(worker.is_well());
    if urgency(worker.row.state) < urgency(row.row.state) {
        known.of = title(&worker.row);
        row.row = worker.row.clone();
    } else if row.row.state == worker.row.state {
        // The youngest says how long all of them have been there.
        row.row.uptime = row.row.uptime.min(worker.row.uptime);
    }
    row.row.restarts = restarts;
    row.cpu_percent = both(row.cpu_percent, worker.cpu_percent, |one, other| one + other);
    row.usage = both(row.usage, worker.usage, |one, other| Usage {
        cpu: one.cpu.saturating_add(other.cpu),
        memory_bytes: one.memory_bytes.saturating_add(other.memory_bytes),
    });
    row.inside = both(row.inside, worker.inside, |one, other| one.and(other));
}

fn both<T>(one: Option<T>, other: Option<T>, join: impl Fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(join(one, other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_supervisor::control::State;

    use super::super::trial;
    use super::*;

    #[test]
    fn a_row_has_what_all_use_and_tells_of_the_one_that_needs_attention() {
        let mut workers = trial::workers();
        let inside = super::super::inside::Measured { waiting: 3, rate: Some(2.0), p99_s: None };
        (workers[1].inside, workers[2].inside) = (Some(inside), Some(inside));
        let rows = fold(&workers, &["web".to_owned(), "cache".to_owned()].into());
        assert_eq!(rows.len(), workers.len() - 1);
        let web = &rows[1];
        let expected = Folded { instances: 2, well: 1, of: "web.2".into() };
        assert_eq!((web.folded.as_ref(), title(&web.row)), (Some(&expected), "web".into()));
        assert_eq!((web.row.state, web.row.restarts, web.row.pid), (State::Backoff, 3, None));
        assert_eq!((web.cpu_percent, web.usage), (workers[1].cpu_percent, workers[1].usage));
        assert_eq!(web.inside.map(|inside| (inside.waiting, inside.rate)), Some((6, Some(4.0))));
        // Who has one instance alone stays as it is.
        assert!(rows[2].folded.is_none() && rows[2].row.instance == 1);
        assert!(fold(&workers, &BTreeSet::new()).iter().all(|row| row.folded.is_none()));
    }
}
