//! What may be ordered of a worker here, by whom, and how it is carried out.
//!
//! An order needs its word in `[admin] may`, which the supervisor holds this worker to, and somebody who knows the token. Without
//! a token in the manifest none of this is served.

use std::time::Duration;

use axum::extract::{Extension, Form, Path, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use bailiwick::control::{Outcome, Target, Verb};
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::dashboard::{Notice, confirmation, nobody, notice};
use crate::desk::Office;
use crate::gate::Gate;
use crate::guard::comes_from_here;
use crate::json::{self, SCHEMA_VERSION};
use crate::session::Viewer;
use crate::whom::target;

/// How long an order is waited for. It stands after that.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something that may be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    Start,
    Stop,
    Restart,
    Reset,
}

impl Order {
    const ALL: [Self; 4] = [Self::Start, Self::Stop, Self::Restart, Self::Reset];

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.word() == word)
    }

    /// Returns its word, as in `may`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reset => "reset",
        }
    }

    /// Returns what stands on its button.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Start => "Start",
            Self::Stop => "Stop",
            Self::Restart => "Restart",
            Self::Reset => "Reset",
        }
    }

    /// Says what happens then.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Start => "It is started if it does not run.",
            Self::Stop => {
                "It finishes what it has begun and ends. It stays stopped until somebody starts it, and who needs it waits."
            }
            Self::Restart => {
                "It finishes what it has begun and ends, and a new process takes its place. What needs it waits meanwhile."
            }
            Self::Reset => {
                "Its failures are forgotten: its restart budget is whole again, and its next pause the shortest."
            }
        }
    }

    fn verb(self) -> Verb {
        match self {
            Self::Start => Verb::Start,
            Self::Stop => Verb::Stop,
            Self::Restart => Verb::Restart,
            Self::Reset => Verb::Reset,
        }
    }
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    Done,
    /// It stands, and is not carried out yet.
    Ordered,
    Nobody,
    /// Why it was not given, or not taken.
    Refused(StatusCode, String),
}

/// What a program reads of an order.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    time: String,
    order: &'a str,
    target: &'a str,
    /// `done`, `ordered`, `unknown_worker` or `refused`.
    outcome: &'static str,
    detail: String,
}

/// What a form carries.
#[derive(Deserialize)]
pub(crate) struct Signed {
    #[serde(default)]
    pub(crate) csrf: String,
}

/// Takes an order of a program that knows the token.
pub(crate) async fn by_program(
    State(office): State<Office>,
    Extension(caller): Extension<Caller>,
    Path((name, word)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(gate) = &office.gate else { return StatusCode::NOT_FOUND.into_response() };
    if !comes_from_here(&headers) {
        return told(
            StatusCode::FORBIDDEN,
            (&word, &name),
            "refused",
            "it was sent by a page of another site",
        );
    }
    if !admitted(gate, &headers, caller).await {
        let told = told(StatusCode::UNAUTHORIZED, (&word, &name), "refused", "no token, or a wrong one");
        return ([(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))], told).into_response();
    }
    let Some(order) = permitted(gate, &word) else {
        let text = "`may` of [admin] has no such word";
        return told(StatusCode::FORBIDDEN, (&word, &name), "refused", text);
    };
    let of = (order.word(), &*name);
    match give(&office, gate, order, &name, format!("{caller} with the token")).await {
        Came::Done => told(StatusCode::OK, of, "done", ""),
        Came::Ordered => told(StatusCode::ACCEPTED, of, "ordered", "it is not carried out yet"),
        Came::Nobody => told(StatusCode::NOT_FOUND, of, "unknown_worker", ""),
        Came::Refused(code, why) => told(code, of, "refused", &why),
    }
}

