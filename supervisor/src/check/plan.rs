//! What a manifest that takes the place of another means for those who run: worker by worker, and why.
//!
//! A pure function over two systems. Whatever is not said here to hold while a worker runs needs a new life of it, so a
//! key that this file does not know is taken up by a restart and never silently missed.

use std::collections::BTreeMap;
use std::fmt;

use bailiwick_core::tree::Came;

use super::gains;
use crate::control::Outcome;
use crate::spec::{FdKind, Grant, Strategy, System, Worker};

/// What a reload would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The supervisor and the groups that change, in brackets; then every worker of either system: those of the new
    /// one in its order, then those that are removed.
    pub steps: Vec<Step>,
    /// What a worker may do afterwards and may not now.
    pub gains: Vec<String>,
    /// Why it cannot be done while the system runs; nothing is done then.
    pub obstacles: Vec<String>,
}

/// What becomes of one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, or a table's.
    pub worker: String,
    /// What becomes of it.
    pub change: Change,
    /// The keys that differ.
    pub because: Vec<&'static str>,
}

/// What becomes of a worker, from the mildest to the hardest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
// Exhaustive: whoever applies a plan must know what to do for each.
pub enum Change {
    /// Nothing.
    Unchanged,
    /// What differs holds at once, or from its next start; its process goes on.
    Hot,
    /// Its process is told new `args`, and goes on unless it cannot take them.
    Reconfigured,
    /// It is stopped in order and starts again.
    Restarted,
    /// It starts.
    Added,
    /// It is stopped in order and forgotten.
    Removed,
}

impl Change {
    /// Every change.
    pub const ALL: [Self; 6] =
        [Self::Unchanged, Self::Hot, Self::Reconfigured, Self::Restarted, Self::Added, Self::Removed];

    /// Returns the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Hot => "hot",
            Self::Reconfigured => "reconfigured",
            Self::Restarted => "restarted",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }
}

impl Plan {
    /// Returns why it is not to be done; `widening` allows what workers gain.
    pub fn refusal(&self, widening: bool) -> Option<&'static str> {
        if !self.obstacles.is_empty() {
            Some("the system would have to be stopped for that")
        } else if !self.gains.is_empty() && !widening {
            Some("workers would gain what they may not do now; --allow-widening allows it")
        } else {
            None
        }
    }

    /// Returns what becomes of a worker.
    pub fn change(&self, worker: &str) -> Change {
        let step = self.steps.iter().find(|step| step.worker == worker);
        step.map_or(Change::Unchanged, |step| step.change)
    }
}

/// Plans how `new` takes the place of `old`.
pub fn plan(old: &System, new: &System) -> Plan {
    let find = |system: &System, name: &str| system.workers.iter().find(|one| one.name == name).cloned();
    let stays = new.workers.iter().map(|worker| match find(old, &worker.name) {
        Some(before) => differences(&before, worker),
        None => Step { worker: worker.name.clone(), change: Change::Added, because: Vec::new() },
    });
    let gone = old.workers.iter().filter(|worker| find(new, &worker.name).is_none());
    let gone =
        gone.map(|worker| Step { worker: worker.name.clone(), change: Change::Removed, because: Vec::new() });
    let mut steps: Vec<Step> = surroundings(old, new).into_iter().chain(stays).chain(gone).collect();
    for step in &mut steps {
        if step.change < Change::Restarted && is_linked_otherwise(old, new, &step.worker) {
            // A socket that takes no descriptors stays so.
            let (before, after) = (takes_fds(old, &step.worker), takes_fds(new, &step.worker));
            let is_other_link =
                before.iter().any(|(pair, takes)| after.get(pair).is_some_and(|now| now != takes));
            step.change = step.change.max(if is_other_link { Change::Restarted } else { Change::Hot });
            step.because.push("grant");
        }
    }
    Plan { steps, gains: gains::gains(old, new), obstacles: obstacles(old, new) }
}

