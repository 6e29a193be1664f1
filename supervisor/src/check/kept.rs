//! What descriptors workers are handed, and under which names.

use bailiwick_wire::control::{HANDOFF_NAME, may_be_kept_as};

use super::{Diagnostic, quote};
use crate::spec::{System, Worker};

/// Checks the names of all listeners, and of what each worker is handed.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let listeners: Vec<&str> = system.listeners.iter().map(|listener| listener.name.as_str()).collect();
    let mut found: Vec<_> = faults(&listeners)
        .map(|(index, name, wrong)| {
            let error = Diagnostic::error(format!("{} cannot be the name of this listener", quote(name)));
            error.at_key(format!("listen[{index}].name"), wrong).help("choose another name")
        })
        .collect();
    for worker in &system.workers {
        let names: Vec<&str> = worker.kept.iter().map(String::as_str).collect();
        found.extend(faults(&names).map(|(index, name, wrong)| {
            let error = Diagnostic::error(format!("{} cannot be handed to `{}`", quote(name), worker.name));
            let help = if wrong == TWICE { "remove one of the two" } else { "choose another name" };
            error.at_key(format!("worker.{}.kept[{index}]", worker.name), wrong).help(help)
        }));
        found.extend(kept_by_nobody(system, worker));
    }
    found
}

const TWICE: &str = "the second time";

/// Returns the names under which nothing can be handed on, by their places, and what is wrong with each.
fn faults<'a>(names: &'a [&'a str]) -> impl Iterator<Item = (usize, &'a str, &'static str)> {
    names.iter().enumerate().filter_map(|(index, name)| {
        let wrong = if *name == HANDOFF_NAME {
            "what a worker leaves to its next life is kept under it"
        } else if !may_be_kept_as(name) {
            "expected 1 to 32 letters, digits, `_`, `-` and `.`"
        } else if names[..index].contains(name) {
            TWICE
        } else {
            return None;
        };
        Some((index, *name, wrong))
    })
}

/// What a worker is handed at its start is a listener, or was kept by a worker that it needs. What it kept itself in an
/// earlier life it is handed without asking.
fn kept_by_nobody(system: &System, worker: &Worker) -> Option<Diagnostic> {
    let is_listener = |name: &&String| system.listeners.iter().any(|listener| listener.name == **name);
    let name = worker.kept.iter().find(|name| worker.needs.is_empty() && !is_listener(name))?;
    let error =
        Diagnostic::error(format!("nobody can have kept {} for worker `{}`", quote(name), worker.name))
            .at_key(format!("worker.{}.kept", worker.name), "from workers that it needs, and it needs none");
    Some(error.help(
        "name the worker that keeps it: `needs = [\"WORKER\"]`, or declare it: `[[listen]]`; what it keeps itself comes back by itself",
    ))
}
