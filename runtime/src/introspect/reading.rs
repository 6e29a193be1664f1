//! The messages that actors handle, as they are told to who reads along: by whom and when, and nothing of what is in them.

#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_supervisor::check::nearest;
use futures::{FutureExt, future, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};

use super::gather::actors;
use super::inside::{NAMED_MAX, find};
use crate::envelope::method_name;
use crate::node::Shared;
use crate::prelude::*;
use crate::tally::Tally;
use crate::tap::{Note, Taken, Tap};

/// Whose messages are meant.
#[message]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traced {
    /// Those of one actor, by its name and those of its ancestors.
    Actor(String),
    /// Those of all actors of a type, by the name that [`TypeCounts`](super::TypeCounts) have.
    Type(String),
}

/// What is told of a trace, one after the other.
#[message]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is on: what is begun with from now on is told.
    Begun {
        /// How many actors are meant that there are now.
        actors: u32,
        /// How many messages it tells of at most.
        messages: u32,
        /// How long it lasts at most.
        time: Duration,
    },
    /// It is not on, and nothing follows.
    Refused(Untraced),
    /// Messages that were done with.
    Handled(Vec<Message>),
    /// It is off, and nothing follows.
    Over {
        /// Why.
        why: Ending,
        /// How many messages behind the last that was told are lost: they came faster than they were taken.
        lost: u64,
    },
}

/// Why there is no trace.
#[message]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untraced {
    /// No actor of that name runs.
    NoActor {
        /// The nearest name of one that does.
        nearest: Option<String>,
        /// Some of those that do.
        actors: Vec<String>,
    },
    /// There was never an actor of that type.
    NoType {
        /// Those that there were.
        types: Vec<String>,
    },
    /// There are as many traces as there may be.
    TooMany,
}

/// Why a trace is over.
#[message]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// So many messages were told as were asked for, or as are told at most.
    Messages,
    /// The time was over.
    Time,
}

/// One message. What is in it is not told: see `Actor::inspect` and logs for what an actor wants to be known.
#[message]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// How many messages before it are lost: they came faster than they were taken.
    pub lost: u64,
    /// When the actor began with it, in nanoseconds of the monotonic clock.
    pub monotonic_ns: u64,
    /// The same moment, since 1970.
    pub wall: Duration,
    /// The actor: its name and those of its ancestors.
    pub path: String,
    /// The number of its incarnation.
    pub generation: u32,
    /// Its type.
    pub type_name: String,
    /// The protocol.
    pub protocol: String,
    /// The method.
    pub method: String,
    /// What its sender waits for.
    pub kind: MessageKind,
    /// The worker that sent it, with the number of its instance if it has several; none if that is the actor's own.
    pub from: Option<String>,
    /// How many bytes came over the link, if one was between.
    pub bytes: Option<u32>,
    /// How long it waited until the actor began with it, if that was measured.
    pub waited: Option<Duration>,
    /// How long it was handled, with all that its handler waited for.
    pub handled: Duration,
    /// How it ended.
    pub end: MessageEnd,
    /// The trace that it belongs to, if somebody follows one.
    pub trace: Option<[u8; 16]>,
}

/// What the sender of a message waits for.
#[message]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// Nothing.
    Tell,
    /// A reply, or several.
    Ask,
    /// That the actor takes it.
    Rendezvous,
}

/// How a message ended.
#[message]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageEnd {
    /// Its handler returned.
    Handled,
    /// Its handler panicked.
    Panicked,
    /// The asker gave up, and the handler was dropped.
    Cancelled,
    /// The deadline passed, and the handler was dropped.
    Expired,
    /// The actor had to stop, and the handler was dropped.
    Stopped,
    /// It was not to be decoded.
    Undecodable,
    /// It is of a protocol that the actor does not serve.
    NotServed,
    /// The asker had given up before it was begun with.
    CancelledBefore,
    /// The deadline had passed before it was begun with.
    ExpiredBefore,
    /// It was one more than this life of the worker takes.
    TurnedAway,
}

/// A trace that is on; its end, however it comes, takes the tap off.
struct Reading {
    tally: Arc<Tally>,
    tap: Arc<Tap>,
    time: Pin<Box<Sleep>>,
    /// Takes the tap off in time also while nobody reads.
    watchdog: JoinHandle<()>,
    _place: OwnedSemaphorePermit,
}

