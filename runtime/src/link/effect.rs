//! What follows from an event for others: mailboxes, askers, watchers. Done after the lock is released, because
//! any of it may run code that sends over the same link.

use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{self, Asked, Event, ExportId};
use bailiwick_core::precedence::Priority;
use bailiwick_wire::Limits;
use bailiwick_wire::control::ToSupervisor;
use bailiwick_wire::reason::{DownCause, NotDelivered};
use bailiwick_wire::schema::ProtocolSchema;
use tokio::time::Instant;

use super::peer::{Peer, Watching};
use super::reasons;
use crate::address::WatchId;
use crate::cell::Cell;
use crate::envelope::{Credit, Envelope, Stored};
use crate::outcome::{AskError, Cause};
use crate::outlet::{Outlet, Room};
use crate::payload::Payload;
use crate::reply::Reply;
use crate::signal::Down;
use crate::ticket::Ticket;

/// What is to be done after the lock, in order.
#[derive(Default)]
pub(super) struct Effects {
    list: Vec<Effect>,
    landings: Vec<Landing>,
}

/// One thing to be done.
pub(super) enum Effect {
    /// Put a message into a mailbox.
    Deliver(Arc<Cell>, Box<Envelope>),
    /// Put messages of the packet into a mailbox: these of the landings.
    Land(Arc<Cell>, Range<usize>),
    /// Bring the reply; the message is done with.
    Receive(Box<Envelope>, Payload<'static>),
    /// Bring an item of a stream that goes on.
    Item(Arc<dyn crate::meeting::AskSlot>, Payload<'static>),
    /// Tell that a stream begins.
    Opened(Arc<dyn crate::meeting::AskSlot>),
    /// End a stream in order.
    Ended(Box<Envelope>),
    /// End an ask without a reply.
    Fail(Box<Envelope>, AskError),
    /// Give a message back that was written and certainly not handled.
    Bounce(Box<Envelope>, NotDelivered),
    /// Give a message back that waited.
    GiveBack(Box<Envelope>, Option<Ticket>, NotDelivered),
    /// Tell the sender that the actor did not take its message, or may not have; where nobody waits, it is counted.
    Missed(Option<Ticket>, Box<Envelope>, AskError),
    /// Count a tell as a dead letter that never left this process.
    Lost(&'static ProtocolSchema, u16, NotDelivered),
    /// Count a message of the peer's that was for nobody here.
    Refused(NotDelivered),
    /// Count tells whose end nobody knows.
    Unknown(u64),
    /// A message that waited is written; what is left of it goes.
    Admitted(Option<Ticket>, Option<Box<Envelope>>),
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

/// An ordinary message that came with nothing beside it, and lies in the packet.
pub(super) struct Landing {
    pub(super) protocol: &'static ProtocolSchema,
    pub(super) method: u16,
    pub(super) asked: Option<Asked>,
    pub(super) deadline: Option<Instant>,
    pub(super) export: ExportId,
    pub(super) place: Range<usize>,
    pub(super) limits: Limits,
}

impl Landing {
    /// Returns the bytes of the message.
    fn bytes<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet.get(self.place.clone()).unwrap_or_default()
    }

    /// Makes the message of `length` bytes as its mailbox keeps it, in the box of one that was handled if there is one: field by
    /// field where it stays, since a whole that is moved waits until it is written.
    fn envelope(
        &self,
        peer: &Arc<Peer>,
        length: u32,
        spare: Option<Box<Envelope<Stored>>>,
    ) -> Box<Envelope<Stored>> {
        let room = Grant { messages: 1, bytes: length, fds: 0 };
        let credit = Some(Credit::new(Arc::clone(peer) as _, self.export, room));
        let reply = match self.asked {
            Some(asked) => Reply::remote(Arc::clone(peer) as _, asked),
            None => Reply::nobody(),
        };
        let &Self { protocol, method, deadline, limits, .. } = self;
        let message = Stored(limits);
        let Some(mut envelope) = spare else {
            let room = Box::new_uninit();
            let (priority, bytes, queued, chain, trace) = (Priority::Ordinary, length, None, None, None);
            let envelope = Envelope {
                protocol,
                method,
                priority,
                bytes,
                reply,
                deadline,
                queued,
                chain,
                trace,
                credit,
                message,
            };
            return Box::write(room, envelope);
        };
        envelope.protocol = protocol;
        envelope.method = method;
        envelope.bytes = length;
        envelope.reply = reply;
        envelope.deadline = deadline;
        envelope.chain = None;
        envelope.trace = None;
        envelope.credit = credit;
        envelope.message = message;
        envelope
    }
}

impl Effects {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    pub(super) fn extend(&mut self, effects: impl IntoIterator<Item = Effect>) {
        self.list.extend(effects);
    }

    /// Adds a message for a mailbox, to those that came right before it for the same.
    pub(super) fn land(&mut self, cell: &Arc<Cell>, landing: Landing) {
        let at = self.landings.len();
        self.landings.push(landing);
        match self.list.last_mut() {
            Some(Effect::Land(last, places)) if Arc::ptr_eq(last, cell) => places.end = at + 1,
            Some(_) | None => self.list.push(Effect::Land(Arc::clone(cell), at..at + 1)),
        }
    }
}

/// Does everything, in order. What lands lies in `packet`.
pub(super) fn run_all(peer: &Arc<Peer>, effects: &mut Effects, packet: &[u8]) {
    for effect in effects.list.drain(..) {
        match effect {
            Effect::Land(cell, places) => {
                let landings = effects.landings.get(places).unwrap_or_default();
                cell.store(landings.iter().map(|landing| {
                    let bytes = landing.bytes(packet);
                    // It is part of a packet, which is shorter than that.
                    let length = bytes.len() as u32;
                    (bytes, move |spare| landing.envelope(peer, length, spare))
                }));
            }
            effect => run(peer, effect),
        }
    }
    effects.landings.clear();
}

fn run(peer: &Arc<Peer>, effect: Effect) {
    match effect {
        Effect::Deliver(cell, envelope) => deliver(&cell, envelope),
        // Only who has the packet at hand can do that.
        Effect::Land(..) => {}
        Effect::Receive(envelope, payload) => envelope.reply.receive(payload),
        Effect::Item(slot, payload) => slot.receive(payload),
        Effect::Opened(slot) => slot.open(),
        Effect::Ended(envelope) => envelope.reply.end(),
        Effect::Fail(envelope, error) => envelope.reply.fail(error),
        Effect::Bounce(envelope, reason) => envelope.refuse(reason),
        Effect::GiveBack(envelope, line, reason) => {
            // Who stands in line is told; who was let go believes that the message is on its way.
            match line {
                Some(line) => {
                    line.refuse(reason.clone());
                    envelope.refuse(reason);
                }
                None => peer.lose(envelope, reason),
            }
        }
        Effect::Missed(line, envelope, error) => match (line, error) {
            (Some(line), error) => line.fail(error),
            (None, AskError::NotDelivered(reason)) => peer.lose(envelope, reason),
            (None, AskError::Unknown(_)) => peer.count(|letters| letters.count_unknown(1)),
        },
        Effect::Lost(protocol, method, reason) => peer.record(protocol, method, &reason),
        Effect::Refused(reason) => peer.count(|letters| letters.count(&reason)),
        Effect::Unknown(tells) => peer.count(|letters| letters.count_unknown(tells)),
        Effect::Admitted(line, left) => {
            if let Some(line) = line {
                line.admit();
            }
            drop(left);
        }
        Effect::Wake(waker) => waker.wake(),
        Effect::Down(Watching { notify, address }, generation, cause) => {
            notify(Down { address, generation, cause: Cause::Elsewhere(cause) });
        }
        Effect::Watch(cell, id, watch) => {
            let peer = Arc::clone(peer);
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
fn deliver(cell: &Cell, envelope: Box<Envelope>) {
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