/// Says what came of the orders to workers, each by its title, and what that comes to: the last that is not as it should be.
pub fn results<'t>(came: impl Iterator<Item = (&'t str, Option<Came>)>) -> (String, Outcome) {
    let (mut text, mut worst) = (String::new(), Outcome::Done);
    for (title, came) in came {
        let Some((word, outcome)) = result(came) else { continue };
        text += &format!("result\t{title}\t{word}\n");
        worst = if outcome == Outcome::Done { worst } else { outcome };
    }
    (text, worst)
}

/// Says what came of the order to one worker, where there is something to say; what is not over yet is late.
fn result(came: Option<Came>) -> Option<(&'static str, Outcome)> {
    Some(match came {
        Some(Came::Done) => return None,
        Some(Came::Declined) => ("declined", Outcome::Done),
        Some(Came::Refused) => ("refused", Outcome::Refused),
        Some(Came::TimedOut) => ("timeout", Outcome::TimedOut),
        Some(Came::Fails) => ("does not come up", Outcome::TimedOut),
        None => ("not yet", Outcome::TimedOut),
    })
}

/// What has changed around the workers: all of it holds at once.
fn surroundings(old: &System, new: &System) -> Vec<Step> {
    let step = |name: &str, change| Step { worker: name.to_owned(), change, because: Vec::new() };
    let mut found = Vec::new();
    if old.root != new.root || old.shutdown_timeout != new.shutdown_timeout {
        found.push(step("[supervisor]", Change::Hot));
    }
    for group in &new.groups {
        let title = format!("[group.{}]", group.name);
        match old.groups.iter().find(|before| before.name == group.name) {
            None => found.push(step(&title, Change::Added)),
            Some(before) if before != group => found.push(step(&title, Change::Hot)),
            Some(_) => {}
        }
    }
    let gone = old.groups.iter().filter(|group| !new.groups.iter().any(|other| other.name == group.name));
    found.extend(gone.map(|group| step(&format!("[group.{}]", group.name), Change::Removed)));
    found
}

/// What one key of a worker is to a running process.
struct Key {
    name: &'static str,
    change: Change,
    /// Takes the key over from the other worker; returns whether that changed anything.
    take: fn(&mut Worker, &Worker) -> bool,
}

macro_rules! keys {
    ($($change:ident $name:literal $($field:ident).+;)+) => {
        &[$(Key {
            name: $name,
            change: Change::$change,
            take: |old, new| {
                let differs = old.$($field).+ != new.$($field).+;
                old.$($field).+ = new.$($field).+.clone();
                differs
            },
        }),+]
    };
}

const KEYS: &[Key] = keys! {
    Hot "needs" needs;
    Hot "wants" wants;
    Hot "after" after;
    Hot "significant" significant;
    Hot "on" on;
    Hot "max_offences" max_offences;
    Hot "offence_period" offence_period;
    Hot "kept" kept;
    Hot "restart" restart;
    Hot "essential" essential;
    Hot "crash_may_stop" crash_may_stop_all;
    Hot "backoff" backoff;
    Hot "start_timeout" start_timeout;
    Hot "stop_timeout" stop_timeout;
    Hot "drain_timeout" drain_timeout;
    Hot "stuck_after" stuck_after;
    Hot "liveness_timeout" liveness_timeout;
    Hot "abort_timeout" abort_timeout;
    Hot "reload_timeout" reload_timeout;
    Hot "on_sigstop" on_sigstop;
    Hot "channel.on_violation" on_violation;
    Hot "stable_after" stable_after;
    Hot "ok_exit" ok_exit;
    Hot "no_restart_exit" no_restart_exit;
    Hot "uncounted_exit" uncounted_exit;
    Hot "may" may;
    Hot "max_age" max_age;
    Hot "spares" spares;
    Restarted "a limit of channel" channel;
    Restarted "exec" exec;
    Restarted "kind" kind;
    Restarted "arguments, notify, watchdog or stop_signal" command;
    Restarted "privileged" privileged;
    Restarted "environment" environment;
    Restarted "pass_environment" pass_environment;
    Restarted "load_credential" credentials;
    Restarted "working_directory" working_directory;
    Restarted "sandbox.preset" sandbox.preset;
    Restarted "sandbox.user" sandbox.user;
    Restarted "sandbox.group" sandbox.group;
    Restarted "sandbox.supplementary_groups" sandbox.supplementary_groups;
    Restarted "sandbox.keyring_mode" sandbox.keyring_mode;
    Restarted "sandbox.capabilities" sandbox.capabilities;
    Restarted "sandbox.read_only_paths" sandbox.read_only_paths;
    Restarted "sandbox.read_write_paths" sandbox.read_write_paths;
    Restarted "sandbox.tcp_bind" sandbox.tcp_bind;
    Restarted "sandbox.tcp_connect" sandbox.tcp_connect;
    Restarted "sandbox.memory_max" sandbox.memory_max;
    Restarted "sandbox.tasks_max" sandbox.tasks_max;
    Restarted "sandbox.limit_nofile" sandbox.limit_nofile;
    Restarted "sandbox.limit_core" sandbox.limit_core;
    Restarted "a limit of sandbox" sandbox.limits;
    Restarted "a share of sandbox" sandbox.shares;
    Restarted "sandbox.umask" sandbox.umask;
    Restarted "sandbox.nice" sandbox.nice;
    Restarted "sandbox.oom_score_adjust" sandbox.oom_score_adjust;
    Restarted "sandbox.private_pids" sandbox.private_pids;
    Restarted "sandbox.private_users" sandbox.private_users;
    Restarted "sandbox" sandbox;
};

