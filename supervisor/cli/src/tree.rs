//! `tree`: groups, the workers in them, and with `--actors` the actors in those.

mod actors;

use std::collections::BTreeMap;

use bailiwick_admin::words::detail;
use bailiwick_supervisor::check::escape;
use bailiwick_supervisor::control::{Client, Row, Status};
use serde::Serialize;

use crate::admin::Admin;
use crate::admin::actors::{Actors, Survey};
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
    /// With `--actors` alone: what it says of them; null if it does not run, or is no program of the runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    actors: Option<Option<Actors>>,
}

/// A line, and those below it.
struct Node {
    text: String,
    below: Vec<Node>,
}

impl Node {
    fn leaf(text: String) -> Self {
        Self { text, below: Vec::new() }
    }
}

pub(crate) fn tree(asked: &Tree, screen: &Screen) -> Result<Exit, Failure> {
    let found = Client::connect(&place::find(&asked.place)?)?.status()?;
    let survey = if asked.actors { Some(Survey::of(&Admin::of(&found)?, asked.fullest)?) } else { None };
    let members = members(&found, survey.as_ref());
    let system = &found.supervisor.name;
    if asked.json {
        let time = json::time(json::now());
        screen.print(&json::document(&Document { schema_version: SCHEMA_VERSION, time, system, members }));
    } else {
        let mut lines = vec![format!("{}: pid {}", escape(system), found.supervisor.pid)];
        draw(&nodes(&members), "", &mut lines);
        screen.print(&(lines.join("\n") + "\n"));
    }
    Ok(Exit::Done)
}

fn members<'a>(found: &'a Status, survey: Option<&Survey>) -> Group<'a> {
    let mut root = Group::default();
    for row in &found.workers {
        let path = row.group.split('/').filter(|name| !name.is_empty());
        let group = path.fold(&mut root, |group, name| group.groups.entry(name).or_default());
        group.workers.push(worker(row, survey));
    }
    root
}

fn worker<'a>(row: &'a Row, survey: Option<&Survey>) -> Worker<'a> {
    let told = |survey: &Survey| {
        survey.find(&row.name, row.instance, row.generation).map(|told| told.actors.clone())
    };
    Worker {
        name: &row.name,
        instance: row.instance,
        title: title(row),
        state: row.state.word(),
        pid: row.pid,
        detail: detail(row),
        actors: survey.map(told),
    }
}

fn nodes(group: &Group<'_>) -> Vec<Node> {
    let worker = |worker: &Worker<'_>| {
        let pid = worker.pid.map_or(String::new(), |pid| format!(", pid {pid}"));
        let below = worker.actors.iter().flatten().flat_map(actors::nodes).collect();
        Node { text: format!("{} {}{pid}: {}", worker.title, worker.state, worker.detail), below }
    };
    let group_in = |(name, inner): (&&str, &Group<'_>)| Node {
        text: format!("group {}", escape(name)),
        below: nodes(inner),
    };
    group.workers.iter().map(worker).chain(group.groups.iter().map(group_in)).collect()
}

fn draw(nodes: &[Node], indent: &str, lines: &mut Vec<String>) {
    for (number, node) in nodes.iter().enumerate() {
        let (branch, further) =
            if number + 1 == nodes.len() { ("└── ", "    ") } else { ("├── ", "│   ") };
        lines.push(format!("{indent}{branch}{}", node.text));
        draw(&node.below, &format!("{indent}{further}"), lines);
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
        draw(&nodes(&members(&found, None)), "", &mut lines);
        let expected = [
            "├── web ready, pid 2: at work",
            "└── group back",
            "    ├── cache ready, pid 4: at work",
            "    └── group store",
            "        └── db ready, pid 3: at work",
        ];
        assert_eq!(lines, expected);
    }

    fn survey() -> Survey {
        let text = r#"{ "schema_version": 1, "time": "", "workers": [
            { "worker": "web", "instance": 1, "generation": 1, "silent_because": null, "cpu_s": 1.0, "actors_total": 4,
              "types": [
                { "type": "Front", "actors": 3, "spawned": 5, "stopped": 2, "restarts": 1, "failures": 2, "handled": 107,
                  "waiting": 9, "waiting_max": 7 },
                { "type": "Clerk", "actors": 1, "spawned": 1, "handled": 3, "waiting": 0 }],
              "actors": [
                { "actor": "front", "type": "Front", "generation": 2, "waiting": 7, "waiting_bytes": 70, "capacity": 7 },
                { "actor": "front/x", "type": "Front", "generation": 1, "waiting": 2, "waiting_bytes": 9, "capacity": null },
                { "actor": "book", "type": "Clerk", "generation": 1, "waiting": 0 }],
              "dead_letters": [{ "reason": "mailbox_full", "messages": 3 }] },
            { "worker": "cache", "instance": 1, "generation": 1, "silent_because": "no answer\u001b[2J" },
            { "worker": "db", "instance": 1, "generation": 7 }] }"#;
        serde_json::from_str(text).expect("it is what the admin worker tells")
    }

    fn found() -> Status {
        let row = |name: &str, group: &str| Row {
            name: name.into(),
            instance: 1,
            generation: 1,
            state: State::Ready,
            group: group.into(),
            ..Row::default()
        };
        Status { workers: vec![row("web", ""), row("db", ""), row("cache", "back")], ..Status::default() }
    }

    #[test]
    fn actors_stand_below_their_worker_by_type_with_the_fullest_mailboxes() {
        let (found, survey) = (found(), survey());
        let mut lines = Vec::new();
        draw(&nodes(&members(&found, Some(&survey))), "", &mut lines);
        let expected = [
            "├── web ready: at work",
            "│   ├── Front: actors 3, handled 107, waiting 9, failures 2, restarts 1",
            "│   │   ├── front#2: waiting 7 of 7, 70 bytes",
            "│   │   └── front/x: waiting 2, 9 bytes",
            "│   ├── Clerk: actors 1, handled 3, waiting 0",
            "│   └── dead letters: 3 mailbox_full",
            // What it said in another life is of no interest.
            "├── db ready: at work",
            "└── group back",
            "    └── cache ready: at work",
            "        └── does not say how its actors are: no answer\\u{1b}[2J",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn the_document_has_the_actors_of_who_says_how_they_are() {
        let (found, survey) = (found(), survey());
        let told = serde_json::to_value(members(&found, Some(&survey))).expect("it is plain");
        assert_eq!(told["workers"][1]["actors"], serde_json::Value::Null);
        let web = &told["workers"][0]["actors"];
        let of_type = serde_json::json!({
            "type": "Clerk", "actors": 1, "spawned": 1, "stopped": 0, "restarts": 0, "failures": 0, "handled": 3,
            "waiting": 0, "waiting_max": 0,
        });
        assert_eq!((&web["types"][1], &web["actors_total"]), (&of_type, &4.into()));
        let actor = serde_json::json!({
            "actor": "front", "type": "Front", "generation": 2, "waiting": 7, "waiting_bytes": 70, "capacity": 7,
            "handled": 0,
        });
        assert_eq!((&web["actors"][0], &web["silent_because"]), (&actor, &serde_json::Value::Null));
        assert_eq!(told["groups"]["back"]["workers"][0]["actors"]["silent_because"], "no answer\u{1b}[2J");
        let without = serde_json::to_value(members(&found, None)).expect("it is plain");
        assert!(without["workers"][0].get("actors").is_none(), "{without}");
    }
}
