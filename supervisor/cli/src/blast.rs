//! `blast`: what whoever took over a worker could reach, and whom its ends stop. Nothing is started for it.

mod facts;

use std::path::Path;

use bailiwick_supervisor::check::{self, Why};
use bailiwick_supervisor::spec::{System, Worker};
use serde::Serialize;

use crate::arguments::Blast;
use crate::declared;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::json::{self, SCHEMA_VERSION};
use crate::screen::Screen;
use crate::subject::{self, Source};

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    system: &'a str,
    #[serde(flatten)]
    source: Source,
    workers: Vec<Told<'a>>,
}

#[derive(Serialize)]
pub(crate) struct Told<'a> {
    worker: &'a str,
    privileged: bool,
    may_call: Vec<String>,
    authority: Vec<String>,
    /// The names of the secrets that it is handed.
    credentials: Vec<&'a str>,
    /// Variables that it is given as the supervisor has them.
    passed_variables: &'a [String],
    /// Workers whose links with it are memory that both write.
    shares_memory_with: Vec<&'a str>,
    /// Whether it goes on after it has broken the rules of a link, as the profile for development allows.
    is_only_told: bool,
    stops: Vec<Stopped>,
    stops_everything: Option<&'static str>,
    holds_up: Vec<String>,
    sentence: String,
}

#[derive(Serialize)]
struct Stopped {
    worker: String,
    when: &'static str,
}

/// What is different from a file that was written before.
#[derive(Serialize)]
struct Difference {
    schema_version: u32,
    /// What holds now and did not when the file was written.
    gained: Vec<String>,
    /// What held when the file was written and does not now.
    lost: Vec<String>,
}

pub(crate) fn blast(asked: &Blast, screen: &Screen) -> Result<Exit, Failure> {
    let subject = subject::find(&asked.subject, screen)?;
    let (system, source) = subject.load(declared::load, screen)?;
    let meant = declared::meant(&system, subject.worker.as_deref())?;
    let facts = || facts::of(&system, &meant, &declared::folder(&subject.manifest));
    if let Some(path) = &asked.write {
        let text = facts::file(&system, &facts());
        std::fs::write(path, text).map_err(|error| Failure::File { path: path.clone(), error })?;
        return Ok(Exit::Done);
    }
    if let Some(path) = &asked.compare {
        return compare(path, &facts(), subject.worker.as_deref(), asked.json, screen);
    }
    if !asked.json {
        for worker in meant {
            screen.print(&explain::blast_radius(&system, worker));
        }
        return Ok(Exit::Done);
    }
    let told = |worker: &Told<'_>| meant.iter().any(|one| one.name == worker.worker);
    let workers = all(&system).into_iter().filter(told).collect();
    let system = &system.name;
    screen.print(&json::document(&Document { schema_version: SCHEMA_VERSION, system, source, workers }));
    Ok(Exit::Done)
}

/// Says what has changed since the file was written; that is a failure, whichever way it went.
fn compare(
    path: &Path,
    now: &[String],
    worker: Option<&str>,
    json: bool,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::File { path: path.to_owned(), error })?;
    let before = facts::read(&text).ok_or_else(|| Failure::NotWritten { path: path.to_owned() })?;
    // Of one worker only what is said of it is compared.
    let is_meant = |fact: &&str| worker.is_none_or(|name| facts::is_of(fact, name));
    let before: Vec<&str> = before.into_iter().filter(is_meant).collect();
    let missing = |fact: &&String| !before.contains(&fact.as_str());
    let gained: Vec<String> = now.iter().filter(missing).cloned().collect();
    let gone = before.iter().filter(|fact| !now.iter().any(|one| one == *fact));
    let lost: Vec<String> = gone.map(|fact| (*fact).to_owned()).collect();
    let exit = if gained.is_empty() && lost.is_empty() { Exit::Done } else { Exit::Failed };
    if json {
        screen.print(&json::document(&Difference { schema_version: SCHEMA_VERSION, gained, lost }));
    } else {
        let [green, red, end] =
            if screen.stdout_colour() { ["\x1b[32m", "\x1b[31m", "\x1b[0m"] } else { [""; 3] };
        // What is gained is the danger here.
        gained.iter().for_each(|fact| screen.print(&format!("{red}+ {fact}{end}\n")));
        lost.iter().for_each(|fact| screen.print(&format!("{green}- {fact}{end}\n")));
    }
    Ok(exit)
}

/// Returns what is to be told of every worker.
pub(crate) fn all(system: &System) -> Vec<Told<'_>> {
    let blasts = check::blast(system);
    let of = |worker: &Worker| blasts.iter().find(|blast| blast.worker == worker.name);
    let known = system.workers.iter().filter_map(|worker| Some((worker, of(worker)?)));
    let stopped = |(worker, why): &(String, Why)| Stopped { worker: worker.clone(), when: when(why) };
    let told = known.map(|(worker, blast)| Told {
        worker: &worker.name,
        privileged: worker.privileged,
        may_call: explain::calls(system, worker),
        authority: explain::authority(&worker.sandbox),
        credentials: worker.credentials.keys().map(String::as_str).collect(),
        passed_variables: &worker.pass_environment,
        shares_memory_with: system.sharers(worker),
        is_only_told: explain::is_only_told(system, worker),
        stops: blast.stops.iter().map(stopped).collect(),
        stops_everything: blast.everything.as_ref().map(when),
        holds_up: blast.holds_up.clone(),
        sentence: explain::blast_radius(system, worker).trim().to_owned(),
    });
    told.collect()
}

/// Says at which of its ends a worker stops another.
fn when(why: &Why) -> &'static str {
    match why {
        Why::Together { .. } => "each failure",
        Why::Escalates { .. } => "budget spent",
        Why::Finishes { .. } => "done",
        Why::Essential { .. } => "given up",
        _ => "other",
    }
}
