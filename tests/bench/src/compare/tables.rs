//! The tables, in Markdown: what each column measured, and how ours compares with the floor and with the best peer.

use std::fmt::Write;

use super::column::Kind;
use super::results::Results;
use super::workloads::{MANY_ACTORS, MIB, Place, Workload};

/// The floor that ratios are to.
const FLOORS: [&str; 2] = ["tokio", "mpsc"];
/// Ours.
const OURS: [&str; 2] = ["ours", "ours-within"];

/// One value of a table: of which workload, and where.
type Entry = (Workload, u64);

const BETWEEN: [Entry; 6] = [
    (Workload::Ask, 0),
    (Workload::OneWay, 0),
    (Workload::Asks, 0),
    (Workload::Size, MIB),
    (Workload::Start, 0),
    (Workload::Restart, 0),
];
const WITHIN: [Entry; 8] = [
    (Workload::InAsk, 0),
    (Workload::InTell, 1),
    (Workload::InTell, 4),
    (Workload::InSpawn, MANY_ACTORS),
    (Workload::InBytes, MANY_ACTORS),
    (Workload::InStop, MANY_ACTORS),
    (Workload::InRing, 0),
    (Workload::InFanOut, 0),
];

/// Returns what the tables of systems show.
pub fn entries() -> impl Iterator<Item = (Workload, u64)> {
    BETWEEN.into_iter().chain(WITHIN)
}

/// Writes all tables for which something was measured; those of many points from what was `swept`.
pub fn write(results: &Results, swept: &Results, out: &mut String) {
    for (title, place, entries) in [
        ("Between two processes", Place::Between, &BETWEEN[..]),
        ("In one process", Place::Within, &WITHIN[..]),
    ] {
        let entries: Vec<_> =
            entries.iter().copied().filter(|(workload, x)| results.has(*workload, *x)).collect();
        if !entries.is_empty() {
            let _ = write!(out, "\n## {title}\n\n");
            systems(results, &entries, out);
            ratios(results, &entries, out);
        }
        let many = Workload::ALL.into_iter().filter(|w| w.place() == place && w.describe().points.len() > 2);
        many.for_each(|workload| sweep(swept, workload, out));
    }
}

/// Every column is a row, so that the table is as in other papers.
fn systems(results: &Results, entries: &[Entry], out: &mut String) {
    let titles: Vec<_> = entries.iter().map(|entry| title(*entry)).collect();
    let _ = writeln!(out, "| medians of {} rounds | {} |", results.rounds, titles.join(" | "));
    let _ = writeln!(out, "|---|{}", "---:|".repeat(entries.len()));
    for column in &results.columns {
        let cells: Vec<_> = entries.iter().map(|entry| cell(results, *entry, &column.name)).collect();
        if cells.iter().any(|cell| cell != "none") {
            let title =
                if column.kind == Kind::Floor { format!("*{}*", column.title) } else { column.title.clone() };
            let _ = writeln!(out, "| {title} | {} |", cells.join(" | "));
        }
    }
}

/// Returns what one value is called.
pub fn title((workload, x): Entry) -> String {
    let about = workload.describe();
    match workload {
        Workload::Ask => "ask, one in flight, p50 / p99, us".to_owned(),
        Workload::Size => format!("{}, {}, {}", about.title, readable_size(x), about.unit),
        Workload::InTell | Workload::InSpawn | Workload::InBytes | Workload::InStop => {
            format!("{} {x}, {}", about.title, about.unit)
        }
        _ => format!("{}, {}", about.title, about.unit),
    }
}

fn cell(results: &Results, (workload, x): Entry, column: &str) -> String {
    let Some(value) = results.value(workload, x, column) else { return "none".to_owned() };
    match results.latency(workload, x, column) {
        Some(latency) if workload == Workload::Ask => {
            format!("{} / {}", readable(value), readable(latency.p99_us()))
        }
        _ => readable(value),
    }
}

/// How ours compares: with the floor, and with the best peer, each of the same run.
fn ratios(results: &Results, entries: &[Entry], out: &mut String) {
    let _ = write!(out, "\n| | ours | floor | ours / floor | best peer | its value | ours / best peer |\n");
    let _ = writeln!(out, "|---|---:|---:|---:|---|---:|---:|");
    for (workload, x) in entries.iter().copied() {
        let first = |names: [&str; 2]| names.iter().find_map(|name| results.value(workload, x, name));
        let Some(ours) = first(OURS) else { continue };
        let floor = first(FLOORS);
        let peer = results.best(workload, x, Kind::Peer);
        let show = |value: Option<f64>| value.map_or("none".to_owned(), readable);
        let ratio = |other: Option<f64>| other.map_or(String::new(), |other| format!("{:.2}", ours / other));
        let name = peer.map_or("none", |(_, named)| &named.title);
        let peer = peer.map(|(value, _)| value);
        let cells = [readable(ours), show(floor), ratio(floor), name.to_owned(), show(peer), ratio(peer)];
        let better = if workload.describe().less_is_better { "less" } else { "more" };
        let _ = writeln!(out, "| {} ({better} is better) | {} |", title((workload, x)), cells.join(" | "));
    }
}

/// One workload at all its points.
fn sweep(results: &Results, workload: Workload, out: &mut String) {
    let about = workload.describe();
    let points: Vec<_> = about.points.iter().copied().filter(|x| results.has(workload, *x)).collect();
    let with = |name: &str| points.iter().any(|x| results.value(workload, *x, name).is_some());
    let columns: Vec<_> = results.columns.iter().filter(|column| with(&column.name)).collect();
    if points.is_empty() {
        return;
    }
    let is_timed = matches!(workload, Workload::Load | Workload::Workers);
    let unit = if is_timed { format!("{}; ask p50 / p99, us", about.unit) } else { about.unit.to_owned() };
    let titles: Vec<_> = columns.iter().map(|column| column.title.as_str()).collect();
    let _ = writeln!(out, "\n| {} ({unit}) | {} |", about.title, titles.join(" | "));
    let _ = writeln!(out, "|---:|{}", "---:|".repeat(columns.len()));
    for x in points {
        let cells = columns.iter().map(|column| {
            let value = results.value(workload, x, &column.name).map_or("none".to_owned(), readable);
            match results.latency(workload, x, &column.name) {
                Some(latency) if is_timed => {
                    format!("{value}; {} / {}", readable(latency.p50_us()), readable(latency.p99_us()))
                }
                _ => value,
            }
        });
        let point = if workload == Workload::Size { readable_size(x) } else { x.to_string() };
        let _ = writeln!(out, "| {point} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}

/// Returns three digits, with K and M where there are many.
pub fn readable(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{}M", digits(v / 1e6)),
        v if v >= 1e4 => format!("{}k", digits(v / 1e3)),
        v => digits(v),
    }
}

fn digits(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 1.0 => format!("{v:.2}"),
        v if v >= 0.1 => format!("{v:.3}"),
        v => format!("{v:.5}"),
    }
}

/// Returns bytes as people write them.
pub fn readable_size(bytes: u64) -> String {
    match bytes {
        b if b >= MIB => format!("{} MiB", b / MIB),
        b if b >= 1 << 10 => format!("{} KiB", b >> 10),
        b => format!("{b} B"),
    }
}
