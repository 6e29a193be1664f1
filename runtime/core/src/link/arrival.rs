//! What arrives: the checks, in their order, and what follows from a frame that passed them.
//!
//! Order: length, link state, slot and generation, method, uses and asks in flight, descriptors, credit; then the
//! driver puts the payload into the mailbox, still undecoded. What an honest peer can never have sent is a
//! [`Fault`]; what was true when it was sent is only not delivered.

use super::event::{Action, Closed, Outcome};
use super::failure::{Failure, NotDelivered};
use super::fault::Fault;
use super::frame::{CloseReason, Frame, Target};
use super::handling::{Asked, Open};
use super::sending::{Kind, Stream};
use super::short::{Delivery, Message};
use super::tables::{ExportId, ImportId, LiveExport, Once, Reach};
use super::{Link, State};
use crate::asks::{Standing, Ticket};
use crate::credit::{Grant, Size};
use crate::time::Instant;
use alloc::vec::Vec;

/// What a target that the peer named stands for.
pub(super) enum Named {
    /// A slot in its present use.
    Live(ExportId),
    /// An earlier use: the peer could not know yet.
    Past,
}

impl Link {
    /// Takes in a frame.
    pub(super) fn received(&mut self, now: Instant, frame: Frame, actions: &mut Vec<Action>) {
        let outcome = match self.state {
            // Bytes behind the last frame of a closed transport are nobody's.
            State::Closed => Ok(()),
            State::Greeting { heard } => self.greeted(now, heard, frame, actions),
            State::Open | State::Draining { .. } => self.heard(now, frame, actions),
        };
        if let Err(fault) = outcome {
            self.violation(fault, actions);
        }
    }

    fn greeted(
        &mut self,
        now: Instant,
        heard: bool,
        frame: Frame,
        actions: &mut Vec<Action>,
    ) -> Result<(), Fault> {
        match (heard, frame) {
            (false, Frame::Hello(hello)) => self.hello(&hello, actions),
            (true, Frame::HelloAck) => self.hello_ack(actions),
            (true, Frame::Uses { slot, uses }) => return self.uses_arrived(now, slot, &uses, actions),
            (_, Frame::Refuse(refusal)) => self.refused_by_peer(refusal, actions),
            (_, Frame::Close(reason)) => self.conclude(Closed::ByPeer(reason), actions),
            (true, Frame::Hello(_)) | (false, Frame::HelloAck | Frame::Uses { .. }) => {
                return Err(Fault::OutOfPlace);
            }
            (
                _,
                Frame::Offer(_)
                | Frame::Tell { .. }
                | Frame::Rendezvous { .. }
                | Frame::Ask { .. }
                | Frame::Reply { .. }
                | Frame::Failure { .. }
                | Frame::Opened { .. }
                | Frame::Item { .. }
                | Frame::End { .. }
                | Frame::Cancel { .. }
                | Frame::More { .. }
                | Frame::Credit { .. }
                | Frame::Lend { .. }
                | Frame::Watch { .. }
                | Frame::Unwatch { .. }
                | Frame::Down { .. }
                | Frame::Release { .. }
                | Frame::Revoke { .. }
                | Frame::Unready
                | Frame::Ready
                | Frame::Draining
                | Frame::Heard,
            ) => return Err(Fault::OutOfPlace),
        }
        Ok(())
    }

