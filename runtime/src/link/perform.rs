//! Carries out what the link machine orders.

use std::os::fd::AsFd;
use std::time::Duration;

use bailiwick_core::asks::Ticket as SendId;
use bailiwick_core::credit::Grant;
use bailiwick_core::link::{
    Action, Closed, Delivery, Event, Failure, Frame, ImportId, NotDelivered as Reason, Outcome, Refusal,
    Target,
};
use bailiwick_wire::audit::Evidence;
use bailiwick_wire::control::ToSupervisor;
use bailiwick_wire::descriptors::{Came, Incoming};
use bailiwick_wire::fault::Fault;
use bailiwick_wire::frame::{Extensions, Header};
use bailiwick_wire::reason::{DownCause, NotDelivered};
use bailiwick_wire::schema::{Disagreement, MethodSchema};
use bailiwick_wire::{FdKind, FdKinds};

use super::effect::Effect;
use super::exports::Meant;
use super::frames;
use super::peer::{Hand, Turn};
use super::reasons;
use super::sends::{Kept, Parcel, SendOutcome, Sending, Terms};
use crate::chain::Chain;
use crate::envelope::{Credit, Envelope};
use crate::fd::observe;
use crate::outcome::AskError;
use crate::payload::Payload;
use crate::reply::Reply;
use crate::ticket::Ticket as Line;

