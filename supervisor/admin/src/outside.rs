//! What is asked of actors from outside of the system: `send`, `ask`, `inspect` and `trace`, by whoever knows the token.
//!
//! A message goes out by the admin worker's own grants, which are those that the manifest gives to `operator`: what is not granted
//! has no slot at the receiver, whatever is asked for here. What a method takes and answers its worker says. Each use is told in the
//! log: by whom, of which actor, which method, and what came of it; not what was in it.

pub(crate) mod inspect;
pub(crate) mod learnt;
pub(crate) mod trace;
pub(crate) mod whom;

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bailiwick::introspect::{ACTOR, IntrospectRef, Undescribed};
use bailiwick::untyped::{Arguments, Untyped};
use bailiwick::{AskError, NotDelivered, Unknown};
use bailiwick_wire::Limits;
use bailiwick_wire::codec::EncodeError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::caller::Caller;
use crate::desk::Office;
use crate::form::{found, given};
use crate::json::{self, SCHEMA_VERSION};
use crate::orders::passes;
use crate::site::{self, JSON};
use learnt::Known;
use whom::Whom;

/// The largest question, in bytes.
pub(crate) const QUESTION_BYTES_MAX: usize = 256 << 10;
/// How many questions from outside are open at a time.
pub(crate) const QUESTIONS_MAX: usize = 16;
/// How long an ask waits for its reply unless somebody says how long.
const TIMEOUT_S: f64 = 5.0;
/// The longest that one waits: an answer over HTTP has to begin soon after.
const TIMEOUT_MAX_S: f64 = 25.0;
/// How long a worker may take to say what a method is, or how an actor stands.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How many characters of what went wrong are told. Some of that may be a worker's words.
const WORDS_MAX: usize = 2000;

/// What somebody sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    target: String,
    method: String,
    #[serde(default)]
    arguments: Option<Value>,
    timeout_s: Option<f64>,
}

/// What is answered.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    time: String,
    target: &'a str,
    method: &'a str,
    /// `replied`, `sent`, `not_delivered`, `unknown` or `refused`.
    outcome: &'static str,
    /// What the actor replied; null unless it did.
    reply: Option<Box<RawValue>>,
    detail: String,
    duration_s: f64,
}

/// What came of a question.
pub(crate) struct Came {
    pub(crate) code: StatusCode,
    pub(crate) outcome: &'static str,
    pub(crate) reply: Option<Box<RawValue>>,
    pub(crate) detail: String,
}

/// JSON on its way to become a message.
struct Json {
    method: &'static Known,
    given: Value,
}

impl Arguments for Json {
    fn write(&self, limits: &Limits, out: &mut Vec<u8>) -> Result<(), Box<EncodeError>> {
        given::write(&self.method.method, &self.given, limits, out)
    }
}

/// Asks an actor, and answers with its reply.
pub(crate) async fn ask(
    State(office): State<Office>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&office, caller, &headers, &body, "ask").await
}

/// Sends an actor a message, and answers when it is on its way.
pub(crate) async fn send(
    State(office): State<Office>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&office, caller, &headers, &body, "send").await
}

async fn answer(
    office: &Office,
    caller: Caller,
    headers: &HeaderMap,
    body: &[u8],
    verb: &'static str,
) -> Response {
    let begun = Instant::now();
    if let Err((code, why)) = passes(office, headers, caller).await {
        return told(("", ""), Came::refused(code, why), begun);
    }
    let question: Question = match serde_json::from_slice(body) {
        Ok(question) => question,
        Err(error) => {
            let why = format!("the question is no document as expected: {error}");
            return told(("", ""), Came::refused(StatusCode::BAD_REQUEST, &why), begun);
        }
    };
    let of = (&*question.target, &*question.method);
    let whom = match Whom::of_actor(&question.target).and_then(|whom| whom.method(&question.method)) {
        Ok(whom) => whom,
        Err(why) => return told(of, Came::refused(StatusCode::BAD_REQUEST, &why), begun),
    };
    let Ok(_place) = office.questions.try_acquire() else {
        let why = format!("{QUESTIONS_MAX} questions are open already; try again");
        return told(of, Came::refused(StatusCode::SERVICE_UNAVAILABLE, &why), begun);
    };
    // Only names go into the log.
    let title = format!("{verb} {}.{}", question.target, question.method);
    eprintln!("<5>{title}: by {caller} with the token");
    let came = match verb {
        "ask" => asked(office, &whom, &question).await,
        _ => sent(office, &whom, &question).await,
    };
    let came = came.unwrap_or_else(|came| came);
    eprintln!("<5>{title}: {}", came.outcome);
    told(of, came, begun)
}

async fn asked(office: &Office, whom: &Whom, question: &Question) -> Result<Came, Came> {
    let seconds = question.timeout_s.unwrap_or(TIMEOUT_S);
    if !(seconds > 0.0 && seconds <= TIMEOUT_MAX_S) {
        let why = format!("a timeout of {seconds} s, expected more than 0 and at most {TIMEOUT_MAX_S}");
        return Err(Came::refused(StatusCode::BAD_REQUEST, &why));
    }
    let (known, target) = reach(office, whom, &question.method).await?;
    if known.method.is_stream {
        let why = "it answers with a stream of replies, which cannot be asked for from outside";
        return Err(Came::refused(StatusCode::BAD_REQUEST, why));
    }
    if let Some(opaque) = known.method.opaque_reply() {
        let why =
            format!("its reply has `{opaque}`, which is nothing that can be read as JSON; `send` would do");
        return Err(Came::refused(StatusCode::BAD_REQUEST, &why));
    }
    let message = message(known, question)?;
    let bytes =
        target.ask(message, Duration::from_secs_f64(seconds)).await.map_err(|error| failed(&error))?;
    let text = found::json(&known.method, &bytes).map_err(|error| Came {
        code: StatusCode::BAD_GATEWAY,
        outcome: "unknown",
        reply: None,
        detail: format!("it replied, and the reply is not as its schema says: {error}"),
    })?;
    let reply = RawValue::from_string(text).expect("it was written as JSON");
    Ok(Came { code: StatusCode::OK, outcome: "replied", reply: Some(reply), detail: String::new() })
}