/// Begins a trace of so many messages and for so long at most.
pub(super) async fn trace(
    node: &Arc<Shared>,
    places: &Arc<Semaphore>,
    traced: &Traced,
    (messages, time): (u32, Duration),
) -> Replies<Step> {
    let refused = |why| Replies::from_stream(stream::iter([Step::Refused(why)]));
    let Ok(place) = Arc::clone(places).try_acquire_owned() else { return refused(Untraced::TooMany) };
    let (tally, path) = match meant(node, traced).await {
        Ok(meant) => meant,
        Err(why) => return refused(why),
    };
    let tap = Tap::new(path, messages, time);
    tally.taps().add(Arc::clone(&tap));
    let reading = Reading::begin(tally, tap, place);
    // Whoever waits for its first message is to know how long that waited.
    let mut count = 0;
    for seen in actors(node).await {
        let is_of_type = Arc::ptr_eq(seen.cell.tally(), &reading.tally);
        if is_of_type && path.is_none_or(|path| path == seen.cell.path()) {
            seen.cell.queue.measure_all(true);
            count += 1;
        }
    }
    let begun = Step::Begun { actors: count, messages, time };
    let steps = stream::unfold(Some(reading), async |reading| {
        let mut reading = reading?;
        let step = reading.next().await;
        let goes_on = matches!(step, Step::Handled(_));
        Some((step, goes_on.then_some(reading)))
    });
    Replies::from_stream(futures::StreamExt::chain(stream::iter([begun]), steps))
}

/// Finds what is counted of the type that is meant, and the one actor that is, if it is one.
async fn meant<'t>(
    node: &Arc<Shared>,
    traced: &'t Traced,
) -> Result<(Arc<Tally>, Option<&'t str>), Untraced> {
    match traced {
        Traced::Actor(path) => match find(node, path) {
            Some(cell) => Ok((Arc::clone(cell.tally()), Some(path))),
            None => {
                let seen = actors(node).await;
                let names = || seen.iter().map(|seen| seen.cell.path());
                let nearest = nearest(path, names()).map(ToOwned::to_owned);
                Err(Untraced::NoActor {
                    nearest,
                    actors: names().take(NAMED_MAX).map(ToOwned::to_owned).collect(),
                })
            }
        },
        Traced::Type(name) => match node.tallies.known(name) {
            Some(tally) => Ok((tally, None)),
            None => {
                let types = node.tallies.all();
                let types = types.iter().map(|tally| tally.type_name().to_owned());
                Err(Untraced::NoType { types: types.take(NAMED_MAX).collect() })
            }
        },
    }
}

impl Reading {
    fn begin(tally: Arc<Tally>, tap: Arc<Tap>, place: OwnedSemaphorePermit) -> Self {
        let until = Instant::from_std(tap.until());
        let (of, off) = (Arc::clone(&tally), Arc::clone(&tap));
        let watchdog = tokio::task::spawn_local(async move {
            sleep_until(until).await;
            off.end(Ending::Time);
            of.taps().remove(&off);
        });
        Self { tally, tap, time: Box::pin(sleep_until(until)), watchdog, _place: place }
    }

    /// Returns what is told next.
    async fn next(&mut self) -> Step {
        let Self { tap, time, .. } = self;
        let taken = future::poll_fn(|task| {
            if time.poll_unpin(task).is_ready() {
                tap.end(Ending::Time);
            }
            tap.poll_take(task.waker())
        });
        match taken.await {
            Taken::Notes(notes) => Step::Handled(notes.into_iter().map(Message::from).collect()),
            Taken::Over(why, lost) => Step::Over { why, lost },
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.watchdog.abort();
        self.tally.taps().remove(&self.tap);
    }
}

impl From<Note> for Message {
    fn from(note: Note) -> Self {
        let Note { lost, cell, generation, begun, handled, end } = note;
        let (from, bytes) = begun.link.unzip();
        Self {
            lost,
            monotonic_ns: begun.monotonic_ns,
            wall: begun.wall,
            path: cut(cell.path()),
            generation,
            type_name: cut(cell.tally().type_name()),
            protocol: cut(begun.protocol.name),
            method: cut(method_name(begun.protocol, begun.method)),
            kind: begun.kind,
            from,
            bytes,
            waited: begun.waited,
            handled,
            end,
            trace: begun.trace,
        }
    }
}

/// Returns a name, or as much of it as has room where many are told together.
fn cut(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_MAX)].to_owned()
}

/// How many bytes of a name are told.
const NAME_MAX: usize = 512;
