//! Runs the rounds and prints the table.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::workload::{Figures, Samples, Sizes};
use crate::{floor, in_process, ours};

/// One row: what it is, how it is read from the figures, and whether less is better.
type Row = (&'static str, fn(&Figures) -> f64);

const ROWS: [Row; 6] = [
    ("ask, one in flight, p50, us", |f| f.ask_p50_us),
    ("ask, one in flight, p99, us", |f| f.ask_p99_us),
    ("asks, 64 in flight, replies/s", |f| f.pipelined_per_s),
    ("one way, messages/s", |f| f.one_way_per_s),
    ("start of the program to its first answer, ms", |f| f.cold_start_ms),
    ("SIGKILL of a worker to the replacement's answer, ms", |f| f.restart_ms.unwrap_or(f64::NAN)),
];

/// Runs `rounds` rounds of both systems, interleaved, and prints the medians.
pub fn print(sizes: &Sizes, rounds: usize) {
    let (mut floors, mut own, mut asks, mut tells) = (vec![], vec![], vec![], vec![]);
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        floors.push(floor::run(*sizes));
        own.push(run_ours(sizes));
        let (ask_us, tells_per_s) = in_process::run();
        asks.push(ask_us);
        tells.push(tells_per_s);
    }
    println!("| medians of {rounds} rounds, 64-byte messages | tokio Unix stream | Bailiwick | ratio |");
    println!("|---|---:|---:|---:|");
    for (name, read) in ROWS {
        let (floor, ours) = (median(&floors, read), median(&own, read));
        if floor.is_nan() {
            println!("| {name} | | {ours:.2} | |");
        } else {
            println!("| {name} | {floor:.2} | {ours:.2} | {:.2} |", ours / floor);
        }
    }
    println!("| in one process: ask, us | | {:.3} | |", Samples::of(asks).p50());
    println!("| in one process: tells/s | | {:.0} | |", Samples::of(tells).p50());
}

fn median(rounds: &[Figures], read: fn(&Figures) -> f64) -> f64 {
    Samples::of(rounds.iter().map(read).collect()).p50()
}

fn run_ours(sizes: &Sizes) -> Figures {
    let output = myself("ours").stderr(Stdio::null()).output().expect("the benchmark can execute itself");
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|l| l.split_once(ours::MARK)).map(|(_, json)| json);
    let json = line.unwrap_or_else(|| panic!("the program ended with {} and printed: {text}", output.status));
    let mut figures: Figures = serde_json::from_str(json).expect("the front prints figures");
    figures.cold_start_ms = Samples::of((0..sizes.starts).map(|_| cold_start_ms()).collect()).p50();
    figures
}

/// Returns the time from starting the supervisor until its main worker has the echo's first answer.
fn cold_start_ms() -> f64 {
    let start = Instant::now();
    let mut program = myself("ours-start")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the benchmark can execute itself");
    let mut lines = BufReader::new(program.stdout.take().expect("the output is piped")).lines();
    let answered = lines.any(|line| line.is_ok_and(|l| l.contains(ours::MARK)));
    let elapsed = start.elapsed().as_secs_f64() * 1e3;
    assert!(answered, "the program printed its first answer");
    program.wait().expect("the program ends by itself");
    elapsed
}

fn myself(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the executable has a path"));
    command.arg(role);
    command
}