async fn sent(office: &Office, whom: &Whom, question: &Question) -> Result<Came, Came> {
    if question.timeout_s.is_some() {
        let why = "nothing is waited for, so there is no timeout";
        return Err(Came::refused(StatusCode::BAD_REQUEST, why));
    }
    let (known, target) = reach(office, whom, &question.method).await?;
    let message = message(known, question)?;
    let told = tokio::time::timeout(PATIENCE, target.tell(message)).await;
    match told {
        Ok(Ok(())) => {
            let detail = "it is on its way".to_owned();
            Ok(Came { code: StatusCode::ACCEPTED, outcome: "sent", reply: None, detail })
        }
        Ok(Err(error)) => Err(failed(&error)),
        // Whoever stands in line is taken out of it.
        Err(_) => Err(failed(&NotDelivered::Full.into())),
    }
}

/// Learns what a method is, and finds the way to its actor.
async fn reach(office: &Office, whom: &Whom, method: &str) -> Result<(&'static Known, Untyped), Came> {
    let runtime = office.peers.peer::<IntrospectRef>(&format!("{}/{ACTOR}", whom.worker()));
    let runtime = runtime.map_err(|_| unknown_worker(whom))?;
    let described = runtime.describe(whom.path().to_owned(), method.to_owned()).ask(PATIENCE).await;
    let described = match described {
        Ok(Ok(described)) => described,
        Ok(Err(why)) => return Err(undescribed(whom, method, &why)),
        Err(AskError::NotDelivered(NotDelivered::NotGranted)) => return Err(not_granted(whom)),
        Err(error) => return Err(failed(&error)),
    };
    let known = office.learn(method, &described).map_err(|why| Came::refused(StatusCode::CONFLICT, &why))?;
    let target = office.peers.method(whom.name(), known.schema).map_err(|_| not_granted(whom))?;
    Ok((known, target))
}

/// Checks the arguments, before anything is sent.
fn message(known: &'static Known, question: &Question) -> Result<Json, Came> {
    let given = question.arguments.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    given::check(&known.method, &given).map_err(|why| Came::refused(StatusCode::BAD_REQUEST, &why))?;
    Ok(Json { method: known, given })
}

impl Came {
    pub(crate) fn refused(code: StatusCode, why: &str) -> Self {
        Self { code, outcome: "refused", reply: None, detail: why.to_owned() }
    }
}

pub(crate) fn unknown_worker(whom: &Whom) -> Came {
    let why = format!("no worker is called `{}`, or none that could be asked", whom.worker());
    Came::refused(StatusCode::NOT_FOUND, &why)
}

pub(crate) fn not_granted(whom: &Whom) -> Came {
    let why = format!(
        "the manifest does not grant it: add `[[grant]]` with `from = \"operator\"` and `to = \"{}\"`",
        whom.declared()
    );
    Came::refused(StatusCode::FORBIDDEN, &why)
}

fn undescribed(whom: &Whom, method: &str, why: &Undescribed) -> Came {
    let list = |what: &str, names: &[String]| match names {
        [] => format!("it has no {what}"),
        names => format!("its {what}s are: {}", names.join(", ")),
    };
    let (code, why) = match why {
        Undescribed::NoActor { actors } => {
            let text =
                format!("`{}` has no actor `{}`; {}", whom.worker(), whom.path(), list("actor", actors));
            (StatusCode::NOT_FOUND, text)
        }
        Undescribed::NoMethod { methods } => {
            let text = format!("`{}` has no method `{method}`; {}", whom.name(), list("method", methods));
            (StatusCode::NOT_FOUND, text)
        }
        Undescribed::Ambiguous => {
            let text = format!("two protocols of `{}` have a method `{method}`", whom.name());
            (StatusCode::CONFLICT, text)
        }
    };
    Came::refused(code, &why)
}

/// Says how a message ended that has no reply.
pub(crate) fn failed(error: &AskError) -> Came {
    let (code, outcome) = match error {
        AskError::NotDelivered(NotDelivered::NotGranted) => (StatusCode::FORBIDDEN, "not_delivered"),
        AskError::NotDelivered(NotDelivered::Expired) => (StatusCode::GATEWAY_TIMEOUT, "not_delivered"),
        AskError::Unknown(Unknown::Expired) => (StatusCode::GATEWAY_TIMEOUT, "unknown"),
        AskError::NotDelivered(_) => (StatusCode::CONFLICT, "not_delivered"),
        AskError::Unknown(_) => (StatusCode::CONFLICT, "unknown"),
    };
    Came { code, outcome, reply: None, detail: error.to_string() }
}

fn told((target, method): (&str, &str), came: Came, begun: Instant) -> Response {
    let Came { code, outcome, reply, detail } = came;
    let time = json::time(json::now());
    let duration_s = begun.elapsed().as_secs_f64();
    let detail = detail.chars().take(WORDS_MAX).collect();
    let schema_version = SCHEMA_VERSION;
    let document = Document { schema_version, time, target, method, outcome, reply, detail, duration_s };
    site::plain(code, JSON, json::document(&document))
}
