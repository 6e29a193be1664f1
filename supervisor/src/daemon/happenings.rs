//! What happened, as those are told who ask on the control socket.

use std::fmt::Display;

use bailiwick_core::moves;
use bailiwick_core::tree::{Action, Incarnation};
use bailiwick_wire::audit::Violation;
use bailiwick_wire::log::Priority;

use super::{Daemon, outward};
use crate::control::{Cause, Event, EventKind, Follows, Signs, Spent};

impl Daemon {
    /// Remembers who stands otherwise than before.
    pub(super) fn note_moves(&mut self) {
        for moved in self.moves.look(&self.tree, self.now()) {
            self.happened.push(Event {
                from: Some(outward::state(moved.from)),
                to: Some(outward::state(moved.to)),
                detail: moved.left_out(),
                ..self.event(EventKind::State, Some(moved.of))
            });
        }
    }

    /// Remembers what a person should look at, with the budget that did not cover it, and says it unless that was said in other
    /// words.
    pub(super) fn alert(&mut self, of: Option<Incarnation>, text: String, said: bool, spent: Option<Spent>) {
        let event = Event { detail: text, spent, ..self.event(EventKind::Alert, of) };
        if !said {
            self.journal.tell(Priority::Warning, &event);
        }
        self.happened.push(event);
    }

    /// Returns whose budget does not cover what the machine says, and what follows.
    pub(super) fn spent(&self, action: &Action) -> Option<Spent> {
        let (group, follows) = self.tree.spent(action)?;
        let follows = Follows::from_code(follows.code())?;
        Some(Spent { group: self.roster.group_name(group).to_owned(), follows })
    }

    /// Remembers that a life broke a rule, as often as that may be said of it; what is left out is counted.
    pub(super) fn audit(&mut self, of: Incarnation, violation: Violation, detail: String) {
        let now = self.now();
        let ration = &mut self.child(of.child).violations;
        if !ration.spend(1, now) {
            return;
        }
        let unrecorded = ration.take_untold().unwrap_or_default();
        let pid = self.life(of).map_or(0, |life| life.pid.unsigned_abs());
        let uid = self.uid(of).unwrap_or_default();
        let violation = Some(Violation { pid, uid, unrecorded, ..violation }.into());
        self.happened.push(Event { detail, violation, ..self.event(EventKind::Violation, Some(of)) });
    }

    /// Has a life killed whose words to the supervisor no honest one can have said.
    pub(super) fn convict(&mut self, of: Incarnation, error: &dyn Display) {
        self.complain(of, error);
        self.audit(of, Violation::default().killed(), format!("{}: {error}", self.name(of)));
        self.condemn(of, Cause::Protocol);
    }

    /// Returns an event that happens now, of one life or of all.
    pub(super) fn event(&self, kind: EventKind, of: Option<Incarnation>) -> Event {
        let (at, seat) = (self.moment(), of.map(|of| self.roster.seat(of.child)));
        let child = of.and_then(|of| self.tree.child(of.child));
        Event {
            wall: at.wall,
            monotonic_ns: at.monotonic_ns,
            worker: seat.map(|seat| seat.worker.name.clone()).unwrap_or_default(),
            instance: seat.map_or(0, |seat| seat.instance),
            numbered: seat.is_some_and(|seat| seat.worker.places() > 1),
            generation: of.map_or(0, |of| of.generation),
            to: child.map(|child| outward::state(child.state())),
            signs: child.map(|child| Signs::from_bits(moves::Signs::of(child).bits())).unwrap_or_default(),
            ..Event::of(kind)
        }
    }
}
