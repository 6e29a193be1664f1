//! The columns, and what can be sorted by.

use std::cmp::{Ordering, Reverse};

use bailiwick_admin::words::{detail, short};
use bailiwick_supervisor::check::escape;
use bailiwick_supervisor::control::State;
use clap::ValueEnum;

use super::fold::Folded;
use super::inside::{brief, per_second};
use super::sample::Worker;
use crate::status::{size, title};

/// The names of all columns.
pub(super) const COLUMNS: [&str; 11] =
    ["NAME", "STATE", "PID", "UPTIME", "RESTARTS", "CPU", "MEM", "MAILBOX", "RATE", "P99", "DETAIL"];

/// The columns of what the admin worker alone knows.
pub(super) const INSIDE: [usize; 3] = [7, 8, 9];

/// What workers are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// As the manifest has them, in their groups.
    #[default]
    Manifest,
    /// By name, and of one name by instance.
    Name,
    /// What needs attention first.
    State,
    /// By the number of the process.
    Pid,
    /// The longest first.
    Uptime,
    /// The most first.
    Restarts,
    /// The most first.
    Cpu,
    /// The most first.
    Mem,
    /// Where most messages wait first: known to the admin worker, as what follows.
    Mailbox,
    /// The most messages a second first.
    Rate,
    /// The slowest first.
    P99,
}

impl Sort {
    /// All of them, in the order of the columns.
    pub(super) const ALL: [Self; 11] = [
        Self::Manifest,
        Self::Name,
        Self::State,
        Self::Pid,
        Self::Uptime,
        Self::Restarts,
        Self::Cpu,
        Self::Mem,
        Self::Mailbox,
        Self::Rate,
        Self::P99,
    ];

    /// Returns its place among all of them.
    pub(super) fn number(self) -> usize {
        Self::ALL.iter().position(|sort| *sort == self).unwrap_or_default()
    }

    /// Returns the number of its column, if it has one.
    pub(super) fn column(self) -> Option<usize> {
        self.number().checked_sub(1)
    }

    /// Returns its name, as it stands above the column.
    pub(super) fn word(self) -> &'static str {
        self.column().map_or("manifest", |column| COLUMNS[column])
    }

    /// Returns its name, as a program reads it and as it is given on the command line.
    pub(super) fn name(self) -> String {
        self.word().to_lowercase()
    }

    /// Compares two workers; who is the same keeps the order of the manifest.
    pub(super) fn compare(self, one: &Worker, other: &Worker) -> Ordering {
        let both = [one, other];
        match self {
            Self::Manifest => Ordering::Equal,
            Self::Name => compare(both, |worker| (worker.row.name.clone(), worker.row.instance)),
            Self::State => compare(both, |worker| urgency(worker.row.state)),
            // Who has none comes last.
            Self::Pid => compare(both, |worker| worker.row.pid.unwrap_or(u32::MAX)),
            Self::Uptime => compare(both, |worker| Reverse(worker.row.uptime)),
            Self::Restarts => compare(both, |worker| Reverse(worker.row.restarts)),
            Self::Cpu => most(both, |worker| worker.cpu_percent),
            Self::Mailbox => compare(both, |worker| Reverse(worker.inside.map(|inside| inside.waiting))),
            Self::Rate => most(both, |worker| worker.inside?.rate),
            Self::P99 => most(both, |worker| worker.inside?.p99_s),
            Self::Mem => compare(both, |worker| Reverse(worker.usage.map(|usage| usage.memory_bytes))),
        }
    }
}

fn compare<K: Ord>([one, other]: [&Worker; 2], key: impl Fn(&Worker) -> K) -> Ordering {
    key(one).cmp(&key(other))
}

/// Puts first who has most, and last who has nothing.
fn most([one, other]: [&Worker; 2], of: impl Fn(&Worker) -> Option<f64>) -> Ordering {
    of(other).unwrap_or(-1.0).total_cmp(&of(one).unwrap_or(-1.0))
}

