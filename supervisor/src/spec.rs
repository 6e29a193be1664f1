//! What is to be supervised: plain data, made by the manifest or by `Program`, read by the supervisor.
//!
//! Nothing here acts. A `System` that came from either source has gone through `check`, so that the
//! supervisor itself need not know which keys exist or how they were written.

mod confinement;
mod file_view;
mod limits;
mod may;
mod terms;
mod told;
mod trust_domain;
mod unfit;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bailiwick_sys::events::Signal;

/// Everything that one supervisor runs.
#[derive(Clone, Debug, Default)]
pub struct System {
    /// A name for people; also the last component of the default state directory.
    pub name: String,
    /// Where the lock, the control socket and the state record live; `None` chooses the default.
    pub state_dir: Option<PathBuf>,
    /// The terms of the root group, to which workers and groups without a group belong. It has no name and no parent.
    pub root: Group,
    /// The other groups.
    pub groups: Vec<Group>,
    /// Workers in the order of the manifest, which is the order of start among equals.
    pub workers: Vec<Worker>,
    /// Who may send what to whom. No grant, no link.
    pub grants: Vec<Grant>,
    /// Listeners that are there before any worker, by name.
    pub listeners: Vec<Listener>,
    /// The worker whose last exit code is the supervisor's, should it give up.
    pub exit_code_from: Option<String>,
    /// The hard total for an ordered stop.
    pub shutdown_timeout: Duration,
    /// What it is for.
    pub profile: Profile,
    /// Start although a floor of the sandbox is missing on this machine.
    pub allow_degraded: bool,
    /// Users that are workers' own, one each; `None` are those that no distribution uses.
    pub worker_uids: Option<RangeInclusive<u32>>,
    /// The digest of the manifest as it was read; a `Program` has none, its executable says everything.
    pub manifest: Option<Digest>,
}

/// Workers that share a restart strategy and a restart budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group's name, unique among groups.
    pub name: String,
    /// The enclosing group; `None` is the root.
    pub parent: Option<String>,
    /// Whom a failure restarts.
    pub strategy: Strategy,
    /// Failures within `period` that are still answered by a restart.
    pub max_restarts: u32,
    /// The length of the sliding window.
    pub period: Duration,
    /// What happens when the budget is spent.
    pub on_exhausted: OnExhausted,
    /// When the group has done its work and stops.
    pub auto_shutdown: AutoShutdown,
    /// Whether its own end by `auto_shutdown` counts for that of the group around it.
    pub significant: bool,
}

