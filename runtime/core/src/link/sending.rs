//! What this side sends: admission, queues before actors without room, deadlines, the end of asks.

use alloc::vec::Vec;

use super::event::{Action, Outcome, Patience, Send};
use super::failure::{Failure, NotDelivered, Unknown};
use super::frame::Frame;
use super::tables::{Access, ImportId, Reach};
use super::{Link, State};
use crate::asks::Ticket;
use crate::credit::Size;
use crate::time::Instant;

/// A send that has not ended: an ask until its answer, a tell while it waits, one to a rendezvous until the actor has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pending {
    pub(super) send: Send,
    pub(super) kind: Kind,
    /// Which frame of the transport it was, once it was ordered.
    pub(super) sent: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Tell,
    /// A tell that is written and ends when the actor takes it.
    Rendezvous,
    /// With the stream that answers it, once that has begun.
    Ask(Option<Stream>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stream {
    /// Items that the peer may still send.
    pub(super) left: u32,
    /// Items that were taken here and not yet given back.
    pub(super) taken: u32,
}

impl Kind {
    fn is_ask(self) -> bool {
        match self {
            Kind::Tell | Kind::Rendezvous => false,
            Kind::Ask(_) => true,
        }
    }
}

/// How many descriptors may wait with a sender while its peer is down: far fewer than a process may have, or none would be left for the
/// link that they wait for.
const WAITING_FDS_MAX: u32 = 64;

/// What waits, over all actors of the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Waiting {
    messages: u32,
    bytes: u64,
    fds: u32,
}

impl Waiting {
    pub(super) const fn messages(&self) -> u32 {
        self.messages
    }
}

impl Link {
    /// Sends, keeps or refuses a message.
    pub(super) fn send(&mut self, now: Instant, send: Send, kind: Kind, actions: &mut Vec<Action>) {
        if kind == Kind::Tell && send.patience == Patience::Now && self.meets(send.import) {
            // There is no place where it could be left.
            return refuse(send.ticket, kind, NotDelivered::Full, actions);
        }
        match self.at_once(now, &send, kind) {
            Ok(None) => {}
            Ok(Some(frame)) => return actions.push(Action::Transmit { ticket: send.ticket, frame }),
            Err(reason) => return refuse(send.ticket, kind, reason, actions),
        }
        match self.may_wait(&send) {
            Ok(()) => self.keep(Pending { send, kind, sent: None }, actions),
            Err(reason) => refuse(send.ticket, kind, reason, actions),
        }
    }

    /// Sends a message that nothing keeps waiting. Returns its frame; nothing, if it has to wait, and then nothing has
    /// changed.
    ///
    /// # Errors
    /// Why it can never be delivered.
    pub(super) fn at_once(
        &mut self,
        now: Instant,
        send: &Send,
        kind: Kind,
    ) -> Result<Option<Frame>, NotDelivered> {
        self.check(now, send)?;
        if !self.can_send() || !self.admits(send, kind) || !self.lets_pass(send) {
            return Ok(None);
        }
        if kind == Kind::Tell && !self.meets(send.import) {
            self.note_passing(send);
            return Ok(self.transmit_tell(now, send));
        }
        let pending = Pending { send: *send, kind, sent: None };
        if !self.pending.claim(send.ticket, pending, send.deadline) {
            return Err(NotDelivered::Full);
        }
        self.note_passing(send);
        Ok(self.transmit_pending(now, send.ticket))
    }

    /// Tells whether an actor's mailbox holds nothing, as far as is known.
    pub(super) fn meets(&self, import: ImportId) -> bool {
        self.import_at(import).is_some_and(|import| import.rendezvous == Some(true))
    }

    /// Tells whether the sender of a message that is kept now waits for it: for room, for the actor to take it, or to hear
    /// which of the two it is.
    pub fn holds_sender(&self, ticket: Ticket) -> bool {
        let send = self.pending.pending(ticket).map(|pending| pending.send);
        let known = send.and_then(|send| self.import_at(send.import)).and_then(|import| import.rendezvous);
        self.has_line() || known.unwrap_or(self.is_opening())
    }

    /// Tells whether a message that is kept goes to an actor whose mailbox holds nothing.
    pub fn is_for_rendezvous(&self, ticket: Ticket) -> bool {
        self.pending.pending(ticket).is_some_and(|pending| self.meets(pending.send.import))
    }

