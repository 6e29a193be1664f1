//! The messages of local actors on their way to a peer: what is kept of each until it ends.

use bailiwick_core::asks::Ticket as SendId;
use bailiwick_core::credit::Size;
use bailiwick_core::link::{Event, ImportId, Patience, Send};
use bailiwick_wire::FdKinds;
use bailiwick_wire::descriptors::Outgoing;
use bailiwick_wire::frame::Extensions;
use bailiwick_wire::reason::NotDelivered;

use super::effect::Effect;
use super::frames;
use super::peer::{Hand, Turn};
use crate::blob::{decide, may_go};
use crate::envelope::Envelope;
use crate::ticket::Ticket;

/// What is kept for one ticket.
#[derive(Default)]
pub(super) enum Sending {
    #[default]
    Nothing,
    /// It waits for room or for the link.
    Kept(Box<Kept>),
    /// It is written; the answer goes here. The message stays, for it may come back and be sent elsewhere.
    Asked(Box<Envelope>, Terms),
    /// It is written, to a mailbox that holds nothing; its sender, if it waits, stands here until the actor takes it.
    Met(Option<Ticket>, Box<Envelope>, SendId),
}

/// What is known of where a message goes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    /// Kinds of descriptors that the grant names for the reply; `None` leaves them to the method.
    pub(super) reply_fds: Option<FdKinds>,
    /// The actor is one of every life of the peer.
    pub(super) lasts: bool,
}

/// A message that waits.
pub(super) struct Kept {
    pub(super) parcel: Parcel,
    pub(super) envelope: Box<Envelope>,
    /// The sender's place in line; the sender of one that is buffered has none.
    pub(super) line: Option<Ticket>,
    pub(super) ticket: SendId,
}

/// An encoded message and what travels beside it.
#[derive(Default)]
pub(super) struct Parcel {
    pub(super) bytes: Vec<u8>,
    pub(super) beside: Outgoing,
    /// What goes beside it but the time that an asker waits; most messages have none of it.
    pub(super) extensions: Option<Box<Extensions>>,
    pub(super) terms: Terms,
}

impl Parcel {
    /// Returns what it weighs.
    pub(super) fn size(&self) -> Size {
        // Both are within the limits of the codec, which are smaller than what the fields hold.
        Size { bytes: self.bytes.len() as u32, fds: self.beside.descriptors().len() as u16 }
    }
}

/// A message that a local actor sends, and what became of it.
pub(super) struct Sent {
    pub(super) ticket: SendId,
    pub(super) parcel: Parcel,
    pub(super) envelope: Option<Box<Envelope>>,
    pub(super) from: From,
    /// What is left of a message that was written.
    pub(super) left: Option<Box<Envelope>>,
    pub(super) outcome: SendOutcome,
}

/// Where a message that is sent comes from.
pub(super) enum From {
    /// Its sender, who waits for room or does not.
    Sender(Patience),
    /// The link of another life of the peer, where it waited; its sender may still stand in line.
    Predecessor(Option<Ticket>),
}

impl From {
    /// Returns the sender's place in line, if it waits at all and `has_line`.
    pub(super) fn line(&mut self, has_line: bool) -> Option<Ticket> {
        match self {
            Self::Sender(patience) => (has_line && *patience == Patience::Wait).then(Ticket::default),
            Self::Predecessor(line) => line.take_if(|_| has_line),
        }
    }
}

/// What became of a message that was just sent.
pub(super) enum SendOutcome {
    Written,
    /// Its sender waits in line: for room, or for the actor to take it.
    Kept(Ticket),
    /// It waits for the link, as one of those that may: its sender need not.
    Buffered,
    Refused(NotDelivered),
}

/// What became of a message that its sender offers.
pub(super) enum Offered {
    /// It was given to the machine, which wrote it at once if there is nothing to say of it.
    Sent(Option<Box<Sent>>),
    /// What goes beside it was decided for another transport: nothing has happened.
    Elsewhere(Box<Envelope>),
}

