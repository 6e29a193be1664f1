//! A worker process, seen from inside: from the supervisor's first packet to the exit code.
//!
//! The order of the start is fixed: everything is read and the sandbox is complete before a thread exists,
//! and the supervisor's `Go` comes before any code of the user runs. Afterwards one task obeys the supervisor
//! while the actors run; when the supervisor is gone, so is the worker, within [`ORPHAN_GRACE`].

mod changes;
mod control;
mod describe;
mod host;
mod line;
mod obey;
mod readiness;
mod unread;
mod work;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bailiwick_sys::Failed;
use bailiwick_sys::backtrace;
use bailiwick_sys::confine::{ConfineError, StageB};
use bailiwick_sys::events::{Signal, Signals, bear_file_limits};
use bailiwick_sys::memory::{MemoryError, SealedMemory};
use bailiwick_sys::seccomp::{Filter, FilterError};
use bailiwick_sys::slate;
use bailiwick_wire::backtraces;
use bailiwick_wire::bootstrap::Bootstrap;
use bailiwick_wire::codec::EncodeError;
use bailiwick_wire::control::ToSupervisor;
use bailiwick_wire::slate::SLATE_BYTES;
use thiserror::Error;

use crate::credential::Credential;
use crate::executor::{Executor, Role};
use crate::last_words;
use crate::log;
use crate::node::SpawnError;
use crate::progress;
use crate::registry::Registry;
use line::{Line, LineError};

/// The variable that tells a process that it is a worker.
const ROLE: &str = "BAILIWICK_ROLE";

/// How long an orphaned worker may take to finish what it had begun.
const ORPHAN_GRACE: Duration = Duration::from_secs(2);

/// An actor has given up, and with it the worker.
const ESCALATED: u8 = 81;
/// What the worker was told to be, it cannot be.
const CONFIGURATION: u8 = 78;
/// The executable was called in a way that makes no sense.
const USAGE: u8 = 64;
/// The kernel or the supervisor did not give what was needed.
const UNAVAILABLE: u8 = 69;

