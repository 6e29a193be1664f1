//! What a worker says of itself: its actors, their mailboxes, its links, and what it uses.
//!
//! Every worker's runtime serves [`Introspect`], beside the worker's own actors and under a name that no other actor has,
//! [`ACTOR`], to those who are granted it: with `[admin]` in the manifest that is the admin worker. Everything is gathered when it
//! is asked for, from what is counted anyway; who is not asked computes nothing. What it says is the worker's own word, and no more
//! to be believed than that.

mod gather;
mod inside;
mod reading;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// The name of the actor, in every worker.
pub use bailiwick_supervisor::spec::INTROSPECT as ACTOR;
pub use reading::{Ending, Message, MessageEnd, MessageKind, Step, Traced, Untraced};

use bailiwick_wire::schema::ProtocolSchema;

use crate::hosted::Hosted;
use crate::prelude::*;
use crate::sample;

/// Served by the runtime of each worker.
#[protocol]
pub trait Introspect {
    /// Returns how the worker stands, with those of its actors for which most waits, `actors` of them at most and never more than
    /// [`ACTORS_MAX`].
    async fn look(&mut self, cx: &mut Context, actors: u32) -> Snapshot;

    /// Returns what a method of a declared actor takes and answers.
    async fn describe(
        &mut self,
        cx: &mut Context,
        actor: String,
        method: String,
    ) -> Result<Described, Undescribed>;

    /// Returns what one actor is and how it stands, also a child, with what it says of its state; nothing if there is none of that
    /// name. It is asked once at a time.
    fn inspect(&mut self, cx: &mut Context, actor: String) -> Later<Option<Inspected>>;

    /// Streams a note of each message that an actor, or each actor of a type, handles from now on: of `messages` at most and never
    /// more than [`TRACE_MESSAGES_MAX`], for `time` at most and never longer than [`TRACE_TIME_MAX`].
    async fn trace(
        &mut self,
        cx: &mut Context,
        traced: Traced,
        messages: u32,
        time: Duration,
    ) -> Replies<Step>;
}

/// The most messages that one trace tells of.
pub const TRACE_MESSAGES_MAX: u32 = 10_000;
/// The longest that one trace lasts.
pub const TRACE_TIME_MAX: Duration = Duration::from_secs(60);
/// How many traces there are in one worker at a time.
pub const TRACES_MAX: usize = 4;

/// A method, as its worker was built with it.
#[message]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The protocol that it is one of.
    pub protocol: String,
    /// Its schema, as text.
    pub shape: String,
    /// Whether its messages go before others.
    pub has_priority: bool,
}

/// Why a method is not described.
#[message]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undescribed {
    /// No declared actor of that name runs.
    NoActor {
        /// Those that do.
        actors: Vec<String>,
    },
    /// The actor has no such method.
    NoMethod {
        /// Those that it has.
        methods: Vec<String>,
    },
    /// Two of its protocols have a method of that name.
    Ambiguous,
}

/// One actor.
#[message]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// How it stands.
    pub stands: ActorState,
    /// What others may ask of it, if it is a declared one: its protocols, and their methods.
    pub protocols: Vec<(String, Vec<String>)>,
    /// How many children its present incarnation has.
    pub children: u32,
    /// What it says of its state.
    pub said: Said,
}

/// What an actor said of its state.
#[message]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Its type says nothing: see [`Actor::inspect`].
    Nothing,
    /// This, as far as there is room for it.
    Words(String),
    /// It was asked, and has not come to it: it is busy with a message, or not there just now.
    Busy,
}

/// How many bytes of what an actor says of its state are told.
pub const WORDS_MAX: usize = 16 << 10;

/// The most actors that one answer names.
pub const ACTORS_MAX: u32 = 256;

/// How a worker stands.
#[message]
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// The time that processors worked for the process so far.
    pub cpu: Duration,
    /// The most memory that the process ever had in use, in bytes.
    pub memory_peak: u64,
    /// The descriptors that the process has open.
    pub descriptors: u32,
    /// The most that it may have open; `u32::MAX` is any number.
    pub descriptors_max: u32,
    /// What is counted by type of actor, in the order in which the types first came up.
    pub types: Vec<TypeCounts>,
    /// The actors for which most waits, the fullest first; of equal ones those that did more.
    pub actors: Vec<ActorState>,
    /// How many actors there are, also those that are not named.
    pub actors_total: u64,
    /// The other workers, as far as there was ever a link to them.
    pub links: Vec<LinkState>,
    /// Messages that reached no handler, by reason.
    pub dead_letters: Vec<(String, u64)>,
    /// Asks of its own that ended without a reply, by their outcome.
    pub ask_failures: Vec<(String, u64)>,
}

/// What is counted of all actors of one type.
#[message]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeCounts {
    /// The type, without the path to it and its parameters.
    pub type_name: String,
    /// Actors that began so far.
    pub spawned: u64,
    /// Actors that ended for good so far.
    pub ended: u64,
    /// Incarnations that came after one that failed.
    pub restarts: u64,
    /// Incarnations that failed.
    pub failures: u64,
    /// Messages that were begun with.
    pub handled: u64,
    /// Messages that wait now, over all of them.
    pub waiting: u64,
    /// The most that wait for one of them.
    pub waiting_max: u64,
    /// How long messages waited in mailboxes, and before full ones.
    pub waits: Durations,
    /// How long they were handled, with all that their handlers waited for.
    pub handling: Durations,
}

