//! `trace`: the messages that an actor, or all actors of a type, handle, each told as it is done with, and nothing of what is in it.
//!
//! The runtimes of the workers note them down, bounded in number and in time; here they are put together, as a line of JSON each,
//! for as long as their reader stays.

mod told;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use bailiwick::control::{Row, State as Stands, Status};
use bailiwick::introspect::{
    ACTOR, IntrospectRef, Step, TRACE_MESSAGES_MAX, TRACE_TIME_MAX, TRACES_MAX, Traced, Untraced,
};
use bailiwick::{AskError, NotDelivered, ReplyStream};
use bailiwick_supervisor::check::nearest;
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::{self, SelectAll};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use super::whom::Whom;
use super::{Came, PATIENCE, failed};
use crate::caller::Caller;
use crate::desk::Office;
use crate::json::{self, SCHEMA_VERSION};
use crate::orders::passes;
use crate::site::{self, JSON};
use told::{Instance, Log, Untold};

/// How many traces are told at a time.
pub(crate) const AT_ONCE_MAX: usize = TRACES_MAX;
/// How many messages are told, and for how long, unless somebody says otherwise.
const COUNT: u32 = 100;
const TIME_S: f64 = 5.0;
/// How much longer than was asked for workers may take to end.
const SLACK: Duration = Duration::from_secs(2);
/// The longest name of a type.
const TYPE_CHARS_MAX: usize = 128;
const NDJSON: &str = "application/x-ndjson";

/// What somebody sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    target: String,
    count: Option<u32>,
    time_s: Option<f64>,
}

/// What is answered where there is no trace.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    time: String,
    target: &'a str,
    /// `refused`, `not_delivered` or `unknown`.
    outcome: &'static str,
    detail: String,
}

/// Whose messages are meant.
enum Wanted {
    Actor(Whom),
    Type(String),
}

/// What is wanted, within its limits.
struct Order {
    wanted: Wanted,
    count: u32,
    time: Duration,
}

/// A worker's trace that is on.
struct Source {
    instance: Instance,
    /// How many actors are meant, as far as they are there already.
    actors: u32,
    steps: ReplyStream<Step>,
}

/// Why one worker is not traced.
enum Refusal {
    NotGranted,
    Untraced(Untraced),
    Failed(Came),
}

/// What one of the workers says next: nothing behind its last word.
type Next = (Instance, Option<Result<Step, AskError>>);

/// The traces of all workers that are meant, put together.
struct Told {
    merged: SelectAll<Pin<Box<dyn futures::Stream<Item = Next> + Send>>>,
    head: Option<String>,
    left: u32,
    until: Instant,
    log: Log,
    _place: OwnedSemaphorePermit,
}

/// Streams what actors handle.
pub(crate) async fn trace(
    State(office): State<Office>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err((code, why)) = passes(&office, &headers, caller).await {
        return refused("", Came::refused(code, why));
    }
    let bad = |target: &str, why: &str| refused(target, Came::refused(StatusCode::BAD_REQUEST, why));
    let question: Question = match serde_json::from_slice(&body) {
        Ok(question) => question,
        Err(error) => return bad("", &format!("the question is no document as expected: {error}")),
    };
    let order = match Order::read(&question) {
        Ok(order) => order,
        Err(why) => return bad(&question.target, &why),
    };
    let Ok(place) = Arc::clone(&office.traces).try_acquire_owned() else {
        let why = format!("{AT_ONCE_MAX} traces are told already; try again");
        return refused(&question.target, Came::refused(StatusCode::SERVICE_UNAVAILABLE, &why));
    };
    let target = question.target;
    eprintln!("<5>trace {target}: by {caller} with the token");
    match begin(&office, &order).await {
        Ok((sources, untraced)) => {
            let head = told::begun(&target, &order, &sources, untraced);
            streamed(Told::of(sources, head, &order, (Log::of(target), place)))
        }
        Err(came) => {
            eprintln!("<5>trace {target}: {}", came.outcome);
            refused(&target, came)
        }
    }
}

impl Order {
    fn read(question: &Question) -> Result<Self, String> {
        let count = question.count.unwrap_or(COUNT);
        if !(1..=TRACE_MESSAGES_MAX).contains(&count) {
            return Err(format!("a count of {count}, expected 1 to {TRACE_MESSAGES_MAX} messages"));
        }
        let (time_s, most) = (question.time_s.unwrap_or(TIME_S), TRACE_TIME_MAX.as_secs_f64());
        if !(time_s > 0.0 && time_s <= most) {
            return Err(format!("a time of {time_s} s, expected more than 0 and at most {most}"));
        }
        let target = &question.target;
        let wanted = match target.contains('/') {
            true => Wanted::Actor(Whom::read(target)?),
            false if is_type(target) => Wanted::Type(target.clone()),
            false => {
                let text =
                    "expected an actor, `WORKER/ACTOR`, or the name of a type, as `tree --actors` has it";
                return Err(text.to_owned());
            }
        };
        Ok(Self { wanted, count, time: Duration::from_secs_f64(time_s) })
    }

