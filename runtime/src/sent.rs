//! One message handed to one actor: chosen, offered, and while it waits for room, in line.

use std::task::{Context, Poll};

use crate::address::{Address, Target};
use crate::envelope::Envelope;
use crate::outcome::{AskError, NotDelivered};
use crate::outlet::{Accepted, Outlet, Refused, Room};
use crate::pool::Chosen;
use crate::ticket::Ticket;

/// What there is to remember of a message that was accepted. Dropping it takes a message that still waits for room out of the line.
pub(crate) struct Sent {
    /// Where it waits for room, and its place there.
    line: Option<(Address, Ticket)>,
    /// The member that counts as busy until the message is done with.
    chosen: Option<Chosen>,
}

impl Sent {
    /// Offers the message; to a pool, once more elsewhere if the first member refuses it. Of most messages that have their place there
    /// is nothing to remember.
    pub(crate) fn offer(
        address: &Address,
        envelope: Box<Envelope>,
        room: Room,
    ) -> Result<Option<Box<Self>>, Box<Refused>> {
        let Target::Pool(pool) = &address.0 else {
            return Self::offer_to(address, envelope, room, None);
        };
        let Some(first) = pool.choose(None) else { return Err(nobody(envelope)) };
        let index = first.index;
        let refused = match Self::offer_to(&first.address.clone(), envelope, room, Some(first)) {
            Ok(sent) => return Ok(sent),
            Err(refused) => refused,
        };
        match pool.choose(Some(index)) {
            Some(other) => Self::offer_to(&other.address.clone(), refused.envelope, room, Some(other)),
            None => Err(refused),
        }
    }

    /// Offers a message again that came back from a member of a pool.
    pub(crate) fn offer_elsewhere(
        &self,
        address: &Address,
        envelope: Box<Envelope>,
    ) -> Result<Option<Box<Self>>, Box<Refused>> {
        let (Target::Pool(pool), Some(first)) = (&address.0, &self.chosen) else {
            return Err(nobody(envelope));
        };
        match pool.choose(Some(first.index)) {
            Some(other) => Self::offer_to(&other.address.clone(), envelope, Room::Wait, Some(other)),
            None => Err(nobody(envelope)),
        }
    }

    /// Returns whether a message that comes back can be sent elsewhere.
    pub(crate) fn has_elsewhere(&self) -> bool {
        self.chosen.is_some()
    }

    fn offer_to(
        target: &Address,
        envelope: Box<Envelope>,
        room: Room,
        chosen: Option<Chosen>,
    ) -> Result<Option<Box<Self>>, Box<Refused>> {
        let outlet: &dyn Outlet = match &target.0 {
            Target::Local(cell) => &**cell,
            Target::Peer(peer) => &**peer,
            // The members of a pool are actors.
            Target::Pool(_) => return Err(nobody(envelope)),
        };
        if let Some(chain) = &envelope.chain
            && let Some(chain) = chain.cycle(outlet.id(), || outlet.name())
        {
            return Err(Box::new(Refused { envelope, reason: NotDelivered::Cycle { chain } }));
        }
        let line = match outlet.offer(envelope, room)? {
            Accepted::Queued if chosen.is_none() => return Ok(None),
            Accepted::Queued => None,
            Accepted::Parked(ticket) => Some((target.clone(), ticket)),
        };
        Ok(Some(Box::new(Self { line, chosen })))
    }

    /// Ready once the message has its place, or will never have one; for a rendezvous, once the actor has it.
    pub(crate) fn poll_admitted(&mut self, task: &mut Context<'_>) -> Poll<Result<(), AskError>> {
        let Some((_, ticket)) = &self.line else { return Poll::Ready(Ok(())) };
        let admitted = ticket.poll(task);
        if admitted.is_ready() {
            self.line = None;
        }
        admitted
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        let Some((target, ticket)) = self.line.take() else { return };
        match &target.0 {
            Target::Local(cell) => cell.withdraw(&ticket),
            Target::Peer(peer) => peer.withdraw(&ticket),
            Target::Pool(_) => {}
        }
    }
}

fn nobody(envelope: Box<Envelope>) -> Box<Refused> {
    Box::new(Refused { envelope, reason: NotDelivered::NoSuchActor })
}
