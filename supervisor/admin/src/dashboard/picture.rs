//! Who is linked with whom, as a picture.
//!
//! The manifest is not known here: what is drawn is which workers have or had a link, as they say. Workers stand below each other,
//! with an arc between each two: so names never lie over lines, however many there are, and the picture fits a narrow screen.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bailiwick::control::Row;

use super::frame::live;
use super::links::ASKER;
use super::look::Look;
use super::text::{cut, tone};
use crate::desk::Office;

/// How many workers are drawn.
const DRAWN_MAX: usize = 60;
/// The longest name that is drawn, in characters.
const NAME_MAX: usize = 22;
/// From one worker to the next, in units of the picture.
const STEP: usize = 44;
/// Where arcs begin.
const ARCS_AT: usize = 212;
/// How far the widest arc reaches from there.
const REACH_MAX: usize = 170;

#[derive(Template)]
#[template(path = "picture.html")]
pub(super) struct Picture {
    width: usize,
    height: usize,
    nodes: Vec<Node>,
    arcs: Vec<Arc>,
    left_out: usize,
    silent: Vec<(String, String)>,
}

struct Node {
    name: String,
    /// The whole of it.
    title: String,
    many: usize,
    state: &'static str,
    tone: &'static str,
    holds_privilege: bool,
    y: usize,
}

struct Arc {
    from: String,
    to: String,
    path: String,
    /// `down`, `privilege` or `plain`.
    kind: &'static str,
    words: &'static str,
    width: String,
    frames: u64,
}

pub(super) async fn page(State(office): State<Office>, headers: HeaderMap) -> Response {
    live(&office, &headers, ("/grants", "Grants"), 0, |look, _| Picture::of(look)).await
}

impl Picture {
    pub(super) fn of(look: &Look) -> Self {
        let mut rows: Vec<(&Row, usize)> = Vec::new();
        for row in look.status.workers.iter().filter(|row| row.name != ASKER) {
            match rows.iter_mut().find(|(known, _)| known.name == row.name) {
                // Of several instances the one is drawn that is worst.
                Some((known, many)) => {
                    *many += 1;
                    if severity(row) > severity(known) {
                        *known = row;
                    }
                }
                None => rows.push((row, 1)),
            }
        }
        let left_out = rows.len().saturating_sub(DRAWN_MAX);
        rows.truncate(DRAWN_MAX);
        let nodes: Vec<Node> =
            rows.iter().enumerate().map(|(at, (row, many))| node(at, row, *many)).collect();
        let arcs = links(look).into_iter().filter_map(|(ends, link)| arc(&nodes, ends, link)).collect();
        let (width, height) = (ARCS_AT + REACH_MAX, STEP * nodes.len().max(1) + 8);
        Self { width, height, nodes, arcs, left_out, silent: look.silent() }
    }
}

fn severity(row: &Row) -> usize {
    ["off", "good", "wait", "bad"].iter().position(|known| *known == tone(row)).unwrap_or(0)
}

fn node(at: usize, row: &Row, many: usize) -> Node {
    Node {
        name: cut(&row.name, NAME_MAX),
        title: row.name.clone(),
        many,
        state: row.state.word(),
        tone: tone(row),
        holds_privilege: holds_privilege(row),
        y: 4 + at * STEP,
    }
}

fn holds_privilege(row: &Row) -> bool {
    row.privileged || row.capabilities != 0
}

/// All links between two workers together.
#[derive(Clone, Copy, Default)]
struct Link {
    is_up: bool,
    frames: u64,
}

/// Returns what is said of links, once for each two workers.
fn links(look: &Look) -> BTreeMap<(String, String), Link> {
    let mut found: BTreeMap<(String, String), Link> = BTreeMap::new();
    for said in &look.said {
        for link in said.answer.iter().flat_map(|found| &found.links) {
            let peer = name_of(look, &link.peer);
            let (from, to) =
                if said.worker <= peer { (said.worker.clone(), peer) } else { (peer, said.worker.clone()) };
            let both = found.entry((from, to)).or_default();
            both.is_up |= link.is_up;
            // Both ends tell of the same frames; whoever says more has looked later.
            both.frames = both.frames.max(link.frames[0].saturating_add(link.frames[1]));
        }
    }
    found
}

/// Returns the worker of which a peer is an instance.
fn name_of(look: &Look, peer: &str) -> String {
    let is_it = |row: &&Row| row.title() == peer;
    look.status.workers.iter().find(is_it).map_or_else(|| peer.to_owned(), |row| row.name.clone())
}

fn arc(nodes: &[Node], (from, to): (String, String), link: Link) -> Option<Arc> {
    let at = |name: &str| nodes.iter().position(|node| node.title == name);
    let (one, other) = (at(&from)?, at(&to)?);
    let reach = (26 + one.abs_diff(other) * 22).min(REACH_MAX * 4 / 3 - 8);
    let middle = |node: &Node| node.y + STEP / 2 - 4;
    let (mut begin, mut end, bow) = (middle(&nodes[one]), middle(&nodes[other]), ARCS_AT + reach);
    if one == other {
        // Instances of one worker that speak to each other.
        (begin, end) = (begin - 10, end + 10);
    }
    let crosses = nodes[one].holds_privilege != nodes[other].holds_privilege;
    let (kind, words) = match (link.is_up, crosses) {
        (false, _) => ("down", "no link now"),
        (true, true) => ("privilege", "linked, between privilege and none"),
        (true, false) => ("plain", "linked"),
    };
    // Ten times as much is one step wider.
    let width = 1.5 + (link.frames.max(1) as f64).log10() * 0.6;
    let path = format!("M{ARCS_AT} {begin} C{bow} {begin} {bow} {end} {ARCS_AT} {end}");
    Some(Arc { from, to, path, kind, words, width: format!("{:.1}", width.min(8.0)), frames: link.frames })
}
