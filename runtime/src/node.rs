//! One worker's actors in this process: where they run, what is around them, how they stop.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::address::Address;
use crate::args::Args;
use crate::cell::Cell;
use crate::context::{Context, stop};
use crate::credential::Credential;
use crate::dead_letters::DeadLetters;
use crate::executors::Executors;
use crate::family::Family;
use crate::handoff::Handoff;
use crate::hosted::{Hosted, Start};
use crate::introspect::{self, LinkState};
use crate::life::Mortal;
use crate::mailbox::Mailbox;
use crate::name::{ActorName, NameError};
use crate::outcome::Cause;
use crate::progress::{self, Work};
use crate::supervision::MemberTerms;
use crate::supervisor::Answered;
use crate::tally::Tallies;
use crate::workload::Workload;
use bailiwick_core::tree::Restart;
use bailiwick_supervisor::control::Request;
use bailiwick_wire::schema::ProtocolSchema;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};

/// What surrounds a worker's actors: other workers, the supervisor, the sandbox. A worker process and a program
/// in one process each bring their own.
pub(crate) trait Host: Send + Sync {
    /// Resolves `worker[.instance][/actor]` for messages of `protocol`.
    fn peer(&self, name: &str, protocol: &'static ProtocolSchema) -> Result<Address, PeerError>;
    /// Gives the supervisor a descriptor to keep.
    fn keep(&self, name: &str, fd: OwnedFd) -> io::Result<()>;
    /// Returns a duplicate of what is kept for this worker.
    fn kept(&self, name: &str) -> io::Result<OwnedFd>;
    /// Returns a secret of this worker. Without a supervisor there is none.
    fn credential(&self, _name: &str) -> Option<Credential> {
        None
    }
    /// Asks the supervisor.
    fn ask(&self, request: Request) -> BoxFuture<'static, io::Result<Answered>>;
    /// Returns a duplicate of a directory that the sandbox grants.
    fn granted_dir(&self, path: &Path) -> io::Result<OwnedFd>;
    /// An actor has failed and is made anew after a pause.
    fn restarts(&self, _actor: &ActorName, _cause: &Cause, _pause: Duration) {}
    /// Actors without a parent have failed more often than their budget allows; this one was the last to fail.
    fn gave_up(&self, actor: &ActorName, cause: &Cause);
    /// The worker has nothing to do and ends. Without a supervisor nobody minds.
    fn skip(&self) {}
    /// The worker runs well. Without a supervisor nobody minds.
    fn settled(&self) {}
    /// Nothing should be sent to the worker until [`Host::resume`] was called as often. Without a supervisor nobody minds.
    fn pause(&self) {}
    /// Takes back one [`Host::pause`].
    fn resume(&self) {}
    /// The significant ones among the actors without a parent have done their work.
    fn finished(&self);
    /// The worker has just taken the last message of others that this life takes.
    fn spent(&self) {}
    /// Returns how the links to other workers stand. In one process there are none.
    fn links(&self) -> Vec<LinkState> {
        Vec::new()
    }
}

/// The actors of one worker.
pub(crate) struct Node {
    pub(crate) shared: Arc<Shared>,
    executors: Executors,
}

/// What every actor of a worker has at hand.
pub(crate) struct Shared {
    pub(crate) worker: String,
    pub(crate) instance: Option<u16>,
    pub(crate) dead_letters: DeadLetters,
    /// What is counted of its actors, by type.
    pub(crate) tallies: Tallies,
    /// What it has to do for other workers.
    pub(crate) workload: Arc<Workload>,
    /// What an earlier life of the worker has left to this one, and this one leaves to the next.
    pub(crate) handoff: Handoff,
    pub(crate) host: Arc<dyn Host>,
    /// The actors that were declared, in the order of their start. Children are known to their parents.
    actors: Mutex<Vec<Declared>>,
    /// The same, as a family.
    pub(crate) hosted: Arc<Family>,
    /// What the main function spawned.
    pub(crate) spawned: Arc<Family>,
}

/// A declared actor that runs, as peers may address it.
#[derive(Clone)]
pub(crate) struct Declared {
    pub(crate) cell: Arc<Cell>,
    pub(crate) protocols: Vec<&'static ProtocolSchema>,
}

/// What is told of an actor beside its declaration.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) args: Option<Args>,
    pub(crate) mailbox: Option<Mailbox>,
    pub(crate) restart: Option<Restart>,
    pub(crate) significant: bool,
    pub(crate) handoff: bool,
}

