//! What a driver does that asks the machine by its short functions: beside every event of the simulation that has one, with
//! the same end.

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{Action, Event, Frame, Link, Message, Outcome};
use bailiwick_core::time::Instant;

/// Takes an event in the short way. Returns the machine afterwards and what is to be done; nothing for an event that has no
/// such way, or not in this state.
pub(super) fn handle(link: &Link, now: Instant, event: &Event) -> Option<(Link, Vec<Action>)> {
    let mut link = link.clone();
    let mut actions = Vec::new();
    match *event {
        Event::Received(Frame::Tell { target, method, size }) => {
            let message = Message { target, method, size, ask: None, rendezvous: false };
            let delivery = link.message_arrived(now, &message, &mut actions);
            actions.extend(delivery.map(Action::from));
        }
        Event::Received(Frame::Rendezvous { target, method, size, correlation }) => {
            let ask = Some((correlation, None));
            let message = Message { target, method, size, ask, rendezvous: true };
            let delivery = link.message_arrived(now, &message, &mut actions);
            actions.extend(delivery.map(Action::from));
        }
        Event::Received(Frame::Ask { target, method, size, correlation, remaining }) => {
            let ask = Some((correlation, remaining));
            let message = Message { target, method, size, ask, rendezvous: false };
            let delivery = link.message_arrived(now, &message, &mut actions);
            actions.extend(delivery.map(Action::from));
        }
        Event::Received(Frame::Reply { correlation, size }) => {
            if link.reply_arrived(now, correlation, size, &mut actions) {
                actions.insert(0, Action::Resolve { ticket: correlation, outcome: Outcome::Replied });
            }
        }
        Event::Tell(send) => {
            let (ticket, frame) = (send.ticket, link.tell_at_once(now, &send)?);
            actions.push(Action::Transmit { ticket, frame });
        }
        Event::Ask(send) => {
            let (ticket, frame) = (send.ticket, link.ask_at_once(now, &send)?);
            actions.push(Action::Transmit { ticket, frame });
        }
        Event::Reply { asked, size } => actions.extend(link.answer(asked, size).map(Action::Send)),
        Event::Taken { export, size } => {
            link.taken_together(now, export, Grant::of(size), &mut actions);
        }
        _ => return None,
    }
    link.settle(now, &mut actions);
    Some((link, actions))
}
