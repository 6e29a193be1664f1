//! `check`: what is wrong with a manifest, and what it allows.

use std::collections::BTreeMap;

use bailiwick_supervisor::check::{
    DescribeError, Described, Diagnostic, Diagnostics, Severity, describe, escape, protocols,
};
use bailiwick_supervisor::manifest::{self, Loaded, Options};
use bailiwick_supervisor::spec::{System, Worker};
use serde::Serialize;

use crate::arguments::Check;
use crate::blast;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::json::{self, SCHEMA_VERSION};
use crate::screen::Screen;

/// What is wrong with a manifest, and what it allows.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    valid: bool,
    system: Option<&'a str>,
    diagnostics: Vec<Found<'a>>,
    workers: Vec<blast::Told<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    severity: &'static str,
    title: &'a str,
    line: Option<usize>,
    labels: Vec<&'a str>,
    notes: &'a [String],
    help: Option<&'a str>,
}

pub(crate) fn check(check: &Check, screen: &Screen) -> Result<Exit, Failure> {
    match examine(check) {
        Ok((system, found)) if check.json => {
            let diagnostics = found.iter().flat_map(told).collect();
            let workers = blast::all(&system);
            let document =
                Document { valid: true, system: Some(&system.name), diagnostics, workers, ..EMPTY };
            screen.print(&json::document(&document));
            Ok(Exit::Done)
        }
        Ok((system, found)) => {
            found.iter().for_each(|found| screen.say(&found.render(screen.stderr_colour())));
            show(&system, check, screen);
            Ok(Exit::Done)
        }
        Err(found) if check.json => {
            screen.print(&json::document(&Document { diagnostics: told(&found), ..EMPTY }));
            Ok(Exit::InvalidManifest)
        }
        Err(found) => Err(found.into()),
    }
}

const EMPTY: Document<'static> = Document {
    schema_version: SCHEMA_VERSION,
    valid: false,
    system: None,
    diagnostics: Vec::new(),
    workers: Vec::new(),
};

/// Returns what a manifest says, with every warning; or why it is refused.
fn examine(check: &Check) -> Result<(System, [Diagnostics; 2]), Diagnostics> {
    let options = Options { allow_degraded: check.allow_degraded, ..Options::default() };
    let Loaded { system, warnings, text } = manifest::load(&check.manifest, &options)?;
    let found = if check.do_not_run { Vec::new() } else { executables(&system) };
    let is_refused = found.iter().any(|one| one.severity == Severity::Error);
    let found = text.diagnostics(found);
    if is_refused { Err(found) } else { Ok((system, [warnings, found])) }
}

fn show(system: &System, check: &Check, screen: &Screen) {
    screen.print(&explain::summary(system));
    for worker in &system.workers {
        screen.print(&explain::blast_radius(system, worker));
        if check.explain {
            screen.print(&explain::worker(system, worker));
        }
    }
}

fn told(found: &Diagnostics) -> Vec<Found<'_>> {
    found.iter().map(|item| told_one(item, found.line(item))).collect()
}

fn told_one(item: &Diagnostic, line: Option<usize>) -> Found<'_> {
    Found {
        severity: if item.severity == Severity::Error { "error" } else { "warning" },
        title: &item.title,
        line,
        labels: item.labels.iter().map(|label| &*label.text).collect(),
        notes: &item.notes,
        help: item.help.as_deref(),
    }
}

/// Asks each executable what it has and compares that with what the manifest says of it.
fn executables(system: &System) -> Vec<Diagnostic> {
    let mut described: BTreeMap<String, Described> = BTreeMap::new();
    let mut found = Vec::new();
    for worker in system.workers.iter().filter(|worker| worker.command.is_none()) {
        match describe(worker) {
            Ok(told) => drop(described.insert(worker.name.clone(), told)),
            Err(error) => found.push(unasked(worker, &error)),
        }
    }
    found.extend(protocols(system, &described));
    found
}

fn unasked(worker: &Worker, error: &DescribeError) -> Diagnostic {
    let key = format!("worker.{}.exec", worker.name);
    let why = escape(&error.to_string());
    if error.is_its_fault() {
        Diagnostic::error(format!("the program of worker `{}` does not say what it has", worker.name))
            .at_key(key, why)
            .help("its `main` must hand over to the runtime; --do-not-run skips this check")
    } else {
        Diagnostic::warning(format!("the program of worker `{}` could not be asked what it has", worker.name))
            .at_key(key, why)
            .help("its actor types, methods and arguments are not checked")
    }
}
