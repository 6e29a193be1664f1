//! Whether the keys that confine a worker mean something together, and lift nothing that only a privileged worker may.

use std::path::Path;

use bailiwick_sys::landlock::places::needed;
use bailiwick_sys::landlock::ruleset::Access;
use bailiwick_sys::seccomp::line::{SystemCall, lines};
use bailiwick_sys::seccomp::policy::FORKS;
use bailiwick_sys::seccomp::wish::{Sign, Wish, sets};
use bailiwick_sys::system_call;

use super::references::suggest;
use super::{Diagnostic, quote};
use crate::sandbox::{Decision, Verdict, decisions};
use crate::spec::{Families, Namespace, Preset, Sandbox, System, Worker};

/// A key that contradicts another one, or what a worker is.
struct Rule {
    key: &'static str,
    /// Whether the rule is broken.
    when: fn(&Worker) -> bool,
    title: &'static str,
    /// What stands at the key.
    text: &'static str,
    /// The other key, and what stands there; only shown if it is written.
    other: (&'static str, &'static str),
    help: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        key: "no_new_privileges",
        when: |worker| worker.sandbox.no_new_privileges == Some(false) && is_sandboxed(worker),
        title: "a sandbox without `no_new_privileges`",
        text: "the kernel asks for it before it takes filters and rulesets",
        other: ("preset", "has a sandbox"),
        help: "remove it; only the preset \"none\" goes without",
    },
    Rule {
        key: "exec_paths",
        when: |worker| !worker.sandbox.exec_paths.is_empty() && !executes(worker) && is_sandboxed(worker),
        title: "`exec_paths` for a worker that executes nothing",
        text: "may be executed, by nobody",
        other: ("preset", "starts no programs"),
        help: "choose the preset \"exec\", or remove the key",
    },
    Rule {
        key: "no_exec_paths",
        when: |worker| !worker.sandbox.no_exec_paths.is_empty() && !executes(worker) && is_sandboxed(worker),
        title: "`no_exec_paths` for a worker that executes nothing",
        text: "is not executed in any case",
        other: ("preset", "starts no programs"),
        help: "choose the preset \"exec\", or remove the key",
    },
    Rule {
        key: "dumpable",
        when: |worker| worker.sandbox.dumpable == Some(false) && worker.sandbox.limit_core > 0,
        title: "a core of a worker that is not dumpable",
        text: "the kernel writes no core of it",
        other: ("limit_core", "asks for one"),
        help: "remove one of the two",
    },
    Rule {
        key: "dumpable",
        when: |worker| worker.sandbox.dumpable == Some(false) && worker.command.is_some(),
        title: "`dumpable = false` for a foreign program",
        text: "undone when it is executed, and it would have to say so itself",
        other: ("preset", "a foreign program's"),
        help: "remove it; a uid of its own keeps other workers out",
    },
    Rule {
        key: "log_denied_paths",
        when: |worker| tells_paths(worker) && (executes(worker) || worker.command.is_some()),
        title: "`log_denied_paths` for a worker that executes programs",
        text: "told by the runtime, which no other program has",
        other: ("preset", "starts programs"),
        help: "remove it; `system_call_log = [\"openat\"]` has the kernel's log tell of each call",
    },
    Rule {
        key: "log_denied_paths",
        when: |worker| {
            tells_paths(worker) && is_sandboxed(worker) && !executes(worker) && cannot_tell(worker)
        },
        title: "`log_denied_paths` without a system call that it takes to tell",
        text: "takes `rt_sigreturn`, `gettid`, `getcwd` and `statx`",
        other: ("system_call_filter", "does not have one of them"),
        help: "add to the list what is missing, or remove the key",
    },
    Rule {
        key: "restrict_namespaces",
        when: |worker| {
            let lifts = |kind: &Namespace| *kind == Namespace::User || !worker.sandbox.holds("CAP_SYS_ADMIN");
            let allowed = worker.sandbox.calls.namespaces.iter().flatten();
            is_powerless(worker) && allowed.filter(|kind| lifts(kind)).count() > 0
        },
        title: "a worker without privilege may make namespaces",
        text: "gives it every capability over parts of the kernel",
        other: ("preset", "forbids it"),
        help: UNLESS_PRIVILEGED,
    },
    Rule {
        key: "restrict_realtime",
        when: |worker| {
            let lifted = worker.sandbox.calls.restrict_realtime == Some(false);
            lifted && is_powerless(worker) && !worker.sandbox.holds("CAP_SYS_NICE")
        },
        title: "a worker without privilege may take a processor for itself",
        text: "starves everybody else",
        other: ("preset", "forbids it"),
        help: UNLESS_PRIVILEGED,
    },
    Rule {
        key: "restrict_suid_sgid",
        when: |worker| worker.sandbox.calls.restrict_suid_sgid == Some(false) && is_powerless(worker),
        title: "a worker without privilege may make files that change who runs them",
        text: "a way for others to become its user",
        other: ("preset", "forbids it"),
        help: UNLESS_PRIVILEGED,
    },
    Rule {
        key: "lock_personality",
        when: |worker| worker.sandbox.calls.lock_personality == Some(false) && is_powerless(worker),
        title: "a worker without privilege may turn protections off",
        text: "for programs of other times",
        other: ("preset", "forbids it"),
        help: UNLESS_PRIVILEGED,
    },
];

