//! What an actor may ask of the supervisor, as far as its worker's manifest says.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_supervisor::control::{Event, Outcome, Record, Request, Status, Target, Verb};
use bailiwick_wire::crash::Report;
use bailiwick_wire::log::{self, Line};

use crate::node::Host;

/// How long the supervisor may take for what it knows at once.
const AT_ONCE: Duration = Duration::from_secs(5);

/// The supervisor, as whoever holds this may ask it: each question needs its word in the worker's `may`, as `status`,
/// `events` or `restart`. Got from [`Context::supervisor`](crate::Context::supervisor).
///
/// Nothing here blocks its executor. A worker has three questions open at a time; further ones wait for an answer to one of
/// these. A question whose future is dropped is answered all the same, to nobody. Nothing survives a crash: an order that was
/// given stands, whoever waits for it or not.
///
/// # Errors
/// Of every method: `PermissionDenied` if the manifest does not let this worker ask that; `Unsupported` without a supervisor;
/// `TimedOut` if no answer came two seconds after its time; `InvalidData` if the supervisor comes from another build.
#[derive(Clone)]
pub struct Supervisor {
    host: Arc<dyn Host>,
}

/// What came of a question.
#[derive(Debug)]
pub(crate) struct Answered {
    /// Each as it arrived, but the last, which says the outcome.
    pub(crate) packets: Vec<Vec<u8>>,
    pub(crate) outcome: Outcome,
}

impl Supervisor {
    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        Self { host }
    }

    /// Returns the supervisor and every worker with its process, user, capabilities and state, as they are now. Needs
    /// `status`.
    ///
    /// ```
    /// use bailiwick::prelude::*;
    ///
    /// /// Needs `may = ["status"]` of its worker.
    /// async fn names(cx: &Context) -> Result<Vec<String>, ActorError> {
    ///     let status = cx.supervisor().status().await?;
    ///     Ok(status.workers.into_iter().map(|worker| worker.name).collect())
    /// }
    /// # let _ = names;
    /// ```
    ///
    /// # Errors
    /// See [`Supervisor`].
    pub async fn status(&self) -> io::Result<Status> {
        let answer = self.ask(Verb::Status, Target::System, AT_ONCE).await?;
        Status::from_records(answer.records()?)
            .ok_or_else(|| invalid("an answer to `status` without its head"))
    }

    /// Returns what happened after the event of this number, oldest first: at once if there is something, else as soon as
    /// there is, or nothing after so long. Numbers begin at 1; a gap tells how many were forgotten. Needs `events`.
    ///
    /// # Errors
    /// See [`Supervisor`].
    pub async fn events(&self, after: u64, wait: Duration) -> io::Result<Vec<Event>> {
        let records = self.ask(Verb::Events(after), Target::System, wait).await?.records()?;
        let event = |record| if let Record::Event(event) = record { Some(event) } else { None };
        Ok(records.into_iter().filter_map(event).collect())
    }

    /// Returns the reports of deaths that are kept, the oldest of each instance first. Needs `crashes`.
    ///
    /// # Errors
    /// See [`Supervisor`].
    pub async fn crashes(&self, of: Target) -> io::Result<Vec<Report>> {
        self.ask(Verb::Crashes, of, AT_ONCE).await?.reports()
    }

    /// Returns what was printed after the line of this number, oldest first, as much of it as one answer holds: at once if there is
    /// something, else as soon as there is, or nothing after so long. Numbers begin at 1 and ascend over everybody who prints; those
    /// that are missing were printed too fast to be kept, or are forgotten. Needs `logs`.
    ///
    /// # Errors
    /// See [`Supervisor`]; `NotFound` if nobody who runs or has printed has this name.
    pub async fn log(&self, after: u64, of: Target, wait: Duration) -> io::Result<Vec<Line>> {
        let answer = self.ask(Verb::Log(after), of, wait).await?;
        match answer.outcome {
            Outcome::UnknownTarget => Err(io::Error::new(io::ErrorKind::NotFound, "nobody has this name")),
            _ => answer
                .packets
                .last()
                .map_or_else(|| Ok(Vec::new()), |packet| log::read(packet).map_err(invalid)),
        }
    }

    /// Returns what lives that run were denied, as they say. Needs `denials`.
    ///
    /// # Errors
    /// See [`Supervisor`].
    pub async fn denials(&self, of: Target) -> io::Result<Vec<Report>> {
        self.ask(Verb::Denials, of, AT_ONCE).await?.reports()
    }

    /// Gives an order to whoever is named, and waits up to `deadline` for what comes of it: the outcome, and what the
    /// supervisor has to say. Needs the order's word. After the deadline the order stands.
    ///
    /// # Errors
    /// See [`Supervisor`]. What the outcome says is no error.
    pub async fn order(
        &self,
        verb: Verb,
        target: Target,
        deadline: Duration,
    ) -> io::Result<(Outcome, String)> {
        let answer = self.ask(verb, target, deadline).await?;
        let outcome = answer.outcome;
        let piece = |record| match record {
            Record::Text(piece) => Some(if piece.ends { piece.text + "\n" } else { piece.text }),
            _ => None,
        };
        Ok((outcome, answer.records()?.into_iter().filter_map(piece).collect()))
    }

    async fn ask(&self, verb: Verb, target: Target, deadline: Duration) -> io::Result<Answered> {
        let answer = self.host.ask(Request { verb, target, deadline }).await?;
        match answer.outcome {
            Outcome::NotPermitted => Err(not_permitted(verb)),
            Outcome::Malformed => Err(invalid("the supervisor does not understand the request")),
            _ => Ok(answer),
        }
    }
}

impl Answered {
    fn records(&self) -> io::Result<Vec<Record>> {
        let record = |packet: &Vec<u8>| Record::from_bytes(packet).map_err(invalid);
        self.packets.iter().map(record).collect()
    }

    fn reports(&self) -> io::Result<Vec<Report>> {
        self.packets.iter().map(|packet| Report::from_bytes(packet).map_err(invalid)).collect()
    }
}

fn not_permitted(verb: Verb) -> io::Error {
    let text = format!("the manifest does not let this worker ask for {verb:?}: see `may` of a worker");
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor").finish_non_exhaustive()
    }
}
