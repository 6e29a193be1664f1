//! Whether privilege is only where the operator wrote it out.

use super::references::suggest;
use super::{Diagnostic, quote};
use crate::spec::{Preset, System, Worker};

/// Checks every worker's privilege.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for worker in &system.workers {
        capabilities(worker, &mut found);
        without_sandbox(worker, &mut found);
        as_root(worker, &mut found);
    }
    found
}

fn capabilities(worker: &Worker, found: &mut Vec<Diagnostic>) {
    for (index, name) in worker.sandbox.capabilities.iter().enumerate() {
        let key = format!("worker.{}.sandbox.capabilities[{index}]", worker.name);
        if !CAPABILITIES.contains(&name.as_str()) {
            let wanted = if name.to_ascii_uppercase().starts_with("CAP_") {
                name.clone()
            } else {
                format!("CAP_{name}")
            };
            let help = suggest(&wanted, CAPABILITIES.iter().copied(), "capabilities(7) lists them all");
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

/// The capabilities of capabilities(7).
pub const CAPABILITIES: [&str; 41] = [
    "CAP_AUDIT_CONTROL",
    "CAP_AUDIT_READ",
    "CAP_AUDIT_WRITE",
    "CAP_BLOCK_SUSPEND",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_KILL",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_PERFMON",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYSLOG",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_NICE",
    "CAP_SYS_PACCT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_WAKE_ALARM",
];
