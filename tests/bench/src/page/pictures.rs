//! The pictures of the page, each a function from results to lines.

use std::path::Path;

use super::plot::{Axis, Line, Picture};
use crate::compare::{QUANTILES, Results, Workload, tables};

/// Draws all that there are results for; returns their files' names and titles.
pub fn draw(results: &Results, folder: &Path) -> Vec<(&'static str, &'static str)> {
    let pictures = [
        ("results-latency.svg", latency(results)),
        ("results-sizes.svg", sizes(results)),
        ("results-load.svg", load(results)),
        ("results-actors.svg", actors(results)),
        ("results-workers.svg", workers(results)),
    ];
    let mut drawn = Vec::new();
    for (name, picture) in pictures {
        if picture.lines.iter().any(|line| !line.points.is_empty()) {
            picture.draw(&folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            drawn.push((name, picture.title));
        }
    }
    drawn
}

/// One line for each column, of what `point` finds at each of the workload's points.
fn lines(
    results: &Results,
    workload: Workload,
    point: impl Fn(u64, &str) -> Option<(f64, f64)>,
) -> Vec<Line> {
    let line = |index: usize| {
        let column = &results.columns[index];
        let points = workload.describe().points.iter().filter_map(|x| point(*x, &column.name));
        Line { title: column.title.replace('*', ""), kind: column.kind, points: points.collect() }
    };
    (0..results.columns.len()).map(line).filter(|line| !line.points.is_empty()).collect()
}

fn latency(results: &Results) -> Picture {
    let mut lines = lines(results, Workload::Ask, |_, _| Some((1.0, 1.0)));
    lines.retain_mut(|line| {
        let column = results.columns.iter().find(|column| column.title.replace('*', "") == line.title);
        let latency = column.and_then(|column| results.latency(Workload::Ask, 0, &column.name));
        let Some(latency) = latency else { return false };
        let quantiles = QUANTILES.iter().zip(&latency.ns).filter(|(share, _)| **share < 1_000_000);
        // So that each further nine is a step of the same width.
        line.points = quantiles.map(|(share, ns)| (1e6 / f64::from(1_000_000 - share), ns / 1e3)).collect();
        true
    });
    Picture {
        title: "Latency of asks, one in flight",
        x: Axis { title: "share of asks", text: |x| format!("{} %", round(100.0 - 100.0 / x)) },
        y: Axis { title: "us at most", text: |us| tables::readable(us) },
        lines,
    }
}

fn sizes(results: &Results) -> Picture {
    let at = |x: u64, column: &str| Some((x as f64, results.value(Workload::Size, x, column)?));
    Picture {
        title: "Throughput against size, read by the receiver",
        x: Axis { title: "bytes of one message", text: |x| tables::readable_size(x as u64) },
        y: Axis { title: "GB/s", text: round },
        lines: lines(results, Workload::Size, at),
    }
}

fn load(results: &Results) -> Picture {
    let at = |x: u64, column: &str| {
        let p99 = results.latency(Workload::Load, x, column)?.p99_us();
        Some((results.value(Workload::Load, x, column)?, p99))
    };
    Picture {
        title: "Latency under load: 1 to 1024 asks in flight",
        x: Axis { title: "replies/s", text: |x| tables::readable(x) },
        y: Axis { title: "p99, us", text: |us| tables::readable(us) },
        lines: lines(results, Workload::Load, at),
    }
}

fn actors(results: &Results) -> Picture {
    let at = |x: u64, column: &str| Some((x as f64, results.value(Workload::InActors, x, column)?));
    Picture {
        title: "Cost of a message against the number of actors in one process",
        x: Axis { title: "actors", text: |x| tables::readable(x) },
        y: Axis { title: "ns", text: |ns| tables::readable(ns) },
        lines: lines(results, Workload::InActors, at),
    }
}

fn workers(results: &Results) -> Picture {
    let at = |x: u64, column: &str| Some((x as f64, 1e9 / results.value(Workload::Workers, x, column)?));
    Picture {
        title: "Cost of a message against the number of workers",
        x: Axis { title: "workers", text: |x| tables::readable(x) },
        y: Axis { title: "ns", text: |ns| tables::readable(ns) },
        lines: lines(results, Workload::Workers, at),
    }
}

/// Returns as many digits as are needed.
fn round(value: f64) -> String {
    format!("{}", (value * 1e4).round() / 1e4)
}
