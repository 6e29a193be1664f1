//! What reaches an actor besides messages: the end of what it watches, and orders from its surroundings.

use std::fmt;

use tokio::sync::oneshot;

use crate::actor::Reconfigured;
use crate::address::{Address, WatchId};
use crate::args::Args;
use crate::outcome::Cause;

/// The end of a watched actor's incarnation. Comes exactly once for each watch, after the last message of the dead.
///
/// ```
/// # use bailiwick::prelude::*;
/// # #[protocol] pub trait Part { async fn work(&mut self); }
/// # struct Frail;
/// # impl Part for Frail { async fn work(&mut self) { panic!("no oil") } }
/// # bailiwick::local(async |mut cx| -> Result<(), ActorError> {
/// let part: PartRef = cx.spawn(PartRef::serve(|| Frail).named("part"))?;
/// cx.watch(&part);
/// part.work().tell().await?;
/// let down = cx.next_down().await;
/// assert!(matches!(down.cause, Cause::Panicked { .. }));
/// assert_eq!(down.to_string(), "local/part#1 panicked: no oil");
/// # Ok(())
/// # })
/// # .unwrap();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Down {
    /// The actor that was watched.
    pub address: Address,
    /// Which incarnation of it has ended.
    pub generation: u32,
    /// Why.
    pub cause: Cause,
}

/// Writes which incarnation ended and why: `shrinker/thumbs#3 panicked: ..`.
impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{} {}", self.address.name().without_generation(), self.generation, self.cause)
    }
}

/// An entry of the lifecycle lane: taken before any message, dropped by no policy.
#[derive(Debug)]
pub(crate) enum Signal {
    /// Stop at the next await of the message in hand; what waits is not delivered.
    Stop,
    /// Take no new messages, finish the one in hand and what waits, then stop.
    Drain,
    /// Something that belongs to the incarnation has failed beside its handlers.
    Failed(Cause),
    /// A child has failed more often than the budget of its family covers.
    ChildGaveUp(Cause),
    /// The children have done their work: stop as if by itself.
    Finish,
    /// End this incarnation in order, because a sibling failed; begin anew when told.
    Halt,
    /// Begin an incarnation.
    Begin,
    /// The arguments have changed. Whoever waits is told what the actor did.
    Reconfigure(Args, Option<oneshot::Sender<Reconfigured>>),
    /// Somebody wants to know of its state.
    Inspect(oneshot::Sender<Option<String>>),
}

impl Signal {
    /// Returns whether it is not kept waiting until a handler has ended.
    pub(crate) fn is_urgent(&self) -> bool {
        match self {
            Self::Stop | Self::Halt | Self::ChildGaveUp(_) => true,
            Self::Drain
            | Self::Failed(_)
            | Self::Finish
            | Self::Begin
            | Self::Reconfigure(..)
            | Self::Inspect(_) => false,
        }
    }
}

/// A `Down` on its way to the actor that set the watch. It keeps its place among the messages.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) watch: WatchId,
    pub(crate) down: Down,
    /// How many messages of high priority came to the mailbox before it.
    pub(crate) behind: u64,
}
