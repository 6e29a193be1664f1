//! Whether every name that is used is declared, once, and by somebody who can answer to it.

use std::collections::BTreeMap;

use super::{Diagnostic, nearest, quote};
use crate::spec::{Grant, INTROSPECT, System, Worker};

/// Checks every name that a system uses.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut found = unique(system);
    for group in &system.groups {
        let key = format!("group.{}.group", group.name);
        group_exists(system, &key, group.parent.as_deref(), &mut found);
        if is_its_own_ancestor(system, &group.name) {
            let error = Diagnostic::error(format!("group `{}` is inside itself", group.name));
            found.push(error.at_key(key, "leads back to it").help("remove one of these parents"));
        }
    }
    for worker in &system.workers {
        let path = format!("worker.{}", worker.name);
        group_exists(system, &format!("{path}.group"), worker.group.as_deref(), &mut found);
        precedents(system, worker, &mut found);
    }
    for index in 0..system.grants.len() {
        grant(system, index, &mut found);
    }
    found
}

/// Checks the workers that one comes after: each is declared, another one, and named once.
fn precedents(system: &System, worker: &Worker, found: &mut Vec<Diagnostic>) {
    let mut named: Vec<&String> = Vec::new();
    for (list, verb, names) in [
        ("needs", "needs", &worker.needs),
        ("wants", "wants", &worker.wants),
        ("after", "comes after", &worker.after),
    ] {
        for (index, name) in names.iter().enumerate() {
            let key = format!("worker.{}.{list}[{index}]", worker.name);
            if *name == worker.name {
                let error = Diagnostic::error(format!("worker `{name}` {verb} itself"));
                found.push(error.at_key(key, "its own name").help("remove it"));
            } else if named.contains(&name) {
                let error =
                    Diagnostic::error(format!("worker `{}` names {} twice", worker.name, quote(name)));
                let help =
                    "remove one of the two: `needs` says more than `wants`, and that more than `after`";
                found.push(error.at_key(key, "the second time").help(help));
            } else if !system.workers.iter().any(|other| other.name == *name) {
                found.push(no_worker(system, name, &key));
            }
            named.push(name);
        }
    }
}

/// Checks that no two groups, workers, or actors of one worker have the same name. A manifest cannot
/// write such a thing; a program can.
fn unique(system: &System) -> Vec<Diagnostic> {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for group in &system.groups {
        *names.entry(format!("group.{}", group.name)).or_default() += 1;
    }
    for worker in &system.workers {
        *names.entry(format!("worker.{}", worker.name)).or_default() += 1;
        for actor in &worker.actors {
            *names.entry(format!("worker.{}.actor.{}", worker.name, actor.name)).or_default() += 1;
        }
    }
    let twice = names.into_iter().filter(|(_, count)| *count > 1);
    twice
        .map(|(key, count)| {
            Diagnostic::error(format!("`{key}` is declared {count} times")).at_key(key, "here")
        })
        .collect()
}

fn is_its_own_ancestor(system: &System, name: &str) -> bool {
    let parent = |name: &str| system.groups.iter().find(|group| group.name == name)?.parent.as_deref();
    let mut above = parent(name);
    for _ in 0..system.groups.len() {
        match above {
            Some(group) if group == name => return true,
            Some(group) => above = parent(group),
            None => return false,
        }
    }
    false
}

fn group_exists(system: &System, key: &str, name: Option<&str>, found: &mut Vec<Diagnostic>) {
    let Some(name) = name else { return };
    if system.groups.iter().any(|group| group.name == name) {
        return;
    }
    let known = system.groups.iter().map(|group| group.name.as_str());
    let error = Diagnostic::error(format!("no group is called {}", quote(name)));
    found.push(error.at_key(key, "not declared").help(suggest(name, known, "declare it: `[group.NAME]`")));
}

fn grant(system: &System, index: usize, found: &mut Vec<Diagnostic>) {
    let grant = &system.grants[index];
    let key = |part: &str| format!("grant[{index}].{part}");
    let worker = |name: &str| system.workers.iter().find(|worker| worker.name == name);
    if worker(&grant.from).is_none() {
        found.push(no_worker(system, &grant.from, &key("from")));
    }
    let Some(target) = worker(&grant.to_worker) else {
        found.push(no_worker(system, &grant.to_worker, &key("to")));
        return;
    };
    if grant.from == grant.to_worker {
        let error = Diagnostic::error(format!("worker `{}` is granted messages to itself", grant.from));
        let help = "actors of one worker reach each other without a grant; remove it";
        found.push(error.at_key(key("to"), "the sender itself").at_key(key("from"), "the sender").help(help));
    } else if let Some(earlier) = system.grants[..index].iter().position(|other| overlap(other, grant)) {
        let error = Diagnostic::error(format!("`{}` is granted the same target twice", grant.from));
        let error =
            error.at_key(key("to"), "the second grant").at_key(format!("grant[{earlier}].to"), "the first");
        found.push(error.help("make one grant of the two; methods and descriptors are lists"));
    }
    if let Some(diagnostic) = target_answers(target, grant.to_actor.as_deref(), &key("to")) {
        found.push(diagnostic);
    }
}

/// Tells whether two grants speak of the same sender and of an actor in common. What a worker's runtime has is none of those that the
/// worker declares.
fn overlap(one: &Grant, other: &Grant) -> bool {
    let covers =
        |one: &Grant, other: &Grant| one.to_actor.is_none() && other.to_actor.as_deref() != Some(INTROSPECT);
    let common = covers(one, other) || covers(other, one) || one.to_actor == other.to_actor;
    one.from == other.from && one.to_worker == other.to_worker && common
}

fn target_answers(target: &Worker, actor: Option<&str>, key: &str) -> Option<Diagnostic> {
    if actor == Some(INTROSPECT) && target.has_runtime() {
        return None;
    }
    let known: Vec<&str> = target.actors.iter().map(|actor| actor.name.as_str()).collect();
    let name = &target.name;
    if known.is_empty() {
        let help = format!("declare one: `[worker.{name}.actor.NAME]` with `type = \"TYPE\"`");
        let error = Diagnostic::error(format!("worker `{name}` has no actor that could take a message"));
        return Some(error.at_key(key, "nobody there").help(help));
    }
    let actor = actor.filter(|actor| !known.contains(actor))?;
    let error = Diagnostic::error(format!("worker `{name}` has no actor {}", quote(actor)));
    let declare = format!("its actors are: {}", known.join(", "));
    Some(error.at_key(key, "not declared").help(suggest(actor, known.iter().copied(), &declare)))
}

fn no_worker(system: &System, name: &str, key: &str) -> Diagnostic {
    let known = system.workers.iter().map(|worker| worker.name.as_str());
    Diagnostic::error(format!("no worker is called {}", quote(name)))
        .at_key(key, "not declared")
        .help(suggest(name, known, "declare it: `[worker.NAME]`"))
}

/// Asks whether the nearest name was meant, or says something else where none is near.
pub(crate) fn suggest<'a>(name: &str, known: impl Iterator<Item = &'a str>, otherwise: &str) -> String {
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => otherwise.into(),
    }
}