    /// Returns the workers that are meant, as far as they are known.
    ///
    /// # Errors
    /// There is none.
    fn meant<'s>(&self, status: &'s Status) -> Result<Vec<&'s Row>, Came> {
        let rows = &status.workers;
        let Wanted::Actor(whom) = &self.wanted else { return Ok(rows.iter().collect()) };
        let (name, instance) = match whom.worker().split_once('.') {
            Some((name, instance)) => (name, instance.parse::<u16>().ok()),
            None => (whom.worker(), None),
        };
        let is_meant =
            |row: &&Row| row.name == name && instance.is_none_or(|instance| row.instance == instance);
        let meant: Vec<_> = rows.iter().filter(is_meant).collect();
        if !meant.is_empty() {
            return Ok(meant);
        }
        let near = nearest(name, rows.iter().map(|row| row.name.as_str()));
        let hint = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
        let why = format!("no worker is called `{}`{hint}", whom.worker());
        Err(Came::refused(StatusCode::NOT_FOUND, &why))
    }

    fn traced(&self) -> Traced {
        match &self.wanted {
            Wanted::Actor(whom) => Traced::Actor(whom.path().to_owned()),
            Wanted::Type(name) => Traced::Type(name.clone()),
        }
    }
}

/// Begins with all workers that are meant. Returns those that are traced, and why others are not.
async fn begin(office: &Office, order: &Order) -> Result<(Vec<Source>, Vec<Untold>), Came> {
    let status = office.supervisor.status().await;
    let status =
        status.map_err(|error| Came::refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()))?;
    let asked = order.meant(&status)?.into_iter().filter_map(|row| {
        // The admin worker itself, and whoever has no runtime, has nothing to trace.
        let name = Instance::of(row).name();
        let peer: IntrospectRef = office.peers.peer(&format!("{name}/{ACTOR}")).ok()?;
        Some(async move { (Instance::of(row), one(row, &peer, order).await) })
    });
    let (mut sources, mut refusals) = (Vec::new(), Vec::new());
    for (instance, begun) in join_all(asked).await {
        match begun {
            Ok((actors, steps)) => sources.push(Source { instance, actors, steps }),
            Err(refusal) => refusals.push((instance, refusal)),
        }
    }
    if sources.is_empty() {
        return Err(none(order, refusals));
    }
    let untold = refusals.into_iter().map(|(instance, refusal)| Untold::of(instance, &refusal.words(order)));
    Ok((sources, untold.collect()))
}

async fn one(row: &Row, peer: &IntrospectRef, order: &Order) -> Result<(u32, ReplyStream<Step>), Refusal> {
    if row.state != Stands::Ready {
        let why = format!("it does not run: {}", row.state.word());
        return Err(Refusal::Failed(Came::refused(StatusCode::CONFLICT, &why)));
    }
    let mut steps = match peer.trace(order.traced(), order.count, order.time).stream(PATIENCE).await {
        Ok(steps) => steps,
        Err(AskError::NotDelivered(NotDelivered::NotGranted)) => return Err(Refusal::NotGranted),
        Err(error) => return Err(Refusal::Failed(failed(&error))),
    };
    match timeout(PATIENCE, steps.next()).await {
        Ok(Some(Ok(Step::Begun { actors, .. }))) => Ok((actors, steps)),
        Ok(Some(Ok(Step::Refused(why)))) => Err(Refusal::Untraced(why)),
        Ok(Some(Err(error))) => Err(Refusal::Failed(failed(&error))),
        Ok(_) | Err(_) => {
            let why = "it did not begin with the trace in time";
            Err(Refusal::Failed(Came::refused(StatusCode::GATEWAY_TIMEOUT, why)))
        }
    }
}

impl Refusal {
    fn words(&self, order: &Order) -> String {
        match (self, &order.wanted) {
            (Self::NotGranted, _) => "not granted".to_owned(),
            (Self::Untraced(Untraced::TooMany), _) => {
                format!("it has {TRACES_MAX} traces at present, and no more at a time")
            }
            (Self::Untraced(Untraced::NoType { .. }), _) => "it has no actor of that type".to_owned(),
            (Self::Untraced(Untraced::NoActor { nearest, actors }), _) => match (nearest, &actors[..]) {
                (Some(near), _) => format!("it has no such actor, did you mean `{near}`?"),
                (None, []) => "it has no actor".to_owned(),
                (None, actors) => format!("it has no such actor; its actors are: {}", actors.join(", ")),
            },
            (Self::Failed(came), _) => came.detail.clone(),
        }
    }

    fn came(self, name: &str, order: &Order) -> Came {
        let words = self.words(order);
        let code = match self {
            Self::Failed(came) => return Came { detail: format!("{name}: {}", came.detail), ..came },
            Self::NotGranted => return not_granted(name),
            Self::Untraced(Untraced::TooMany) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Untraced(Untraced::NoActor { .. } | Untraced::NoType { .. }) => StatusCode::NOT_FOUND,
        };
        Came::refused(code, &format!("{name}: {words}"))
    }
}

