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

/// Returns the lines of values against the points at which they were measured.
fn swept(results: &Results, workload: Workload, read: impl Fn(f64) -> f64) -> Vec<Line> {
    lines(results, workload, |x, column| Some((x as f64, read(results.value(workload, x, column)?))))
}

fn sizes(results: &Results) -> Picture {
    Picture {
        title: "Throughput against size, read by the receiver",
        x: Axis { title: "bytes of one message", text: |x| tables::readable_size(x as u64) },
        y: Axis { title: "GB/s", text: round },
        lines: swept(results, Workload::Size, |rate| rate),
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
    Picture {
        title: "Cost of a message against the number of actors in one process",
        x: Axis { title: "actors", text: |x| tables::readable(x) },
        y: Axis { title: "ns", text: |ns| tables::readable(ns) },
        lines: swept(results, Workload::InActors, |ns| ns),
    }
}

fn workers(results: &Results) -> Picture {
    Picture {
        title: "Cost of a message against the number of workers",
        x: Axis { title: "workers", text: |x| tables::readable(x) },
        y: Axis { title: "ns", text: |ns| tables::readable(ns) },
        lines: swept(results, Workload::Workers, |rate| 1e9 / rate),
    }
}

/// Returns as many digits as are needed.
fn round(value: f64) -> String {
    format!("{}", (value * 1e4).round() / 1e4)
}