/// One worker as declared; with `instances` above one, a template for several processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The worker's name, unique among workers.
    pub name: String,
    /// What is executed.
    pub exec: Exec,
    /// What it is besides if it is a foreign program; `None` for a worker of the runtime.
    pub command: Option<Command>,
    /// What its exit means.
    pub kind: Kind,
    /// How many processes run of it at first, 1 or more; of the template of a pool also none. Instances are numbered
    /// from 1.
    pub instances: u16,
    /// How many processes may run of it, if it is the template of a pool; `None` is as many as run at first.
    pub max_children: Option<u16>,
    /// The group it belongs to; `None` is the root group.
    pub group: Option<String>,
    /// Workers that must be ready (a oneshot: done) before this one starts.
    pub needs: Vec<String>,
    /// Workers that it waits for as long as they may still become ready, and starts without.
    pub wants: Vec<String>,
    /// Workers that start before it and stop after it, if they do.
    pub after: Vec<String>,
    /// Names in the descriptor store that are handed to it at start.
    pub kept: Vec<String>,
    /// When an exit is answered by a restart.
    pub restart: RestartType,
    /// When it starts.
    pub start: Start,
    /// How long it stays without anything to do for others, if it starts on demand; zero is for ever.
    pub idle_stop: Duration,
    /// How many messages of others one life takes; zero is any number.
    pub max_messages: u32,
    /// How long one life lasts at most; zero is for ever.
    pub max_age: Duration,
    /// How many threads run its actors.
    pub threads: u8,
    /// How many processes wait to be the next life: 0 or 1.
    pub spares: u8,
    /// Whether giving this worker up stops the whole system with exit code 3.
    pub essential: bool,
    /// Whether its end, if it ends as it should, counts for the `auto_shutdown` of its group.
    pub significant: bool,
    /// Written out by the operator: a crash of this worker, though it holds no privilege, may stop
    /// everything. Without it `check` refuses an essential worker that holds none.
    pub crash_may_stop_all: bool,
    /// May accuse less privileged peers; never accused by them. Implied by uid 0 or capabilities.
    pub privileged: bool,
    /// The pause before each restart.
    pub backoff: Backoff,
    /// From spawn to ready.
    pub start_timeout: Duration,
    /// From the stop signal to SIGKILL.
    pub stop_timeout: Duration,
    /// From the order to drain to the stop signal.
    pub drain_timeout: Duration,
    /// How long one poll may last before that is told; zero is for ever.
    pub stuck_after: Duration,
    /// How long one poll, or a stop by a signal, may last before it is ended; zero is for ever.
    pub liveness_timeout: Duration,
    /// From SIGABRT to SIGKILL.
    pub abort_timeout: Duration,
    /// What follows when a signal has stopped it for longer than `liveness_timeout`.
    pub on_sigstop: OnSigstop,
    /// What follows when a privileged peer finds that it broke the rules of their link.
    pub on_violation: OnViolation,
    /// From the order to reload to the end of waiting for it.
    pub reload_timeout: Duration,
    /// Ready for this long and the failure count starts again at zero.
    pub stable_after: Duration,
    /// Whether an end is answered by a restart, by its cause.
    pub on: Reactions,
    /// Offences within `offence_period` that are still answered by a restart.
    pub max_offences: u32,
    /// The length of the sliding window for offences.
    pub offence_period: Duration,
    /// Exit codes that are a clean end.
    pub ok_exit: Vec<u8>,
    /// Exit codes after which it is never restarted.
    pub no_restart_exit: Vec<u8>,
    /// Exit codes that charge no budget.
    pub uncounted_exit: Vec<u8>,
    /// What it may do to the kernel.
    pub sandbox: Sandbox,
    /// The actors it hosts.
    pub actors: Vec<Actor>,
    /// What it makes of their failures; beyond that it exits with 81.
    pub actor_terms: ActorTerms,
    /// What may wait with each sender while it is down.
    pub while_down: WhileDown,
    /// What one message over its links may cost; of two ends, the tighter limits hold.
    pub channel: MessageLimits,
    /// Whom it trusts with memory; `None` is nobody.
    pub trust_domain: Option<TrustDomain>,
    /// Variables of its environment, which is built from nothing.
    pub environment: BTreeMap<String, String>,
    /// Variables that it is given as the supervisor has them.
    pub pass_environment: Vec<String>,
    /// Secrets that it is handed, by name: the files that they come from.
    pub credentials: BTreeMap<String, PathBuf>,
    /// The folder it starts in; `None` is `/`.
    pub working_directory: Option<PathBuf>,
    /// What it may ask of the supervisor beyond its own affairs.
    pub may: Vec<May>,
}

/// When a worker starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the system.
    #[default]
    Boot,
    /// When somebody has a message for it.
    OnDemand,
}

/// What a system is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// To serve.
    #[default]
    Production,
    /// To be worked on: what would be answered by SIGKILL may be only told.
    Dev,
}

/// What follows when a worker breaks the rules of a link with a privileged peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnViolation {
    /// It is killed.
    #[default]
    Kill,
    /// It is told and recorded, and the link is made anew; in the profile for development alone.
    Log,
}

/// What follows when a signal has stopped a worker for longer than it may last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnSigstop {
    /// It is killed, which is a failure.
    #[default]
    Kill,
    /// Nothing: whoever stopped it will have it go on.
    Ignore,
}

/// A listener that the supervisor holds, for workers that name it in `kept`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The name under which workers find it.
    pub name: String,
    /// What is bound unless whoever starts the supervisor passes a descriptor of this name; `None`: one must be passed.
    pub address: Option<Address>,
}

/// What sets a foreign program, which knows nothing of actors, apart from a worker of the runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Its arguments after its name.
    pub arguments: Vec<String>,
    /// It says by sd_notify that it is ready; otherwise it is as soon as it is executed.
    pub notify: bool,
    /// It says at least so often by sd_notify that it gets on, or it hangs; `None` expects nothing of the kind.
    pub watchdog: Option<Duration>,
    /// What asks it to stop.
    pub stop_signal: StopSignal,
}

