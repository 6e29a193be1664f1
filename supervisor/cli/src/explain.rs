//! What a manifest means, worker by worker, in sentences.

use std::path::{Path, PathBuf};

use bailiwick_supervisor::check::{Above, Blast, End, Why, blast, schedule};
use bailiwick_supervisor::spec::{
    Exec, Families, FdKind, Grant, KeyringMode, Kind, Limits, LinkKind, Narrow, OnExhausted, OnViolation,
    Once, Preset, Profile, RestartType, Sandbox, Scoped, Start, System, TrustDomain, Worker,
};

use bailiwick_admin::words::short;

/// Returns one line on the whole system.
pub(crate) fn summary(system: &System) -> String {
    let processes: u32 = system.workers.iter().map(|worker| u32::from(worker.instances)).sum();
    format!(
        "{}: {}, {}, {}\n",
        system.name,
        counted(system.workers.len(), "worker"),
        counted(processes as usize, "process"),
        counted(system.grants.len(), "grant"),
    )
}

/// Returns what an attacker who took over a worker could reach, and what its crashes stop.
pub(crate) fn blast_radius(system: &System, worker: &Worker) -> String {
    let mut parts = Vec::new();
    if worker.privileged {
        parts.push("is privileged".to_owned());
    }
    let sandbox = &worker.sandbox;
    match sandbox.preset {
        Preset::None => parts.push("has NO sandbox".to_owned()),
        Preset::Exec if worker.command.is_some() => parts.push("is a foreign program".to_owned()),
        Preset::Exec => parts.push("may execute programs".to_owned()),
        Preset::Sealed | Preset::NetClient | Preset::NetServer | Preset::FsRo => {}
    }
    parts.extend(authority(sandbox));
    if !worker.credentials.is_empty() {
        let names: Vec<&str> = worker.credentials.keys().map(String::as_str).collect();
        parts.push(format!("holds the credentials {}", names.join(", ")));
    }
    if !worker.pass_environment.is_empty() {
        parts.push(format!("is passed the variables {}", worker.pass_environment.join(", ")));
    }
    let sharers = system.sharers(worker);
    if !sharers.is_empty() {
        parts.push(format!("shares memory with {}", sharers.join(", ")));
    }
    if is_only_told(system, worker) {
        parts.push("is NOT killed when it breaks the rules of a link".to_owned());
    }
    let calls = calls(system, worker);
    if !calls.is_empty() {
        parts.push(format!("may call {}", calls.join(", ")));
    }
    if parts.is_empty() {
        parts.push("may call nobody and touch nothing".to_owned());
    }
    let blast = blast(system).into_iter().find(|blast| blast.worker == worker.name);
    let stops = blast.map_or(String::new(), |blast| format!("; {}", stops(&blast)));
    format!("  {}: {}{stops}\n", worker.name, parts.join("; "))
}

/// Tells whether a worker goes on after it has broken the rules of a link.
pub(crate) fn is_only_told(system: &System, worker: &Worker) -> bool {
    system.profile == Profile::Dev && worker.on_violation == OnViolation::Log
}

/// Returns whom the ends of a worker stop, and when.
fn stops(blast: &Blast) -> String {
    let mut parts: Vec<String> = Vec::new();
    match &blast.everything {
        Some(Why::Essential { worker }) if *worker == blast.worker => {
            parts.push("when it is given up, EVERYTHING stops".into());
        }
        Some(Why::Essential { worker }) => {
            parts.push(format!("when it is given up, so is {worker}, and EVERYTHING stops"));
        }
        Some(Why::Finishes { .. }) => parts.push("when it is done, EVERYTHING stops".into()),
        Some(_) => parts.push("its crashes may stop EVERYTHING".into()),
        None => {}
    }
    for (other, why) in &blast.stops {
        let text = match why {
            Why::Together { .. } => "each of its crashes restarts",
            Why::Escalates { .. } => "its crashes may stop",
            Why::Finishes { .. } => "its end stops",
            _ => continue,
        };
        match parts.last_mut().filter(|last| last.starts_with(text)) {
            Some(last) => last.push_str(&format!(", {other}")),
            None => parts.push(format!("{text} {other}")),
        }
    }
    if !blast.holds_up.is_empty() {
        parts.push(format!("without it {} cannot start", blast.holds_up.join(", ")));
    }
    if parts.is_empty() { "its crashes stop only itself".to_owned() } else { parts.join("; ") }
}

