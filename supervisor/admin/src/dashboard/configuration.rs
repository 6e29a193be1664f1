//! What is known of how the system is configured.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bailiwick::control::Row;
use bailiwick_supervisor::control::capability_names;

use super::frame::live;
use super::look::Look;
use super::overview::troubles;
use super::text::size;
use crate::desk::Office;
use crate::json;
use crate::session::Viewer;
use crate::words::{hex, mechanism, short, user};

#[derive(Template)]
#[template(path = "configuration.html")]
pub(super) struct Configuration {
    facts: Vec<(&'static str, String)>,
    troubles: Vec<&'static str>,
    workers: Vec<Worker>,
    executables: Vec<(String, String)>,
}

struct Worker {
    title: String,
    group: String,
    user: String,
    holds: String,
    memory: String,
    budget: String,
    contained: &'static str,
    essential: &'static str,
    changed: &'static str,
}

pub(super) async fn page(State(office): State<Office>, headers: HeaderMap) -> Response {
    let page = ("/configuration", "Configuration");
    live(&office, &headers, page, 0, Configuration::of).await
}

impl Configuration {
    pub(super) fn of(look: &Look, viewer: &Viewer) -> Self {
        let (status, head) = (&look.status, &look.status.supervisor);
        let known = |text: Option<String>| text.unwrap_or_else(|| "not known".to_owned());
        let yes = |holds: bool| if holds { "yes" } else { "no" }.to_owned();
        let orders = match (viewer.can_sign_in, viewer.orders.is_empty()) {
            (false, _) | (_, true) => "nothing: that needs `token` and `may` of [admin]".to_owned(),
            _ => viewer.orders.iter().map(|order| order.word()).collect::<Vec<_>>().join(", "),
        };
        let facts = vec![
            ("System", head.name.clone()),
            ("Manifest", known(status.manifest.clone())),
            ("Manifest, SHA-256", known(head.manifest.as_ref().map(hex))),
            ("Supervisor", format!("pid {}, user {}", head.pid, user(head.uid))),
            ("Started", json::time(json::now().saturating_sub(head.uptime))),
            ("Up", short(head.uptime)),
            ("Watched by a guardian", yes(head.guarded)),
            ("Version of this worker", env!("CARGO_PKG_VERSION").to_owned()),
            ("May be ordered here", orders),
        ];
        let mut executables: Vec<(String, String)> = Vec::new();
        for row in &status.workers {
            let digest = known(row.executable.as_ref().map(hex));
            match executables.iter_mut().find(|(known, _)| *known == digest) {
                Some((_, titles)) => titles.push_str(&format!(", {}", row.title())),
                None => executables.push((digest, row.title())),
            }
        }
        let workers = status.workers.iter().map(worker).collect();
        Self { facts, troubles: troubles(head), workers, executables }
    }
}

fn worker(row: &Row) -> Worker {
    let budget = format!("{} in {}", row.budget_max, short(row.budget_period));
    let memory = row.memory_max.map(|limit| format!("{} ({})", size(limit), mechanism(row.memory)));
    Worker {
        title: row.title(),
        group: if row.group.is_empty() { "–".to_owned() } else { row.group.clone() },
        user: format!("{}:{}", user(row.uid), row.gid),
        holds: holds(row),
        memory: memory.unwrap_or_else(|| "no limit".to_owned()),
        budget,
        contained: row.containment.word(),
        essential: if row.essential { "yes" } else { "no" },
        changed: match (row.signs.config_changed, row.signs.binary_changed) {
            (true, true) => "configuration and executable",
            (true, false) => "configuration",
            (false, true) => "executable",
            (false, false) => "no",
        },
    }
}

/// Says what a worker may do that others may not.
pub(super) fn holds(row: &Row) -> String {
    let mut holds = capability_names(row.capabilities);
    if row.privileged {
        holds.insert(0, "privileged".to_owned());
    }
    if holds.is_empty() { "nothing".to_owned() } else { holds.join(" ") }
}
