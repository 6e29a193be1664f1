//! Lives of workers: from the order to start one, and from the death of its former life, until it has answered.

use std::time::{Duration, Instant};

use bailiwick::prelude::*;
use bailiwick_supervisor::control::{Client, Outcome, Target, Verb};
use rustix::process::{Pid, Signal, kill_process};

use crate::protocol::EchoRef;

const PATIENCE: Duration = Duration::from_secs(20);

/// Kills a worker from outside, which restarts it, and returns how many milliseconds its replacement took to answer.
pub async fn replaced_ms(client: &Client, name: &str, subject: &EchoRef) -> Result<f64, ActorError> {
    let former = subject.life().ask(PATIENCE).await?;
    let status = client.status()?;
    let row = status.workers.iter().find(|row| row.name == name);
    let pid = row.and_then(|row| Pid::from_raw(row.pid?.try_into().ok()?));
    let began = Instant::now();
    kill_process(pid.ok_or_else(|| ActorError::message("no process"))?, Signal::KILL)?;
    first_answer(subject, former).await;
    Ok(millis(began))
}

/// Kills a worker by an order, which does not restart it, and returns how many milliseconds it takes from the order to
/// start it to its first answer.
pub async fn started_ms(client: &Client, name: &str, subject: &EchoRef) -> Result<f64, ActorError> {
    let former = subject.life().ask(PATIENCE).await?;
    order(client, Verb::Kill(Signal::KILL.as_raw() as u8), name, PATIENCE)?;
    let began = Instant::now();
    // Whoever waited for the answer could not ask meanwhile.
    order(client, Verb::Start, name, Duration::ZERO)?;
    first_answer(subject, former).await;
    Ok(millis(began))
}

fn order(client: &Client, verb: Verb, name: &str, wait: Duration) -> Result<(), ActorError> {
    match client.order(verb, Target::Worker(name.to_owned()), wait)? {
        Outcome::Done | Outcome::TimedOut => Ok(()),
        other => Err(ActorError::message(format!("{verb:?} {name}: {other:?}"))),
    }
}

/// Asks until another life than `former` answers.
async fn first_answer(subject: &EchoRef, former: u64) {
    loop {
        match subject.life().ask(PATIENCE).await {
            Ok(life) if life != former => return,
            // The link may have to hear first that the former life has ended.
            Ok(_) | Err(_) => tokio::task::yield_now().await,
        }
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
