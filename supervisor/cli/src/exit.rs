//! What each exit code means, and which failure leads to which.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bailiwick_supervisor::check::{Diagnostics, escape};
use bailiwick_supervisor::control::{ClientError, Outcome};
use thiserror::Error;

use crate::admin::AdminError;
use crate::init::NoProject;

/// The exit codes of every command except `run`, which has those of the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// 0: it was done.
    Done,
    /// 1: it failed.
    Failed,
    /// 2: the command was not understood.
    Usage,
    /// 3: a worker that was named is not ready (`status` and `wait`).
    NotReady,
    /// 4: no worker has that name.
    UnknownName,
    /// 5: no supervisor answers.
    Unreachable,
    /// 6: it was ordered, but not reached in time.
    TimedOut,
    /// 7: the user may not do this.
    NotAllowed,
    /// 8: the manifest is refused.
    InvalidManifest,
    /// `wait --for stopped`: the exit code of the worker.
    Of(u8),
}

impl Exit {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotReady => 3,
            Self::UnknownName => 4,
            Self::Unreachable => 5,
            Self::TimedOut => 6,
            Self::NotAllowed => 7,
            Self::InvalidManifest => 8,
            Self::Of(code) => code,
        }
    }
}

/// Why a command failed, with what to do next.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Failure {
    /// The manifest is refused.
    #[error("{count} {word} in the manifest", count = .0.len(), word = if .0.len() == 1 { "error" } else { "errors" })]
    Manifest(Diagnostics),
    /// The control socket did not answer, or said no.
    #[error("{0}")]
    Control(ClientError),
    /// An order was refused.
    #[error("{order}: {reason}")]
    Refused {
        /// What was ordered.
        order: String,
        /// Why not.
        reason: String,
        /// The outcome that the supervisor named.
        outcome: Outcome,
    },
    /// It was ordered, but not reached in time.
    #[error("{order}: not reached within {waited:?}; the order stands")]
    TimedOut {
        /// What was ordered.
        order: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A worker does not stand as it was waited for.
    #[error("{name}: not reached within {waited:?}; `status {name}` says why")]
    NotReached {
        /// The worker.
        name: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// No worker has this name.
    #[error("no worker is called `{name}`")]
    UnknownName {
        /// The name, escaped.
        name: String,
        /// The nearest name that exists, or all of them.
        advice: String,
    },
    /// No metric has such a name.
    #[error("no metric's name holds `{name}`")]
    NoMetric {
        /// What was looked for, escaped.
        name: String,
    },
    /// Nobody said which system is meant.
    #[error("no running system was found below {base}", base = base.display())]
    NoSystem {
        /// Where it was looked for.
        base: PathBuf,
    },
    /// A system has no manifest that could be shown.
    #[error("system {name} has no manifest: it was declared by a program", name = escape(name))]
    NoManifest {
        /// The system's name.
        name: String,
    },
    /// A command names a manifest, and a running system as well.
    #[error("a manifest is named, and a running system as well")]
    ManifestAndSystem,
    /// Several systems run.
    #[error("several systems run: {}", names.join(", "))]
    SeveralSystems {
        /// Their names.
        names: Vec<String>,
    },
    /// The supervisor's program is not there or cannot be executed.
    #[error("cannot execute {program}: {error}", program = program.display())]
    NoSupervisor {
        /// The program that was tried last.
        program: PathBuf,
        /// The kernel's error.
        error: std::io::Error,
    },
    /// Data could not be written to stdout.
    #[error("what was to be printed is lost: {0}")]
    Unwritten(std::io::Error),
    /// A file that the command names cannot be read or written.
    #[error("{path}: {error}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The kernel's error.
        error: std::io::Error,
    },
    /// A worker has no list of system calls that could be learned.
    #[error("worker `{worker}` has no list of system calls: it is a foreign program, or may execute others")]
    NothingToLearn {
        /// The worker.
        worker: String,
    },
    /// The system of the manifest runs.
    #[error("the system of this manifest runs at present, and `learn` takes a worker out of its sandbox")]
    Runs,
    /// Something that learning takes could not be had.
    #[error("{what}: {error}")]
    Learning {
        /// What.
        what: &'static str,
        /// The kernel's error.
        error: std::io::Error,
    },
    /// A file is not what `blast --write` of this version writes.
    #[error("{path} is no file of `blast --write`, or one of another version", path = path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
    },
    /// Nothing came of what was asked of an actor.
    #[error("{title}: {why}")]
    Outside {
        /// What was asked of whom, escaped.
        title: String,
        /// Why nothing came of it, escaped.
        why: String,
        /// The exit code.
        exit: Exit,
    },
    /// The admin worker could not be asked, or refused.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// No project was written.
    #[error(transparent)]
    Init(#[from] NoProject),
    /// `top` cannot take over what it was started on.
    #[error("top cannot take over the terminal: {why}")]
    NoTerminal {
        /// What is in the way.
        why: &'static str,
    },
    /// The terminal does not do as it is told.
    #[error("cannot {what}: {error}")]
    Terminal {
        /// What it was told.
        what: &'static str,
        /// The kernel's error.
        error: std::io::Error,
    },
    /// The command names neither workers nor all of them.
    #[error("say which workers are meant, or --all for the whole system")]
    NobodyNamed,
}

