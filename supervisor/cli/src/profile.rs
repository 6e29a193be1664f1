//! `explain`: everything that one worker will be and may do, as its manifest and this machine have it. Nothing is started.

mod calls;
mod identity;
mod limits;
mod paths;
mod terms;
#[cfg(test)]
mod tests;
mod words;

use bailiwick_supervisor::check::{self, Place, floor};
use bailiwick_supervisor::sandbox::Machine;
use bailiwick_supervisor::spec::{Exec, Preset, System, Worker};
use bailiwick_sys::user_namespace;
use serde::Serialize;

use crate::arguments::Explain;
use crate::declared;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::json::{self, SCHEMA_VERSION};
use crate::screen::Screen;
use crate::subject::{self, Source};

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    system: &'a str,
    #[serde(flatten)]
    source: Source,
    supervisor: terms::Supervisor,
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
    /// Whether it may bind UDP ports, of which none is told from another.
    udp_bind: bool,
    limits: Vec<limits::Limit>,
    system_calls: calls::Calls,
    /// What its manifest says that narrows or widens its system calls and what is akin to them.
    confinement: Vec<terms::Term>,
    /// The names of its environment; every other variable is absent.
    environment: Vec<String>,
    /// What of it the manifest says: values, and which ones it is passed.
    variables: Vec<String>,
    /// Secrets that it is handed in memory, and the files that they come from.
    credentials: Vec<String>,
    descriptors: Vec<String>,
    /// What it may ask of the supervisor beyond its own affairs.
    may: Vec<&'static str>,
    calls: Vec<Edge>,
    called_by: Vec<Edge>,
    /// When it starts, goes on and ends.
    terms: Vec<terms::Term>,
    actors: Vec<terms::Hosted>,
    /// The groups around it, its own first.
    groups: Vec<terms::Around>,
    /// What of this the machine on which it was asked cannot keep.
    missing_here: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct Namespaces {
    pub(crate) own: Vec<&'static str>,
    pub(crate) shared: Vec<&'static str>,
    /// Those without which it does not start.
    pub(crate) required: Vec<&'static str>,
    /// Those that its manifest gives up.
    pub(crate) given_up: Vec<&'static str>,
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
    let subject = subject::find(&asked.subject, screen)?;
    let (system, source) = subject.load(declared::load_as_written, screen)?;
    let machine = Machine::probe().with_worker_uids(system.worker_uids.clone());
    let meant = declared::meant(&system, subject.worker.as_deref())?;
    screen.print(&match (asked.json, &subject.worker) {
        (true, _) => document(&system, source, &meant, &machine),
        (false, Some(_)) => pages(&system, &meant, &machine, asked.system_calls),
        (false, None) => everything(&system, &meant, &machine, asked.system_calls),
    });
    Ok(Exit::Done)
}

/// Returns what holds for all workers, and then the page of each.
fn everything(system: &System, workers: &[&Worker], machine: &Machine, all_calls: bool) -> String {
    let supervisor = words::supervisor(&system.name, &terms::supervisor(system));
    format!("{supervisor}\n{}", pages(system, workers, machine, all_calls))
}

fn document(system: &System, source: Source, workers: &[&Worker], machine: &Machine) -> String {
    json::document(&Document {
        schema_version: SCHEMA_VERSION,
        system: &system.name,
        source,
        supervisor: terms::supervisor(system),
        workers: workers.iter().map(|worker| Profile::of(system, worker, machine)).collect(),
    })
}

fn pages(system: &System, workers: &[&Worker], machine: &Machine, all_calls: bool) -> String {
    let page = |worker: &&Worker| words::text(&Profile::of(system, worker, machine), all_calls);
    workers.iter().map(page).collect::<Vec<_>>().join("\n")
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
            udp_bind: sandbox.udp_bind,
            limits: limits::of(worker, machine),
            system_calls: calls::of(worker, machine),
            confinement: terms::of_sandbox(sandbox),
            environment: environment(worker),
            variables: variables(worker),
            credentials: worker
                .credentials
                .iter()
                .map(|(name, path)| format!("{name}, from {}", path.display()))
                .collect(),
            descriptors: descriptors(system, worker),
            may: worker.may.iter().map(|may| may.words()).collect(),
            calls: outward,
            called_by: inward,
            terms: terms::of_worker(worker),
            actors: terms::hosted(worker),
            groups: terms::around(system, worker),
            missing_here: missing(system, worker, machine),
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
    let asked = [
        ("mount", if sandbox.requires_view() { Some(true) } else { sandbox.private_mounts }),
        ("network", sandbox.private_network),
        ("ipc", sandbox.private_ipc),
        ("uts", sandbox.protect_hostname),
        ("pid", sandbox.private_pids),
        ("user", sandbox.private_users),
    ];
    let said =
        |wanted| asked.iter().filter(|(_, said)| *said == Some(wanted)).map(|(name, _)| *name).collect();
    Namespaces { own: of(true), shared: of(false), required: said(true), given_up: said(false) }
}

/// Returns what the manifest says of a worker's environment.
fn variables(worker: &Worker) -> Vec<String> {
    let declared = worker.environment.iter().map(|(name, value)| format!("{name} = {value:?}"));
    let passed = worker.pass_environment.iter().map(|name| format!("{name}, as the supervisor has it"));
    declared.chain(passed).collect()
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
fn descriptors(system: &System, worker: &Worker) -> Vec<String> {
    let listener = |name: &String| system.listeners.iter().find(|listener| listener.name == *name);
    let kept = |name: &String| match listener(name).map(|listener| &listener.address) {
        Some(Some(address)) => format!("what is kept as {name}: a listener at {address}"),
        Some(None) => format!("what is kept as {name}: a listener that is passed to the supervisor"),
        None => format!("what is kept as {name}, if anything is"),
    };
    let mut all = vec![
        "0: /dev/null".to_owned(),
        "1, 2: a pipe to the supervisor, which keeps what it prints".to_owned(),
    ];
    if worker.command.is_some() {
        all.extend(worker.kept.iter().zip(3..).map(|(name, number)| format!("{number}: {}", kept(name))));
        return all;
    }
    all.push("3: the line to the supervisor, on which links come".to_owned());
    all.extend(worker.kept.iter().map(kept));
    let granted = worker.sandbox.to_read().chain(worker.sandbox.to_write());
    all.extend(granted.map(|(_, path)| format!("{}, as a place to open things below", path.display())));
    all
}

/// Returns what this machine does not have of what a worker asks for.
fn missing(system: &System, worker: &Worker, machine: &Machine) -> Vec<String> {
    // What is missing is to be told, not to be refused.
    let system = &System { allow_degraded: true, ..system.clone() };
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
    let extras = floor::extras_lacking(worker, machine).into_iter();
    let extras = extras.map(|pillar| format!("it could {} ({})", pillar.without, pillar.needs));
    let is_void = !worker.sandbox.capabilities.is_empty() && !user_namespace::has(&(0..=u32::MAX - 1));
    told.chain(extras).chain(is_void.then(|| VOID.to_owned())).collect()
}

/// What of a capability is lost where not every user of the machine exists, as everywhere but in its first user namespace.
const VOID: &str = "its capabilities are void against what belongs to the machine, such as ports below 1024 of its network (the \
                    supervisor is in a user namespace)";

/// The version of Landlock's interface that knows TCP ports.
const PORTS_ABI: u32 = 4;
