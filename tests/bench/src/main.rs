//! Asks, tells, starts and restarts between two processes, beside a floor of the same run.
//!
//! `cargo run --release` runs both systems interleaved, checks every reply and every count, and prints the median
//! of the rounds with the ratio to the floor. Compare only within one run: the machine sets the absolute times.

mod floor;
mod in_process;
mod ours;
mod protocol;
mod report;
mod workload;

use std::process::ExitCode;

use workload::Sizes;

const SIZES: Sizes = Sizes { asks: 20_000, pipelined: 200_000, tells: 1_000_000, starts: 20, restarts: 10 };
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    if bailiwick::Program::is_worker() {
        // A worker's first argument is its name.
        let starting = std::env::args().next().is_some_and(|name| name == ours::STARTER);
        return if starting { ours::start() } else { ours::run(SIZES) };
    }
    match std::env::args().nth(1).as_deref() {
        Some("floor-echo") => floor::echo(),
        Some("ours") => return ours::run(SIZES),
        Some("ours-start") => return ours::start(),
        _ => report::print(&SIZES, ROUNDS),
    }
    ExitCode::SUCCESS
}