impl Failure {
    /// Returns the exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Manifest(_) => Exit::InvalidManifest,
            Self::Control(error) => control(error),
            Self::Refused { outcome, .. } => refused(*outcome),
            Self::TimedOut { .. } | Self::NotReached { .. } => Exit::TimedOut,
            Self::UnknownName { .. } | Self::NoMetric { .. } => Exit::UnknownName,
            Self::NoSystem { .. } => Exit::Unreachable,
            Self::SeveralSystems { .. }
            | Self::NobodyNamed
            | Self::ManifestAndSystem
            | Self::NoTerminal { .. } => Exit::Usage,
            Self::NothingToLearn { .. } | Self::Runs | Self::Learning { .. } | Self::NoManifest { .. } => {
                Exit::Failed
            }
            Self::Outside { exit, .. } => *exit,
            Self::Admin(error) => error.exit(),
            Self::Init(failure) => failure.exit(),
            Self::Terminal { .. } => Exit::Failed,
            Self::NoSupervisor { .. } | Self::Unwritten(_) | Self::File { .. } | Self::NotWritten { .. } => {
                Exit::Failed
            }
        }
    }

    /// Says what to do next, where something can be done.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Control(error) => match control(error) {
                Exit::NotAllowed => Some("run it as root or as the supervisor's own user".into()),
                Exit::Unreachable => Some(
                    "is it running? Name it with --system NAME, --state-dir DIR or --manifest FILE".into(),
                ),
                _ => None,
            },
            Self::Refused { outcome: Outcome::NotPermitted, .. } => {
                Some("run it as root or as the supervisor's own user".into())
            }
            Self::UnknownName { advice, .. } => Some(advice.clone()),
            Self::NoMetric { .. } => Some("`bailiwick metrics` without a name prints all of them".into()),
            Self::NoSystem { .. } => Some(
                "start one with `bailiwick run MANIFEST`, or name its folder with --state-dir DIR".into(),
            ),
            Self::SeveralSystems { .. } => Some("choose one with --system NAME".into()),
            Self::NoSupervisor { .. } => {
                Some("install bailiwickd beside bailiwick, or in a folder of PATH".into())
            }
            Self::ManifestAndSystem => Some(
                "name a worker alone to ask the running system; a manifest without a dot is named as ./NAME"
                    .into(),
            ),
            Self::NoTerminal { .. } => Some(
                "print it once with `bailiwick top --once`, or follow it with `bailiwick status --watch`"
                    .into(),
            ),
            Self::NotWritten { .. } => Some("write it anew, and read what has changed".into()),
            Self::Admin(error) => error.advice(),
            Self::Init(failure) => failure.advice(),
            Self::Runs => Some("stop it, or learn on another machine: this is a tool for development".into()),
            Self::Manifest(_)
            | Self::NothingToLearn { .. }
            | Self::Learning { .. }
            | Self::File { .. }
            | Self::Refused { .. }
            | Self::TimedOut { .. }
            | Self::NotReached { .. }
            | Self::Unwritten(_)
            | Self::Terminal { .. }
            | Self::NoManifest { .. }
            | Self::Outside { .. }
            | Self::NobodyNamed => None,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Control(error)
    }
}

impl From<Diagnostics> for Failure {
    fn from(found: Diagnostics) -> Self {
        Self::Manifest(found)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

fn control(error: &ClientError) -> Exit {
    match error {
        ClientError::Unreachable { errno, .. } if is_permission(*errno as i32) => Exit::NotAllowed,
        ClientError::Unreachable { .. } => Exit::Unreachable,
        ClientError::TimedOut { .. } => Exit::TimedOut,
        ClientError::Refused { outcome } => refused(*outcome),
        _ => Exit::Failed,
    }
}

fn refused(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::NotPermitted => Exit::NotAllowed,
        Outcome::UnknownTarget => Exit::UnknownName,
        Outcome::TimedOut => Exit::TimedOut,
        Outcome::InvalidManifest => Exit::InvalidManifest,
        _ => Exit::Failed,
    }
}

/// EPERM and EACCES.
fn is_permission(errno: i32) -> bool {
    std::io::Error::from_raw_os_error(errno).kind() == std::io::ErrorKind::PermissionDenied
}
