//! What the machine is told of a worker and of a group: their declarations, key by key.

use std::time::Duration;

use bailiwick_core::child::Alone;
use bailiwick_core::exit::ExitCodes;
use bailiwick_core::tree::{ChildConfig, Config, GroupConfig, GroupId};

use crate::roster::{Roster, Seat, Standing};

use super::unfit::unknown;
use super::{Group, OnSigstop, Start, System, Unfit, Worker};

impl Worker {
    /// Returns the machine's terms for each instance, without those that name others.
    pub fn terms(&self, group: GroupId) -> ChildConfig {
        let mut terms = ChildConfig {
            group,
            kind: self.kind,
            restart: self.restart,
            on_demand: self.start == Start::OnDemand,
            disposable: self.max_messages > 0,
            max_age: or_never(self.max_age),
            spare: self.has_spare(),
            essential: self.essential,
            significant: self.significant,
            backoff: self.backoff,
            start_timeout: self.start_timeout,
            stop_timeout: self.stop_timeout,
            drain_timeout: self.drain_timeout,
            stuck_after: or_never(self.stuck_after),
            liveness_timeout: or_never(self.liveness_timeout),
            abort_timeout: self.abort_timeout,
            ignore_sigstop: self.on_sigstop == OnSigstop::Ignore,
            reload_timeout: self.reload_timeout,
            stable_after: self.stable_after,
            on: self.on,
            max_offences: self.max_offences,
            offence_period: self.offence_period,
            ok_exit: ExitCodes::new(&self.ok_exit),
            no_restart_exit: ExitCodes::new(&self.no_restart_exit),
            uncounted_exit: ExitCodes::new(&self.uncounted_exit),
            ..ChildConfig::default()
        };
        if let Some(command) = &self.command {
            terms.stop_signal = command.stop_signal.signal() as u8;
            // It has no ear for an order to drain; and how long it computes is its own affair, as long as it says that it gets on.
            terms.drain_timeout = Duration::ZERO;
            terms.stuck_after = Duration::MAX;
            terms.liveness_timeout = command.watchdog.unwrap_or(terms.liveness_timeout);
            terms.alone = (!command.notify).then_some(Alone::SaysNoReady);
        }
        // A second process would have another user than the first.
        if !self.sandbox.read_write_paths.is_empty() && self.sandbox.user.is_none() {
            terms.alone = Some(Alone::OwnsFiles);
        }
        terms
    }
}

impl Group {
    /// Returns the machine's terms for the self.
    pub fn terms(&self, parent: Option<GroupId>) -> GroupConfig {
        GroupConfig {
            parent,
            strategy: self.strategy,
            size: 0,
            max_restarts: self.max_restarts,
            period: self.period,
            on_exhausted: self.on_exhausted,
            auto_shutdown: self.auto_shutdown,
            significant: self.significant,
        }
    }
}

impl Roster {
    /// Returns the machine's terms for every instance of `system`, from which this roster was made. `former` are the
    /// terms before: they hold on for whoever leaves.
    ///
    /// # Errors
    /// When a name leads nowhere, or in a circle.
    pub fn config(&self, system: &System, former: &Config) -> Result<Config, Unfit> {
        let mut groups = former.groups.clone();
        groups.resize(self.groups(), GroupConfig::default());
        groups[0] = system.root.terms(None);
        for group in &system.groups {
            let parent = group.parent.as_deref().unwrap_or_default();
            let (at, parent) = (self.group(&group.name), self.group(parent));
            if let (Some(GroupId(at)), Some(_)) = (at, parent) {
                groups[usize::from(at)] = group.terms(parent);
            }
        }
        for template in system.workers.iter().filter(|worker| system.is_template(worker)) {
            if let Some(GroupId(at)) = template.group.as_deref().and_then(|name| self.group(name)) {
                groups[usize::from(at)].size = template.instances;
            }
        }
        let mut children = Vec::new();
        for child in self.places() {
            let seat = self.seat(child);
            children.push(match (seat.standing, former.children.get(usize::from(child.0))) {
                (Standing::Leaving | Standing::Gone, Some(terms)) => terms.clone().parting(),
                _ => self.child_config(system, seat)?,
            });
        }
        Ok(Config { groups, children, shutdown_timeout: system.shutdown_timeout, ..Config::default() })
    }

    fn child_config(&self, system: &System, seat: &Seat) -> Result<ChildConfig, Unfit> {
        let worker = &*seat.worker;
        let group = worker.group.as_deref().unwrap_or_default();
        let group = self.group(group).ok_or_else(|| unknown(worker, "group", group))?;
        let mut terms = ChildConfig { position: seat.position, ..worker.terms(group) };
        let find = |name: &String| {
            let found = system.workers.iter().find(|other| other.name == *name);
            found.ok_or_else(|| unknown(worker, "worker", name))
        };
        for name in &worker.needs {
            let other = find(name)?;
            // Of a pool one member has to be ready, if it is to have any; for the others it is only waited.
            let needed = if system.is_template(other) { other.instances.min(1) } else { other.places() };
            terms.needs.extend(self.instances_of(name).take(needed.into()));
            terms.wants.extend(self.instances_of(name).skip(needed.into()));
        }
        for (names, list) in [(&worker.wants, &mut terms.wants), (&worker.after, &mut terms.after)] {
            for name in names {
                list.extend(self.instances_of(&find(name)?.name));
            }
        }
        Ok(terms)
    }
}

impl System {
    /// Puts every group after its parent and behind those that are `known`; the first is the root, which has no name.
    /// Fails with the name of one that has no place.
    pub(crate) fn group_names(&self, known: &[String]) -> Result<Vec<String>, &str> {
        let mut names = if known.is_empty() { vec![String::new()] } else { known.to_vec() };
        let mut waiting: Vec<&Group> =
            self.groups.iter().filter(|group| !names.contains(&group.name)).collect();
        while let Some(first) = waiting.first() {
            let placed = |group: &&Group| names.contains(group.parent.as_ref().unwrap_or(&names[0]));
            let at = waiting.iter().position(placed).ok_or(first.name.as_str())?;
            names.push(waiting.remove(at).name.clone());
        }
        Ok(names)
    }
}

/// A limit of zero is none.
fn or_never(limit: Duration) -> Duration {
    if limit.is_zero() { Duration::MAX } else { limit }
}
