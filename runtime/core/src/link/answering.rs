//! What this side answers to the peer's asks, and what it gives back and lends for the peer's messages.

use alloc::vec::Vec;

use super::Link;
use super::event::Action;
use super::failure::{Failure, Unknown};
use super::frame::{Frame, Target};
use super::handling::{Asked, Open};
use super::tables::{ExportId, LiveExport};
use crate::credit::{Grant, Payment, Size};
use crate::time::Instant;

impl Link {
    /// Answers an ask, unless it was cancelled or belongs to an earlier transport.
    pub(super) fn reply(&mut self, asked: Asked, size: Size, actions: &mut Vec<Action>) {
        actions.extend(self.answer(asked, size).map(Action::Send));
    }

    /// Ends an ask without a reply.
    pub(super) fn fail(&mut self, asked: Asked, failure: Failure, actions: &mut Vec<Action>) {
        if self.end_handling(asked).is_some() {
            self.order(Frame::Failure { correlation: asked.ticket, failure }, actions);
        }
    }

    /// Tells the asker that a stream begins.
    pub(super) fn open_stream(&mut self, asked: Asked, actions: &mut Vec<Action>) {
        if asked.link == self.link && self.handling.open_mut(asked.ticket).is_some() {
            self.order(Frame::Opened { correlation: asked.ticket }, actions);
        }
    }

    /// Gives one item of a stream, if the asker has room for it.
    pub(super) fn item(&mut self, asked: Asked, size: Size, actions: &mut Vec<Action>) {
        if asked.link != self.link || !self.is_connected() {
            return;
        }
        if let Some(failure) = self.oversize(size) {
            return self.fail(asked, failure, actions);
        }
        let Some(open) = self.handling.open_mut(asked.ticket) else { return };
        if open.items == 0 {
            actions.push(Action::MoreItems { asked, items: 0 });
            return;
        }
        open.items -= 1;
        self.order(Frame::Item { correlation: asked.ticket, size }, actions);
    }

    /// Ends a stream.
    pub(super) fn end(&mut self, asked: Asked, actions: &mut Vec<Action>) {
        if self.end_handling(asked).is_some() {
            self.order(Frame::End { correlation: asked.ticket }, actions);
        }
    }

    pub(super) fn oversize(&self, size: Size) -> Option<Failure> {
        let limit = self.limits.message_bytes;
        let fits = size.bytes <= limit && size.fds <= self.limits.message_fds;
        (!fits).then_some(Failure::Unknown(Unknown::ReplyTooLarge { limit }))
    }

    /// Takes an ask out of the table and out of its slot's count.
    pub(super) fn end_handling(&mut self, asked: Asked) -> Option<Open> {
        if asked.link != self.link {
            return None;
        }
        let open = self.handling.end(asked.ticket)?;
        if let Some(live) = self.live(open.export) {
            live.asks = live.asks.saturating_sub(1);
        }
        Some(open)
    }

    /// Gives credit back for messages that left their mailbox, and wishes for more where more would help.
    pub(super) fn taken(&mut self, now: Instant, export: ExportId, taken: Grant, actions: &mut Vec<Action>) {
        if export.link != self.link {
            return;
        }
        self.queued = self.queued.saturating_sub(taken.messages);
        let window = self.config.window_bytes.saturating_sub(self.lent_bytes);
        let Some(live) = self.live(export) else { return };
        let payment = live.take(taken, now);
        let wish = if window > 0 { live.wish(now) } else { None };
        self.give(export.target, payment, actions);
        if let Some(wish) = wish {
            let grant = Grant { bytes: wish.bytes.min(window), ..wish };
            actions.push(Action::Borrow { export, grant });
        }
    }

    /// Gives the peer the credit that it has earned at a slot by now.
    pub(super) fn pay(&mut self, now: Instant, slot: u32, actions: &mut Vec<Action>) {
        let Some(entry) = self.exports.get_mut(slot as usize) else { return };
        let target = Target { slot, generation: entry.generation };
        let payment = entry.live.as_mut().and_then(|live| live.pay(now));
        self.give(target, payment, actions);
    }

    /// Tells the peer what it is given.
    pub(super) fn give(&mut self, target: Target, payment: Option<Payment>, actions: &mut Vec<Action>) {
        let Payment { back, more } = payment.unwrap_or_default();
        if !back.is_none() {
            self.order(Frame::Credit { target, grant: back }, actions);
        }
        if !more.is_none() {
            self.order(Frame::Lend { target, grant: more }, actions);
        }
    }

    /// Gives the peer the credit that it has earned anywhere.
    pub(super) fn pay_all(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for at in 0..self.paced.len() {
            self.pay(now, self.paced[at], actions);
        }
    }

    /// Returns when the peer, who has no credit left somewhere, will have earned some.
    pub fn pays_at(&self) -> Option<Instant> {
        let paced = self.paced.iter().filter_map(|slot| self.exports.get(*slot as usize)?.live.as_ref());
        paced.filter_map(LiveExport::pays_at).min()
    }

    /// Passes on to the peer what a mailbox lends.
    pub(super) fn lent(&mut self, now: Instant, export: ExportId, grant: Grant, actions: &mut Vec<Action>) {
        let current = export.link == self.link && self.is_connected();
        match self.live(export).filter(|_| current) {
            Some(live) => {
                let payment = live.lend(grant, now);
                self.lent_bytes = self.lent_bytes.saturating_add(grant.bytes);
                self.give(export.target, payment, actions);
            }
            None if grant.is_none() => {}
            None => actions.push(Action::GiveBack { export, grant }),
        }
    }

    /// Returns the slot, if it is in that use.
    pub(super) fn live(&mut self, export: ExportId) -> Option<&mut LiveExport> {
        let slot = self.exports.get_mut(export.target.slot as usize)?;
        slot.live.as_mut().filter(|_| slot.generation == export.target.generation)
    }
}
