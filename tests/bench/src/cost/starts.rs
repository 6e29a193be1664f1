//! Starts: from the order, and from the death of the former life, until the actor has answered for the first time.

use std::path::Path;

use bailiwick::prelude::*;
use bailiwick_supervisor::control::Client;
use serde::{Deserialize, Serialize};

use super::system::{OPEN, SEALED, STATE_DIR};
use crate::compare::columns::stream;
use crate::lives::{replaced_ms, started_ms};
use crate::protocol::EchoRef;

/// Starts of each kind.
const STARTS: usize = 150;

/// Milliseconds of each start.
#[derive(Default, Serialize, Deserialize)]
pub struct Starts {
    sealed: Times,
    open: Times,
    /// Processes of the same executable that answer over a socket, made by the standard library.
    pub plain: Vec<f64>,
}

#[derive(Default, Serialize, Deserialize)]
struct Times {
    ordered: Vec<f64>,
    killed: Vec<f64>,
}

impl Starts {
    /// Returns what each is called, the same everywhere, and its times.
    pub fn rows(&self) -> [(&'static str, &Vec<f64>); 5] {
        [
            ("a sealed worker, from the order to start it", &self.sealed.ordered),
            ("a worker without a sandbox, from the order to start it", &self.open.ordered),
            ("a sealed worker, from the SIGKILL of its former life", &self.sealed.killed),
            ("a worker without a sandbox, from the SIGKILL of its former life", &self.open.killed),
            ("a plain process of the same executable", &self.plain),
        ]
    }
}

/// Starts both workers, and plain processes, in turns.
pub async fn measure(sealed: &EchoRef, open: &EchoRef) -> Result<Starts, ActorError> {
    let client = Client::connect(Path::new(STATE_DIR))?;
    let mut starts = Starts::default();
    for round in 0..STARTS {
        // Each is the first in every third round.
        for turn in 0..3 {
            match (round + turn) % 3 {
                0 => starts.sealed.measure(&client, SEALED, sealed).await?,
                1 => starts.open.measure(&client, OPEN, open).await?,
                _ => starts.plain.push(plain()?),
            }
        }
    }
    Ok(starts)
}

impl Times {
    /// Starts a worker twice: after it was killed from outside, which restarts it, and after it was killed by an order, which
    /// does not.
    async fn measure(&mut self, client: &Client, name: &str, subject: &EchoRef) -> Result<(), ActorError> {
        self.killed.push(replaced_ms(client, name, subject).await?);
        self.ordered.push(started_ms(client, name, subject).await?);
        Ok(())
    }
}

/// Times one plain process, in a thread that is in no executor.
fn plain() -> Result<f64, ActorError> {
    std::thread::spawn(stream::start_ms).join().map_err(|_| ActorError::message("the plain process failed"))
}