/// Returns what a sandbox grants beyond computing, kind by kind.
pub(crate) fn authority(sandbox: &Sandbox) -> Vec<String> {
    let granted = granted(sandbox, Path::new("")).into_iter();
    granted.map(|(verb, list)| format!("{verb} {}", list.join(", "))).collect()
}

/// Returns what a sandbox grants beyond computing, one thing at a time; paths below `base` as they are from there, so that
/// the same is said on every machine.
pub(crate) fn facts(sandbox: &Sandbox, base: &Path) -> Vec<String> {
    let granted = granted(sandbox, base).into_iter();
    granted.flat_map(|(verb, list)| list.into_iter().map(move |one| format!("{verb} {one}"))).collect()
}

/// Returns what a sandbox grants: each kind as a verb with what it is about.
fn granted(sandbox: &Sandbox, base: &Path) -> Vec<(&'static str, Vec<String>)> {
    let shown = |path: &PathBuf| match path.strip_prefix(base) {
        Ok(rest) if rest.as_os_str().is_empty() => ".".to_owned(),
        Ok(rest) => rest.display().to_string(),
        Err(_) => path.display().to_string(),
    };
    let paths = |list: &[PathBuf]| list.iter().map(shown).collect::<Vec<_>>();
    let named = |(path, at): (&PathBuf, &PathBuf)| match path == at {
        true => shown(path),
        false => format!("{} as {}", shown(path), at.display()),
    };
    let let_out = Scoped::ALL.iter().filter(|one| !sandbox.scoped().contains(one)).map(|one| match one {
        Scoped::Signals => "processes of others, by signals".to_owned(),
        Scoped::AbstractSockets => "abstract sockets of others".to_owned(),
    });
    let root = sandbox.view.root_directory.iter().map(|path| format!("{} as /", shown(path)));
    let ports = |list: &[u16]| list.iter().map(u16::to_string).collect::<Vec<_>>();
    let all = [
        ("runs as", sandbox.user.iter().cloned().collect()),
        ("is in the group", sandbox.group.iter().cloned().collect()),
        ("is also in", sandbox.supplementary_groups.clone()),
        ("finds", keys(sandbox)),
        ("holds", sandbox.capabilities.clone()),
        ("may read", sandbox.to_read().map(named).chain(root).collect()),
        ("may write", sandbox.to_write().map(named).collect()),
        (
            "may use",
            (sandbox.view.private_devices == Some(false))
                .then(|| "devices among these".into())
                .into_iter()
                .collect(),
        ),
        ("may execute", paths(&sandbox.exec_paths)),
        ("may not execute", paths(&sandbox.no_exec_paths)),
        ("is kept from", kept_from(sandbox)),
        ("sees nothing of", paths(&sandbox.inaccessible_paths)),
        ("has of its own", sandbox.temporaries().map(|folder| folder.at.display().to_string()).collect()),
        ("is not kept from", let_out.collect()),
        ("may bind TCP", ports(&sandbox.tcp_bind)),
        ("may connect to TCP", ports(&sandbox.tcp_connect)),
        ("may bind UDP", sandbox.udp_bind.then(|| "any port".to_owned()).into_iter().collect()),
        ("has its system calls changed by", sandbox.calls.filter.clone()),
        ("makes sockets of", families(sandbox)),
        ("may make namespaces of", namespaces(sandbox)),
        ("shares with the supervisor", given_up(sandbox)),
        ("may", habits(sandbox)),
    ];
    all.into_iter().filter(|(_, list)| !list.is_empty()).collect()
}

