//! Why a worker cannot have the sandbox that it needs.

use std::borrow::Cow;
use std::path::PathBuf;

use bailiwick_sys::cgroup::CgroupError;
use bailiwick_sys::landlock::ruleset::RulesetError;
use bailiwick_sys::nest::Contradiction;
use bailiwick_sys::seccomp::FilterError;
use bailiwick_sys::view::ViewError;
use bailiwick_sys::worker_users::ClaimError;
use bailiwick_sys::{Errno, Failed};

use crate::check::{CredentialError, Untrusted};

/// Why a sandbox cannot be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The machine lacks what must not be missing. Starting degraded would let it pass.
    #[error("worker {worker} needs {what}, which this machine does not give: {why}")]
    FloorMissing {
        /// The worker.
        worker: String,
        /// What is missing.
        what: &'static str,
        /// What was found instead.
        why: Cow<'static, str>,
    },
    /// A path that is executed, granted or entered cannot be opened.
    #[error("{role} {path} cannot be opened: {errno}", path = path.display())]
    Unreachable {
        /// What the path is for.
        role: &'static str,
        /// The path.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A path on whose way somebody else could put another target.
    #[error("{role} {path} leads through a symbolic link; as root it must be written without", path = path.display())]
    Link {
        /// What the path is for.
        role: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// Somebody else could change what is executed, or it cannot be opened.
    #[error("executable: {0}")]
    Untrusted(#[from] Untrusted),
    /// A secret that it is to be handed cannot be had.
    #[error("worker {worker}: {source}")]
    Credential {
        /// The worker.
        worker: String,
        /// Which, and why.
        source: CredentialError,
    },
    /// The executable is not one that the kernel can run directly.
    #[error("{path} is not an executable of this machine", path = path.display())]
    NotExecutable {
        /// The path.
        path: PathBuf,
    },
    /// No such user or group.
    #[error("worker {worker} runs as {kind} {name:?}, which does not exist")]
    NoSuchAccount {
        /// The worker.
        worker: String,
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Only root can change the user.
    #[error("worker {worker} runs as uid {wanted}, but the supervisor is uid {own} and cannot change it")]
    CannotSwitch {
        /// The worker.
        worker: String,
        /// The user wanted.
        wanted: u32,
        /// The supervisor's user.
        own: u32,
    },
    /// uid 0 owns the machine's files even without a capability.
    #[error("worker {worker} runs as uid 0 without `privileged = true`")]
    Root {
        /// The worker.
        worker: String,
    },
    /// What it is granted to write is closed to everybody but root, and not empty.
    #[error("worker {worker} is granted to write {path}, which belongs to root and holds something, so it stays closed to uid {uid}: give it to a user as whom the worker shall run (chown -R USER {path}), or grant an empty folder", path = path.display())]
    RootsAlone {
        /// The worker.
        worker: String,
        /// The path.
        path: PathBuf,
        /// The worker's user.
        uid: u32,
    },
    /// Nothing would confine it.
    #[error("worker {worker} has no sandbox (preset `none`) without `privileged = true`")]
    Unconfined {
        /// The worker.
        worker: String,
    },
    /// No such capability.
    #[error("worker {worker} wants {name:?}, which is no capability")]
    NoSuchCapability {
        /// The worker.
        worker: String,
        /// The name.
        name: String,
    },
    /// The supervisor cannot give what it has not.
    #[error("worker {worker} wants {names}, which the supervisor does not hold")]
    CapabilityNotHeld {
        /// The worker.
        worker: String,
        /// The names, separated by spaces.
        names: String,
    },
    /// What it is declared to be born in contradicts what the supervisor is.
    #[error("worker {worker} cannot have the namespaces that it is declared to have: {why}")]
    Namespaces {
        /// The worker.
        worker: String,
        /// The reason.
        why: Contradiction,
    },
    /// A name or value that cannot be an argument or a variable.
    #[error("worker {worker}: {what} contains a NUL byte")]
    Nul {
        /// The worker.
        worker: String,
        /// Where it stands.
        what: &'static str,
    },
    /// There is no user of its own for it.
    #[error(transparent)]
    NoUser(#[from] ClaimError),
    /// A system call filter could not be compiled: our own fault.
    #[error("the system call filter of worker {worker} does not compile")]
    Filter {
        /// The worker.
        worker: String,
        /// The compiler's reason.
        source: FilterError,
    },
    /// A Landlock ruleset could not be made.
    #[error("the Landlock ruleset of worker {worker} cannot be made")]
    Ruleset {
        /// The worker.
        worker: String,
        /// The kernel's or the crate's reason.
        source: RulesetError,
    },
    /// Its view of the file system could not be built.
    #[error("the view of worker {worker}: {source}")]
    View {
        /// The worker.
        worker: String,
        /// What cannot be shown.
        source: ViewError,
    },
    /// A control group could not be made.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The kernel refused something that it cannot refuse to a sound request.
    #[error(transparent)]
    Refused(#[from] Failed),
}

impl SandboxError {
    /// Returns the exit code of a supervisor that stops for this: 69 for a missing kernel feature, else 78.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::FloorMissing { .. } => 69,
            _ => 78,
        }
    }
}
