//! `blast`: what whoever took over a worker could reach, and whom its ends stop. Nothing is started for it.

use bailiwick_supervisor::check::{self, Why, escape, nearest};
use bailiwick_supervisor::manifest::{self, Options};
use bailiwick_supervisor::spec::{System, Worker};
use serde::Serialize;

use crate::arguments::Blast;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::json::{self, SCHEMA_VERSION};
use crate::screen::Screen;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    system: &'a str,
    workers: Vec<Told<'a>>,
}

#[derive(Serialize)]
pub(crate) struct Told<'a> {
    worker: &'a str,
    privileged: bool,
    may_call: Vec<String>,
    authority: Vec<String>,
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

pub(crate) fn blast(asked: &Blast, screen: &Screen) -> Result<Exit, Failure> {
    let loaded = manifest::load(&asked.manifest, &Options { allow_degraded: true, ..Options::default() })?;
    let system = loaded.system;
    let is_meant = |worker: &&Worker| asked.worker.as_ref().is_none_or(|name| worker.name == *name);
    let meant: Vec<&Worker> = system.workers.iter().filter(is_meant).collect();
    if let (Some(name), true) = (&asked.worker, meant.is_empty()) {
        let names = || system.workers.iter().map(|worker| worker.name.as_str());
        let advice = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the workers are: {}", names().collect::<Vec<_>>().join(", ")),
        };
        return Err(Failure::UnknownName { name: escape(name), advice });
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
    screen.print(&json::document(&Document { schema_version: SCHEMA_VERSION, system, workers }));
    Ok(Exit::Done)
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
