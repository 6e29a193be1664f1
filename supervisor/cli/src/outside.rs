//! `ask`, `send`, `inspect` and `trace`: what is asked of actors from outside, by way of the admin worker.

pub(crate) mod trace;
mod words;

use std::time::Duration;

use bailiwick_supervisor::check::escape;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::admin::{Admin, Answer};
use crate::arguments::{Ask, Inspect, Message, Place, Send};
use crate::exit::{Exit, Failure};
use crate::screen::Screen;
use words::plain;

/// How much longer than its actor the admin worker may take.
const BESIDES: Duration = Duration::from_secs(5);

/// What is sent.
#[derive(Serialize)]
struct Question<'a> {
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_s: Option<f64>,
}

/// What is read of every answer.
#[derive(Deserialize)]
struct Came {
    outcome: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    reply: Value,
    #[serde(default)]
    actor: Option<words::Actor>,
}

pub(crate) fn ask(asked: &Ask, screen: &Screen) -> Result<Exit, Failure> {
    let Message { target, arguments, json, place } = &asked.message;
    let question = Question {
        target: &target.actor,
        method: Some(&target.method),
        arguments: Some(arguments),
        timeout_s: Some(asked.timeout.as_secs_f64()),
    };
    let title = format!("ask {}.{}", target.actor, target.method);
    let (answer, came) = put(place, "ask", &question, asked.timeout)?;
    if *json {
        return Ok(document(screen, &answer));
    }
    succeeded(&title, &answer, &came)?;
    // A value always serialises.
    let reply = serde_json::to_string_pretty(&came.reply).unwrap_or_default();
    screen.print(&(plain(&reply) + "\n"));
    Ok(Exit::Done)
}

pub(crate) fn send(asked: &Send, screen: &Screen) -> Result<Exit, Failure> {
    let Message { target, arguments, json, place } = &asked.message;
    let question = Question {
        target: &target.actor,
        method: Some(&target.method),
        arguments: Some(arguments),
        timeout_s: None,
    };
    let title = format!("send {}.{}", target.actor, target.method);
    let (answer, came) = put(place, "send", &question, Duration::ZERO)?;
    if *json {
        return Ok(document(screen, &answer));
    }
    succeeded(&title, &answer, &came)?;
    screen.print(&format!("{}.{}: {}\n", target.actor, target.method, escape(&came.detail)));
    Ok(Exit::Done)
}

pub(crate) fn inspect(asked: &Inspect, screen: &Screen) -> Result<Exit, Failure> {
    let question = Question { target: &asked.target, method: None, arguments: None, timeout_s: None };
    let (answer, came) = put(&asked.place, "inspect", &question, Duration::ZERO)?;
    if asked.json {
        return Ok(document(screen, &answer));
    }
    succeeded(&format!("inspect {}", asked.target), &answer, &came)?;
    let actor = came.actor.unwrap_or_default();
    screen.print(&words::table(&asked.target, &actor));
    Ok(Exit::Done)
}

/// Puts a question to the admin worker; returns the answer, also as what is read of it.
fn put(
    place: &Place,
    verb: &str,
    question: &Question<'_>,
    timeout: Duration,
) -> Result<(Answer, Came), Failure> {
    let admin = Admin::find(place)?.waiting(timeout + BESIDES);
    let body = serde_json::to_string(question).expect("plain fields with text as keys always serialise");
    let answer = admin.post(&format!("/api/v1/{verb}"), &body)?;
    let came = read(verb, &answer)?;
    Ok((answer, came))
}

/// Reads an answer.
fn read(verb: &str, answer: &Answer) -> Result<Came, Failure> {
    match serde_json::from_str(&answer.text) {
        Ok(came) => Ok(came),
        // Without a token in the manifest nobody answers there.
        Err(_) if answer.code == 404 => Err(Failure::Outside {
            title: verb.to_owned(),
            why: "the admin worker takes nothing from outside: its `[admin]` has no `token`".to_owned(),
            exit: Exit::NotAllowed,
        }),
        Err(_) => Ok(answer.clone().document()?),
    }
}

/// Prints the document as it came.
fn document(screen: &Screen, answer: &Answer) -> Exit {
    screen.print(&plain(&answer.text));
    exit(answer.code)
}

/// # Errors
/// What did not come of it.
fn succeeded(title: &str, answer: &Answer, came: &Came) -> Result<(), Failure> {
    let exit = exit(answer.code);
    if exit == Exit::Done {
        return Ok(());
    }
    let why = match &*came.outcome {
        "refused" | "not_delivered" | "unknown" => escape(&came.detail),
        other => escape(other),
    };
    Err(Failure::Outside { title: escape(title), why, exit })
}

fn exit(code: u16) -> Exit {
    match code {
        200..=299 => Exit::Done,
        400 => Exit::Usage,
        401 | 403 => Exit::NotAllowed,
        404 => Exit::UnknownName,
        504 => Exit::TimedOut,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_exit() {
        let codes = [200, 202, 400, 401, 403, 404, 409, 502, 503, 504].map(|code| exit(code).code());
        assert_eq!(codes, [0, 0, 2, 7, 7, 4, 1, 1, 1, 6]);
    }
}
