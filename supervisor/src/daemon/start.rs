//! From a specification to a running loop, and from its end to an exit code.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::process::ExitCode;

use bailiwick_core::allowance::Allowance;
use bailiwick_core::berth::Berth;
use bailiwick_core::exit::{Cause, Exit};
use bailiwick_core::reopening::Reopenings;
use bailiwick_core::shelf::Shelf;
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{Config, Outcome, Tree};
use bailiwick_sys::cgroup::Cgroups;
use bailiwick_sys::crash::report_crashes;
use bailiwick_sys::events::{
    Interest, Poller, Signal, Signals, Timer, die_of as die_of_signal, has_terminal, is_ignored,
    monotonic_ns, survive_stray_signals,
};
use bailiwick_sys::guardian::Guardian;
use bailiwick_sys::held_lock::LockError;
use bailiwick_sys::locked_folder::ClaimError;
use bailiwick_sys::notify::Superior;
use bailiwick_sys::open_files::raise_limit;
use bailiwick_sys::remains::Remains;
use bailiwick_sys::replacements::Replacements;
use bailiwick_sys::sink::Sink;
use bailiwick_sys::witness::Witness;
use bailiwick_sys::{Failed, process};
use bailiwick_wire::log::Log;
use thiserror::Error;

use super::child::unborn_all;
use super::crash::{REPORTS_BYTES, REPORTS_EACH};
use super::{BATCH, Daemon, Options};
use crate::broker::lay_out;
use crate::control::Connections;
use crate::digests::Digests;
use crate::logs::Journal;
use crate::roster::Roster;
use crate::sandbox::Prepared;
use crate::spawn::{LaunchError, Launcher};
use crate::spec::{ListenError, System, Unfit};
use crate::state_dir::{Fault, StateDir, StateDirError, default_path, private_path};
use crate::store::Store;
use bailiwick_core::token::Token;

/// A mechanism of the kernel is missing.
const UNAVAILABLE: u8 = 69;
/// Another supervisor holds the state directory.
const BUSY: u8 = 75;
/// What was configured is not acceptable.
const CONFIGURATION: u8 = 78;

/// How long a slow reader of the last lines may hold up the end, in milliseconds.
const LAST_WORDS_MS: u16 = 500;

/// Every signal that the loop takes. The rest keep their meaning.
const SIGNALS: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGCHLD];

/// Runs `system` to its end.
pub(super) fn run(system: System, options: Options) -> ExitCode {
    survive_stray_signals();
    match prepare(system, options) {
        Ok(mut daemon) => {
            let end = daemon.run();
            finish(daemon, end)
        }
        Err(refusal) => {
            eprintln!("bailiwick | {refusal}");
            ExitCode::from(refusal.exit_code())
        }
    }
}