/// Asks somebody who has signed in whether an order is meant.
pub(crate) async fn question(
    State(office): State<Office>,
    Path((name, word)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let viewer = Viewer::of(&office, &headers);
    let (Some(session), Some(gate)) = (&viewer.session, &office.gate) else { return stranger(&viewer) };
    let Some(order) = permitted(gate, &word) else { return forbidden(&viewer) };
    confirmation(&office, &viewer, order, &name, &session.csrf).await
}

/// Takes an order of somebody who has signed in and says that it is meant.
pub(crate) async fn by_person(
    State(office): State<Office>,
    Extension(caller): Extension<Caller>,
    Path((name, word)): Path<(String, String)>,
    headers: HeaderMap,
    Form(form): Form<Signed>,
) -> Response {
    let viewer = Viewer::of(&office, &headers);
    if !comes_from_here(&headers) {
        return elsewhere(&viewer);
    }
    let (Some(session), Some(gate)) = (&viewer.session, &office.gate) else { return stranger(&viewer) };
    if !session.made(&form.csrf) {
        return elsewhere(&viewer);
    }
    let Some(order) = permitted(gate, &word) else { return forbidden(&viewer) };
    let (code, why) = match give(&office, gate, order, &name, format!("{caller}, signed in")).await {
        Came::Done => return back(&name, "done"),
        Came::Ordered => return back(&name, "ordered"),
        Came::Nobody => return nobody(&viewer),
        Came::Refused(code, why) => (code, why),
    };
    let text = format!("{} {name}: {why}.", order.title());
    let page = page_of(&name);
    notice(code, &viewer, &Notice { title: "Not done", text: &text, back: (&page, "Back to the worker") })
}

/// Carries an order out, and says so in the log, whom it is about and who gave it.
async fn give(office: &Office, gate: &Gate, order: Order, name: &str, by: String) -> Came {
    let Ok(_giving) = gate.giving.try_lock() else {
        let text = "another order is being carried out; try again".to_owned();
        return Came::Refused(StatusCode::SERVICE_UNAVAILABLE, text);
    };
    let found = match office.supervisor.status().await {
        Ok(status) => target(&status, name),
        Err(error) => return Came::Refused(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    };
    let Some(target) = found else { return Came::Nobody };
    let title = title(&target);
    eprintln!("<5>{} {title}: ordered by {by}", order.word());
    let came = match office.supervisor.order(order.verb(), target, PATIENCE).await {
        Ok((outcome, words)) => came(outcome, &words),
        Err(error) => Came::Refused(StatusCode::FORBIDDEN, error.to_string()),
    };
    if let Came::Refused(_, why) = &came {
        eprintln!("<5>{} {title}: {why}", order.word());
    }
    came
}

fn came(outcome: Outcome, words: &str) -> Came {
    let words = words.lines().collect::<Vec<_>>().join(", ");
    let refused = |code, why: &str| Came::Refused(code, why.to_owned());
    match outcome {
        Outcome::Done => Came::Done,
        Outcome::TimedOut => Came::Ordered,
        Outcome::UnknownTarget => Came::Nobody,
        Outcome::ShuttingDown => refused(StatusCode::SERVICE_UNAVAILABLE, "the system is stopping"),
        Outcome::GaveUp => refused(StatusCode::CONFLICT, "it is given up"),
        Outcome::NotPermitted => {
            refused(StatusCode::FORBIDDEN, "the manifest does not let this worker order it")
        }
        _ if words.is_empty() => refused(StatusCode::CONFLICT, "the supervisor refused it"),
        _ => refused(StatusCode::CONFLICT, &words),
    }
}

fn permitted(gate: &Gate, word: &str) -> Option<Order> {
    Order::of(word).filter(|order| gate.orders().contains(order))
}

/// Tells whether a program that knows the token sent a request, and no page of another site.
///
/// # Errors
/// The code and the reason of a refusal.
pub(crate) async fn passes(
    office: &Office,
    headers: &HeaderMap,
    caller: Caller,
) -> Result<(), (StatusCode, &'static str)> {
    let Some(gate) = &office.gate else {
        return Err((StatusCode::NOT_FOUND, "without `token` in [admin] nothing is asked from outside"));
    };
    if !comes_from_here(headers) {
        return Err((StatusCode::FORBIDDEN, "it was sent by a page of another site"));
    }
    match admitted(gate, headers, caller).await {
        true => Ok(()),
        false => Err((StatusCode::UNAUTHORIZED, "no token, or a wrong one")),
    }
}

pub(crate) async fn admitted(gate: &Gate, headers: &HeaderMap, caller: Caller) -> bool {
    let said = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match said.and_then(|said| said.split_once(' ')) {
        Some((kind, token)) if kind.eq_ignore_ascii_case("bearer") => {
            gate.admits(token.trim(), &caller.to_string()).await
        }
        _ => false,
    }
}

fn title(target: &Target) -> String {
    match target {
        Target::System => "--all".to_owned(),
        Target::Worker(name) => name.clone(),
        Target::Instance(name, instance) => format!("{name}.{instance}"),
    }
}

fn told(code: StatusCode, (order, target): (&str, &str), outcome: &'static str, detail: &str) -> Response {
    let time = json::time(json::now());
    let detail = detail.to_owned();
    let document = Document { schema_version: SCHEMA_VERSION, time, order, target, outcome, detail };
    crate::site::plain(code, crate::site::JSON, json::document(&document))
}

/// Returns the page of a worker that is known to exist: its name is one that needs no escaping in an address.
fn page_of(name: &str) -> String {
    format!("/workers/{name}")
}

fn back(name: &str, said: &str) -> Response {
    Redirect::to(&format!("{}?said={said}", page_of(name))).into_response()
}

/// Refuses who has not signed in.
fn stranger(viewer: &Viewer) -> Response {
    let text = "This needs somebody who has signed in.";
    let said = Notice { title: "Not signed in", text, back: ("/sign-in", "Sign in") };
    notice(StatusCode::FORBIDDEN, viewer, &said)
}

/// Refuses what no page of ours has sent.
pub(crate) fn elsewhere(viewer: &Viewer) -> Response {
    let text = "This was not sent by a page of this site, or by one of an earlier session. Nothing was done.";
    notice(StatusCode::FORBIDDEN, viewer, &Notice { title: "Refused", text, back: ("/", "All workers") })
}

fn forbidden(viewer: &Viewer) -> Response {
    let text = "The manifest does not let this be ordered here: see `may` of [admin].";
    notice(StatusCode::FORBIDDEN, viewer, &Notice { title: "Refused", text, back: ("/", "All workers") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_known_by_its_word_alone() {
        for order in Order::ALL {
            assert_eq!(Order::of(order.word()), Some(order));
        }
        for none in ["", "Stop", "kill", "stop ", "shut_down"] {
            assert_eq!(Order::of(none), None, "{none}");
        }
    }

    #[test]
    fn what_the_supervisor_answers_is_said() {
        assert_eq!(came(Outcome::Done, ""), Came::Done);
        assert_eq!(came(Outcome::TimedOut, ""), Came::Ordered);
        assert_eq!(came(Outcome::UnknownTarget, ""), Came::Nobody);
        let refused = |outcome, words| match came(outcome, words) {
            Came::Refused(code, why) => (code.as_u16(), why),
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(Outcome::Refused, "no\nway\n"), (409, "no, way".into()));
        assert_eq!(refused(Outcome::Refused, ""), (409, "the supervisor refused it".into()));
        assert_eq!(refused(Outcome::ShuttingDown, "").0, 503);
    }
}
