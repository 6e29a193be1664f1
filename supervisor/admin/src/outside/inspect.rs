//! `inspect`: what one actor is, how it stands, and what it says of its state.

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bailiwick::introspect::{ACTOR, Inspected, IntrospectRef, Said};
use bailiwick::{AskError, NotDelivered};
use serde::{Deserialize, Serialize};

use super::whom::Whom;
use super::{Came, PATIENCE, failed, unknown_worker};
use crate::caller::Caller;
use crate::desk::Office;
use crate::json::{self, SCHEMA_VERSION};
use crate::orders::passes;
use crate::site::{self, JSON};

/// How many protocols, and methods of each, are told of.
const LISTED_MAX: usize = 64;
/// The longest name that is told.
const NAME_MAX: usize = 256;

/// What somebody sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    target: String,
}

/// What is answered.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    time: String,
    target: &'a str,
    /// `found`, `not_delivered`, `unknown` or `refused`.
    outcome: &'static str,
    detail: String,
    /// Null unless it was found.
    actor: Option<Actor>,
}

/// The actor.
#[derive(Serialize)]
struct Actor {
    r#type: String,
    generation: u32,
    handled: u64,
    children: u32,
    waiting: u32,
    waiting_bytes: u64,
    in_line: u32,
    /// How many messages its mailbox takes; null is any number.
    capacity: Option<u32>,
    protocols: Vec<Protocol>,
    /// `words`, `nothing` if its type says nothing, or `busy`.
    state: &'static str,
    /// What it says of its state; null unless it says something.
    words: Option<String>,
}

#[derive(Serialize)]
struct Protocol {
    name: String,
    methods: Vec<String>,
}

/// Looks into an actor.
pub(crate) async fn inspect(
    State(office): State<Office>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err((code, why)) = passes(&office, &headers, caller).await {
        return told("", Err(Came::refused(code, why)));
    }
    let question: Question = match serde_json::from_slice(&body) {
        Ok(question) => question,
        Err(error) => {
            let why = format!("the question is no document as expected: {error}");
            return told("", Err(Came::refused(StatusCode::BAD_REQUEST, &why)));
        }
    };
    let whom = match Whom::read(&question.target) {
        Ok(whom) => whom,
        Err(why) => return told(&question.target, Err(Came::refused(StatusCode::BAD_REQUEST, &why))),
    };
    let Ok(_place) = office.questions.try_acquire() else {
        let why = "too many questions are open already; try again";
        return told(whom.name(), Err(Came::refused(StatusCode::SERVICE_UNAVAILABLE, why)));
    };
    eprintln!("<5>inspect {}: by {caller} with the token", whom.name());
    let found = look(&office, &whom).await;
    eprintln!("<5>inspect {}: {}", whom.name(), found.as_ref().map_or_else(|came| came.outcome, |_| "found"));
    told(whom.name(), found)
}

async fn look(office: &Office, whom: &Whom) -> Result<Actor, Came> {
    let runtime = office.peers.peer::<IntrospectRef>(&format!("{}/{ACTOR}", whom.worker()));
    let runtime = runtime.map_err(|_| unknown_worker(whom))?;
    match runtime.inspect(whom.path().to_owned()).ask(PATIENCE).await {
        Ok(Some(found)) => Ok(actor(found)),
        Ok(None) => {
            let why = format!("`{}` has no actor `{}` just now", whom.worker(), whom.path());
            Err(Came::refused(StatusCode::NOT_FOUND, &why))
        }
        Err(AskError::NotDelivered(NotDelivered::NotGranted)) => {
            let worker = whom.worker().split('.').next().unwrap_or_default();
            let why = format!(
                "the manifest does not grant it: add `[[grant]]` with `from = \"operator\"`, `to = \"{worker}/{ACTOR}\"` and \
                 `methods = [\"inspect\"]`"
            );
            Err(Came::refused(StatusCode::FORBIDDEN, &why))
        }
        Err(error) => Err(failed(&error)),
    }
}

/// Takes of what a worker says a bounded part.
fn actor(found: Inspected) -> Actor {
    let Inspected { stands, protocols, children, said } = found;
    let name = |text: String| text.chars().take(NAME_MAX).collect::<String>();
    let (state, words) = match said {
        Said::Nothing => ("nothing", None),
        Said::Busy => ("busy", None),
        // Its link takes no longer ones.
        Said::Words(words) => ("words", Some(words)),
    };
    let protocols = protocols.into_iter().take(LISTED_MAX).map(|(protocol, methods)| Protocol {
        name: name(protocol),
        methods: methods.into_iter().take(LISTED_MAX).map(name).collect(),
    });
    Actor {
        r#type: name(stands.type_name),
        generation: stands.generation,
        handled: stands.handled,
        children,
        waiting: stands.waiting,
        waiting_bytes: stands.waiting_bytes,
        in_line: stands.in_line,
        capacity: Some(stands.capacity).filter(|capacity| *capacity != u32::MAX),
        protocols: protocols.collect(),
        state,
        words,
    }
}

fn told(target: &str, found: Result<Actor, Came>) -> Response {
    let (code, outcome, detail, actor) = match found {
        Ok(actor) => (StatusCode::OK, "found", String::new(), Some(actor)),
        Err(Came { code, outcome, detail, .. }) => (code, outcome, detail, None),
    };
    let (schema_version, time) = (SCHEMA_VERSION, json::time(json::now()));
    let document = Document { schema_version, time, target, outcome, detail, actor };
    site::plain(code, JSON, json::document(&document))
}
