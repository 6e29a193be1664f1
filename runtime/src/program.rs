//! A program that is its own supervisor: run plainly it supervises, executed again with a role it is a worker.

mod declare;
mod local;
mod wiring;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bailiwick_supervisor::{Options, spec, supervise};

pub use declare::{Group, Worker};
pub use local::LocalError;

use crate::context::Context;
use crate::error::ActorError;
use crate::hosted::Hosted;
use crate::registry::Registry;
use crate::sandbox::Sandbox;
use crate::worker;

/// The executable was called in a way that makes no sense.
const USAGE: u8 = 64;
/// What the program declares cannot be.
const CONFIGURATION: u8 = 78;

/// The workers of a program, what each may do, and who may send what to whom.
///
/// What stands in `main` before [`Program::run`] runs in the supervisor and in every worker.
///
/// ```no_run
/// use bailiwick::prelude::*;
/// use std::{process::ExitCode, time::Duration};
///
/// #[protocol]
/// pub trait Greeter {
///     async fn greet(&mut self, name: String) -> String;
/// }
///
/// struct Polite;
///
/// impl Greeter for Polite {
///     async fn greet(&mut self, name: String) -> String {
///         format!("good day, {name}")
///     }
/// }
///
/// async fn front(cx: Context) -> Result<(), ActorError> {
///     let greeter: GreeterRef = cx.peer("greeter")?;
///     println!("{}", greeter.greet("Ann".into()).ask(Duration::from_secs(1)).await?);
///     Ok(())
/// }
///
/// fn main() -> ExitCode {
///     Program::new()
///         .worker("greeter", Sandbox::sealed(), GreeterRef::serve(|| Polite))
///         .main("front", Sandbox::sealed().grant("greeter"), front)
///         .run()
/// }
/// ```
#[derive(Default)]
#[must_use = "a program does nothing until it is run"]
pub struct Program {
    name: Option<String>,
    state_dir: Option<PathBuf>,
    allow_degraded: bool,
    groups: Vec<Group>,
    workers: Vec<Worker>,
    registry: Registry,
    /// What cannot be, found while it was declared.
    faults: Vec<String>,
}

impl Program {
    /// Returns a program without workers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns whether this process was started as a worker. What only the supervisor needs, such as to read the
    /// command line or to make a folder, can then be left out before [`Program::run`].
    #[must_use]
    pub fn is_worker() -> bool {
        worker::role().is_some()
    }

    /// Names the system; otherwise it is named after the executable.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Keeps the lock and the control socket there, so that a second run is refused and the command line finds the
    /// first; otherwise in a private folder that is removed at the end.
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// Starts although this machine lacks a part of a sandbox.
    pub fn allow_degraded(mut self) -> Self {
        self.allow_degraded = true;
        self
    }

