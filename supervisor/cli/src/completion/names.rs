//! The names that can be completed: those of a system that runs, or of the manifest that is named on the line.
//!
//! They are looked for beside the answer, which is given without them when it takes too long: a supervisor that stands
//! still, a manifest on a disk that is away. A name that is none is not offered: what a shell puts into the line may be a
//! command to it, and whoever may write where state directories are looked for can answer in a supervisor's place.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bailiwick_supervisor::control::{Client, Row, signal_name};
use bailiwick_supervisor::manifest;
use bailiwick_wire::log::{Priority, SUPERVISOR};
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};

use crate::arguments::Place;
use crate::status::title;
use crate::{declared, place, subject};

/// How long somebody who types waits for names.
const PATIENCE: Duration = Duration::from_millis(300);

/// The longest manifest that is looked into, as the longest that is loaded.
const MANIFEST_BYTES: u64 = 1 << 20;

/// Returns the workers of the running system that is meant, and each instance of those that may have several.
pub(crate) fn workers() -> Vec<CompletionCandidate> {
    candidates(&status().unwrap_or_default())
}

/// Returns what the names of actors begin with: the workers of the running system, each with a slash behind it.
pub(crate) fn before_actors() -> Vec<CompletionCandidate> {
    let with_slash = |worker: CompletionCandidate| {
        let mut name = worker.get_value().to_owned();
        name.push("/");
        CompletionCandidate::new(name).help(worker.get_help().cloned())
    };
    workers().into_iter().map(with_slash).collect()
}

/// Returns who prints: the workers, and the supervisor.
pub(crate) fn printers() -> Vec<CompletionCandidate> {
    let rows = status();
    let own =
        rows.is_some().then(|| CompletionCandidate::new(SUPERVISOR).help(Some("the supervisor".into())));
    candidates(&rows.unwrap_or_default()).into_iter().chain(own).collect()
}

fn candidates(rows: &[Row]) -> Vec<CompletionCandidate> {
    let mut names = Vec::new();
    let mut last = "";
    for row in rows {
        if row.numbered && row.name != last {
            names.push(CompletionCandidate::new(&row.name).help(Some("all of its instances".into())));
        }
        last = &row.name;
        names.push(CompletionCandidate::new(title(row)).help(Some(row.state.word().into())));
    }
    names
}

/// Returns what can be scaled: workers of which there may be several, and the pools that they are in.
pub(crate) fn pools() -> Vec<CompletionCandidate> {
    let rows = status().unwrap_or_default();
    let several = |row: &&Row| row.numbered && !row.group.is_empty();
    let mut names: Vec<&str> = Vec::new();
    for row in rows.iter().filter(several) {
        let group = row.group.rsplit('/').next().unwrap_or_default();
        names.extend([group, row.name.as_str()].into_iter().filter(|name| manifest::is_name(name)));
    }
    let mut names: Vec<_> = names.into_iter().map(CompletionCandidate::new).collect();
    names.sort();
    names.dedup();
    names
}

/// Returns the systems that run.
pub(crate) fn systems() -> Vec<CompletionCandidate> {
    let running = in_time(|| Some(place::running_here()));
    let names = running.into_iter().flatten().filter(|name| manifest::is_name(name));
    names.map(CompletionCandidate::new).collect()
}

/// Returns the workers of the manifest that is named on the line.
pub(crate) fn declared() -> Vec<CompletionCandidate> {
    let words = super::words();
    let names = in_time(move || words.iter().skip(1).rev().find_map(|word| declared_in(Path::new(word))));
    names.into_iter().flatten().map(CompletionCandidate::new).collect()
}

/// Returns manifests, and the workers of the running system; where none answers those of the manifest that is looked at
/// instead.
pub(crate) fn manifests_and_workers(current: &OsStr) -> Vec<CompletionCandidate> {
    let is_begun = |candidate: &CompletionCandidate| {
        candidate.get_value().as_encoded_bytes().starts_with(current.as_encoded_bytes())
    };
    let mut names = workers();
    let place = place_in(&super::words());
    if names.is_empty() && place.state_dir.is_none() && place.system.is_none() {
        let here = place.manifest.unwrap_or_else(|| PathBuf::from(subject::HERE));
        let declared = in_time(move || declared_in(&here));
        names.extend(declared.into_iter().flatten().map(CompletionCandidate::new));
    }
    let mut candidates: Vec<_> = names.into_iter().filter(is_begun).collect();
    candidates.extend(PathCompleter::any().complete(current));
    candidates
}