/// Returns what is taken away from below the paths that it is granted.
fn kept_from(sandbox: &Sandbox) -> Vec<String> {
    let narrow = |(path, how): (&Path, Narrow)| match how {
        Narrow::ReadOnly => format!("writing {}", path.display()),
        Narrow::Hidden => format!("seeing {}", path.display()),
    };
    sandbox.view.narrowed().map(narrow).collect()
}

fn keys(sandbox: &Sandbox) -> Vec<String> {
    let inherits = sandbox.keyring_mode == Some(KeyringMode::Inherit);
    inherits.then(|| "the keys of whoever started the supervisor".to_owned()).into_iter().collect()
}

fn families(sandbox: &Sandbox) -> Vec<String> {
    match &sandbox.calls.families {
        None => Vec::new(),
        Some(Families::Only(names)) if names.is_empty() => vec!["no family".to_owned()],
        Some(Families::Only(names)) => names.clone(),
        Some(Families::Except(names)) => names.iter().map(|name| format!("all but {name}")).collect(),
    }
}

fn namespaces(sandbox: &Sandbox) -> Vec<String> {
    let kinds = sandbox.calls.namespaces.iter().flatten();
    kinds.map(|kind| format!("{kind:?}").to_lowercase()).collect()
}

/// Returns what a sandbox would hide, and does not because its keys say so.
fn given_up(sandbox: &Sandbox) -> Vec<String> {
    let all = [
        ("the view of files", sandbox.private_mounts),
        ("the network", sandbox.private_network),
        ("shared memory and queues", sandbox.private_ipc),
        ("the name of the host", sandbox.protect_hostname),
        ("processes", sandbox.private_pids),
        ("users", sandbox.private_users),
    ];
    all.iter().filter(|(_, said)| *said == Some(false)).map(|(what, _)| (*what).to_owned()).collect()
}

/// Returns what a sandbox does of itself where its keys do not say otherwise.
fn habits(sandbox: &Sandbox) -> Vec<String> {
    let calls = &sandbox.calls;
    let all = [
        ("be looked into by its user", sandbox.dumpable == Some(true)),
        ("leave a core", sandbox.limit_core > 0),
        ("gain privileges by what it executes", sandbox.no_new_privileges == Some(false)),
        ("make code at run time", calls.memory_deny_write_execute == Some(false)),
        ("make memory files that can be executed", calls.memfd_no_exec == Some(false)),
        ("ask for real time", calls.restrict_realtime == Some(false)),
        ("make files that change who runs them", calls.restrict_suid_sgid == Some(false)),
        ("turn old protections off", calls.lock_personality == Some(false)),
        ("make files that others read or write", sandbox.umask.is_some_and(|mask| !mask & 0o077 != 0)),
    ];
    all.iter().filter(|(_, may)| *may).map(|(what, _)| (*what).to_owned()).collect()
}

/// Returns whom a worker may call, each with the methods where not all are granted.
pub(crate) fn calls(system: &System, worker: &Worker) -> Vec<String> {
    let own = system.grants.iter().filter(|grant| grant.from == worker.name);
    own.map(|grant| match &grant.methods {
        Some(_) => format!("{} ({})", callee(grant), methods(grant)),
        None => callee(grant),
    })
    .collect()
}

/// Returns whom a grant leads to: a worker, and one of its actors unless it is all of them.
pub(crate) fn callee(grant: &Grant) -> String {
    let actor = grant.to_actor.as_ref().map(|actor| format!("/{actor}"));
    format!("{}{}", grant.to_worker, actor.unwrap_or_default())
}

/// Returns which methods a grant is for.
pub(crate) fn methods(grant: &Grant) -> String {
    grant.methods.as_ref().map_or_else(|| "every method".to_owned(), |methods| methods.join(", "))
}

