//! Who is stopped by whose end: the blast radius of every worker.

use bailiwick_core::tree::{ChildId, Tree};

use super::{Diagnostic, order};
use crate::spec::{AutoShutdown, Group, Kind, OnExhausted, RestartType, Strategy, System, Worker};

/// Whom the ends of one worker may stop besides itself, if it ends as often and as badly as it likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blast {
    /// The worker.
    pub worker: String,
    /// The other workers that are stopped with it, some of which start again, and the first reason for each.
    pub stops: Vec<(String, Why)>,
    /// Why the whole system stops with it; `None` if it does not.
    pub everything: Option<Why>,
    /// The workers that are not started any more once it is given up, because they need it or each other.
    pub holds_up: Vec<String>,
}

/// Why the end of one worker stops another. Groups are told by name; the root's is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// At each of its failures: the group starts its members, or those after it, together.
    Together {
        /// The group.
        group: String,
    },
    /// After failures that spend the budget: the group stops and leaves the rest to the group around it.
    Escalates {
        /// The group.
        group: String,
    },
    /// When it has ended as it should: the group has done its work.
    Finishes {
        /// The group.
        group: String,
    },
    /// When this worker, which is it or needs it, is given up: that one is essential.
    Essential {
        /// The essential worker.
        worker: String,
    },
}

/// Returns whom the ends of each worker may stop; of a system that has no order of start, nobody is told.
pub fn blast(system: &System) -> Vec<Blast> {
    let Some(Ok(tree)) = order::machine(system) else { return Vec::new() };
    (0..)
        .map(ChildId)
        .zip(&system.workers)
        .map(|(id, worker)| Spread::of(system, &tree, id, worker))
        .collect()
}

/// The blast of one worker while it is followed.
struct Spread<'s> {
    system: &'s System,
    tree: &'s Tree,
    id: ChildId,
    blast: Blast,
}

impl<'s> Spread<'s> {
    fn of(system: &'s System, tree: &'s Tree, id: ChildId, worker: &'s Worker) -> Blast {
        let blast =
            Blast { worker: worker.name.clone(), stops: Vec::new(), everything: None, holds_up: Vec::new() };
        let mut spread = Self { system, tree, id, blast };
        if worker.kind == Kind::Main || worker.restart != RestartType::Temporary {
            spread.failures(worker);
        }
        if worker.significant {
            spread.significance(system.group(worker.group.as_deref()));
        }
        spread.given_up(worker);
        spread.blast
    }

    /// Follows failures upwards: what each group restarts at once, and who stops when budgets are spent.
    fn failures(&mut self, worker: &'s Worker) {
        for group in self.system.around(worker) {
            let name = &group.name;
            match group.strategy {
                Strategy::OneForAll => self.stop(group, false, &Why::Together { group: name.clone() }),
                Strategy::RestForOne => self.stop(group, true, &Why::Together { group: name.clone() }),
                Strategy::OneForOne | Strategy::Pool => {}
            }
            // A group is left behind as soon as it does not escalate.
            if group.on_exhausted != OnExhausted::Escalate {
                break;
            }
            self.stop(group, false, &Why::Escalates { group: name.clone() });
        }
    }

    /// Follows the end of what is significant upwards, as far as it alone decides.
    fn significance(&mut self, group: &'s Group) {
        let here = |parent: &Option<String>| parent.as_deref().unwrap_or_default() == group.name;
        let workers = self.system.workers.iter().filter(|worker| worker.significant && here(&worker.group));
        let groups = self.system.groups.iter().filter(|inner| inner.significant && here(&inner.parent));
        let significant = workers.map(|worker| usize::from(worker.instances)).sum::<usize>() + groups.count();
        if group.auto_shutdown == AutoShutdown::AnySignificant || significant == 1 {
            self.stop(group, false, &Why::Finishes { group: group.name.clone() });
            if group.significant {
                self.significance(self.system.group(group.parent.as_deref()));
            }
        }
    }

    /// Follows what is given up with a worker: itself, those who need it, and so on.
    fn given_up(&mut self, worker: &'s Worker) {
        let mut open = vec![worker];
        while let Some(next) = open.pop() {
            let essential = next.essential || next.kind == Kind::Main;
            if essential && self.blast.everything.is_none() {
                self.blast.everything = Some(Why::Essential { worker: next.name.clone() });
            }
            for other in self.system.workers.iter().filter(|other| other.needs.contains(&next.name)) {
                if other.name != worker.name && !self.blast.holds_up.contains(&other.name) {
                    self.blast.holds_up.push(other.name.clone());
                    open.push(other);
                }
            }
        }
    }

