//! `logs`: what workers printed and the supervisor said, from the supervisor's bounded memory, and what they print.

mod reader;
mod shown;

use std::time::Duration;

use bailiwick_admin::printed::{self, Life, Since, Wanted};
use bailiwick_supervisor::control::{Client, ClientError, Outcome, Target};
use bailiwick_wire::crash::Report;
use bailiwick_wire::log::{NEXT_LINE, SUPERVISOR};

use crate::arguments::Logs;
use crate::exit::{Exit, Failure};
use crate::place;
use crate::screen::Screen;
use crate::status::unknown_among;
pub(crate) use reader::Reader;
use reader::printed_by;
pub(crate) use shown::plain;
use shown::show;

/// The lines that are shown unless it is said how many.
const LINES: usize = 10;

pub(crate) fn logs(asked: &Logs, screen: &Screen) -> Result<Exit, Failure> {
    let client = Client::connect(&place::find(&asked.place)?)?;
    let targets: Vec<_> = asked.names.iter().map(|name| named(&client, name)).collect::<Result<_, _>>()?;
    let crash = if asked.crash { latest(&client, &targets)? } else { None };
    if asked.crash && crash.is_none() {
        screen.say("no crash is remembered\n");
        return Ok(Exit::Done);
    }
    let since = asked.since.map(Since::on_clocks).unwrap_or_default();
    let is_all = asked.since.is_some() || asked.crash;
    let most = asked.lines.unwrap_or(if is_all { usize::MAX } else { LINES });
    let life = crash.as_ref().map(Life::of);
    let mut reader =
        Reader::new(client, Wanted { targets, level: asked.level, actor: asked.actor.clone(), since, life });
    let remembered = reader.remembered(most)?;
    match crash {
        // What it printed may have been forgotten for what was printed since; a report has the last of it.
        Some(report) if remembered.is_empty() => show(printed_by(&report, most), asked.json, screen),
        _ => show(remembered, asked.json, screen),
    }
    while asked.follow && !screen.is_left_alone() {
        match reader.next() {
            Ok(more) => show(more, asked.json, screen),
            // Whoever follows a supervisor to its end has seen what there was to see.
            Err(ClientError::Closed) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Exit::Done)
}

/// Returns whom a name means: a worker that there is or of which lines are remembered, one instance of it, or the supervisor.
fn named(client: &Client, name: &str) -> Result<Target, Failure> {
    let target = printed::named(name);
    let found = match &target {
        // It would stand for everybody.
        Target::Worker(worker) | Target::Instance(worker, _) if worker.is_empty() => {
            Err(ClientError::Refused { outcome: Outcome::UnknownTarget })
        }
        _ => client.log(NEXT_LINE, target.clone(), Duration::ZERO),
    };
    match found {
        Err(ClientError::Refused { outcome: Outcome::UnknownTarget }) => {
            Err(unknown_among(&client.status()?, &[SUPERVISOR], name))
        }
        found => Ok(found.map(|_| target)?),
    }
}

/// Returns the report of the life that was the last to crash, among those that are named.
fn latest(client: &Client, targets: &[Target]) -> Result<Option<Report>, Failure> {
    let everybody = [Target::System];
    let targets = if targets.is_empty() { &everybody } else { targets };
    let mut reports = Vec::new();
    for target in targets.iter().filter(|target| **target != Target::Worker(SUPERVISOR.to_owned())) {
        match client.crashes(target.clone()) {
            // It was removed, and its lines are remembered.
            Err(ClientError::Refused { outcome: Outcome::UnknownTarget }) => {}
            found => reports.extend(found?),
        }
    }
    Ok(reports.into_iter().max_by_key(|report| report.ended.monotonic_ns))
}
