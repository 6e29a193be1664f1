//! What follows from an event for others: mailboxes, askers, watchers. Done after the lock is released, because
//! any of it may run code that sends over the same link.

use std::sync::Arc;
use std::task::Waker;

use bailiwick_core::link::{self, Event};
use bailiwick_wire::control::ToSupervisor;
use bailiwick_wire::reason::{DownCause, NotDelivered};
use bailiwick_wire::schema::ProtocolSchema;

use super::peer::{Peer, Watching};
use super::reasons;
use crate::address::WatchId;
use crate::cell::Cell;
use crate::envelope::{Body, Envelope};
use crate::outcome::{AskError, Cause};
use crate::outlet::{Outlet, Room};
use crate::payload::Payload;
use crate::reply::Reply;
use crate::signal::Down;
use crate::ticket::Ticket;

/// One thing to be done.
pub(super) enum Effect {
    /// Put a message into a mailbox.
    Deliver(Arc<Cell>, Box<Envelope>),
    /// Bring the reply; the message is done with.
    Receive(Reply, Body, Payload),
    /// Bring an item of a stream that goes on.
    Item(Arc<dyn crate::meeting::AskSlot>, Payload),
    /// Tell that a stream begins.
    Opened(Arc<dyn crate::meeting::AskSlot>),
    /// End a stream in order.
    Ended(Reply, Body),
    /// End an ask without a reply.
    Fail(Reply, Body, AskError),
    /// Give a message back that was written and certainly not handled.
    Bounce(Reply, Body, NotDelivered),
    /// Give a message back that waited.
    GiveBack(Box<Envelope>, Option<Ticket>, NotDelivered),
    /// Count a tell as a dead letter that never left this process.
    Lost(&'static ProtocolSchema, u16, NotDelivered),
    /// Count a message of the peer's that was for nobody here.
    Refused(NotDelivered),
    /// Count tells whose end nobody knows.
    Unknown(u64),
    /// A message that waited is written; what is left of it goes.
    Admitted(Option<Ticket>, Option<Body>),
    /// Wake who waits.
    Wake(Waker),
    /// Tell the end of a watched actor.
    Down(Watching, u32, DownCause),
    /// Watch a local actor for the peer.
    Watch(Arc<Cell>, WatchId, u64),
    /// Watch a local actor for the peer no more.
    Unwatch(Arc<Cell>, WatchId),
    /// Remember that the peer has used what it may use once.
    Used(u32, u16),
    /// Tell the supervisor.
    Report(ToSupervisor),
    /// Drop something of a user's.
    Drop(Box<dyn std::any::Any + Send>),
}

/// Does everything, in order.
pub(super) fn run_all(peer: &Peer, effects: &mut Vec<Effect>) {
    for effect in effects.drain(..) {
        run(peer, effect);
    }
}

fn run(peer: &Peer, effect: Effect) {
    match effect {
        Effect::Deliver(cell, envelope) => deliver(&cell, *envelope),
        Effect::Receive(reply, body, payload) => {
            if let Some(slot) = reply.local_slot() {
                slot.receive(payload);
            }
            drop(body);
        }
        Effect::Item(slot, payload) => slot.receive(payload),
        Effect::Opened(slot) => slot.open(),
        Effect::Ended(reply, body) => {
            reply.end();
            drop(body);
        }
        Effect::Fail(reply, body, error) => {
            reply.fail(error);
            drop(body);
        }
        Effect::Bounce(reply, body, reason) => reply.bounce(body, reason),
        Effect::GiveBack(envelope, line, reason) => {
            // Who stands in line is told; who was let go believes that the message is on its way.
            match line {
                Some(line) => {
                    line.refuse(reason.clone());
                    envelope.refuse(reason);
                }
                None => peer.lose(*envelope, reason),
            }
        }
        Effect::Lost(protocol, method, reason) => peer.record(protocol, method, &reason),
        Effect::Refused(reason) => peer.count(|letters| letters.count(&reason)),
        Effect::Unknown(tells) => peer.count(|letters| letters.count_unknown(tells)),
        Effect::Admitted(line, body) => {
            if let Some(line) = line {
                line.admit();
            }
            drop(body);
        }
        Effect::Wake(waker) => waker.wake(),
        Effect::Down(Watching { notify, address }, generation, cause) => {
            notify(Down { address, generation, cause: Cause::Elsewhere(cause) });
        }
        Effect::Watch(cell, id, watch) => {
            let peer = peer.strong();
            let notify = move |down: Down| {
                peer.turn(|turn| turn.actor_down(link::WatchId(watch), down.cause.brief()));
            };
            cell.watch(id, Box::new(notify));
        }
        Effect::Unwatch(cell, id) => cell.unwatch(id),
        Effect::Used(slot, method) => peer.note_use(slot, method),
        Effect::Report(report) => peer.report(&report),
        Effect::Drop(thing) => drop(thing),
    }
}

/// Puts a message into its mailbox. Its room was lent to the sender; where others filled the mailbox meanwhile
/// it stands in line, and where nobody may stand in line it is a dead letter.
fn deliver(cell: &Cell, envelope: Envelope) {
    if let Err(refused) = cell.offer(envelope, Room::Wait) {
        cell.lose(refused.envelope, refused.reason);
    }
}

impl super::peer::Turn<'_> {
    /// Tells the peer that an actor that it watches has ended.
    pub(super) fn actor_down(&mut self, watch: link::WatchId, cause: DownCause) {
        self.state.watched.remove(&watch.0);
        let mut hand = super::peer::Hand::default();
        hand.words.cause = Some(cause);
        self.event_with(Event::ActorDown { watch, cause: reasons::SPOKEN }, &mut hand);
    }
}
