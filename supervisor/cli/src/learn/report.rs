//! What was learned of a worker, held against its sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bailiwick_supervisor::sandbox::{Verdict, filters, system_calls};
use bailiwick_supervisor::spec::{Preset, Worker};
use bailiwick_sys::cgroup::Cgroups;
use bailiwick_sys::landlock::places::needed;
use bailiwick_sys::system_call;
use serde::Serialize;

use super::collector::Learned;
use crate::denials::remedy;
use crate::json::{self, SCHEMA_VERSION};

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    worker: &'a str,
    /// Processes that were looked at.
    lives: u32,
    /// Different system calls that were made.
    system_calls: usize,
    denied: Vec<Denied>,
    missed: Missed,
    unused: Unused,
    /// Lines for the worker's `sandbox`, which together allow what it did.
    proposal: Vec<String>,
}

/// A system call that the sandbox would deny.
#[derive(Serialize)]
struct Denied {
    system_call: String,
    arguments: [u64; 6],
    count: u64,
    /// Lines, each of which would allow it.
    allowed_by: Vec<String>,
}

/// What the worker reached and would not.
#[derive(Serialize)]
struct Missed {
    reads: Vec<PathBuf>,
    writes: Vec<PathBuf>,
    binds: Vec<u16>,
    connects: Vec<u16>,
}

/// What the worker is granted and did not use.
#[derive(Serialize)]
struct Unused {
    read_only_paths: Vec<PathBuf>,
    read_write_paths: Vec<PathBuf>,
    tcp_bind: Vec<u16>,
    tcp_connect: Vec<u16>,
    system_calls: Vec<&'static str>,
}

/// Returns what was learned, for a person or as a document; with every call that was never made if `unused`.
pub(super) fn text(worker: &Worker, learned: &Learned, as_json: bool, unused: bool) -> String {
    let document = compare(worker, learned);
    if as_json { json::document(&document) } else { words(&document, unused) }
}

fn compare<'a>(worker: &'a Worker, learned: &Learned) -> Document<'a> {
    let (denied, missed) = (denied(worker, learned), missed(worker, learned));
    let proposal = proposal(worker, &denied, &missed);
    let numbers: BTreeSet<i64> = learned.calls.keys().map(|(number, _)| *number).collect();
    Document {
        schema_version: SCHEMA_VERSION,
        worker: &worker.name,
        lives: learned.lives,
        system_calls: numbers.len(),
        denied,
        missed,
        unused: unused(worker, learned, &numbers),
        proposal,
    }
}

/// Asks the very filters of the worker what they would say to each call.
fn denied(worker: &Worker, learned: &Learned) -> Vec<Denied> {
    let Ok(stages) = filters(worker, worker.sandbox.is_counted(&Cgroups::probe())) else { return Vec::new() };
    let denied = learned.calls.iter().filter(|((number, arguments), _)| !stages.allows(*number, *arguments));
    denied
        .map(|((number, arguments), count)| {
            let name = system_call::name(*number);
            Denied {
                system_call: name.map_or_else(|| format!("system call {number}"), str::to_owned),
                arguments: *arguments,
                count: *count,
                allowed_by: name.map(remedy::of).unwrap_or_default(),
            }
        })
        .collect()
}

fn missed(worker: &Worker, learned: &Learned) -> Missed {
    let sandbox = &worker.sandbox;
    let is_below = |path: &Path, of: &[PathBuf]| of.iter().any(|granted| path.starts_with(granted));
    let is_beside = |path: &Path| {
        sandbox.preset == Preset::NetClient
            && needed("net-client", false).any(|place| path.starts_with(place.path))
    };
    let is_read = |path: &&PathBuf| {
        !is_below(path, &sandbox.read_only_paths)
            && !is_below(path, &sandbox.read_write_paths)
            && !is_beside(path)
    };
    let is_written = |path: &&PathBuf| !is_below(path, &sandbox.read_write_paths);
    Missed {
        reads: learned.reads.iter().filter(is_read).cloned().collect(),
        writes: learned.writes.iter().filter(is_written).cloned().collect(),
        binds: learned.binds.iter().filter(|port| !sandbox.tcp_bind.contains(port)).copied().collect(),
        connects: learned
            .connects
            .iter()
            .filter(|port| !sandbox.tcp_connect.contains(port))
            .copied()
            .collect(),
    }
}

