//! Starts and restarts of a process by hand: what a system costs that has no supervisor of its own.

use std::time::Instant;

use super::task::{Measured, Task};
use crate::workload::Samples;

/// Processes that are started, and that are killed, in a full round.
pub const LIVES: u64 = 20;

/// Starts processes one after the other: `begin` returns after the first answer, and dropping what it returns ends one.
pub async fn starts<T>(task: &Task, begin: impl AsyncFn() -> T) -> Measured {
    let mut times = Vec::new();
    for _ in 0..task.times(LIVES) {
        let began = Instant::now();
        let started = begin().await;
        times.push(millis(began));
        drop(started);
    }
    median(times)
}

/// Kills a process and starts its replacement as soon as it is gone, again and again.
pub async fn restarts<T>(task: &Task, begin: impl AsyncFn() -> T) -> Measured {
    let mut times = Vec::new();
    let mut present = begin().await;
    for _ in 0..task.times(LIVES) {
        let began = Instant::now();
        drop(present);
        present = begin().await;
        times.push(millis(began));
    }
    median(times)
}

/// Returns the median of measured times.
pub fn median(times: Vec<f64>) -> Measured {
    Measured::value(Samples::of(times).p50())
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
