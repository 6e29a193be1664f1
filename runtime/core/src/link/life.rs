//! The life of a transport: hello, opening, draining, the peer's death, the end.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Action, Closed, Outcome};
use super::failure::{Failure, NotDelivered, Unknown};
use super::fault::Fault;
use super::frame::{Cause, CloseReason, Frame, Hello, Refusal, Target, VERSION};
use super::handling::Asked;
use super::page::Page;
use super::sending::Kind;
use super::tables::ExportId;
use super::{Link, State};
use crate::asks::Ticket;
use crate::time::Instant;

/// Faults that are no violation one by one, within a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Tally {
    since: Instant,
    count: u32,
}

impl Tally {
    /// Counts one more; returns whether those of the period are too many, and begins anew if so.
    fn is_too_much(&mut self, now: Instant, most: u32, period: Duration) -> bool {
        if now.since(self.since) > period {
            *self = Self { since: now, count: 0 };
        }
        self.count += 1;
        let is_too_much = self.count > most;
        if is_too_much {
            self.count = 0;
        }
        is_too_much
    }
}

/// Undecodable payloads within [`UNDECODABLE_PERIOD`] that are still taken for an accident.
const UNDECODABLE_MAX: u32 = 100;
const UNDECODABLE_PERIOD: Duration = Duration::from_secs(10);

/// Messages over a quota within [`QUOTA_PERIOD`] that a change of the grant under way may explain.
const OVER_QUOTA_MAX: u32 = 10;
const QUOTA_PERIOD: Duration = Duration::from_secs(60);

/// How long the supervisor's word is awaited when a transport ends by itself.
pub const WORD_WAIT: Duration = Duration::from_millis(250);

impl Link {
    /// A fresh transport: greets the peer.
    pub(super) fn linked(&mut self, generation: u32, actions: &mut Vec<Action>) {
        self.conclude(Closed::Replaced, actions);
        if self.peer.is_some_and(|peer| peer != generation) {
            self.tell_down(None, actions);
        }
        self.peer = Some(generation);
        if self.last_peer.replace(generation) != Some(generation) {
            self.renew_uses();
        }
        self.link += 1;
        (self.ordered, self.written) = (0, 0);
        (self.told_unready, self.told_by) = (false, 0);
        self.refused = None;
        self.state = State::Greeting { heard: false };
        let hello = Hello { version: VERSION, limits: self.config.limits };
        self.order(Frame::Hello(hello), actions);
        self.name_uses(actions);
    }

    /// Checks the peer's hello.
    pub(super) fn hello(&mut self, hello: &Hello, actions: &mut Vec<Action>) {
        if hello.version != VERSION {
            return self.refuse_link(Refusal::Version { spoken: VERSION }, actions);
        }
        self.limits = self.config.limits.common(hello.limits);
        self.state = State::Greeting { heard: true };
        self.order(Frame::HelloAck, actions);
        self.say_readiness(actions);
    }

    /// Opens: the peer took our hello.
    pub(super) fn hello_ack(&mut self, actions: &mut Vec<Action>) {
        self.state = State::Open;
        self.awaited = false;
        actions.push(Action::Opened);
        self.name_learnt(actions);
        if self.draining {
            self.announce_draining(actions);
        }
    }

    /// Ends a link whose sides do not agree.
    pub(super) fn refuse_link(&mut self, refusal: Refusal, actions: &mut Vec<Action>) {
        self.order(Frame::Refuse(refusal), actions);
        self.order(Frame::Close(CloseReason::Refused), actions);
        actions.push(Action::Refused { refusal, by_peer: false });
        self.conclude(Closed::Refused, actions);
    }

    /// Ends a link that the peer refused.
    pub(super) fn refused_by_peer(&mut self, refusal: Refusal, actions: &mut Vec<Action>) {
        actions.push(Action::Refused { refusal, by_peer: true });
        self.conclude(Closed::Refused, actions);
    }

