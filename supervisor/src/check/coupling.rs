//! Who is stopped by whose crash: the blast radius of every worker.

use super::Diagnostic;
use crate::spec::{Kind, OnExhausted, System, Worker};

/// Whom a crash of one worker may stop besides itself, when it crashes again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach<'s> {
    /// Nobody.
    Itself,
    /// The members of a group that escalates.
    Group(&'s str),
    /// The whole system.
    All,
}

/// Returns whom the crashes of a worker may stop.
pub fn reach<'s>(system: &'s System, worker: &'s Worker) -> Reach<'s> {
    if worker.essential || worker.kind == Kind::Main {
        return Reach::All;
    }
    let mut reached = Reach::Itself;
    let mut group = worker.group.as_deref();
    // A group is left behind as soon as it does not escalate; bounded, because parents may form a circle.
    for _ in 0..=system.groups.len() {
        let Some(found) = system.groups.iter().find(|one| Some(one.name.as_str()) == group) else { break };
        if found.on_exhausted != OnExhausted::Escalate {
            break;
        }
        reached = Reach::Group(&found.name);
        group = found.parent.as_deref();
    }
    reached
}

/// Returns the other workers that the crashes of a worker may stop.
pub fn stopped_with<'s>(system: &'s System, worker: &Worker) -> Vec<&'s Worker> {
    let reach = reach(system, worker);
    let others = system.workers.iter().filter(|other| other.name != worker.name);
    others
        .filter(|other| match reach {
            Reach::Itself => false,
            Reach::Group(group) => is_inside(system, other, group),
            Reach::All => true,
        })
        .collect()
}

/// Tells whether a worker belongs to a group or to one inside it.
fn is_inside(system: &System, worker: &Worker, group: &str) -> bool {
    let mut name = worker.group.as_deref();
    for _ in 0..=system.groups.len() {
        if name == Some(group) {
            return true;
        }
        let found = system.groups.iter().find(|one| Some(one.name.as_str()) == name);
        name = found.and_then(|found| found.parent.as_deref());
    }
    false
}

/// Refuses what lets a worker without privilege stop everything, or one that holds some, unless it is
/// written out.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for worker in &system.workers {
        let name = &worker.name;
        if worker.crash_may_stop_all && reach(system, worker) == Reach::Itself {
            let error =
                Diagnostic::error(format!("`crash_may_stop` for worker `{name}`, whose crash stops nothing"))
                    .at_key(
                        format!("worker.{name}.crash_may_stop"),
                        "neither essential nor in a group that escalates",
                    )
                    .at_key_if_written(format!("worker.{name}.essential"), "not essential");
            found.push(error.help("remove it"));
        }
        if worker.holds_privilege() || worker.crash_may_stop_all || worker.kind == Kind::Main {
            continue;
        }
        let accept = "write out `crash_may_stop = \"all\"` in the worker";
        match reach(system, worker) {
            Reach::Itself => {}
            Reach::All => {
                let title =
                    format!("a crash of worker `{name}`, which holds no privilege, could stop everything");
                let error = Diagnostic::error(title)
                    .at_key(format!("worker.{name}.essential"), "when it is given up, the system stops")
                    .help(format!("remove `essential`, or {accept}"));
                found.push(error);
            }
            Reach::Group(group) => {
                let more = stopped_with(system, worker).into_iter().find(|other| other.holds_privilege());
                let Some(more) = more else { continue };
                let title = format!(
                    "a crash of worker `{name}` could stop `{}`, which holds more privilege",
                    more.name
                );
                let error = Diagnostic::error(title)
                    .at_key(format!("worker.{name}.group"), "holds no privilege")
                    .at_key_if_written(format!("group.{group}.on_exhausted"), "stops the whole group")
                    .at_key_if_written(format!("worker.{}.group", more.name), "would be stopped with it")
                    .help(format!("put `{}` into another group, or {accept}", more.name));
                found.push(error);
            }
        }
    }
    found
}
