//! What surrounds the actors of a worker process.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bailiwick_supervisor::control::Request;
use bailiwick_wire::bootstrap;
use bailiwick_wire::control::{CONTROL_NAME, HANDOFF_NAME, ToSupervisor};
use bailiwick_wire::schema::ProtocolSchema;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Given;
use super::changes::Changes;
use super::control::Control;
use super::line::{Line, LineError};
use super::readiness::{Readiness, Said};
use crate::address::Address;
use crate::credential::Credential;
use crate::escalation::chain;
use crate::introspect::LinkState;
use crate::link::peers::Peers;
use crate::name::ActorName;
use crate::node::{Host, PeerError};
use crate::outcome::Cause;
use crate::supervisor::Answered;

/// How the actors of a worker end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// They have done their work.
    Finished,
    /// They failed more often than their budget allows.
    GaveUp,
}

/// The surroundings that a supervisor provides.
pub(crate) struct WorkerHost {
    peers: Peers,
    line: Arc<Line>,
    granted: BTreeMap<PathBuf, OwnedFd>,
    credentials: BTreeMap<String, Credential>,
    kept: Mutex<BTreeMap<String, OwnedFd>>,
    control: Arc<Control>,
    over: watch::Sender<Option<Over>>,
    skipped: AtomicBool,
    spent: watch::Sender<bool>,
    changes: Changes,
    readiness: Mutex<Readiness>,
    /// Whether a life may come after this one, once the supervisor has said so.
    next: watch::Sender<Option<bool>>,
}

impl WorkerHost {
    pub(super) fn new(peers: Peers, given: Given, line: Arc<Line>) -> Self {
        let Given { granted, credentials, slate: _ } = given;
        Self {
            peers,
            line,
            granted,
            credentials,
            kept: Mutex::default(),
            control: Control::new(),
            over: watch::Sender::new(None),
            skipped: AtomicBool::new(false),
            spent: watch::Sender::new(false),
            changes: Changes::default(),
            readiness: Mutex::default(),
            next: watch::Sender::new(None),
        }
    }

    /// Notes whether a life may come after this one.
    pub(super) fn told_of_next(&self, is_to_come: bool) {
        self.next.send_replace(Some(is_to_come));
    }

    /// Returns whether a life may come after this one. An order to stop says so, and may be read after the signal that comes with
    /// it; a signal of somebody else's comes without, and the worker is judged as ever.
    pub(super) async fn has_next(&self) -> bool {
        let mut next = self.next.subscribe();
        let told = timeout(WORD_LIMIT, next.wait_for(Option::is_some)).await;
        told.ok().and_then(Result::ok).and_then(|told| *told).unwrap_or(true)
    }

    /// Has the supervisor keep what this life leaves unread to the next.
    pub(super) fn hand_off(&self, memory: &OwnedFd) -> Result<(), LineError> {
        self.line.report(&ToSupervisor::Keep { name: HANDOFF_NAME.to_owned() }, Some(memory.as_fd()))
    }

    /// Tells the supervisor that nothing is left of what an earlier life has left.
    pub(super) fn has_inherited(&self) {
        self.tell(&ToSupervisor::Discard { name: HANDOFF_NAME.to_owned() });
    }

    /// Takes a descriptor that the supervisor keeps for this worker, or that leads to it.
    pub(crate) fn give_kept(&self, name: String, fd: OwnedFd) {
        match name.as_str() {
            // What was left unread is taken before any actor is there, or not at all.
            HANDOFF_NAME => {}
            CONTROL_NAME => self.control.add(fd),
            _ => _ = lock(&self.kept).insert(name, fd),
        }
    }

    /// Says something that needs no answer. A supervisor that does not hear it is gone, and everything ends with it.
    fn tell(&self, report: &ToSupervisor) {
        let _ = self.line.report(report, None);
    }

    /// Returns the actors whose arguments may change.
    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Returns the peers.
    pub(super) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Returns whether this life has taken all messages that it takes.
    pub(super) fn is_spent(&self) -> bool {
        *self.spent.borrow()
    }

    /// Waits until this life has taken all messages that it takes.
    pub(crate) async fn until_spent(&self) {
        let mut spent = self.spent.subscribe();
        // The sender lives as long as this value, so the wait ends in no other way.
        let _ = spent.wait_for(|spent| *spent).await;
    }

