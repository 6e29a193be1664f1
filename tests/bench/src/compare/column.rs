//! What every system is to the harness: a column.

use serde::{Deserialize, Serialize};

use super::task::{Measured, Task};
use super::workloads::Workload;

/// One system, measured beside the others in every round.
pub trait Column: Sync {
    /// Returns what it is called on the command line.
    fn name(&self) -> &'static str;

    /// Returns what it is called in tables.
    fn title(&self) -> &'static str;

    /// Returns what it is to us.
    fn kind(&self) -> Kind;

    /// Returns whether it can do this at this point.
    fn can(&self, workload: Workload, x: u64) -> bool;

    /// Measures, in a process and a folder of its own; `None` if it turns out that it cannot.
    fn measure(&self, task: &Task) -> Option<Measured>;

    /// Removes what a process of this column leaves behind if it is killed.
    fn clean_up(&self) {}

    /// Is the other process, where the column starts one by [`super::child::start`].
    fn answer(&self, task: &Task) {
        unreachable!("{} starts no other process for {task:?}", self.name());
    }
}

/// What a system is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What this project builds.
    Ours,
    /// A hand-written loop without types, grants, budgets or supervision.
    Floor,
    /// A library or framework for the same purpose.
    Peer,
}

/// Returns whether a workload between processes is one about messages: everybody can do these.
pub fn is_about_messages(workload: Workload) -> bool {
    matches!(workload, Workload::Ask | Workload::OneWay | Workload::Asks | Workload::Size | Workload::Load)
}