/// A signal that asks a foreign program to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the signal of its name")]
pub enum StopSignal {
    #[default]
    Terminate,
    Interrupt,
    Quit,
    HangUp,
    User1,
    User2,
}

impl StopSignal {
    /// Returns the signal.
    pub fn signal(self) -> Signal {
        match self {
            Self::Terminate => Signal::SIGTERM,
            Self::Interrupt => Signal::SIGINT,
            Self::Quit => Signal::SIGQUIT,
            Self::HangUp => Signal::SIGHUP,
            Self::User1 => Signal::SIGUSR1,
            Self::User2 => Signal::SIGUSR2,
        }
    }
}

/// What a worker executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exec {
    /// The supervisor's own executable (`Program`).
    Own,
    /// Another executable, with arguments after the worker's name.
    Path(PathBuf),
}

/// One actor that a worker hosts from its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The actor's name, unique in its worker.
    pub name: String,
    /// The name under which the program registered the actor's factory.
    pub type_name: String,
    /// Arguments for the factory.
    pub args: Option<Args>,
    /// The queue in front of the actor.
    pub mailbox: Mailbox,
    /// When its end is answered by a restart within the worker; `None` leaves that to its factory.
    pub restart: Option<RestartType>,
    /// Whether its end, if it ends as it should, counts for the `auto_shutdown` of the actors. Its factory may say so
    /// as well.
    pub significant: bool,
    /// Whether tells that are unread when the worker ends in order are left to its next life. Its factory may say so as well.
    pub handoff: bool,
}

/// The name of the actor by which the runtime of each worker says how that stands. No other actor may have it.
pub const INTROSPECT: &str = bailiwick_wire::log::SUPERVISOR;

/// Arguments for an actor's factory: TOML text that only the worker decodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    /// The TOML value as written.
    pub text: String,
    /// The line of the manifest on which it stands, for the worker's error message.
    pub line: u32,
}

/// The bounds of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Messages it holds; zero is none, `u32::MAX` any number.
    pub capacity: u32,
    /// Bytes it holds; `u32::MAX` any number.
    pub capacity_bytes: u32,
    /// What a full mailbox does to a sender.
    pub on_full: OnFull,
}

/// One entry of the grant table: who may send what to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The sending worker.
    pub from: String,
    /// The receiving worker.
    pub to_worker: String,
    /// The receiving actor; `None` is every actor that the worker declares.
    pub to_actor: Option<String>,
    /// The methods; `None` is every method of the protocol.
    pub methods: Option<Vec<String>>,
    /// Kinds of descriptors that may travel with a message; `None` is what the methods declare.
    pub fds_send: Option<Vec<FdKind>>,
    /// Kinds of descriptors that may travel back in a reply; `None` is what the methods declare.
    pub fds_receive: Option<Vec<FdKind>>,
    /// Asks that the sender may have open at a time.
    pub max_inflight: u32,
    /// How fast messages may come, over all methods; `None` is as fast as they are taken.
    pub rate: Option<Rate>,
    /// How often each method may be used.
    pub once: Once,
}

impl Grant {
    /// Asks that a sender may have open at a time where nothing else is said: as many as a mailbox takes.
    pub const MAX_INFLIGHT: u32 = 1024;

    /// Returns a grant of everything that an actor of a worker, or every actor of it, takes.
    pub fn new(from: impl Into<String>, to_worker: impl Into<String>, to_actor: Option<String>) -> Self {
        Self {
            from: from.into(),
            to_worker: to_worker.into(),
            to_actor,
            methods: None,
            fds_send: None,
            fds_receive: None,
            max_inflight: Self::MAX_INFLIGHT,
            rate: None,
            once: Once::No,
        }
    }
}

