//! The actors of all workers, those first for which most waits.

use std::cmp::Reverse;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bailiwick::introspect::{ActorState, Snapshot, TypeCounts};

use super::frame::live;
use super::look::Look;
use super::text::{brief, size};
use crate::desk::Office;

/// How many actors of each worker are asked for.
pub(super) const ASKED: u32 = 64;
/// How many are shown of all.
const SHOWN_MAX: usize = 200;

#[derive(Template)]
#[template(path = "actors.html")]
pub(super) struct Actors {
    actors: Vec<Line>,
    total: u64,
    types: Vec<Type>,
    lost: Vec<(String, String, u64)>,
    silent: Vec<(String, String)>,
}

/// One actor.
pub(super) struct Line {
    pub(super) worker: String,
    pub(super) name: String,
    pub(super) r#type: String,
    pub(super) generation: u32,
    pub(super) waiting: u32,
    pub(super) capacity: String,
    pub(super) bytes: String,
    pub(super) in_line: u32,
    pub(super) handled: u64,
    /// Nothing more goes into its mailbox.
    pub(super) is_full: bool,
}

/// All actors of one type in one worker.
pub(super) struct Type {
    pub(super) worker: String,
    pub(super) name: String,
    pub(super) live: u64,
    pub(super) waiting: u64,
    pub(super) waiting_max: u64,
    pub(super) handled: u64,
    /// How long 99 of 100 messages wait at most, and are handled.
    pub(super) waits: String,
    pub(super) takes: String,
    pub(super) failures: u64,
    pub(super) restarts: u64,
}

pub(super) async fn page(State(office): State<Office>, headers: HeaderMap) -> Response {
    live(&office, &headers, ("/actors", "Actors"), ASKED, |look, _| Actors::of(look)).await
}

impl Actors {
    pub(super) fn of(look: &Look) -> Self {
        let heard =
            || look.said.iter().filter_map(|said| Some((look.title(said), said.answer.as_ref().ok()?)));
        let mut actors: Vec<Line> = heard().flat_map(|(worker, found)| lines(&worker, found)).collect();
        actors.sort_by_key(|line| Reverse((line.waiting, line.handled)));
        actors.truncate(SHOWN_MAX);
        let lost = |(worker, found): (String, &Snapshot)| {
            let letters = found.dead_letters.clone().into_iter();
            letters.map(move |(reason, count)| (worker.clone(), reason, count))
        };
        Self {
            total: heard().map(|(_, found)| found.actors_total).fold(0, u64::saturating_add),
            types: heard().flat_map(|(worker, found)| types(&worker, found)).collect(),
            lost: heard().flat_map(lost).collect(),
            silent: look.silent(),
            actors,
        }
    }
}

pub(super) fn lines(worker: &str, found: &Snapshot) -> Vec<Line> {
    found.actors.iter().map(|actor| line(worker, actor)).collect()
}

fn line(worker: &str, actor: &ActorState) -> Line {
    let is_bounded = actor.capacity < u32::MAX;
    Line {
        worker: worker.to_owned(),
        name: actor.path.clone(),
        r#type: actor.type_name.clone(),
        generation: actor.generation,
        waiting: actor.waiting,
        capacity: if is_bounded { actor.capacity.to_string() } else { "any number".to_owned() },
        bytes: size(actor.waiting_bytes),
        in_line: actor.in_line,
        handled: actor.handled,
        is_full: is_bounded && actor.capacity > 0 && actor.waiting >= actor.capacity,
    }
}

pub(super) fn types(worker: &str, found: &Snapshot) -> Vec<Type> {
    let one = |counts: &TypeCounts| Type {
        worker: worker.to_owned(),
        name: counts.type_name.clone(),
        live: counts.spawned.saturating_sub(counts.ended),
        waiting: counts.waiting,
        waiting_max: counts.waiting_max,
        handled: counts.handled,
        waits: brief(counts.waits.quantile(990)),
        takes: brief(counts.handling.quantile(990)),
        failures: counts.failures,
        restarts: counts.restarts,
    };
    found.types.iter().map(one).collect()
}
