//! Rates of messages over links whose grants and sandboxes differ.

use std::time::Instant;

use bailiwick::prelude::*;
use serde::{Deserialize, Serialize};

use super::system::PATIENCE;
use crate::protocol::EchoRef;
use crate::workload::{Note, Samples};

/// How often everything is measured, in turns.
pub const ROUNDS: usize = 7;
const TELLS: u64 = 500_000;
const ASKS: u64 = 5_000;

/// What was measured over one link.
#[derive(Default, Serialize, Deserialize)]
pub struct Messages {
    /// Who is sent to, and under which grant.
    pub name: String,
    /// One-way messages per second of each round, all of them counted by the receiver.
    pub one_way_per_s: Vec<f64>,
    /// The median of one ask in flight in each round, in microseconds.
    pub ask_us: Vec<f64>,
}

impl Messages {
    /// Returns the median of the one-way rates, per second.
    pub fn one_way(&self) -> f64 {
        Samples::of(self.one_way_per_s.clone()).p50()
    }
}

/// Sends to each in turns.
pub async fn measure(subjects: &[(&str, &EchoRef)]) -> Result<Vec<Messages>, ActorError> {
    let named = |(name, _): &(&str, _)| Messages { name: (*name).to_owned(), ..Messages::default() };
    let mut measured: Vec<_> = subjects.iter().map(named).collect();
    // The first round warms up.
    for round in 0..=ROUNDS {
        for turn in 0..subjects.len() {
            let which = (round + turn) % subjects.len();
            let (rate, ask) = (one_way(subjects[which].1).await?, asks(subjects[which].1).await?);
            if round > 0 {
                measured[which].one_way_per_s.push(rate);
                measured[which].ask_us.push(ask);
            }
        }
    }
    Ok(measured)
}

async fn one_way(echo: &EchoRef) -> Result<f64, ActorError> {
    let began = Instant::now();
    for number in 0..TELLS {
        echo.tell(Note::telling(number)).tell().await?;
    }
    assert_eq!(echo.told().ask(PATIENCE).await?.count, TELLS, "every message was counted");
    Ok(TELLS as f64 / began.elapsed().as_secs_f64())
}

async fn asks(echo: &EchoRef) -> Result<f64, ActorError> {
    let mut samples = Vec::new();
    for number in 0..ASKS {
        let began = Instant::now();
        let reply = echo.echo(Note::asking(number)).ask(PATIENCE).await?;
        samples.push(began.elapsed().as_secs_f64() * 1e6);
        assert_eq!(reply.number, number, "each reply belongs to its ask");
    }
    Ok(Samples::of(samples).p50())
}
