//! A supervisor in a process of its own, with a folder of its own.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bailiwick_supervisor::control::{Client, ClientError, Outcome, Row, State, Status, Target, Verb};
use bailiwick_wire::crash::Report;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::{Journal, LONGEST, Process, Remains, Watchdog, copy_program};

/// How long an order of an operator may take before the test has failed.
const ORDER: Duration = LONGEST;

/// How many lines of the journal a test that fails leaves.
const TOLD_OF_A_FAILURE: usize = 60;

/// How the names of the folders of tests begin, before the number of the process that makes them.
const FOLDER: &str = "bw";

/// A running supervisor.
#[derive(Debug)]
pub struct Supervised {
    folder: Arc<TempDir>,
    child: Child,
    journal: Journal,
    ended: Option<ExitStatus>,
    /// The supervisor's children that were seen so far, and when each was started. A worker shows what it executes
    /// to root only, so that others know it by its parent, as long as that lives.
    seen: Mutex<BTreeSet<(Process, u64)>>,
}

/// How a supervisor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Supervised {
    /// Makes a folder that holds `executable` under the name `tw`, so that every process of this supervisor can be
    /// told by what it executes.
    ///
    /// # Panics
    /// If there is no place for it.
    pub fn folder(executable: &str) -> TempDir {
        let place = Path::new(executable).parent().expect("an executable is in a folder");
        remove_folders_of_the_dead(place);
        let prefix = format!("{FOLDER}{}-", std::process::id());
        let folder =
            tempfile::Builder::new().prefix(&prefix).tempdir_in(place).expect("the folder can be made");
        let own = folder.path().join("tw");
        if fs::hard_link(executable, &own).is_err() {
            copy_program(executable, &own);
        }
        // Workers under other users look for their files in here.
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
        folder
    }

    /// Runs `bailiwickd` over a manifest, whose workers find `tw` beside it; in it, `FOLDER` is that place.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn manifest(bailiwickd: &str, executable: &str, manifest: &str) -> Self {
        Self::wrapped(&[], bailiwickd, executable, manifest)
    }

    /// Runs `bailiwickd` like [`Self::manifest`], executed by `wrapper`, which is a command line without its end.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn wrapped(wrapper: &[&str], bailiwickd: &str, executable: &str, manifest: &str) -> Self {
        let folder = Self::folder(executable);
        let path = folder.path().join("app.toml");
        let manifest = manifest.replace("FOLDER", &folder.path().display().to_string());
        fs::write(&path, manifest).expect("the manifest can be written");
        // The supervisor is told by what it executes as well.
        let own = folder.path().join("bailiwickd");
        if fs::hard_link(bailiwickd, &own).is_err() {
            copy_program(bailiwickd, &own);
        }
        let mut command = match wrapper {
            [] => Command::new(own),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(own);
                command
            }
        };
        command.arg(path).arg("--state-dir").arg(folder.path().join("state"));
        Self::start(command, folder)
    }

    /// Runs a program as its own supervisor, with these arguments.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn program(executable: &str, arguments: &[&str]) -> Self {
        let folder = Self::folder(executable);
        let mut command = Command::new(folder.path().join("tw"));
        command.args(arguments).env("SHOP_STATE_DIR", folder.path().join("state"));
        Self::start(command, folder)
    }

    /// Starts `command`, all of whose processes execute files in `folder`.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(command: Command, folder: TempDir) -> Self {
        Self::start_in(command, Arc::new(folder))
    }

    /// Starts another one in the folder of this one, which must have ended.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn again(&self, command: Command) -> Self {
        assert!(self.ended.is_some(), "two supervisors in one folder cannot be told apart");
        Self::start_in(command, Arc::clone(&self.folder))
    }

    fn start_in(command: Command, folder: Arc<TempDir>) -> Self {
        let mut command = ended_with_us(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the supervisor can be started");
        let journal = Journal::default();
        journal.follow(child.stdout.take().expect("it was piped"));
        journal.follow(child.stderr.take().expect("it was piped"));
        Self { folder, child, journal, ended: None, seen: Mutex::default() }
    }

    /// Returns what it printed.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Returns the supervisor's own process.
    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Returns the folder that everything of this supervisor is in.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the state directory.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Returns every process that belongs to it, the supervisor itself included.
    pub fn processes(&self) -> Vec<Process> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|(process, born)| process.is_alive() && process.born() == Some(*born));
        if self.ended.is_none() {
            let children = self.process().children().into_iter().filter(|child| child.is_alive());
            seen.extend(children.filter_map(|child| Some((child, child.born()?))));
        }
        let mut found: BTreeSet<_> = seen.iter().map(|(process, _)| *process).collect();
        found.extend(Process::all_below(self.folder.path()));
        found.into_iter().collect()
    }

    /// Returns every process that belongs to it but is not of its own build: workers and their descendants.
    pub fn workers(&self) -> Vec<Process> {
        let own = self.folder.path().join("bailiwickd");
        let is_worker = |process: &Process| match process.executable() {
            Some(executes) => executes != own,
            // It may not be looked at, or has ended and executes nothing any more: then it may have been of the own build.
            None => process.status().contains_key("VmSize"),
        };
        self.processes().into_iter().filter(is_worker).collect()
    }

    /// Connects to its control socket, as soon as there is one.
    ///
    /// # Panics
    /// If there is none in time.
    pub fn control(&self) -> Client {
        self.journal.wait_until("the control socket", |_| {
            assert!(self.process().is_alive(), "the supervisor has ended; so far:\n{}", self.journal);
            Client::connect(&self.state_dir()).ok()
        })
    }

    /// Reports the supervisor and every worker.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn status(&self) -> Status {
        self.control()
            .status()
            .unwrap_or_else(|error| panic!("no status: {error}; so far:\n{}", self.journal))
    }

    /// Reports one instance of one worker; `worker` is its name, or its name, a dot and its number.
    ///
    /// # Panics
    /// If there is none.
    pub fn worker(&self, worker: &str) -> Row {
        let (name, instance) = worker.split_once('.').unwrap_or((worker, "1"));
        let found = |row: &Row| row.name == name && row.instance.to_string() == instance;
        let status = self.status();
        status.workers.into_iter().find(found).unwrap_or_else(|| panic!("there is no worker {worker}"))
    }

    /// Returns the process of a worker.
    ///
    /// # Panics
    /// If it has none.
    pub fn pid(&self, worker: &str) -> Process {
        let row = self.worker(worker);
        Process(
            row.pid.unwrap_or_else(|| panic!("{worker} has no process: {row:?}; so far:\n{}", self.journal)),
        )
    }

    /// Waits until `found` finds what it looks for in the report on a worker.
    ///
    /// # Panics
    /// If the watchdog barks first.
    #[track_caller]
    pub fn wait_for_worker<T>(&self, worker: &str, what: &str, found: impl Fn(&Row) -> Option<T>) -> T {
        self.journal.wait_until(&format!("{worker} to be {what}"), |_| found(&self.worker(worker)))
    }

    /// Waits until a worker is in `state`.
    ///
    /// # Panics
    /// If the watchdog barks first.
    #[track_caller]
    pub fn wait_for_state(&self, worker: &str, state: State) -> Row {
        self.wait_for_worker(worker, &format!("{state:?}"), |row| (row.state == state).then(|| row.clone()))
    }

    /// Waits until a worker's life number `generation` or a later one is ready.
    ///
    /// # Panics
    /// If the watchdog barks first.
    #[track_caller]
    pub fn wait_for_life(&self, worker: &str, generation: u32) -> Row {
        self.wait_for_worker(worker, &format!("ready in its life {generation}"), |row| {
            (row.state == State::Ready && row.generation >= generation).then(|| row.clone())
        })
    }

    /// Writes another manifest in the place of the one that it runs; in it, `FOLDER` is its folder.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn rewrite(&self, manifest: &str) {
        // It answers once it has read the one that it starts with.
        drop(self.control());
        let manifest = manifest.replace("FOLDER", &self.path().display().to_string());
        // In one step, since a reload that was ordered before may read it in this moment.
        let (draft, place) = (self.path().join("app.toml.new"), self.path().join("app.toml"));
        fs::write(&draft, manifest).expect("the manifest can be written");
        fs::rename(draft, place).expect("the manifest can be put into its place");
    }

    /// Has it take up another manifest; returns what it says of that, and what came of it.
    ///
    /// # Panics
    /// If it is silent.
    pub fn reload(&self, verb: Verb, manifest: &str) -> (String, Outcome) {
        self.rewrite(manifest);
        let told = self.control().order_with_words(verb, ORDER);
        told.unwrap_or_else(|error| panic!("no reload: {error}; so far:\n{}", self.journal))
    }

    /// Returns the reports of deaths of a worker, the oldest first.
    ///
    /// # Panics
    /// If the supervisor does not answer.
    pub fn crashes(&self, worker: &str) -> Vec<Report> {
        let reports = self.control().crashes(Target::Worker(worker.to_owned()));
        reports.unwrap_or_else(|error| panic!("no reports on {worker}: {error}; so far:\n{}", self.journal))
    }

    /// Waits until there is a report on the end of a worker's life number `generation`.
    ///
    /// # Panics
    /// If the watchdog barks first.
    #[track_caller]
    pub fn wait_for_crash(&self, worker: &str, generation: u32) -> Report {
        self.journal.wait_until(&format!("a report on {worker}#{generation}"), |_| {
            self.crashes(worker).into_iter().find(|report| report.generation == generation)
        })
    }

    /// Gives an order to a worker and waits until it is carried out.
    ///
    /// # Panics
    /// If the supervisor refuses or is silent.
    pub fn order(&self, verb: Verb, worker: &str) {
        let outcome = self.control().order(verb, Target::Worker(worker.to_owned()), ORDER);
        assert!(
            matches!(outcome, Ok(Outcome::Done)),
            "{verb:?} {worker}: {outcome:?}; so far:\n{}",
            self.journal
        );
    }

    /// Sends the supervisor a signal, after its children were seen.
    pub fn signal(&self, signal: Signal) {
        self.processes();
        self.process().signal(signal);
    }

    /// Waits until the supervisor has ended and everything that it said was read, and returns how it ended.
    ///
    /// # Panics
    /// If it does not in time.
    #[track_caller]
    pub fn wait(&mut self) -> Ended {
        let watchdog = Watchdog::start();
        loop {
            if let Some(status) = self.ended.or_else(|| self.child.try_wait().expect("it is our child")) {
                self.ended = Some(status);
                self.journal.wait_for_end();
                return Ended::of(status);
            }
            assert!(!watchdog.barks(), "the supervisor does not end; so far:\n{}", self.journal);
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Stops everything in order, and asserts that it ended so and that nothing is left.
    ///
    /// # Panics
    /// If it did not, or something is.
    #[track_caller]
    pub fn stop(&mut self) {
        self.processes();
        match self.control().order(Verb::ShutDown, Target::System, ORDER) {
            Ok(Outcome::Done) | Err(ClientError::Closed) => {}
            other => panic!("no ordered stop: {other:?}; so far:\n{}", self.journal),
        }
        assert_eq!(self.wait(), Ended::Code(0), "so far:\n{}", self.journal);
        self.assert_nothing_is_left();
    }

    /// Asserts that no process and no control group of it is left.
    ///
    /// # Panics
    /// If one is.
    #[track_caller]
    pub fn assert_nothing_is_left(&self) {
        let left = self.remains().found();
        assert!(left.is_empty(), "{left:?} are left; so far:\n{}", self.journal);
    }

    /// Returns where to look for what may be left of it.
    pub fn remains(&self) -> Remains {
        Remains::of(self.folder.path(), &self.state_dir())
    }
}

/// Removes what is left of tests that were killed: the kernel ends their processes, and nobody removes their folders.
fn remove_folders_of_the_dead(place: &Path) {
    let is_of_the_dead = |name: &str| {
        let (process, _) = name.strip_prefix(FOLDER)?.split_once('-')?;
        process.parse().ok().map(|process| !Process(process).is_alive())
    };
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        if entry.file_name().to_str().and_then(is_of_the_dead) == Some(true) {
            // Another test may be at it as well.
            let _gone_already = fs::remove_dir_all(entry.path());
        }
    }
}

/// Has the kernel end the supervisor with the thread that starts it: a test that is killed leaves nothing either.
///
/// It starts a session, as what an init starts does: signals to the test do not reach it by chance, and whatever else
/// the session of the test runs does not hold up its workers (see `docs/busy-machines.md`). Its signals have their
/// default meaning: a shell that runs the tests in the background has the interrupt ignored by all that it starts.
fn ended_with_us(command: Command) -> Command {
    let mut ended = Command::new("setsid");
    ended
        .args(["env", "--default-signal", "setpriv", "--pdeathsig", "KILL"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => ended.env(name, value),
            None => ended.env_remove(name),
        };
    }
    ended
}

impl Ended {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            // What failed is often told here only: by whom a worker was killed, and for what.
            eprintln!(
                "the end of what {} said:\n{}",
                self.path().display(),
                self.journal.end(TOLD_OF_A_FAILURE)
            );
        }
        self.remains().clear();
    }
}