    fn heard(&mut self, now: Instant, frame: Frame, actions: &mut Vec<Action>) -> Result<(), Fault> {
        match frame {
            Frame::Tell { target, method, size } => {
                let message = Message { target, method, size, ask: None, rendezvous: false };
                self.message(now, &message, actions)?;
            }
            Frame::Rendezvous { target, method, size, correlation } => {
                let ask = Some((correlation, None));
                let message = Message { target, method, size, ask, rendezvous: true };
                self.message(now, &message, actions)?;
            }
            Frame::Ask { target, method, size, correlation, remaining } => {
                let ask = Some((correlation, remaining));
                let message = Message { target, method, size, ask, rendezvous: false };
                self.message(now, &message, actions)?;
            }
            Frame::Reply { correlation, size } => {
                if let Some(import) = self.answered(correlation, Some(size))? {
                    actions.push(Action::Resolve { ticket: correlation, outcome: Outcome::Replied });
                    self.flush(now, import, actions);
                }
            }
            Frame::End { correlation } => {
                if let Some(import) = self.answered(correlation, None)? {
                    actions.push(Action::Resolve { ticket: correlation, outcome: Outcome::Ended });
                    self.flush(now, import, actions);
                }
            }
            Frame::Failure { correlation, failure } => {
                if self.is_open_ask(correlation)? {
                    self.resolve(now, correlation, Outcome::Failed(failure), actions);
                }
            }
            Frame::Opened { correlation } => self.stream_opened(correlation, actions)?,
            Frame::Item { correlation, size } => self.item_arrived(correlation, size, actions)?,
            Frame::Cancel { correlation } => self.cancelled(correlation, actions),
            Frame::More { correlation, items } => self.more_items(correlation, items, actions),
            Frame::Credit { target, grant } => self.credit(now, target, grant, true, actions),
            Frame::Lend { target, grant } => self.credit(now, target, grant, false, actions),
            Frame::Watch { target, watch } => self.watch_arrived(target, watch, actions)?,
            Frame::Unwatch { watch } => self.unwatch_arrived(watch, actions),
            Frame::Down { watch, cause } => self.down_arrived(watch, cause, actions),
            Frame::Release { target } => self.released(target, actions)?,
            Frame::Revoke { target } => self.revoked(now, target, actions),
            Frame::Unready => self.peer_unready()?,
            Frame::Ready => self.peer_ready(now, actions)?,
            Frame::Draining => self.peer_drains(actions)?,
            Frame::Heard => self.peer_heard(actions)?,
            Frame::Close(reason) => self.conclude(Closed::ByPeer(reason), actions),
            Frame::Uses { slot, uses } => self.uses_arrived(now, slot, &uses, actions)?,
            Frame::Offer(offer) => self.offer_arrived(now, &offer, actions),
            Frame::Refuse(refusal) => self.use_refused(now, refusal, actions),
            Frame::Hello(_) | Frame::HelloAck => return Err(Fault::OutOfPlace),
        }
        Ok(())
    }

    /// The asker gave up; what has ended already, or never began, is nothing.
    fn cancelled(&mut self, ticket: Ticket, actions: &mut Vec<Action>) {
        let asked = Asked { ticket, link: self.link };
        if self.end_handling(asked).is_some() {
            actions.push(Action::CancelHandler { asked });
        }
    }

    fn more_items(&mut self, ticket: Ticket, items: u32, actions: &mut Vec<Action>) {
        let asked = Asked { ticket, link: self.link };
        if let Some(open) = self.handling.open_mut(ticket) {
            open.items = open.items.saturating_add(items);
            actions.push(Action::MoreItems { asked, items });
        }
    }

    fn message(&mut self, now: Instant, message: &Message, actions: &mut Vec<Action>) -> Result<(), Fault> {
        if self.admit(now, message, actions)? {
            actions.push(self.delivery(now, message).into());
        }
        Ok(())
    }

    /// Returns what is to be done with a message that passed.
    #[inline]
    pub(super) fn delivery(&self, now: Instant, message: &Message) -> Delivery {
        let export = ExportId { target: message.target, link: self.link };
        let asked = message.ask.map(|(ticket, _)| Asked { ticket, link: self.link });
        let deadline = message.ask.and_then(|(_, remaining)| remaining).map(|remaining| now + remaining);
        Delivery { export, method: message.method, asked, rendezvous: message.rendezvous, deadline }
    }

    /// Enters an ordinary message, a tell that is bounded by credit and rate alone, if it passes every check. Of any other
    /// nothing has changed, and [`Link::admit`] says what becomes of it.
    #[inline]
    pub(super) fn admits_at_once(&mut self, now: Instant, message: &Message) -> bool {
        let &Message { target, method, size, ask, rendezvous } = message;
        if ask.is_some() || rendezvous {
            return false;
        }
        let (refuses, fits) = (self.refuses(), size.bytes <= self.limits.message_bytes);
        let carries = size.fds <= self.limits.message_fds;
        let Some(slot) = self.exports.get_mut(target.slot as usize) else { return false };
        let Some(live) = slot.live.as_mut().filter(|_| slot.generation == target.generation) else {
            return false;
        };
        let passes = live.export.once == Once::No
            && !refuses
            && fits
            && carries
            && live.granted.has(method)
            && live.ledger.receive(size);
        if !passes {
            return false;
        }
        if let Some(pace) = &mut live.pace {
            pace.spend(now);
        }
        self.queued += 1;
        true
    }

