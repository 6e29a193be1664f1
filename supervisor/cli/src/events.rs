//! `events`: what happened, from the supervisor's bounded memory, and what happens.

use std::time::Duration;

use bailiwick_admin::documents::events::{Told, told};
use bailiwick_admin::words;
use bailiwick_supervisor::control::{Client, ClientError, Event};
use serde::Serialize;

use crate::arguments::Events;
use crate::exit::{Exit, Failure};
use crate::json::{self, SCHEMA_VERSION};
use crate::place;
use crate::screen::Screen;

/// How long one question waits for something to happen.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    events: Vec<Told<'a>>,
}

/// One line of `-f --json`.
#[derive(Serialize)]
struct Line<'a> {
    schema_version: u32,
    #[serde(flatten)]
    event: Told<'a>,
}

pub(crate) fn events(asked: &Events, screen: &Screen) -> Result<Exit, Failure> {
    let mut all = Vec::new();
    each(asked, screen, |event, lost| match (asked.json, asked.follow) {
        (true, false) => all.push((event, lost)),
        (true, true) => {
            let event = told(&event, lost);
            screen.print(&json::line(&Line { schema_version: SCHEMA_VERSION, event }));
        }
        (false, _) => screen.print(&line(&event, lost)),
    })?;
    if asked.json && !asked.follow {
        let events = all.iter().map(|(event, lost)| told(event, *lost)).collect();
        screen.print(&json::document(&Document { schema_version: SCHEMA_VERSION, events }));
    }
    Ok(Exit::Done)
}

/// Hands over each event that is remembered, with how many before it were forgotten, and those that happen if they are
/// followed, until the supervisor ends or nobody looks any more.
pub(crate) fn each(asked: &Events, screen: &Screen, mut take: impl FnMut(Event, u64)) -> Result<(), Failure> {
    let client = Client::connect(&place::find(&asked.place)?)?;
    let mut seen = 0;
    loop {
        let patience = if asked.follow { PATIENCE } else { Duration::ZERO };
        let found = match client.events(seen, patience) {
            // Whoever follows a supervisor to its end has seen what there was to see.
            Err(ClientError::Closed) if asked.follow => return Ok(()),
            found => found?,
        };
        if found.is_empty() && !asked.follow {
            return Ok(());
        }
        for event in found {
            // Numbers begin anew with another supervisor, which has another connection, so that they only grow here.
            let lost = event.number.saturating_sub(seen + 1);
            seen = event.number;
            take(event, lost);
        }
        if screen.is_left_alone() {
            return Ok(());
        }
    }
}

/// Returns an event as a line, behind one that says how many before it were forgotten if some were.
pub(crate) fn line(event: &Event, lost: u64) -> String {
    let lost = if lost > 0 { format!("[{lost} events were forgotten]\n") } else { String::new() };
    format!("{lost}{}  {}", json::time(event.wall), sentence(event))
}

/// Says what happened, in one line.
pub(crate) fn sentence(event: &Event) -> String {
    words::sentence(event) + "\n"
}
