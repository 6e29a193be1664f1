//! Workers and groups as a program declares them.

use std::path::Path;
use std::time::Duration;

use bailiwick_supervisor::spec;
use bailiwick_wire::slate::THREADS;
use serde::Serialize;

use crate::hosted::Hosted;
use crate::sandbox::{Grant, Sandbox};
use crate::supervision::Supervision;

/// One worker of a [`Program`](crate::Program): a process, or several alike, with its actors.
///
/// ```
/// use bailiwick::prelude::*;
/// use bailiwick::Worker;
///
/// # #[protocol] pub trait Greeter { async fn greet(&mut self, name: String) -> String; }
/// # struct Polite;
/// # impl Greeter for Polite {
/// #     async fn greet(&mut self, name: String) -> String { name }
/// # }
/// let worker = Worker::new("greeter", Sandbox::sealed())
///     .instances(2)
///     .serve(GreeterRef::serve(|| Polite));
/// # let _ = worker;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a worker does nothing until it is added to a program"]
pub struct Worker {
    spec: spec::Worker,
    sandbox: Sandbox,
    actors: Vec<Hosted>,
    /// The arguments of each actor, as a manifest would have them.
    args: Vec<Option<String>>,
    faults: Vec<String>,
}

impl Worker {
    /// Returns a worker without actors.
    pub fn new(name: impl Into<String>, sandbox: Sandbox) -> Self {
        let spec = spec::Worker::new(name, spec::Exec::Own);
        Self { spec, sandbox, actors: Vec::new(), args: Vec::new(), faults: Vec::new() }
    }

    pub(super) fn main(name: impl Into<String>, sandbox: Sandbox) -> Self {
        let mut worker = Self::new(name, sandbox);
        worker.spec.kind = spec::Kind::Main;
        worker.spec.restart = spec::RestartType::Transient;
        worker.spec.essential = true;
        worker
    }

    /// Adds an actor.
    pub fn serve(mut self, actor: impl Into<Hosted>) -> Self {
        self.actors.push(actor.into());
        self.args.push(None);
        self
    }

    /// Adds an actor whose factory takes these arguments: the factory runs in the worker, which knows nothing of
    /// the program's own command line. The actor is declared `.with_args::<T>()`, as it is for a manifest.
    pub fn serve_with(mut self, actor: impl Into<Hosted>, args: &impl Serialize) -> Self {
        let actor = actor.into();
        let mut text = String::new();
        if let Err(error) = args.serialize(toml::ser::ValueSerializer::new(&mut text)) {
            let (worker, actor) = (&self.spec.name, actor.actor_name());
            self.faults.push(format!("the arguments of `{worker}/{actor}` cannot be written down: {error}"));
        }
        self.actors.push(actor);
        self.args.push(Some(text));
        self
    }

    /// Hands it the secret that `path` holds, under `name`; see [`Context::credential`](crate::Context::credential).
    pub fn credential(mut self, name: impl Into<String>, path: impl AsRef<Path>) -> Self {
        self.spec.credentials.insert(name.into(), path.as_ref().to_owned());
        self
    }

    /// Passes it this variable of the program's environment.
    pub fn pass_environment(mut self, name: impl Into<String>) -> Self {
        self.spec.pass_environment.push(name.into());
        self
    }

    /// Runs this many processes of it.
    pub fn instances(mut self, instances: u16) -> Self {
        self.spec.instances = instances;
        self
    }

    /// It is done, and ends with success, when its actors have started.
    pub fn oneshot(mut self) -> Self {
        self.spec.kind = spec::Kind::Oneshot;
        self.spec.restart = spec::RestartType::Transient;
        self
    }

    /// Starts after the worker of this name is ready, or done if it is a oneshot.
    pub fn needs(mut self, worker: impl Into<String>) -> Self {
        self.spec.needs.push(worker.into());
        self
    }

    /// Is handed the descriptor that a worker which it needs keeps under this name.
    pub fn kept(mut self, name: impl Into<String>) -> Self {
        self.spec.kept.push(name.into());
        self
    }

    /// Is restarted only after a failure.
    pub fn transient(mut self) -> Self {
        self.spec.restart = spec::RestartType::Transient;
        self
    }

    /// Is never restarted.
    pub fn temporary(mut self) -> Self {
        self.spec.restart = spec::RestartType::Temporary;
        self
    }