    /// Adds a group of workers that share a restart budget.
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        self
    }

    /// Adds a worker that hosts one actor.
    pub fn worker(self, name: impl Into<String>, sandbox: Sandbox, actor: impl Into<Hosted>) -> Self {
        self.add(Worker::new(name, sandbox).serve(actor))
    }

    /// Adds a worker.
    #[allow(clippy::should_implement_trait)] // A builder adds; nobody adds programs up.
    pub fn add(mut self, worker: Worker) -> Self {
        for (type_name, hosted) in worker.types() {
            // Two of one name are two workers or two actors of one name, which is said when the program runs.
            self.registry.add(&type_name, hosted.clone());
        }
        self.faults.extend_from_slice(worker.faults());
        self.workers.push(worker);
        self
    }

    /// Adds the worker whose end is the program's: when `main` returns, everything is stopped in order, and the
    /// exit code is 0 after `Ok` and 1 after an error, which is printed with its causes.
    pub fn main<F>(mut self, name: impl Into<String>, sandbox: Sandbox, main: F) -> Self
    where
        F: AsyncFnOnce(Context) -> Result<(), ActorError> + 'static,
    {
        if self.workers.iter().any(Worker::is_main) {
            self.faults.push("a program has one main function, this one has two".to_owned());
        }
        self.registry.set_main(Box::new(|cx| Box::pin(main(cx))));
        self.add(Worker::main(name, sandbox))
    }

    /// Makes an actor available to manifests under `type_name`. An executable that has such actors and no workers
    /// is run by `bailiwick run`.
    ///
    /// ```no_run
    /// use bailiwick::prelude::*;
    /// use std::process::ExitCode;
    ///
    /// # #[protocol] pub trait Greeter { async fn greet(&mut self, name: String) -> String; }
    /// # struct Polite;
    /// # impl Greeter for Polite { async fn greet(&mut self, name: String) -> String { name } }
    /// fn main() -> ExitCode {
    ///     Program::new().register("Polite", GreeterRef::serve(|| Polite)).run()
    /// }
    /// ```
    pub fn register(mut self, type_name: impl Into<String>, actor: impl Into<Hosted>) -> Self {
        let type_name = type_name.into();
        if !self.registry.add(&type_name, actor.into()) {
            self.faults.push(format!("two actors are registered as `{type_name}`"));
        }
        self
    }

    /// Supervises the workers until `main` has returned, or until it is told to stop, and returns the exit code.
    ///
    /// In a process that was started as a worker it plays that role instead. Blocks in either case.
    ///
    /// To be called from a plain `fn main`, before any thread is started and outside of any async runtime: else it
    /// says so and returns 78, as it does for whatever is wrong with the declarations (69 where only the machine
    /// lacks something). Otherwise the code is 0 after an ordered stop, 1 after an error of `main`, 3 when an
    /// essential worker was given up.
    pub fn run(self) -> ExitCode {
        if tokio::runtime::Handle::try_current().is_ok() {
            eprintln!(
                "error: Program::run was called within an async runtime, where it cannot start its own; \
                 call it from a plain `fn main`, not from #[tokio::main]"
            );
            return ExitCode::from(CONFIGURATION);
        }
        if let Some(role) = worker::role() {
            return worker::run(&role, self.registry);
        }
        if self.workers.is_empty() {
            return self.explain();
        }
        let system = match self.system() {
            Ok(system) => system,
            Err(refusal) => {
                eprint!("{}", refusal.text);
                return ExitCode::from(refusal.exit_code);
            }
        };
        if !bailiwick_sys::process::is_single_threaded() {
            eprintln!(
                "error: this process has more than one thread already, so it cannot fork workers safely; \
                 call Program::run before any thread is started"
            );
            return ExitCode::from(CONFIGURATION);
        }
        let private_state_dir = system.state_dir.is_none();
        supervise(system, Options { private_state_dir, ..Options::default() })
    }

    /// Says how an executable is used that only holds actors for manifests.
    fn explain(self) -> ExitCode {
        let types: Vec<_> = self.registry.types().map(|(name, _)| name).collect();
        if types.is_empty() {
            eprintln!("this program declares no workers");
        } else {
            eprintln!(
                "this executable holds actors for a manifest; name it as `exec` there and start it with \
                 `bailiwick run`\nactor types: {}",
                types.join(", ")
            );
        }
        ExitCode::from(USAGE)
    }

    /// Returns what is to be supervised, or everything that is wrong with it.
    fn system(&self) -> Result<spec::System, wiring::Refusal> {
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let mut system = spec::System {
            name: self.name.clone().unwrap_or_else(own_name),
            state_dir: self.state_dir.as_ref().map(|path| here.join(path)),
            groups: self.groups.iter().map(Group::to_spec).collect(),
            shutdown_timeout: Duration::from_secs(60),
            allow_degraded: self.allow_degraded,
            ..spec::System::default()
        };
        for worker in &self.workers {
            system.workers.push(worker.to_spec(&here));
            system.grants.extend(worker.grants());
        }
        let mut faults = self.faults.clone();
        faults.extend(wiring::faults(&system, &self.workers));
        wiring::verdict(&system, faults).map(|()| system)
    }
}

/// Returns the name of the executable, without its folder.
fn own_name() -> String {
    let path = std::env::current_exe().ok();
    let name = path.as_ref().and_then(|path| path.file_stem()).and_then(|name| name.to_str());
    name.unwrap_or("program").to_owned()
}
