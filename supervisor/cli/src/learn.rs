//! `learn`: runs a system with one worker outside of its sandbox, is told every system call of it, and says what of them
//! its sandbox would deny, which paths and ports it would miss, and what it is granted and never used.
//!
//! A tool for development: the worker runs free meanwhile. So the system is one of its own, in a state directory of its
//! own, and it is refused while the manifest's system runs.

mod collector;
mod report;
mod shim;

use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use bailiwick_supervisor::control::{Client, Target, Verb};
use bailiwick_supervisor::manifest::{self, Options};
use bailiwick_supervisor::spec::{Exec, Preset, Worker};
use bailiwick_supervisor::supervise;
use bailiwick_sys::events::{Signal, Signals};

use crate::arguments::{Learn, LearnSupervise};
use crate::declared;
use crate::exit::{Exit, Failure};
use crate::screen::Screen;

pub(crate) use shim::shim;

/// The variable that names the socket of the tool to the process that becomes the worker.
const VARIABLE: &str = "BAILIWICK_LEARN";
/// How long the supervisor may take to answer that it stops.
const PATIENCE: Duration = Duration::from_secs(5);
/// The variable that tells the command where the system keeps its control socket.
const STATE_DIR: &str = "BAILIWICK_STATE_DIR";

pub(crate) fn learn(asked: &Learn, screen: &Screen) -> Result<Exit, Failure> {
    let system = declared::load(&asked.manifest)?;
    let worker = declared::meant(&system, Some(&asked.worker))?[0].clone();
    if worker.command.is_some() || matches!(worker.sandbox.preset, Preset::Exec | Preset::None) {
        return Err(Failure::NothingToLearn { worker: worker.name });
    }
    if Client::connect(&manifest::state_dir(&asked.manifest)?).is_ok() {
        return Err(Failure::Runs);
    }
    let failed = |what: &'static str| move |error| Failure::Learning { what, error };
    let Exec::Path(path) = &worker.exec else { return Err(Failure::NothingToLearn { worker: worker.name }) };
    let executable =
        std::fs::File::open(path).map_err(|error| Failure::File { path: path.clone(), error })?;
    let folder = private_folder().map_err(failed("a folder for its state"))?;
    let name = format!("bailiwick-learn-{}-{}", std::process::id(), random().map_err(failed("a name"))?);
    let address = SocketAddr::from_abstract_name(&name).map_err(failed("a name for a socket"))?;
    let listener = UnixListener::bind_addr(&address).map_err(failed("a socket"))?;
    // An interrupt of the terminal goes to the supervisor as well, which stops in order; until then this goes on.
    let _held = Signals::take(&[Signal::SIGINT, Signal::SIGTERM])
        .map_err(|error| Failure::Learning { what: "signals", error: error.errno.into() })?;
    let collector = collector::Collector::start(listener, executable.into());
    let ended = run(asked, &folder, &name).map_err(failed("the system"));
    let _left_behind = std::fs::remove_dir_all(&folder);
    let status = ended?;
    let learned = collector.finish();
    screen.print(&report::text(&worker, &learned, asked.json, asked.unused));
    if !status {
        screen.say("the system did not stop as it should: what was learned may not be all\n");
    }
    Ok(if learned.lives == 0 { Exit::Failed } else { Exit::Done })
}

/// Runs the system until the command has ended, or until it is stopped; returns whether both ended as they should.
fn run(asked: &Learn, folder: &Path, name: &str) -> std::io::Result<bool> {
    let mut supervisor = Command::new(std::env::current_exe()?);
    supervisor.arg("learn-supervise").arg(&asked.manifest).arg(&asked.worker).arg(name).arg(folder);
    let mut supervisor = supervisor.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut is_ready = String::new();
    if let Some(ready) = supervisor.stdout.take() {
        BufReader::new(ready).read_line(&mut is_ready)?;
    }
    let [program, arguments @ ..] = asked.command.as_slice() else { return Ok(supervisor.wait()?.success()) };
    if is_ready.is_empty() {
        return Ok(supervisor.wait()?.success());
    }
    let done = Command::new(program).args(arguments).env(STATE_DIR, folder).status();
    if let Ok(client) = Client::connect(folder) {
        // If it has stopped by itself, that is what was wanted.
        let _stopped_already = client.order(Verb::ShutDown, Target::System, PATIENCE);
    }
    let ended = supervisor.wait()?;
    Ok(done?.success() && ended.success())
}

/// Supervises the system with the worker outside of its sandbox; a process of its own.
pub(crate) fn supervise_learner(asked: &LearnSupervise) -> ExitCode {
    let options = Options { allow_degraded: true, state_dir: Some(asked.state_dir.clone()) };
    let loaded = match manifest::load(&asked.manifest, &options) {
        Ok(loaded) => loaded,
        Err(found) => {
            eprint!("{}", found.render(false));
            return ExitCode::from(found.exit_code());
        }
    };
    let mut system = loaded.system;
    let Ok(own) = std::env::current_exe() else { return ExitCode::FAILURE };
    for worker in system.workers.iter_mut().filter(|worker| worker.name == asked.worker) {
        free(worker, &own, &asked.socket);
    }
    let ready = std::io::stdout().as_fd().try_clone_to_owned().ok();
    supervise(system, bailiwick_supervisor::Options { ready, ..Default::default() })
}

/// Takes the sandbox from a worker, but not its user and what it is granted, and has it start by way of this program.
fn free(worker: &mut Worker, own: &Path, socket: &str) {
    worker.exec = Exec::Path(own.to_owned());
    worker.environment.insert(VARIABLE.to_owned(), socket.to_owned());
    let sandbox = &mut worker.sandbox;
    sandbox.preset = Preset::None;
    (sandbox.private_mounts, sandbox.private_network) = (None, None);
    (sandbox.private_ipc, sandbox.protect_hostname) = (None, None);
    // Without a sandbox it has to be; as root it has a user of its own all the same.
    worker.privileged = true;
}

fn random() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Makes a folder that nobody else may look into.
fn private_folder() -> std::io::Result<std::path::PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let path = std::env::temp_dir().join(format!("bailiwick-learn-{}", random()?));
    std::fs::DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}
