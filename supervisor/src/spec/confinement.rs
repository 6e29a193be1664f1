//! What narrows or widens the sandbox of a worker beside its preset: above all its system calls.

pub use bailiwick_sys::seccomp::policy::Denial;
use bailiwick_sys::seccomp::policy::PathsTold;

use super::{Preset, Profile, Sandbox, Scoped, Worker};

/// The keys of a sandbox that become system call filters, or settings of the kernel akin to them. What is `None` is as
/// the preset has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Names of calls and of sets: without a sign they take the place of the preset's list, `+` adds, `~` takes away.
    pub filter: Vec<String>,
    /// What becomes of calls that are not in the list, or are taken away.
    pub denial: Option<Denial>,
    /// Names of calls and of sets that the kernel's log tells of.
    pub log: Vec<String>,
    /// Whether `denials` tells of paths that it is denied.
    pub log_denied_paths: Option<bool>,
    /// Whose tables of calls may be used.
    pub architectures: Option<Architectures>,
    /// The families of sockets that may be made.
    pub families: Option<Families>,
    /// The kinds of namespaces that may be made.
    pub namespaces: Option<Vec<Namespace>>,
    /// Whether it is kept from taking a processor for itself.
    pub restrict_realtime: Option<bool>,
    /// Whether it is kept from making files that change who runs them.
    pub restrict_suid_sgid: Option<bool>,
    /// Whether it is kept from turning old protections off.
    pub lock_personality: Option<bool>,
    /// Whether it is kept from making code at run time.
    pub memory_deny_write_execute: Option<bool>,
    /// Whether memory files are never executable.
    pub memfd_no_exec: Option<bool>,
}

/// Whose tables of system calls may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architectures {
    /// The one for which this supervisor was built.
    Native,
}

/// Families of sockets, by the kernel's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Families {
    /// No others than these.
    Only(Vec<String>),
    /// All but these.
    Except(Vec<String>),
}

/// A kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the kind of its name")]
pub enum Namespace {
    Cgroup,
    Ipc,
    Mount,
    Net,
    Pid,
    Time,
    User,
    Uts,
}

impl Namespace {
    /// Every kind.
    pub const ALL: [Self; 8] =
        [Self::Cgroup, Self::Ipc, Self::Mount, Self::Net, Self::Pid, Self::Time, Self::User, Self::Uts];

    /// Returns the word by which the policy of system calls knows that it may be made.
    pub fn circumstance(self) -> &'static str {
        match self {
            Self::Cgroup => "newcgroup",
            Self::Ipc => "newipc",
            Self::Mount => "newns",
            Self::Net => "newnet",
            Self::Pid => "newpid",
            Self::Time => "newtime",
            Self::User => "newuser",
            Self::Uts => "newuts",
        }
    }
}

impl Worker {
    /// Settles what the profile decides where its keys say nothing.
    pub fn suit(&mut self, profile: Profile) {
        let has_second_stage =
            self.command.is_none() && !matches!(self.sandbox.preset, Preset::Exec | Preset::None);
        let calls = &mut self.sandbox.calls;
        // Who has a list of its own may have taken away what it takes to tell.
        if profile == Profile::Dev && has_second_stage && calls.filter.is_empty() {
            calls.log_denied_paths.get_or_insert(true);
        }
    }
}

impl Sandbox {
    /// Returns which failures of calls that name paths are told, if any are.
    pub fn paths_told(&self) -> Option<PathsTold> {
        let told = if self.has_private_mounts() { PathsTold::Absent } else { PathsTold::Refused };
        (self.calls.log_denied_paths == Some(true)).then_some(told)
    }

    /// Returns what Landlock keeps inside besides paths and ports.
    pub fn scoped(&self) -> &[Scoped] {
        self.landlock_scope.as_deref().unwrap_or(&Scoped::ALL)
    }

    /// Returns whether it keeps a capability.
    pub fn holds(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|held| held == capability)
    }

    /// Returns whether it may make namespaces of a kind.
    pub fn may_make(&self, kind: Namespace) -> bool {
        match &self.calls.namespaces {
            Some(allowed) => allowed.contains(&kind),
            // Of users anybody could make some, and holds every capability there.
            None => kind != Namespace::User && self.holds("CAP_SYS_ADMIN"),
        }
    }

    /// Returns whether it may make code at run time.
    pub fn may_make_code(&self) -> bool {
        // Programs that compile while they run are many, and their makers ask for nothing here.
        !self.calls.memory_deny_write_execute.unwrap_or(!matches!(self.preset, Preset::Exec | Preset::None))
    }

    /// Returns whether it renounces new privileges.
    pub fn renounces_privileges(&self) -> bool {
        self.no_new_privileges.unwrap_or(self.preset != Preset::None)
    }
}
