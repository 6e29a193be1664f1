//! Keys of one worker that cannot both be meant. Each error points at both.

use crate::check::{Diagnostic, Places};
use crate::spec::{Kind, Preset, RestartType, Sandbox, Worker};

/// Two keys that were both written, relative to the worker.
struct Pair<'a> {
    title: String,
    key: &'a str,
    key_text: &'a str,
    other: &'a str,
    other_text: &'a str,
    help: &'a str,
}

/// Returns the contradictions of a worker, and takes from the defaults what the manifest says otherwise.
pub(super) fn settle(worker: &mut Worker, places: &Places) -> Vec<Diagnostic> {
    yield_defaults(worker, places);
    let path = format!("worker.{}", worker.name);
    let written = |key: &str| places.written(&format!("{path}.{key}"));
    let mut pairs = Vec::new();
    if worker.kind == Kind::Oneshot && worker.restart == RestartType::Permanent && written("restart") {
        pairs.push(Pair {
            title: "a oneshot that is restarted after success would never be done".into(),
            key: "restart",
            key_text: "starts it again after every end",
            other: "kind",
            other_text: "ends when its work is done",
            help: "write `restart = \"transient\"`: it is started again only after a failure",
        });
    }
    for key in RESTARTING.into_iter().filter(|key| worker.restart == RestartType::Temporary && written(key)) {
        pairs.push(Pair {
            title: format!("`{key}` for a worker that is never restarted"),
            key,
            key_text: "matters only if it is restarted",
            other: "restart",
            other_text: "never restarted",
            help: "remove one of the two",
        });
    }
    pairs.extend(watching(worker).into_iter().filter(|pair| written(pair.key) && written(pair.other)));
    pairs.extend(out_of_reach(&worker.sandbox));
    if worker.sandbox.preset == Preset::None {
        for key in UNSANDBOXED {
            if written(key) {
                pairs.push(Pair {
                    title: format!("`{}` without a sandbox", key.trim_start_matches("sandbox.")),
                    key,
                    key_text: "would allow what nothing forbids",
                    other: "sandbox.preset",
                    other_text: "no sandbox at all",
                    help: "choose a preset that has a sandbox, or remove the key",
                });
            }
        }
    }
    pairs.extend(surroundings(worker).into_iter().filter(|pair| written(pair.key) && written(pair.other)));
    let mut found: Vec<_> = pairs.into_iter().map(|pair| pair.diagnostic(&path)).collect();
    found.extend(twice(&path, worker));
    found
}

/// What matters only for a worker that is restarted.
const RESTARTING: [&str; 6] =
    ["backoff", "stable_after", "uncounted_exit", "on", "max_offences", "offence_period"];

/// Returns what the limits on polls say against each other.
fn watching(worker: &Worker) -> Option<Pair<'static>> {
    let (stuck, limit) = (worker.stuck_after, worker.liveness_timeout);
    if !limit.is_zero() && stuck >= limit {
        return Some(Pair {
            title: "a poll that ends the worker before it is told".into(),
            key: "stuck_after",
            key_text: "tells of it",
            other: "liveness_timeout",
            other_text: "ends the worker",
            help: "let `stuck_after` be the shorter of the two",
        });
    }
    limit.is_zero().then(|| Pair {
        title: "an answer to hangs that nobody looks for".into(),
        key: "on.hang",
        key_text: "what a hang leads to",
        other: "liveness_timeout",
        other_text: "never",
        help: "remove one of the two",
    })
}

/// Finds amounts of memory that lie above the most that there may be.
fn out_of_reach(sandbox: &Sandbox) -> Vec<Pair<'static>> {
    let shares = &sandbox.shares;
    let amounts = [
        ("sandbox.memory_high", shares.memory_high),
        ("sandbox.memory_low", shares.memory_low),
        ("sandbox.memory_min", shares.memory_min),
    ];
    let above = amounts.into_iter().filter(|(_, bytes)| *bytes > sandbox.memory_max.or(Some(u64::MAX)));
    let pair = |(key, _): (&'static str, _)| Pair {
        title: format!("`{}` is more than it may have at all", key.trim_start_matches("sandbox.")),
        key,
        key_text: "never reached",
        other: "sandbox.memory_max",
        other_text: "the most",
        help: "lower it, or raise `memory_max`",
    };
    above.map(pair).collect()
}

