//! `reload`: has the running system take up what has changed in its manifest, and shows what that means.

use bailiwick_supervisor::control::{Client, Outcome, ReloadMode, Verb};
use serde::Serialize;

use crate::arguments::Reload;
use crate::exit::{Exit, Failure};
use crate::place;
use crate::screen::Screen;

/// The shape of the document; a reader of version 1 may rely on every field of it.
const SCHEMA_VERSION: u32 = 1;

/// What the supervisor says of a reload.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Told<'t> {
    schema_version: u32,
    done: bool,
    workers: Vec<Worker<'t>>,
    gains: Vec<Gain<'t>>,
    obstacles: Vec<&'t str>,
    results: Vec<Came<'t>>,
    refused: Option<&'t str>,
    #[serde(skip)]
    rest: Vec<&'t str>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Worker<'t> {
    name: &'t str,
    change: &'t str,
    because: Vec<&'t str>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Gain<'t> {
    worker: &'t str,
    gains: &'t str,
}

/// What came of the order to one worker, where it is not simply done.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Came<'t> {
    worker: &'t str,
    result: &'t str,
}

impl Came<'_> {
    fn is_final(&self) -> bool {
        self.result != "not yet"
    }
}

pub(crate) fn reload(reload: &Reload, screen: &Screen) -> Result<Exit, Failure> {
    let client = Client::connect(&place::find(&reload.place)?)?;
    let mode = match (reload.dry_run, reload.allow_widening) {
        (true, _) => ReloadMode::Plan,
        (false, false) => ReloadMode::Narrow,
        (false, true) => ReloadMode::Widening,
    };
    let (text, outcome) = client.order_with_words(Verb::Reload(mode), reload.timeout)?;
    if outcome == Outcome::InvalidManifest {
        screen.say(&text);
        return Err(refused("the manifest is refused; nothing has changed", outcome));
    }
    let told = Told { done: outcome == Outcome::Done && !reload.dry_run, ..read(&text) };
    for line in &told.rest {
        screen.say(&format!("{line}\n"));
    }
    if reload.json {
        // Strings and flags always have a JSON.
        screen.print(&(serde_json::to_string_pretty(&told).unwrap_or_default() + "\n"));
    } else {
        screen.print(&table(&told));
    }
    match outcome {
        Outcome::Done => Ok(Exit::Done),
        // Each worker's own time was up, or it failed: there is nothing left to wait for.
        Outcome::TimedOut if !told.results.is_empty() && told.results.iter().all(Came::is_final) => {
            Err(refused("taken up, but not by every worker", outcome))
        }
        Outcome::TimedOut => Err(Failure::TimedOut { order: "reload".into(), waited: reload.timeout }),
        Outcome::ShuttingDown if !told.workers.is_empty() => {
            Err(refused("the supervisor was stopped before it was done", outcome))
        }
        Outcome::ShuttingDown => Err(refused("the system is stopping", outcome)),
        Outcome::Refused if !told.results.is_empty() => {
            Err(refused("a worker refused its new args", outcome))
        }
        Outcome::Refused => Err(refused("refused; nothing has changed", outcome)),
        outcome => Err(refused("the supervisor did not understand the order", outcome)),
    }
}

fn refused(reason: &str, outcome: Outcome) -> Failure {
    Failure::Refused { order: "reload".into(), reason: reason.into(), outcome }
}

/// Reads what the supervisor writes: on each line a word, a tabulator, and what it is about.
fn read(text: &str) -> Told<'_> {
    let mut told = Told { schema_version: SCHEMA_VERSION, ..Told::default() };
    for line in text.lines() {
        let mut parts = line.splitn(3, '\t');
        match (parts.next().unwrap_or_default(), parts.next(), parts.next()) {
            ("gains", Some(worker), Some(gains)) => told.gains.push(Gain { worker, gains }),
            ("result", Some(worker), Some(result)) => told.results.push(Came { worker, result }),
            ("obstacle", Some(obstacle), None) => told.obstacles.push(obstacle),
            ("refused", Some(why), None) => told.refused = Some(why),
            (change, Some(name), Some(because)) => {
                let because = because.split(", ").filter(|key| !key.is_empty()).collect();
                told.workers.push(Worker { name, change, because });
            }
            _ => told.rest.push(line),
        }
    }
    told
}

fn table(told: &Told<'_>) -> String {
    let mut out = String::new();
    let width = told.workers.iter().map(|worker| worker.name.chars().count()).max().unwrap_or(0);
    for Worker { name, change, because } in &told.workers {
        let because = because.join(", ");
        out += format!("{change:<12}  {name:<width$}  {because}").trim_end();
        out += "\n";
    }
    let others = told.gains.iter().map(|gain| format!("{:<12}  {}: {}\n", "gains", gain.worker, gain.gains));
    out.extend(others);
    out.extend(told.obstacles.iter().map(|obstacle| format!("{:<12}  {obstacle}\n", "obstacle")));
    out.extend(told.results.iter().map(|one| format!("{:<12}  {}\n", one.result, one.worker)));
    out.extend(told.refused.iter().map(|why| format!("{:<12}  {why}\n", "refused")));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_supervisor_finds_its_place() {
        let text = "warning: odd\nrestarted\tweb\texec, sandbox.preset\nunchanged\tdb\t\ngains\tweb\tmay read /srv\n\
                    obstacle\tno\nresult\tdb\ttimeout\nrefused\twhy\n";
        let told = read(text);
        assert_eq!(told.workers[0].because, ["exec", "sandbox.preset"]);
        assert_eq!(told.workers[1], Worker { name: "db", change: "unchanged", because: vec![] });
        assert_eq!((told.gains[0].worker, told.gains[0].gains), ("web", "may read /srv"));
        assert_eq!((told.obstacles.as_slice(), told.refused), (&["no"][..], Some("why")));
        assert_eq!((told.results[0].worker, told.results[0].result), ("db", "timeout"));
        assert_eq!(told.rest, ["warning: odd"]);
    }
}
