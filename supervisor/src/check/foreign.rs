//! Whether foreign programs are asked for what only a worker of the runtime can do; and whether listeners are taken.

use bailiwick_wire::control::may_be_kept_as;

use super::references::suggest;
use super::{Diagnostic, quote};
use crate::spec::{Preset, System, Worker};

/// Checks every foreign program, every listener, and whose exit code is taken over.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut found: Vec<_> =
        system.workers.iter().filter(|worker| worker.command.is_some()).flat_map(program).collect();
    found.extend((0..system.grants.len()).filter_map(|index| grant(system, index)));
    found.extend((0..system.listeners.len()).filter_map(|index| nobodys(system, index)));
    found.extend(exit_code(system));
    found
}

fn program(worker: &Worker) -> Vec<Diagnostic> {
    let (name, path) = (&worker.name, format!("worker.{}", worker.name));
    let mut found = Vec::new();
    if !matches!(worker.sandbox.preset, Preset::Exec | Preset::None) {
        let title = format!("the foreign program of worker `{name}` cannot be held by this preset");
        let error = Diagnostic::error(title)
            .at_key(
                format!("{path}.sandbox.preset"),
                "its last filter forbids exec, and is entered by the runtime after exec",
            )
            .help("write `sandbox.preset = \"exec\"`, the narrowest that holds a foreign program");
        found.push(error);
    }
    if let Some(actor) = worker.actors.first() {
        let error = Diagnostic::error(format!("the foreign program of worker `{name}` hosts no actors"));
        let key = format!("{path}.actor.{}", actor.name);
        found.push(
            error.at_key(key, "who would host it?").help("remove it, or write `exec` instead of `command`"),
        );
    }
    if !worker.credentials.is_empty() {
        let error = Diagnostic::error(format!("the foreign program of worker `{name}` takes no credentials"));
        let error = error.at_key(format!("{path}.load_credential"), "handed over by the runtime");
        found.push(error.help("remove it; grant it the file with `sandbox.read_only_paths`"));
    }
    if !worker.may.is_empty() {
        let error =
            Diagnostic::error(format!("the foreign program of worker `{name}` cannot ask the supervisor"));
        found.push(error.at_key(format!("{path}.may"), "asked over the runtime").help("remove it"));
    }
    found
}

fn grant(system: &System, index: usize) -> Option<Diagnostic> {
    let grant = &system.grants[index];
    let foreign =
        |name: &str| system.workers.iter().any(|worker| worker.name == name && worker.command.is_some());
    // That it has no actor to send to is said with every other that has none.
    let name = Some(&grant.from).filter(|name| foreign(name))?;
    let error = Diagnostic::error(format!("the foreign program of worker `{name}` sends no messages"));
    Some(error.at_key(format!("grant[{index}].from"), "a foreign program").help("remove the grant"))
}

fn nobodys(system: &System, index: usize) -> Option<Diagnostic> {
    let name = &system.listeners[index].name;
    // What is wrong with a name is said by itself.
    if !may_be_kept_as(name) || system.workers.iter().any(|worker| worker.kept.contains(name)) {
        return None;
    }
    let error = Diagnostic::error(format!("nobody serves the listener {}", quote(name)));
    let error = error.at_key(format!("listen[{index}].name"), "in no `kept`");
    Some(error.help(format!("write `kept = [\"{name}\"]` in the worker that serves it, or remove it")))
}

fn exit_code(system: &System) -> Option<Diagnostic> {
    let name = system.exit_code_from.as_ref()?;
    let known = || system.workers.iter().map(|worker| worker.name.as_str());
    if known().any(|known| known == name) {
        return None;
    }
    let error = Diagnostic::error(format!("no worker is called {}", quote(name)));
    let help = suggest(name, known(), "declare it: `[worker.NAME]`");
    Some(error.at_key("supervisor.exit_code_from", "not declared").help(help))
}