/// Why an actor was not started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is an actor of this name already.
    #[error("there is an actor `{name}` already")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The name has characters that names do not have.
    #[error(transparent)]
    BadName(#[from] NameError),
    /// It is significant where that means nothing.
    #[error(
        "the actor `{actor}` cannot be significant: it is permanent and so never ends, or nothing follows from its end; \
         give its parent `until_any_significant` or `until_all_significant`"
    )]
    NeverSignificant {
        /// The actor's name.
        actor: String,
    },
    /// No executor runs on this thread.
    #[error("no executor of actors runs on this thread")]
    NoExecutor,
    /// The thread of a blocking actor could not be started.
    #[error("no thread for the blocking actor `{actor}`")]
    NoThread {
        /// The actor's name.
        actor: String,
        /// The system's answer.
        source: io::Error,
    },
    /// It failed more often than its budget allows before it had started once.
    #[error("the actor `{actor}` did not start: {cause}")]
    DidNotStart {
        /// The actor's name.
        actor: String,
        /// Why it failed the last time.
        cause: Cause,
    },
}

/// Says what to do about a peer that is not granted.
fn advice(name: &str, nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!(", did you mean `{nearest}`?"),
        None => format!(
            "; if there is one, write `.grant(\"{name}\")` in the sandbox or `[[grant]]` in the manifest"
        ),
    }
}

/// Why there is no reference to a peer's actor.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The name is malformed.
    #[error(transparent)]
    BadName(#[from] NameError),
    /// There is no such worker, or nothing grants it.
    #[error("no grant from `{from}` to a worker `{name}`{}", advice(name, nearest.as_deref()))]
    UnknownWorker {
        /// The worker that looks for it.
        from: String,
        /// The name that was asked for.
        name: String,
        /// The nearest name that is granted.
        nearest: Option<String>,
    },
    /// The worker has no such instance.
    #[error("the worker `{worker}` has no instance {instance}")]
    UnknownInstance {
        /// The worker.
        worker: String,
        /// The number that was asked for.
        instance: u16,
    },
    /// The worker has no such actor.
    #[error("the worker `{worker}` has no actor `{name}`{}", nearest.as_ref().map(|n| format!(", did you mean `{n}`?")).unwrap_or_default())]
    UnknownActor {
        /// The worker.
        worker: String,
        /// The name that was asked for.
        name: String,
        /// The nearest name that it has.
        nearest: Option<String>,
    },
    /// No actor, or not the named one, serves the protocol.
    #[error("`{name}` does not serve the protocol `{protocol}`")]
    NotServed {
        /// The worker or actor.
        name: String,
        /// The protocol.
        protocol: String,
    },
    /// Several actors of the worker serve the protocol, so that one must be named.
    #[error("`{worker}` has several actors that serve `{protocol}`, name one: {}", actors.join(", "))]
    Ambiguous {
        /// The worker.
        worker: String,
        /// The protocol.
        protocol: String,
        /// The actors that serve it.
        actors: Vec<String>,
    },
}

/// How the actors of a node end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// At the next await of the message in hand.
    Now,
    /// After the message in hand and those that wait.
    Drained,
}

impl Node {
    /// Makes a node without actors. They run on the thread that hosts them.
    pub(crate) fn new(worker: &str, instance: Option<u16>, host: Arc<dyn Host>) -> Self {
        Self { shared: Arc::new(Shared::new(worker, instance, host)), executors: Executors::default() }
    }

    /// Has the actors that are hosted from now on run on these threads by turns.
    pub(crate) fn run_on(&mut self, executors: Executors) {
        self.executors = executors;
    }

    /// Waits until nothing is left on the threads of the node but on this one. Its actors have ended.
    pub(crate) async fn leave_threads(self) {
        self.executors.end().await;
    }

    /// Starts a declared actor and waits until it has started, so that whoever hears that the worker is ready finds
    /// it.
    ///
    /// `name` and what is told are the manifest's, which go before the declaration.
    pub(crate) async fn host(
        &self,
        hosted: &Hosted,
        name: Option<&str>,
        told: Told,
    ) -> Result<Address, SpawnError> {
        let name = name.map_or_else(|| hosted.actor_name(), ToOwned::to_owned);
        crate::name::check_part(&name)?;
        let Told { args, mailbox, restart, significant, handoff } = told;
        let mailbox = mailbox.or(hosted.mailbox).unwrap_or_default();
        let terms = MemberTerms {
            restart: restart.unwrap_or(hosted.terms.restart),
            significant: significant || hosted.terms.significant,
        };
        let make = if handoff || hosted.handoff { Cell::handing_off } else { Cell::new };
        let cell = make(Arc::clone(&self.shared), &name, hosted.type_name, mailbox);
        // Before anybody can find it, so that nothing newer is there before.
        self.shared.handoff.inherit(&name).into_iter().for_each(|envelope| cell.queue.inherit(envelope));
        self.shared.declare(Declared { cell: Arc::clone(&cell), protocols: hosted.protocols.clone() })?;
        let (started, start) = oneshot::channel();
        let membership = self.shared.hosted.join(&cell, Some(&name), terms)?;
        let place = Mortal { cell: Arc::clone(&cell), membership };
        hosted
            .start_on(&self.executors, Start { cell: Arc::clone(&cell), args, place, born: Some(started) })?;
        start.await.map_err(|_| {
            let cause = cell.ended().unwrap_or(Cause::Stopped);
            SpawnError::DidNotStart { actor: name, cause }
        })?;
        Ok(Address::local(cell))
    }

