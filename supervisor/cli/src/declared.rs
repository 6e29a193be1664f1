//! What a manifest declares, for commands that look at it without starting anything.

use std::path::{Path, PathBuf};

use bailiwick_supervisor::check::{escape, nearest};
use bailiwick_supervisor::manifest::{self, Options};
use bailiwick_supervisor::spec::{System, Worker};

use crate::exit::Failure;

/// Returns the system of a manifest. What this machine lacks is no reason to refuse: nothing is started.
///
/// # Errors
/// The manifest is refused.
pub(crate) fn load(path: &Path) -> Result<System, Failure> {
    Ok(manifest::load(path, &Options { allow_degraded: true, ..Options::default() })?.system)
}

/// Returns the same, but for what follows where a floor is missing: that is as the manifest says it.
///
/// # Errors
/// As [`load`]; the manifest cannot be read.
pub(crate) fn load_as_written(path: &Path) -> Result<System, Failure> {
    let system = load(path)?;
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::File { path: path.to_owned(), error })?;
    let (written, ..) = manifest::parse(path, &folder(path), text);
    Ok(System { allow_degraded: written.allow_degraded, ..system })
}

/// Returns the folder at which relative paths of a manifest start.
pub(crate) fn folder(path: &Path) -> PathBuf {
    let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    file.parent().map(Path::to_owned).unwrap_or_default()
}

/// Returns the worker of this name, or all of them if none is named.
///
/// # Errors
/// No worker has the name; the nearest one is told.
pub(crate) fn meant<'s>(system: &'s System, name: Option<&str>) -> Result<Vec<&'s Worker>, Failure> {
    let Some(name) = name else { return Ok(system.workers.iter().collect()) };
    match system.workers.iter().find(|worker| worker.name == name) {
        Some(worker) => Ok(vec![worker]),
        None => Err(unknown(system, name)),
    }
}

fn unknown(system: &System, name: &str) -> Failure {
    let names = || system.workers.iter().map(|worker| worker.name.as_str());
    let advice = match nearest(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the workers are: {}", names().collect::<Vec<_>>().join(", ")),
    };
    Failure::UnknownName { name: escape(name), advice }
}
