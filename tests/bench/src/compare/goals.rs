//! The goals, each with its bound, and what was measured.

use std::fmt::Write;

use super::results::Results;
use super::tables;
use super::workloads::{MANY_ACTORS, MIB, Workload};

/// One goal.
struct Goal {
    what: &'static str,
    bound: f64,
    at_most: bool,
    unit: &'static str,
    of: Value,
    /// What it is divided by, where it is about a ratio.
    beside: Option<Value>,
}

/// One measured value: of which workload, where, and of which column.
type Value = (Workload, u64, &'static str);

const fn at_most(what: &'static str, bound: f64, unit: &'static str, of: Value) -> Goal {
    Goal { what, bound, at_most: true, unit, of, beside: None }
}

const fn at_least(what: &'static str, bound: f64, unit: &'static str, of: Value) -> Goal {
    Goal { what, bound, at_most: false, unit, of, beside: None }
}

const fn ratio(what: &'static str, bound: f64, of: Value, beside: Value) -> Goal {
    Goal { what, bound, at_most: true, unit: "times", of, beside: Some(beside) }
}

const GOALS: &[Goal] = &[
    ratio(
        "ask between processes, sleeping, beside the tokio floor",
        1.25,
        (Workload::Ask, 0, "ours"),
        (Workload::Ask, 0, "tokio"),
    ),
    at_most("ask between processes, busy-poll ring", 1.4, "us", (Workload::Ask, 0, "ours-ring-polling")),
    at_least("one way between processes", 10e6, "messages/s", (Workload::OneWay, 0, "ours")),
    at_least("64 asks in flight, socket", 2e6, "replies/s", (Workload::Asks, 0, "ours")),
    at_least("64 asks in flight, ring", 4e6, "replies/s", (Workload::Asks, 0, "ours-ring")),
    at_least("1 MiB, copied through the link", 6.0, "GB/s", (Workload::Size, MIB, "ours-copied")),
    at_least("1 MiB, pooled shared memory", 15.0, "GB/s", (Workload::Size, MIB, "ours-ring")),
    at_most("worker started, to its first answer, no sandbox", 1.2, "ms", (Workload::Start, 0, "ours-open")),
    at_most("the same, sealed", 4.0, "ms", (Workload::Start, 0, "ours")),
    at_most(
        "SIGKILL of a sealed worker to its replacement's answer",
        3.0,
        "ms",
        (Workload::Restart, 0, "ours"),
    ),
    at_most("in one process: ask", 0.25, "us", (Workload::InAsk, 0, WITHIN)),
    at_least("tell, bounded, one producer", 16e6, "messages/s", (Workload::InTell, 1, WITHIN)),
    at_least("spawn", 2e6, "actors/s", (Workload::InSpawn, MANY_ACTORS, WITHIN)),
    at_most("idle actor", 700.0, "bytes", (Workload::InBytes, MANY_ACTORS, WITHIN)),
    at_least("ring of 1000", 9e6, "hops/s", (Workload::InRing, 0, WITHIN)),
    at_least("fan-out 1 to 1000", 9e6, "deliveries/s", (Workload::InFanOut, 0, WITHIN)),
    ratio(
        "a message to one of 100,000 actors, beside one to the only one",
        1.2,
        (Workload::InActors, MANY_ACTORS, WITHIN),
        (Workload::InActors, 1, WITHIN),
    ),
    ratio(
        "a message to one of 64 workers, beside one to the only one",
        1.2,
        // Messages a second, so the other way round.
        (Workload::Workers, 1, "ours"),
        (Workload::Workers, 64, "ours"),
    ),
];

const WITHIN: &str = "ours-within";

impl Goal {
    /// Returns what was measured; `Err` names what would have to be, as the command line calls it.
    fn measured(&self, results: &Results) -> Result<f64, String> {
        let value = |(workload, x, column): Value| {
            let missing = || format!("`--only {} --systems {column}`", workload.named(x));
            results.value(workload, x, column).ok_or_else(missing)
        };
        Ok(value(self.of)? / self.beside.map_or(Ok(1.0), value)?)
    }
}

/// Returns the points of workloads that goals are about.
pub fn points() -> impl Iterator<Item = (Workload, u64)> {
    let values = GOALS.iter().flat_map(|goal| std::iter::once(goal.of).chain(goal.beside));
    values.map(|(workload, x, _)| (workload, x))
}

/// Writes the table of goals.
pub fn write(results: &Results, text: &mut String) -> std::fmt::Result {
    writeln!(text, "## Goals\n\n| goal | bound | measured | |\n|---|---:|---:|---|")?;
    for goal in GOALS {
        let Goal { what, bound, at_most, unit, .. } = goal;
        let sign = if *at_most { "≤" } else { "≥" };
        let bound_text = tables::readable(*bound);
        let (value, verdict) = match goal.measured(results) {
            Err(wanted) => (String::new(), format!("not measured: {wanted}")),
            Ok(value) if (value <= *bound) == *at_most || value == *bound => {
                (tables::readable(value), "reached".to_owned())
            }
            Ok(value) => (tables::readable(value), "**missed**".to_owned()),
        };
        writeln!(text, "| {what} | {sign} {bound_text} {unit} | {value} | {verdict} |")?;
    }
    writeln!(text, "\n[Where the time goes](where-the-time-goes.md) says so of each that is missed.")
}