    /// Starts the actor that looks at the others. It is no sibling of theirs: what they do to each other is nothing to it.
    pub(crate) fn observe(&self) -> Result<Arc<Cell>, SpawnError> {
        let cell = Cell::observer(Arc::clone(&self.shared), introspect::ACTOR);
        introspect::hosted().start_in(&self.shared.spawned, &cell, None)?;
        Ok(cell)
    }

    /// Runs a main function, which is no actor but has an address of its own. All actors are stopped
    /// at its end.
    pub(crate) async fn run_main<T>(&self, main: impl AsyncFnOnce(Context) -> T) -> T {
        let cell = Cell::main(Arc::clone(&self.shared));
        let output = progress::of(&cell, Work::Step("main"), main(Context::of(Arc::clone(&cell)))).await;
        self.stop_within(MAIN_GRACE).await;
        output
    }

    /// Stops what the main function spawned and then all declared actors, the last one first: what came later may need
    /// what was there before. Waits for their end.
    pub(crate) async fn stop(&self, how: Stop) {
        let spawned = self.shared.spawned.close();
        for cell in spawned.into_iter().chain(self.shared.hosted.close()) {
            stop(&cell, how).await;
        }
    }

    /// Lets all actors finish what waits, but no longer than `patience`.
    pub(crate) async fn stop_within(&self, patience: Duration) {
        if timeout(patience, self.stop(Stop::Drained)).await.is_err() {
            self.stop(Stop::Now).await;
        }
    }
}

impl Shared {
    pub(crate) fn new(worker: &str, instance: Option<u16>, host: Arc<dyn Host>) -> Self {
        let (worker, dead_letters) = (worker.to_owned(), DeadLetters::default());
        let (hosted, spawned) = (Family::new(None), Family::new(None));
        let (workload, handoff, tallies) = (Arc::default(), Handoff::default(), Tallies::default());
        Self {
            worker,
            instance,
            dead_letters,
            tallies,
            workload,
            handoff,
            host,
            actors: Mutex::default(),
            hosted,
            spawned,
        }
    }

    /// Makes the surroundings of a context that belongs to no worker.
    pub(crate) fn detached() -> Arc<Self> {
        Arc::new(Self::new("detached", None, Arc::new(Nowhere)))
    }

    /// Returns the declared actors in the order of their start.
    pub(crate) fn declared(&self) -> Vec<Declared> {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn declare(&self, actor: Declared) -> Result<(), SpawnError> {
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        if actors.iter().any(|known| known.cell.path() == actor.cell.path()) {
            return Err(SpawnError::NameTaken { name: actor.cell.path().to_owned() });
        }
        actors.push(actor);
        Ok(())
    }
}

/// How long the actors may go on with what waits after a main function has returned.
const MAIN_GRACE: Duration = Duration::from_secs(1);

/// Surroundings without anything in them.
pub(crate) struct Nowhere;

impl Host for Nowhere {
    fn peer(&self, name: &str, _protocol: &'static ProtocolSchema) -> Result<Address, PeerError> {
        let from = "this process".to_owned();
        Err(PeerError::UnknownWorker { from, name: name.to_owned(), nearest: None })
    }

    fn keep(&self, name: &str, _fd: OwnedFd) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, format!("nobody keeps `{name}` here")))
    }

    fn kept(&self, name: &str) -> io::Result<OwnedFd> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("nothing is kept under `{name}`")))
    }

    fn ask(&self, _request: Request) -> BoxFuture<'static, io::Result<Answered>> {
        let text = "there is no supervisor to ask";
        ready(Err(io::Error::new(io::ErrorKind::Unsupported, text))).boxed()
    }

    /// Without a sandbox every directory that the process may open is as good as granted.
    fn granted_dir(&self, path: &Path) -> io::Result<OwnedFd> {
        std::fs::File::open(path).map(OwnedFd::from)
    }

    fn gave_up(&self, actor: &ActorName, cause: &Cause) {
        tracing::error!(target: "bailiwick::actor", %actor, %cause, "gave up, and nobody is there to tell");
    }

    fn finished(&self) {
        tracing::info!(target: "bailiwick::actor", "all work is done, and nobody is there to tell");
    }
}
