//! The actor of the admin worker: follows what happens, and serves those who ask.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bailiwick::Supervisor;
use bailiwick::control::Event;
use bailiwick::prelude::*;
use serde::Deserialize;
use tokio::sync::broadcast;

use crate::history::History;
use crate::metrics::Metrics;
use crate::serve::{self, Listener};
use crate::site;

/// The name under which a manifest's worker asks for this actor.
pub const ACTOR: &str = "Admin";

/// The name under which the supervisor keeps its listener.
const LISTENER: &str = "admin";
/// How long one question for events waits for something to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Events that a slow reader may be behind before it misses some.
const BEHIND_MAX: usize = 1024;

/// What the manifest says to the actor.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Terms {
    /// Whether those are served who name another host than this machine.
    #[serde(default)]
    pub(crate) expose: bool,
}

/// Nothing is asked of it by messages yet.
#[protocol]
pub(crate) trait Desk {
    /// Returns how many events it has heard of.
    async fn heard(&mut self) -> u64;
}

/// What is shared between the actor and those whom it serves.
#[derive(Clone)]
pub(crate) struct Office {
    pub(crate) supervisor: Supervisor,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) history: Arc<Mutex<History>>,
    pub(crate) events: broadcast::Sender<Arc<Event>>,
}

/// The actor.
#[derive(Debug)]
pub(crate) struct AdminDesk {
    terms: Terms,
    history: Arc<Mutex<History>>,
}

impl AdminDesk {
    /// Makes it.
    pub(crate) fn new(terms: Terms) -> Self {
        Self { terms, history: Arc::default() }
    }
}

impl Desk for AdminDesk {
    async fn heard(&mut self) -> u64 {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).last()
    }
}

impl Actor for AdminDesk {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let office = Office {
            supervisor: cx.supervisor(),
            metrics: Arc::default(),
            history: Arc::clone(&self.history),
            events: broadcast::Sender::new(BEHIND_MAX),
        };
        let listener = listener(cx)?;
        println!("serving at {listener}");
        let follower = office.clone();
        tokio::task::spawn_local(async move {
            // Without events there is no history, and the worker had better be made anew than show an old one.
            let error = follow(&follower).await;
            eprintln!("<3>what happens cannot be followed: {error}");
            std::process::exit(1);
        });
        let site = site::router(office, self.terms.expose, listener.is_local_file());
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
            // Whoever listens to nobody is told nothing.
            let _ = office.events.send(Arc::new(event));
        }
    }
}
