//! What happened lately.

use std::sync::{Arc, PoisonError};

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bailiwick::control::{Event, EventKind};

use super::frame::live;
use crate::desk::Office;
use crate::json;
use crate::words::sentence;

#[derive(Template)]
#[template(path = "events.html")]
pub(super) struct Events {
    lines: Vec<Line>,
}

struct Line {
    number: u64,
    time: String,
    kind: &'static str,
    tone: &'static str,
    text: String,
}

pub(super) async fn page(State(office): State<Office>, headers: HeaderMap) -> Response {
    let latest = office.recent.lock().unwrap_or_else(PoisonError::into_inner).latest();
    live(&office, &headers, ("/events", "Events"), 0, |_, _| Events::of(&latest)).await
}

impl Events {
    /// Makes it of the events, the latest first.
    pub(super) fn of(latest: &[Arc<Event>]) -> Self {
        Self { lines: latest.iter().map(|event| line(event)).collect() }
    }
}

fn line(event: &Event) -> Line {
    Line {
        number: event.number,
        time: json::time(event.wall),
        kind: event.kind.word(),
        tone: match event.kind {
            EventKind::State => "off",
            EventKind::Ended => "wait",
            EventKind::Alert | EventKind::Violation => "bad",
        },
        text: sentence(event),
    }
}