    /// Returns whether an actor has said that there is nothing to do.
    pub(super) fn is_skipped(&self) -> bool {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Has the actors take their new arguments, and reports what came of it.
    pub(super) async fn take_changes(&self, declared: &[bootstrap::Actor]) {
        self.turn(Readiness::changing);
        let report = self.changes.take(declared).await;
        self.turn(|readiness| readiness.changed(report));
    }

    /// Says that the worker is ready, as soon as none of its actors asks for a pause.
    pub(super) fn started(&self) {
        self.turn(Readiness::started);
    }

    /// Says nothing of its readiness any more: its actors are about to stop.
    pub(super) fn ending(&self) {
        self.turn(Readiness::ending);
    }

    /// Says what has changed of the worker's readiness. Under the lock, so that it is said in the order in which it is.
    fn turn(&self, change: impl FnOnce(&mut Readiness) -> Said) {
        let mut readiness = lock(&self.readiness);
        let said = change(&mut readiness);
        said.to_peers.iter().for_each(|is_ready| self.peers.say_readiness(*is_ready));
        said.to_supervisor.iter().for_each(|report| self.tell(report));
    }

    /// Waits until the actors end the worker.
    pub(crate) async fn until_over(&self) -> Over {
        let mut over = self.over.subscribe();
        let over = over.wait_for(Option::is_some).await.map(|over| *over);
        // The sender lives as long as this value, so the wait ends in no other way.
        over.ok().flatten().unwrap_or(Over::Finished)
    }
}

impl Host for WorkerHost {
    fn peer(&self, name: &str, protocol: &'static ProtocolSchema) -> Result<Address, PeerError> {
        self.peers.resolve(name, protocol)
    }

    fn keep(&self, name: &str, fd: OwnedFd) -> io::Result<()> {
        let report = ToSupervisor::Keep { name: name.to_owned() };
        // Both have the later one of two, also if two threads keep it.
        let mut kept = lock(&self.kept);
        self.line.report(&report, Some(fd.as_fd())).map_err(io::Error::other)?;
        kept.insert(name.to_owned(), fd);
        Ok(())
    }

    fn kept(&self, name: &str) -> io::Result<OwnedFd> {
        match lock(&self.kept).get(name) {
            Some(fd) => fd.try_clone(),
            None => Err(io::Error::new(io::ErrorKind::NotFound, format!("nothing is kept under `{name}`"))),
        }
    }

    fn credential(&self, name: &str) -> Option<Credential> {
        self.credentials.get(name).cloned()
    }

    fn skip(&self) {
        if !self.skipped.swap(true, Ordering::Relaxed) {
            self.tell(&ToSupervisor::Skipped);
        }
    }

    fn settled(&self) {
        self.tell(&ToSupervisor::Settled);
    }

    fn ask(&self, request: Request) -> BoxFuture<'static, io::Result<Answered>> {
        Arc::clone(&self.control).ask(request).boxed()
    }

    fn granted_dir(&self, path: &Path) -> io::Result<OwnedFd> {
        // Granted paths are absolute; a program may have written them as they are seen from its folder.
        let found = self.granted.get(path).or_else(|| self.granted.get(&std::path::absolute(path).ok()?));
        match found {
            Some(place) => place.try_clone(),
            None => {
                let text = format!("the sandbox grants no {}", path.display());
                Err(io::Error::new(io::ErrorKind::NotFound, text))
            }
        }
    }

    fn restarts(&self, actor: &ActorName, cause: &Cause, pause: Duration) {
        eprintln!("the actor {actor} restarts in {pause:.1?}: {cause}");
    }

    fn gave_up(&self, actor: &ActorName, cause: &Cause) {
        crate::last_words::gave_up(actor, cause);
        eprintln!("{}", chain(actor, cause));
        self.over.send_replace(Some(Over::GaveUp));
    }

    fn finished(&self) {
        // What went wrong before is not made good by it.
        self.over.send_if_modified(|over| over.replace(over.unwrap_or(Over::Finished)).is_none());
    }

    fn pause(&self) {
        self.turn(Readiness::pause);
    }

    fn resume(&self) {
        self.turn(Readiness::resume);
    }

    fn spent(&self) {
        // At once, so that nobody sends to this life what only the next one may take.
        self.peers.refuse();
        self.spent.send_replace(true);
    }

    fn links(&self) -> Vec<LinkState> {
        self.peers.links()
    }
}

/// How long an order may take that was sent before a signal which is here.
const WORD_LIMIT: Duration = Duration::from_millis(100);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