/// Says why nobody is traced.
fn none(order: &Order, refusals: Vec<(Instance, Refusal)>) -> Came {
    let Wanted::Type(wanted) = &order.wanted else {
        return match refusals.into_iter().next() {
            Some((instance, refusal)) => refusal.came(&instance.name(), order),
            None => Came::refused(StatusCode::NOT_FOUND, "its worker has no actors that could be traced"),
        };
    };
    let types = refusals.iter().filter_map(|(_, refusal)| match refusal {
        Refusal::Untraced(Untraced::NoType { types }) => Some(types),
        _ => None,
    });
    let mut types: Vec<&str> = types.flatten().map(String::as_str).collect();
    types.sort_unstable();
    types.dedup();
    let closed = refusals.iter().filter(|(_, refusal)| matches!(refusal, Refusal::NotGranted));
    let closed: Vec<String> = closed.map(|(instance, _)| instance.name()).collect();
    let mut why = match (nearest(wanted, types.iter().copied()), &types[..], &closed[..]) {
        (_, [], [first, ..]) => return not_granted(first),
        (_, [], []) => {
            let first = refusals.into_iter().next();
            return first.map_or_else(
                || Came::refused(StatusCode::NOT_FOUND, "no worker has actors that could be traced"),
                |(instance, refusal)| refusal.came(&instance.name(), order),
            );
        }
        (Some(near), ..) => format!("no actor is of a type `{wanted}`, did you mean `{near}`?"),
        (None, types, _) => format!("no actor is of a type `{wanted}`; there are: {}", types.join(", ")),
    };
    if !closed.is_empty() {
        why += &format!("; it is not granted to trace: {}", closed.join(", "));
    }
    Came::refused(StatusCode::NOT_FOUND, &why)
}

fn not_granted(name: &str) -> Came {
    let worker = name.split('.').next().unwrap_or_default();
    let why = format!(
        "the manifest does not grant it: add `[[grant]]` with `from = \"operator\"`, `to = \"{worker}/{ACTOR}\"` and \
         `methods = [\"trace\"]`"
    );
    Came::refused(StatusCode::FORBIDDEN, &why)
}

impl Told {
    fn of(
        sources: Vec<Source>,
        head: String,
        order: &Order,
        (log, place): (Log, OwnedSemaphorePermit),
    ) -> Self {
        let each = sources.into_iter().map(|Source { instance, steps, .. }| {
            let (of, last) = (instance.clone(), instance);
            let steps = steps.map(move |step| (of.clone(), Some(step)));
            steps.chain(stream::iter([(last, None)])).boxed()
        });
        let until = Instant::now() + order.time + SLACK;
        Self {
            merged: stream::select_all(each),
            head: Some(head),
            left: order.count,
            until,
            log,
            _place: place,
        }
    }

    /// Returns what is told next; nothing behind the end.
    async fn next(&mut self) -> Option<String> {
        if let Some(head) = self.head.take() {
            return Some(head);
        }
        if self.log.is_over() {
            return None;
        }
        loop {
            if self.left == 0 {
                return Some(self.log.over("messages"));
            }
            match timeout_at(self.until, self.merged.next()).await {
                Ok(Some((instance, Some(Ok(Step::Handled(messages)))))) => {
                    let told = messages.into_iter().take(self.left as usize);
                    let lines: Vec<_> = told.map(|one| self.log.message(&instance, one)).collect();
                    self.left -= lines.len() as u32;
                    if !lines.is_empty() {
                        return Some(lines.concat());
                    }
                }
                Ok(Some((_, Some(Ok(Step::Over { why, lost }))))) => self.log.ended(why, lost),
                Ok(Some((instance, Some(Err(error))))) => {
                    return Some(told::broken(&instance, &error));
                }
                // Its last word, or none that belongs here.
                Ok(Some((_, None | Some(Ok(Step::Begun { .. } | Step::Refused(_)))))) => {}
                Ok(None) => return Some(self.log.over_by_all()),
                Err(_) => return Some(self.log.over("time")),
            }
        }
    }
}

fn streamed(told: Told) -> Response {
    let lines = stream::unfold(told, async |mut told| {
        let line = told.next().await?;
        Some((Ok::<_, Infallible>(line), told))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refused(target: &str, came: Came) -> Response {
    let Came { code, outcome, detail, .. } = came;
    let detail = detail.chars().take(super::WORDS_MAX).collect();
    let (schema_version, time) = (SCHEMA_VERSION, json::time(json::now()));
    let document = Document { schema_version, time, target, outcome, detail };
    site::plain(code, JSON, json::document(&document))
}

/// Tells whether a type may have this name.
fn is_type(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || letter == '_';
    !name.is_empty() && name.chars().count() <= TYPE_CHARS_MAX && name.chars().all(is_plain)
}
