//! The process tree as the front shows it: what the supervisor knows of its workers.

use std::time::Duration;

use bailiwick::control::{Row, Status, capability_names};
use bailiwick::prelude::*;
use thiserror::Error;

/// Whoever may see the processes.
#[protocol]
pub(crate) trait Tree {
    /// Returns every process, or what keeps them from being seen.
    async fn processes(&mut self, cx: &mut Context) -> Result<ProcessTree, Hidden>;
}

/// Why the processes cannot be seen.
#[message]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the supervisor does not show its processes: {reason}")]
pub(crate) struct Hidden {
    pub(crate) reason: String,
}

/// The supervisor and its workers at one moment.
#[message]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessTree {
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) uptime_ms: u64,
    pub(crate) workers: Vec<Process>,
}

/// One instance of one worker.
#[message]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Process {
    /// The worker's name, with the instance where there may be several.
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) pid: Option<u32>,
    pub(crate) generation: u32,
    pub(crate) restarts: u32,
    pub(crate) uptime_ms: Option<u64>,
    pub(crate) uid: u32,
    pub(crate) capabilities: Vec<String>,
    pub(crate) memory_max: Option<u64>,
    /// What enforces that limit.
    pub(crate) memory_by: String,
    pub(crate) last_end: Option<String>,
}

impl From<Status> for ProcessTree {
    fn from(status: Status) -> Self {
        Self {
            pid: status.supervisor.pid,
            uid: status.supervisor.uid,
            uptime_ms: milliseconds(status.supervisor.uptime),
            workers: status.workers.iter().map(process).collect(),
        }
    }
}

fn process(row: &Row) -> Process {
    Process {
        name: row.title(),
        state: row.state.word().to_owned(),
        pid: row.pid,
        generation: row.generation,
        restarts: row.restarts,
        uptime_ms: row.pid.and(row.uptime).map(milliseconds),
        uid: row.uid,
        capabilities: capability_names(row.capabilities),
        memory_max: row.memory_max,
        memory_by: row.memory.word().to_owned(),
        last_end: row.last_cause.map(|cause| cause.to_string()),
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