fn differences(old: &Worker, new: &Worker) -> Step {
    let mut rest = old.clone();
    let mut found: Vec<(&'static str, Change)> = Vec::new();
    for key in KEYS {
        if (key.take)(&mut rest, new) {
            found.push((key.name, key.change));
        }
    }
    // A single instance has no number in its name; others come and go without those that stay.
    let renamed = (rest.places() == 1) != (new.places() == 1);
    let change = if renamed { Change::Restarted } else { Change::Hot };
    found.extend((rest.instances != new.instances).then_some(("instances", change)));
    found.extend((rest.max_children != new.max_children).then_some(("max_children", change)));
    found.extend(actors(&rest, new));
    // An obstacle of its own.
    rest.group.clone_from(&new.group);
    (rest.instances, rest.max_children, rest.actors) = (new.instances, new.max_children, new.actors.clone());
    if rest != *new {
        found.push(("another key", Change::Restarted));
    }
    let change = found.iter().map(|(_, change)| *change).max().unwrap_or(Change::Unchanged);
    let because = found.into_iter().map(|(name, _)| name).collect();
    Step { worker: new.name.clone(), change, because }
}

/// Only changed arguments can be taken up by a process that runs, and only by an actor that has some.
fn actors(old: &Worker, new: &Worker) -> Option<(&'static str, Change)> {
    let mut rest = old.actors.clone();
    let mut changed = false;
    for (actor, new) in rest.iter_mut().zip(&new.actors) {
        if let Some(args) = &new.args {
            // Where it stands in the manifest says nothing about it.
            changed |= actor.args.as_ref().is_none_or(|old| old.text != args.text);
            actor.args = Some(args.clone());
        }
    }
    match rest == new.actors {
        true => changed.then_some(("actor.args", Change::Reconfigured)),
        false => Some(("actor", Change::Restarted)),
    }
}

/// Whether two workers that stay may now send each other something else than before. Both ends are told, and take it up
/// while the link between them is in use.
fn is_linked_otherwise(old: &System, new: &System, worker: &str) -> bool {
    let peers = |system: &System| -> Vec<String> {
        let other = |grant: &crate::spec::Grant| match (grant.from == worker, grant.to_worker == worker) {
            (true, _) => Some(grant.to_worker.clone()),
            (_, true) => Some(grant.from.clone()),
            _ => None,
        };
        system.grants.iter().filter_map(other).collect()
    };
    let between = |system: &System, peer: &str| -> Vec<(crate::spec::Grant, Vec<String>)> {
        let of = |grant: &&crate::spec::Grant| {
            [(worker, peer), (peer, worker)].contains(&(grant.from.as_str(), grant.to_worker.as_str()))
        };
        // A grant that names no actor is one of all that the receiver declares.
        let to = |name: &str| system.workers.iter().find(|worker| worker.name == name);
        let actors = |grant: &crate::spec::Grant| {
            let all = to(&grant.to_worker).filter(|_| grant.to_actor.is_none());
            all.map(|to| to.actors.iter().map(|actor| actor.name.clone()).collect()).unwrap_or_default()
        };
        system.grants.iter().filter(of).map(|grant| (grant.clone(), actors(grant))).collect()
    };
    let after = peers(new);
    peers(old).iter().any(|peer| after.contains(peer) && between(old, peer) != between(new, peer))
}

/// Returns with whom a worker has grants, and whether they bring descriptors one way or the other.
fn takes_fds<'s>(system: &'s System, worker: &str) -> BTreeMap<(&'s str, &'s str), bool> {
    let may = |kinds: &Option<Vec<FdKind>>| kinds.as_ref().is_none_or(|kinds| !kinds.is_empty());
    let of = |grant: &&Grant| grant.from == worker || grant.to_worker == worker;
    let mut found = BTreeMap::new();
    for grant in system.grants.iter().filter(of) {
        let there = found.entry((grant.from.as_str(), grant.to_worker.as_str())).or_insert(false);
        *there |= may(&grant.fds_send);
        let back = found.entry((grant.to_worker.as_str(), grant.from.as_str())).or_insert(false);
        *back |= may(&grant.fds_receive);
    }
    found
}

