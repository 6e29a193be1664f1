//! Groups, and the workers in them.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::frame::{live, rendered};
use super::look::Look;
use super::overview::{Line, line};
use crate::desk::Office;
use crate::words::short;

/// How deep groups are drawn in each other. A manifest's nest less deep.
const DEPTH_MAX: usize = 16;

#[derive(Template)]
#[template(path = "tree.html")]
pub(super) struct Tree {
    system: String,
    pid: u32,
    /// Made by the template of a branch.
    branch: String,
}

#[derive(Template)]
#[template(path = "branch.html")]
struct Branch {
    workers: Vec<Line>,
    groups: Vec<Inner>,
}

struct Inner {
    name: String,
    /// What its restart budget still covers, as its workers' rows say.
    budget: String,
    branch: String,
}

/// The members of a group, or of the whole system.
#[derive(Default)]
struct Group<'a> {
    workers: Vec<&'a bailiwick::control::Row>,
    groups: BTreeMap<&'a str, Group<'a>>,
}

pub(super) async fn page(State(office): State<Office>, headers: HeaderMap) -> Response {
    live(&office, &headers, ("/tree", "Supervision tree"), 0, |look, _| Tree::of(look)).await
}

impl Tree {
    pub(super) fn of(look: &Look) -> Self {
        let mut root = Group::default();
        for row in &look.status.workers {
            let path = row.group.split('/').filter(|name| !name.is_empty()).take(DEPTH_MAX);
            let group = path.fold(&mut root, |group, name| group.groups.entry(name).or_default());
            group.workers.push(row);
        }
        let head = &look.status.supervisor;
        Self { system: head.name.clone(), pid: head.pid, branch: rendered(&branch(look, &root)) }
    }
}

fn branch(look: &Look, group: &Group<'_>) -> Branch {
    let inner = |(name, group): (&&str, &Group<'_>)| Inner {
        name: (*name).to_owned(),
        budget: budget(group),
        branch: rendered(&branch(look, group)),
    };
    Branch {
        workers: group.workers.iter().map(|row| line(look, row)).collect(),
        groups: group.groups.iter().map(inner).collect(),
    }
}

fn budget(group: &Group<'_>) -> String {
    group.workers.first().map_or_else(String::new, |row| {
        format!("{} of {} restarts left in {}", row.budget_left, row.budget_max, short(row.budget_period))
    })
}