impl Turn<'_> {
    /// Gives a message of a local sender's to the machine.
    pub(super) fn offer(
        &mut self,
        import: ImportId,
        envelope: Box<Envelope>,
        parcel: &mut Parcel,
        patience: Patience,
    ) -> Offered {
        if !self.may_post(parcel) {
            return Offered::Elsewhere(envelope);
        }
        let mut message = Some(envelope);
        if self.send_at_once(import, &mut message, parcel) {
            self.recycle(std::mem::take(&mut parcel.bytes));
            return Offered::Sent(None);
        }
        let Some(envelope) = message else { return Offered::Sent(None) };
        let mut sent = self.send(import, envelope, std::mem::take(parcel), From::Sender(patience));
        self.recycle(std::mem::take(&mut sent.parcel.bytes));
        Offered::Sent(Some(Box::new(sent)))
    }

    /// Writes a message that nothing keeps waiting. Returns whether it is written; if not, nothing has changed. A tell is
    /// left to the caller to be dropped.
    pub(super) fn send_at_once(
        &mut self,
        import: ImportId,
        message: &mut Option<Box<Envelope>>,
        parcel: &mut Parcel,
    ) -> bool {
        let Some(envelope) = message else { return false };
        let deadline = envelope.deadline.map(|deadline| self.peer.instant(deadline));
        if deadline.is_some() || self.state.link.is_paced(import) {
            self.read_clock();
        }
        let place = self.place_of(import, envelope.protocol);
        let (Some(ticket), Some(first)) = (self.state.link.vacant_ticket(), place) else { return false };
        let (now, size) = (self.state.now, parcel.size());
        let (method, patience) = (first + envelope.method, Patience::Now);
        let send = Send { ticket, import, method, size, patience, priority: envelope.priority, deadline };
        if !envelope.reply.is_awaited() {
            let Some(frame) = self.state.link.tell_at_once(now, &send) else { return false };
            self.name_addresses(parcel);
            self.post(frames::header(&frame), parcel, None);
        } else {
            let Some(frame) = self.state.link.ask_at_once(now, &send) else { return false };
            let asker = envelope.reply.local_slot();
            let Some(envelope) = message.take() else { return false };
            self.put_on_the_wire(ticket, &frame, parcel, envelope);
            if asker.is_some_and(|asker| asker.answered_over(self.peer.strong(), ticket.bits())) {
                self.abandon(ticket);
            }
        }
        self.settle();
        true
    }

    /// Gives a message to the machine. Returns what became of it, and the envelope if it was refused.
    pub(super) fn send(
        &mut self,
        import: ImportId,
        envelope: Box<Envelope>,
        parcel: Parcel,
        from: From,
    ) -> Sent {
        let (protocol, method, priority) = (envelope.protocol, envelope.method, envelope.priority);
        let (is_ask, asker) = (envelope.reply.is_awaited(), envelope.reply.local_slot());
        let deadline = envelope.deadline.map(|deadline| self.peer.instant(deadline));
        let patience = match &from {
            From::Sender(patience) => *patience,
            From::Predecessor(_) => Patience::Kept,
        };
        if deadline.is_some() || self.state.link.is_paced(import) {
            self.read_clock();
        }
        // First, for it may be news to the machine, and only then the ticket: the machine may have ended something.
        let place = self.place_of(import, protocol);
        let ticket = self.state.link.vacant_ticket();
        let size = parcel.size();
        let outcome = SendOutcome::Refused(NotDelivered::Full);
        let nothing = ticket.unwrap_or(SendId::from_bits(0));
        let sent = Sent { ticket: nothing, parcel, envelope: Some(envelope), from, left: None, outcome };
        let (Some(ticket), Some(first)) = (ticket, place) else { return sent };
        let mut hand = Hand { sent: Some(sent), ..Hand::default() };
        let method = first + method;
        let send = Send { ticket, import, method, size, patience, priority, deadline };
        self.event_with(if is_ask { Event::Ask(send) } else { Event::Tell(send) }, &mut hand);
        let sent = hand.sent.expect("nobody takes it out of the hand");
        let asker = asker.filter(|_| !matches!(sent.outcome, SendOutcome::Refused(_)));
        if asker.is_some_and(|asker| asker.answered_over(self.peer.strong(), ticket.bits())) {
            self.abandon(ticket);
        }
        sent
    }

    /// Takes a message out that is to go over the link of another life of the peer.
    pub(super) fn hand_back(&mut self, ticket: SendId, import: ImportId, hand: &mut Hand<'_>) {
        if let Sending::Kept(mut kept) = self.take_sending(ticket) {
            match decide(&mut kept.parcel.beside, None) {
                Ok(()) => hand.handed_back.push((import, kept)),
                Err(_) => self.give_back_unsent(*kept),
            }
        }
    }

    /// Has messages that wait lend nothing over a transport that has ended: what of theirs it was decided to lend goes in sealed memory, or,
    /// where there is none to be had, back to their senders. Nothing was spent for them yet.
    pub(super) fn lend_nothing(&mut self) {
        let mut unsent = Vec::new();
        for sending in &mut self.state.sends {
            if let Sending::Kept(kept) = sending
                && !may_go(&kept.parcel.beside, None)
                && decide(&mut kept.parcel.beside, None).is_err()
            {
                unsent.push(kept.ticket);
            }
        }
        for ticket in unsent {
            if let Sending::Kept(kept) = self.take_sending(ticket) {
                self.abandon(ticket);
                self.give_back_unsent(*kept);
            }
        }
    }

    fn give_back_unsent(&mut self, kept: Kept) {
        let Kept { parcel, envelope, line, .. } = kept;
        self.effects.push(Effect::GiveBack(envelope, line, NotDelivered::DescriptorsExhausted));
        self.effects.push(Effect::Drop(Box::new(parcel.beside)));
    }

    /// Tells whether a message may go over the present transport as it was decided.
    pub(super) fn may_post(&self, parcel: &Parcel) -> bool {
        parcel.beside.descriptors().is_empty() || may_go(&parcel.beside, self.state.loans())
    }

    /// Takes over a message that waited for another life of the peer.
    pub(super) fn take_over(&mut self, import: ImportId, kept: Kept) {
        let Kept { parcel, envelope, line, .. } = kept;
        let Sent { parcel, envelope, from, left, outcome, .. } =
            self.send(import, envelope, parcel, From::Predecessor(line));
        let line = match from {
            From::Predecessor(line) => line,
            From::Sender(_) => None,
        };
        match (outcome, envelope) {
            (SendOutcome::Kept(_) | SendOutcome::Buffered, _) => {}
            (SendOutcome::Written, _) => self.effects.push(Effect::Admitted(line, left)),
            (SendOutcome::Refused(reason), Some(envelope)) => {
                self.effects.push(Effect::GiveBack(envelope, line, reason));
            }
            (SendOutcome::Refused(_), None) => {}
        }
        self.effects.push(Effect::Drop(Box::new(parcel.beside)));
    }

    /// Returns the sender's place in line for a message that is kept now, if it is to wait.
    pub(super) fn line_for(&mut self, ticket: SendId, from: &mut From) -> Option<Ticket> {
        let has_line = self.state.link.holds_sender(ticket);
        let line = from.line(has_line);
        if let From::Predecessor(line) = from {
            // It has its place among what waits for the next transport.
            self.effects.extend(line.take().map(|line| Effect::Admitted(Some(line), None)));
        }
        line
    }

    /// Lets those go who stood in line for room: their messages have a place now, in the queue for the next transport. Who
    /// waits for an actor to take its message waits on.
    pub(super) fn let_go(&mut self) {
        for sending in &mut self.state.sends {
            if let Sending::Kept(kept) = sending
                && !self.state.link.is_for_rendezvous(kept.ticket)
                && let Some(line) = kept.line.take()
            {
                self.effects.push(Effect::Admitted(Some(line), None));
            }
        }
    }

    /// Takes a message back whose sender no longer stands in line. Returns whether it was there.
    pub(super) fn withdraw(&mut self, line: &Ticket) -> bool {
        let is_it = |own: &Option<Ticket>| own.as_ref().is_some_and(|own| own.is(line));
        let kept = self.state.sends.iter().find_map(|sending| match sending {
            Sending::Kept(kept) if is_it(&kept.line) => Some(kept.ticket),
            Sending::Met(own, _, ticket) if is_it(own) => Some(*ticket),
            Sending::Kept(_) | Sending::Met(..) | Sending::Asked(..) | Sending::Nothing => None,
        });
        kept.into_iter().for_each(|ticket| self.abandon(ticket));
        kept.is_some()
    }

    /// Ends a send whose sender no longer waits, if it has not ended.
    pub(super) fn abandon(&mut self, ticket: SendId) {
        if self.state.link.is_pending(ticket) {
            self.event(Event::Cancel { ticket });
            self.forget(ticket);
        }
    }

    /// Puts what is kept for a ticket aside.
    pub(super) fn take_sending(&mut self, ticket: SendId) -> Sending {
        let place = self.state.sends.get_mut(usize::from(ticket.index()));
        place.map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn put_sending(&mut self, ticket: SendId, sending: Sending) {
        let index = usize::from(ticket.index());
        if self.state.sends.len() <= index {
            self.state.sends.resize_with(index + 1, Sending::default);
        }
        let before = std::mem::replace(&mut self.state.sends[index], sending);
        if !matches!(before, Sending::Nothing) {
            self.effects.push(Effect::Drop(Box::new(before)));
        }
    }
}