    /// Stops the members of a group, all of them or those from the worker on.
    fn stop(&mut self, group: &Group, rest: bool, why: &Why) {
        let is_root = group.name.is_empty();
        if is_root && !matches!(why, Why::Together { .. }) && self.blast.everything.is_none() {
            self.blast.everything = Some(why.clone());
        }
        for (id, other) in (0..).map(ChildId).zip(&self.system.workers) {
            let is_inside = self.system.around(other).any(|around| around.name == group.name);
            let is_known = id == self.id || self.blast.stops.iter().any(|(known, _)| *known == other.name);
            if is_inside && !is_known && (!rest || self.is_after(id, group)) {
                self.blast.stops.push((other.name.clone(), why.clone()));
            }
        }
    }

    /// Whether another member of the group stands behind the worker, or behind the group that holds it.
    fn is_after(&self, other: ChildId, group: &Group) -> bool {
        let depth = |id: ChildId| {
            let worker = &self.system.workers[usize::from(id.0)];
            self.system.around(worker).position(|around| around.name == group.name)
        };
        let rank = |id: ChildId| self.tree.ranks(id).nth(depth(id)?);
        rank(other) >= rank(self.id)
    }
}

/// Refuses what lets a worker without privilege stop everything, or one that holds some, unless it is written out.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let blasts = blast(system);
    let of = |name: &str| system.workers.iter().find(|worker| worker.name == name);
    let mut found = Vec::new();
    for (blast, worker) in blasts.iter().zip(&system.workers) {
        let name = &worker.name;
        if worker.crash_may_stop_all && blast.stops.is_empty() && blast.everything.is_none() {
            let title = format!("`crash_may_stop` for worker `{name}`, whose crash stops nothing");
            let text = "neither essential nor in a group that stops with it";
            let error = Diagnostic::error(title)
                .at_key(format!("worker.{name}.crash_may_stop"), text)
                .at_key_if_written(format!("worker.{name}.essential"), "not essential");
            found.push(error.help("remove it"));
        }
        if worker.holds_privilege() || worker.crash_may_stop_all || worker.kind == Kind::Main {
            continue;
        }
        if let Some(error) = blast.everything.as_ref().and_then(|why| stops_everything(system, worker, why)) {
            found.push(error);
        }
        let more = blast.stops.iter().find(|(other, _)| of(other).is_some_and(Worker::holds_privilege));
        found.extend(more.and_then(|(more, why)| stops_privileged(worker, more, why)));
    }
    found
}

/// The way to accept a coupling.
const ACCEPT: &str = "write out `crash_may_stop = \"all\"` in the worker";

fn stops_everything(system: &System, worker: &Worker, why: &Why) -> Option<Diagnostic> {
    let name = &worker.name;
    let title = format!("a crash of worker `{name}`, which holds no privilege, could stop everything");
    let error = Diagnostic::error(title);
    Some(match why {
        Why::Essential { worker: essential } if essential == name => error
            .at_key(format!("worker.{name}.essential"), "when it is given up, the system stops")
            .help(format!("remove `essential`, or {ACCEPT}")),
        Why::Essential { worker: essential } => {
            // Who is essential without a privilege has it written out that the system stops with it.
            let other = system.workers.iter().find(|other| other.name == *essential)?;
            if !other.holds_privilege() {
                return None;
            }
            error
                .at_key(format!("worker.{name}"), format!("`{essential}` is given up with it"))
                .at_key_if_written(format!("worker.{essential}.needs"), format!("is why `{essential}` is"))
                .at_key_if_written(
                    format!("worker.{essential}.essential"),
                    "when it is given up, the system stops",
                )
                .help(format!("let `{essential}` want it: `wants = [\"{name}\"]`, or {ACCEPT}"))
        }
        Why::Escalates { .. } => error
            .at_key(format!("worker.{name}"), "its failures spend the root's budget in the end")
            .at_key_if_written("supervisor.on_exhausted", "then the system stops")
            .help(format!("put it into a group that does not escalate, or {ACCEPT}")),
        // That the end of its work is the end of all is written out in both places.
        Why::Finishes { .. } | Why::Together { .. } => return None,
    })
}

