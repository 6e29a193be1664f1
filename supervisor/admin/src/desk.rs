//! The actor of the admin worker: follows what happens, and serves those who ask.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bailiwick::Supervisor;
use bailiwick::control::Event;
use bailiwick::introspect::{ACTORS_MAX, Described};
use bailiwick::prelude::*;
use bailiwick::untyped::Peers;
use serde::Deserialize;
use tokio::sync::{Semaphore, broadcast};

use crate::archive;
use crate::feed::Feed;
use crate::gate::Gate;
use crate::history::History;
use crate::logs;
use crate::metrics::Metrics;
use crate::orders::Order;
use crate::outside;
use crate::outside::learnt::{Known, Learnt};
use crate::rates::Rates;
use crate::recent::Recent;
use crate::serve::{self, Listener};
use crate::site;
use crate::survey::{Said, survey};

/// The name under which a manifest's worker asks for this actor.
pub const ACTOR: &str = "Admin";

/// The name under which the supervisor keeps its listener.
const LISTENER: &str = "admin";
/// The name of the credential that the manifest's `token` is.
const TOKEN: &str = "token";
/// How long one question for events waits for something to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Events that a slow reader may be behind before it misses some.
const BEHIND_MAX: usize = 1024;

/// How long what workers said is told again, so that many who ask cost workers no more than one.
const FRESH: Duration = Duration::from_millis(500);

/// What the manifest says to the actor.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Terms {
    /// Whether those are served who name another host than this machine.
    #[serde(default)]
    pub(crate) expose: bool,
    /// Whether there is a token, which lets who knows it give orders.
    #[serde(default)]
    pub(crate) token: bool,
    /// What may be ordered with it.
    #[serde(default)]
    pub(crate) orders: Vec<Order>,
    /// Where lines are written, if anywhere.
    #[serde(default)]
    pub(crate) log: Option<archive::Place>,
}

/// What those who serve ask of the actor, because only an actor may send to others.
#[protocol]
pub(crate) trait Desk {
    /// Returns what the workers that run say of themselves, each with so many of its actors: as they said it a moment ago, or else
    /// as they say it now.
    async fn survey(&mut self, cx: &mut Context, actors: u32) -> Vec<Said>;
}

/// What is shared between the actor and those whom it serves.
#[derive(Clone)]
pub(crate) struct Office {
    pub(crate) supervisor: Supervisor,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) history: Arc<Mutex<History>>,
    pub(crate) events: broadcast::Sender<Arc<Event>>,
    pub(crate) desk: DeskRef,
    pub(crate) recent: Arc<Mutex<Recent>>,
    pub(crate) rates: Arc<Mutex<Rates>>,
    /// Places for those who follow events.
    pub(crate) followers: Arc<Semaphore>,
    /// What is printed.
    pub(crate) feed: Feed,
    /// Places for those who read what is printed.
    pub(crate) readers: Arc<Semaphore>,
    /// Whether those alone are served who may open a file.
    pub(crate) is_local_file: bool,
    /// Missing without a token in the manifest.
    pub(crate) gate: Option<Arc<Gate>>,
    /// The actors that the manifest grants, to this worker itself and to the operator.
    pub(crate) peers: Peers,
    pub(crate) learnt: Arc<Mutex<Learnt>>,
    /// Places for those who ask actors from outside.
    pub(crate) questions: Arc<Semaphore>,
    /// Places for those who read along what actors handle.
    pub(crate) traces: Arc<Semaphore>,
}

impl Office {
    /// Returns a method that a worker describes.
    ///
    /// # Errors
    /// As [`Learnt::learn`].
    pub(crate) fn learn(&self, name: &str, told: &Described) -> Result<&'static Known, String> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner).learn(name, told)
    }
}

/// The actor.
#[derive(Debug)]
pub(crate) struct AdminDesk {
    terms: Terms,
    history: Arc<Mutex<History>>,
    last: Option<Survey>,
}

