//! A look at everything that a worker has.

use std::cmp::Reverse;
use std::sync::Arc;

use bailiwick_sys::{limits, open_files, usage};
use tokio::task::yield_now;

use super::{ActorState, Durations, Snapshot, TypeCounts};
use crate::cell::Cell;
use crate::failures;
use crate::family::Family;
use crate::node::Shared;
use crate::sample::Histogram;
use crate::tally::Tally;

/// Looks at a worker. A hundred thousand actors are looked at with breaks, in which others have their turn.
pub(super) async fn snapshot(node: &Arc<Shared>, actors_max: u32) -> Snapshot {
    let mut seen = actors(node).await;
    let mut types: Vec<TypeCounts> = Vec::new();
    for tally in node.tallies.all() {
        types.push(counts(&tally));
    }
    for (number, Seen { cell, waiting, .. }) in seen.iter().enumerate() {
        if number % ACTORS_A_TURN == ACTORS_A_TURN - 1 {
            yield_now().await;
        }
        let name = cell.tally().type_name();
        if let Some(counts) = types.iter_mut().find(|counts| counts.type_name == name) {
            counts.waiting += u64::from(*waiting);
            counts.waiting_max = counts.waiting_max.max((*waiting).into());
        }
    }
    let actors_total = seen.len() as u64;
    let rank = |one: &Seen| Reverse((one.waiting, one.handled));
    let named = usize::try_from(actors_max).unwrap_or(usize::MAX);
    if seen.len() > named && named > 0 {
        seen.select_nth_unstable_by_key(named - 1, rank);
    }
    seen.truncate(named);
    seen.sort_by_key(rank);
    // A filter of the operator's may forbid the call.
    let (cpu, memory_peak) =
        usage::own().map_or_else(|_| Default::default(), |used| (used.cpu, used.memory_peak));
    Snapshot {
        cpu,
        memory_peak,
        descriptors: open_files::own(),
        descriptors_max: u32::try_from(limits::own_descriptors()).unwrap_or(u32::MAX),
        types,
        actors: seen.iter().map(|one| state(&one.cell)).collect(),
        actors_total,
        links: node.host.links(),
        dead_letters: node
            .dead_letters
            .counts()
            .into_iter()
            .map(|(reason, count)| (reason.to_owned(), count))
            .collect(),
        ask_failures: failures::counts(),
    }
}

/// An actor as it stood when it was looked at. By that they are sorted, for meanwhile it goes on.
pub(super) struct Seen {
    pub(super) cell: Arc<Cell>,
    waiting: u32,
    handled: u64,
}

/// Returns all actors that have not ended.
pub(super) async fn actors(node: &Arc<Shared>) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut families: Vec<Arc<Family>> = vec![Arc::clone(&node.hosted), Arc::clone(&node.spawned)];
    while let Some(family) = families.pop() {
        for cell in family.members() {
            if cell.is_ended() || cell.is_observer() {
                continue;
            }
            families.extend(cell.children());
            let (waiting, handled) = (cell.queue.waiting().messages, cell.handled());
            seen.push(Seen { cell, waiting, handled });
            if seen.len() % ACTORS_A_TURN == 0 {
                yield_now().await;
            }
        }
    }
    seen
}

fn counts(tally: &Tally) -> TypeCounts {
    TypeCounts {
        type_name: tally.type_name().to_owned(),
        spawned: tally.spawned().read(),
        ended: tally.ended().read(),
        restarts: tally.restarts().read(),
        failures: tally.failures().read(),
        handled: tally.handled().read(),
        waiting: 0,
        waiting_max: 0,
        waits: durations(tally.waits()),
        handling: durations(tally.handling()),
    }
}

fn durations(found: &Histogram) -> Durations {
    let (counts, sum) = found.read();
    Durations { counts, sum }
}

pub(super) fn state(cell: &Cell) -> ActorState {
    let waiting = cell.queue.waiting();
    ActorState {
        path: cell.path().to_owned(),
        type_name: cell.tally().type_name().to_owned(),
        generation: cell.generation(),
        waiting: waiting.messages,
        waiting_bytes: waiting.bytes,
        in_line: waiting.in_line,
        capacity: cell.queue.bounds().capacity(),
        handled: cell.handled(),
    }
}

/// How many actors are looked at before others have their turn.
const ACTORS_A_TURN: usize = 1000;
