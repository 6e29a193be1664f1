//! Whether what a worker is to see of files means something together.

use std::path::{Path, PathBuf};

use super::Diagnostic;
use crate::spec::{Bind, HOMES, HidePid, Preset, ProcSubset, ProtectHome, ProtectSystem, System, Worker};

/// Something that the worker sees under a name.
struct Named<'a> {
    /// The key that says so, with its place in the list.
    key: String,
    at: &'a Path,
    is_written: bool,
    /// It has this name only because the key says so.
    is_chosen: bool,
}

/// Checks the view of each worker.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for worker in system.workers.iter().filter(|worker| worker.sandbox.preset != Preset::None) {
        let named = named(worker);
        twice(&named, &mut found);
        homes(worker, &named, &mut found);
        whole(worker, &named, &mut found);
        devices(worker, &mut found);
        processes(worker, &mut found);
    }
    found
}

fn named(worker: &Worker) -> Vec<Named<'_>> {
    let (sandbox, view) = (&worker.sandbox, &worker.sandbox.view);
    let lists = [
        ("read_only_paths", paths(&sandbox.read_only_paths), false, false),
        ("read_write_paths", paths(&sandbox.read_write_paths), true, false),
        ("bind_read_only_paths", binds(&view.read_only_binds), false, true),
        ("bind_paths", binds(&view.binds), true, true),
        ("temporary_file_system", view.temporary.iter().map(|one| one.at.as_path()).collect(), true, true),
    ];
    let mut all = Vec::new();
    for (key, list, is_written, is_chosen) in lists {
        let key = |index: usize| format!("worker.{}.sandbox.{key}[{index}]", worker.name);
        let named = |(index, at)| Named { key: key(index), at, is_written, is_chosen };
        all.extend(list.into_iter().enumerate().map(named));
    }
    if sandbox.private_tmp {
        let key = format!("worker.{}.sandbox.private_tmp", worker.name);
        all.push(Named { key, at: Path::new("/tmp"), is_written: true, is_chosen: true });
    }
    all
}

fn paths(list: &[PathBuf]) -> Vec<&Path> {
    list.iter().map(PathBuf::as_path).collect()
}

fn binds(list: &[Bind]) -> Vec<&Path> {
    list.iter().map(|bind| bind.to.as_path()).collect()
}

/// Refuses two things under one name, of which only one could be seen.
fn twice(named: &[Named<'_>], found: &mut Vec<Diagnostic>) {
    for (index, one) in named.iter().enumerate().filter(|(_, one)| one.is_chosen) {
        let Some(other) = named[..index].iter().find(|other| other.at == one.at) else { continue };
        let title = format!("two things would be seen as `{}`", one.at.display());
        let error = Diagnostic::error(title).at_key(one.key.clone(), "covers the other");
        found.push(
            error.at_key(other.key.clone(), "is covered").help("choose another name for one of the two"),
        );
    }
}

/// Refuses to grant what is hidden, and to have written what is not to be.
fn homes(worker: &Worker, named: &[Named<'_>], found: &mut Vec<Diagnostic>) {
    let protection = worker.sandbox.view.protect_home;
    for one in named.iter().filter(|one| HOMES.iter().any(|home| one.at.starts_with(home))) {
        let (title, text) = match protection {
            ProtectHome::Hidden => ("is granted, and hidden", "nothing of homes is seen"),
            ProtectHome::ReadOnly if one.is_written => {
                ("is to be written, and read-only", "homes are not written")
            }
            ProtectHome::ReadOnly | ProtectHome::No => continue,
        };
        let error =
            Diagnostic::error(format!("`{}` {title}", one.at.display())).at_key(one.key.clone(), "in a home");
        let error = error.at_key(format!("worker.{}.sandbox.protect_home", worker.name), text);
        found.push(error.help("remove one of the two, or bind the path under another name"));
    }
}

/// Refuses to grant everything where everything is protected.
fn whole(worker: &Worker, named: &[Named<'_>], found: &mut Vec<Diagnostic>) {
    let is_strict = worker.sandbox.view.protect_system == ProtectSystem::Strict;
    let root = named.iter().find(|one| one.is_written && one.at == Path::new("/"));
    let Some(one) = root.filter(|_| is_strict) else { return };
    let error = Diagnostic::error("everything is to be written, and nothing but what is named".to_owned());
    let error = error.at_key(one.key.clone(), "names everything");
    let error =
        error.at_key(format!("worker.{}.sandbox.protect_system", worker.name), "protects everything else");
    found.push(error.help("name the folders below, or write `protect_system = \"full\"`"));
}

fn devices(worker: &Worker, found: &mut Vec<Diagnostic>) {
    let sandbox = &worker.sandbox;
    let maker = |name: &&String| matches!(name.as_str(), "CAP_MKNOD" | "CAP_SYS_RAWIO");
    let held = sandbox.capabilities.iter().find(maker);
    let Some(held) = held.filter(|_| sandbox.view.private_devices == Some(true)) else { return };
    let error = Diagnostic::error(format!("no devices of the machine, and {held}"));
    let error = error.at_key(format!("worker.{}.sandbox.private_devices", worker.name), "sees none of them");
    let error = error.at_key(format!("worker.{}.sandbox.capabilities", worker.name), "a way to them");
    found.push(error.help("remove one of the two"));
}

/// Refuses to loosen a `/proc` that is not there.
fn processes(worker: &Worker, found: &mut Vec<Diagnostic>) {
    let (sandbox, view) = (&worker.sandbox, &worker.sandbox.view);
    if sandbox.preset == Preset::Exec {
        return;
    }
    let loosened = [
        ("protect_proc", view.protect_proc.is_some_and(|hidden| hidden != HidePid::Invisible)),
        ("proc_subset", view.proc_subset == Some(ProcSubset::All)),
    ];
    for (key, _) in loosened.into_iter().filter(|(_, is_loosened)| *is_loosened) {
        let error = Diagnostic::error(format!("`{key}` for a worker that has no /proc"));
        let error =
            error.at_key(format!("worker.{}.sandbox.{key}", worker.name), "of which it would tell more");
        let error =
            error.at_key_if_written(format!("worker.{}.sandbox.preset", worker.name), "sees no /proc");
        found.push(error.help("remove the key; only the preset \"exec\" has a /proc"));
    }
}
