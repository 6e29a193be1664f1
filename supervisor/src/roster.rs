//! Who is supervised: every instance of every worker, with the number by which the machine knows it.

use std::ops::Range;
use std::time::Duration;

use bailiwick_core::exit::ExitCodes;
use bailiwick_core::tree::{ChildConfig, ChildId, Config, ConfigError, GroupConfig, GroupId};
use thiserror::Error;

use crate::spec::{self, OnSigstop, System, Worker};

/// Every instance of every worker, in the order of the manifest.
#[derive(Debug)]
pub struct Roster {
    workers: Vec<Entry>,
    seats: Vec<Seat>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    privileged: bool,
    children: Range<u16>,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The index of its worker in the system.
    pub worker: usize,
    /// Its number among the instances, from 1.
    pub instance: u16,
    /// What people call it: the worker's name, with the instance if there are several.
    pub title: String,
}

/// Why a system cannot be supervised. Whatever made the system should have said so better.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RosterError {
    /// Something is named that is not declared.
    #[error("{by} names {what} {name}, which does not exist")]
    Unknown {
        /// Who names it.
        by: String,
        /// Whether it is a worker or a group.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Two workers have one name.
    #[error("two workers are called {name}")]
    Twice {
        /// The name.
        name: String,
    },
    /// There are more instances than the machine counts.
    #[error("{found} instances, at most {max} are supervised", max = u16::MAX)]
    TooMany {
        /// The instances of all workers.
        found: usize,
    },
    /// Groups enclose each other, or are enclosed by what does not exist.
    #[error("the groups around group {name} do not exist, or enclose each other")]
    Unplaced {
        /// One of the groups.
        name: String,
    },
    /// Workers need each other.
    #[error("workers need each other: {path}")]
    Cycle {
        /// The workers, each needing the next.
        path: String,
    },
}

impl Roster {
    /// Numbers the instances of `system`.
    ///
    /// # Errors
    /// When a name is used twice, or there are too many instances.
    pub fn new(system: &System) -> Result<Self, RosterError> {
        let found = system.workers.iter().map(|worker| usize::from(worker.instances)).sum();
        if found > usize::from(u16::MAX) {
            return Err(RosterError::TooMany { found });
        }
        let mut roster = Self { workers: Vec::new(), seats: Vec::with_capacity(found) };
        for (index, worker) in system.workers.iter().enumerate() {
            if roster.workers.iter().any(|entry| entry.name == worker.name) {
                return Err(RosterError::Twice { name: worker.name.clone() });
            }
            let first = roster.next();
            for instance in 1..=worker.instances {
                let title = match worker.instances {
                    1 => worker.name.clone(),
                    _ => format!("{}.{instance}", worker.name),
                };
                roster.seats.push(Seat { worker: index, instance, title });
            }
            let children = first..roster.next();
            roster.workers.push(Entry {
                name: worker.name.clone(),
                privileged: worker.holds_privilege(),
                children,
            });
        }
        Ok(roster)
    }

    /// Returns the machine's terms for every instance of `system`, from which this roster was made.
    ///
    /// # Errors
    /// When a name leads nowhere, or in a circle.
    pub fn config(&self, system: &System) -> Result<Config, RosterError> {
        let (groups, names) = groups(&system.groups)?;
        let mut children = Vec::with_capacity(self.seats.len());
        for seat in &self.seats {
            let worker = &system.workers[seat.worker];
            let group = worker.group.as_deref();
            let group =
                position(&names, group).ok_or_else(|| unknown(worker, "group", group.unwrap_or_default()))?;
            let mut needs = Vec::new();
            for need in &worker.needs {
                if !self.workers.iter().any(|entry| entry.name == *need) {
                    return Err(unknown(worker, "worker", need));
                }
                needs.extend(self.instances_of(need));
            }
            children.push(child_config(worker, group, needs));
        }
        Ok(Config { groups, children, shutdown_timeout: system.shutdown_timeout, ..Config::default() })
    }

