//! A fresh process for each message, beside processes that stay: what the first costs the asker.
//!
//! Both workers do the same work and have as many instances. While one fresh process is replaced the pool sends to another,
//! so an asker that is not faster than the starts waits for none of them. Run with `cargo run --release -p bailiwick-examples --bin disposable`.

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

/// Asks of each worker.
const ASKS: usize = 200;
/// What one ask takes to answer, about as long as a small picture takes to shrink.
const WORK: Duration = Duration::from_millis(5);
/// From one ask to the next.
const PAUSE: Duration = Duration::from_millis(10);

async fn measure(cx: Context) -> Result<(), ActorError> {
    let workers: [LabourRef; 2] = [cx.peer("lasting")?, cx.peer("fresh")?];
    let (mut times, mut processes) = ([Vec::new(), Vec::new()], [BTreeSet::new(), BTreeSet::new()]);
    // In turns, so that whatever else the machine does meets both.
    for _ in 0..ASKS {
        for (index, worker) in workers.iter().enumerate() {
            let began = Instant::now();
            let call = worker.toil(WORK.as_micros() as u64);
            let process = call.ask(Duration::from_secs(10)).await?;
            times[index].push(began.elapsed());
            processes[index].insert(process);
            tokio::time::sleep(PAUSE).await;
        }
    }
    println!(
        "{:8} {:>9} {:>8} {:>8} {:>8} {:>8}",
        "worker", "processes", "p50 ms", "p90 ms", "p99 ms", "max ms"
    );
    let mut medians = [0.0; 2];
    for (index, name) in ["lasting", "fresh"].into_iter().enumerate() {
        times[index].sort();
        let at = |permille: usize| {
            let place = (ASKS * permille / 1000).min(ASKS - 1);
            times[index][place].as_secs_f64() * 1000.0
        };
        medians[index] = at(500);
        let (p90, p99, max) = (at(900), at(990), at(1000));
        let count = processes[index].len();
        println!("{name:8} {count:>9} {:>8.2} {p90:>8.2} {p99:>8.2} {max:>8.2}", at(500));
    }
    println!("fresh to lasting, p50: {:.2}", medians[1] / medians[0]);
    Ok(())
}

fn main() -> ExitCode {
    let worker =
        |name: &str| Worker::new(name, Sandbox::sealed()).instances(3).serve(LabourRef::serve(|| Labourer));
    Program::new()
        .add(worker("lasting"))
        .add(worker("fresh").max_messages(1))
        .main("main", Sandbox::sealed().grant("lasting").grant("fresh"), measure)
        .run()
}