    /// Starts when somebody sends to it, and not before; the message waits for that within its deadline.
    pub fn on_demand(mut self) -> Self {
        self.spec.start = spec::Start::OnDemand;
        self
    }

    /// Stops, if it [starts on demand](Worker::on_demand), when no message has come for so long and none is being handled.
    pub fn idle_stop(mut self, idle: Duration) -> Self {
        self.spec.idle_stop = idle;
        self
    }

    /// Takes so many messages of other workers in one life, at least 1; then a fresh process takes its place. That charges
    /// no budget, and loses no ask.
    pub fn max_messages(mut self, messages: u32) -> Self {
        self.spec.max_messages = messages.max(1);
        self
    }

    /// Lives so long at most, and at least three quarters of that; then a fresh process takes its place.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.spec.max_age = age;
        self
    }

    /// Runs its actors on so many threads, 1 to 8: each actor lives on one of them, its children beside it. The actors come to
    /// them in turn, in the order in which they were added, the first to the thread that also does the work of links. One that
    /// is [blocking](crate::Served::blocking) has a thread of its own in any case.
    pub fn threads(mut self, threads: u8) -> Self {
        self.spec.threads = threads.clamp(1, THREADS);
        self
    }

    /// Keeps a process waiting that becomes the next life, so that a fresh one costs no time: it is made and sandboxed, and
    /// no code of its actors runs before its turn. As root it has another user than the present life: what one writes to
    /// granted paths the next can only read as far as everybody may, unless a [user](Sandbox::user) is named.
    pub fn spare(mut self) -> Self {
        self.spec.spares = 1;
        self
    }

    /// Stops the whole program with exit code 3 if it is given up. A worker that holds no privilege needs
    /// [`Worker::crash_may_stop_all`] as well.
    pub fn essential(mut self) -> Self {
        self.spec.essential = true;
        self
    }

    /// Accepts in writing that its crashes, though it holds no privilege, may stop others: because it is
    /// [essential](Worker::essential), or its group [escalates](Group::or_escalate).
    pub fn crash_may_stop_all(mut self) -> Self {
        self.spec.crash_may_stop_all = true;
        self
    }

    /// Supervises its actors in this way. More failures than that end the worker with exit code 81, which is a failure
    /// of the worker.
    pub fn supervise(mut self, supervision: Supervision) -> Self {
        self.spec.actor_terms = supervision.terms;
        self
    }

    /// Lets so much wait with each sender while it is down: messages, and bytes of payload. Otherwise it is a thousand
    /// messages and one MiB; no messages is to refuse them.
    pub fn while_down(mut self, messages: u32, bytes: u32) -> Self {
        self.spec.while_down = spec::WhileDown { messages, bytes };
        self
    }

    /// Belongs to this group, whose restart budget it shares.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.spec.group = Some(group.into());
        self
    }

    /// Pauses like this before each restart: `base` before the second in a row, doubled from one to the next, at
    /// most `cap`. The first is immediate.
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.spec.backoff = spec::Backoff { base, cap, ..spec::Backoff::default() };
        self
    }

    /// Has to be ready this long after its start.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.spec.start_timeout = timeout;
        self
    }

    /// Is killed this long after it was told to stop.
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.spec.stop_timeout = timeout;
        self
    }

    /// Is told to stop at the latest this long after it was told to drain.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.spec.drain_timeout = timeout;
        self
    }

    /// Has this variable in its environment, which is built from nothing.
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.spec.environment.insert(name.into(), value.into());
        self
    }

    pub(super) fn is_main(&self) -> bool {
        self.spec.kind == spec::Kind::Main
    }

    pub(super) fn name(&self) -> &str {
        &self.spec.name
    }

    /// Returns what cannot be, found while it was declared.
    pub(super) fn faults(&self) -> &[String] {
        &self.faults
    }

    pub(super) fn actors(&self) -> &[Hosted] {
        &self.actors
    }

    /// Returns the actors under the names by which the process that runs them finds them again.
    pub(super) fn types(&self) -> impl Iterator<Item = (String, &Hosted)> {
        self.actors.iter().map(|hosted| (self.type_name(hosted), hosted))
    }

    pub(super) fn grants(&self) -> impl Iterator<Item = spec::Grant> {
        let of = |grant: &Grant| spec::Grant { from: self.spec.name.clone(), ..grant.spec.clone() };
        self.sandbox.grants.iter().map(of)
    }

    /// Returns what is to be supervised. Relative paths start at `here`, where the worker starts too.
    pub(super) fn to_spec(&self, here: &Path) -> spec::Worker {
        let mut sandbox = self.sandbox.spec.clone();
        let granted = sandbox.read_only_paths.iter_mut().chain(&mut sandbox.read_write_paths);
        let executed = sandbox.exec_paths.iter_mut().chain(&mut sandbox.no_exec_paths);
        for path in granted.chain(&mut sandbox.inaccessible_paths).chain(executed) {
            *path = here.join(&path);
        }
        let view = &mut sandbox.view;
        let bound = view.binds.iter_mut().chain(&mut view.read_only_binds).map(|bind| &mut bind.from);
        for path in bound.chain(&mut view.root_directory) {
            *path = here.join(&path);
        }
        let actor = |(hosted, args): (&Hosted, &Option<String>)| spec::Actor {
            name: hosted.actor_name(),
            type_name: self.type_name(hosted),
            // No manifest has a line 0.
            args: args.clone().map(|text| spec::Args { text, line: 0 }),
            mailbox: declared(hosted),
            restart: None,
            significant: false,
            handoff: hosted.handoff,
        };
        spec::Worker {
            actors: self.actors.iter().zip(&self.args).map(actor).collect(),
            privileged: self.sandbox.privileged,
            trust_domain: self.sandbox.trust_domain.clone(),
            may: self.sandbox.may.clone(),
            working_directory: Some(here.to_owned()),
            credentials: self
                .spec
                .credentials
                .iter()
                .map(|(name, path)| (name.clone(), here.join(path)))
                .collect(),
            sandbox,
            ..self.spec.clone()
        }
    }

    fn type_name(&self, hosted: &Hosted) -> String {
        format!("{}/{}", self.spec.name, hosted.actor_name())
    }
}

