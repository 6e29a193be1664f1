//! What one process is told to measure, and what it answers.

use std::cell::Cell;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::workloads::Workload;

/// One measurement of one column.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Task {
    /// What is measured.
    pub workload: Workload,
    /// Where: bytes, actors, workers, asks in flight or producers, by the workload; 0 where there is one way only.
    pub x: u64,
    /// How long, unless it is a number of times that is measured.
    pub millis: u64,
}

impl Task {
    /// Returns the same task with a tenth of the time, for warming up.
    pub fn shorter(self) -> Self {
        Self { millis: (self.millis / 10).max(1), ..self }
    }

    /// Returns how many other processes take part.
    pub fn others(&self) -> u16 {
        if self.workload == Workload::Workers { self.x as u16 } else { 1 }
    }

    /// Returns as many as the task has time for: `each` in a full round, at least one.
    pub fn times(&self, each: u64) -> u64 {
        (each * self.millis / FULL_MILLIS).max(1)
    }
}

/// How long one measurement of a full round takes.
pub const FULL_MILLIS: u64 = 400;

/// What one process measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// In the workload's unit.
    pub value: f64,
    /// How long single asks took, where they were timed one by one.
    pub latency: Option<Latency>,
}

impl Measured {
    /// Returns a measured value.
    pub fn value(value: f64) -> Self {
        Self { value, latency: None }
    }
}

/// The shares of asks, in millionths, of which it is known how long they took at most.
pub const QUANTILES: [u32; 14] = [
    0, 100_000, 250_000, 500_000, 750_000, 900_000, 950_000, 980_000, 990_000, 995_000, 998_000, 999_000,
    999_900, 1_000_000,
];

/// How long asks took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Latency {
    /// Nanoseconds at each of the [`QUANTILES`].
    pub ns: Vec<f64>,
}

impl Latency {
    /// Returns the median, microseconds.
    pub fn p50_us(&self) -> f64 {
        self.at(500_000)
    }

    /// Returns the 99th percentile, microseconds.
    pub fn p99_us(&self) -> f64 {
        self.at(990_000)
    }

    fn at(&self, share: u32) -> f64 {
        let index = QUANTILES.iter().position(|quantile| *quantile == share);
        index.and_then(|index| self.ns.get(index)).map_or(f64::NAN, |ns| ns / 1e3)
    }
}

/// Collects how long asks take.
pub struct Stopwatch(Histogram<u64>);

impl Stopwatch {
    /// Holds from a nanosecond to a minute, three digits exact.
    pub fn new() -> Self {
        Self(Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("these bounds are good"))
    }

    /// Counts an ask that began then and ends now.
    pub fn stop(&mut self, began: Instant) {
        self.0.saturating_record(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }

    /// Returns what was collected.
    pub fn latency(&self) -> Latency {
        let at = |quantile: &u32| self.0.value_at_quantile(f64::from(*quantile) / 1e6) as f64;
        Latency { ns: QUANTILES.iter().map(at).collect() }
    }
}

/// The time that a measurement may take, seen by a loop that should not look at the clock each time.
pub struct Span {
    began: Instant,
    length: Duration,
    stride: u64,
    passed: Cell<u64>,
    is_over: Cell<bool>,
}

impl Span {
    /// Begins now; the clock is looked at once in `stride` times.
    pub fn new(task: &Task, stride: u64) -> Self {
        let length = Duration::from_millis(task.millis);
        Self { began: Instant::now(), length, stride, passed: Cell::new(0), is_over: Cell::new(false) }
    }

    /// Returns whether there is time for one more, and counts it.
    pub fn more(&self) -> bool {
        let passed = self.passed.get();
        if passed.is_multiple_of(self.stride) && passed > 0 && self.began.elapsed() >= self.length {
            self.is_over.set(true);
        }
        if self.is_over.get() {
            return false;
        }
        self.passed.set(passed + 1);
        true
    }

    /// Returns how many there was time for.
    pub fn passed(&self) -> u64 {
        self.passed.get()
    }

    /// Returns how many there were in a second, from the beginning until now.
    pub fn rate(&self) -> f64 {
        self.passed() as f64 / self.began.elapsed().as_secs_f64()
    }
}
