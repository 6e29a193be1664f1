//! The goals, each with its bound, and what was measured.

use std::fmt::Write;

use crate::compare::{MANY_ACTORS, MIB, Results, Workload, tables};

/// One goal.
struct Goal {
    what: &'static str,
    bound: f64,
    at_most: bool,
    unit: &'static str,
    measured: fn(&Results) -> Option<f64>,
}

const fn at_most(
    what: &'static str,
    bound: f64,
    unit: &'static str,
    measured: fn(&Results) -> Option<f64>,
) -> Goal {
    Goal { what, bound, at_most: true, unit, measured }
}

const fn at_least(
    what: &'static str,
    bound: f64,
    unit: &'static str,
    measured: fn(&Results) -> Option<f64>,
) -> Goal {
    Goal { what, bound, at_most: false, unit, measured }
}

const GOALS: &[Goal] = &[
    at_most("ask between processes, sleeping, beside the tokio floor", 1.25, "times", |r| {
        Some(of(r, Workload::Ask, 0, "ours")? / of(r, Workload::Ask, 0, "tokio")?)
    }),
    at_most("ask between processes, busy-poll ring", 1.4, "us", |r| {
        of(r, Workload::Ask, 0, "ours-ring-polling")
    }),
    at_least("one way between processes", 10e6, "messages/s", |r| of(r, Workload::OneWay, 0, "ours")),
    at_least("64 asks in flight, socket", 2e6, "replies/s", |r| of(r, Workload::Asks, 0, "ours")),
    at_least("64 asks in flight, ring", 4e6, "replies/s", |r| of(r, Workload::Asks, 0, "ours-ring")),
    at_least("1 MiB, copied through the link", 6.0, "GB/s", |r| of(r, Workload::Size, MIB, "ours-copied")),
    at_least("1 MiB, pooled shared memory", 15.0, "GB/s", |r| of(r, Workload::Size, MIB, "ours-ring")),
    at_most("worker started, to its first answer, no sandbox", 1.2, "ms", |r| {
        of(r, Workload::Start, 0, "ours-open")
    }),
    at_most("the same, sealed", 4.0, "ms", |r| of(r, Workload::Start, 0, "ours")),
    at_most("SIGKILL of a sealed worker to its replacement's answer", 3.0, "ms", |r| {
        of(r, Workload::Restart, 0, "ours")
    }),
    at_most("in one process: ask", 0.25, "us", |r| of(r, Workload::InAsk, 0, "ours-within")),
    at_least("tell, bounded, one producer", 16e6, "messages/s", |r| {
        of(r, Workload::InTell, 1, "ours-within")
    }),
    at_least("spawn", 2e6, "actors/s", |r| of(r, Workload::InSpawn, MANY_ACTORS, "ours-within")),
    at_most("idle actor", 700.0, "bytes", |r| of(r, Workload::InBytes, MANY_ACTORS, "ours-within")),
    at_least("ring of 1000", 9e6, "hops/s", |r| of(r, Workload::InRing, 0, "ours-within")),
    at_least("fan-out 1 to 1000", 9e6, "deliveries/s", |r| of(r, Workload::InFanOut, 0, "ours-within")),
    at_most("a message to one of 100,000 actors, beside one to the only one", 1.2, "times", |r| {
        let cost = |x| of(r, Workload::InActors, x, "ours-within");
        Some(cost(MANY_ACTORS)? / cost(1)?)
    }),
    at_most("a message to one of 64 workers, beside one to the only one", 1.2, "times", |r| {
        let rate = |x| of(r, Workload::Workers, x, "ours");
        Some(rate(1)? / rate(64)?)
    }),
];

/// Writes the table of goals.
pub fn write(results: &Results, text: &mut String) -> std::fmt::Result {
    writeln!(text, "## Goals\n\n| goal | bound | measured | |\n|---|---:|---:|---|")?;
    for Goal { what, bound, at_most, unit, measured } in GOALS {
        let sign = if *at_most { "≤" } else { "≥" };
        let bound_text = tables::readable(*bound);
        let (value, verdict) = match measured(results) {
            None => ("".to_owned(), "not measured"),
            Some(value) if (value <= *bound) == *at_most || value == *bound => {
                (tables::readable(value), "reached")
            }
            Some(value) => (tables::readable(value), "**missed**"),
        };
        writeln!(text, "| {what} | {sign} {bound_text} {unit} | {value} | {verdict} |")?;
    }
    Ok(())
}

fn of(results: &Results, workload: Workload, x: u64, column: &str) -> Option<f64> {
    results.value(workload, x, column)
}