fn unused(worker: &Worker, learned: &Learned, numbers: &BTreeSet<i64>) -> Unused {
    let sandbox = &worker.sandbox;
    let untouched = |list: &[PathBuf], used: &BTreeSet<PathBuf>| {
        let is_used = |path: &&PathBuf| !used.iter().any(|one| one.starts_with(path));
        list.iter().filter(is_used).cloned().collect()
    };
    let open = |list: &[u16], used: &BTreeSet<u16>| {
        list.iter().filter(|port| !used.contains(port)).copied().collect()
    };
    let allowed = system_calls(worker, true).into_iter().filter(|line| line.verdict == Verdict::Allowed);
    let never =
        allowed.filter(|line| system_call::number(line.name).is_none_or(|number| !numbers.contains(&number)));
    let mut system_calls: Vec<&str> = never.map(|line| line.name).collect();
    system_calls.sort_unstable();
    system_calls.dedup();
    let all: BTreeSet<PathBuf> = learned.reads.union(&learned.writes).cloned().collect();
    Unused {
        read_only_paths: untouched(&sandbox.read_only_paths, &all),
        read_write_paths: untouched(&sandbox.read_write_paths, &learned.writes),
        tcp_bind: open(&sandbox.tcp_bind, &learned.binds),
        tcp_connect: open(&sandbox.tcp_connect, &learned.connects),
        system_calls,
    }
}

/// Returns the lines that would allow everything that was denied and missed, as far as lines do.
fn proposal(worker: &Worker, denied: &[Denied], missed: &Missed) -> Vec<String> {
    let sandbox = &worker.sandbox;
    let mut lines = BTreeMap::new();
    let numbers = |ports: &[u16]| ports.iter().map(u16::to_string).collect();
    let mut add = |key: &'static str, old: Vec<String>, new: Vec<String>| {
        if !new.is_empty() {
            lines.insert(key, format!("{key} = [{}]", [old, new].concat().join(", ")));
        }
    };
    add("tcp_bind", numbers(&sandbox.tcp_bind), numbers(&missed.binds));
    add("tcp_connect", numbers(&sandbox.tcp_connect), numbers(&missed.connects));
    for (key, old, new) in [
        (remedy::READ, &sandbox.read_only_paths, &missed.reads),
        (remedy::WRITE, &sandbox.read_write_paths, &missed.writes),
    ] {
        if !new.is_empty() {
            lines.insert(key, remedy::line(key, old.iter().chain(new).map(PathBuf::as_path)));
        }
    }
    let key = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    // Ports and paths are known better than that some are needed.
    let is_met = |one: &&Denied| one.allowed_by.iter().any(|line| lines.contains_key(key(line).as_str()));
    let rest: Vec<&Denied> = denied.iter().filter(|one| !is_met(one)).collect();
    // To name a call gives less than what else would allow it.
    let can_be_named = |one: &&Denied| one.allowed_by.iter().any(|line| key(line) == remedy::FILTER);
    let (named, others): (Vec<&Denied>, Vec<&Denied>) = rest.into_iter().partition(can_be_named);
    let mut names: Vec<String> = named.iter().map(|one| format!("\"+{}\"", one.system_call)).collect();
    names.dedup();
    let others = others.iter().filter_map(|one| one.allowed_by.first());
    let mut all: Vec<String> = lines.into_values().collect();
    if !names.is_empty() {
        // What is taken away by name is not added.
        let lost = |entry: &&String| named.iter().any(|one| **entry == format!("~{}", one.system_call));
        let old = sandbox.calls.filter.iter().filter(|entry| !lost(entry)).map(|entry| format!("{entry:?}"));
        names = old.chain(names).collect();
        all.push(format!("{} = [{}]", remedy::FILTER, names.join(", ")));
    }
    for line in others {
        if !all.contains(line) {
            all.push(line.clone());
        }
    }
    all
}

/// Says what would allow a call that is denied.
fn remedy(one: &Denied) -> String {
    let [first, second, ..] = one.arguments;
    let remedy =
        if one.allowed_by.is_empty() { "no line of a sandbox".into() } else { one.allowed_by.join(", or ") };
    format!("{}({first:#x}, {second:#x}, ..), {} times: {remedy}", one.system_call, one.count)
}