/// Returns the signals that Linux has names for.
pub(crate) fn signals() -> Vec<CompletionCandidate> {
    (1..=31)
        .filter_map(signal_name)
        .map(|name| CompletionCandidate::new(name.trim_start_matches("SIG")))
        .collect()
}

/// Returns how much a line may matter.
pub(crate) fn levels() -> Vec<CompletionCandidate> {
    Priority::ALL.map(|level| CompletionCandidate::new(level.word())).into()
}

fn status() -> Option<Vec<Row>> {
    let place = place_in(&super::words());
    let status = in_time(move || Client::connect(&place::find(&place).ok()?).ok()?.status().ok())?;
    Some(status.workers.into_iter().filter(|row| manifest::is_name(&row.name)).collect())
}

/// Returns the workers of a manifest; none if it has none, as any other text that is named on the line.
fn declared_in(path: &Path) -> Option<Vec<String>> {
    let is_short = std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MANIFEST_BYTES);
    let text = is_short.then(|| std::fs::read_to_string(path).ok())??;
    let (system, ..) = manifest::parse(path, &declared::folder(path), text);
    Some(system.workers.into_iter().map(|worker| worker.name).collect())
        .filter(|names: &Vec<_>| !names.is_empty())
}

/// Returns what is found soon enough.
fn in_time<T: Send + 'static>(look: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    let (tell, told) = mpsc::channel();
    // Who comes too late ends with the process.
    thread::spawn(move || look().map(|found| tell.send(found)));
    told.recv_timeout(PATIENCE).ok()
}

/// Returns which system the words so far mean. What a shell has not taken its quotes off yet is not understood.
fn place_in(words: &[OsString]) -> Place {
    let mut place = Place::default();
    let mut words = words.iter().filter_map(|word| word.to_str()).peekable();
    while let Some(word) = words.next() {
        let (option, written) =
            word.split_once('=').map_or((word, None), |(option, value)| (option, Some(value)));
        if !["--state-dir", "--manifest", "--system"].contains(&option) {
            continue;
        }
        let value = written.or_else(|| {
            // bash takes it for a word of its own.
            words.next_if_eq(&"=");
            words.next()
        });
        let Some(value) = value else { break };
        match option {
            "--state-dir" => place.state_dir = Some(PathBuf::from(value)),
            "--manifest" => place.manifest = Some(PathBuf::from(value)),
            _ => place.system = Some(value.to_owned()),
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_that_is_meant_is_read_off_the_line() {
        let dir = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            place_in(&words).state_dir
        };
        let expected = Some(PathBuf::from("/s"));
        assert_eq!(dir(&["bailiwick", "stop", "--state-dir", "/s", "w"]), expected);
        assert_eq!(dir(&["bailiwick", "stop", "--state-dir=/s", ""]), expected);
        assert_eq!(dir(&["bailiwick", "stop", "--state-dir", "=", "/s", ""]), expected);
        assert_eq!(dir(&["bailiwick", "stop", "w", "--state-dir"]), None);
        assert_eq!(dir(&[]), None);
    }

    #[test]
    fn who_is_asked_too_long_is_not_waited_for() {
        let (_open, closed) = mpsc::channel::<()>();
        assert_eq!(in_time(move || closed.recv().ok()), None);
        assert_eq!(in_time(|| Some(7)), Some(7));
    }

    #[test]
    fn a_manifest_that_is_named_says_its_workers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.toml");
        std::fs::write(&path, "[worker.b]\nexec = \"x\"\n[worker.a]\nexec = \"x\"\nodd = 1\n").unwrap();
        assert_eq!(declared_in(&path), Some(vec!["b".to_owned(), "a".to_owned()]));
        std::fs::write(folder.path().join("web"), "no manifest\n").unwrap();
        assert_eq!(declared_in(&folder.path().join("web")), None);
        assert_eq!(declared_in(folder.path()), None);
        assert_eq!(declared_in(&folder.path().join("none")), None);
    }
}
