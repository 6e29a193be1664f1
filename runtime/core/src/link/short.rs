//! The short way: what the driver asks for each message, without an event and a list of actions where there is one
//! answer.
//!
//! Each function here does what [`Link::handle`] does for the event of that name; it returns the answer and appends only
//! what follows beside it. The simulation of the tests goes both ways at each step and compares. Whoever has called some of
//! them says [`Link::settle`], once for all.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Action, Send};
use super::fault::Fault;
use super::frame::{Frame, Target};
use super::handling::Asked;
use super::sending::Kind;
use super::tables::ExportId;
use super::{Link, State};
use crate::asks::Ticket;
use crate::credit::{Grant, Size};
use crate::time::Instant;

/// A message of the peer's, as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// The actor.
    pub target: Target,
    /// The method's index among the actor's methods.
    pub method: u16,
    /// What the message weighs.
    pub size: Size,
    /// By what the answer will be known, and the time that the asker will still wait, if it is an ask or a rendezvous.
    pub ask: Option<(Ticket, Option<Duration>)>,
    /// It is a rendezvous.
    pub rendezvous: bool,
}

/// A message that is to be put into its mailbox: [`Action::Deliver`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Delivery {
    /// The mailbox.
    pub export: ExportId,
    /// The method's index among the actor's methods.
    pub method: u16,
    /// What to answer, if it is an ask or a rendezvous.
    pub asked: Option<Asked>,
    /// It is a rendezvous: the answer is given when the actor takes it.
    pub rendezvous: bool,
    /// When the asker stops waiting.
    pub deadline: Option<Instant>,
}

impl From<Delivery> for Action {
    fn from(delivery: Delivery) -> Self {
        let Delivery { export, method, asked, rendezvous, deadline } = delivery;
        Self::Deliver { export, method, asked, rendezvous, deadline }
    }
}

impl Link {
    /// Takes in a tell or an ask of the peer's. Returns the delivery, unless there is none; what is appended comes
    /// before it.
    pub fn message_arrived(
        &mut self,
        now: Instant,
        message: &Message,
        actions: &mut Vec<Action>,
    ) -> Option<Delivery> {
        // Not within the match, where the answer would be written to memory first.
        let may_pass = matches!(self.state, State::Open | State::Draining { .. });
        if may_pass && self.admits_at_once(now, message) {
            return Some(self.delivery(now, message));
        }
        let outcome = match self.state {
            State::Closed => Ok(false),
            State::Greeting { .. } => Err(Fault::OutOfPlace),
            State::Open | State::Draining { .. } => self.admit(now, message, actions),
        };
        match outcome {
            Ok(passes) => passes.then(|| self.delivery(now, message)),
            Err(fault) => {
                self.violation(fault, actions);
                None
            }
        }
    }

    /// Takes in a reply. Returns whether it resolves its ask, whose ticket is then free again; what is appended comes
    /// after that.
    pub fn reply_arrived(
        &mut self,
        now: Instant,
        ticket: Ticket,
        size: Size,
        actions: &mut Vec<Action>,
    ) -> bool {
        let outcome = match self.state {
            State::Closed => Ok(None),
            State::Greeting { .. } => Err(Fault::OutOfPlace),
            State::Open | State::Draining { .. } => self.answered(ticket, Some(size)),
        };
        match outcome {
            Ok(Some(import)) => {
                self.flush(now, import, actions);
                true
            }
            Ok(None) => false,
            Err(fault) => {
                self.violation(fault, actions);
                false
            }
        }
    }

    /// Sends a tell that nothing keeps waiting, and that is not one to a rendezvous. Returns its frame; without one
    /// nothing has changed, and [`Event::Tell`](super::Event::Tell) says what becomes of it. Its ticket stays vacant.
    pub fn tell_at_once(&mut self, now: Instant, send: &Send) -> Option<Frame> {
        if self.meets(send.import) {
            return None;
        }
        self.at_once(now, send, Kind::Tell).ok().flatten()
    }

    /// Sends an ask that nothing keeps waiting. Returns its frame; without one nothing has changed, and
    /// [`Event::Ask`](super::Event::Ask) says what becomes of it.
    pub fn ask_at_once(&mut self, now: Instant, send: &Send) -> Option<Frame> {
        self.at_once(now, send, Kind::Ask(None)).ok().flatten()
    }

    /// Returns the frame that answers an ask of the peer's, unless it was cancelled or belongs to an earlier transport.
    pub fn answer(&mut self, asked: Asked, size: Size) -> Option<Frame> {
        self.end_handling(asked)?;
        let frame = match self.oversize(size) {
            Some(failure) => Frame::Failure { correlation: asked.ticket, failure },
            None => Frame::Reply { correlation: asked.ticket, size },
        };
        self.is_connected().then(|| {
            self.ordered += 1;
            frame
        })
    }

    /// Notes that messages have left their mailbox together.
    pub fn taken_together(
        &mut self,
        now: Instant,
        export: ExportId,
        taken: Grant,
        actions: &mut Vec<Action>,
    ) {
        self.taken(now, export, taken, actions);
    }

    /// Does what is due at `now`.
    pub fn settle(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.give_up_word(now, actions);
        self.pay_all(now, actions);
        // Last, so that the ticket that an event names is still the vacant one.
        self.expire(now, actions);
        self.notice_drained(actions);
    }
}

/// What the driver knows of a refusal at once is told by the general way; here it only has to leave everything as it is.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Config, ImportId, Patience};
    use crate::precedence::Priority;

    #[test]
    fn without_a_link_nothing_is_sent_at_once_and_nothing_arrives() {
        let mut link = Link::new(Config::default());
        let before = link.clone();
        let ticket = link.vacant_ticket().unwrap();
        let (import, size, patience) = (ImportId(0), Size::default(), Patience::Wait);
        let (priority, deadline) = (Priority::High, None);
        let send = Send { ticket, import, method: 0, size, patience, priority, deadline };
        assert_eq!(link.tell_at_once(Instant::START, &send), None);
        assert_eq!(link.ask_at_once(Instant::START, &send), None);
        let target = Target { slot: 0, generation: 0 };
        let message =
            Message { target, method: 0, size, ask: Some((Ticket::new(0, 1), None)), rendezvous: false };
        let mut actions = Vec::new();
        assert_eq!(link.message_arrived(Instant::START, &message, &mut actions), None);
        assert!(!link.reply_arrived(Instant::START, ticket, size, &mut actions));
        assert!(actions.is_empty());
        assert_eq!(link, before);
    }
}