    /// Checks a message in the order of the checks. Returns whether it is to be put into its mailbox; what else follows is
    /// appended, and comes before that.
    ///
    /// What is returned is a word, since whoever reads at once what was just written in pieces waits for it.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        message: &Message,
        actions: &mut Vec<Action>,
    ) -> Result<bool, Fault> {
        let &Message { target, method, size, ask, .. } = message;
        self.fits(size.bytes)?;
        let Named::Live(export) = self.named(target)? else {
            self.not_delivered(message, NotDelivered::Gone, actions);
            return Ok(false);
        };
        let refuses = self.refuses();
        let (fds_max, items) = (self.limits.message_fds, self.limits.items);
        let Some(live) = self.live(export) else { return Err(Fault::NoSuchSlot { target }) };
        let refusal = live.refusal(message, refuses)?;
        if size.fds > fds_max {
            return Err(Fault::TooManyFds { fds: size.fds, limit: fds_max });
        }
        if !live.ledger.receive(size) {
            return Err(Fault::Overspent { target });
        }
        if let Some(pace) = &mut live.pace {
            pace.spend(now);
        }
        let is_remembered = refusal.is_none() && live.note_use(method);
        self.queued += 1;
        if let Some(reason) = refusal {
            // The credit goes back at once: the message takes no room.
            self.taken(now, export, Grant::of(size), actions);
            self.not_delivered(message, reason, actions);
            if reason == NotDelivered::UsedUp || reason == NotDelivered::Full {
                self.over_quota(now)?;
            }
            return Ok(false);
        }
        if let Some((ticket, _)) = ask {
            self.begin(ticket, Open { export, items })?;
        }
        if is_remembered {
            actions.push(Action::Used { slot: target.slot, method });
        }
        Ok(true)
    }

    fn begin(&mut self, ticket: Ticket, open: Open) -> Result<(), Fault> {
        if !self.handling.begin(ticket, open) {
            return Err(Fault::BadCorrelation { correlation: ticket });
        }
        if let Some(live) = self.live(open.export) {
            live.asks += 1;
        }
        Ok(())
    }

    fn not_delivered(&mut self, message: &Message, reason: NotDelivered, actions: &mut Vec<Action>) {
        actions.push(Action::DeadLetter { target: message.target, reason });
        if let Some((correlation, _)) = message.ask {
            let failure = Failure::NotDelivered(reason);
            self.order(Frame::Failure { correlation, failure }, actions);
        }
    }

    /// Finds what the peer named.
    pub(super) fn named(&self, target: Target) -> Result<Named, Fault> {
        let Some(slot) = self.exports.get(target.slot as usize) else {
            return Err(Fault::NoSuchSlot { target });
        };
        if target.generation < slot.generation {
            return Ok(Named::Past);
        }
        if target.generation > slot.generation || slot.live.is_none() {
            return Err(Fault::NoSuchSlot { target });
        }
        Ok(Named::Live(ExportId { target, link: self.link }))
    }

    /// A reply, or without a size the end of a stream: ends the ask. Returns who was asked, whose room is free then;
    /// nothing if the ask had ended before.
    pub(super) fn answered(&mut self, ticket: Ticket, size: Option<Size>) -> Result<Option<ImportId>, Fault> {
        if let Some(size) = size {
            self.fits(size.bytes)?;
            self.carries(size.fds)?;
        }
        if !self.is_open_ask(ticket)? {
            return Ok(None);
        }
        let kind = self.pending.pending(ticket).map(|pending| pending.kind);
        match (kind, size) {
            (Some(Kind::Ask(None) | Kind::Rendezvous), Some(_)) | (Some(Kind::Ask(Some(_))), None) => {}
            (Some(Kind::Ask(None) | Kind::Rendezvous), None)
            | (Some(Kind::Ask(Some(_))), Some(_))
            | (Some(Kind::Tell) | None, _) => {
                return Err(Fault::BadStream { correlation: ticket });
            }
        }
        Ok(self.close_pending(ticket).map(|pending| pending.send.import))
    }

    fn stream_opened(&mut self, ticket: Ticket, actions: &mut Vec<Action>) -> Result<(), Fault> {
        if !self.is_open_ask(ticket)? {
            return Ok(());
        }
        let left = self.limits.items;
        match self.pending.pending_mut(ticket).map(|pending| &mut pending.kind) {
            Some(Kind::Ask(stream @ None)) => *stream = Some(Stream { left, taken: 0 }),
            Some(Kind::Ask(Some(_)) | Kind::Tell | Kind::Rendezvous) | None => {
                return Err(Fault::BadStream { correlation: ticket });
            }
        }
        self.pending.forget_deadline(ticket);
        actions.push(Action::StreamOpened { ticket });
        Ok(())
    }

    fn item_arrived(&mut self, ticket: Ticket, size: Size, actions: &mut Vec<Action>) -> Result<(), Fault> {
        self.fits(size.bytes)?;
        self.carries(size.fds)?;
        if !self.is_open_ask(ticket)? {
            return Ok(());
        }
        match self.pending.pending_mut(ticket).map(|pending| &mut pending.kind) {
            Some(Kind::Ask(Some(Stream { left, .. }))) if *left > 0 => *left -= 1,
            Some(Kind::Ask(_) | Kind::Tell | Kind::Rendezvous) | None => {
                return Err(Fault::BadStream { correlation: ticket });
            }
        }
        actions.push(Action::DeliverItem { ticket });
        Ok(())
    }

    /// Tells whether an answer meets an open ask; one that ended meanwhile is no fault.
    fn is_open_ask(&self, ticket: Ticket) -> Result<bool, Fault> {
        let fault = Fault::BadCorrelation { correlation: ticket };
        match self.pending.standing(ticket) {
            Standing::Ended => Ok(false),
            Standing::NeverIssued => Err(fault),
            Standing::Pending => match self.pending.pending(ticket) {
                Some(pending) if pending.sent.is_some() => Ok(true),
                Some(_) | None => Err(fault),
            },
        }
    }

    fn credit(
        &mut self,
        now: Instant,
        target: Target,
        grant: Grant,
        is_given_back: bool,
        actions: &mut Vec<Action>,
    ) {
        if let Some(index) = self.import_of(target) {
            if let Some(import) = self.import_mut(index) {
                import.allowance.add(grant);
                if is_given_back {
                    import.limbo.confirm(grant.messages);
                }
            }
            self.flush(now, index, actions);
        }
    }

    /// The peer no longer offers a slot: what waits for it, waits in vain.
    fn revoked(&mut self, now: Instant, target: Target, actions: &mut Vec<Action>) {
        if let Some(index) = self.import_of(target) {
            if let Some(import) = self.import_mut(index) {
                import.reach = Reach::Gone;
            }
            self.flush(now, index, actions);
        }
    }

    fn fits(&self, bytes: u32) -> Result<(), Fault> {
        let limit = self.limits.message_bytes;
        if bytes > limit { Err(Fault::TooLarge { bytes, limit }) } else { Ok(()) }
    }

    fn carries(&self, fds: u16) -> Result<(), Fault> {
        let limit = self.limits.message_fds;
        if fds > limit { Err(Fault::TooManyFds { fds, limit }) } else { Ok(()) }
    }

    /// Ends the transport because the peer broke the protocol. Who is dead already is not accused.
    pub(super) fn violation(&mut self, fault: Fault, actions: &mut Vec<Action>) {
        match self.state {
            State::Closed => {}
            State::Greeting { .. } | State::Open | State::Draining { .. } => {
                self.order(Frame::Close(CloseReason::Protocol), actions);
                let goes_on = self.dying.is_none();
                if goes_on && self.config.may_accuse {
                    actions.push(Action::Accuse { fault });
                }
                self.conclude(Closed::Violation(fault), actions);
                // Who is accused comes back with its next incarnation. Who drains needs no link to come.
                if goes_on && !self.config.may_accuse && !self.draining {
                    actions.push(Action::AskAnew { fault });
                }
            }
        }
    }
}

impl LiveExport {
    /// Returns why a message is not put into its mailbox, though the peer may have believed that it would be.
    fn refusal(&self, message: &Message, refuses: bool) -> Result<Option<NotDelivered>, Fault> {
        let &Message { target, method, ask, rendezvous, .. } = message;
        if !self.export.granted.has(method) {
            return Err(Fault::NeverGranted { target, method });
        }
        if rendezvous && !self.export.rendezvous {
            return Err(Fault::NoRendezvous { target });
        }
        if !self.granted.has(method) {
            return Ok(Some(NotDelivered::NotGranted));
        }
        if self.export.once != Once::No && self.used.has(method) {
            return Ok(Some(NotDelivered::UsedUp));
        }
        let is_ask = ask.is_some() && !rendezvous;
        if is_ask && self.asks >= self.export.asks {
            return Ok(Some(NotDelivered::Full));
        }
        Ok(refuses.then_some(NotDelivered::Draining))
    }
}
