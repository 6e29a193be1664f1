//! Whether what groups and their members say of each other can both be meant.

use super::Diagnostic;
use crate::spec::{AutoShutdown, Group, Kind, RestartType, Strategy, System, Worker};

/// Checks every group against its members.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if system.root.strategy == Strategy::Pool {
        let error = Diagnostic::error("the root group cannot be a pool");
        let error = error.at_key("supervisor.strategy", "the members of a pool are processes of one worker");
        found.push(error.help("put the worker into a `[group.NAME]` with `strategy = \"pool\"`"));
    }
    for worker in &system.workers {
        significance(system, worker, &mut found);
        places(system, worker, &mut found);
    }
    for group in &system.groups {
        if group.strategy == Strategy::Pool {
            pool(system, group, &mut found);
        }
        let around = system.group(group.parent.as_deref());
        if group.significant && around.auto_shutdown == AutoShutdown::Never {
            let key = key(group, "significant");
            found.push(never_stops(format!("group `{}` is significant", group.name), key, around));
        }
    }
    found.extend(std::iter::once(&system.root).chain(&system.groups).filter_map(|group| idle(system, group)));
    found
}

/// Returns where a key of a group stands; those of the root stand in `[supervisor]`.
fn key(group: &Group, key: &str) -> String {
    if group.name.is_empty() { format!("supervisor.{key}") } else { format!("group.{}.{key}", group.name) }
}

/// Names a group for a person.
fn noun(group: &Group) -> String {
    if group.name.is_empty() { "the root group".to_owned() } else { format!("group `{}`", group.name) }
}

/// What is always restarted never ends for good, and where nothing depends on its end, it signifies nothing.
fn significance(system: &System, worker: &Worker, found: &mut Vec<Diagnostic>) {
    if !worker.significant {
        return;
    }
    let name = &worker.name;
    let place = format!("worker.{name}.significant");
    let group = system.group(worker.group.as_deref());
    if worker.kind == Kind::Resident && worker.restart == RestartType::Permanent {
        let error = Diagnostic::error(format!("worker `{name}` is significant, but never ends for good"))
            .at_key(place, "its end would stop its group")
            .at_key_if_written(format!("worker.{name}.restart"), "it is restarted after every end");
        found.push(error.help("write `restart = \"transient\"`, or remove `significant`"));
    } else if group.auto_shutdown == AutoShutdown::Never {
        found.push(never_stops(format!("worker `{name}` is significant"), place, group));
    }
}

fn never_stops(title: String, place: String, group: &Group) -> Diagnostic {
    let noun = noun(group);
    let error = Diagnostic::error(format!("{title} in {noun}, which never stops by itself"))
        .at_key(place, "signifies nothing there")
        .at_key_if_written(key(group, "auto_shutdown"), "never stops by itself");
    let table = if group.name.is_empty() { "supervisor".to_owned() } else { format!("group.{}", group.name) };
    error.help(format!("write `auto_shutdown = \"any_significant\"` into [{table}], or remove `significant`"))
}

/// Only the template of a pool has more places than processes.
fn places(system: &System, worker: &Worker, found: &mut Vec<Diagnostic>) {
    let name = &worker.name;
    let key = |key: &str| format!("worker.{name}.{key}");
    let template = system.is_template(worker);
    let help = "put it into a group of its own with `strategy = \"pool\"`, or remove the key";
    if let Some(most) = worker.max_children.filter(|_| !template) {
        let error = Diagnostic::error(format!("worker `{name}` is no template of a pool"));
        let error = error.at_key(key("max_children"), format!("would never have {most} processes"));
        found.push(error.help(help));
    }
    if worker.instances == 0 && !template {
        let error = Diagnostic::error(format!("worker `{name}` would have no process"));
        found.push(error.at_key(key("instances"), "only a pool may start without members").help(help));
    }
    if let Some(most) = worker.max_children.filter(|most| template && *most < worker.instances) {
        let title =
            format!("pool of `{name}` starts with {} members and has places for {most}", worker.instances);
        let error = Diagnostic::error(title)
            .at_key(key("max_children"), "the most that there may be")
            .at_key_if_written(key("instances"), "how many there are at first");
        found.push(error.help("raise `max_children` or lower `instances`"));
    }
    if worker.instances == 0 && template && worker.max_children.is_none() {
        let error = Diagnostic::error(format!("pool of `{name}` has no place for a member"));
        let error = error.at_key(key("instances"), "none at first");
        found.push(error.help("write how many there may be: `max_children = 8`"));
    }
}

/// A pool has one template and nothing else.
fn pool(system: &System, group: &Group, found: &mut Vec<Diagnostic>) {
    let name = &group.name;
    let here = |parent: &Option<String>| parent.as_deref() == Some(name);
    let mut templates = system.workers.iter().filter(|worker| here(&worker.group));
    let strategy = key(group, "strategy");
    if let Some(inner) = system.groups.iter().find(|inner| here(&inner.parent)) {
        let error = Diagnostic::error(format!("group `{}` is in pool `{name}`", inner.name))
            .at_key(key(inner, "group"), "cannot be a member")
            .at_key(strategy.clone(), "the members of a pool are processes of one worker");
        found.push(error.help("put it into another group"));
    }
    match (templates.next(), templates.next()) {
        (None, _) => {
            let error = Diagnostic::error(format!("pool `{name}` has no template"));
            let error = error.at_key(strategy, "the members of a pool are processes of one worker");
            found.push(error.help(format!("write `group = \"{name}\"` into that worker")));
        }
        (Some(first), Some(second)) => {
            let title = format!("pool `{name}` has two templates, `{}` and `{}`", first.name, second.name);
            let error = Diagnostic::error(title)
                .at_key(format!("worker.{}.group", second.name), "one too many")
                .at_key(format!("worker.{}.group", first.name), "the first")
                .at_key(strategy, "the members of a pool are processes of one worker");
            found.push(error.help("make a pool for each"));
        }
        (Some(_), None) => {}
    }
}

/// A group that stops with what is significant has something that is.
fn idle(system: &System, group: &Group) -> Option<Diagnostic> {
    let is_here = |parent: &Option<String>| parent.as_deref().unwrap_or_default() == group.name;
    let worker = system.workers.iter().any(|worker| worker.significant && is_here(&worker.group));
    let inner = system.groups.iter().any(|inner| inner.significant && is_here(&inner.parent));
    if group.auto_shutdown == AutoShutdown::Never || worker || inner {
        return None;
    }
    let error =
        Diagnostic::error(format!("{} stops with its significant members, and has none", noun(group)));
    let error = error.at_key(key(group, "auto_shutdown"), "would never come about");
    Some(error.help("write `significant = true` into a worker of it"))
}
