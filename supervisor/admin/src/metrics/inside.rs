//! What workers say of themselves, as metrics: their actors by type, their links, what they use.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick::introspect::{LinkState, Snapshot, TypeCounts};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::durations::Shown;
use super::{ByInstance, HANDLING};
use crate::survey::Said;

/// The library writes labels as they are: what is a worker's own word has gone through [`survey`](crate::survey) and is plain.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByType {
    worker: String,
    instance: u16,
    r#type: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByReason {
    worker: String,
    instance: u16,
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByAskOutcome {
    worker: String,
    instance: u16,
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByPeer {
    worker: String,
    instance: u16,
    peer: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByDirection {
    worker: String,
    instance: u16,
    peer: String,
    direction: &'static str,
}

/// A number that its worker counts: here it is only shown.
type Counted<L> = Family<L, Counter>;
type Seconds<L> = Family<L, Counter<f64, AtomicU64>>;
type Found<L> = Family<L, Gauge>;
type Timed<L> = Family<L, Shown>;

/// What workers said last.
#[derive(Debug, Default)]
pub(super) struct Inside {
    answers: Found<ByInstance>,
    cpu: Seconds<ByInstance>,
    memory_peak: Found<ByInstance>,
    descriptors: Found<ByInstance>,
    descriptors_max: Found<ByInstance>,
    actors: Found<ByType>,
    spawned: Counted<ByType>,
    stopped: Counted<ByType>,
    restarts: Counted<ByType>,
    failures: Counted<ByType>,
    handled: Counted<ByType>,
    waiting: Found<ByType>,
    waiting_max: Found<ByType>,
    waits: Timed<ByType>,
    handling: Timed<ByType>,
    dead_letters: Counted<ByReason>,
    ask_failures: Counted<ByAskOutcome>,
    link_up: Found<ByPeer>,
    links: Counted<ByPeer>,
    frames: Counted<ByDirection>,
    bytes: Counted<ByDirection>,
    queued: Found<ByPeer>,
    outstanding: Found<ByPeer>,
}

impl Inside {
    /// Adds them to what is told.
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "worker_answers",
            "1 if a worker that runs says how it stands, 0 if not",
            self.answers.clone(),
        );
        to.register_with_unit(
            "worker_cpu",
            "The time that processors worked for a worker's process",
            Unit::Seconds,
            self.cpu.clone(),
        );
        to.register_with_unit(
            "worker_memory_peak",
            "The most memory that a worker's process ever had in use",
            Unit::Bytes,
            self.memory_peak.clone(),
        );
        to.register("worker_descriptors", "Descriptors that a worker has open", self.descriptors.clone());
        to.register(
            "worker_descriptors_max",
            "The most descriptors that a worker may have open",
            self.descriptors_max.clone(),
        );
        self.register_actors(to);
        self.register_links(to);
    }

    fn register_actors(&self, to: &mut Registry) {
        to.register("actors", "Actors that there are", self.actors.clone());
        to.register("actors_spawned", "Actors that began", self.spawned.clone());
        to.register("actors_stopped", "Actors that ended for good", self.stopped.clone());
        to.register("actor_restarts", "Actors that were made anew after a failure", self.restarts.clone());
        to.register("actor_failures", "Failures of actors: errors and panics", self.failures.clone());
        to.register("messages_processed", "Messages that actors began with", self.handled.clone());
        to.register("mailbox_depth", "Messages that wait, over all mailboxes", self.waiting.clone());
        to.register(
            "mailbox_depth_max",
            "Messages that wait in the fullest mailbox",
            self.waiting_max.clone(),
        );
        to.register(
            "mailbox_wait_seconds",
            "How long messages waited, of one in 61 in each mailbox",
            self.waits.clone(),
        );
        to.register(
            HANDLING,
            "How long they were handled, with all that handlers waited for, of the same messages",
            self.handling.clone(),
        );
        to.register("dead_letters", "Messages that reached no handler, by reason", self.dead_letters.clone());
        to.register("ask_failures", "Asks that ended without a reply, by outcome", self.ask_failures.clone());
    }

    fn register_links(&self, to: &mut Registry) {
        to.register("link_up", "1 while there is a link to a peer", self.link_up.clone());
        to.register("links_made", "Links to a peer that there were", self.links.clone());
        to.register(
            "link_frames",
            "Frames over links: messages, answers, and what links say",
            self.frames.clone(),
        );
        to.register_with_unit("link", "Bytes over links", Unit::Bytes, self.bytes.clone());
        to.register_with_unit(
            "link_queue",
            "Bytes that wait to be written",
            Unit::Bytes,
            self.queued.clone(),
        );
        to.register(
            "link_outstanding",
            "Messages to a peer that have no outcome yet",
            self.outstanding.clone(),
        );
    }

    /// Takes over what was said. Who says nothing now is told of no more.
    pub(super) fn show(&self, said: &[Said]) {
        self.clear();
        for Said { worker, instance, answer, .. } in said {
            let of = ByInstance { worker: worker.clone(), instance: *instance };
            self.answers.get_or_create(&of).set(answer.is_ok().into());
            if let Ok(found) = answer {
                self.show_one(&of, found);
            }
        }
    }

    fn show_one(&self, of: &ByInstance, found: &Snapshot) {
        let cpu = self.cpu.get_or_create(of);
        cpu.inner().store(found.cpu.as_secs_f64().to_bits(), Ordering::Relaxed);
        drop(cpu);
        set(&self.memory_peak, of, found.memory_peak);
        set(&self.descriptors, of, found.descriptors.into());
        if found.descriptors_max < u32::MAX {
            set(&self.descriptors_max, of, found.descriptors_max.into());
        }
        found.types.iter().for_each(|counts| self.show_type(of, counts));
        found.links.iter().for_each(|link| self.show_link(of, link));
        for (reason, count) in &found.dead_letters {
            let (worker, instance) = (of.worker.clone(), of.instance);
            add(&self.dead_letters, &ByReason { worker, instance, reason: reason.clone() }, *count);
        }
        for (outcome, count) in &found.ask_failures {
            let (worker, instance) = (of.worker.clone(), of.instance);
            add(&self.ask_failures, &ByAskOutcome { worker, instance, outcome: outcome.clone() }, *count);
        }
    }

    fn show_type(&self, of: &ByInstance, counts: &TypeCounts) {
        let (worker, instance) = (of.worker.clone(), of.instance);
        let of = ByType { worker, instance, r#type: counts.type_name.clone() };
        set(&self.actors, &of, counts.spawned.saturating_sub(counts.ended));
        add(&self.spawned, &of, counts.spawned);
        add(&self.stopped, &of, counts.ended);
        add(&self.restarts, &of, counts.restarts);
        add(&self.failures, &of, counts.failures);
        add(&self.handled, &of, counts.handled);
        set(&self.waiting, &of, counts.waiting);
        set(&self.waiting_max, &of, counts.waiting_max);
        self.waits.get_or_create(&of).add(&counts.waits);
        self.handling.get_or_create(&of).add(&counts.handling);
    }

    fn show_link(&self, of: &ByInstance, link: &LinkState) {
        let of = ByPeer { worker: of.worker.clone(), instance: of.instance, peer: link.peer.clone() };
        set(&self.link_up, &of, link.is_up.into());
        add(&self.links, &of, link.links.into());
        set(&self.queued, &of, link.queued_bytes);
        set(&self.outstanding, &of, link.outstanding.into());
        for (index, direction) in ["out", "in"].into_iter().enumerate() {
            let ByPeer { worker, instance, peer } = of.clone();
            let of = ByDirection { worker, instance, peer, direction };
            add(&self.frames, &of, link.frames[index]);
            add(&self.bytes, &of, link.bytes[index]);
        }
    }

    fn clear(&self) {
        self.answers.clear();
        self.cpu.clear();
        for family in [&self.memory_peak, &self.descriptors, &self.descriptors_max] {
            family.clear();
        }
        for family in [&self.actors, &self.waiting, &self.waiting_max] {
            family.clear();
        }
        for family in [&self.spawned, &self.stopped, &self.restarts, &self.failures, &self.handled] {
            family.clear();
        }
        self.dead_letters.clear();
        self.ask_failures.clear();
        self.waits.clear();
        self.handling.clear();
        for family in [&self.link_up, &self.queued, &self.outstanding] {
            family.clear();
        }
        self.links.clear();
        self.frames.clear();
        self.bytes.clear();
    }
}

fn set<L: Clone + Hash + Eq>(family: &Found<L>, of: &L, to: u64) {
    family.get_or_create(of).set(i64::try_from(to).unwrap_or(i64::MAX));
}

/// Adds to what is there since all was cleared: of two lives beside each other, both count.
fn add<L: Clone + Hash + Eq>(family: &Counted<L>, of: &L, more: u64) {
    family.get_or_create(of).inc_by(more);
}