const UNLESS_PRIVILEGED: &str = "remove it, or write out `privileged = true` in the worker";

/// Keys that say what a sandbox lets pass, and mean nothing without one.
type Written = (&'static str, fn(&Sandbox) -> bool);
const OF_A_SANDBOX: &[Written] = &[
    ("udp_bind", |sandbox| sandbox.udp_bind),
    ("exec_paths", |sandbox| !sandbox.exec_paths.is_empty()),
    ("no_exec_paths", |sandbox| !sandbox.no_exec_paths.is_empty()),
    ("system_call_filter", |sandbox| !sandbox.calls.filter.is_empty()),
    ("system_call_error_number", |sandbox| sandbox.calls.denial.is_some()),
    ("system_call_log", |sandbox| !sandbox.calls.log.is_empty()),
    ("log_denied_paths", |sandbox| sandbox.calls.log_denied_paths.is_some()),
    ("system_call_architectures", |sandbox| sandbox.calls.architectures.is_some()),
    ("restrict_address_families", |sandbox| sandbox.calls.families.is_some()),
    ("restrict_namespaces", |sandbox| sandbox.calls.namespaces.is_some()),
    ("restrict_realtime", |sandbox| sandbox.calls.restrict_realtime.is_some()),
    ("restrict_suid_sgid", |sandbox| sandbox.calls.restrict_suid_sgid.is_some()),
    ("lock_personality", |sandbox| sandbox.calls.lock_personality.is_some()),
    // Of itself the kernel keeps this promise without filters, and could be asked to; nobody has needed it.
    ("memory_deny_write_execute", |sandbox| sandbox.calls.memory_deny_write_execute.is_some()),
    ("memfd_no_exec", |sandbox| sandbox.calls.memfd_no_exec.is_some()),
];

/// Checks what each worker says of its confinement.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for worker in &system.workers {
        let key = |key: &str| format!("worker.{}.sandbox.{key}", worker.name);
        for rule in RULES.iter().filter(|rule| (rule.when)(worker)) {
            let title = format!("worker `{}`: {}", worker.name, rule.title);
            let error = Diagnostic::error(title).at_key(key(rule.key), rule.text);
            found.push(error.at_key_if_written(key(rule.other.0), rule.other.1).help(rule.help));
        }
        if is_sandboxed(worker) {
            names(worker, &mut found);
            list(worker, &mut found);
            families(worker, &mut found);
            programs(worker, &mut found);
            continue;
        }
        for (name, _) in OF_A_SANDBOX.iter().filter(|(_, is_written)| is_written(&worker.sandbox)) {
            let error = Diagnostic::error(format!("`{name}` without a sandbox"));
            let error = error.at_key(key(name), "would be held by nothing");
            let error = error.at_key_if_written(key("preset"), "no sandbox at all");
            found.push(error.help("choose a preset that has a sandbox, or remove the key"));
        }
    }
    found
}

/// Returns whether the worker has a sandbox and no word that it may do more.
fn is_powerless(worker: &Worker) -> bool {
    !worker.privileged && is_sandboxed(worker)
}

fn is_sandboxed(worker: &Worker) -> bool {
    worker.sandbox.preset != Preset::None
}

fn tells_paths(worker: &Worker) -> bool {
    worker.sandbox.calls.log_denied_paths == Some(true)
}

/// Returns whether a call is kept from the worker without which the handler of trapped calls could not tell of a path, or not
/// return.
fn cannot_tell(worker: &Worker) -> bool {
    let decisions = decisions(worker, true);
    let may = |name: &str| {
        let allowed = |one: &Decision| one.verdict == Verdict::Allowed && one.special.is_empty();
        decisions.iter().find(|one| one.name == name).is_some_and(allowed)
    };
    !["rt_sigreturn", "gettid", "getcwd", "statx"].into_iter().all(may)
}

fn executes(worker: &Worker) -> bool {
    worker.sandbox.preset == Preset::Exec
}

/// Refuses names that nobody has, and elements that contradict each other.
fn names(worker: &Worker, found: &mut Vec<Diagnostic>) {
    let calls = &worker.sandbox.calls;
    for (key, list) in [("system_call_filter", &calls.filter), ("system_call_log", &calls.log)] {
        for (index, text) in list.iter().enumerate() {
            let place = format!("worker.{}.sandbox.{key}[{index}]", worker.name);
            let bare = text.trim_start_matches(['+', '~']);
            let wish = Wish::read(text);
            if wish.is_none() {
                let error = Diagnostic::error(format!("no system call or set is called {}", quote(bare)));
                let known = system_call::known().chain(sets());
                found.push(error.at_key(place, "unknown").help(suggest(
                    bare,
                    known,
                    "sets begin with `@`: @rt, @mount",
                )));
            } else if key == "system_call_log" && text != bare {
                let error = Diagnostic::error("`system_call_log` takes names without a sign".to_string());
                found.push(error.at_key(place, "adds to no list").help(format!("write \"{bare}\"")));
            } else if let Some(first) =
                list[..index].iter().position(|one| one.trim_start_matches(['+', '~']) == bare)
            {
                let error =
                    Diagnostic::error(format!("`{bare}` stands twice in `{key}`")).at_key(place, "here");
                let first = format!("worker.{}.sandbox.{key}[{first}]", worker.name);
                found.push(error.at_key(first, "and here").help("remove one of the two"));
            }
        }
    }
}