/// Why a worker ends before it has begun.
#[derive(Debug, Error)]
enum StartError {
    #[error("{ROLE} is set and descriptor 3 is no supervisor's: a worker is started by a supervisor only")]
    NoSupervisor,
    #[error("unknown role {role:?} in {ROLE}")]
    UnknownRole { role: String },
    #[error(transparent)]
    Line(#[from] LineError),
    #[error(transparent)]
    Kernel(#[from] Failed),
    #[error("the system call filter is damaged: {0}")]
    Filter(#[from] FilterError),
    #[error("{announced} descriptors are announced at the start, {found} came")]
    Attached { announced: usize, found: usize },
    #[error("a credential cannot be taken: {0}")]
    Credential(#[from] MemoryError),
    #[error("the sandbox could not be completed: {0}")]
    Confine(#[from] ConfineError),
    #[error("no thread or no event queue for an executor: {0}")]
    Executor(#[from] std::io::Error),
    #[error("no actor is registered as `{type_name}`{hint}; there are: {known}")]
    UnknownType { type_name: String, hint: String, known: String },
    #[error("this executable has no main function")]
    NoMain,
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error("the description of this executable: {0}")]
    Description(#[from] Box<EncodeError>),
}

impl StartError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::NoSupervisor | Self::UnknownRole { .. } => USAGE,
            Self::UnknownType { .. } | Self::NoMain | Self::Description(_) => CONFIGURATION,
            Self::Spawn(SpawnError::DidNotStart { .. }) => ESCALATED,
            Self::Spawn(_) => CONFIGURATION,
            Self::Line(_)
            | Self::Kernel(_)
            | Self::Filter(_)
            | Self::Attached { .. }
            | Self::Credential(_)
            | Self::Confine(_)
            | Self::Executor(_) => UNAVAILABLE,
        }
    }
}

/// Returns the role that the environment gives to this process, if it gives one.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Plays the role. Returns when the process is to end.
pub(crate) fn run(role: &str, registry: Registry) -> ExitCode {
    let played = match (role, Line::take()) {
        ("worker", Some(line)) => work(line, registry),
        ("describe", Some(line)) => describe::describe(&line, &registry),
        ("worker" | "describe", None) => Err(StartError::NoSupervisor),
        (role, _) => Err(StartError::UnknownRole { role: role.to_owned() }),
    };
    match played {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn work(line: Line, registry: Registry) -> Result<ExitCode, StartError> {
    let (bootstrap, attached) = line.bootstrap()?;
    log::listen(&match bootstrap.instances {
        0 | 1 => bootstrap.worker.clone(),
        _ => format!("{}.{}", bootstrap.worker, bootstrap.instance),
    });
    let signals = Signals::take(&[Signal::SIGTERM])?;
    bear_file_limits();
    let given = confine(&bootstrap, attached)?;
    line.report(&ToSupervisor::Confined, None)?;
    let (early, threads) = line.until_go().unwrap_or_else(|error| leave(&error.into()));
    threads.into_iter().for_each(backtrace::list_threads_by);
    let executor = Executor::new(Role::Shared)?;
    let (line, start) = (Arc::new(line), work::Start { bootstrap, given, early });
    let ended = executor.run(work::run(line, signals, start, registry))?;
    match ended {
        // Whoever sent the signal, it was not the supervisor: it is to see that the signal was obeyed.
        work::Ended::BySignal => Ok(die_of_sigterm()),
        work::Ended::WithCode(code) => Ok(ExitCode::from(code)),
    }
}

/// Ends the process with all that it holds, which the supervisor counts just then.
fn leave(error: &StartError) -> ! {
    eprintln!("{error}");
    std::process::exit(error.exit_code().into())
}

/// What the supervisor gave to this worker alone.
struct Given {
    /// The memory on which its threads leave what they do.
    slate: Option<&'static [AtomicU64]>,
    /// The paths that it is granted, open.
    granted: BTreeMap<PathBuf, OwnedFd>,
    /// Its secrets, by name.
    credentials: BTreeMap<String, Credential>,
}

/// Completes the sandbox and returns what came with it. There is one thread still, and no code of the user has run
/// beyond `main`'s beginning.
fn confine(bootstrap: &Bootstrap, mut attached: Vec<OwnedFd>) -> Result<Given, StartError> {
    let confinement = &bootstrap.confinement;
    let around = usize::from(confinement.ruleset) + usize::from(bootstrap.slate);
    let announced = around + bootstrap.granted.len() + bootstrap.credentials.len();
    if attached.len() != announced {
        return Err(StartError::Attached { announced, found: attached.len() });
    }
    let mut polls = None;
    if let Some(slate) = attached.pop_if(|_| bootstrap.slate) {
        let slate = slate::map(slate.as_fd(), SLATE_BYTES)?;
        progress::write_to(slate, 0);
        // Before the sandbox, which may forbid what this takes.
        backtraces::place(slate).map_or(Ok(()), backtrace::leave_in)?;
        last_words::write_to(slate);
        polls = Some(slate);
    }
    let mut granted = attached.split_off(usize::from(confinement.ruleset));
    let secrets = granted.split_off(bootstrap.granted.len());
    let secrets = secrets.iter().map(|memory| credential(memory.as_fd())).collect::<Result<Vec<_>, _>>()?;
    let filter = confinement.filter.as_deref().map(Filter::from_bytes).transpose()?;
    let stage = StageB {
        dumpable: confinement.dumpable,
        ruleset: attached.first().map(AsFd::as_fd),
        filter: filter.as_ref(),
    };
    stage.enter()?;
    Ok(Given {
        slate: polls,
        granted: bootstrap.granted.iter().map(PathBuf::from).zip(granted).collect(),
        credentials: bootstrap.credentials.iter().cloned().zip(secrets).collect(),
    })
}

/// Maps a secret, whose descriptor is then not needed any more.
fn credential(memory: BorrowedFd<'_>) -> Result<Credential, StartError> {
    let memory = SealedMemory::map(memory, u64::MAX)?;
    memory.keep_out_of_cores()?;
    Ok(Credential::new(memory))
}

/// Ends the process by SIGTERM with its default meaning.
fn die_of_sigterm() -> ExitCode {
    if let Err(failed) = bailiwick_sys::events::die_of(Signal::SIGTERM) {
        eprintln!("{failed}");
    }
    ExitCode::from(128 + Signal::SIGTERM as u8)
}
