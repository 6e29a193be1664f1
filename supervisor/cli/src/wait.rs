//! `wait`: until workers are ready, or stopped.

use std::time::Instant;

use bailiwick_supervisor::control::{Cause, Client, Goal, Outcome, Row, Target, Verb};

use crate::arguments::{For, Wait};
use crate::exit::{Exit, Failure};
use crate::place;
use crate::status::{is_meant, target, unknown};

pub(crate) fn wait(asked: &Wait) -> Result<Exit, Failure> {
    let client = Client::connect(&place::find(&asked.place)?)?;
    let status = client.status()?;
    let targets = asked.names.iter().map(|name| target(&status, name).ok_or_else(|| unknown(&status, name)));
    let targets: Vec<Target> = targets.collect::<Result<_, _>>()?;
    let until = Instant::now() + asked.timeout;
    let goal = match asked.goal {
        For::Ready => Goal::Ready,
        For::Stopped => Goal::Stopped,
    };
    for (name, target) in asked.names.iter().zip(&targets) {
        let left = until.saturating_duration_since(Instant::now());
        match client.order(Verb::Wait(goal), target.clone(), left)? {
            Outcome::Done => {}
            Outcome::TimedOut => {
                return Err(Failure::NotReached { name: name.clone(), waited: asked.timeout });
            }
            // It will not be ready by itself any more.
            Outcome::GaveUp | Outcome::ShuttingDown => return Ok(Exit::NotReady),
            Outcome::UnknownTarget => return Err(unknown(&status, name)),
            outcome => {
                let reason = "the supervisor did not understand the request".into();
                return Err(Failure::Refused { order: format!("wait {name}"), reason, outcome });
            }
        }
    }
    let [target] = &targets[..] else { return Ok(Exit::Done) };
    if asked.goal == For::Ready {
        return Ok(Exit::Done);
    }
    let status = client.status()?;
    let causes = status.workers.iter().filter(|row| is_meant(row, target)).map(end);
    Ok(causes.max().map_or(Exit::Done, Exit::Of))
}

/// Returns the exit code of a worker as a shell would tell it.
fn end(row: &Row) -> u8 {
    match row.last_cause {
        Some(Cause::Exit(code)) => code,
        Some(Cause::Signal(signal)) => 128 | signal,
        None | Some(Cause::Stopped) => 0,
        Some(_) => 1,
    }
}