fn words(document: &Document<'_>, unused: bool) -> String {
    let mut text = format!(
        "{}: {} lives, {} different system calls after their start\n",
        document.worker, document.lives, document.system_calls
    );
    let mut section = |title: &str, rows: Vec<String>| {
        if !rows.is_empty() {
            text.push_str(&format!("{title}\n  {}\n", rows.join("\n  ")));
        }
    };
    section("its sandbox would deny", document.denied.iter().map(remedy).collect());
    let paths = |what: &str, list: &[PathBuf]| {
        list.iter().map(|path| format!("{what} {:?}", path.display().to_string())).collect::<Vec<_>>()
    };
    let ports =
        |what: &str, list: &[u16]| list.iter().map(|port| format!("{what} TCP {port}")).collect::<Vec<_>>();
    let Missed { reads, writes, binds, connects } = &document.missed;
    section(
        "it would miss",
        [
            paths("reads", reads),
            paths("writes", writes),
            ports("binds", binds),
            ports("connects to", connects),
        ]
        .concat(),
    );
    let Unused { read_only_paths, read_write_paths, tcp_bind, tcp_connect, system_calls } = &document.unused;
    section(
        "it was granted and did not use",
        [
            paths("read", read_only_paths),
            paths("write", read_write_paths),
            ports("bind", tcp_bind),
            ports("connect to", tcp_connect),
        ]
        .concat(),
    );
    match unused {
        true => section("it may make and did not", vec![system_calls.join(", ")]),
        false => section(
            "it may make and did not",
            vec![format!("{} system calls: --unused lists them", system_calls.len())],
        ),
    }
    if document.proposal.is_empty() {
        section("to allow what it did", vec!["nothing has to change".to_owned()]);
    } else {
        let head = format!("[worker.{}.sandbox]", document.worker);
        section(
            "to allow what it did",
            std::iter::once(head).chain(document.proposal.iter().cloned()).collect(),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use bailiwick_supervisor::spec::Exec;

    use super::*;

    fn call(name: &str, arguments: [u64; 6]) -> ((i64, [u64; 6]), u64) {
        ((system_call::number(name).expect("it exists"), arguments), 2)
    }

    #[test]
    fn what_the_filters_deny_is_told_and_what_they_allow_is_not() {
        let worker = Worker::new("web", Exec::Own);
        let none = [0; 6];
        let calls = [
            call("read", none),
            call("connect", none),
            call("socket", [2, 1, 0, 0, 0, 0]),
            call("prctl", none),
        ];
        let learned = Learned { lives: 1, calls: calls.into(), connects: [443].into(), ..Learned::default() };
        let found = compare(&worker, &learned);
        let denied: Vec<_> = found.denied.iter().map(|one| one.system_call.as_str()).collect();
        assert_eq!(denied, ["socket", "connect", "prctl"]);
        assert_eq!(found.proposal[0], "tcp_connect = [443]");
        assert!(found.unused.system_calls.contains(&"write") && !found.unused.system_calls.contains(&"read"));
        let text = words(&found, false);
        assert!(text.contains("connect(0x0, 0x0, ..), 2 times: tcp_connect = [PORT]"), "{text}");
    }

    #[test]
    fn paths_are_held_against_what_is_granted() {
        let mut worker = Worker::new("web", Exec::Own);
        worker.sandbox.read_only_paths = vec!["/srv/www".into(), "/srv/other".into()];
        let learned = Learned {
            reads: ["/srv/www/index.html", "/etc/passwd"].map(PathBuf::from).into(),
            writes: ["/srv/www/log".into()].into(),
            ..Learned::default()
        };
        let found = compare(&worker, &learned);
        assert_eq!(
            (found.missed.reads, found.missed.writes),
            (vec!["/etc/passwd".into()], vec!["/srv/www/log".into()])
        );
        assert_eq!(found.unused.read_only_paths, [PathBuf::from("/srv/other")]);
        let lines = [
            "read_only_paths = [\"/srv/www\", \"/srv/other\", \"/etc/passwd\"]",
            "read_write_paths = [\"/srv/www/log\"]",
        ];
        assert_eq!(found.proposal, lines);
    }
}
