//! A blast radius as facts, one a line: a file that is kept beside the manifest, and that a difference is read off.
//!
//! The first line says what the file is and in which version; lines that begin with `#` are for people. The order of
//! the facts says nothing.

use std::path::Path;

use bailiwick_supervisor::check;
use bailiwick_supervisor::spec::{Preset, System, Worker};

use super::when;
use crate::explain;

/// How the file begins: another version for every change of what its lines say.
const HEADER: &str = "# bailiwick blast, version 2";

/// Returns everything that an attacker who took over one of these workers would have, sorted.
/// Paths are told from `base` on.
pub(super) fn of(system: &System, workers: &[&Worker], base: &Path) -> Vec<String> {
    let mut facts: Vec<String> = workers.iter().flat_map(|worker| of_worker(system, worker, base)).collect();
    facts.sort();
    facts
}

/// Returns the file that these facts are kept in.
pub(super) fn file(system: &System, facts: &[String]) -> String {
    let why = format!("# What whoever took over a worker of {} could reach and stop.", system.name);
    format!("{HEADER}\n{why}\n{}\n", facts.join("\n"))
}

/// Returns the facts of a file; `None` if it is none of this version.
pub(super) fn read(text: &str) -> Option<Vec<&str>> {
    let rest = text.strip_prefix(HEADER)?;
    let lines = rest.lines().map(str::trim);
    Some(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect())
}

/// Tells whether a fact is of the worker of this name.
pub(super) fn is_of(fact: &str, worker: &str) -> bool {
    fact.split_once(": ").is_some_and(|(name, _)| name == worker)
}

fn of_worker(system: &System, worker: &Worker, base: &Path) -> Vec<String> {
    let mut facts = Vec::new();
    let mut say = |fact: String| facts.push(format!("{}: {fact}", worker.name));
    if worker.privileged {
        say("is privileged".into());
    }
    if worker.command.is_some() {
        say("is a foreign program".into());
    }
    match worker.sandbox.preset {
        Preset::None => say("has no sandbox".into()),
        Preset::Exec => say("may execute programs".into()),
        Preset::Sealed | Preset::NetClient | Preset::NetServer | Preset::FsRo => {}
    }
    explain::facts(&worker.sandbox, base).into_iter().for_each(&mut say);
    worker.kept.iter().for_each(|name| say(format!("is handed {name}")));
    worker.credentials.keys().for_each(|name| say(format!("holds the credential {name}")));
    worker.pass_environment.iter().for_each(|name| say(format!("is passed the variable {name}")));
    system.sharers(worker).into_iter().for_each(|other| say(format!("shares memory with {other}")));
    if explain::is_only_told(system, worker) {
        say("is not killed when it breaks the rules of a link".into());
    }
    worker.may.iter().for_each(|may| say(format!("may {}", may.words())));
    for grant in system.grants.iter().filter(|grant| grant.from == worker.name) {
        let terms = explain::terms(grant).iter().map(|term| format!("; {term}")).collect::<String>();
        say(format!("may call {}: {}{terms}", explain::callee(grant), explain::methods(grant)));
    }
    for blast in check::blast(system).into_iter().filter(|blast| blast.worker == worker.name) {
        blast.stops.iter().for_each(|(other, why)| say(format!("stops {other}, at: {}", when(why))));
        blast.everything.iter().for_each(|why| say(format!("stops everything, at: {}", when(why))));
        blast.holds_up.iter().for_each(|other| say(format!("without it {other} cannot start")));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_another_version_does_not() {
        let facts = ["web: may read /srv".to_owned(), "web: stops db, at: done".to_owned()];
        let text = file(&System { name: "shop".into(), ..System::default() }, &facts);
        assert_eq!(read(&text).unwrap(), facts);
        assert_eq!(read(&text.replace("version 2", "version 1")), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_fact_belongs_to_the_worker_before_its_colon() {
        assert!(is_of("web: may read /srv", "web") && !is_of("web.2: may read /srv", "web"));
    }
}
