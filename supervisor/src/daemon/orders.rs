//! What operators ask on the control socket, and the orders that are not carried out yet.

use bailiwick_core::child::State;
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{self, ChildId, Event, Incarnation};
use bailiwick_sys::events::Interest;

use super::Daemon;
use super::token::Token;
use crate::control::{ConnectionId, Outcome, Request, Target, Turn, Verb};

/// An order whose end a client waits for.
#[derive(Debug)]
pub(super) struct PendingOrder {
    connection: ConnectionId,
    verb: Verb,
    /// Who is meant, each with the life that was present when the order came.
    children: Vec<Incarnation>,
    until: Instant,
}

impl PendingOrder {
    pub(super) fn until(&self) -> Instant {
        self.until
    }
}

impl Daemon {
    pub(super) fn accept(&mut self) {
        let Some(id) = self.connections.accept() else { return };
        if let Some(socket) = self.connections.socket(id) {
            let _ = self.watch(socket, Token::Connection(id), Interest::READ);
        }
    }

    /// Writes what waits for a client, and reads one request of it.
    pub(super) fn serve(&mut self, id: ConnectionId) {
        self.connections.flush(id);
        match self.connections.read(id) {
            Turn::Idle => self.watch_room(id),
            Turn::Gone => self.orders.retain(|order| order.connection != id),
            Turn::Asked(request) => self.take_request(id, &request),
        }
    }

    fn take_request(&mut self, id: ConnectionId, request: &Request) {
        if request.verb == Verb::Status {
            let status = self.status();
            return self.answer(id, status, Outcome::Done);
        }
        if self.tree.is_shutting_down() && request.verb != Verb::ShutDown {
            return self.answer(id, Vec::new(), Outcome::ShuttingDown);
        }
        let verb = match request.verb {
            Verb::ShutDown => {
                self.say("stop ordered on the control socket");
                if !self.tree.is_shutting_down() {
                    self.events.push_back(Event::ShutDown);
                }
                return self.answer(id, Vec::new(), Outcome::Done);
            }
            Verb::Stop => tree::Verb::Stop,
            Verb::Start => tree::Verb::Start,
            Verb::Restart => tree::Verb::Restart,
            Verb::Status => return,
        };
        let targets = self.targets(&request.target);
        if targets.is_empty() {
            return self.answer(id, Vec::new(), Outcome::UnknownTarget);
        }
        let children: Vec<_> = targets.into_iter().map(|child| self.incarnation(child)).collect();
        for of in &children {
            if verb == tree::Verb::Restart {
                self.renew(of.child);
            }
            self.events.push_back(Event::Operator { verb, child: of.child });
        }
        let until = self.now() + request.deadline;
        self.orders.push(PendingOrder { connection: id, verb: request.verb, children, until });
    }

    /// Has the next start of a child run what its path leads to now: an operator's restart is how a new build is
    /// taken up, while automatic restarts stay with the old one.
    fn renew(&mut self, child: ChildId) {
        let worker = &self.roster.seat(child).worker;
        match self.launcher.reopen(child, worker) {
            Ok(()) => self.hash(child),
            Err(error) => self.complain(child, &error),
        }
    }

    fn targets(&self, target: &Target) -> Vec<ChildId> {
        match target {
            Target::System => self.roster.children().collect(),
            Target::Worker(name) => self.roster.instances_of(name).collect(),
            Target::Instance(name, instance) => {
                let is_meant = |child: &ChildId| self.roster.seat(*child).instance == *instance;
                self.roster.instances_of(name).filter(is_meant).collect()
            }
        }
    }

    /// Answers the orders that are carried out, and those whose deadline has passed.
    pub(super) fn answer_orders(&mut self) {
        let now = self.now();
        for order in std::mem::take(&mut self.orders) {
            if order.children.iter().all(|of| self.is_carried_out(order.verb, *of)) {
                self.answer(order.connection, Vec::new(), Outcome::Done);
            } else if order.until <= now {
                self.answer(order.connection, Vec::new(), Outcome::TimedOut);
            } else {
                self.orders.push(order);
            }
        }
    }

    fn is_carried_out(&self, verb: Verb, before: Incarnation) -> bool {
        let Some(child) = self.tree.child(before.child) else { return true };
        let is_up = matches!(child.state(), State::Ready { .. } | State::Done | State::Failed(_));
        match verb {
            Verb::Stop => child.is_at_rest(),
            Verb::Start => is_up,
            Verb::Restart => is_up && child.incarnation().generation > before.generation,
            Verb::Status | Verb::ShutDown => true,
        }
    }

    fn answer(&mut self, id: ConnectionId, records: Vec<crate::control::Record>, outcome: Outcome) {
        self.connections.answer(id, records, outcome);
        self.watch_room(id);
    }

    /// Waits for room exactly while something waits to be written.
    fn watch_room(&mut self, id: ConnectionId) {
        let interest = if self.connections.has_answer(id) { Interest::READ_WRITE } else { Interest::READ };
        if let Some(socket) = self.connections.socket(id) {
            let _ = self.poller.change(socket, Token::Connection(id).to_u64(), interest);
        }
    }
}
