//! How lives ended that did not end as they should.

use std::cmp::Reverse;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bailiwick::control::Target;
use bailiwick_supervisor::check::escape;
use bailiwick_wire::crash::Report;

use super::frame::{answer, unavailable};
use super::look::Look;
use super::text::{LINE_MAX, cut};
use crate::desk::Office;
use crate::json;
use crate::session::Viewer;
use crate::words::short;

/// How many crashes are shown, the latest.
const SHOWN_MAX: usize = 50;

#[derive(Template)]
#[template(path = "crashes.html")]
pub(super) struct Crashes {
    crashes: Vec<Crash>,
    left_out: usize,
    is_hidden: bool,
    can_sign_in: bool,
    trouble: Option<String>,
}

/// One death.
pub(super) struct Crash {
    pub(super) life: String,
    pub(super) worker: String,
    pub(super) time: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) lines: Vec<String>,
}

pub(super) async fn page(State(office): State<Office>, headers: HeaderMap) -> Response {
    let viewer = Viewer::of(&office, &headers);
    let look = match Look::at(&office, 0).await {
        Ok(look) => look,
        Err(error) => return unavailable(&viewer, &error),
    };
    let content = if viewer.sees_output {
        match office.supervisor.crashes(Target::System).await {
            Ok(reports) => Crashes::of(reports),
            Err(error) => Crashes { trouble: Some(error.to_string()), ..Crashes::of(Vec::new()) },
        }
    } else {
        Crashes { is_hidden: true, can_sign_in: viewer.can_sign_in, ..Crashes::of(Vec::new()) }
    };
    answer(&headers, &viewer, &look, ("/crashes", "Crashes"), &content)
}

impl Crashes {
    pub(super) fn of(mut reports: Vec<Report>) -> Self {
        reports.sort_by_key(|report| Reverse(report.ended.monotonic_ns));
        let left_out = reports.len().saturating_sub(SHOWN_MAX);
        let crashes = reports.iter().take(SHOWN_MAX).map(crash).collect();
        Self { crashes, left_out, is_hidden: false, can_sign_in: false, trouble: None }
    }
}

pub(super) fn crash(report: &Report) -> Crash {
    let life = report.life();
    let worker = life.rsplit_once('#').map_or(&*life, |(worker, _)| worker).to_owned();
    Crash {
        worker: escape(&worker),
        life: escape(&life),
        time: json::time(report.ended.wall),
        facts: facts(report),
        lines: report.last_lines.iter().map(|line| cut(line, LINE_MAX)).collect(),
    }
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let budget = &report.budget;
    let mut follows = escape(&report.decision.detail);
    if budget.charged {
        let period = short(budget.period);
        follows.push_str(&format!("; {} of {} restarts left in {period}", budget.left, budget.max));
    }
    for step in &report.steps {
        follows.push_str(&format!("; {}", escape(step)));
    }
    let lived = report.ended.monotonic_ns.saturating_sub(report.began.monotonic_ns);
    let ready = report
        .ready_for
        .map_or_else(|| "never ready".to_owned(), |time| format!("ready for {}", short(time)));
    let mut facts = vec![
        ("Why", report.cause.to_string()),
        ("Follows", follows),
        (
            "Lived",
            format!("{}, {ready}, last {}", short(Duration::from_nanos(lived)), escape(&report.last_state)),
        ),
    ];
    let words = &report.last_words;
    if let Some(panic) = &words.panic {
        facts.push(("Latest panic", escape(&panic.message)));
        facts.push(("At", format!("{}, thread {}", escape(&panic.location), escape(&panic.thread))));
        if !panic.actor.is_empty() {
            facts.push(("In actor", escape(&panic.actor)));
        }
    }
    for step in words.gave_up.iter().flat_map(|gave_up| &gave_up.chain) {
        facts.push(("Gave up", format!("{}: {}", escape(&step.actor), escape(&step.why))));
    }
    if words.lost_messages > 0 {
        facts.push(("Lost", format!("{} messages could not be delivered in this life", words.lost_messages)));
    }
    facts
}
