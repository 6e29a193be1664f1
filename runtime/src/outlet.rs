//! What an address resolves to: a local actor, or one behind a link. Here the link driver plugs in.

use std::sync::Arc;

use crate::address::WatchId;
use crate::blob::Loans;
use crate::envelope::Envelope;
use crate::name::ActorName;
use crate::outcome::NotDelivered;
use crate::signal::Down;
use crate::ticket::Ticket;

/// An actor as its senders see it.
pub(crate) trait Outlet: Send + Sync {
    /// Returns the actor's name, with the incarnation that was last heard of.
    fn name(&self) -> ActorName;
    /// Returns [`id_of`](crate::chain::id_of) the name without the incarnation, which chains of asks carry.
    fn id(&self) -> u64;
    /// Returns whether messages reach it now; if not, they wait until its worker runs again.
    fn is_up(&self) -> bool {
        true
    }
    /// Returns whether messages will soon reach it: its worker runs, and the link is being made.
    fn is_coming(&self) -> bool {
        false
    }
    /// Returns what is lent to its worker at present.
    fn loans(&self) -> Option<Arc<Loans>> {
        None
    }
    /// Takes a message without waiting. With [`Room::Wait`] one that finds no room is parked: the caller keeps the
    /// ticket, and parked messages are admitted in their order.
    fn offer(&self, envelope: Box<Envelope>, room: Room) -> Result<Accepted, Box<Refused>>;
    /// Takes a parked message out of the line, because its sender has gone. Does nothing if it is no longer there.
    fn withdraw(&self, ticket: &Ticket);
    /// Calls `notify` once when the present incarnation has ended; at once if there is none.
    fn watch(&self, id: WatchId, notify: Notify);
    /// Forgets a watch. A `Down` that is already on its way may still come.
    fn unwatch(&self, id: WatchId);
}

/// What is called with the end of a watched incarnation, once.
pub(crate) type Notify = Box<dyn FnOnce(Down) + Send>;

/// What to do with a message that finds no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Park it, unless the mailbox's policy says otherwise.
    Wait,
    /// Give it back.
    Now,
}

/// A message was taken.
pub(crate) enum Accepted {
    /// It has its place in the mailbox, or was written.
    Queued,
    /// It waits for room.
    Parked(Ticket),
}

/// A message was given back, with the reason.
pub(crate) struct Refused {
    pub(crate) envelope: Box<Envelope>,
    pub(crate) reason: NotDelivered,
}
