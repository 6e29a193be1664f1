//! One worker, or one instance of it: how it stands, what it said last, how it ended, its actors and its links.

use std::cmp::Reverse;
use std::sync::PoisonError;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bailiwick::control::{Row, Target, Verb};
use serde::Deserialize;

use super::actors::{self, ASKED};
use super::configuration::holds;
use super::crashes::{self, Crash};
use super::frame::{Notice, answer, notice, unavailable};
use super::links;
use super::look::Look;
use super::overview::{self, Line};
use super::text::{LINE_MAX, cut};
use crate::desk::Office;
use crate::json;
use crate::orders::Order;
use crate::rates::Rates;
use crate::session::Viewer;
use crate::whom::{is_meant, target};
use crate::words::{hex, short, user};

/// How many of the last lines are shown.
const LINES: usize = 40;
/// How many of the last crashes are shown.
const CRASHES: usize = 5;
/// How long the supervisor may take for lines.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Template)]
#[template(path = "worker.html")]
pub(super) struct Worker {
    name: String,
    instances: Vec<Instance>,
    /// Absent if the viewer may not see what workers print.
    output: Option<Output>,
    can_sign_in: bool,
    actors: Vec<actors::Line>,
    types: Vec<actors::Type>,
    links: Vec<links::Line>,
    orders: Vec<Order>,
    said: Option<&'static str>,
}

/// What a worker left to read.
#[derive(Default)]
pub(super) struct Output {
    pub(super) lines: Vec<String>,
    pub(super) crashes: Vec<Crash>,
    pub(super) trouble: Option<String>,
}

struct Instance {
    line: Line,
    facts: Vec<(&'static str, String)>,
    silent: Option<String>,
}

/// What became of an order that was just given here.
#[derive(Deserialize)]
pub(super) struct Came {
    said: Option<String>,
}

pub(super) async fn page(
    State(office): State<Office>,
    Path(name): Path<String>,
    Query(came): Query<Came>,
    headers: HeaderMap,
) -> Response {
    let viewer = Viewer::of(&office, &headers);
    let look = match Look::at(&office, ASKED).await {
        Ok(look) => look,
        Err(error) => return unavailable(&viewer, &error),
    };
    let Some(target) = target(&look.status, &name) else { return nobody(&viewer) };
    let output = if viewer.sees_output { Some(output(&office, &target).await) } else { None };
    let content = {
        let rates = office.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let said = came.said.as_deref().and_then(said);
        Worker { said, ..Worker::of(&look, &target, &rates, &viewer, output) }
    };
    answer(&headers, &viewer, &look, ("", &name), &content)
}

/// Says that there is nobody of a name.
pub(crate) fn nobody(viewer: &Viewer) -> Response {
    let text = "No worker has this name. It may have been removed from the manifest.";
    let said = Notice { title: "No such worker", text, back: ("/", "All workers") };
    notice(StatusCode::NOT_FOUND, viewer, &said)
}

/// Says what became of an order, in our own words whatever somebody wrote into the address.
fn said(word: &str) -> Option<&'static str> {
    match word {
        "done" => Some("Done, as ordered."),
        "ordered" => Some("Ordered. It is not carried out yet."),
        _ => None,
    }
}

async fn output(office: &Office, target: &Target) -> Output {
    let lines = office.supervisor.order(Verb::Lines, target.clone(), PATIENCE).await;
    let crashes = office.supervisor.crashes(target.clone()).await;
    let (mut found, mut trouble) = (Output::default(), None);
    match lines {
        Ok((_, text)) => {
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(LINES)..];
            found.lines = last.iter().map(|line| cut(line, LINE_MAX)).collect();
        }
        Err(error) => trouble = Some(error.to_string()),
    }
    match crashes {
        Ok(mut reports) => {
            reports.sort_by_key(|report| Reverse(report.ended.monotonic_ns));
            found.crashes = reports.iter().take(CRASHES).map(crashes::crash).collect();
        }
        Err(error) => trouble = Some(error.to_string()),
    }
    Output { trouble, ..found }
}

impl Worker {
    pub(super) fn of(
        look: &Look,
        target: &Target,
        rates: &Rates,
        viewer: &Viewer,
        output: Option<Output>,
    ) -> Self {
        let rows: Vec<&Row> = look.status.workers.iter().filter(|row| is_meant(row, target)).collect();
        let heard = || rows.iter().filter_map(|row| Some((row.title(), look.of(row)?)));
        let snapshots = || heard().filter_map(|(title, said)| Some((title, said.answer.as_ref().ok()?)));
        let mut of_actors: Vec<_> =
            snapshots().flat_map(|(title, found)| actors::lines(&title, found)).collect();
        of_actors.sort_by_key(|line| Reverse((line.waiting, line.handled)));
        Self {
            name: match target {
                Target::System => String::new(),
                Target::Worker(name) => name.clone(),
                Target::Instance(name, instance) => format!("{name}.{instance}"),
            },
            instances: rows.iter().map(|row| instance(look, row)).collect(),
            output,
            can_sign_in: viewer.can_sign_in,
            actors: of_actors,
            types: snapshots().flat_map(|(title, found)| actors::types(&title, found)).collect(),
            links: heard().flat_map(|(title, said)| links::lines(&title, said, rates)).collect(),
            orders: if viewer.session.is_some() { viewer.orders.clone() } else { Vec::new() },
            said: None,
        }
    }
}

fn instance(look: &Look, row: &Row) -> Instance {
    let silent = look.of(row).and_then(|said| said.answer.as_ref().err()).cloned();
    Instance { line: overview::line(look, row), facts: facts(row), silent }
}

fn facts(row: &Row) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("In this state", format!("for {}", short(row.since))),
        ("Life", format!("number {}", row.generation)),
        ("Failures in a row", row.failures.to_string()),
        (
            "Restart budget",
            format!("{} of {} left in {}", row.budget_left, row.budget_max, short(row.budget_period)),
        ),
        ("User and group", format!("{}:{}", user(row.uid), row.gid)),
        ("Holds", holds(row)),
        ("Links", row.links.to_string()),
        ("Kept descriptors", row.kept.to_string()),
        ("Contained by", row.containment.word().to_owned()),
        ("Essential", if row.essential { "yes" } else { "no" }.to_owned()),
        ("Executable, SHA-256", row.executable.as_ref().map_or_else(|| "not known".to_owned(), hex)),
    ];
    if !row.group.is_empty() {
        facts.push(("Group", row.group.clone()));
    }
    if let Some(uptime) = row.uptime {
        facts.push(("Started", json::time(json::now().saturating_sub(uptime))));
    }
    if let Some(cause) = row.last_cause {
        facts.push(("Ended last by", cause.to_string()));
    }
    facts
}