/// Why nothing was started.
#[derive(Debug, Error)]
enum Refusal {
    #[error("the process has more than one thread and cannot supervise")]
    Threads,
    #[error(transparent)]
    Roster(#[from] Unfit),
    #[error(transparent)]
    State(#[from] StateDirError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error(transparent)]
    Kernel(#[from] Failed),
}

impl Refusal {
    fn exit_code(&self) -> u8 {
        match self {
            Self::State(StateDirError {
                fault: Fault::Claim(ClaimError::Lock(LockError::Held { .. })),
                ..
            }) => BUSY,
            Self::Threads | Self::Roster(_) | Self::State(_) | Self::Listen(_) => CONFIGURATION,
            Self::Launch(error) => error.exit_code(),
            Self::Kernel(_) => UNAVAILABLE,
        }
    }
}

fn prepare(system: System, options: Options) -> Result<Daemon, Refusal> {
    process::is_single_threaded().then_some(()).ok_or(Refusal::Threads)?;
    let roster = Roster::new(&system)?;
    let tree =
        Tree::new(roster.config(&system, &Config::default())?).map_err(|error| roster.explain(error))?;
    let (mut state, guardian) = claim(&system, &options)?;
    let connections = Connections::new(state.listen()?);
    raise_limit();
    let mut store = Store::default();
    let strays = store.listen(&system.listeners)?;
    let launcher = Launcher::prepare(&system, &roster, &state)?;
    // The launcher has one that knows the workers as well.
    guardian.dismiss();
    process::adopt_orphans()?;
    report_crashes()?;
    let (signals, timer) = (Signals::take(&taken())?, Timer::new()?);
    let format = options.log_format.or_journald(bailiwick_sys::journal::takes_both_streams());
    let (now, log, native) = (Instant::from_nanos(monotonic_ns()), Log::new(format), format.is_journald());
    let mut daemon = Daemon {
        broker: lay_out(&system, &roster),
        children: unborn_all(&roster, now),
        system,
        roster,
        tree,
        store,
        launcher,
        digests: Digests::default(),
        replacements: Replacements::new().ok(),
        connections,
        orders: Vec::new(),
        happened: Default::default(),
        moves: Default::default(),
        hearings: Default::default(),
        origin: options.manifest,
        reload: None,
        reloads: Allowance::new(10, 5, now),
        crashes: Shelf::new(REPORTS_EACH, REPORTS_BYTES),
        events: Default::default(),
        agenda: Default::default(),
        missing_links: Vec::new(),
        reopenings: Reopenings::default(),
        poller: Poller::new(BATCH)?,
        signals,
        timer,
        retry_at: None,
        journal: Journal { log, stdout: Sink::stdout(native), stderr: Sink::stderr(native) },
        ready: options.ready,
        started_at: now,
        witness: Witness::call(),
        last_signal: None,
        left: None,
        superior: Superior::of_this_process()?,
        has_terminal: has_terminal(),
        state,
    };
    daemon.watch_first()?;
    tell_what_is_odd(&mut daemon, strays);
    daemon.roster.children().flat_map(Berth::both).for_each(|berth| daemon.hash(berth));
    Ok(daemon)
}

/// Returns the signals that are taken. Whoever starts this under `nohup` wants it to outlive the terminal.
fn taken() -> Vec<Signal> {
    SIGNALS.into_iter().filter(|one| *one != Signal::SIGHUP || !is_ignored(*one)).collect()
}

/// Says what the operator should know before anything starts.
fn tell_what_is_odd(daemon: &mut Daemon, strays: Vec<String>) {
    for name in strays {
        daemon.say(&format!("descriptor {name} was passed, and no [[listen]] has its name: closed"));
    }
    let mut missing: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for child in daemon.roster.children() {
        for line in daemon.launcher.prepared(Berth::first(child)).map_or(&[][..], Prepared::missing) {
            missing.entry(line.to_string()).or_default().push(&daemon.roster.seat(child).title);
        }
    }
    let missing = missing.into_iter().map(|(line, titles)| format!("{}: {line}", titles.join(", ")));
    for line in missing.collect::<Vec<_>>() {
        daemon.say(&line);
    }
    for line in Witness::unseen(daemon.witness.as_ref()) {
        daemon.say(line);
    }
    if let Some(pid) = daemon.state.last_died() {
        daemon.alert(None, format!("the supervisor that ran here before, pid {pid}, died"), false, None);
    }
    for line in daemon.state.found().to_vec() {
        daemon.alert(None, line, false, None);
    }
}

/// Takes the state directory, and starts the guardian of what is made until the workers are prepared.
fn claim(system: &System, options: &Options) -> Result<(StateDir, Guardian), Refusal> {
    let guard = |path: &Path, lock: Option<BorrowedFd<'_>>| {
        Guardian::start(&[], lock, &Remains::new(path, lock.is_none(), &Cgroups::around()))
            .map_err(LaunchError::from)
    };
    if options.private_state_dir && system.state_dir.is_none() {
        let path = private_path();
        // Before there is anything of it, its lock included.
        let guardian = guard(&path, None)?;
        return Ok((StateDir::claim_private(&path)?, guardian));
    }
    // Until the lock is taken, what is there may be another's.
    let path = system.state_dir.clone().unwrap_or_else(|| default_path(&system.name));
    let state = StateDir::claim(&path)?;
    let guardian = guard(state.path(), Some(state.lock()))?;
    Ok((state, guardian))
}

/// Gives back what the supervisor held and ends as the machine decided.
fn finish(mut daemon: Daemon, end: Result<Outcome, Failed>) -> ExitCode {
    let code = match end {
        Ok(outcome) => daemon.exit_code(outcome),
        Err(failed) => {
            daemon.warn(&format!("the loop cannot go on: {failed}"));
            Some(UNAVAILABLE)
        }
    };
    daemon.journal.stdout.finish(LAST_WORDS_MS);
    daemon.journal.stderr.finish(LAST_WORDS_MS);
    let forced_by = daemon.last_signal;
    drop(daemon);
    match code {
        Some(code) => ExitCode::from(code),
        None => die_of(forced_by.unwrap_or(Signal::SIGTERM)),
    }
}

/// Dies of a signal, so that whoever started this sees that the stop was forced.
fn die_of(signal: Signal) -> ExitCode {
    // Comes back only if somebody changed the signal's meaning.
    let _ = die_of_signal(signal);
    ExitCode::from(128 + signal as u8)
}

impl Daemon {
    /// Has those wake the loop that do from its first turn on.
    fn watch_first(&self) -> Result<(), Failed> {
        self.watch(&self.signals, Token::Signals, Interest::READ)?;
        self.watch(&self.timer, Token::Timer, Interest::READ)?;
        self.watch(self.connections.listener(), Token::Listener, Interest::READ)?;
        let replacements = self.replacements.as_ref();
        replacements.map_or(Ok(()), |held| self.watch(held, Token::Replacements, Interest::READ))
    }

    /// Returns the exit code of the supervisor; `None` where it dies of a signal.
    fn exit_code(&self, outcome: Outcome) -> Option<u8> {
        let named = self.system.exit_code_from.as_ref().filter(|_| outcome.is_failure());
        let ends = named.into_iter().flat_map(|name| self.roster.instances_of(name));
        // One that was stopped for another's failure does not tell of it.
        let was_told = |cause| matches!(cause, Cause::Stopped | Cause::StopTimeout | Cause::Killed);
        let records = ends.filter_map(|child| self.tree.child(child)?.last());
        let exits = records.filter(|record| !was_told(record.cause)).filter_map(|record| record.exit);
        exits.map(Exit::shell_code).find(|code| *code != 0).or(outcome.exit_code())
    }
}