/// Returns under which terms a grant stands, beyond those that hold for all.
pub(crate) fn terms(grant: &Grant) -> Vec<String> {
    let kinds = |kinds: &[FdKind]| match kinds {
        [] => "no descriptor".to_owned(),
        some => some.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", "),
    };
    let mut terms = Vec::new();
    terms.extend(grant.fds_send.as_deref().map(|list| format!("sends {}", kinds(list))));
    terms.extend(grant.fds_receive.as_deref().map(|list| format!("gets back {}", kinds(list))));
    let is_usual = grant.max_inflight == Grant::MAX_INFLIGHT;
    terms.extend((!is_usual).then(|| format!("at most {} asks open", grant.max_inflight)));
    terms.extend(
        grant.rate.map(|rate| {
            format!("at most {} in {:?}", counted(rate.messages as usize, "message"), rate.period)
        }),
    );
    terms.extend(match grant.once {
        Once::No => None,
        Once::PerLife => Some("each method once in a life of its sender".to_owned()),
        Once::Ever => Some("each method once".to_owned()),
    });
    terms
}

/// Returns the word that manifests have for a preset.
pub(crate) fn preset(preset: Preset) -> &'static str {
    match preset {
        Preset::Sealed => "sealed",
        Preset::NetClient => "net-client",
        Preset::NetServer => "net-server",
        Preset::FsRo => "fs-ro",
        Preset::Exec => "exec",
        Preset::None => "none",
    }
}

/// Returns the rest that is to be known about a worker.
pub(crate) fn worker(system: &System, worker: &Worker) -> String {
    let mut out = String::new();
    let mut line = |text: String| out.push_str(&format!("      {text}\n"));
    if let Exec::Path(path) = &worker.exec {
        line(format!("executes {} in {}", path.display(), counted(worker.instances.into(), "process")));
    }
    if !worker.needs.is_empty() {
        line(format!("starts after {}; not at all if one of them is given up", worker.needs.join(", ")));
    }
    if worker.start == Start::OnDemand {
        let idle = Some(worker.idle_stop).filter(|idle| !idle.is_zero());
        let idle = idle.map(|idle| format!("; stops when nothing has come for {}", short(idle)));
        line(format!("starts when somebody sends to it{}", idle.unwrap_or_default()));
    }
    if worker.threads > 1 {
        line(format!("runs its actors on {} threads, each on one of them", worker.threads));
    }
    if worker.max_messages > 0 {
        let messages = counted(worker.max_messages as usize, "message");
        line(format!("a life takes {messages}, then a fresh process takes its place"));
    }
    if !worker.max_age.is_zero() {
        let age = short(worker.max_age);
        line(format!("a life lasts at most {age}, then a fresh process takes its place"));
    }
    if worker.has_spare() {
        line("has a spare: a second process of each instance, which waits to be the next life".into());
    }
    if let Some(domain) = &worker.trust_domain {
        line(trust_domain(domain));
    }
    for actor in &worker.actors {
        let mailbox = match actor.mailbox.capacity {
            0 => "no mailbox: whoever sends waits until a message is taken".to_owned(),
            u32::MAX => "a mailbox without bounds for its own worker".to_owned(),
            messages => format!("a mailbox of {messages} messages"),
        };
        line(format!("actor {}: {}, {mailbox}", actor.name, actor.type_name));
    }
    line(format!(
        "must be ready within {} of its start; has {} to drain and {} to stop before it is killed",
        short(worker.start_timeout),
        short(worker.drain_timeout),
        short(worker.stop_timeout)
    ));
    line(limits(&worker.sandbox));
    line(restarts(system, worker));
    out
}

