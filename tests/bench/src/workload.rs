//! What is measured, the same for every system: the message, the amounts, the figures.

use serde::{Deserialize, Serialize};

/// Asks in flight in the pipelined workload.
pub const PIPELINE: u64 = 64;

/// The message of every workload: about 64 bytes encoded.
#[bailiwick::message]
#[derive(Clone)]
pub struct Note {
    /// The number by which every message is counted.
    pub number: u64,
    /// Whether the receiver sends it back.
    pub wants_reply: bool,
    /// The rest of the 64 bytes.
    pub body: [u64; 6],
}

impl Note {
    /// Returns the message of an ask.
    pub fn asking(number: u64) -> Self {
        Self { number, wants_reply: true, body: [u64::MAX; 6] }
    }

    /// Returns the message of a tell.
    pub fn telling(number: u64) -> Self {
        Self { number, wants_reply: false, body: [u64::MAX; 6] }
    }
}

/// How much of each workload one round runs.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Asks with one in flight.
    pub asks: u64,
    /// Asks with 64 in flight.
    pub pipelined: u64,
    /// One-way messages.
    pub tells: u64,
    /// Cold starts.
    pub starts: u32,
    /// Kills of a worker, each followed by asks until its replacement answers.
    pub restarts: u32,
}

/// What one system reached in one round.
#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
pub struct Figures {
    /// One ask in flight, median, microseconds.
    pub ask_p50_us: f64,
    /// One ask in flight, 99th percentile, microseconds.
    pub ask_p99_us: f64,
    /// 64 asks in flight, replies per second.
    pub pipelined_per_s: f64,
    /// One-way messages per second, all counted by the receiver.
    pub one_way_per_s: f64,
    /// From the order to start a worker to its first answer, median, milliseconds.
    pub cold_start_ms: f64,
    /// From SIGKILL to the replacement's first answer, median, milliseconds; only where there is a supervisor.
    pub restart_ms: Option<f64>,
}

/// Measured values in ascending order.
pub struct Samples(Vec<f64>);

impl Samples {
    /// Sorts the values.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// Returns the least, 0 without values.
    pub fn least(&self) -> f64 {
        self.at(0.0)
    }

    /// Returns the tenth percentile, 0 without values.
    pub fn p10(&self) -> f64 {
        self.at(0.10)
    }

    /// Returns the 90th percentile, 0 without values.
    pub fn p90(&self) -> f64 {
        self.at(0.90)
    }

    /// Returns the median, 0 without values.
    pub fn p50(&self) -> f64 {
        self.at(0.50)
    }

    /// Returns the 99th percentile, 0 without values.
    pub fn p99(&self) -> f64 {
        self.at(0.99)
    }

    fn at(&self, share: f64) -> f64 {
        let index = (self.0.len() as f64 * share) as usize;
        self.0.get(index.min(self.0.len().saturating_sub(1))).copied().unwrap_or(0.0)
    }
}