    /// Checks what this side knows for certain.
    fn check(&self, now: Instant, send: &Send) -> Result<(), NotDelivered> {
        let import = self.import_at(send.import).ok_or(NotDelivered::Gone)?;
        if import.reach == Reach::Gone {
            return Err(NotDelivered::Gone);
        }
        match import.access.get(usize::from(send.method)) {
            Some(Access::Asked | Access::As(_)) => {}
            Some(Access::NotGranted) | None => return Err(NotDelivered::NotGranted),
            Some(Access::Refused) => return Err(NotDelivered::Refused),
            Some(Access::Used) => return Err(NotDelivered::UsedUp),
        }
        if !import.is_in_time(now) {
            return Err(NotDelivered::TooOften);
        }
        self.check_size(send.size)?;
        if send.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(NotDelivered::Expired);
        }
        Ok(())
    }

    fn check_size(&self, size: Size) -> Result<(), NotDelivered> {
        if size.bytes > self.limits.message_bytes {
            return Err(NotDelivered::TooLarge { limit: self.limits.message_bytes });
        }
        if size.fds > self.limits.message_fds {
            return Err(NotDelivered::TooManyFds { limit: self.limits.message_fds });
        }
        Ok(())
    }

    fn may_wait(&self, send: &Send) -> Result<(), NotDelivered> {
        let Some(import) = self.import_at(send.import) else { return Err(NotDelivered::Gone) };
        let is_kept = send.patience == Patience::Kept;
        if self.has_line() {
            let patient = import.wait && send.patience == Patience::Wait;
            let room = import.waiting_count < self.config.waiting;
            if is_kept || patient && room {
                return Ok(());
            }
            if self.can_send() {
                return Err(NotDelivered::Full);
            }
        }
        if let Some(reason) = self.refused {
            return Err(reason);
        }
        if let Some(reason) = self.hopeless() {
            return Err(reason);
        }
        if is_kept {
            return Ok(());
        }
        let bytes = self.waiting.bytes + u64::from(send.size.bytes);
        let fds = self.waiting.fds + u32::from(send.size.fds);
        let limit = self.config.while_down;
        // Who brings no descriptor is not kept from waiting by those of others.
        let fds_fit = send.size.fds == 0 || fds <= WAITING_FDS_MAX;
        if self.waiting.messages < limit.messages && bytes <= u64::from(limit.bytes) && fds_fit {
            return Ok(());
        }
        match self.state {
            State::Draining { theirs: true, .. } => Err(NotDelivered::Draining),
            State::Open | State::Draining { theirs: false, .. } if self.is_alive() => {
                Err(NotDelivered::Unready)
            }
            State::Closed | State::Greeting { .. } | State::Open | State::Draining { theirs: false, .. } => {
                Err(NotDelivered::PeerDown)
            }
        }
    }

    fn admits(&self, send: &Send, kind: Kind) -> bool {
        self.import_at(send.import).is_some_and(|import| {
            import.reach == Reach::Offered
                && import.wire_method(send.method).is_some()
                && import.allowance.admits(send.size)
                && (!kind.is_ask() || import.asks < import.asks_max)
        })
    }

    fn lets_pass(&self, send: &Send) -> bool {
        self.import_at(send.import)
            .is_some_and(|import| import.waiting_count == 0 || import.waiting.lets_pass(send.priority))
    }

    /// Notes that a message goes by others that wait, if some do.
    fn note_passing(&mut self, send: &Send) {
        if let Some(import) = self.import_mut(send.import).filter(|import| import.waiting_count > 0) {
            import.waiting.went(send.priority);
        }
    }

    fn keep(&mut self, pending: Pending, actions: &mut Vec<Action>) {
        let (send, kind) = (pending.send, pending.kind);
        if !self.pending.claim(send.ticket, pending, send.deadline) {
            return refuse(send.ticket, kind, NotDelivered::Full, actions);
        }
        if let Some(Some(import)) = self.imports.get_mut(send.import.0 as usize) {
            self.pending.enqueue(import.waiting.of(send.priority), send.ticket);
            import.waiting_count += 1;
        }
        self.waiting.messages += 1;
        self.waiting.bytes += u64::from(send.size.bytes);
        self.waiting.fds += u32::from(send.size.fds);
        actions.push(Action::Keep { ticket: send.ticket });
    }

    fn transmit_tell(&mut self, now: Instant, send: &Send) -> Option<Frame> {
        let import = self.import_mut(send.import)?;
        let paid = import.allowance.spend(send.size);
        debug_assert!(paid, "an admitted message is paid for");
        let method = import.wire_method(send.method)?;
        import.note_use(send.method, now);
        let frame = Frame::Tell { target: import.target(), method, size: send.size };
        self.enter_order(send.import, send.method, true);
        Some(frame)
    }

    /// Orders a message that stays pending: an ask, or a tell to a rendezvous.
    fn transmit_pending(&mut self, now: Instant, ticket: Ticket) -> Option<Frame> {
        let seq = self.ordered;
        let pending = self.pending.pending_mut(ticket)?;
        pending.sent = Some(seq);
        if pending.kind == Kind::Tell {
            pending.kind = Kind::Rendezvous;
        }
        let (send, kind) = (pending.send, pending.kind);
        let import = self.import_mut(send.import)?;
        let paid = import.allowance.spend(send.size);
        debug_assert!(paid, "an admitted message is paid for");
        let method = import.wire_method(send.method)?;
        import.note_use(send.method, now);
        import.asks += 1;
        let (target, size, correlation) = (import.target(), send.size, ticket);
        let remaining = send.deadline.map(|deadline| deadline.since(now));
        let frame = if kind.is_ask() {
            Frame::Ask { target, method, size, correlation, remaining }
        } else {
            Frame::Rendezvous { target, method, size, correlation }
        };
        self.enter_order(send.import, send.method, false);
        Some(frame)
    }

    /// Sends what waits before one actor, as far as there is room now.
    pub(super) fn flush(&mut self, now: Instant, import: ImportId, actions: &mut Vec<Action>) {
        self.flush_queue(now, import, actions);
        self.free_if_forgotten(import, actions);
    }

    fn flush_queue(&mut self, now: Instant, import: ImportId, actions: &mut Vec<Action>) {
        while self.can_send() {
            let Some(entry) = self.import_at(import) else { return };
            let Some(ticket) = entry.waiting.next(&self.pending) else { return };
            let Some(pending) = self.pending.pending(ticket) else { return };
            let (send, kind) = (pending.send, pending.kind);
            // What waited for this transport was measured before the peer had named its limits and offers.
            if let Err(reason) = self.check(now, &send) {
                self.give_up(ticket, reason, actions);
                continue;
            }
            if !self.admits(&send, kind) {
                return;
            }
            self.unqueue(ticket);
            if let Some(import) = self.import_mut(import) {
                import.waiting.went(send.priority);
            }
            let frame = if kind == Kind::Tell && !self.meets(import) {
                self.pending.end(ticket);
                self.transmit_tell(now, &send)
            } else {
                self.transmit_pending(now, ticket)
            };
            actions.extend(frame.map(|frame| Action::Transmit { ticket, frame }));
        }
    }

    /// Ends everything whose deadline has come.
    pub(super) fn expire(&mut self, now: Instant, actions: &mut Vec<Action>) {
        while let Some(ticket) = self.pending.expired(now) {
            let Some(pending) = self.pending.pending(ticket) else { return };
            let (import, sent) = (pending.send.import, pending.sent.is_some());
            if !sent {
                self.give_up(ticket, NotDelivered::Expired, actions);
                self.flush(now, import, actions);
            } else {
                self.order(Frame::Cancel { correlation: ticket }, actions);
                self.resolve(now, ticket, Outcome::Failed(Failure::Unknown(Unknown::Expired)), actions);
            }
        }
    }

    /// Ends a send that its caller no longer waits for; a tell that is written cannot be called back.
    pub(super) fn cancel(&mut self, now: Instant, ticket: Ticket, actions: &mut Vec<Action>) {
        let Some(pending) = self.pending.pending(ticket) else { return };
        let (import, sent) = (pending.send.import, pending.sent.is_some());
        if sent {
            self.order(Frame::Cancel { correlation: ticket }, actions);
        }
        self.close_pending(ticket);
        self.flush(now, import, actions);
    }

    /// Ends an ask with an outcome, and uses the room that it leaves.
    pub(super) fn resolve(
        &mut self,
        now: Instant,
        ticket: Ticket,
        outcome: Outcome,
        actions: &mut Vec<Action>,
    ) {
        let Some(pending) = self.close_pending(ticket) else { return };
        actions.push(Action::Resolve { ticket, outcome });
        self.flush(now, pending.send.import, actions);
    }

    /// Ends a send that was certainly not handled.
    pub(super) fn give_up(&mut self, ticket: Ticket, reason: NotDelivered, actions: &mut Vec<Action>) {
        let Some(pending) = self.close_pending(ticket) else { return };
        refuse(ticket, pending.kind, reason, actions);
        self.free_if_forgotten(pending.send.import, actions);
    }

    /// Takes a send out of queue and table.
    pub(super) fn close_pending(&mut self, ticket: Ticket) -> Option<Pending> {
        self.unqueue(ticket);
        let pending = self.pending.end(ticket)?;
        if pending.sent.is_some()
            && let Some(import) = self.import_mut(pending.send.import)
        {
            import.asks = import.asks.saturating_sub(1);
        }
        Some(pending)
    }

    fn unqueue(&mut self, ticket: Ticket) {
        let Some(pending) = self.pending.pending(ticket) else { return };
        let send = pending.send;
        let Some(Some(import)) = self.imports.get_mut(send.import.0 as usize) else { return };
        if self.pending.unqueue(import.waiting.of(send.priority), ticket) {
            import.waiting_count -= 1;
            self.waiting.messages -= 1;
            self.waiting.bytes -= u64::from(send.size.bytes);
            self.waiting.fds -= u32::from(send.size.fds);
        }
    }

    /// Keeps of what waits only what may wait while the peer is down: of each actor what would leave first, but for what does not
    /// fit where something smaller behind it does.
    pub(super) fn trim_waiting(&mut self, actions: &mut Vec<Action>) {
        let limit = self.config.while_down;
        let (mut messages, mut bytes, mut fds) = (0, 0, 0);
        let mut late = Vec::new();
        for import in self.imports.iter().flatten() {
            for ticket in import.waiting.all(&self.pending) {
                let Some(pending) = self.pending.pending(ticket) else { continue };
                let size = pending.send.size;
                let with = (messages + 1, bytes + u64::from(size.bytes), fds + u32::from(size.fds));
                // What is given up takes no room from what comes after it.
                if with.0 > limit.messages || with.1 > u64::from(limit.bytes) || with.2 > WAITING_FDS_MAX {
                    late.push(ticket);
                } else {
                    (messages, bytes, fds) = with;
                }
            }
        }
        for ticket in late {
            self.give_up(ticket, NotDelivered::PeerDown, actions);
        }
    }

    /// Gives up everything that waits.
    pub(super) fn give_up_waiting(&mut self, reason: NotDelivered, actions: &mut Vec<Action>) {
        let waiting: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.sent.is_none())
            .map(|(ticket, _)| ticket)
            .collect();
        for ticket in waiting {
            self.give_up(ticket, reason, actions);
        }
    }

    /// Notes that the asker took items of a stream, and lets the peer send as many more.
    pub(super) fn items_taken(&mut self, ticket: Ticket, items: u32, actions: &mut Vec<Action>) {
        let half = self.limits.items.div_ceil(2);
        let Some(pending) = self.pending.pending_mut(ticket) else { return };
        let Kind::Ask(Some(Stream { left, taken })) = &mut pending.kind else { return };
        *taken = taken.saturating_add(items);
        if *taken >= half {
            let items = core::mem::take(taken);
            *left = left.saturating_add(items);
            self.order(Frame::More { correlation: ticket, items }, actions);
        }
    }
}

/// Tells the sender that its message was certainly not handled.
fn refuse(ticket: Ticket, kind: Kind, reason: NotDelivered, actions: &mut Vec<Action>) {
    actions.push(match kind {
        Kind::Tell => Action::Undelivered { ticket, reason },
        Kind::Rendezvous | Kind::Ask(_) => {
            Action::Resolve { ticket, outcome: Outcome::Failed(Failure::NotDelivered(reason)) }
        }
    });
}
