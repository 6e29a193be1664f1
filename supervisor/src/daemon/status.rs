//! The process tree as records.

use bailiwick_core::child::{self, State as Stands};
use bailiwick_core::tree::ChildId;

use super::{Daemon, words};
use crate::control::{Head, Phase, Record, Row, State};

impl Daemon {
    /// Returns the supervisor and every worker, as `status` shows them.
    pub(super) fn status(&self) -> Vec<Record> {
        let head = Head {
            name: self.system.name.clone(),
            pid: std::process::id(),
            uid: nix::unistd::geteuid().as_raw(),
            uptime: self.now().since(self.started_at),
            phase: if self.tree.is_shutting_down() { Phase::ShuttingDown } else { Phase::Running },
            degraded: self.system.allow_degraded,
            manifest: self.system.manifest,
        };
        let rows = self.roster.children().filter_map(|child| Some(Record::Row(self.row(child)?)));
        std::iter::once(Record::Head(head)).chain(rows).collect()
    }

    fn row(&self, id: ChildId) -> Option<Row> {
        let child = self.tree.child(id)?;
        let place = &self.children[usize::from(id.0)];
        let seat = self.roster.seat(id);
        let worker = &seat.worker;
        let prepared = self.launcher.prepared(id);
        let budget = self.tree.budget(self.tree.config().children.get(usize::from(id.0))?.group)?;
        let now = self.now();
        Some(Row {
            name: worker.name.clone(),
            instance: seat.instance,
            state: state(child),
            pid: place.life.as_ref().filter(|life| !life.reaped).map(|life| life.pid.unsigned_abs()),
            generation: child.incarnation().generation,
            restarts: child.restarts(),
            uptime: child.spawned_at().map(|at| now.since(at)),
            uid: prepared.identity().uid,
            gid: prepared.identity().gid,
            capabilities: prepared.capabilities().bits(),
            privileged: self.roster.is_privileged(id),
            memory_max: worker.sandbox.memory_max,
            memory: prepared.memory_mechanism(),
            next_start: child.next_start_at().map(|at| at.since(now)),
            budget_left: budget.left(now),
            budget_max: budget.max_restarts(),
            budget_period: budget.period(),
            last_cause: place.last_cause.or(child.last().map(|record| words::cause(record.cause))),
            kept: u16::try_from(self.store.count(id)).unwrap_or(u16::MAX),
            links: u16::try_from(self.broker.links(id)).unwrap_or(u16::MAX),
            output_dropped: place.output.dropped_bytes(),
            accusations_ignored: place.accusations_ignored,
            executable: self.digests.of(id),
        })
    }
}

fn state(child: &child::Child) -> State {
    match child.state() {
        Stands::Stopped => State::Stopped,
        Stands::Waiting => State::Waiting,
        Stands::Spawning { .. } => State::Spawning,
        Stands::Starting { .. } => State::Starting,
        Stands::Ready { .. } => State::Ready,
        Stands::Unready => State::Unready,
        Stands::Draining { .. } => State::Draining,
        Stands::Stopping { .. } => State::Stopping,
        Stands::Reloading { .. } => State::Reloading,
        Stands::Aborting { .. } => State::Aborting,
        Stands::Killing { .. } => State::Killing,
        Stands::Reaping { .. } => State::Reaping,
        Stands::Backoff { .. } => State::Backoff,
        Stands::Done => State::Done,
        Stands::Failed(_) => State::Failed,
    }
}
