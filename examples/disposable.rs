//! A fresh process for each message, beside processes that stay: what the first costs the asker.
//!
//! All workers do the same work and have as many instances. While one fresh process is replaced the pool sends to another,
//! so an asker that is not faster than the starts waits for none of them; a spare, made in advance, makes up for one that
//! is. Run with `cargo run --release -p bailiwick-examples --bin disposable`.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bailiwick::prelude::*;
use bailiwick::{Program, Worker};

/// Work that takes a while.
#[protocol]
pub trait Labour {
    /// Is busy for so many microseconds, and says in which process.
    async fn toil(&mut self, micros: u64) -> u32;
}

struct Labourer;

impl Labour for Labourer {
    async fn toil(&mut self, micros: u64) -> u32 {
        let until = Instant::now() + Duration::from_micros(micros);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        std::process::id()
    }
}

/// The workers: their processes stay, are made after each message, or wait behind the present one.
const WORKERS: [&str; 3] = ["lasting", "fresh", "spared"];
/// Asks of each worker in each manner.
const ASKS: usize = 200;
/// What one ask takes to answer, about as long as a small picture takes to shrink.
const WORK: Duration = Duration::from_millis(5);

/// How the workers are asked.
struct Manner {
    name: &'static str,
    /// From one answer to the next ask.
    pause: Duration,
    /// Asks of one worker until it is the next one's turn, so that whatever else the machine does meets all.
    row: usize,
}

const MANNERS: [Manner; 2] = [
    Manner { name: "10 ms from answer to ask", pause: Duration::from_millis(10), row: 1 },
    Manner { name: "one ask after another", pause: Duration::ZERO, row: 40 },
];

async fn measure(cx: Context) -> Result<(), ActorError> {
    let workers: Vec<LabourRef> = WORKERS.into_iter().map(|name| cx.peer(name)).collect::<Result<_, _>>()?;
    for manner in &MANNERS {
        let (mut times, mut processes) = (WORKERS.map(|_| Vec::new()), WORKERS.map(|_| BTreeSet::new()));
        for _ in 0..ASKS / manner.row {
            for (index, worker) in workers.iter().enumerate() {
                for _ in 0..manner.row {
                    let began = Instant::now();
                    let call = worker.toil(WORK.as_micros() as u64);
                    let process = call.ask(Duration::from_secs(10)).await?;
                    times[index].push(began.elapsed());
                    processes[index].insert(process);
                    tokio::time::sleep(manner.pause).await;
                }
            }
        }
        println!("{}:", manner.name);
        println!(
            "{:8} {:>9} {:>8} {:>8} {:>8} {:>10}",
            "worker", "processes", "p50 ms", "p90 ms", "p99 ms", "p50 ratio"
        );
        let mut lasting = None;
        for (name, (mut times, processes)) in WORKERS.into_iter().zip(times.into_iter().zip(processes)) {
            times.sort();
            let at = |permille: usize| times[ASKS * permille / 1000].as_secs_f64() * 1000.0;
            let (p50, p90, p99) = (at(500), at(900), at(990));
            let ratio = p50 / *lasting.get_or_insert(p50);
            println!("{name:8} {:>9} {p50:>8.2} {p90:>8.2} {p99:>8.2} {ratio:>10.2}", processes.len());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let worker =
        |name: &str| Worker::new(name, Sandbox::sealed()).instances(3).serve(LabourRef::serve(|| Labourer));
    let asker = Sandbox::sealed().grant("lasting").grant("fresh").grant("spared");
    Program::new()
        .add(worker("lasting"))
        .add(worker("fresh").max_messages(1))
        .add(worker("spared").max_messages(1).spare())
        .main("main", asker, measure)
        .run()
}
