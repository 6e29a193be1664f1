//! The short way in: messages and replies that come with nothing beside them, which is nearly all.
//!
//! The machine is asked by the functions that it has for that, and what it answers is done right here. What else
//! follows, a refusal or a violation, goes the general way.

use std::ops::Range;

use bailiwick_core::asks::Ticket as SendId;
use bailiwick_core::credit::Size;
use bailiwick_core::link::{Action, Delivery, Message, Target};
use bailiwick_core::precedence::Priority;
use bailiwick_wire::descriptors::Incoming;
use bailiwick_wire::frame::{Extensions, Frame, Header, Kind};

use super::effect::{Effect, Landing};
use super::exports::{Behind, Meant};
use super::peer::{Arrived, Hand, Turn};
use super::sends::Sending;
use crate::payload::Payload;

/// What such a frame says.
pub(super) enum Said {
    Message(Message),
    Reply(SendId, Size),
}

/// Reads a frame that can go the short way.
pub(super) fn read(frame: &Frame<'_>) -> Option<Said> {
    let Header { kind, method, slot, generation, correlation, fds: 0, .. } = frame.header else {
        return None;
    };
    let remaining = frame.remaining_alone()?;
    // It is part of a packet, which is shorter than that.
    let size = Size { bytes: frame.payload.len() as u32, fds: 0 };
    let target = Target { slot, generation };
    match kind {
        Kind::Tell => Some(Said::Message(Message { target, method, size, ask: None, rendezvous: false })),
        Kind::Ask => {
            let ask = Some((SendId::from_bits(correlation), remaining));
            Some(Said::Message(Message { target, method, size, ask, rendezvous: false }))
        }
        Kind::Reply => Some(Said::Reply(SendId::from_bits(correlation), size)),
        _ => None,
    }
}

impl Turn<'_> {
    /// Takes in what a frame says, whose payload is at this place of its packet.
    pub(super) fn short(&mut self, said: &Said, frame: &Frame<'_>, place: Range<usize>) {
        let (now, mut actions) = (self.state.now, self.actions());
        match said {
            Said::Message(message) => {
                let delivery = self.state.link.message_arrived(now, message, &mut actions);
                self.carry_out_of(actions, frame);
                if let Some(delivery) = delivery {
                    self.land(delivery, frame, place);
                }
            }
            Said::Reply(ticket, size) => {
                let is_resolved = self.state.link.reply_arrived(now, *ticket, *size, &mut actions);
                if is_resolved {
                    self.receive(*ticket, frame.payload);
                }
                self.carry_out_of(actions, frame);
            }
        }
    }

    /// Has the machine do what is due, after frames that went the short way.
    pub(super) fn settle(&mut self) {
        let (now, mut actions) = (self.state.now, self.actions());
        self.state.link.settle(now, &mut actions);
        self.carry_out_alone(actions);
    }

    fn carry_out_of(&mut self, actions: Vec<Action>, frame: &Frame<'_>) {
        if actions.is_empty() {
            return self.carry_out_alone(actions);
        }
        let mut hand = Hand { arrived: Some(arrived(frame)), ..Hand::default() };
        self.carry_out(actions, &mut hand);
    }

    /// Puts a message into its mailbox, once the lock is released.
    fn land(&mut self, delivery: Delivery, frame: &Frame<'_>, place: Range<usize>) {
        let Delivery { export, method, asked, deadline, .. } = delivery;
        let slot = self.state.exports.get(export.target.slot as usize).and_then(Option::as_ref);
        let known =
            slot.and_then(|exported| match (&exported.actor, exported.methods.get(usize::from(method))?) {
                (Behind::Cell(cell), &Meant { protocol, method, priority: Priority::Ordinary }) => {
                    Some((cell, protocol, method))
                }
                // What is not stored among the others has a box and bytes of its own.
                (Behind::Cell(_), Meant { priority: Priority::High, .. }) | (Behind::Early(..), _) => None,
            });
        let Some((cell, protocol, method)) = known else {
            let mut hand = Hand { arrived: Some(arrived(frame)), ..Hand::default() };
            return self.perform(delivery.into(), &mut hand);
        };
        if let Some(asked) = asked {
            self.state.handlers.begin(asked);
        }
        let deadline = deadline.and_then(|at| self.peer.deadline(at));
        let limits = self.state.limits;
        self.effects.land(cell, Landing { protocol, method, asked, deadline, export, place, limits });
    }

    /// Brings the asker its reply.
    fn receive(&mut self, ticket: SendId, bytes: &[u8]) {
        let sending = self.take_sending(ticket);
        if let Sending::Met(line, envelope, _) = sending {
            self.effects.push(Effect::Admitted(line, Some(envelope)));
        } else if let Sending::Asked(envelope, _) = sending {
            let (bytes, beside) = (bytes.to_vec().into(), Incoming::default());
            let payload = Payload { bytes, beside, limits: self.state.limits };
            self.effects.push(Effect::Receive(envelope, payload));
        }
    }
}

fn arrived<'a>(frame: &Frame<'a>) -> Arrived<'a> {
    let (header, payload, extensions) = (frame.header, frame.payload, Extensions::default());
    let size = Size { bytes: payload.len() as u32, fds: 0 };
    Arrived { header, payload, fds: Vec::new(), fds_lost: false, extensions, size }
}
