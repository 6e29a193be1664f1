//! What is served at which path.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bailiwick::AskError;
use bailiwick::control::{Event, Status};
use futures::future::join;
use futures::{Stream, TryFutureExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use crate::backlog::{Backlog, InShort};
use crate::dashboard;
use crate::desk::Office;
use crate::documents::events::{Told, told};
use crate::documents::inside;
use crate::documents::status::{Seen, document};
use crate::guard;
use crate::health::{self, Health};
use crate::json::{self, SCHEMA_VERSION};
use crate::logs;
use crate::metrics::{OPEN_METRICS, OPEN_METRICS_TYPE, TEXT_TYPE};
use crate::orders;
use crate::outside;
use crate::sign_in;
use crate::survey::Said;

pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const JSON: &str = "application/json";

/// How long it may take to ask all workers, with those who ask before.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many actors of each worker are told of unless somebody says how many.
const ACTORS: u32 = 20;

/// The most bytes of a form.
const FORM_BYTES_MAX: usize = 4096;
/// How long an answer takes at most, from the end of the head of its question to the beginning of its own.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How many follow events at a time, of all that may be connected: others find a place.
pub(crate) const FOLLOWERS_MAX: usize = 32;

/// How often a stream of events that has nothing to tell says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// One event as it is streamed.
#[derive(Serialize)]
struct Line<'a> {
    schema_version: u32,
    #[serde(flatten)]
    event: Told<'a>,
}

/// What is asked about health besides.
#[derive(Deserialize)]
struct Wish {
    verbose: Option<String>,
}

/// How many actors of each worker are asked for.
#[derive(Deserialize)]
struct Many {
    n: Option<u32>,
}

/// Returns everything that is served. `expose` serves also those who name another host than this machine, as a file does, which no
/// browser reaches.
pub(crate) fn router(office: Office, expose: bool) -> Router {
    let is_guarded = !expose && !office.is_local_file;
    let backlog = Backlog::new();
    let watch = move |request: Request, next: Next| {
        let backlog = backlog.clone();
        async move {
            let response = if is_guarded && !guard::names_this_machine(request.headers()) {
                let text =
                    "this is served to those who name this machine, as 127.0.0.1: see `expose` of [admin]\n";
                (StatusCode::MISDIRECTED_REQUEST, text).into_response()
            } else if guard::is_part_of_another_site(request.headers()) {
                (StatusCode::FORBIDDEN, "a page of another site asked for this\n").into_response()
            } else {
                let answer = timeout(ANSWER_LIMIT, next.run(request)).await;
                answer.unwrap_or_else(|_| StatusCode::SERVICE_UNAVAILABLE.into_response())
            };
            let mut response = backlog.hold(response).await;
            guard::protect(response.headers_mut());
            response
        }
    };
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/startupz", get(startupz))
        .route("/metrics", get(metrics))
        .route("/api/v1/workers", get(workers))
        .route("/api/v1/events", get(events))
        .route("/api/v1/actors", get(actors))
        .route("/api/v1/links", get(links))
        .route("/api/v1/logs", get(logs::logs))
        .route("/api/v1/crashes", get(logs::crashes))
        .route("/api/v1/crashes/{worker}", get(logs::crashes))
        .merge(dashboard::router())
        .merge(if office.gate.is_some() { changing() } else { Router::new() })
        .fallback(async || (StatusCode::NOT_FOUND, "nothing is here; see /api/v1/workers\n"))
        .layer(from_fn(watch))
        .with_state(office)
}

/// Returns what changes something, for who knows the token.
fn changing() -> Router<Office> {
    Router::new()
        .route("/api/v1/workers/{name}/{order}", post(orders::by_program))
        .route("/workers/{name}/{order}", get(orders::question).post(orders::by_person))
        .route("/sign-in", get(sign_in::form).post(sign_in::enter))
        .route("/sign-out", post(sign_in::leave))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .merge(asking())
}

/// Returns what asks actors from outside.
fn asking() -> Router<Office> {
    Router::new()
        .route("/api/v1/ask", post(outside::ask))
        .route("/api/v1/send", post(outside::send))
        .route("/api/v1/inspect", post(outside::inspect::inspect))
        .route("/api/v1/trace", post(outside::trace::trace))
        .layer(DefaultBodyLimit::max(outside::QUESTION_BYTES_MAX))
}

/// The supervisor's loop answers, or this does not.
async fn livez(State(office): State<Office>) -> Response {
    match office.supervisor.status().await {
        Ok(_) => plain(StatusCode::OK, TEXT, "ok\n".to_owned()),
        Err(error) => unavailable(&error),
    }
}

async fn readyz(State(office): State<Office>, Query(wish): Query<Wish>) -> Response {
    health(&office, &wish, health::readiness).await
}