/// What workers said, and when.
#[derive(Debug)]
struct Survey {
    at: Instant,
    actors: u32,
    said: Vec<Said>,
}

impl AdminDesk {
    /// Makes it.
    pub(crate) fn new(terms: Terms) -> Self {
        Self { terms, history: Arc::default(), last: None }
    }

    /// Returns what lets in who knows the token, if there is one.
    fn gate(&self, cx: &Context) -> io::Result<Option<Gate>> {
        if !self.terms.token {
            return Ok(None);
        }
        Gate::new(cx.credential(TOKEN)?, self.terms.orders.clone()).map(Some)
    }
}

impl Desk for AdminDesk {
    async fn survey(&mut self, cx: &mut Context, actors: u32) -> Vec<Said> {
        // Two kinds of questions at most, however many numbers people ask for, so that what was said a moment ago serves all.
        let actors = if actors == 0 { 0 } else { ACTORS_MAX };
        let is_fresh = |last: &&Survey| last.actors >= actors && last.at.elapsed() < FRESH;
        if let Some(last) = self.last.as_ref().filter(is_fresh) {
            return last.said.clone();
        }
        let Ok(status) = cx.supervisor().status().await else { return Vec::new() };
        let said = survey(cx, &status, actors).await;
        self.last = Some(Survey { at: Instant::now(), actors, said: said.clone() });
        said
    }
}

impl Actor for AdminDesk {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let listener = listener(cx)?;
        let office = Office {
            supervisor: cx.supervisor(),
            metrics: Arc::default(),
            history: Arc::clone(&self.history),
            events: broadcast::Sender::new(BEHIND_MAX),
            desk: cx.me(),
            recent: Arc::default(),
            rates: Arc::default(),
            followers: Arc::new(Semaphore::new(site::FOLLOWERS_MAX)),
            feed: Feed::begin(cx.supervisor()),
            readers: Arc::new(Semaphore::new(logs::READERS_MAX)),
            is_local_file: listener.is_local_file(),
            gate: self.gate(cx)?.map(Arc::new),
            peers: cx.peers(),
            learnt: Arc::default(),
            questions: Arc::new(Semaphore::new(outside::QUESTIONS_MAX)),
            traces: Arc::new(Semaphore::new(outside::trace::AT_ONCE_MAX)),
        };
        println!("serving at {listener}");
        let follower = office.clone();
        tokio::task::spawn_local(async move {
            // Without events there is no history, and the worker had better be made anew than show an old one.
            let error = follow(&follower).await;
            eprintln!("<3>what happens cannot be followed: {error}");
            std::process::exit(1);
        });
        if let Some(place) = self.terms.log.clone() {
            tokio::task::spawn_local(archive::keep(office.supervisor.clone(), office.feed.clone(), place));
        }
        let site = site::router(office, self.terms.expose);
        tokio::task::spawn_local(serve::serve(listener, site));
        Ok(())
    }
}

/// Takes the listener that the supervisor keeps.
fn listener(cx: &Context) -> io::Result<Listener> {
    let fd: Result<TcpListener, _> = cx.kept(LISTENER);
    match fd {
        Ok(listener) => Listener::tcp(listener),
        Err(_) => {
            let fd: OwnedFd = cx.kept::<std::os::unix::net::UnixListener>(LISTENER)?.into();
            Listener::unix(fd.into())
        }
    }
}

/// Hears of everything that happens, for as long as there is a supervisor.
async fn follow(office: &Office) -> io::Error {
    let mut seen = 0;
    loop {
        let found = match office.supervisor.events(seen, PATIENCE).await {
            Ok(found) => found,
            Err(error) => return error,
        };
        for event in found {
            seen = event.number;
            office.history.lock().unwrap_or_else(PoisonError::into_inner).note(&event, &office.metrics);
            let event = Arc::new(event);
            office.recent.lock().unwrap_or_else(PoisonError::into_inner).note(Arc::clone(&event));
            // Whoever listens to nobody is told nothing.
            let _ = office.events.send(event);
        }
    }
}
