//! Starts: from the order, and from the death of the former life, until the actor has answered for the first time.

use std::path::Path;
use std::time::{Duration, Instant};

use bailiwick::prelude::*;
use bailiwick_supervisor::control::{Client, Outcome, Target, Verb};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::system::{OPEN, PATIENCE, SEALED, STATE_DIR};
use crate::floor;
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
        let former = subject.life().ask(PATIENCE).await?;
        let status = client.status()?;
        let row = status.workers.iter().find(|row| row.name == name);
        let pid = row.and_then(|row| Pid::from_raw(row.pid?.try_into().ok()?));
        let began = Instant::now();
        kill_process(pid.ok_or_else(|| ActorError::message("no process"))?, Signal::KILL)?;
        let former = first_answer(subject, former).await;
        self.killed.push(millis(began));
        order(client, Verb::Kill(Signal::KILL.as_raw() as u8), name, PATIENCE)?;
        let began = Instant::now();
        // Whoever waited for the answer could not ask meanwhile.
        order(client, Verb::Start, name, Duration::ZERO)?;
        first_answer(subject, former).await;
        self.ordered.push(millis(began));
        Ok(())
    }
}

fn order(client: &Client, verb: Verb, name: &str, wait: Duration) -> Result<(), ActorError> {
    match client.order(verb, Target::Worker(name.to_owned()), wait)? {
        Outcome::Done | Outcome::TimedOut => Ok(()),
        other => Err(ActorError::message(format!("{verb:?} {name}: {other:?}"))),
    }
}

/// Asks until another life than `former` answers, and returns which.
async fn first_answer(subject: &EchoRef, former: u64) -> u64 {
    loop {
        match subject.life().ask(PATIENCE).await {
            Ok(life) if life != former => return life,
            // The link may have to hear first that the former life has ended.
            Ok(_) | Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Times one plain process, in a thread that is in no executor.
fn plain() -> Result<f64, ActorError> {
    std::thread::spawn(floor::cold_start_ms)
        .join()
        .map_err(|_| ActorError::message("the plain process failed"))
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