/// Returns what it is to be in a trust domain.
fn trust_domain(domain: &TrustDomain) -> String {
    let looks = Some(domain.busy_poll).filter(|busy_poll| !busy_poll.is_zero());
    let looks =
        looks.map_or(String::new(), |time| format!(", looked into for {time:?} before its worker sleeps"));
    match domain.link {
        LinkKind::Ring => format!("in the trust domain {}: links within it share memory{looks}", domain.name),
        LinkKind::Socket => format!("in the trust domain {}: links within it are sockets", domain.name),
    }
}

/// Returns how much a worker may use, with what holds where nothing is declared.
fn limits(sandbox: &Sandbox) -> String {
    let limits = sandbox.limits();
    let size = |name: &str, bytes: Option<u64>| {
        bytes.filter(|bytes| *bytes != Limits::NONE).map(|bytes| format!("{name} {}", sized(bytes)))
    };
    let tasks = sandbox.tasks_max.or((sandbox.preset != Preset::None).then_some(Sandbox::TASKS));
    let seconds = limits.cpu_seconds.map(|seconds| format!("processor time {seconds}s"));
    let parts = [
        size("memory", sandbox.memory_max),
        tasks.map(|tasks| counted(tasks as usize, "task")),
        sandbox.files().map(|files| counted(files as usize, "descriptor")),
        size("files of", limits.file_size),
        size("address space", limits.address_space),
        size("stack", limits.stack),
        size("locked memory", limits.locked_memory),
        seconds,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let bounds = if parts.is_empty() {
        "has no limits of its own".into()
    } else {
        "has at most ".to_owned() + &parts.join(", ")
    };
    format!("{bounds}; makes files with umask {:04o}", sandbox.umask())
}

/// Returns a number of bytes as a manifest writes it.
fn sized(bytes: u64) -> String {
    let units = [(40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')];
    let unit = units.into_iter().find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    unit.map_or_else(|| bytes.to_string(), |(shift, letter)| format!("{}{letter}", bytes >> shift))
}

/// Returns when a worker is restarted that crashes as soon as it is started.
fn restarts(system: &System, worker: &Worker) -> String {
    let when = match (worker.restart, worker.kind) {
        (RestartType::Temporary, _) => return "is never restarted".into(),
        (RestartType::Transient, _) | (_, Kind::Oneshot | Kind::Main) => "after a failure",
        (RestartType::Permanent, Kind::Resident) => "after every end",
    };
    let schedule = schedule(system, worker);
    let pauses: Vec<String> = schedule.pauses.iter().map(|pause| short(*pause)).collect();
    let cap = short(worker.backoff.cap);
    let end = match schedule.end {
        End::Never => "is never restarted".to_owned(),
        End::CoolDown(Some(after)) => {
            format!("after {} cools down: a try every {cap}, and an alert; it never gives up", short(after))
        }
        End::CoolDown(None) | End::OutrunsWindow => {
            format!("never gives up: a try every {cap} at the longest")
        }
        End::Escalates(after) => format!("after {} stops its whole group", short(after)),
        End::EndsAll(after) => format!("gives up after {}, and everything stops", short(after)),
        End::GivenUp(after) => format!("gives up after {}", short(after)),
    };
    let above: String = schedule.above.iter().map(spent).collect();
    let pauses =
        if pauses.is_empty() { String::new() } else { format!(" with pauses of {};", pauses.join(", ")) };
    format!("is restarted {when}; crashing at once,{pauses} {end}{above}")
}

/// Returns what a group around it does when its budget is spent as well.
fn spent(above: &Above) -> String {
    let group =
        if above.group.is_empty() { "the root group".to_owned() } else { format!("group {}", above.group) };
    let then = match above.then {
        OnExhausted::CoolDown => "rests before each further try",
        OnExhausted::Fail => "gives it up",
        OnExhausted::Escalate if above.group.is_empty() => "stops everything",
        OnExhausted::Escalate => "stops as a whole",
    };
    format!("; after {} {group} {then}", short(above.after))
}

fn counted(count: usize, what: &str) -> String {
    let plural = if what.ends_with('s') { "es" } else { "s" };
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}{plural}") }
}
