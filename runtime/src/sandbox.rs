//! The builder for what a worker may do: to the kernel, and to whom it may send.

use std::path::PathBuf;
use std::time::Duration;

use bailiwick_supervisor::spec;

/// What a worker of a [`Program`](crate::Program) may do. Everything not said is forbidden.
///
/// ```
/// use bailiwick::Sandbox;
///
/// let front = Sandbox::sealed().read("in").write("out").grant("shrinker");
/// let shrinker = Sandbox::sealed().memory_max_mib(64);
/// # let _ = (front, shrinker);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Sandbox {
    pub(crate) spec: spec::Sandbox,
    pub(crate) grants: Vec<Grant>,
    pub(crate) may: Vec<spec::May>,
    pub(crate) privileged: bool,
    pub(crate) trust_domain: Option<spec::TrustDomain>,
}

/// To whom a worker may send what, and how often. Without more it is every message of every protocol, at any time.
///
/// ```
/// use bailiwick::{Grant, Sandbox};
/// use std::time::Duration;
///
/// let web = Sandbox::sealed()
///     .grant("shrinker")
///     .grant(Grant::to("binder/ports").methods(["bind"]).once())
///     .grant(Grant::to("mailer").rate(10, Duration::from_secs(60)).max_inflight(2));
/// # let _ = web;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Grant {
    /// As the manifest has it; the sender's name is added by the program.
    pub(crate) spec: spec::Grant,
}

impl Grant {
    /// Permits what is sent to every actor of `target`, or to one actor of it: `"shrinker"`, `"shrinker/thumbs"`.
    pub fn to(target: &str) -> Self {
        let (worker, actor) = match target.split_once('/') {
            Some((worker, actor)) => (worker, Some(actor.to_owned())),
            None => (target, None),
        };
        Self { spec: spec::Grant::new("", worker, actor) }
    }

    /// Permits these methods alone.
    pub fn methods<const N: usize>(mut self, methods: [&str; N]) -> Self {
        self.spec.methods = Some(methods.map(str::to_owned).into());
        self
    }

    /// Permits so many messages at once to each actor, and in each period in the long run, at least 1. What is more comes
    /// back as `NotDelivered(TooOften)`.
    pub fn rate(mut self, messages: u32, period: Duration) -> Self {
        self.spec.rate = Some(spec::Rate { messages: messages.max(1), period });
        self
    }

    /// Permits each method once, over all lives of the sender: whoever crashes has used it up.
    pub fn once(mut self) -> Self {
        self.spec.once = spec::Once::Ever;
        self
    }

    /// Permits each method once in each life of the sender: a restart gives it anew.
    pub fn once_per_life(mut self) -> Self {
        self.spec.once = spec::Once::PerLife;
        self
    }

    /// Permits so many open asks to each actor; one more waits.
    pub fn max_inflight(mut self, asks: u32) -> Self {
        self.spec.max_inflight = asks.max(1);
        self
    }
}

impl From<&str> for Grant {
    fn from(target: &str) -> Self {
        Self::to(target)
    }
}

impl Sandbox {
    /// Computes; touches nothing but the descriptors it is handed and the paths named here.
    pub fn sealed() -> Self {
        Self::from_preset(spec::Preset::Sealed)
    }

    /// May connect out to the TCP ports named by [`Sandbox::tcp_connect`].
    pub fn net_client() -> Self {
        Self::from_preset(spec::Preset::NetClient)
    }

    /// Serves on listeners it is handed, or binds the ports named by [`Sandbox::tcp_bind`].
    pub fn net_server() -> Self {
        Self::from_preset(spec::Preset::NetServer)
    }

    /// Reads the paths named by [`Sandbox::read`].
    pub fn fs_ro() -> Self {
        Self::from_preset(spec::Preset::FsRo)
    }

    /// May execute other programs.
    pub fn exec() -> Self {
        Self::from_preset(spec::Preset::Exec)
    }

    /// No sandbox at all. Such a worker counts as privileged.
    pub fn none() -> Self {
        Self { privileged: true, ..Self::from_preset(spec::Preset::None) }
    }

    /// May read `path` and what is below it. Relative paths start at the program's folder.
    pub fn read(mut self, path: impl Into<PathBuf>) -> Self {
        self.spec.read_only_paths.push(path.into());
        self
    }

    /// May read and write `path` and what is below it.
    pub fn write(mut self, path: impl Into<PathBuf>) -> Self {
        self.spec.read_write_paths.push(path.into());
        self
    }

    /// Sees no files but those named here and what its program is loaded from: the default where the machine can. Said,
    /// it is required; said with `false`, the names of all files are seen, which still cannot be opened.
    pub fn private_mounts(mut self, private: bool) -> Self {
        self.spec.private_mounts = Some(private);
        self
    }

    /// Has a `/tmp` of its own, of 64 MiB and 4096 files in memory, empty for each life.
    pub fn private_tmp(mut self) -> Self {
        self.spec.private_tmp = true;
        self
    }

