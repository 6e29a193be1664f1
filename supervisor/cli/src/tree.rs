//! `tree`: groups, and the workers in them.

use std::collections::BTreeMap;

use bailiwick_admin::words::detail;
use bailiwick_supervisor::check::escape;
use bailiwick_supervisor::control::{Client, Row, Status};
use serde::Serialize;

use crate::arguments::Tree;
use crate::exit::{Exit, Failure};
use crate::json::{self, SCHEMA_VERSION};
use crate::place;
use crate::screen::Screen;
use crate::status::title;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    time: String,
    system: &'a str,
    #[serde(flatten)]
    members: Group<'a>,
}

/// The members of a group, or of the whole system.
#[derive(Default, Serialize)]
struct Group<'a> {
    workers: Vec<Worker<'a>>,
    groups: BTreeMap<&'a str, Group<'a>>,
}

#[derive(Serialize)]
struct Worker<'a> {
    name: &'a str,
    instance: u16,
    title: String,
    state: &'static str,
    pid: Option<u32>,
    detail: String,
}

pub(crate) fn tree(asked: &Tree, screen: &Screen) -> Result<Exit, Failure> {
    let found = Client::connect(&place::find(&asked.place)?)?.status()?;
    let members = members(&found);
    let system = &found.supervisor.name;
    if asked.json {
        let time = json::time(json::now());
        screen.print(&json::document(&Document { schema_version: SCHEMA_VERSION, time, system, members }));
    } else {
        let mut lines = vec![format!("{}: pid {}", escape(system), found.supervisor.pid)];
        draw(&members, "", &mut lines);
        screen.print(&(lines.join("\n") + "\n"));
    }
    Ok(Exit::Done)
}

fn members(found: &Status) -> Group<'_> {
    let mut root = Group::default();
    for row in &found.workers {
        let path = row.group.split('/').filter(|name| !name.is_empty());
        let group = path.fold(&mut root, |group, name| group.groups.entry(name).or_default());
        group.workers.push(worker(row));
    }
    root
}

fn worker(row: &Row) -> Worker<'_> {
    Worker {
        name: &row.name,
        instance: row.instance,
        title: title(row),
        state: row.state.word(),
        pid: row.pid,
        detail: detail(row),
    }
}

fn draw(group: &Group<'_>, indent: &str, lines: &mut Vec<String>) {
    let count = group.workers.len() + group.groups.len();
    let mut number = 0;
    let mut branch = || {
        number += 1;
        if number == count { ("└── ", "    ") } else { ("├── ", "│   ") }
    };
    for worker in &group.workers {
        let pid = worker.pid.map_or(String::new(), |pid| format!(", pid {pid}"));
        let (branch, _) = branch();
        lines.push(format!("{indent}{branch}{} {}{pid}: {}", worker.title, worker.state, worker.detail));
    }
    for (name, inner) in &group.groups {
        let (branch, further) = branch();
        lines.push(format!("{indent}{branch}group {}", escape(name)));
        draw(inner, &format!("{indent}{further}"), lines);
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_supervisor::control::{Head, State};

    use super::*;

    #[test]
    fn groups_nest_and_workers_stand_in_theirs() {
        let row = |name: &str, group: &str, pid| Row {
            name: name.into(),
            instance: 1,
            state: State::Ready,
            pid: Some(pid),
            group: group.into(),
            ..Row::default()
        };
        let found = Status {
            supervisor: Head { name: "shop".into(), pid: 1, ..Head::default() },
            workers: vec![row("web", "", 2), row("db", "back/store", 3), row("cache", "back", 4)],
            ..Status::default()
        };
        let mut lines = Vec::new();
        draw(&members(&found), "", &mut lines);
        let expected = [
            "├── web ready, pid 2: at work",
            "└── group back",
            "    ├── cache ready, pid 4: at work",
            "    └── group store",
            "        └── db ready, pid 3: at work",
        ];
        assert_eq!(lines, expected);
    }
}