pub(crate) use self::limits::memory_mechanism;
pub use bailiwick_core::backoff::Backoff;
pub use bailiwick_core::link::{Once, WhileDown};
pub use bailiwick_core::pace::Rate;
pub use bailiwick_core::siblings::Terms as ActorTerms;
pub use bailiwick_core::tree::{
    AutoShutdown, Kind, OnExhausted, Reaction, Reactions, Restart as RestartType, Strategy,
};
pub use bailiwick_sys::landlock::ruleset::Scoped;
pub use bailiwick_sys::limits::Limits;
pub use bailiwick_sys::listen::Address;
pub use bailiwick_sys::shares::Shares;
pub use bailiwick_wire::bootstrap::OnFull;
pub use bailiwick_wire::operator::{DIGEST_BYTES, Digest};
pub use bailiwick_wire::{FdKind, Limits as MessageLimits};

pub use confinement::{Architectures, Calls, Denial, Families, Namespace};
pub use file_view::{
    Bind, Bounds, FileView, HOMES, HidePid, Narrow, ProcSubset, ProtectHome, ProtectSystem, Temporary,
};
pub use may::May;
pub use trust_domain::{LinkKind, TrustDomain};
pub use unfit::{ListenError, Unfit};

/// What a worker may do to the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// The named starting point.
    pub preset: Preset,
    /// The user; `None` is a uid of its own as root, and the supervisor's user otherwise.
    pub user: Option<String>,
    /// The group; `None` goes with the user.
    pub group: Option<String>,
    /// Groups that it is in besides.
    pub supplementary_groups: Vec<String>,
    /// Whose keys it finds; `None` is its own where it has a sandbox and the kernel has keys.
    pub keyring_mode: Option<KeyringMode>,
    /// Capabilities kept over the change of user: permitted, ambient and bounding alike.
    pub capabilities: Vec<String>,
    /// Paths it may read.
    pub read_only_paths: Vec<PathBuf>,
    /// Paths it may read and write.
    pub read_write_paths: Vec<PathBuf>,
    /// It sees no files but those it is granted; `None` is where it has a sandbox and the machine can.
    pub private_mounts: Option<bool>,
    /// It has a `/tmp` of its own, in memory and empty for each life.
    pub private_tmp: bool,
    /// Paths below those it is granted that it sees nothing of.
    pub inaccessible_paths: Vec<PathBuf>,
    /// What it sees of files beside.
    pub view: FileView,
    /// It sees no network but sockets it is handed; `None` is where it needs none and the machine can.
    pub private_network: Option<bool>,
    /// It sees no shared memory and queues of others; `None` is where it has a sandbox and the machine can.
    pub private_ipc: Option<bool>,
    /// It sees a neutral name of the host, and cannot change it; `None` as above.
    pub protect_hostname: Option<bool>,
    /// What Landlock keeps inside besides paths and ports; `None` is everything, where the machine can.
    pub landlock_scope: Option<Vec<Scoped>>,
    /// TCP ports it may bind.
    pub tcp_bind: Vec<u16>,
    /// TCP ports it may connect to.
    pub tcp_connect: Vec<u16>,
    /// Whether it may bind UDP ports, of which none is told from another.
    pub udp_bind: bool,
    /// Paths it may execute, besides those of its preset.
    pub exec_paths: Vec<PathBuf>,
    /// Paths of its preset it may not execute.
    pub no_exec_paths: Vec<PathBuf>,
    /// Whether others of its user may look into it; `None` goes with its preset and its cores.
    pub dumpable: Option<bool>,
    /// Whether it renounces every privilege that an executable could give; `None` goes with its preset.
    pub no_new_privileges: Option<bool>,
    /// Which system calls it may make.
    pub calls: Calls,
    /// Memory in bytes.
    pub memory_max: Option<u64>,
    /// Threads and processes.
    pub tasks_max: Option<u32>,
    /// Open descriptors.
    pub limit_nofile: Option<u32>,
    /// Bytes of a core that the kernel may write of it; `u64::MAX` is any number.
    pub limit_core: u64,
    /// What each of its processes may use besides, as far as that is declared.
    pub limits: Limits,
    /// What it gets of memory, processors and disks that others want too.
    pub shares: Shares,
    /// Permissions that nobody gets on files that it makes; `None` is 0077.
    pub umask: Option<u16>,
    /// CPU time in nice steps, -20 to 19.
    pub nice: Option<i8>,
    /// The kernel's preference when memory runs out, -1000 to 1000; the default is 500.
    pub oom_score_adjust: Option<i16>,
    /// A PID namespace of its own; `None` is for who may fork, and for everybody in a sandbox without root.
    pub private_pids: Option<bool>,
    /// A user namespace of its own; `None` is for everybody in a sandbox without root, where the machine gives it.
    pub private_users: Option<bool>,
}

