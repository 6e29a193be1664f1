//! Who speaks to whom, and how much: a matrix of links, and each of them.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bailiwick::introspect::LinkState;

use super::frame::live;
use super::look::Look;
use super::text::{rate, size};
use crate::desk::Office;
use crate::rates::Rates;
use crate::survey::Said;
use crate::words::short;

/// Who has no more peers than this is drawn as a matrix; of more, the list is easier to read.
const MATRIX_MAX: usize = 24;
/// How many links are listed.
const SHOWN_MAX: usize = 400;
/// The worker that asks all others, whose links are nobody's affair.
pub(super) const ASKER: &str = "admin";

#[derive(Template)]
#[template(path = "links.html")]
pub(super) struct Links {
    over: Option<String>,
    columns: Vec<String>,
    matrix: Vec<(String, Vec<Cell>)>,
    is_too_large: bool,
    lines: Vec<Line>,
    left_out: usize,
    silent: Vec<(String, String)>,
}

/// What one worker sends to another.
pub(super) struct Cell {
    text: String,
    /// `none`, `down`, `idle` or `busy`.
    kind: &'static str,
}

/// One end of a link.
pub(super) struct Line {
    pub(super) worker: String,
    pub(super) peer: String,
    pub(super) state: &'static str,
    pub(super) tone: &'static str,
    pub(super) made: u32,
    pub(super) frames: [u64; 2],
    pub(super) rates: Option<[String; 2]>,
    pub(super) bytes: [String; 2],
    pub(super) queued: String,
    pub(super) outstanding: u32,
    is_busy: bool,
}

pub(super) async fn page(State(office): State<Office>, headers: HeaderMap) -> Response {
    let page = ("/links", "Links");
    live(&office, &headers, page, 0, |look, _| {
        Links::of(look, &office.rates.lock().unwrap_or_else(PoisonError::into_inner))
    })
    .await
}

impl Links {
    pub(super) fn of(look: &Look, rates: &Rates) -> Self {
        let mut lines: Vec<Line> =
            look.said.iter().flat_map(|said| lines(&look.title(said), said, rates)).collect();
        let names: BTreeSet<&String> = lines.iter().flat_map(|line| [&line.worker, &line.peer]).collect();
        let columns: Vec<String> = names.into_iter().cloned().collect();
        let is_too_large = columns.len() > MATRIX_MAX;
        let row = |from: &String| (from.clone(), columns.iter().map(|to| cell(&lines, from, to)).collect());
        let matrix = if is_too_large { Vec::new() } else { columns.iter().map(row).collect() };
        let left_out = lines.len().saturating_sub(SHOWN_MAX);
        lines.truncate(SHOWN_MAX);
        let over = rates.over().map(short);
        Self { over, columns, matrix, is_too_large, lines, left_out, silent: look.silent() }
    }
}

/// Returns what a worker says of its links, but for the one by which it was asked.
pub(super) fn lines(worker: &str, said: &Said, rates: &Rates) -> Vec<Line> {
    let links = said.answer.iter().flat_map(|found| &found.links).filter(|link| link.peer != ASKER);
    links.map(|link| line(worker, said, link, rates)).collect()
}

fn line(worker: &str, said: &Said, link: &LinkState, rates: &Rates) -> Line {
    let found = rates.of(said, &link.peer);
    Line {
        worker: worker.to_owned(),
        peer: link.peer.clone(),
        state: if link.is_up { "up" } else { "down" },
        tone: if link.is_up { "good" } else { "off" },
        made: link.links,
        frames: link.frames,
        rates: found.map(|found| found.frames.map(rate)),
        bytes: link.bytes.map(size),
        queued: size(link.queued_bytes),
        outstanding: link.outstanding,
        is_busy: found.is_some_and(|found| found.frames.iter().any(|frames| *frames > 0.0)),
    }
}

/// Returns what `from` sends to `to`: in its own words, or else in those of the other.
fn cell(lines: &[Line], from: &str, to: &str) -> Cell {
    let own = lines.iter().find(|line| line.worker == from && line.peer == to).map(|line| (line, 0));
    let others = || lines.iter().find(|line| line.worker == to && line.peer == from).map(|line| (line, 1));
    let Some((line, way)) = own.or_else(others) else { return Cell { text: String::new(), kind: "none" } };
    if line.state == "down" {
        return Cell { text: "down".to_owned(), kind: "down" };
    }
    let text = match &line.rates {
        Some(rates) => rates[way].clone(),
        None => format!("{} in all", line.frames[way]),
    };
    Cell { text, kind: if line.is_busy { "busy" } else { "idle" } }
}