/// Refuses a list that takes away what the runtime needs, or lifts what no sandbox lifts.
fn list(worker: &Worker, found: &mut Vec<Diagnostic>) {
    let calls = &worker.sandbox.calls;
    let read = |text: &String| Wish::read(text);
    let wishes: Vec<_> = calls.filter.iter().map(read).collect();
    let place = |index: usize| format!("worker.{}.sandbox.system_call_filter[{index}]", worker.name);
    let first = |sign| wishes.iter().position(|wish| wish.as_ref().is_some_and(|wish| wish.sign == sign));
    if let (Some(only), Some(more)) = (first(Sign::Only), first(Sign::More)) {
        let error = Diagnostic::error("a list of system calls that both replaces and adds".to_string());
        let error = error.at_key(place(more), "`+` adds to the preset's list");
        let error = error.at_key(place(only), "takes the place of the preset's list");
        found.push(error.help("write all of them with `+`, or none"));
    }
    let has_runtime = wishes.iter().flatten().any(|wish| wish.sign == Sign::Only && wish.is_the_runtimes());
    if let (Some(only), false, None) = (first(Sign::Only), has_runtime, &worker.command) {
        let error = Diagnostic::error(format!("worker `{}` could not run", worker.name));
        let error =
            error.at_key(place(only), "takes the place of the preset's list, and the runtime needs `@rt`");
        found.push(error.help("write \"@rt\" as well, or `+` before each name to add to the preset's list"));
    }
    let holds = |name: &str| worker.sandbox.holds(name);
    let floor: Vec<SystemCall> = lines(holds).filter(SystemCall::stops_always).collect();
    for (index, wish) in wishes.iter().enumerate() {
        let Some(wish) = wish.as_ref().filter(|wish| wish.sign != Sign::Less && !wish.is_set) else {
            continue;
        };
        let name = wish.name();
        if FORKS.contains(&name) && !executes(worker) {
            let error = Diagnostic::error(format!("worker `{}` may start nothing", worker.name));
            let error = error.at_key(place(index), "starts processes or programs");
            found.push(error.help("choose the preset \"exec\", or remove the name"));
        } else if let Some(line) = floor.iter().find(|line| line.name == name).filter(|_| !worker.privileged)
        {
            let error = Diagnostic::error(format!("no sandboxed worker may call `{name}`"));
            found.push(error.at_key(place(index), line.reason).help(UNLESS_PRIVILEGED));
        }
    }
}

fn families(worker: &Worker, found: &mut Vec<Diagnostic>) {
    let Some(Families::Only(names) | Families::Except(names)) = &worker.sandbox.calls.families else {
        return;
    };
    for (index, name) in names.iter().enumerate().filter(|(_, name)| system_call::family(name).is_none()) {
        let place = format!("worker.{}.sandbox.restrict_address_families[{index}]", worker.name);
        let error = Diagnostic::error(format!("no family of sockets is called {}", quote(name)));
        let help = suggest(name, system_call::families(), "address_families(7) lists them all");
        found.push(error.at_key(place, "unknown").help(help));
    }
}

/// Refuses exceptions that Landlock cannot make: what is allowed for a folder holds for all below it.
fn programs(worker: &Worker, found: &mut Vec<Diagnostic>) {
    let sandbox = &worker.sandbox;
    let key = |key: &str, index: usize| format!("worker.{}.sandbox.{key}[{index}]", worker.name);
    for (index, barred) in sandbox.no_exec_paths.iter().enumerate().filter(|_| executes(worker)) {
        let is_above = |path: &Path| barred.starts_with(path) && path != barred;
        let own = sandbox.exec_paths.iter().position(|path| is_above(path) || path == barred);
        let of_the_preset = needed("exec", false)
            .filter(|place| place.access == Access::Execute)
            .map(|place| place.path)
            .find(|path| {
                is_above(path) && !sandbox.no_exec_paths.iter().any(|other| path.starts_with(other))
            });
        let error = Diagnostic::error(format!("`{}` cannot be excepted", barred.display()));
        if let Some(own) = own {
            let error = error.at_key(key("no_exec_paths", index), "is not to be executed from");
            let error = error.at_key(key("exec_paths", own), "holds for everything below it");
            found.push(error.help("name in `exec_paths` what may be executed, and nothing above it"));
        } else if let Some(above) = of_the_preset {
            let above = above.display();
            let error =
                error.at_key(key("no_exec_paths", index), format!("the preset executes all below `{above}`"));
            found.push(error.help(format!("bar `{above}`, and name in `exec_paths` what may be executed")));
        }
    }
}