impl Turn<'_> {
    /// Carries out one action.
    pub(super) fn perform(&mut self, action: Action, hand: &mut Hand<'_>) {
        match action {
            Action::Send(frame) => self.write(&frame, hand),
            Action::Transmit { ticket, frame } => self.transmit(ticket, frame, hand),
            Action::Keep { ticket } => self.keep(ticket, hand),
            Action::HandBack { ticket, import } => self.hand_back(ticket, import, hand),
            Action::HandWatchBack { watch, import } => {
                let watching = self.state.watches.remove(&watch.0);
                hand.watches_back.extend(watching.map(|watching| (import, watch.0, watching)));
            }
            Action::Undelivered { ticket, reason } => self.give_up(ticket, reason, hand),
            Action::TellLost { import, method, reason } => self.tell_lost(import, method, reason),
            Action::TellsUnknown { tells } => self.effects.push(Effect::Unknown(tells)),
            Action::Resolve { ticket, outcome } => self.resolve(ticket, outcome, hand),
            Action::StreamOpened { ticket } => self.effects.extend(self.asker(ticket).map(Effect::Opened)),
            Action::DeliverItem { ticket } => self.deliver_item(ticket, hand),
            Action::Deliver { export, method, asked, rendezvous, deadline } => {
                self.deliver(Delivery { export, method, asked, rendezvous, deadline }, hand);
            }
            Action::Used { slot, method } => self.effects.push(Effect::Used(slot, method)),
            Action::DeadLetter { target, reason } => self.dead_letter(target, reason),
            Action::CancelHandler { asked } => {
                let waker = self.state.handlers.end(asked);
                self.effects.extend(waker.map(Effect::Wake));
            }
            Action::MoreItems { asked, .. } => {
                let waker = self.state.handlers.waker(asked);
                self.effects.extend(waker.map(Effect::Wake));
            }
            Action::Borrow { export, grant } => {
                let grant = self.borrow(export, grant);
                self.event(Event::Lent { export, grant });
            }
            Action::GiveBack { export, grant } => self.give_back(export, grant),
            Action::Watched { export, watch } => self.watched(export, watch),
            Action::Unwatched { watch } => self.unwatched(watch),
            Action::ActorDown { watch, .. } => {
                let cause = hand.words.cause.unwrap_or(self.state.peer.cause);
                self.watched_is_down(watch.0, cause);
            }
            Action::ExportGone { slot } => self.export_gone(slot),
            Action::Refused { refusal, by_peer } => self.refused(refusal, by_peer, hand),
            Action::Close { reason } => self.close(reason),
            Action::Accuse { fault } => self.accuse(reasons::fault(fault), hand.evidence()),
            Action::AskAnew { fault } => self.ask_anew(reasons::fault(fault), hand.evidence()),
            Action::HeardOut => self.peer.emptied.notify_waiters(),
            Action::Opened | Action::PeerDrains | Action::Drained | Action::Down { .. } => {
                if matches!(action, Action::PeerDrains | Action::Down { .. }) {
                    self.want_again();
                }
                let peer = self.peer.title();
                tracing::debug!(target: "bailiwick::link", peer, ?action);
            }
        }
    }

    fn watched_is_down(&mut self, watch: u64, cause: DownCause) {
        let generation = self.state.peer.generation;
        let watching = self.state.watches.remove(&watch);
        self.effects.extend(watching.map(|watching| Effect::Down(watching, generation, cause)));
    }

    fn deliver_item(&mut self, ticket: SendId, hand: &mut Hand<'_>) {
        match (self.asker(ticket), self.take_payload(hand, self.reply_fds(ticket))) {
            (Some(slot), Some(payload)) => self.effects.push(Effect::Item(slot, payload)),
            other => self.effects.push(Effect::Drop(Box::new(other))),
        }
    }

    fn accuse(&mut self, fault: Fault, evidence: Evidence) {
        let fault = fault.into();
        self.report(|peer, generation| ToSupervisor::Accuse { peer, generation, fault, evidence });
    }

    fn ask_anew(&mut self, fault: Fault, evidence: Evidence) {
        let fault = fault.into();
        self.report(|peer, generation| ToSupervisor::Reopen { peer, generation, fault, evidence });
    }

    /// Tells the supervisor of the peer's present incarnation.
    fn report(&mut self, report: impl FnOnce(u16, u32) -> ToSupervisor) {
        let report = report(self.peer.number, self.state.peer.generation);
        self.effects.push(Effect::Report(report));
    }

    /// Writes a frame: an answer with its payload, or one of the runtime's own.
    fn write(&mut self, frame: &Frame, hand: &mut Hand<'_>) {
        let header = frames::header(frame);
        match frame {
            Frame::Reply { .. } | Frame::Item { .. } => {
                let Some(parcel) = &mut hand.answer else { return };
                self.name_addresses(parcel);
                self.post(header, parcel, None);
            }
            Frame::Hello(_)
            | Frame::HelloAck
            | Frame::Uses { .. }
            | Frame::Offer(_)
            | Frame::Refuse(_)
            | Frame::Tell { .. }
            | Frame::Rendezvous { .. }
            | Frame::Ask { .. }
            | Frame::Failure { .. }
            | Frame::Opened { .. }
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
            | Frame::Heard
            | Frame::Close(_) => {
                let mut words = std::mem::take(&mut hand.words);
                if let Frame::Refuse(Refusal::Schema { slot, method, .. }) = frame {
                    words.shape = self.exported_method(*slot, *method).map(MethodSchema::to_shape);
                }
                let mut payload = self.buffer();
                frames::write_control(frame, words, &mut payload);
                self.state.outbox.frame(header, Extensions::NONE, &payload, std::iter::empty());
                self.recycle(payload);
            }
        }
    }

    /// Writes the answer to an ask: the reply that is at hand, or why there is none.
    pub(super) fn write_answer(&mut self, frame: &Frame, parcel: &mut Parcel) {
        if let Frame::Reply { .. } = frame {
            self.name_addresses(parcel);
            return self.post(frames::header(frame), parcel, None);
        }
        self.write(frame, &mut Hand::default());
    }

    pub(super) fn post(&mut self, header: Header, parcel: &Parcel, remaining: Option<Duration>) {
        let fds = parcel.beside.descriptors().iter().map(|(_, fd)| std::sync::Arc::clone(fd));
        match (&parcel.extensions, remaining) {
            (None, None) => self.state.outbox.frame(header, Extensions::NONE, &parcel.bytes, fds),
            (beside, remaining) => {
                let beside = beside.as_deref().copied().unwrap_or_default();
                let extensions = Extensions { remaining, ..beside };
                self.state.outbox.frame(header, &extensions, &parcel.bytes, fds);
            }
        }
    }

    /// Writes a message of a local actor's: the one that is at hand, or one that waited.
    fn transmit(&mut self, ticket: SendId, frame: Frame, hand: &mut Hand<'_>) {
        if let Some(sent) = hand.sent.as_mut().filter(|sent| sent.ticket == ticket) {
            let mut parcel = std::mem::take(&mut sent.parcel);
            sent.outcome = SendOutcome::Written;
            let Some(envelope) = sent.envelope.take() else { return };
            let line = if let Frame::Rendezvous { .. } = frame { sent.from.line(true) } else { None };
            if let Some(line) = &line {
                sent.outcome = SendOutcome::Kept(line.clone());
            }
            let left = self.put_on_the_wire(ticket, &frame, &mut parcel, envelope);
            let left = self.wait_for_taking(ticket, &frame, line, left);
            if let Some(sent) = &mut hand.sent {
                sent.left = left;
                sent.parcel = parcel;
            }
            return;
        }
        let Sending::Kept(kept) = self.take_sending(ticket) else { return };
        let Kept { mut parcel, envelope, line, .. } = *kept;
        let left = self.put_on_the_wire(ticket, &frame, &mut parcel, envelope);
        if let Frame::Rendezvous { .. } = frame {
            self.wait_for_taking(ticket, &frame, line, left);
        } else {
            self.effects.push(Effect::Admitted(line, left));
        }
    }

    /// Keeps what is left of a tell to a rendezvous, with its sender's place in line, until the actor takes it. Gives back
    /// what is left of any other.
    fn wait_for_taking(
        &mut self,
        ticket: SendId,
        frame: &Frame,
        line: Option<Line>,
        left: Option<Box<Envelope>>,
    ) -> Option<Box<Envelope>> {
        match (frame, left) {
            (Frame::Rendezvous { .. }, Some(envelope)) => {
                self.put_sending(ticket, Sending::Met(line, envelope, ticket));
                None
            }
            (_, left) => left,
        }
    }

    /// Writes a message. Returns what is left of a tell; of an ask everything stays until its end.
    pub(super) fn put_on_the_wire(
        &mut self,
        ticket: SendId,
        frame: &Frame,
        parcel: &mut Parcel,
        envelope: Box<Envelope>,
    ) -> Option<Box<Envelope>> {
        let (left, remaining) = if let Frame::Ask { remaining, .. } = frame {
            // An asker that gave up in this very moment says that nothing was handled. The message goes all the
            // same, for its credit is spent, but without any time left, so that nobody will handle it.
            let waits = envelope.reply.local_slot().is_none_or(|slot| slot.start());
            self.put_sending(ticket, Sending::Asked(envelope, parcel.terms));
            (None, if waits { *remaining } else { Some(Duration::ZERO) })
        } else {
            (Some(envelope), None)
        };
        self.name_addresses(parcel);
        self.post(frames::header(frame), parcel, remaining);
        left
    }

    fn keep(&mut self, ticket: SendId, hand: &mut Hand<'_>) {
        let Some(sent) = hand.sent.as_mut().filter(|sent| sent.ticket == ticket) else { return };
        let Some(envelope) = sent.envelope.take() else { return };
        let line = self.line_for(ticket, &mut sent.from);
        sent.outcome = line.clone().map_or(SendOutcome::Buffered, SendOutcome::Kept);
        let parcel = std::mem::take(&mut sent.parcel);
        self.put_sending(ticket, Sending::Kept(Box::new(Kept { parcel, envelope, line, ticket })));
        self.want();
    }

    /// A tell was written into the outbox and never left it.
    fn tell_lost(&mut self, import: ImportId, method: u16, reason: Reason) {
        let reason = self.not_delivered(reason, 0);
        if let Some((protocol, method)) = self.used(import, method) {
            self.effects.push(Effect::Lost(protocol, method, reason));
        }
    }

    /// A message of the peer's was for nobody.
    fn dead_letter(&mut self, target: Target, reason: Reason) {
        let peer = self.peer.title();
        tracing::debug!(target: "bailiwick::dead_letter", from = peer, slot = target.slot, ?reason);
        let reason = self.not_delivered(reason, 0);
        self.effects.push(Effect::Refused(reason));
    }

    fn not_delivered(&self, reason: Reason, bytes: u64) -> NotDelivered {
        match reason {
            Reason::Refused => NotDelivered::SchemaMismatch { detail: self.state.refusal.clone() },
            other => reasons::not_delivered(other, self.state.peer, bytes),
        }
    }

    /// A message was certainly not handled, and was never written by this side.
    fn give_up(&mut self, ticket: SendId, reason: Reason, hand: &mut Hand<'_>) {
        if let Some(sent) = hand.sent.as_mut().filter(|sent| sent.ticket == ticket) {
            let bytes = sent.parcel.bytes.len() as u64;
            sent.outcome = SendOutcome::Refused(self.not_delivered(reason, bytes));
            return;
        }
        match self.take_sending(ticket) {
            Sending::Kept(kept) => {
                let Kept { parcel, envelope, line, .. } = *kept;
                let reason = self.not_delivered(reason, parcel.bytes.len() as u64);
                self.effects.push(Effect::GiveBack(envelope, line, reason));
                self.effects.push(Effect::Drop(Box::new(parcel.beside)));
            }
            Sending::Asked(envelope, terms) => {
                let reason = self.or_moved_on(self.not_delivered(reason, 0), terms);
                self.effects.push(Effect::Bounce(envelope, reason));
            }
            Sending::Met(line, envelope, _) => {
                let reason = self.not_delivered(reason, 0);
                self.effects.push(Effect::Missed(line, envelope, reason.into()));
            }
            Sending::Nothing => {}
        }
    }

    /// Has an ask sent again that a life did not take whose place another one has taken: the asker's side does so for
    /// what drains.
    fn or_moved_on(&self, reason: NotDelivered, terms: Terms) -> NotDelivered {
        let is_of_life = matches!(
            reason,
            NotDelivered::PeerDown { .. } | NotDelivered::LinkClosed(_) | NotDelivered::Ended { .. }
        );
        let has_moved_on = is_of_life && terms.lasts && !self.state.is_routed;
        if has_moved_on { NotDelivered::Draining } else { reason }
    }

    fn resolve(&mut self, ticket: SendId, outcome: Outcome, hand: &mut Hand<'_>) {
        let failure = match outcome {
            Outcome::Replied => {
                let payload = self.take_payload(hand, self.reply_fds(ticket));
                match (self.take_sending(ticket), payload) {
                    (Sending::Asked(envelope, _), Some(payload)) => {
                        self.effects.push(Effect::Receive(envelope, payload));
                    }
                    (Sending::Met(line, envelope, _), _) => {
                        self.effects.push(Effect::Admitted(line, Some(envelope)));
                    }
                    other => self.effects.push(Effect::Drop(Box::new(other))),
                }
                return;
            }
            Outcome::Ended => {
                if let Sending::Asked(envelope, _) = self.take_sending(ticket) {
                    self.effects.push(Effect::Ended(envelope));
                }
                return;
            }
            Outcome::Failed(failure) => failure,
        };
        match (hand.words.failure.take(), failure) {
            (None, Failure::NotDelivered(reason)) => self.give_up(ticket, reason, hand),
            (None, Failure::Unknown(reason)) => {
                let reason = reasons::unknown(reason, self.state.peer);
                self.fail(ticket, AskError::Unknown(reason));
            }
            (Some(AskError::NotDelivered(reason)), _) => match self.take_sending(ticket) {
                Sending::Asked(envelope, terms) => {
                    let reason = self.or_moved_on(reason, terms);
                    self.effects.push(Effect::Bounce(envelope, reason));
                }
                Sending::Met(line, envelope, _) => {
                    self.effects.push(Effect::Missed(line, envelope, reason.into()));
                }
                Sending::Kept(_) | Sending::Nothing => {}
            },
            (Some(error @ AskError::Unknown(_)), _) => self.fail(ticket, error),
        }
    }

    fn fail(&mut self, ticket: SendId, error: AskError) {
        match self.take_sending(ticket) {
            Sending::Asked(envelope, _) => self.effects.push(Effect::Fail(envelope, error)),
            Sending::Met(line, envelope, _) => self.effects.push(Effect::Missed(line, envelope, error)),
            Sending::Kept(_) | Sending::Nothing => {}
        }
    }

    /// Drops what is kept for a send that its caller took back.
    pub(super) fn forget(&mut self, ticket: SendId) {
        match self.take_sending(ticket) {
            Sending::Nothing => {}
            Sending::Kept(kept) => {
                let Kept { parcel, envelope, .. } = *kept;
                self.effects.push(Effect::Drop(Box::new((parcel.beside, envelope))));
            }
            Sending::Asked(envelope, _) | Sending::Met(_, envelope, _) => {
                self.effects.push(Effect::Drop(Box::new(envelope)));
            }
        }
    }

    fn asker(&self, ticket: SendId) -> Option<std::sync::Arc<dyn crate::meeting::AskSlot>> {
        match self.state.sends.get(usize::from(ticket.index())) {
            Some(Sending::Asked(envelope, _)) => envelope.reply.local_slot(),
            Some(Sending::Kept(_) | Sending::Met(..) | Sending::Nothing) | None => None,
        }
    }

    /// Returns the kinds of descriptors that the grant names for the reply to an ask.
    fn reply_fds(&self, ticket: SendId) -> Option<FdKinds> {
        match self.state.sends.get(usize::from(ticket.index())) {
            Some(Sending::Asked(_, terms)) => terms.reply_fds,
            Some(Sending::Kept(_) | Sending::Met(..) | Sending::Nothing) | None => None,
        }
    }

    /// Makes a payload of what arrived. Descriptors that were lost on the way, or that are not `granted`, make it
    /// undecodable.
    fn take_payload(&mut self, hand: &mut Hand<'_>, granted: Option<FdKinds>) -> Option<Payload<'static>> {
        let arrived = hand.arrived.as_mut()?;
        let fds = std::mem::take(&mut arrived.fds);
        let bytes = arrived.payload.to_vec().into();
        let addresses = arrived.extensions.addresses;
        let observed = |came| match came {
            Came::Fd(fd) => (observe(fd.as_fd()), Came::Fd(fd)),
            Came::Lent(lent) => (FdKind::SealedMemory, Came::Lent(lent)),
        };
        let descriptors = fds.into_iter().map(observed).collect();
        let addresses = self.introduce(&addresses);
        let beside = Incoming::with_lent(descriptors, addresses).granting(granted);
        Some(Payload { bytes, beside, limits: self.state.limits })
    }

    fn deliver(&mut self, delivery: Delivery, hand: &mut Hand<'_>) {
        let Delivery { export, method, asked, rendezvous, deadline } = delivery;
        let Some(arrived) = &hand.arrived else { return };
        let (size, extensions, fds_lost) = (arrived.size, arrived.extensions, arrived.fds_lost);
        let credit = Some(Credit::new(self.peer.strong(), export, Grant::of(size)));
        let reply = match asked {
            Some(asked) => {
                self.state.handlers.begin(asked);
                let asks = self.peer.strong();
                if rendezvous { Reply::receipt(asks, asked) } else { Reply::remote(asks, asked) }
            }
            None => Reply::nobody(),
        };
        let Some(Meant { protocol, method, priority }) = self.exported(export, method) else {
            return self.effects.push(Effect::Drop(Box::new((reply, credit))));
        };
        let granted = self.exported_fds(export);
        let Some(payload) = self.take_payload(hand, granted) else {
            return self.effects.push(Effect::Drop(Box::new((reply, credit))));
        };
        let envelope: Box<Envelope> = Box::new(Envelope {
            protocol,
            method,
            priority,
            // It is within the limits of its link.
            bytes: payload.bytes.len() as u32,
            reply,
            deadline: deadline.and_then(|at| self.peer.deadline(at)),
            queued: None,
            chain: Chain::from_ids(extensions.chain.entries().iter().copied()),
            trace: extensions.trace.map(Box::new),
            credit,
            message: payload,
        });
        if let Some(chain) = self.cycle(export, &envelope) {
            let reason = NotDelivered::Cycle { chain };
            return self.effects.push(Effect::GiveBack(envelope, None, reason));
        }
        if fds_lost {
            let reason = NotDelivered::DescriptorsExhausted;
            self.effects.push(Effect::GiveBack(envelope, None, reason));
            return;
        }
        self.hand_over(export, envelope);
    }

    /// Keeps what people need to know of a refusal: what each side takes the method to be.
    fn refused(&mut self, refusal: Refusal, by_peer: bool, hand: &mut Hand<'_>) {
        let peer = self.peer.title();
        let detail = match refusal {
            Refusal::Version { spoken } => {
                format!("{peer} and this worker speak different versions, one is {spoken}")
            }
            Refusal::Schema { method, fingerprint, .. } if by_peer => {
                let theirs = hand.words.shape.take().map(|shape| shape.shape).unwrap_or_default();
                match self.imported_method(method, fingerprint) {
                    Some(ours) => {
                        let (method, ours) = (ours.name.to_owned(), ours.shape.clone());
                        Disagreement { method, ours, theirs }.to_string()
                    }
                    None => "the peer refuses a method that this worker does not use".to_owned(),
                }
            }
            Refusal::Schema { slot, method, .. } => {
                let ours = self.exported_method(slot, method).map_or("", |method| &method.shape);
                format!("{peer} was built with another definition of\n  {}", ours.trim_end())
            }
        };
        tracing::error!(target: "bailiwick::link", peer, "{detail}");
        self.state.refusal = detail;
    }

    fn close(&mut self, reason: Closed) {
        let peer = self.peer.title();
        self.state.peer.closed = reasons::close_cause(reason);
        match reason {
            Closed::Violation(fault) => {
                tracing::error!(target: "bailiwick::link", peer, ?fault, "the peer broke the protocol");
            }
            Closed::ByUs
            | Closed::ByPeer(_)
            | Closed::Refused
            | Closed::PeerDead
            | Closed::Lost
            | Closed::Replaced => {
                tracing::debug!(target: "bailiwick::link", peer, ?reason, "closed");
            }
        }
        if let Some(mut transport) = self.state.transport.take() {
            // Messages that are not written must stay so: they are about to be reported as not delivered.
            self.state.outbox.keep_last_words();
            transport.sink.write(&mut self.state.outbox);
            self.peer.writer.wake();
            self.peer.emptied.notify_waiters();
        }
        self.state.outbox.clear();
    }
}