    /// Has a folder of its own in memory by this name, as [`Sandbox::private_tmp`] gives it one.
    pub fn temporary(mut self, name: impl Into<PathBuf>) -> Self {
        let bounds = spec::Bounds::default();
        self.spec.view.temporary.push(spec::Temporary { at: name.into(), bounds });
        self
    }

    /// May read `path` and what is below it, and sees it by another name.
    ///
    /// ```
    /// # use bailiwick::Sandbox;
    /// let web = Sandbox::sealed().read_as("www-2", "/www").write_as("data", "/data").temporary("/var/cache");
    /// # let _ = web;
    /// ```
    pub fn read_as(mut self, path: impl Into<PathBuf>, name: impl Into<PathBuf>) -> Self {
        self.spec.view.read_only_binds.push(spec::Bind { from: path.into(), to: name.into() });
        self
    }

    /// May read and write `path` and what is below it, and sees it by another name.
    pub fn write_as(mut self, path: impl Into<PathBuf>, name: impl Into<PathBuf>) -> Self {
        self.spec.view.binds.push(spec::Bind { from: path.into(), to: name.into() });
        self
    }

    /// Sees `path` as the root of all files, and may read it.
    pub fn root_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.spec.view.root_directory = Some(path.into());
        self
    }

    /// Sees the devices that are everybody's, `/dev/null` and such; with `false` it may use devices among its paths.
    pub fn private_devices(mut self, private: bool) -> Self {
        self.spec.view.private_devices = Some(private);
        self
    }

    /// Sees nothing of `path`, which lies below one that it may read or write.
    pub fn inaccessible(mut self, path: impl Into<PathBuf>) -> Self {
        self.spec.inaccessible_paths.push(path.into());
        self
    }

    /// Sees no network but sockets that it is handed: the default where no port is named and the machine can.
    pub fn private_network(mut self, private: bool) -> Self {
        self.spec.private_network = Some(private);
        self
    }

    /// Sees no shared memory and no queues of others by System V's and POSIX's names: the default where the machine can.
    pub fn private_ipc(mut self, private: bool) -> Self {
        self.spec.private_ipc = Some(private);
        self
    }

    /// Sees the host as `localhost`: the default where the machine can.
    pub fn protect_hostname(mut self, protected: bool) -> Self {
        self.spec.protect_hostname = Some(protected);
        self
    }

    /// May use this much memory, in MiB.
    pub fn memory_max_mib(mut self, mib: u32) -> Self {
        self.spec.memory_max = Some(u64::from(mib) << 20);
        self
    }

    /// May have this many threads and processes.
    pub fn tasks_max(mut self, tasks: u32) -> Self {
        self.spec.tasks_max = Some(tasks);
        self
    }

    /// May have this many descriptors open.
    pub fn limit_nofile(mut self, descriptors: u32) -> Self {
        self.spec.limit_nofile = Some(descriptors);
        self
    }

    /// May leave a core of this many bytes when a signal ends it; `u64::MAX` is any number.
    pub fn limit_core(mut self, bytes: u64) -> Self {
        self.spec.limit_core = bytes;
        self
    }

    /// May write files of this many bytes at most, memory files included; `u64::MAX` is any number.
    pub fn limit_fsize(mut self, bytes: u64) -> Self {
        self.spec.limits.file_size = Some(bytes);
        self
    }

    /// May use this much processor time in each life, then SIGXCPU ends it.
    pub fn limit_cpu(mut self, time: Duration) -> Self {
        self.spec.limits.cpu_seconds = Some(time.as_secs() + u64::from(time.subsec_nanos() > 0));
        self
    }

    /// Makes files without these permissions: `0o027` leaves them to be read by its group.
    pub fn umask(mut self, mask: u16) -> Self {
        self.spec.umask = Some(mask & 0o777);
        self
    }

    /// Runs at this nice step, -20 to 19.
    pub fn nice(mut self, step: i8) -> Self {
        self.spec.nice = Some(step);
        self
    }

    /// Has a PID namespace of its own, or none: it sees no processes but those that it starts, and they end with it. Where
    /// nothing is said, who may execute programs has one, and without root everybody in a sandbox.
    pub fn private_pids(mut self, private: bool) -> Self {
        self.spec.private_pids = Some(private);
        self
    }

    /// Has a user namespace of its own, or none. It is for supervisors without root, where everybody in a sandbox has one if
    /// the machine gives it and nothing is said.
    pub fn private_users(mut self, private: bool) -> Self {
        self.spec.private_users = Some(private);
        self
    }

    /// Runs as this user, where the supervisor is root.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.spec.user = Some(user.into());
        self
    }

    /// Runs as this group, where the supervisor is root.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.spec.group = Some(group.into());
        self
    }

    /// Is in this group too, where the supervisor is root.
    pub fn supplementary_group(mut self, group: impl Into<String>) -> Self {
        self.spec.supplementary_groups.push(group.into());
        self
    }

    /// Keeps this capability over the change of user, for example `CAP_NET_BIND_SERVICE`.
    pub fn capability(mut self, capability: impl Into<String>) -> Self {
        self.spec.capabilities.push(capability.into());
        self
    }

    /// May bind this TCP port.
    pub fn tcp_bind(mut self, port: u16) -> Self {
        self.spec.tcp_bind.push(port);
        self
    }

    /// May connect to this TCP port.
    pub fn tcp_connect(mut self, port: u16) -> Self {
        self.spec.tcp_connect.push(port);
        self
    }

    /// May bind UDP ports.
    pub fn udp_bind(mut self) -> Self {
        self.spec.udp_bind = true;
        self
    }

    /// May make these system calls, as the manifest's `system_call_filter` writes them: names of calls and of sets (`@rt` is
    /// what the runtime needs) take the place of the preset's list, `+` before each adds to it, `~` takes away.
    ///
    /// ```
    /// # use bailiwick::Sandbox;
    /// let locks = Sandbox::sealed().system_calls(["+@memlock", "~sysinfo"]);
    /// # let _ = locks;
    /// ```
    pub fn system_calls<const N: usize>(mut self, list: [&str; N]) -> Self {
        self.spec.calls.filter.extend(list.map(str::to_owned));
        self
    }

    /// Is killed for a system call that its list does not have, which otherwise fails with EPERM.
    pub fn kill_for_other_system_calls(mut self) -> Self {
        self.spec.calls.denial = Some(spec::Denial::Kills);
        self
    }

    /// Has `bailiwick denials` tell of paths that it is denied, as the manifest's `log_denied_paths` does: each call that names
    /// a path takes some microseconds longer, and a thread that blocks every signal is ended by one.
    pub fn log_denied_paths(mut self) -> Self {
        self.spec.calls.log_denied_paths = Some(true);
        self
    }

    /// Makes sockets of these families only, by the kernel's names: `AF_INET`. None at all for an empty list.
    pub fn address_families<const N: usize>(mut self, families: [&str; N]) -> Self {
        self.spec.calls.families = Some(spec::Families::Only(families.map(str::to_owned).into()));
        self
    }

    /// May make code at run time, as compilers do that work while a program runs.
    pub fn write_execute(mut self) -> Self {
        self.spec.calls.memory_deny_write_execute = Some(false);
        self
    }

    /// May execute what is at `path` and below it, if it is made by [`Sandbox::exec`].
    pub fn execute(mut self, path: impl Into<PathBuf>) -> Self {
        self.spec.exec_paths.push(path.into());
        self
    }

    /// May not execute what lies below `path`, if it is made by [`Sandbox::exec`], but what [`Sandbox::execute`] names.
    pub fn no_execute(mut self, path: impl Into<PathBuf>) -> Self {
        self.spec.no_exec_paths.push(path.into());
        self
    }

    /// May be looked into by others of its user, as a debugger does.
    pub fn dumpable(mut self) -> Self {
        self.spec.dumpable = Some(true);
        self
    }

    /// May accuse less privileged peers and is never accused by them; may run as uid 0.
    pub fn privileged(mut self) -> Self {
        self.privileged = true;
        self
    }

    /// Shares memory with each worker of the same trust domain between which and this one a grant stands: messages go through
    /// it, and either can rewrite them under way. Not for who is [privileged](Sandbox::privileged), or holds a capability.
    ///
    /// For at most `busy_poll`, and 1 ms, it looks for such messages before it sleeps: less while that is in vain.
    pub fn trust_domain(mut self, name: &str, busy_poll: Duration) -> Self {
        let busy_poll = busy_poll.min(spec::TrustDomain::MAX_BUSY_POLL);
        self.trust_domain = Some(spec::TrustDomain { busy_poll, ..spec::TrustDomain::new(name) });
        self
    }

    /// May send every message of their protocols to every actor of a target, or to one actor of
    /// it: `"shrinker"`, `"shrinker/thumbs"`. A [`Grant`] says more: which methods, how often.
    pub fn grant(mut self, grant: impl Into<Grant>) -> Self {
        self.grants.push(grant.into());
        self
    }

    /// May send messages of these methods to every actor of `target`, or to one actor of it.
    pub fn grant_methods<const N: usize>(self, target: &str, methods: [&str; N]) -> Self {
        self.grant(Grant::to(target).methods(methods))
    }

    /// May ask this of the supervisor, by [`Context::supervisor`](crate::Context::supervisor).
    pub fn may<const N: usize>(mut self, may: [spec::May; N]) -> Self {
        self.may.extend(may);
        self
    }

    fn from_preset(preset: spec::Preset) -> Self {
        Self {
            spec: spec::Sandbox { preset, ..spec::Sandbox::default() },
            grants: Vec::new(),
            may: Vec::new(),
            privileged: false,
            trust_domain: None,
        }
    }
}
