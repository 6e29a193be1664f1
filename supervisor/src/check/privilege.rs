//! Whether privilege is only where the operator wrote it out.

use bailiwick_sys::capability::Capabilities;

use super::references::suggest;
use super::{Diagnostic, quote};
use crate::spec::{OnViolation, Preset, Profile, System, Worker};

/// Checks every worker's privilege.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for worker in &system.workers {
        capabilities(worker, &mut found);
        without_sandbox(worker, &mut found);
        as_root(worker, &mut found);
        if system.profile != Profile::Dev {
            unpunished(worker, &mut found);
        }
    }
    found
}

fn unpunished(worker: &Worker, found: &mut Vec<Diagnostic>) {
    if worker.on_violation == OnViolation::Log {
        let error = Diagnostic::error(format!("worker `{}` may break the rules of its links", worker.name))
            .at_key(format!("worker.{}.channel.on_violation", worker.name), "it is only told of")
            .help("remove it, or write `profile = \"dev\"` in `[supervisor]` while the system is worked on");
        found.push(error);
    }
}

fn capabilities(worker: &Worker, found: &mut Vec<Diagnostic>) {
    for (index, name) in worker.sandbox.capabilities.iter().enumerate() {
        let key = format!("worker.{}.sandbox.capabilities[{index}]", worker.name);
        if Capabilities::named(name).is_none() {
            let wanted = if name.to_ascii_uppercase().starts_with("CAP_") {
                name.clone()
            } else {
                format!("CAP_{name}")
            };
            let help =
                suggest(&wanted, Capabilities::names().iter().copied(), "capabilities(7) lists them all");
            let error = Diagnostic::error(format!("no capability is called {}", quote(name)));
            found.push(error.at_key(key, "unknown").help(help));
        } else if worker.sandbox.capabilities[..index].contains(name) {
            let error = Diagnostic::error(format!("`{name}` is granted twice"));
            found.push(error.at_key(key, "the second time").help("remove one of the two"));
        }
    }
}

fn without_sandbox(worker: &Worker, found: &mut Vec<Diagnostic>) {
    if worker.sandbox.preset != Preset::None || worker.privileged {
        return;
    }
    let title = format!("worker `{}` would run without a sandbox", worker.name);
    let error = Diagnostic::error(title)
        .at_key(format!("worker.{}.sandbox.preset", worker.name), "no sandbox at all")
        .help("choose a preset, or write out `privileged = true` in the worker");
    found.push(error);
}

fn as_root(worker: &Worker, found: &mut Vec<Diagnostic>) {
    let root = matches!(worker.sandbox.user.as_deref(), Some("root" | "0"));
    if !root || worker.privileged {
        return;
    }
    let error = Diagnostic::error(format!("worker `{}` would run as root", worker.name))
        .at_key(format!("worker.{}.sandbox.user", worker.name), "uid 0 owns /etc even without a capability")
        .help("remove `user` for a uid of its own, or write out `privileged = true` in the worker");
    found.push(error);
}