async fn startupz(State(office): State<Office>, Query(wish): Query<Wish>) -> Response {
    health(&office, &wish, health::startup).await
}

async fn health(office: &Office, wish: &Wish, judge: impl Fn(&Status) -> Health) -> Response {
    let Health { is_well, lines } = match office.supervisor.status().await {
        Ok(status) => judge(&status),
        Err(error) => return unavailable(&error),
    };
    let code = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if is_well { "ok" } else { "not ready" };
    let more = if wish.verbose.is_some() || !is_well { lines.join("\n") + "\n" } else { String::new() };
    let mut answer = plain(code, TEXT, format!("{more}{word}\n"));
    // Whoever spares or restarts the system has to know this whatever slow readers do.
    answer.extensions_mut().insert(InShort(if is_well { "ok\n" } else { "not ready\n" }));
    answer
}

async fn metrics(State(office): State<Office>, headers: HeaderMap) -> Response {
    let asked = Instant::now();
    let answer = office.supervisor.status().inspect_ok(|_| office.metrics.answered(asked.elapsed()));
    let (status, said) = join(answer, survey(&office, 0)).await;
    match status {
        Ok(status) => office.metrics.show(&status, &said.unwrap_or_default()),
        Err(error) => return unavailable(&error),
    }
    let accepts = headers.get(ACCEPT).and_then(|accepts| accepts.to_str().ok()).unwrap_or_default();
    match accepts.contains(OPEN_METRICS) {
        true => plain(StatusCode::OK, OPEN_METRICS_TYPE, office.metrics.open_metrics()),
        false => plain(StatusCode::OK, TEXT_TYPE, office.metrics.text()),
    }
}

async fn workers(State(office): State<Office>) -> Response {
    match office.supervisor.status().await {
        Ok(status) => {
            // What a process uses is not to be seen from in here.
            let seen: Vec<_> = status.workers.iter().map(|row| Seen { row, usage: None }).collect();
            plain(StatusCode::OK, JSON, json::document(&document(&status, &seen, None, None::<()>)))
        }
        Err(error) => unavailable(&error),
    }
}

async fn actors(State(office): State<Office>, Query(wish): Query<Many>) -> Response {
    let wanted = wish.n.unwrap_or(ACTORS);
    match survey(&office, wanted).await {
        Ok(mut said) => {
            let found = said.iter_mut().filter_map(|one| one.answer.as_mut().ok());
            found.for_each(|one| one.actors.truncate(wanted as usize));
            plain(StatusCode::OK, JSON, json::document(&inside::actors(said)))
        }
        Err(error) => busy(&error),
    }
}

async fn links(State(office): State<Office>) -> Response {
    match survey(&office, 0).await {
        Ok(said) => plain(StatusCode::OK, JSON, json::document(&inside::links(said))),
        Err(error) => busy(&error),
    }
}

/// Asks the workers that run how they stand.
async fn survey(office: &Office, actors: u32) -> Result<Vec<Said>, AskError> {
    office.desk.survey(actors).ask(PATIENCE).await
}

/// Streams what happens from now on, each event as `events -f --json` has it; what a slow reader missed is counted.
async fn events(State(office): State<Office>) -> Response {
    let Ok(seat) = Arc::clone(&office.followers).try_acquire_owned() else {
        let text = format!("{FOLLOWERS_MAX} follow events already\n");
        return plain(StatusCode::SERVICE_UNAVAILABLE, TEXT, text);
    };
    let last = office.history.lock().unwrap_or_else(PoisonError::into_inner).last();
    let receiver = office.events.subscribe();
    let stream = stream::unfold((receiver, last, seat), async |(mut receiver, mut last, seat)| {
        loop {
            match receiver.recv().await {
                Ok(event) => {
                    let lost = event.number.saturating_sub(last + 1);
                    last = event.number;
                    return Some((Ok::<_, Infallible>(sent(&event, lost)), (receiver, last, seat)));
                }
                // The gap in the numbers tells of it.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    server_sent(stream)
}

fn server_sent(stream: impl Stream<Item = Result<Sent, Infallible>> + Send + 'static) -> Response {
    Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}

fn sent(event: &Arc<Event>, lost: u64) -> Sent {
    let line = json::line(&Line { schema_version: SCHEMA_VERSION, event: told(event, lost) });
    Sent::default().id(event.number.to_string()).data(line.trim_end())
}

/// The supervisor does not answer, or the manifest does not let this worker ask.
pub(crate) fn unavailable(error: &io::Error) -> Response {
    plain(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("the supervisor does not say: {error}\n"))
}

/// Too many ask how workers stand, or one of them keeps the others waiting.
fn busy(error: &AskError) -> Response {
    plain(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("the workers could not be asked: {error}\n"))
}

pub(crate) fn plain(code: StatusCode, kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
