//! Which manifest `explain` and `blast` are about: one that is named, the one that a running system took up, or the one here.

use std::path::{Path, PathBuf};

use bailiwick_supervisor::check::escape;
use bailiwick_supervisor::control::{Client, ClientError, Head};
use bailiwick_supervisor::manifest;
use bailiwick_supervisor::spec::System;
use nix::errno::Errno;
use serde::Serialize;

use crate::arguments;
use crate::exit::Failure;
use crate::place;
use crate::screen::Screen;

/// What is looked at where no system runs.
pub(crate) const HERE: &str = "bailiwick.toml";

/// A manifest, and what of it is meant.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) manifest: PathBuf,
    /// One worker; without, all of them.
    pub(crate) worker: Option<String>,
    /// The supervisor that took it up, if one was asked.
    pub(crate) runs: Option<Head>,
}

/// Where that which a document tells is from.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Source {
    manifest: String,
    /// Null if no running system was asked.
    is_what_runs: Option<bool>,
}

/// Finds out which manifest is meant.
///
/// # Errors
/// A worker is named, and the system that is meant does not answer or has no manifest.
pub(crate) fn find(asked: &arguments::Subject, screen: &Screen) -> Result<Subject, Failure> {
    let alone = asked.worker.is_none().then(|| worker_of(&asked.subject)).flatten();
    match alone {
        Some(worker) => of_worker(worker, asked, screen),
        None if asked.place.is_named() => Err(Failure::ManifestAndSystem),
        None => Ok(Subject { manifest: asked.subject.clone(), worker: asked.worker.clone(), runs: None }),
    }
}

/// Returns the worker that a word names, as `web` or `web.2`: anything else is the path of a manifest. What lies in the
/// folder does not matter, so that the same words always mean the same.
fn worker_of(word: &Path) -> Option<&str> {
    let word = word.to_str()?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let name = word.rsplit_once('.').filter(|(_, instance)| number(instance)).map_or(word, |(name, _)| name);
    manifest::is_name(name).then_some(name)
}

fn of_worker(worker: &str, asked: &arguments::Subject, screen: &Screen) -> Result<Subject, Failure> {
    let worker = Some(worker.to_owned());
    let here = |manifest: PathBuf| {
        screen.say(&format!("no system runs; this is what {} declares\n", quoted(&manifest)));
        Ok(Subject { manifest, worker: worker.clone(), runs: None })
    };
    let state_dir = match place::find(&asked.place) {
        Err(Failure::NoSystem { .. }) if Path::new(HERE).exists() => return here(PathBuf::from(HERE)),
        found => found?,
    };
    let client = match (Client::connect(&state_dir), &asked.place.manifest) {
        (Err(error), Some(named)) if is_nobody(&error) => return here(named.clone()),
        (Err(error), None) if is_nobody(&error) && !asked.place.is_named() && Path::new(HERE).exists() => {
            return here(PathBuf::from(HERE));
        }
        (client, _) => client?,
    };
    let status = client.status()?;
    let head = status.supervisor;
    let Some(manifest) = status.manifest else { return Err(Failure::NoManifest { name: head.name }) };
    Ok(Subject { manifest: PathBuf::from(manifest), worker, runs: Some(head) })
}

/// Tells whether nobody listens at a socket, or there is none.
fn is_nobody(error: &ClientError) -> bool {
    matches!(error, ClientError::Unreachable { errno: Errno::ENOENT | Errno::ECONNREFUSED, .. })
}

impl Subject {
    /// Loads the manifest, and says aloud if it is not what runs, or would be something else for whoever asks.
    ///
    /// # Errors
    /// The manifest is refused.
    pub(crate) fn load(
        &self,
        load: impl FnOnce(&Path) -> Result<System, Failure>,
        screen: &Screen,
    ) -> Result<(System, Source), Failure> {
        let source =
            |is_what_runs| Source { manifest: self.manifest.to_string_lossy().into_owned(), is_what_runs };
        let Some(head) = &self.runs else { return Ok((load(&self.manifest)?, source(None))) };
        let (name, path) = (escape(&head.name), quoted(&self.manifest));
        let loaded = load(&self.manifest).inspect_err(|_| {
            screen.say(&format!("system {name} runs what {path} held before\n"));
        });
        let system = loaded?;
        let is_what_runs = system.manifest == head.manifest;
        if !is_what_runs {
            screen.say(&format!(
                "{path} has changed since system {name} took it up: this is what it says now, and not what runs; \
                 `bailiwick reload --dry-run` shows the difference\n"
            ));
        }
        let own = nix::unistd::geteuid().as_raw();
        if head.uid != own {
            screen.say(&format!(
                "system {name} runs as user {}: this is what it would be for user {own}\n",
                head.uid
            ));
        }
        let system = System { allow_degraded: head.degraded, ..system };
        Ok((system, source(Some(is_what_runs))))
    }
}

fn quoted(path: &Path) -> String {
    escape(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_worker_or_the_path_of_a_manifest_by_its_form_alone() {
        for (word, worker) in [
            ("web", Some("web")),
            ("web.2", Some("web")),
            ("a-b_c", Some("a-b_c")),
            ("shop.toml", None),
            ("./web", None),
            ("/etc/shop", None),
            ("web.", None),
            (".2", None),
            ("2", None),
            ("", None),
        ] {
            assert_eq!(worker_of(Path::new(word)), worker, "{word}");
        }
    }
}
