//! Asks, tells, starts and restarts between two processes, beside a floor of the same run.
//!
//! `cargo run --release` runs both systems interleaved, checks every reply and every count, and prints the median
//! of the rounds with the ratio to the floor; `cargo run --release -- many` does so for 200 workers, `-- gallery` asks
//! the gallery for thumbnails, and `-- cost` says what isolation costs. Compare only within one run: the machine sets the absolute times.

mod cost;
mod floor;
mod gallery;
mod in_process;
mod many;
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
        let name = std::env::args().next().unwrap_or_default();
        return match name.split('.').next() {
            Some(many::NAME) => many::run(None),
            Some(name) if cost::is_ours(name) => cost::run(),
            Some(ours::STARTER) => ours::start(),
            _ => ours::run(SIZES),
        };
    }
    match std::env::args().nth(1).as_deref() {
        Some("floor-echo") => floor::echo(),
        Some("ours") => return ours::run(SIZES),
        Some("ours-start") => return ours::start(),
        Some("many") => many::print(),
        Some("gallery") => gallery::print(),
        Some("cost") => cost::print(),
        Some("cost-system") => return cost::run(),
        Some("ours-many") => return many::run(std::env::args().nth(2).as_deref()),
        Some("floor-many") => many::floor(),
        _ => report::print(&SIZES, ROUNDS),
    }
    ExitCode::SUCCESS
}
