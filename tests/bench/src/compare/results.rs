//! What was measured: every value of every round, and the medians.

use std::fs;

use serde::{Deserialize, Serialize};

use super::column::{Column, Kind};
use super::task::{Latency, Measured, Task};
use super::workloads::Workload;
use crate::workload::Samples;

/// Everything that one run measured.
#[derive(Serialize, Deserialize)]
pub struct Results {
    /// The machine, and how busy it was.
    pub machine: String,
    /// How often everything was measured.
    pub rounds: usize,
    /// How long one measurement took.
    pub millis: u64,
    /// The columns, in the order of tables.
    pub columns: Vec<Named>,
    cells: Vec<Cell>,
}

/// A column that took part.
#[derive(Serialize, Deserialize)]
pub struct Named {
    /// On the command line.
    pub name: String,
    /// In tables.
    pub title: String,
    /// What it is to us.
    pub kind: Kind,
}

#[derive(Serialize, Deserialize)]
struct Cell {
    workload: Workload,
    x: u64,
    column: String,
    values: Vec<f64>,
    latencies: Vec<Latency>,
    /// Why there are no more values: it cannot, or it failed.
    out: Option<String>,
}

impl Results {
    /// Begins with nothing measured.
    pub fn new(columns: &[&dyn Column], rounds: usize, millis: u64) -> Self {
        let named = columns.iter().map(|column| Named {
            name: column.name().to_owned(),
            title: column.title().to_owned(),
            kind: column.kind(),
        });
        Self { machine: machine(), rounds, millis, columns: named.collect(), cells: Vec::new() }
    }

    /// Adds what one column measured in one round.
    pub fn add(&mut self, task: &Task, column: &str, measured: Result<Option<Measured>, String>) {
        let cell = self.cell(task, column);
        match measured {
            Ok(Some(measured)) => {
                cell.values.push(measured.value);
                cell.latencies.extend(measured.latency);
            }
            Ok(None) => cell.out = Some(String::new()),
            Err(failure) => {
                eprintln!("{failure}");
                cell.out = Some(failure);
            }
        }
    }

    /// Returns whether a column cannot do this, or has failed to.
    pub fn is_out(&self, task: &Task, column: &str) -> bool {
        self.find(task.workload, task.x, column).is_some_and(|cell| cell.out.is_some())
    }

    /// Returns why measurements failed.
    pub fn failures(&self) -> Vec<&str> {
        let whys = self.cells.iter().filter_map(|cell| cell.out.as_deref());
        whys.filter(|why| !why.is_empty()).collect()
    }

    /// Returns the median of what a column measured; `None` if it cannot, failed, or was not asked.
    pub fn value(&self, workload: Workload, x: u64, column: &str) -> Option<f64> {
        let cell = self.find(workload, x, column)?;
        (cell.out.is_none()).then(|| Samples::of(cell.values.clone()).p50())
    }

    /// Returns the medians of how long asks took, quantile by quantile.
    pub fn latency(&self, workload: Workload, x: u64, column: &str) -> Option<Latency> {
        let cell = self.find(workload, x, column)?;
        let first = cell.latencies.first()?;
        let at = |index: usize| Samples::of(cell.latencies.iter().map(|one| one.ns[index]).collect()).p50();
        Some(Latency { ns: (0..first.ns.len()).map(at).collect() })
    }

    /// Returns the best value among columns of a kind, and whose it is.
    pub fn best(&self, workload: Workload, x: u64, kind: Kind) -> Option<(f64, &Named)> {
        let less = workload.describe().less_is_better;
        let of_kind = self.columns.iter().filter(|column| column.kind == kind);
        let values = of_kind.filter_map(|column| Some((self.value(workload, x, &column.name)?, column)));
        values.reduce(|best, other| if (other.0 < best.0) == less { other } else { best })
    }

    /// Returns whether anything was measured there.
    pub fn has(&self, workload: Workload, x: u64) -> bool {
        self.cells.iter().any(|cell| cell.workload == workload && cell.x == x && !cell.values.is_empty())
    }

    fn find(&self, workload: Workload, x: u64, column: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.workload == workload && cell.x == x && cell.column == column)
    }

    fn cell(&mut self, task: &Task, column: &str) -> &mut Cell {
        let is_it = |cell: &Cell| cell.workload == task.workload && cell.x == task.x && cell.column == column;
        let index = self.cells.iter().position(is_it).unwrap_or_else(|| {
            let (values, latencies) = (Vec::new(), Vec::new());
            let (workload, x, column) = (task.workload, task.x, column.to_owned());
            self.cells.push(Cell { workload, x, column, values, latencies, out: None });
            self.cells.len() - 1
        });
        &mut self.cells[index]
    }
}

/// Returns what the machine is, and how busy it was in the last minute.
fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (kernel, load) = (read("/proc/sys/kernel/osrelease"), read("/proc/loadavg"));
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let load = load.split(' ').next().unwrap_or_default();
    // What a build of it is called says nothing to others.
    let kernel: Vec<_> = kernel.trim().split('.').take(2).collect();
    format!("{processors} processors, Linux {}, load {load} before", kernel.join("."))
}
