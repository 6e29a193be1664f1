//! Messages between two sealed workers over a socket, over a ring, and over a ring that is looked into before sleeping.
//!
//! `cargo run --release -- ring` runs the three interleaved, checks every reply and every count, and prints medians of the
//! rounds. Compare within one run only.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use bailiwick::prelude::*;

use crate::workload::{Note, Samples};

const KINDS: [&str; 3] = ["socket", "ring", "busy"];
const ROUNDS: usize = 5;
const ASKS: u64 = 20_000;
const PIPELINED: u64 = 200_000;
const TELLS: u64 = 1_000_000;
/// Asks in flight at a time.
const PIPELINE: u64 = 64;
const LARGE: u32 = 500;
const LARGE_BYTES: usize = (1 << 20) - 64;
const BUSY_POLL: Duration = Duration::from_micros(50);
const PATIENCE: Duration = Duration::from_secs(60);
/// Stands before what the front prints for the benchmark.
const MARK: &str = "figures: ";

/// What the other worker does.
#[protocol]
pub trait Carry {
    /// Returns the note.
    async fn echo(&mut self, note: Note) -> Note;
    /// Counts the note.
    async fn tell(&mut self, note: Note);
    /// Counts the bytes, and looks at each.
    async fn large(&mut self, text: String);
    /// Returns what was counted, and starts again at zero.
    async fn told(&mut self) -> u64;
}

#[derive(Default)]
struct Carrying {
    told: u64,
}

impl Carry for Carrying {
    async fn echo(&mut self, note: Note) -> Note {
        note
    }

    async fn tell(&mut self, _note: Note) {
        self.told += 1;
    }

    async fn large(&mut self, text: String) {
        self.told += text.bytes().map(|byte| u64::from(byte - b'a')).sum::<u64>();
    }

    async fn told(&mut self) -> u64 {
        std::mem::take(&mut self.told)
    }
}

/// Tells whether a worker of this name is one of these.
pub fn is_ours(name: &str) -> bool {
    matches!(name, "carrier" | "sender")
}

/// Runs as supervisor of a pair that is linked by this kind, or as one of the pair.
pub fn run(kind: Option<&str>) -> ExitCode {
    let sandbox = || match kind {
        Some("ring") => Sandbox::sealed().trust_domain("pair", Duration::ZERO),
        Some("busy") => Sandbox::sealed().trust_domain("pair", BUSY_POLL),
        _ => Sandbox::sealed(),
    };
    Program::new()
        .worker("carrier", sandbox(), CarryRef::serve(Carrying::default))
        .main("sender", sandbox().grant("carrier"), measure)
        .run()
}

async fn measure(cx: Context) -> Result<(), ActorError> {
    let carrier: CarryRef = cx.peer("carrier")?;
    let mut figures = Vec::new();
    carrier.echo(Note::asking(0)).ask(PATIENCE).await?;
    let mut asks = Vec::with_capacity(ASKS as usize);
    for number in 0..ASKS {
        let start = Instant::now();
        let reply = carrier.echo(Note::asking(number)).ask(PATIENCE).await?;
        asks.push(start.elapsed().as_secs_f64() * 1e6);
        assert_eq!(reply.number, number, "each reply belongs to its ask");
    }
    let asks = Samples::of(asks);
    figures.extend([asks.p50(), asks.p90()]);
    let start = Instant::now();
    let askers = (0..PIPELINE).map(|asker| {
        let carrier = &carrier;
        async move {
            for number in 0..PIPELINED / PIPELINE {
                let number = asker * PIPELINED + number;
                assert_eq!(carrier.echo(Note::asking(number)).ask(PATIENCE).await?.number, number);
            }
            Ok::<_, ActorError>(())
        }
    });
    futures::future::try_join_all(askers).await?;
    figures.push(PIPELINED as f64 / start.elapsed().as_secs_f64() / 1e6);
    let start = Instant::now();
    for number in 0..TELLS {
        carrier.tell(Note::telling(number)).tell().await?;
    }
    assert_eq!(carrier.told().ask(PATIENCE).await?, TELLS, "every message was counted");
    figures.push(TELLS as f64 / start.elapsed().as_secs_f64() / 1e6);
    let start = Instant::now();
    for _ in 0..LARGE {
        carrier.large("b".repeat(LARGE_BYTES)).tell().await?;
    }
    let bytes = LARGE_BYTES as u64 * u64::from(LARGE);
    assert_eq!(carrier.told().ask(PATIENCE).await?, bytes, "every byte was counted");
    figures.push(bytes as f64 / start.elapsed().as_secs_f64() / 1e9);
    println!("{MARK}{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// Measures, and prints a table.
pub fn print() {
    let mut rounds: Vec<Vec<Vec<f64>>> = vec![Vec::new(); KINDS.len()];
    for _ in 0..ROUNDS {
        for (kind, figures) in KINDS.iter().zip(&mut rounds) {
            figures.push(one_round(kind));
        }
    }
    println!("| link | ask p50 µs | p90 µs | 64 asks in flight, M/s | one way, M/s | 1 MiB, GB/s |");
    println!("|---|---:|---:|---:|---:|---:|");
    for (kind, figures) in KINDS.iter().zip(&rounds) {
        let median = |at: usize| Samples::of(figures.iter().map(|round| round[at]).collect()).p50();
        let shown: Vec<String> = (0..5).map(|at| format!("{:.2}", median(at))).collect();
        println!("| {kind} | {} |", shown.join(" | "));
    }
}

fn one_round(kind: &str) -> Vec<f64> {
    let own = std::env::current_exe().expect("it runs");
    let output = Command::new(own).args(["ours-ring", kind]).stderr(Stdio::inherit()).output();
    let text = String::from_utf8(output.expect("we run ourselves").stdout).expect("it prints text");
    let figures = text.lines().find_map(|line| line.split_once(MARK)).expect("it prints figures").1;
    serde_json::from_str(figures).expect("it prints them so")
}
