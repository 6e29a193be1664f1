//! What workers say of themselves, as `/api/v1/actors` and `/api/v1/links` say it.

use bailiwick::introspect::{ActorState, Durations, LinkState, Snapshot, TypeCounts};
use serde::Serialize;

use crate::json::{self, SCHEMA_VERSION};
use crate::survey::Said;

/// What all workers said.
#[derive(Serialize)]
pub(crate) struct Document<T: Serialize> {
    schema_version: u32,
    time: String,
    workers: Vec<Worker<T>>,
}

/// What one instance said; nothing of that if it did not answer, but why.
#[derive(Serialize)]
struct Worker<T: Serialize> {
    worker: String,
    instance: u16,
    generation: u32,
    /// Why there is nothing to be told; null if there is.
    silent_because: Option<String>,
    #[serde(flatten)]
    said: Option<T>,
}

/// The actors of one instance.
#[derive(Serialize)]
pub(crate) struct Actors {
    cpu_s: f64,
    memory_peak_bytes: u64,
    descriptors: u32,
    /// How many it may have open; null is any number.
    descriptors_max: Option<u32>,
    types: Vec<Type>,
    /// Also those that are not named.
    actors_total: u64,
    actors: Vec<Actor>,
    dead_letters: Vec<DeadLetters>,
    ask_failures: Vec<AskFailures>,
}

#[derive(Serialize)]
struct Type {
    r#type: String,
    actors: u64,
    spawned: u64,
    stopped: u64,
    restarts: u64,
    failures: u64,
    handled: u64,
    waiting: u64,
    waiting_max: u64,
    /// Of one message in 61; null if none was measured.
    waits: Option<Quantiles>,
    handling: Option<Quantiles>,
}

/// The times that were enough for so many of a hundred, in seconds, each less than twice too long.
#[derive(Serialize)]
struct Quantiles {
    p50_s: f64,
    p99_s: f64,
    measured: u64,
}

#[derive(Serialize)]
struct Actor {
    actor: String,
    r#type: String,
    generation: u32,
    waiting: u32,
    waiting_bytes: u64,
    in_line: u32,
    /// How many messages its mailbox takes; null is any number.
    capacity: Option<u32>,
    handled: u64,
}

#[derive(Serialize)]
struct DeadLetters {
    reason: String,
    messages: u64,
}

#[derive(Serialize)]
struct AskFailures {
    outcome: String,
    asks: u64,
}

/// The links of one instance.
#[derive(Serialize)]
pub(crate) struct Links {
    links: Vec<Link>,
}

#[derive(Serialize)]
struct Link {
    peer: String,
    up: bool,
    made: u32,
    frames_out: u64,
    frames_in: u64,
    bytes_out: u64,
    bytes_in: u64,
    queued_bytes: u64,
    outstanding: u32,
}

/// Returns the document about actors.
pub(crate) fn actors(said: Vec<Said>) -> Document<Actors> {
    document(said, |found| Actors {
        cpu_s: found.cpu.as_secs_f64(),
        memory_peak_bytes: found.memory_peak,
        descriptors: found.descriptors,
        descriptors_max: Some(found.descriptors_max).filter(|most| *most < u32::MAX),
        types: found.types.into_iter().map(of_type).collect(),
        actors_total: found.actors_total,
        actors: found.actors.into_iter().map(actor).collect(),
        dead_letters: found
            .dead_letters
            .into_iter()
            .map(|(reason, messages)| DeadLetters { reason, messages })
            .collect(),
        ask_failures: found
            .ask_failures
            .into_iter()
            .map(|(outcome, asks)| AskFailures { outcome, asks })
            .collect(),
    })
}

/// Returns the document about links.
pub(crate) fn links(said: Vec<Said>) -> Document<Links> {
    document(said, |found| Links { links: found.links.into_iter().map(link).collect() })
}

fn document<T: Serialize>(said: Vec<Said>, of: impl Fn(Snapshot) -> T) -> Document<T> {
    let workers = said.into_iter().map(|Said { worker, instance, generation, answer }| {
        let (said, silent_because) = match answer {
            Ok(found) => (Some(of(found)), None),
            Err(why) => (None, Some(why)),
        };
        Worker { worker, instance, generation, silent_because, said }
    });
    Document { schema_version: SCHEMA_VERSION, time: json::time(json::now()), workers: workers.collect() }
}

fn of_type(counts: TypeCounts) -> Type {
    Type {
        r#type: counts.type_name,
        actors: counts.spawned.saturating_sub(counts.ended),
        spawned: counts.spawned,
        stopped: counts.ended,
        restarts: counts.restarts,
        failures: counts.failures,
        handled: counts.handled,
        waiting: counts.waiting,
        waiting_max: counts.waiting_max,
        waits: quantiles(&counts.waits),
        handling: quantiles(&counts.handling),
    }
}

fn quantiles(found: &Durations) -> Option<Quantiles> {
    let quantile = |of_thousand| found.quantile(of_thousand).map(|time| time.as_secs_f64());
    Some(Quantiles { p50_s: quantile(500)?, p99_s: quantile(990)?, measured: found.counts.iter().sum() })
}

fn actor(found: ActorState) -> Actor {
    Actor {
        actor: found.path,
        r#type: found.type_name,
        generation: found.generation,
        waiting: found.waiting,
        waiting_bytes: found.waiting_bytes,
        in_line: found.in_line,
        capacity: Some(found.capacity).filter(|capacity| *capacity < u32::MAX),
        handled: found.handled,
    }
}

fn link(found: LinkState) -> Link {
    let ([frames_out, frames_in], [bytes_out, bytes_in]) = (found.frames, found.bytes);
    Link {
        peer: found.peer,
        up: found.is_up,
        made: found.links,
        frames_out,
        frames_in,
        bytes_out,
        bytes_in,
        queued_bytes: found.queued_bytes,
        outstanding: found.outstanding,
    }
}