    /// Notes the supervisor's word. What the dead wrote is read first.
    pub(super) fn peer_died(&mut self, generation: u32, cause: Cause, page: Page, actions: &mut Vec<Action>) {
        if self.peer != Some(generation) || self.dying.is_some() {
            return;
        }
        match self.state {
            State::Closed => self.tell_down(Some(cause), actions),
            State::Greeting { .. } | State::Open | State::Draining { .. } => {
                (self.dying, self.page) = (Some(cause), page);
                if self.lost_until.is_some() {
                    self.emptied(actions);
                }
            }
        }
    }

    /// Notes that the transport ended. Mostly the peer is dead, and the supervisor is about to say so: what was under
    /// way then ends with the cause, and not with a socket that failed.
    pub(super) fn lost(&mut self, now: Instant, actions: &mut Vec<Action>) {
        match self.state {
            State::Closed => {}
            State::Greeting { .. } | State::Open | State::Draining { .. } => {
                if self.dying.is_some() {
                    self.emptied(actions);
                } else if self.lost_until.is_none() {
                    self.lost_until = Some(now + WORD_WAIT);
                }
            }
        }
    }

    /// Ends a lost transport of whose peer nothing was heard.
    pub(super) fn give_up_word(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.lost_until.is_some_and(|until| until <= now) {
            self.conclude(Closed::Lost, actions);
        }
    }

    /// Ends a transport whose peer is dead and from which everything is read.
    pub(super) fn emptied(&mut self, actions: &mut Vec<Action>) {
        if self.dying.is_some() {
            self.conclude(Closed::PeerDead, actions);
        }
    }

    /// Ends the transport, if there is one: closes it, resolves what was under way, forgets what was lent, and
    /// then tells of the peer's death, if that is why.
    pub(super) fn conclude(&mut self, why: Closed, actions: &mut Vec<Action>) {
        match self.state {
            State::Closed => return,
            State::Greeting { .. } | State::Open | State::Draining { .. } => {}
        }
        actions.push(Action::Close { reason: why });
        self.lost_until = None;
        let dying = self.dying.take();
        let dead = dying.is_some();
        self.state = State::Closed;
        (self.peer_unready, self.awaited, self.heard) = (false, false, false);
        for ticket in self.handling.clear() {
            actions.push(Action::CancelHandler { asked: Asked { ticket, link: self.link } });
        }
        self.withdraw_exports(actions);
        // Who closes in order has answered everything that it read.
        let is_unread = why == Closed::ByPeer(CloseReason::Done);
        self.resolve_sent(dead, is_unread, actions);
        self.end_limbo(dead, actions);
        self.withdraw_imports(actions);
        self.unorder_watches();
        self.limits = self.config.limits;
        match why {
            Closed::ByUs => self.give_up_waiting(NotDelivered::LinkClosed, actions),
            Closed::Refused | Closed::ByPeer(CloseReason::Refused) => {
                self.refused = Some(NotDelivered::Refused);
                self.give_up_waiting(NotDelivered::Refused, actions);
            }
            Closed::ByPeer(CloseReason::Done | CloseReason::Protocol)
            | Closed::Violation(_)
            | Closed::PeerDead
            | Closed::Lost
            | Closed::Replaced => {
                self.trim_waiting(actions);
                self.give_up_hopeless(actions);
            }
        }
        if dead {
            self.tell_down(dying, actions);
        }
    }

    /// Resolves what was ordered on the transport that ended: what never left this process was not delivered, nor what
    /// the dead had not begun with.
    fn resolve_sent(&mut self, dead: bool, is_unread: bool, actions: &mut Vec<Action>) {
        let page = core::mem::take(&mut self.page);
        let sent = self.pending.iter().filter_map(|(ticket, pending)| {
            let is_unwritten = pending.sent? >= self.written;
            let (is_excluded, is_taken) = match pending.kind {
                Kind::Ask(None) => (page.excludes(ticket), false),
                Kind::Rendezvous => (page.excludes(ticket), page.tells_of(ticket)),
                // Who has opened a stream has begun, whatever it says.
                Kind::Tell | Kind::Ask(Some(_)) => (false, false),
            };
            Some((ticket, is_unwritten || is_unread || is_excluded, is_taken))
        });
        let sent: Vec<(Ticket, bool, bool)> = sent.collect();
        for (ticket, is_unhandled, is_taken) in sent {
            let failure = match (is_unhandled, dead) {
                (true, true) => Failure::NotDelivered(NotDelivered::PeerDown),
                (true, false) => Failure::NotDelivered(NotDelivered::LinkClosed),
                (false, true) => Failure::Unknown(Unknown::PeerDown),
                (false, false) => Failure::Unknown(Unknown::LinkClosed),
            };
            let outcome = match (is_unhandled, is_taken) {
                // Of what a dead actor took, only the answer is missing.
                (false, true) => Outcome::Replied,
                (_, _) => Outcome::Failed(failure),
            };
            let Some(pending) = self.close_pending(ticket) else { continue };
            actions.push(Action::Resolve { ticket, outcome });
            self.free_if_forgotten(pending.send.import, actions);
        }
    }