/// Returns how far from its purpose a state is: the lower, the sooner somebody should look.
pub(super) fn urgency(state: State) -> usize {
    const ALL: [State; 15] = [
        State::Failed,
        State::Backoff,
        State::Aborting,
        State::Killing,
        State::Reaping,
        State::Waiting,
        State::Spawning,
        State::Starting,
        State::Unready,
        State::Stopping,
        State::Draining,
        State::Reloading,
        State::Stopped,
        State::Ready,
        State::Done,
    ];
    // A state of a later version is worth a look.
    ALL.iter().position(|known| *known == state).unwrap_or_default()
}

/// Returns what stands in each column of a worker.
pub(super) fn cells(worker: &Worker) -> [String; COLUMNS.len()] {
    let (row, none) = (&worker.row, || "-".to_owned());
    let inside = worker.inside;
    [
        name(worker),
        row.state.word().to_owned(),
        row.pid.map_or_else(none, |pid| pid.to_string()),
        // The column is narrow.
        row.uptime.map_or_else(none, |time| short(time).replace(' ', "")),
        row.restarts.to_string(),
        worker.cpu_percent.map_or_else(none, |percent| format!("{percent:.1}%")),
        worker.usage.map_or_else(none, |usage| size(usage.memory_bytes)),
        inside.map_or_else(none, |inside| inside.waiting.to_string()),
        inside.and_then(|inside| inside.rate).map_or_else(none, per_second),
        inside.and_then(|inside| inside.p99_s).map_or_else(none, brief),
        reason(worker),
    ]
}

/// Returns what a worker is called, with the sign of what is folded.
fn name(worker: &Worker) -> String {
    let sign = if worker.folded.is_some() { "[+] " } else { "" };
    format!("{sign}{}", title(&worker.row))
}

/// Says why a worker is as it is; of several instances, how many are well, and of the one that needs attention why.
pub(super) fn reason(worker: &Worker) -> String {
    let why = detail(&worker.row);
    match &worker.folded {
        None => why,
        Some(Folded { instances, well, of }) if well < instances => {
            format!("{well} of {instances} well; {}: {why}", escape(of))
        }
        Some(Folded { instances, .. }) => format!("{instances} instances: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bailiwick_admin::documents::status::Usage;
    use bailiwick_supervisor::control::Row;

    use super::super::inside::Measured;
    use super::*;

    fn worker(name: &str, state: State, number: u32) -> Worker {
        let row = Row {
            name: name.into(),
            instance: 1,
            state,
            pid: (number > 0).then_some(number),
            restarts: number,
            uptime: (number > 0).then(|| Duration::from_secs(number.into())),
            ..Row::default()
        };
        let usage = row.pid.map(|pid| Usage { cpu: Duration::ZERO, memory_bytes: u64::from(pid) << 20 });
        let percent = row.pid.map(f64::from);
        let inside = row.pid.map(|pid| Measured { waiting: pid.into(), rate: percent, p99_s: percent });
        Worker { cpu_percent: percent, row, usage, inside, folded: None }
    }

    #[test]
    fn each_order_has_first_what_is_looked_for() {
        let all = [
            worker("b", State::Ready, 2),
            worker("c", State::Stopped, 0),
            worker("a", State::Failed, 0),
            worker("d", State::Ready, 3),
        ];
        for (sort, expected) in [
            (Sort::Manifest, "bcad"),
            (Sort::Name, "abcd"),
            (Sort::State, "acbd"),
            (Sort::Pid, "bdca"),
            (Sort::Uptime, "dbca"),
            (Sort::Restarts, "dbca"),
            (Sort::Cpu, "dbca"),
            (Sort::Mem, "dbca"),
            (Sort::Mailbox, "dbca"),
            (Sort::Rate, "dbca"),
            (Sort::P99, "dbca"),
        ] {
            let mut sorted = all.to_vec();
            sorted.sort_by(|one, other| sort.compare(one, other));
            let names: String = sorted.iter().map(|worker| worker.row.name.as_str()).collect();
            assert_eq!(names, expected, "{sort:?}");
        }
    }

    #[test]
    fn what_is_sorted_by_is_named_as_its_column() {
        for sort in Sort::ALL {
            let named = sort.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(named, Some(sort.name()));
            assert_eq!(Sort::ALL[sort.number()], sort);
        }
    }
}