/// Whose keys a worker finds in its session keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyringMode {
    /// Its own alone.
    Private,
    /// Those of whoever started the supervisor.
    Inherit,
}

/// A named sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// Computes; touches nothing but the descriptors it is handed.
    #[default]
    Sealed,
    /// May connect out to the TCP ports in `tcp_connect`.
    NetClient,
    /// Serves on listeners it is handed, or binds the ports in `tcp_bind`.
    NetServer,
    /// Reads the paths in `read_only_paths`.
    FsRo,
    /// May execute other programs.
    Exec,
    /// No sandbox; needs `privileged = true`.
    None,
}

impl Preset {
    /// Returns by what name it stands in the list of places that are reached beside what is granted.
    pub fn needs_places_of(self) -> &'static str {
        match self {
            Self::NetClient => "net-client",
            Self::Exec => "exec",
            Self::Sealed | Self::NetServer | Self::FsRo | Self::None => "",
        }
    }
}

impl Sandbox {
    /// Returns whether it may write somewhere.
    pub fn writes(&self) -> bool {
        self.temporaries().next().is_some() || self.to_write().next().is_some()
    }

    /// Returns whether it sees no network but sockets it is handed, where the machine can.
    pub fn has_private_network(&self) -> bool {
        self.private_network.unwrap_or(!self.needs_network())
    }

    /// Returns whether it sees no shared memory and queues of others, where the machine can.
    pub fn has_private_ipc(&self) -> bool {
        self.private_ipc.unwrap_or(self.preset != Preset::None)
    }

    /// Returns whether it sees a neutral name of the host, where the machine can.
    pub fn has_protected_hostname(&self) -> bool {
        self.protect_hostname.unwrap_or(self.preset != Preset::None)
    }

    fn needs_network(&self) -> bool {
        let by_preset = !matches!(self.preset, Preset::Sealed | Preset::FsRo);
        let by_ports = !(self.tcp_bind.is_empty() && self.tcp_connect.is_empty());
        by_preset || by_ports || self.capabilities.iter().any(|name| name.starts_with("CAP_NET_"))
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self { capacity: 1024, capacity_bytes: 4 << 20, on_full: OnFull::Wait }
    }
}

impl Default for Group {
    fn default() -> Self {
        Self::new("")
    }
}

impl Group {
    /// Returns a group with every default of the manifest.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            parent: None,
            strategy: Strategy::OneForOne,
            max_restarts: 5,
            period: Duration::from_secs(30),
            on_exhausted: OnExhausted::CoolDown,
            auto_shutdown: AutoShutdown::Never,
            significant: false,
        }
    }
}

impl System {
    /// Returns the terms of a group by its name; those of the root for `None`, and for a name that nobody has.
    pub fn group(&self, name: Option<&str>) -> &Group {
        let found = self.groups.iter().find(|group| Some(group.name.as_str()) == name);
        found.unwrap_or(&self.root)
    }

    /// Returns the groups around a worker, its own first and the root last. Bounded, because parents may form a circle
    /// as long as nobody has checked that they do not.
    pub fn around<'s>(&'s self, worker: &'s Worker) -> impl Iterator<Item = &'s Group> {
        let mut next = Some(self.group(worker.group.as_deref()));
        let around = std::iter::from_fn(move || {
            let group = next?;
            next = (!std::ptr::eq(group, &self.root)).then(|| self.group(group.parent.as_deref()));
            Some(group)
        });
        around.take(self.groups.len() + 1)
    }

    /// Tells whether a worker is the template of a pool.
    pub fn is_template(&self, worker: &Worker) -> bool {
        self.group(worker.group.as_deref()).strategy == Strategy::Pool
    }
}

impl Worker {
    /// Tells whether each of its lives has a runtime, which says how it stands to those who may ask, and lasts long enough to be
    /// asked.
    pub fn has_runtime(&self) -> bool {
        self.command.is_none() && self.kind == Kind::Resident
    }