fn stops_privileged(worker: &Worker, more: &str, why: &Why) -> Option<Diagnostic> {
    let name = &worker.name;
    let (key, group, text) = match why {
        Why::Together { group } => ("strategy", group, "restarts them together"),
        Why::Escalates { group } => ("on_exhausted", group, "stops the whole group"),
        // As above.
        Why::Finishes { .. } | Why::Essential { .. } => return None,
    };
    let place = if group.is_empty() { format!("supervisor.{key}") } else { format!("group.{group}.{key}") };
    let title = format!("a crash of worker `{name}` could stop `{more}`, which holds more privilege");
    let error = Diagnostic::error(title)
        .at_key(format!("worker.{name}.group"), "holds no privilege")
        .at_key_if_written(place, text)
        .at_key_if_written(format!("worker.{more}.group"), "would be stopped with it");
    Some(error.help(format!("put `{more}` into another group, or {ACCEPT}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Exec;

    fn worker(name: &str, group: &str) -> Worker {
        let group = (!group.is_empty()).then(|| group.to_owned());
        Worker { group, ..Worker::new(name, Exec::Own) }
    }

    fn group(name: &str, parent: &str, strategy: Strategy) -> Group {
        let parent = (!parent.is_empty()).then(|| parent.to_owned());
        Group { parent, strategy, ..Group::new(name) }
    }

    fn stops(system: &System, name: &str) -> Vec<String> {
        let blast = blast(system).into_iter().find(|blast| blast.worker == name).unwrap();
        blast.stops.into_iter().map(|(name, _)| name).collect()
    }

    /// `a`, an inner group of `b` and `c`, and `d`, in a group of this strategy; `e` outside.
    fn nested(strategy: Strategy, inner: OnExhausted) -> System {
        let mut inner_group = group("inner", "outer", Strategy::OneForOne);
        inner_group.on_exhausted = inner;
        let workers = [("a", "outer"), ("b", "inner"), ("c", "inner"), ("d", "outer"), ("e", "")];
        System {
            groups: vec![inner_group, group("outer", "", strategy)],
            workers: workers.map(|(name, group)| worker(name, group)).into(),
            ..System::default()
        }
    }

    #[test]
    fn a_serial_group_stops_its_members_with_one_and_rest_for_one_those_behind_it() {
        let all = nested(Strategy::OneForAll, OnExhausted::CoolDown);
        assert_eq!(stops(&all, "a"), ["b", "c", "d"]);
        assert_eq!(stops(&all, "b"), [""; 0], "its own group restarts it alone");
        let rest = nested(Strategy::RestForOne, OnExhausted::CoolDown);
        assert_eq!(stops(&rest, "a"), ["b", "c", "d"]);
        assert_eq!(stops(&rest, "d"), [""; 0]);
    }

    #[test]
    fn an_escalation_takes_the_siblings_of_the_group_as_the_strategy_around_it_says() {
        let rest = nested(Strategy::RestForOne, OnExhausted::Escalate);
        assert_eq!(stops(&rest, "b"), ["c", "d"]);
        let all = nested(Strategy::OneForAll, OnExhausted::Escalate);
        assert_eq!(stops(&all, "c"), ["b", "a", "d"]);
        let one = nested(Strategy::OneForOne, OnExhausted::Escalate);
        assert_eq!(stops(&one, "b"), ["c"]);
    }

    #[test]
    fn escalation_up_to_the_root_stops_everything() {
        let mut system = nested(Strategy::OneForOne, OnExhausted::Escalate);
        system.groups[1].on_exhausted = OnExhausted::Escalate;
        assert_eq!(blast(&system)[1].everything, None);
        system.root.on_exhausted = OnExhausted::Escalate;
        assert_eq!(blast(&system)[1].everything, Some(Why::Escalates { group: String::new() }));
        assert_eq!(stops(&system, "b"), ["c", "a", "d", "e"]);
    }

    #[test]
    fn what_needs_a_worker_is_held_up_with_it_and_everything_stops_if_that_is_essential() {
        let mut system = nested(Strategy::OneForOne, OnExhausted::CoolDown);
        system.workers[1].needs = vec!["a".into()];
        system.workers[4].needs = vec!["b".into()];
        assert_eq!(blast(&system)[0].holds_up, ["b", "e"]);
        (system.workers[4].essential, system.workers[4].privileged) = (true, true);
        assert_eq!(blast(&system)[0].everything, Some(Why::Essential { worker: "e".into() }));
        assert_eq!(check(&system).len(), 2, "{:?}", check(&system));
        system.workers[4].privileged = false;
        system.workers[4].crash_may_stop_all = true;
        assert_eq!(check(&system), [], "it is written out in the essential one");
    }

    #[test]
    fn the_end_of_what_is_significant_stops_its_group_if_it_alone_decides() {
        let mut system = nested(Strategy::OneForOne, OnExhausted::CoolDown);
        system.groups[0].auto_shutdown = AutoShutdown::AllSignificant;
        (system.workers[1].significant, system.workers[1].restart) = (true, RestartType::Temporary);
        assert_eq!(stops(&system, "b"), ["c"]);
        (system.workers[2].significant, system.workers[2].restart) = (true, RestartType::Temporary);
        assert_eq!(stops(&system, "b"), [""; 0]);
        system.groups[0].auto_shutdown = AutoShutdown::AnySignificant;
        assert_eq!(stops(&system, "b"), ["c"]);
    }

    #[test]
    fn a_lesser_worker_in_one_serial_group_with_a_privileged_one_is_refused_unless_written_out() {
        let mut system = nested(Strategy::OneForAll, OnExhausted::CoolDown);
        system.workers[3].privileged = true;
        let titles: Vec<_> = check(&system).into_iter().map(|error| error.title).collect();
        assert_eq!(titles, ["a crash of worker `a` could stop `d`, which holds more privilege"]);
        system.workers[0].crash_may_stop_all = true;
        assert_eq!(check(&system), []);
    }
}