    /// Says in names what the machine says in numbers.
    pub fn explain(&self, error: ConfigError) -> RosterError {
        match error {
            ConfigError::Cycle(path) => {
                let titles: Vec<_> = path.iter().map(|child| self.seat(*child).title.as_str()).collect();
                RosterError::Cycle { path: titles.join(" -> ") }
            }
            // The rest cannot come from the configuration that this roster makes.
            other => RosterError::Cycle { path: other.to_string() },
        }
    }

    /// Returns every instance.
    pub fn children(&self) -> impl Iterator<Item = ChildId> + use<> {
        (0..self.next()).map(ChildId)
    }

    /// Returns every instance of one worker; none if there is no such worker.
    pub fn instances_of(&self, name: &str) -> impl Iterator<Item = ChildId> + use<> {
        let entry = self.workers.iter().find(|entry| entry.name == name);
        entry.map_or(0..0, |entry| entry.children.clone()).map(ChildId)
    }

    /// Returns what is known of one instance.
    ///
    /// # Panics
    /// If `child` is not of this roster.
    pub fn seat(&self, child: ChildId) -> &Seat {
        &self.seats[usize::from(child.0)]
    }

    /// Returns whether the instance may accuse those who are not privileged.
    pub fn is_privileged(&self, child: ChildId) -> bool {
        self.workers[self.seat(child).worker].privileged
    }

    fn next(&self) -> u16 {
        u16::try_from(self.seats.len()).expect("the number of instances was checked")
    }
}

/// Puts every group after its parent, with the root first, which has no name.
fn groups(declared: &[spec::Group]) -> Result<(Vec<GroupConfig>, Vec<Option<&str>>), RosterError> {
    let (mut groups, mut names) = (vec![GroupConfig::default()], vec![None]);
    let mut waiting: Vec<&spec::Group> = declared.iter().collect();
    while let Some(first) = waiting.first() {
        let placed = |group: &&spec::Group| names.contains(&group.parent.as_deref());
        let Some(at) = waiting.iter().position(placed) else {
            return Err(RosterError::Unplaced { name: first.name.clone() });
        };
        let group = waiting.remove(at);
        groups.push(GroupConfig {
            parent: position(&names, group.parent.as_deref()),
            strategy: group.strategy,
            max_restarts: group.max_restarts,
            period: group.period,
            on_exhausted: group.on_exhausted,
            ..GroupConfig::default()
        });
        names.push(Some(group.name.as_str()));
    }
    Ok((groups, names))
}

fn position(names: &[Option<&str>], name: Option<&str>) -> Option<GroupId> {
    let at = names.iter().position(|known| *known == name)?;
    u16::try_from(at).ok().map(GroupId)
}

fn unknown(worker: &Worker, what: &'static str, name: &str) -> RosterError {
    RosterError::Unknown { by: worker.name.clone(), what, name: name.to_owned() }
}

fn child_config(worker: &Worker, group: GroupId, needs: Vec<ChildId>) -> ChildConfig {
    ChildConfig {
        group,
        kind: worker.kind,
        restart: worker.restart,
        essential: worker.essential,
        needs,
        backoff: worker.backoff,
        start_timeout: worker.start_timeout,
        stop_timeout: worker.stop_timeout,
        drain_timeout: worker.drain_timeout,
        stuck_after: or_never(worker.stuck_after),
        liveness_timeout: or_never(worker.liveness_timeout),
        abort_timeout: worker.abort_timeout,
        ignore_sigstop: worker.on_sigstop == OnSigstop::Ignore,
        stable_after: worker.stable_after,
        ok_exit: ExitCodes::new(&worker.ok_exit),
        no_restart_exit: ExitCodes::new(&worker.no_restart_exit),
        uncounted_exit: ExitCodes::new(&worker.uncounted_exit),
        ..ChildConfig::default()
    }
}

/// A limit of zero is none.
fn or_never(limit: Duration) -> Duration {
    if limit.is_zero() { Duration::MAX } else { limit }
}
