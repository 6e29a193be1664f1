//! `check`: what is wrong with a manifest, and what it allows.

use std::collections::BTreeMap;

use bailiwick_supervisor::check::{
    DescribeError, Described, Diagnostic, Severity, describe, escape, protocols,
};
use bailiwick_supervisor::manifest::{self, Loaded, Options};
use bailiwick_supervisor::spec::{System, Worker};

use crate::arguments::Check;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::screen::Screen;

pub(crate) fn check(check: &Check, screen: &Screen) -> Result<Exit, Failure> {
    let options = Options { allow_degraded: check.allow_degraded, ..Options::default() };
    let Loaded { system, warnings, text } = manifest::load(&check.manifest, &options)?;
    screen.say(&warnings.render(screen.stderr_colour()));
    if !check.do_not_run {
        let found = executables(&system);
        let refused = found.iter().any(|one| one.severity == Severity::Error);
        let found = text.diagnostics(found);
        if refused {
            return Err(found.into());
        }
        screen.say(&found.render(screen.stderr_colour()));
    }
    screen.print(&explain::summary(&system));
    for worker in &system.workers {
        screen.print(&explain::blast_radius(&system, worker));
        if check.explain {
            screen.print(&explain::worker(&system, worker));
        }
    }
    Ok(Exit::Done)
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
