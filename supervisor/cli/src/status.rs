//! `status`: every worker, and why it is as it is.

mod table;
mod usage;

use std::time::Duration;

use bailiwick_admin::documents::status::{Seen, document};
pub(crate) use bailiwick_admin::whom::{is_meant, target};
use bailiwick_supervisor::check::{escape, nearest};
use bailiwick_supervisor::control::{Client, ClientError, Row, State, Status as Found, Target};

use crate::arguments::Status;
use crate::crashes::{latest, latest_document};
use crate::exit::{Exit, Failure};
use crate::json;
use crate::place;
use crate::screen::Screen;
pub(crate) use table::{head, painted, particulars, size, title};
pub(crate) use usage::usage;

pub(crate) fn status(status: &Status, screen: &Screen) -> Result<Exit, Failure> {
    let client = Client::connect(&place::find(&status.place)?)?;
    let (mut exit, mut seen) = look(status, screen, &client)?;
    while status.watch && !screen.is_left_alone() {
        // Uptimes change even if nothing happens.
        let looked = client.events(seen, GLANCE).map_err(Failure::from);
        (exit, seen) = match looked.and_then(|_| look(status, screen, &client)) {
            // Whoever watches a supervisor to its end has seen what there was to see.
            Err(Failure::Control(ClientError::Closed)) => break,
            looked => looked?,
        };
    }
    Ok(exit)
}

/// Shows it once. Returns what that means for the exit code, and the last event before it.
fn look(status: &Status, screen: &Screen, client: &Client) -> Result<(Exit, u64), Failure> {
    let found = client.status()?;
    Ok((show(status, screen, client, &found)?, found.supervisor.last_event))
}

/// Returns the table of some of the workers, without colours.
pub(crate) fn table(found: &Found, seen: &[Seen<'_>]) -> String {
    table::table(found, seen, false)
}

/// How long `--watch` shows the same.
const GLANCE: Duration = Duration::from_secs(2);

/// The lines of output that are shown of one worker.
pub(crate) const LINES: usize = 10;

fn show(status: &Status, screen: &Screen, client: &Client, found: &Found) -> Result<Exit, Failure> {
    let targets = status.names.iter().map(|name| target(found, name).ok_or_else(|| unknown(found, name)));
    let targets: Vec<Target> = targets.collect::<Result<_, _>>()?;
    let meant = |row: &&Row| targets.is_empty() || targets.iter().any(|target| is_meant(row, target));
    let rows = found.workers.iter().filter(meant);
    let seen: Vec<Seen<'_>> = rows.map(|row| usage::seen(found, row)).collect();
    let (lines, reports) = match &targets[..] {
        [one] => {
            let lines = client.lines(one.clone())?;
            (Some(lines[lines.len().saturating_sub(LINES)..].to_vec()), client.crashes(one.clone())?)
        }
        _ => (None, Vec::new()),
    };
    if status.json {
        let told = document(found, &seen, lines.as_deref(), latest_document(&reports));
        screen.print(&if status.watch { json::line(&told) } else { json::document(&told) });
    } else {
        let clear = if status.watch && screen.stdout_colour() { "\x1b[H\x1b[2J" } else { "" };
        screen.print(&format!("{clear}{}", table::table(found, &seen, screen.stdout_colour())));
        if !targets.is_empty() {
            screen.print(&table::particulars(&seen));
        }
        screen.print(&latest(&reports).unwrap_or_default());
        for line in lines.iter().flatten() {
            screen.print(&format!("  | {line}\n"));
        }
    }
    let asked = status.check || !targets.is_empty();
    let down = seen.iter().any(|seen| !matches!(seen.row.state, State::Ready | State::Done));
    Ok(if asked && down { Exit::NotReady } else { Exit::Done })
}

/// Says that nobody has a name, and who was perhaps meant.
pub(crate) fn unknown(found: &Found, name: &str) -> Failure {
    unknown_among(found, &[], name)
}

/// Says that neither a worker nor any of `others` has a name, and who was perhaps meant.
pub(crate) fn unknown_among(found: &Found, others: &[&str], name: &str) -> Failure {
    let mut names: Vec<&str> = found.workers.iter().map(|row| row.name.as_str()).collect();
    names.dedup();
    names.extend(others);
    let advice = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the workers are: {}", names.join(", ")),
    };
    Failure::UnknownName { name: escape(name), advice }
}

#[cfg(test)]
mod tests {
    use bailiwick_admin::sample::sample;

    use super::*;

    #[test]
    fn an_unknown_name_is_answered_by_the_nearest_or_by_all() {
        let found = sample();
        assert_eq!(unknown(&found, "bindr").advice().as_deref(), Some("did you mean `binder`?"));
        assert_eq!(unknown(&found, "files").advice().as_deref(), Some("the workers are: binder, web"));
        assert_eq!(unknown(&found, "\u{1b}[31m").to_string(), "no worker is called `\\u{1b}[31m`");
        assert_eq!(unknown(&found, "x").exit(), Exit::UnknownName);
    }
}