    /// Returns the folder that it starts in.
    pub fn folder(&self) -> &Path {
        self.working_directory.as_deref().unwrap_or(Path::new("/"))
    }

    /// Tells whether it holds a privilege: declared as privileged, root, or granted a capability.
    pub fn holds_privilege(&self) -> bool {
        let is_root = matches!(self.sandbox.user.as_deref(), Some("root" | "0"));
        self.privileged || is_root || !self.sandbox.capabilities.is_empty()
    }

    /// Returns how many processes of it there may be at most.
    pub fn places(&self) -> u16 {
        self.max_children.unwrap_or(0).max(self.instances)
    }

    /// Returns whether a process waits to be its next life. The check has refused that for whom it cannot.
    pub fn has_spare(&self) -> bool {
        self.spares > 0
    }

    /// Returns whether anything is heard of it by sd_notify.
    pub fn notifies(&self) -> bool {
        self.command.as_ref().is_some_and(|command| command.notify || command.watchdog.is_some())
    }

    /// Returns the arguments with which one instance is executed, which people call `title`, its name first.
    pub fn arguments(&self, title: &str) -> Vec<Vec<u8>> {
        let name = match (&self.command, &self.exec) {
            (Some(_), Exec::Path(path)) => path.as_os_str().as_bytes().to_vec(),
            _ => title.as_bytes().to_vec(),
        };
        let more = self.command.iter().flat_map(|command| &command.arguments);
        std::iter::once(name).chain(more.map(|text| text.as_bytes().to_vec())).collect()
    }

    /// Returns the environment that is known beforehand; what it is passed, as the supervisor has it now. A program of the runtime is told by it that descriptor 3 is
    /// there, and what for: to work, or to `describe` itself.
    pub fn variables(&self, describe: bool) -> Vec<Vec<u8>> {
        let role = if describe { "describe" } else { "worker" };
        let role = self.command.is_none().then(|| format!("BAILIWICK_ROLE={role}"));
        let declared = self.environment.iter().map(|(name, value)| format!("{name}={value}"));
        let passed = self.pass_environment.iter().filter_map(|name| {
            let value = std::env::var_os(name)?;
            Some([name.as_bytes(), b"=", value.as_bytes()].concat())
        });
        role.into_iter().chain(declared).map(String::into_bytes).chain(passed).collect()
    }

    /// Returns what people call an instance: the name, with the number if there are several.
    pub fn title(&self, instance: u16) -> String {
        if self.places() > 1 { format!("{}.{instance}", self.name) } else { self.name.clone() }
    }

    /// Returns a worker with every default of the manifest.
    pub fn new(name: impl Into<String>, exec: Exec) -> Self {
        Self {
            name: name.into(),
            exec,
            command: None,
            kind: Kind::Resident,
            instances: 1,
            max_children: None,
            group: None,
            needs: Vec::new(),
            wants: Vec::new(),
            after: Vec::new(),
            kept: Vec::new(),
            restart: RestartType::Permanent,
            start: Start::Boot,
            idle_stop: Duration::ZERO,
            max_messages: 0,
            max_age: Duration::ZERO,
            threads: 1,
            spares: 0,
            essential: false,
            significant: false,
            crash_may_stop_all: false,
            privileged: false,
            backoff: Backoff::default(),
            start_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
            stuck_after: Duration::from_secs(1),
            liveness_timeout: Duration::from_secs(60),
            abort_timeout: Duration::from_secs(5),
            on_sigstop: OnSigstop::Kill,
            on_violation: OnViolation::Kill,
            reload_timeout: Duration::from_secs(30),
            stable_after: Duration::from_secs(10),
            on: Reactions::default(),
            max_offences: 3,
            offence_period: Duration::from_secs(24 * 60 * 60),
            ok_exit: vec![0],
            no_restart_exit: vec![64, 78, 100],
            uncounted_exit: vec![75],
            sandbox: Sandbox::default(),
            actors: Vec::new(),
            actor_terms: ActorTerms::default(),
            while_down: WhileDown::default(),
            trust_domain: None,
            channel: MessageLimits::LINK,
            environment: BTreeMap::new(),
            pass_environment: Vec::new(),
            credentials: BTreeMap::new(),
            working_directory: None,
            may: Vec::new(),
        }
    }
}
