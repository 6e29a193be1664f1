//! `privileged`: what runs with privilege in a system: its actors, who may call them, and how much code that is.
//!
//! Methods are what each executable says of itself when it is run sealed to be asked. Code is counted in the executable:
//! the lines of source for which it holds instructions. That is what can be reached at all, whoever wrote it; what the
//! linker left out is not in it, and an executable without line tables is said to be unknown, not small.

mod lines;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bailiwick_supervisor::check::{Described, describe, escape};
use bailiwick_supervisor::sandbox::Machine;
use bailiwick_supervisor::spec::{Actor, Exec, System, Worker};
use serde::Serialize;

use crate::arguments::Privileged;
use crate::declared;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::json::{self, SCHEMA_VERSION};
use crate::run;
use crate::screen::Screen;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    system: &'a str,
    supervisor: Supervisor,
    workers: Vec<Holder>,
}

/// The process above all workers, which holds what its starter held.
#[derive(Serialize)]
struct Supervisor {
    uid: u32,
    code: Code,
}

/// A worker that holds a privilege.
#[derive(Serialize)]
struct Holder {
    worker: String,
    /// In which way.
    holds: Vec<String>,
    actors: Vec<Served>,
    code: Code,
}

#[derive(Serialize)]
struct Served {
    actor: String,
    #[serde(rename = "type")]
    type_name: String,
    /// What its protocols have; null where the executable was not asked, or could not be.
    methods: Option<Vec<String>>,
    callers: Vec<Caller>,
}

#[derive(Serialize)]
struct Caller {
    worker: String,
    holds_privilege: bool,
    /// Null for every method.
    methods: Option<Vec<String>>,
}

/// The code of an executable.
#[derive(Serialize)]
struct Code {
    executable: PathBuf,
    /// Lines of source with instructions, by crate; null where the executable does not tell.
    lines: Option<BTreeMap<String, usize>>,
    /// Why not.
    unknown: Option<String>,
}

pub(crate) fn privileged(asked: &Privileged, screen: &Screen) -> Result<Exit, Failure> {
    let system = declared::load(&asked.manifest)?;
    let holders = system.workers.iter().filter(|worker| worker.holds_privilege());
    let mut codes = BTreeMap::new();
    let holders: Vec<Holder> =
        holders.map(|worker| Holder::of(&system, worker, asked.do_not_run, &mut codes)).collect();
    let program = run::program();
    let supervisor = Supervisor { uid: Machine::probe().uid, code: Code::of(&program) };
    if asked.json {
        let document =
            Document { schema_version: SCHEMA_VERSION, system: &system.name, supervisor, workers: holders };
        screen.print(&json::document(&document));
    } else {
        screen.print(&text(&supervisor, &holders));
    }
    Ok(Exit::Done)
}

impl Holder {
    fn of(
        system: &System,
        worker: &Worker,
        do_not_run: bool,
        codes: &mut BTreeMap<PathBuf, Option<BTreeMap<String, usize>>>,
    ) -> Self {
        let told = (!do_not_run && worker.command.is_none()).then(|| describe(worker).ok()).flatten();
        let path = match &worker.exec {
            Exec::Path(path) => path.clone(),
            Exec::Own => run::program(),
        };
        let mut code = Code { executable: path.clone(), lines: None, unknown: None };
        match codes.get(&path) {
            Some(Some(lines)) => code.lines = Some(lines.clone()),
            _ => {
                code = Code::of(&path);
                codes.insert(path, code.lines.clone());
            }
        }
        let served = |actor| Served::of(system, worker, actor, told.as_ref());
        Self {
            worker: worker.name.clone(),
            holds: holds(worker),
            actors: worker.actors.iter().map(served).collect(),
            code,
        }
    }
}

/// Returns by what a worker holds a privilege.
fn holds(worker: &Worker) -> Vec<String> {
    let declared = worker.privileged.then(|| "declared as privileged".to_owned());
    let unconfined = (explain::preset(worker.sandbox.preset) == "none").then(|| "no sandbox".to_owned());
    let kinds = explain::authority(&worker.sandbox).into_iter();
    declared.into_iter().chain(unconfined).chain(kinds).collect()
}

impl Served {
    fn of(system: &System, worker: &Worker, actor: &Actor, told: Option<&Described>) -> Self {
        let leads_here = |grant: &&bailiwick_supervisor::spec::Grant| {
            grant.to_worker == worker.name && grant.to_actor.as_ref().is_none_or(|to| *to == actor.name)
        };
        let callers = system.grants.iter().filter(leads_here).map(|grant| Caller {
            worker: grant.from.clone(),
            holds_privilege: system.workers.iter().any(|one| one.name == grant.from && one.holds_privilege()),
            methods: grant.methods.clone(),
        });
        Self {
            actor: actor.name.clone(),
            type_name: actor.type_name.clone(),
            methods: told.and_then(|told| told.types.get(&actor.type_name)).cloned(),
            callers: callers.collect(),
        }
    }
}

impl Code {
    fn of(executable: &Path) -> Self {
        let (lines, unknown) = match lines::by_crate(executable) {
            Ok(lines) => (Some(lines), None),
            Err(why) => (None, Some(why)),
        };
        Self { executable: executable.to_owned(), lines, unknown }
    }

    fn sentence(&self) -> String {
        let path = self.executable.display();
        let Some(lines) = &self.lines else {
            return format!("{path}: how much is not known: {}", self.unknown.as_deref().unwrap_or_default());
        };
        let all: usize = lines.values().sum();
        let mut most: Vec<(&String, &usize)> = lines.iter().collect();
        most.sort_by_key(|(name, lines)| (std::cmp::Reverse(**lines), *name));
        let most: Vec<String> =
            most.iter().take(MOST).map(|(name, lines)| format!("{name} {lines}")).collect();
        format!("{path}: {all} lines of {} crates; most of them in {}", lines.len(), most.join(", "))
    }
}

fn text(supervisor: &Supervisor, holders: &[Holder]) -> String {
    let who = if supervisor.uid == 0 { "root" } else { "the user who starts it" };
    let mut text = format!("the supervisor, as {who}\n  code       {}\n", supervisor.code.sentence());
    if holders.is_empty() {
        text.push_str("\nno worker holds a privilege\n");
    }
    for holder in holders {
        text.push_str(&format!("\n{}\n  by         {}\n", holder.worker, holder.holds.join("; ")));
        for actor in &holder.actors {
            // What an executable says of itself is foreign text.
            let methods = actor.methods.as_ref().map_or_else(
                || "its methods are not known".to_owned(),
                |methods| methods.iter().map(|method| escape(method)).collect::<Vec<_>>().join(", "),
            );
            text.push_str(&format!("  actor      {} ({}): {methods}\n", actor.actor, actor.type_name));
            for caller in &actor.callers {
                let mark = if caller.holds_privilege { "" } else { ", which holds no privilege" };
                let methods =
                    caller.methods.as_ref().map_or_else(|| "every method".into(), |list| list.join(", "));
                text.push_str(&format!("  called by  {}{mark}: {methods}\n", caller.worker));
            }
        }
        text.push_str(&format!("  code       {}\n", holder.code.sentence()));
    }
    text
}

/// How many crates are told to a person.
const MOST: usize = 6;
