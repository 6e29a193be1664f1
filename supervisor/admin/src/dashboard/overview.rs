//! All workers at a glance, as `status` shows them.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bailiwick::control::{Head, Phase, Row, State as WorkerState};

use super::frame::live;
use super::look::Look;
use super::text::{size, tone};
use crate::desk::Office;
use crate::words::{detail, mechanism, short};

#[derive(Template)]
#[template(path = "overview.html")]
pub(super) struct Overview {
    counts: Vec<(&'static str, usize)>,
    total: usize,
    head: String,
    troubles: Vec<&'static str>,
    rows: Vec<Line>,
    silent: Vec<(String, String)>,
}

/// One worker.
pub(super) struct Line {
    pub(super) title: String,
    pub(super) state: &'static str,
    pub(super) tone: &'static str,
    pub(super) pid: String,
    pub(super) uptime: String,
    pub(super) restarts: u32,
    pub(super) ready: &'static str,
    pub(super) mailbox: String,
    pub(super) cpu: String,
    pub(super) memory: String,
    pub(super) detail: String,
}

pub(super) async fn page(State(office): State<Office>, headers: HeaderMap) -> Response {
    live(&office, &headers, ("/", "Overview"), 0, |look, _| Overview::of(look)).await
}

impl Overview {
    pub(super) fn of(look: &Look) -> Self {
        let workers = &look.status.workers;
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        for row in workers {
            let word = row.state.word();
            match counts.iter_mut().find(|(known, _)| *known == word) {
                Some((_, count)) => *count += 1,
                None => counts.push((word, 1)),
            }
        }
        let head = &look.status.supervisor;
        Self {
            counts,
            total: workers.len(),
            head: format!("Supervisor {}, up {}", head.pid, short(head.uptime)),
            troubles: troubles(head),
            rows: workers.iter().map(|row| line(look, row)).collect(),
            silent: look.silent(),
        }
    }
}

/// Returns what is wrong with the system as a whole.
pub(super) fn troubles(head: &Head) -> Vec<&'static str> {
    let all = [
        (head.phase == Phase::ShuttingDown, "The system is stopping."),
        (head.degraded, "Degraded: a floor of the sandbox is missing on this machine."),
        (head.persist_failing, "The state directory takes no writing: what lives is not recorded."),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| text).collect()
}

pub(super) fn line(look: &Look, row: &Row) -> Line {
    let none = || "–".to_owned();
    let found = look.snapshot(row);
    let waiting = found.map(|found| found.types.iter().map(|one| one.waiting).fold(0, u64::saturating_add));
    Line {
        title: row.title(),
        state: row.state.word(),
        tone: tone(row),
        pid: row.pid.map_or_else(none, |pid| pid.to_string()),
        uptime: row.uptime.map_or_else(none, short),
        restarts: row.restarts,
        ready: if row.state == WorkerState::Ready { "yes" } else { "no" },
        mailbox: waiting.map_or_else(none, |waiting| waiting.to_string()),
        cpu: found.map_or_else(none, |found| short(found.cpu)),
        memory: memory(row, found.map(|found| found.memory_peak)),
        detail: detail(row),
    }
}

/// Returns the most memory that was in use, the limit, and what enforces it.
fn memory(row: &Row, peak: Option<u64>) -> String {
    let used = peak.map_or_else(|| "–".to_owned(), size);
    match row.memory_max {
        Some(limit) => format!("{used} of {} ({})", size(limit), mechanism(row.memory)),
        None => used,
    }
}
