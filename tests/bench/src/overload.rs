//! How long an actor takes to answer while another one in its worker is flooded: for each policy of a full mailbox.
//!
//! One process floods, another one asks. Beside the time without a flood stands the time with the same flood at a worker
//! that nobody asks, because three busy processes on few cores wait for each other whoever is flooded.

use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use bailiwick::Worker;
use bailiwick::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cost::is_root;
use crate::folder::Folder;
use crate::protocol::{EchoRef, Echoing};
use crate::workload::{Note, Samples};

/// The policies, by the names of their workers.
const SINKS: [(&str, OnFull); 4] = [
    ("overload-wait", OnFull::Wait),
    ("overload-reject", OnFull::Reject),
    ("overload-drop-oldest", OnFull::DropOldest),
    ("overload-drop-newest", OnFull::DropNewest),
];
/// Who floods.
const HOSE: &str = "overload-hose";
/// Who asks.
const FRONT: &str = "overload-front";
/// The role of the process that is their supervisor.
pub const ROLE: &str = "overload-system";
/// Where the front writes what it found, seen from the folder that everybody starts in.
const FOUND: &str = "found/found.json";
const FOUND_DIR: &str = "found";
const ROUNDS: usize = 5;
/// Of each measurement.
const SPAN: Duration = Duration::from_millis(400);
/// What the slow one does between two messages.
const SLOWNESS: Duration = Duration::from_millis(1);
const CAPACITY: u32 = 256;
/// Messages that are sent before others of the worker have their turn.
const SLICE: u64 = 64;
const PATIENCE: Duration = Duration::from_secs(30);
/// Keeps the folders apart.
static NUMBERS: AtomicU32 = AtomicU32::new(0);

/// What the slow one is told.
#[protocol]
pub trait Sip {
    /// Takes a note, and its time.
    async fn sip(&mut self, note: Note);
}

#[derive(Default)]
struct Sipper;

impl Sip for Sipper {
    async fn sip(&mut self, _note: Note) {
        tokio::time::sleep(SLOWNESS).await;
    }
}

/// What the one that floods is told.
#[protocol]
pub trait Pour {
    /// Floods this worker for so many milliseconds, and returns how many messages it took or dropped.
    async fn pour(&mut self, cx: &mut Context, target: String, millis: u64) -> u64;
}

#[derive(Default)]
struct Hose;

impl Pour for Hose {
    async fn pour(&mut self, cx: &mut Context, target: String, millis: u64) -> u64 {
        let slow: SipRef = cx.peer(&slow(&target)).expect("it is granted");
        let (began, mut sent) = (Instant::now(), 0);
        while began.elapsed() < Duration::from_millis(millis) {
            for number in 0..SLICE {
                sent += u64::from(slow.sip(Note::telling(number)).tell().await.is_ok());
            }
            tokio::task::yield_now().await;
        }
        sent
    }
}

fn slow(worker: &str) -> String {
    format!("{worker}/slow")
}

/// Returns whether a worker of this name is part of the system.
pub fn is_ours(name: &str) -> bool {
    name == HOSE || name == FRONT || SINKS.iter().any(|(sink, _)| *sink == name)
}

/// Runs as supervisor, or as the worker that the environment names.
pub fn run() -> ExitCode {
    let mut program = Program::new().state_dir("state");
    let mut hose = Sandbox::sealed();
    let mut front = Sandbox::sealed().write(FOUND_DIR).grant(HOSE);
    for (name, on_full) in SINKS {
        let mailbox = Mailbox::bounded(CAPACITY).on_full(on_full);
        let sink = Worker::new(name, Sandbox::sealed())
            .serve(SipRef::serve(Sipper::default).named("slow").mailbox(mailbox))
            .serve(EchoRef::serve(Echoing::default).named("echo"));
        program = program.add(sink);
        hose = hose.grant(slow(name).as_str());
        front = front.grant(format!("{name}/echo").as_str());
    }
    let program = program.worker(HOSE, hose, PourRef::serve(Hose::default)).main(FRONT, front, measure);
    if is_root() { program.run() } else { program.allow_degraded().run() }
}

