//! `explain`: everything that one worker will be and may do, as its manifest and this machine have it. Nothing is started.

mod calls;
mod identity;
mod limits;
mod paths;
mod words;

use bailiwick_supervisor::check::{self, Place};
use bailiwick_supervisor::sandbox::Machine;
use bailiwick_supervisor::spec::{Exec, May, Preset, System, Worker};
use serde::Serialize;

use crate::arguments::Explain;
use crate::declared;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::json::{self, SCHEMA_VERSION};
use crate::screen::Screen;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    system: &'a str,
    workers: Vec<Profile>,
}

/// All that is to be told of one worker.
#[derive(Serialize)]
struct Profile {
    worker: String,
    processes: u16,
    executes: String,
    foreign: bool,
    privileged: bool,
    preset: &'static str,
    identity: identity::Identity,
    /// The namespaces that it shares with the supervisor, and those that are its own.
    namespaces: Namespaces,
    paths: Vec<paths::Path>,
    tcp: Tcp,
    limits: Vec<limits::Limit>,
    system_calls: calls::Calls,
    /// The names of its environment; every other variable is absent.
    environment: Vec<String>,
    descriptors: Vec<String>,
    /// What it may ask of the supervisor beyond its own affairs.
    may: Vec<&'static str>,
    calls: Vec<Edge>,
    called_by: Vec<Edge>,
    /// What of this the machine on which it was asked cannot keep.
    missing_here: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct Namespaces {
    pub(crate) own: Vec<&'static str>,
    pub(crate) shared: Vec<&'static str>,
}

#[derive(Serialize)]
struct Tcp {
    bind: Vec<u16>,
    connect: Vec<u16>,
    /// Whether Landlock bounds ports at all: without a sandbox, and before its interface 4, it does not.
    bounded: bool,
}

/// One grant, seen from one of its ends.
#[derive(Serialize)]
struct Edge {
    /// The worker at the other end.
    worker: String,
    /// The actor that is called; null for every one that is declared.
    actor: Option<String>,
    /// Null for every method of the protocol.
    methods: Option<Vec<String>>,
    terms: Vec<String>,
}

pub(crate) fn explain(asked: &Explain, screen: &Screen) -> Result<Exit, Failure> {
    let mut system = declared::load(&asked.manifest)?;
    // What is missing is to be told, not to be refused.
    system.allow_degraded = true;
    let machine = Machine::probe();
    let meant = declared::meant(&system, asked.worker.as_deref())?;
    let workers = meant.into_iter().map(|worker| Profile::of(&system, worker, &machine));
    if asked.json {
        let workers = workers.collect();
        let document = Document { schema_version: SCHEMA_VERSION, system: &system.name, workers };
        screen.print(&json::document(&document));
        return Ok(Exit::Done);
    }
    for (index, profile) in workers.enumerate() {
        screen.print(&format!(
            "{}{}",
            if index > 0 { "\n" } else { "" },
            words::text(&profile, asked.system_calls)
        ));
    }
    Ok(Exit::Done)
}

impl Profile {
    fn of(system: &System, worker: &Worker, machine: &Machine) -> Self {
        let sandbox = &worker.sandbox;
        let is_bounded = sandbox.preset != Preset::None && machine.landlock_abi >= PORTS_ABI;
        let (outward, inward) = edges(system, worker);
        Self {
            worker: worker.name.clone(),
            processes: worker.places(),
            executes: match &worker.exec {
                Exec::Path(path) => path.display().to_string(),
                Exec::Own => "the supervisor's own program".to_owned(),
            },
            foreign: worker.command.is_some(),
            privileged: worker.privileged,
            preset: explain::preset(sandbox.preset),
            identity: identity::of(worker, machine),
            namespaces: namespaces(worker, machine),
            paths: paths::of(worker),
            tcp: Tcp {
                bind: sandbox.tcp_bind.clone(),
                connect: sandbox.tcp_connect.clone(),
                bounded: is_bounded,
            },
            limits: limits::of(worker, machine),
            system_calls: calls::of(worker),
            environment: environment(worker),
            descriptors: descriptors(worker),
            may: worker
                .may
                .iter()
                .map(|may| {
                    if *may == May::Status { "see the process tree" } else { "more than this version knows" }
                })
                .collect(),
            calls: outward,
            called_by: inward,
            missing_here: missing(system, worker),
        }
    }
}

/// Returns what a worker may send, and what may be sent to it.
fn edges(system: &System, worker: &Worker) -> (Vec<Edge>, Vec<Edge>) {
    let mut edges = (Vec::new(), Vec::new());
    for grant in &system.grants {
        let edge = |other: &str| Edge {
            worker: other.to_owned(),
            actor: grant.to_actor.clone(),
            methods: grant.methods.clone(),
            terms: explain::terms(grant),
        };
        if grant.from == worker.name {
            edges.0.push(edge(&grant.to_worker));
        }
        if grant.to_worker == worker.name {
            edges.1.push(edge(&grant.from));
        }
    }
    edges
}

/// Returns which namespaces a worker has to itself or shares with other workers alone, and which with the supervisor.
pub(crate) fn namespaces(worker: &Worker, machine: &Machine) -> Namespaces {
    let (sandbox, commons) = (&worker.sandbox, &machine.commons);
    // What the machine cannot give is told among what it lacks.
    let nested = machine.namespaces_of(worker).ok().filter(|_| machine.nests.is_ok());
    let all = [
        ("mount", sandbox.has_private_mounts() && machine.views.is_ok()),
        ("network", sandbox.has_private_network() && commons.network.is_some()),
        ("ipc", sandbox.has_private_ipc() && commons.ipc.is_some()),
        ("uts", sandbox.has_protected_hostname() && commons.hostname.is_some()),
        ("pid", nested.as_ref().is_some_and(|nested| nested.pids)),
        ("user", nested.as_ref().is_some_and(|nested| nested.users)),
        ("cgroup", false),
        ("time", false),
    ];
    let of = |own: bool| all.iter().filter(|(_, is_own)| *is_own == own).map(|(name, _)| *name).collect();
    Namespaces { own: of(true), shared: of(false) }
}

/// Returns the names of everything in the environment that is built for a worker.
fn environment(worker: &Worker) -> Vec<String> {
    let variables = worker.variables(false).into_iter();
    let name = |variable: Vec<u8>| {
        let text = String::from_utf8_lossy(&variable).into_owned();
        text.split('=').next().unwrap_or_default().to_owned()
    };
    let mut names: Vec<String> = variables.map(name).collect();
    if worker.command.is_some() && !worker.kept.is_empty() {
        names.extend(["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"].map(str::to_owned));
    }
    if worker.notifies() {
        names.push("NOTIFY_SOCKET".to_owned());
    }
    names
}

/// Returns what a worker holds open when its code begins.
fn descriptors(worker: &Worker) -> Vec<String> {
    let mut all = vec![
        "0: /dev/null".to_owned(),
        "1, 2: a pipe to the supervisor, which keeps what it prints".to_owned(),
    ];
    if worker.command.is_some() {
        all.extend(
            worker
                .kept
                .iter()
                .zip(3..)
                .map(|(name, number)| format!("{number}: what is kept as {name}, if anything is")),
        );
        return all;
    }
    all.push("3: the line to the supervisor, on which links come".to_owned());
    all.extend(worker.kept.iter().map(|name| format!("what is kept as {name}, if anything is")));
    let granted = worker.sandbox.to_read().chain(worker.sandbox.to_write());
    all.extend(granted.map(|(_, path)| format!("{}, as a place to open things below", path.display())));
    all
}

/// Returns what this machine does not have of what a worker asks for.
fn missing(system: &System, worker: &Worker) -> Vec<String> {
    let own = format!("worker.{}.", worker.name);
    let is_own = |place: &Place| match place {
        Place::Key(key) | Place::Written(key) => key.starts_with(&own),
        Place::Span(_) => false,
    };
    let found = check::machine(system).into_iter();
    let of_worker = found.filter(|one| one.labels.first().is_some_and(|label| is_own(&label.place)));
    let told = of_worker.map(|one| match one.labels.first() {
        Some(label) => format!("{} ({})", one.title, label.text),
        None => one.title,
    });
    told.collect()
}

/// The version of Landlock's interface that knows TCP ports.
const PORTS_ABI: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_its_own_where_the_sandbox_has_it_and_the_machine_can() {
        let machine = Machine::probe();
        let mut worker = Worker::new("web", Exec::Own);
        worker.sandbox.preset = Preset::Exec;
        let own = |worker: &Worker, machine: &Machine| namespaces(worker, machine).own;
        let here = own(&worker, &machine);
        assert_eq!(here.contains(&"mount"), machine.views.is_ok());
        assert_eq!(here.contains(&"pid"), machine.nests.is_ok());
        let poor = machine.clone().without_namespaces().without_nests();
        assert_eq!(own(&worker, &poor), [""; 0]);
        worker.sandbox.private_mounts = Some(false);
        assert!(!own(&worker, &machine).contains(&"mount"));
        assert_eq!(namespaces(&worker, &machine).shared.len() + own(&worker, &machine).len(), 8);
    }
}
