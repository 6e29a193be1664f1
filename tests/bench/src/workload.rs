//! What is sent and how measured values are summed up, the same for every benchmark here.

/// The message of every workload: about 64 bytes encoded.
#[bailiwick::message]
#[derive(Clone, Copy, Debug)]
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

/// What a receiver counted.
#[bailiwick::message]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Messages.
    pub count: u64,
    /// The sum of their numbers, or of their contents, modulo 2^64: none came twice in another's place.
    pub sum: u64,
}

impl Told {
    /// Counts one message.
    pub fn add(&mut self, sum: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(sum);
    }
}

/// Returns the executor that every system is given: one thread.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built")
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