/// The 99th percentiles of asks to one worker, microseconds, one of each round.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Found {
    quiet: Vec<f64>,
    /// While another worker with the same policy's flood is busy.
    elsewhere: Vec<f64>,
    flooded: Vec<f64>,
    /// Messages a second that the flood was.
    rates: Vec<f64>,
}

async fn measure(cx: Context) -> Result<(), ActorError> {
    let hose: PourRef = cx.peer(HOSE)?;
    let echoes: Vec<EchoRef> =
        SINKS.iter().map(|(name, _)| cx.peer(&format!("{name}/echo"))).collect::<Result<_, _>>()?;
    let mut found = vec![Found::default(); SINKS.len()];
    for round in 0..=ROUNDS {
        for (at, found) in found.iter_mut().enumerate() {
            // Asked while this one's worker is flooded, and while it is not.
            let (own, other) = (&echoes[at], &echoes[(at + 1) % SINKS.len()]);
            let quiet = asks(own, SPAN).await?;
            let (elsewhere, _) = flooded(&hose, SINKS[at].0, other).await?;
            let (near, rate) = flooded(&hose, SINKS[at].0, own).await?;
            // The first round warms all up.
            if round > 0 {
                found.quiet.push(quiet);
                found.elsewhere.push(elsewhere);
                found.flooded.push(near);
                found.rates.push(rate);
            }
        }
    }
    fs::write(FOUND, serde_json::to_string(&found)?)?;
    Ok(())
}

/// Asks while a worker is flooded; returns the percentile, and messages a second of the flood.
async fn flooded(hose: &PourRef, target: &str, asked: &EchoRef) -> Result<(f64, f64), ActorError> {
    let millis = 2 * SPAN.as_millis() as u64;
    let flood = hose.pour(target.to_owned(), millis).ask(PATIENCE);
    let asking = async {
        // The flood has begun, and the mailbox is full.
        tokio::time::sleep(SPAN / 2).await;
        asks(asked, SPAN).await
    };
    let (sent, p99) = futures::future::join(flood, asking).await;
    Ok((p99?, sent? as f64 / SPAN.as_secs_f64() / 2.0))
}

/// Asks one after the other for so long, and returns the 99th percentile of what that took, in microseconds.
async fn asks(echo: &EchoRef, span: Duration) -> Result<f64, ActorError> {
    let (mut times, began) = (Vec::new(), Instant::now());
    while began.elapsed() < span {
        let number = times.len() as u64;
        let asked = Instant::now();
        let answer = echo.echo(Note::asking(number)).ask(PATIENCE).await?;
        times.push(asked.elapsed().as_secs_f64() * 1e6);
        assert_eq!(answer.number, number, "each reply belongs to its ask");
    }
    Ok(Samples::of(times).p99())
}

/// Measures, and prints a table.
pub fn print() {
    let folder = Folder::new("overload", &NUMBERS);
    fs::create_dir(folder.path().join(FOUND_DIR)).expect("the folder is ours");
    let mut system = Command::new(std::env::current_exe().expect("we know ourselves"));
    system.arg(ROLE).current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
    let ended = system.status().expect("we can execute ourselves");
    assert!(ended.success(), "the system ended with {ended}");
    let found = fs::read_to_string(folder.path().join(FOUND)).expect("the front writes what it found");
    let found: Vec<Found> = serde_json::from_str(&found).expect("it writes figures");
    println!(
        "| ask beside a flooded actor, p99, us, median of {ROUNDS} rounds | flood, messages/s | no flood | \
         flood at another worker | flood at its own | beside no flood | beside the flood at another |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for ((name, _), found) in SINKS.iter().zip(found) {
        let [rate, quiet, elsewhere, near] = [found.rates, found.quiet, found.elsewhere, found.flooded]
            .map(|values| Samples::of(values).p50());
        println!(
            "| {} | {rate:.0} | {quiet:.1} | {elsewhere:.1} | {near:.1} | {:.2} | {:.2} |",
            name.trim_start_matches("overload-"),
            near / quiet,
            near / elsewhere
        );
    }
}
