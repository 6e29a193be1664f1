//! What operators ask on the control socket, and the orders that are not carried out yet.

use bailiwick_core::berth::Berth;
use bailiwick_core::exit::SIGKILL;
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{self, ChildId, Event, Incarnation, Outdated};
use bailiwick_sys::events::{Interest, Signal};
use bailiwick_wire::log::NEXT_LINE;

use super::Daemon;
use crate::control::{ConnectionId, Goal, NEXT_EVENT, Outcome, Record, Request, Target, Turn, Verb};
use bailiwick_core::token::Token;

/// The pieces of text of one answer: more than those of one worker can be.
const PIECES_MAX: usize = 256;

/// An order whose end a client waits for.
#[derive(Debug)]
pub(super) struct PendingOrder {
    connection: ConnectionId,
    verb: Verb,
    target: Target,
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
        if let Some(id) = self.connections.accept() {
            self.watch_for_requests(id);
        }
    }

    pub(super) fn watch_for_requests(&self, id: ConnectionId) {
        if let Some(socket) = self.connections.socket(id) {
            let _ = self.watch(socket, Token::Connection(id), Interest::READ);
        }
    }

    /// Serves whoever is at the other end: a life that makes it dear waits, as with everything else that it says.
    pub(super) fn serve(&mut self, id: ConnectionId) {
        match self.connections.asker(id) {
            Some(berth) if self.is_too_much(berth) => {}
            Some(berth) => self.hear(berth, |daemon| daemon.take_turn(id)),
            None => self.take_turn(id),
        }
    }

    /// Writes what waits for a client, and reads one request of it.
    fn take_turn(&mut self, id: ConnectionId) {
        self.connections.flush(id);
        match self.connections.read(id) {
            Turn::Idle => self.watch_room(id),
            Turn::Gone => self.orders.retain(|order| order.connection != id),
            Turn::Asked(request) => self.take_request(id, &request),
        }
    }

    fn take_request(&mut self, id: ConnectionId, request: &Request) {
        let verb = request.verb;
        let of_worker = self.connections.asker(id).map(|berth| &self.roster.seat(berth.child).worker.may);
        if of_worker.is_some_and(|may| !may.iter().any(|may| may.covers(request))) {
            return self.answer(id, Vec::new(), Outcome::NotPermitted);
        }
        if self.tree.is_shutting_down() && !verb.only_looks() && verb != Verb::ShutDown {
            return self.answer(id, Vec::new(), Outcome::ShuttingDown);
        }
        match verb {
            Verb::ShutDown => {
                self.say("stop ordered on the control socket");
                if !self.tree.is_shutting_down() {
                    self.events.push_back(Event::ShutDown);
                }
                return self.answer(id, Vec::new(), Outcome::Done);
            }
            Verb::Scale(size) => {
                let outcome = self.scale(&request.target, size);
                return self.answer(id, Vec::new(), outcome);
            }
            Verb::Reload(mode) => return self.begin_reload((Some(id), mode), self.now() + request.deadline),
            _ => {}
        }
        let targets = self.targets(&request.target);
        let prints = matches!(verb, Verb::Log(_)) && self.journal.log.knows(&request.target);
        if targets.is_empty() && request.target != Target::System && !prints {
            return self.answer(id, Vec::new(), Outcome::UnknownTarget);
        }
        if let Some(told) = self.told_at_once(verb, &targets) {
            return self.answer(id, told, Outcome::Done);
        }
        let children: Vec<_> = targets.into_iter().map(|child| self.incarnation(child)).collect();
        if let Some(why) = self.refusal(verb, &children) {
            return self.answer(id, Record::lines(why.lines()), Outcome::Refused);
        }
        for of in &children {
            self.give_order(verb, *of);
        }
        let verb = match verb {
            Verb::Events(NEXT_EVENT) => Verb::Events(self.happened.last()),
            Verb::Log(NEXT_LINE) => Verb::Log(self.journal.log.last()),
            other => other,
        };
        let (until, target) = (self.now() + request.deadline, request.target.clone());
        self.orders.push(PendingOrder { connection: id, verb, target, children, until });
    }

    /// Returns what a verb asks for that can be told at once, if it does.
    fn told_at_once(&self, verb: Verb, of: &[ChildId]) -> Option<Vec<Vec<u8>>> {
        let kept = || of.iter().flat_map(|child| self.crashes.of(*child)).map(|report| report.to_vec());
        let lives = || self.lives().filter(|life| of.contains(&life.of.child));
        let places = || of.iter().flat_map(|child| self.children.by_age(*child));
        let lines = || places().flat_map(|place| place.output.intake.last_lines(&self.journal.log));
        match verb {
            Verb::Status => Some(self.status()),
            Verb::Lines => Some(Record::lines(lines()).into_iter().take(PIECES_MAX).collect()),
            Verb::Crashes => Some(kept().collect()),
            Verb::Denials => Some(lives().map(|life| self.told_by(life).to_bytes()).collect()),
            _ => None,
        }
    }

    /// Says why an order does not apply to these, if so.
    fn refusal(&self, verb: Verb, to: &[Incarnation]) -> Option<String> {
        let has_process = || self.lives().any(|life| to.contains(&life.of) && !life.reaped);
        match verb {
            Verb::Roll => Some(to.iter().find_map(|of| self.tree.refuses_roll(of.child))?.to_string()),
            Verb::Kill(number) if number != SIGKILL && !has_process() => Some("it has no process".into()),
            _ => None,
        }
    }

    fn give_order(&mut self, verb: Verb, of: Incarnation) {
        let ordered = match verb {
            Verb::Stop => tree::Verb::Stop,
            Verb::Start => tree::Verb::Start,
            Verb::Restart => tree::Verb::Restart,
            Verb::Roll => tree::Verb::Roll,
            Verb::Reset => tree::Verb::Reset,
            Verb::Drain => tree::Verb::Drain,
            Verb::Kill(SIGKILL) => tree::Verb::Kill,
            Verb::Kill(number) => {
                return Signal::try_from(i32::from(number)).map_or((), |signal| self.signal(of, signal));
            }
            // Nothing is asked of a worker.
            _ => return,
        };
        self.events.push_back(Event::Operator { verb: ordered, child: of.child });
        if verb == Verb::Restart {
            Berth::both(of.child).into_iter().for_each(|berth| self.renew(berth));
        }
    }

    /// Has a pool have so many members: the one that is named, or that has this worker as its template.
    fn scale(&mut self, target: &Target, size: u16) -> Outcome {
        let Target::Worker(name) = target else { return Outcome::UnknownTarget };
        let of_first = || {
            let first = self.roster.instances_of(name).next()?;
            Some(self.tree.config().children.get(usize::from(first.0))?.group)
        };
        let Some(group) = self.roster.group(name).or_else(of_first) else { return Outcome::UnknownTarget };
        if self.tree.pool_places(group).is_none_or(|places| size > places) {
            return Outcome::Refused;
        }
        self.events.push_back(Event::Scale { group, size });
        Outcome::Done
    }

    /// Has the next start in a berth run what its path leads to now: an operator's restart is how a new build is
    /// taken up, while automatic restarts stay with the old one.
    pub(super) fn renew(&mut self, berth: Berth) {
        let child = berth.child;
        match self.launcher.reopen(berth, &self.roster.seat(child).worker) {
            Ok(()) => self.hash(berth),
            Err(error) => {
                self.complain(self.incarnation(child), &error);
                self.events.push_back(Event::Outdated { child, what: Outdated::Binary });
            }
        }
    }

    /// Returns who is meant: free places of a pool are nobody.
    fn targets(&self, target: &Target) -> Vec<ChildId> {
        self.named(target).into_iter().filter(|child| self.is_taken(*child)).collect()
    }

    fn named(&self, target: &Target) -> Vec<ChildId> {
        match target {
            Target::System => self.roster.children().collect(),
            Target::Worker(name) => self.roster.instances_of(name).collect(),
            Target::Instance(name, instance) => {
                let is_meant = |child: &ChildId| self.roster.seat(*child).instance == *instance;
                self.roster.instances_of(name).filter(is_meant).collect()
            }
        }
    }

    /// Answers the orders that are carried out, and those whose deadline has passed. Whose client has gone is forgotten.
    pub(super) fn answer_orders(&mut self) {
        let now = self.now();
        for order in std::mem::take(&mut self.orders) {
            let packets: Vec<Vec<u8>> = match order.verb {
                Verb::Events(after) => self.happened.packets(after),
                Verb::Log(after) => self.journal.log.packet(after, &order.target).into_iter().collect(),
                Verb::Roll => Record::lines(self.tree.rolled(&order.children).lines()),
                _ => Vec::new(),
            };
            let outcome = match order.verb {
                Verb::Events(_) | Verb::Log(_) => (!packets.is_empty()).then_some(Outcome::Done),
                // What came of an earlier one is not what comes of this.
                Verb::Roll if !self.events.is_empty() => None,
                verb => self.outcome_of_all(verb, &order.children),
            };
            match outcome {
                _ if self.connections.socket(order.connection).is_none() => {}
                Some(outcome) => self.answer(order.connection, packets, outcome),
                None if order.until <= now => self.answer(order.connection, packets, Outcome::TimedOut),
                None => self.orders.push(order),
            }
        }
    }

    /// Returns the worst that came of an order, once all of it is over.
    fn outcome_of_all(&self, verb: Verb, children: &[Incarnation]) -> Option<Outcome> {
        let outcomes: Vec<_> = children.iter().map(|of| self.outcome(verb, *of)).collect::<Option<_>>()?;
        Some(outcomes.into_iter().find(|outcome| *outcome != Outcome::Done).unwrap_or(Outcome::Done))
    }

    /// Returns what came of an order to one child, given in its life `before`; `None` while that is open.
    fn outcome(&self, verb: Verb, before: Incarnation) -> Option<Outcome> {
        let goal = match verb {
            Verb::Stop | Verb::Drain | Verb::Kill(SIGKILL) => tree::Goal::AtRest,
            Verb::Wait(Goal::Stopped) => tree::Goal::Down,
            Verb::Wait(Goal::Ready) => tree::Goal::Up,
            Verb::Start => tree::Goal::Started,
            Verb::Restart => tree::Goal::Anew,
            Verb::Roll => tree::Goal::Rolled,
            _ => return Some(Outcome::Done),
        };
        self.tree.reached(goal, before).and_then(|reached| Outcome::from_code(reached.code()))
    }

    pub(super) fn answer(&mut self, id: ConnectionId, packets: Vec<Vec<u8>>, outcome: Outcome) {
        self.connections.answer(id, packets, outcome);
        self.watch_room(id);
    }

    /// Waits for room exactly while something waits to be written, and for a request unless its asker has to wait.
    pub(super) fn watch_room(&mut self, id: ConnectionId) {
        let readable = self.connections.asker(id).is_none_or(|berth| !self.hearings.waits(berth));
        let interest =
            Interest { readable, writable: self.connections.has_answer(id), ..Interest::default() };
        if let Some(socket) = self.connections.socket(id) {
            let _ = self.poller.change(socket, Token::Connection(id).to_u64(), interest);
        }
    }
}