/// Returns what senders have to know of a mailbox before there is a link: the rest is its worker's.
fn declared(hosted: &Hosted) -> spec::Mailbox {
    let bounds = spec::Mailbox::default();
    let is_rendezvous = hosted.mailbox.is_some_and(|mailbox| mailbox.is_rendezvous());
    spec::Mailbox { capacity: if is_rendezvous { 0 } else { bounds.capacity }, ..bounds }
}

/// Workers that share a restart budget.
///
/// ```
/// use bailiwick::prelude::*;
/// use bailiwick::{Group, Worker};
/// use std::time::Duration;
///
/// # #[protocol] pub trait Greeter { async fn greet(&mut self, name: String) -> String; }
/// # struct Polite;
/// # impl Greeter for Polite { async fn greet(&mut self, name: String) -> String { name } }
/// let program = Program::new()
///     .group(Group::new("guests").budget(3, Duration::from_secs(10)).or_fail())
///     .add(Worker::new("greeter", Sandbox::sealed()).group("guests").serve(GreeterRef::serve(|| Polite)));
/// # let _ = program;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a group does nothing until it is added to a program"]
pub struct Group {
    spec: spec::Group,
}

impl Group {
    /// Returns a group that may fail five times in 30 seconds before it is restarted only rarely.
    pub fn new(name: impl Into<String>) -> Self {
        Self { spec: spec::Group::new(name) }
    }

    /// May fail this often within this time.
    pub fn budget(mut self, max_restarts: u32, period: Duration) -> Self {
        self.spec.max_restarts = max_restarts;
        self.spec.period = period;
        self
    }

    /// Gives a worker up when the budget is spent, instead of restarting it rarely.
    pub fn or_fail(mut self) -> Self {
        self.spec.on_exhausted = spec::OnExhausted::Fail;
        self
    }

    /// Stops the group when the budget is spent, and lets the enclosing one decide.
    pub fn or_escalate(mut self) -> Self {
        self.spec.on_exhausted = spec::OnExhausted::Escalate;
        self
    }

    /// Belongs to another group.
    pub fn within(mut self, parent: impl Into<String>) -> Self {
        self.spec.parent = Some(parent.into());
        self
    }

    pub(super) fn to_spec(&self) -> spec::Group {
        self.spec.clone()
    }
}