/// Returns what the namespaces of a worker and the rest of its sandbox say against each other.
fn surroundings(worker: &Worker) -> Vec<Pair<'static>> {
    let mut pairs = Vec::new();
    if worker.sandbox.preset == Preset::None {
        pairs.push(Pair {
            title: "`private_mounts` without a sandbox".into(),
            key: "sandbox.private_mounts",
            key_text: "shows what is granted and nothing else",
            other: "sandbox.preset",
            other_text: "nothing is granted one by one",
            help: "choose a preset that has a sandbox, or remove the key",
        });
    }
    let is_open = worker.sandbox.private_mounts == Some(false);
    let without =
        if is_open { Some(("sandbox.private_mounts", "sees what the supervisor sees")) } else { None };
    let none = (worker.sandbox.preset == Preset::None).then_some(("sandbox.preset", "no sandbox at all"));
    for (key, (other, other_text)) in
        worker.sandbox.asks_of_view().filter_map(|key| Some((key, without.or(none)?)))
    {
        pairs.push(Pair {
            title: format!("`{}` without a view of files of its own", key.trim_start_matches("sandbox.")),
            key,
            key_text: "shapes what the worker sees",
            other,
            other_text,
            help: "remove one of the two",
        });
    }
    let ports = ["sandbox.tcp_bind", "sandbox.tcp_connect"];
    for key in ports.into_iter().filter(|_| worker.sandbox.private_network == Some(true)) {
        pairs.push(Pair {
            title: "ports on a network that the worker does not see".into(),
            key,
            key_text: "ports of the host's network",
            other: "sandbox.private_network",
            other_text: "a network with nothing in it",
            help: "remove one of the two",
        });
    }
    pairs
}

/// What a worker without a sandbox cannot be granted one by one.
const UNSANDBOXED: [&str; 5] = [
    "sandbox.read_only_paths",
    "sandbox.read_write_paths",
    "sandbox.tcp_bind",
    "sandbox.tcp_connect",
    "sandbox.landlock",
];

impl Pair<'_> {
    fn diagnostic(self, path: &str) -> Diagnostic {
        let error = Diagnostic::error(self.title).at_key(format!("{path}.{}", self.key), self.key_text);
        error.at_key_if_written(format!("{path}.{}", self.other), self.other_text).help(self.help)
    }
}

/// Finds paths and exit codes that stand in two lists which mean different things.
fn twice(path: &str, worker: &Worker) -> Vec<Diagnostic> {
    let sandbox = &worker.sandbox;
    let mut found = in_both(
        path,
        ("sandbox.read_only_paths", &sandbox.read_only_paths),
        ("sandbox.read_write_paths", &sandbox.read_write_paths),
        |shared| format!("`{}` is granted for reading only and for writing", shared.display()),
    );
    let codes = [
        ("ok_exit", &worker.ok_exit),
        ("no_restart_exit", &worker.no_restart_exit),
        ("uncounted_exit", &worker.uncounted_exit),
    ];
    for (index, one) in codes.iter().enumerate() {
        for other in &codes[index + 1..] {
            found.extend(in_both(path, (one.0, one.1), (other.0, other.1), |code| {
                format!("exit code {code} stands in `{}` and in `{}`", one.0, other.0)
            }));
        }
    }
    found
}

fn in_both<T: PartialEq>(
    path: &str,
    one: (&str, &[T]),
    other: (&str, &[T]),
    title: impl Fn(&T) -> String,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (i, element) in one.1.iter().enumerate() {
        let Some(j) = other.1.iter().position(|candidate| candidate == element) else { continue };
        found.push(
            Diagnostic::error(title(element))
                .at_key(format!("{path}.{}[{j}]", other.0), "here")
                .at_key(format!("{path}.{}[{i}]", one.0), "and here")
                .help("remove one of the two"),
        );
    }
    found
}

/// A code that the manifest puts into one list leaves the other lists' defaults.
fn yield_defaults(worker: &mut Worker, places: &Places) {
    let path = format!("worker.{}", worker.name);
    let [ok, no_restart, uncounted] =
        ["ok_exit", "no_restart_exit", "uncounted_exit"].map(|key| places.written(&format!("{path}.{key}")));
    let mut said = Vec::new();
    for (written, list) in
        [(ok, &worker.ok_exit), (no_restart, &worker.no_restart_exit), (uncounted, &worker.uncounted_exit)]
    {
        if written {
            said.extend_from_slice(list);
        }
    }
    for (written, list) in [
        (ok, &mut worker.ok_exit),
        (no_restart, &mut worker.no_restart_exit),
        (uncounted, &mut worker.uncounted_exit),
    ] {
        if !written {
            list.retain(|code| !said.contains(code));
        }
    }
}
