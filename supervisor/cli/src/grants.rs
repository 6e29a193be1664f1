//! `grants`: who may say what to whom, as text, as JSON, and as a picture in Graphviz's language.

mod dot;

use bailiwick_supervisor::spec::{Grant, System, Worker};
use serde::Serialize;

use crate::arguments::Grants;
use crate::declared;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::json::{self, SCHEMA_VERSION};
use crate::screen::Screen;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    system: &'a str,
    workers: Vec<Party<'a>>,
    grants: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Party<'a> {
    worker: &'a str,
    holds_privilege: bool,
    foreign: bool,
    preset: &'static str,
    authority: Vec<String>,
    actors: Vec<&'a str>,
}

#[derive(Serialize)]
struct Told<'a> {
    from: &'a str,
    to: &'a str,
    /// Null for every actor that the worker declares.
    actor: Option<&'a str>,
    /// Null for every method of the protocol.
    methods: Option<&'a [String]>,
    terms: Vec<String>,
    crosses: Option<Boundary>,
}

/// The trust boundary that a grant leads over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Boundary {
    /// Who holds no privilege speaks to who holds some: the receiver parses hostile input.
    IntoPrivilege,
    /// Who holds privilege speaks to who holds none.
    OutOfPrivilege,
}

pub(crate) fn grants(asked: &Grants, screen: &Screen) -> Result<Exit, Failure> {
    let system = declared::load(&asked.manifest)?;
    screen.print(&match (asked.dot, asked.json) {
        (true, _) => dot::picture(&system, &declared::folder(&asked.manifest)),
        (false, true) => json::document(&document(&system)),
        (false, false) => text(&system),
    });
    Ok(Exit::Done)
}

/// Returns which trust boundary a grant leads over, if any.
pub(crate) fn boundary(system: &System, grant: &Grant) -> Option<Boundary> {
    let holds = |name: &str| {
        system.workers.iter().find(|worker| worker.name == name).is_some_and(Worker::holds_privilege)
    };
    match (holds(&grant.from), holds(&grant.to_worker)) {
        (false, true) => Some(Boundary::IntoPrivilege),
        (true, false) => Some(Boundary::OutOfPrivilege),
        (true, true) | (false, false) => None,
    }
}

fn text(system: &System) -> String {
    let mut text = explain::summary(system);
    for worker in &system.workers {
        text.push_str(&format!(
            "\n{}{}\n",
            worker.name,
            if worker.holds_privilege() { "  PRIVILEGED" } else { "" }
        ));
        let holds = explain::authority(&worker.sandbox);
        text.push_str(&format!("  holds   {}\n", or_nothing(holds, "nothing but its descriptors")));
        let calls = system.grants.iter().filter(|grant| grant.from == worker.name);
        let lines: Vec<String> = calls.map(|grant| line(system, grant)).collect();
        if lines.is_empty() {
            text.push_str("  calls   nobody\n");
        }
        lines.iter().for_each(|line| text.push_str(&format!("  calls   {line}\n")));
        let called = system.grants.iter().filter(|grant| grant.to_worker == worker.name);
        let callers: Vec<&str> = called.map(|grant| grant.from.as_str()).collect();
        text.push_str(&format!(
            "  called  {}\n",
            if callers.is_empty() { "by nobody".into() } else { format!("by {}", callers.join(", ")) }
        ));
    }
    text
}

fn line(system: &System, grant: &Grant) -> String {
    let terms = explain::terms(grant);
    let terms = if terms.is_empty() { String::new() } else { format!("; {}", terms.join("; ")) };
    let boundary = match boundary(system, grant) {
        Some(Boundary::IntoPrivilege) => "  << into privilege",
        Some(Boundary::OutOfPrivilege) => "  >> out of privilege",
        None => "",
    };
    format!("{}: {}{terms}{boundary}", explain::callee(grant), explain::methods(grant))
}

fn or_nothing(parts: Vec<String>, nothing: &str) -> String {
    if parts.is_empty() { nothing.to_owned() } else { parts.join("; ") }
}

fn document(system: &System) -> Document<'_> {
    let workers = system.workers.iter().map(|worker| Party {
        worker: &worker.name,
        holds_privilege: worker.holds_privilege(),
        foreign: worker.command.is_some(),
        preset: explain::preset(worker.sandbox.preset),
        authority: explain::authority(&worker.sandbox),
        actors: worker.actors.iter().map(|actor| actor.name.as_str()).collect(),
    });
    let grants = system.grants.iter().map(|grant| Told {
        from: &grant.from,
        to: &grant.to_worker,
        actor: grant.to_actor.as_deref(),
        methods: grant.methods.as_deref(),
        terms: explain::terms(grant),
        crosses: boundary(system, grant),
    });
    Document {
        schema_version: SCHEMA_VERSION,
        system: &system.name,
        workers: workers.collect(),
        grants: grants.collect(),
    }
}