/// How long something took, of those that were measured: of each mailbox the first message, and one of each 61 after it;
/// of all messages while there is a trace of their actor.
#[message]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    /// How many took a microsecond or less, up to two, up to four, and so on; the last of [`Durations::PLACES`] also counts all that took longer.
    pub counts: Vec<u64>,
    /// The sum of all.
    pub sum: Duration,
}

impl Durations {
    /// How many places counts have at most.
    pub const PLACES: usize = sample::BUCKETS;

    /// Returns the time that was enough for so many of a thousand, as far as the counts tell: it is less than twice too long. `None`
    /// if nothing was measured.
    ///
    /// ```
    /// let found = bailiwick::introspect::Durations { counts: vec![98, 0, 2], ..Default::default() };
    /// assert_eq!(found.quantile(500).unwrap().as_micros(), 1);
    /// assert_eq!(found.quantile(990).unwrap().as_micros(), 4);
    /// ```
    #[must_use]
    pub fn quantile(&self, of_thousand: u64) -> Option<Duration> {
        let all = self.counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        let wanted = (u128::from(all) * u128::from(of_thousand)).div_ceil(1000).max(1);
        let mut sum = 0_u128;
        let place = self.counts.iter().position(|count| {
            sum += u128::from(*count);
            sum >= wanted
        })?;
        Some(Self::bound(place))
    }

    /// Returns the longest duration that is counted at a place of the counts.
    #[must_use]
    pub fn bound(place: usize) -> Duration {
        sample::bound(place)
    }
}

/// Says whether durations of the messages that come from now on are measured, in this whole process; they are unless this says no.
/// Messages are counted either way.
///
/// A look at the clock when one message in 61 comes, is begun with and is done is what this saves: a percent or two of the
/// smallest messages. May be called at any time, from an actor as from a `main`; does not block.
///
/// ```no_run
/// use bailiwick::introspect;
/// use bailiwick::prelude::*;
///
/// # #[protocol] pub trait Tick { async fn tick(&mut self); }
/// struct Ticker;
///
/// impl Ticker {
///     fn new() -> Self {
///         introspect::measure_durations(false);
///         Self
///     }
/// }
/// # impl Tick for Ticker { async fn tick(&mut self) {} }
/// ```
pub fn measure_durations(is_on: bool) {
    sample::turn(is_on);
}

/// How one actor stands.
#[message]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActorState {
    /// Its name within the worker: those of its ancestors and its own, with slashes between.
    pub path: String,
    /// Its type, as in [`TypeCounts`].
    pub type_name: String,
    /// The number of its incarnation.
    pub generation: u32,
    /// Messages that wait in its mailbox.
    pub waiting: u32,
    /// What they hold of the mailbox's bytes.
    pub waiting_bytes: u64,
    /// Senders that stand in line, because the mailbox is full.
    pub in_line: u32,
    /// How many messages the mailbox takes; `u32::MAX` is any number.
    pub capacity: u32,
    /// Messages that it has begun with.
    pub handled: u64,
}

/// How the link to one instance of another worker stands.
#[message]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkState {
    /// The other worker, with the number of its instance if it has several.
    pub peer: String,
    /// Whether there is a link now.
    pub is_up: bool,
    /// Links to it that there were so far.
    pub links: u32,
    /// Frames that were sent, and received: messages, answers, and what the links say themselves.
    pub frames: [u64; 2],
    /// Bytes likewise.
    pub bytes: [u64; 2],
    /// Bytes that wait to be written.
    pub queued_bytes: u64,
    /// Messages that were sent and have no outcome yet, and those that wait until they may be sent.
    pub outstanding: u32,
}

/// The actor.
#[derive(Debug)]
struct Observer {
    /// The actors that were asked for their state and have not answered.
    asked: inside::Asked,
    /// Places for traces.
    traces: Arc<Semaphore>,
}

impl Default for Observer {
    fn default() -> Self {
        Self { asked: inside::Asked::default(), traces: Arc::new(Semaphore::new(TRACES_MAX)) }
    }
}

impl Introspect for Observer {
    async fn look(&mut self, cx: &mut Context, actors: u32) -> Snapshot {
        gather::snapshot(cx.node(), actors.min(ACTORS_MAX)).await
    }

    async fn describe(
        &mut self,
        cx: &mut Context,
        actor: String,
        method: String,
    ) -> Result<Described, Undescribed> {
        inside::describe(cx.node(), &actor, &method)
    }

    fn inspect(&mut self, cx: &mut Context, actor: String) -> Later<Option<Inspected>> {
        self.asked.inspect(cx.node(), &actor)
    }

    async fn trace(
        &mut self,
        cx: &mut Context,
        traced: Traced,
        messages: u32,
        time: Duration,
    ) -> Replies<Step> {
        let messages = messages.clamp(1, TRACE_MESSAGES_MAX);
        reading::trace(cx.node(), &self.traces, &traced, (messages, time.min(TRACE_TIME_MAX))).await
    }
}

/// Returns the actor, to be hosted.
pub(crate) fn hosted() -> Hosted {
    IntrospectRef::serve(Observer::default).named(ACTOR).into()
}

/// Returns what may be reached of it.
pub(crate) fn protocols() -> Vec<&'static ProtocolSchema> {
    vec![IntrospectRef::schema()]
}