    fn withdraw_exports(&mut self, actions: &mut Vec<Action>) {
        for watch in core::mem::take(&mut self.watched) {
            actions.push(Action::Unwatched { watch });
        }
        (self.queued, self.lent_bytes) = (0, 0);
        let mut gone = Vec::new();
        for (index, slot) in self.exports.iter_mut().enumerate() {
            slot.asked_for = false;
            let Some(live) = &mut slot.live else { continue };
            let target = Target { slot: index as u32, generation: slot.generation };
            let grant = core::mem::take(&mut live.borrowed);
            if !grant.is_none() {
                actions.push(Action::GiveBack { export: ExportId { target, link: self.link }, grant });
            }
            live.withdraw();
            if !live.export.lasting {
                gone.push(index as u32);
            }
        }
        for slot in gone {
            self.vacate(slot, actions);
        }
    }

    fn withdraw_imports(&mut self, actions: &mut Vec<Action>) {
        for index in 0..self.imports.len() {
            let Some(import) = &mut self.imports[index] else { continue };
            import.withdraw();
            if import.import.is_lasting() {
                continue;
            }
            while let Some(ticket) =
                self.imports[index].as_ref().and_then(|import| import.waiting.next(&self.pending))
            {
                self.give_up(ticket, NotDelivered::Gone, actions);
            }
        }
    }

    /// Tells once that the peer's incarnation is dead.
    fn tell_down(&mut self, cause: Option<Cause>, actions: &mut Vec<Action>) {
        let Some(generation) = self.peer.take() else { return };
        self.watches_end(cause, actions);
        actions.push(Action::Down { generation, cause });
    }

    /// Ends what is between the two for good: what waits and what comes later is not granted, and watches end.
    pub(super) fn part(&mut self, actions: &mut Vec<Action>) {
        self.give_up_waiting(NotDelivered::NotGranted, actions);
        self.close(actions);
        self.refused = Some(NotDelivered::NotGranted);
        self.tell_down(None, actions);
        self.watches_end(None, actions);
    }

    /// Closes now. Asks that are still being handled end without an answer.
    pub(super) fn close(&mut self, actions: &mut Vec<Action>) {
        match self.state {
            State::Closed => self.give_up_waiting(NotDelivered::LinkClosed, actions),
            State::Greeting { .. } | State::Open | State::Draining { .. } => {
                for correlation in self.handling.tickets() {
                    let failure = Failure::Unknown(Unknown::Stopped);
                    self.order(Frame::Failure { correlation, failure }, actions);
                }
                self.order(Frame::Close(CloseReason::Done), actions);
                self.conclude(Closed::ByUs, actions);
            }
        }
    }

    /// Counts a payload that did not decode.
    pub(super) fn undecodable(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.undecodable.is_too_much(now, UNDECODABLE_MAX, UNDECODABLE_PERIOD) {
            self.violation(Fault::Undecodable, actions);
        }
    }

    /// Counts a message over a quota of its grant, which an honest peer keeps to itself.
    ///
    /// # Errors
    /// `Quota` if that happens too often.
    pub(super) fn over_quota(&mut self, now: Instant) -> Result<(), Fault> {
        let is_too_much = self.over_quota.is_too_much(now, OVER_QUOTA_MAX, QUOTA_PERIOD);
        if is_too_much { Err(Fault::Quota) } else { Ok(()) }
    }
}
