//! The process tree as records.

use bailiwick_core::berth::Berth;
use bailiwick_core::moves::Signs;
use bailiwick_core::tree::ChildId;
use bailiwick_sys::identity::Identity;

use super::{Daemon, outward};
use crate::control::{self, Containment, Head, Phase, Record, Reload, Row, Text};
use crate::manifest::places;
use crate::sandbox::Prepared;

impl Daemon {
    /// Returns the supervisor and every worker, as `status` shows them.
    pub(super) fn status(&self) -> Vec<Vec<u8>> {
        let head = Head {
            name: self.system.name.clone(),
            pid: std::process::id(),
            uid: nix::unistd::geteuid().as_raw(),
            uptime: self.now().since(self.started_at),
            phase: if self.tree.is_shutting_down() { Phase::ShuttingDown } else { Phase::Running },
            degraded: self.system.allow_degraded,
            manifest: self.system.manifest,
            guarded: self.launcher.guardian().is_some(),
            last_event: self.happened.last(),
            persist_failing: self.state.lives.failing,
            tally: self.happened.tally,
        };
        let taken = self.roster.children().filter(|child| self.is_taken(*child));
        let rows = taken.filter_map(|child| Some(Record::Row(self.row(child)?)));
        let lines = places(&self.system, self.origin.as_ref(), |name| self.store.listener(name));
        let lines = lines.iter().flat_map(|line| Text::pieces(line)).map(Record::Text);
        let records = std::iter::once(Record::Head(head)).chain(lines).chain(rows);
        records.map(|record| record.to_bytes().to_vec()).collect()
    }

    /// Returns whether a place is no free one of a pool.
    pub(super) fn is_taken(&self, id: ChildId) -> bool {
        self.tree.is_member(id) || self.tree.child(id).is_some_and(|child| !child.is_empty())
    }

    fn row(&self, id: ChildId) -> Option<Row> {
        let child = self.tree.child(id)?;
        let place = self.children.child(id);
        let berth = self.children.find(child.incarnation()).unwrap_or(Berth::first(id));
        let seat = self.roster.seat(id);
        let worker = &seat.worker;
        let prepared = self.launcher.prepared(berth).or_else(|| self.launcher.prepared(Berth::first(id)));
        let group = self.tree.config().children.get(usize::from(id.0))?.group;
        let budget = self.tree.budget(group)?;
        let nobody = Identity { uid: u32::MAX, gid: u32::MAX };
        let identity = prepared.map_or(nobody, Prepared::identity);
        let life = |berth| self.children.at(berth).life.as_ref().filter(|life| !life.reaped);
        let pid = |berth| Some(life(berth)?.pid.unsigned_abs());
        let (now, need) = (self.now(), self.tree.held_up_by(id));
        Some(Row {
            name: worker.name.clone(),
            instance: seat.instance,
            numbered: worker.places() > 1,
            state: outward::state(child.state()),
            pid: pid(berth),
            generation: child.incarnation().generation,
            restarts: child.restarts(),
            uptime: child.spawned_at().map(|at| now.since(at)),
            uid: identity.uid,
            gid: identity.gid,
            capabilities: prepared.map_or(0, |prepared| prepared.capabilities().bits()),
            privileged: self.roster.is_privileged(id),
            essential: worker.essential,
            memory_max: worker.sandbox.memory_max,
            memory: prepared.map_or_else(Default::default, Prepared::memory_mechanism),
            next_start: child.next_start_at().map(|at| at.since(now)),
            budget_left: budget.left(now),
            budget_max: budget.max_restarts(),
            budget_period: budget.period(),
            last_cause: place.last_cause.or(child.last().map(|record| outward::cause(record.cause))),
            kept: u16::try_from(self.store.kept.count((id, None))).unwrap_or(u16::MAX),
            links: u16::try_from(self.broker.links(id)).unwrap_or(u16::MAX),
            output_dropped: self.children.by_age(id).map(|place| place.output.intake.dropped_bytes()).sum(),
            accusations_ignored: place.accusations_ignored,
            executable: self.digests.of(berth),
            since: now.since(child.since()),
            signs: control::Signs::from_bits(Signs::of(child).bits()),
            last_reload: child.last_reload().and_then(|reload| Reload::from_code(reload.code())),
            group: self.roster.group_path(group, self.tree.config()),
            given_up: child.given_up().and_then(|why| control::GivenUp::from_code(why.code())),
            because_of: need.map(|need| self.roster.seat(need).title.clone()).unwrap_or_default(),
            failures: child.failures(),
            failed_step: self.children.at(berth).failed_step.to_owned(),
            spare: child.waiting_spare().and_then(|spare| pid(self.children.find(spare)?)),
            containment: prepared.map_or(Containment::Alone, Prepared::containment),
        })
    }
}