fn obstacles(old: &System, new: &System) -> Vec<String> {
    let mut found = Vec::new();
    if old.name != new.name || old.state_dir != new.state_dir {
        found.push(
            "the system's `name` and `state_dir` hold for as long as it runs: stop it and start it anew"
                .into(),
        );
    }
    if old.allow_degraded != new.allow_degraded || old.worker_uids != new.worker_uids {
        let text = "`sandbox_policy` and `uid_range` hold for as long as it runs: stop it and start it anew";
        found.push(text.into());
    }
    if old.listeners != new.listeners {
        found.push("listeners are opened at the start and kept: stop the system and start it anew".into());
    }
    for (before, worker) in both(&old.workers, &new.workers, |one| &one.name) {
        if before.group != worker.group {
            let root = || "the root".to_owned();
            let named =
                |group: &Option<String>| group.as_ref().map_or_else(root, |name| format!("group `{name}`"));
            found.push(format!(
                "worker `{}` cannot move from {} to {} while it runs: its budget and its order are its group's; remove it, reload, and add it again",
                worker.name, named(&before.group), named(&worker.group),
            ));
        }
    }
    for (before, group) in both(&old.groups, &new.groups, |one| &one.name) {
        if before.parent != group.parent {
            found.push(format!("group `{}` cannot move into another group while it runs", group.name));
        }
        if (before.strategy == Strategy::Pool) != (group.strategy == Strategy::Pool) {
            found.push(format!(
                "group `{}` cannot become a pool, or cease to be one, while it runs",
                group.name
            ));
        }
    }
    found
}

/// Returns those that are in both lists under one name.
fn both<'s, T>(old: &'s [T], new: &'s [T], name: impl Fn(&T) -> &String) -> Vec<(&'s T, &'s T)> {
    let pair = |one: &'s T| old.iter().find(|before| name(before) == name(one)).map(|before| (before, one));
    new.iter().filter_map(pair).collect()
}

/// One line for each worker that changes, for each gain and for each obstacle: the word, a tabulator, and what it is about.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{}\t{}\t{}", step.change.word(), step.worker, step.because.join(", "))?;
        }
        self.gains.iter().try_for_each(|gain| writeln!(f, "gains\t{gain}"))?;
        self.obstacles.iter().try_for_each(|obstacle| writeln!(f, "obstacle\t{obstacle}"))
    }
}
