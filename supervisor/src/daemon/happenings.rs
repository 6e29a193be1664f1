//! What happened, as those are told who ask on the control socket.

use std::time::{SystemTime, UNIX_EPOCH};

use bailiwick_core::moves;
use bailiwick_core::tree::Incarnation;

use super::{Daemon, outward};
use crate::control::{Event, EventKind, Signs};

impl Daemon {
    /// Remembers who stands otherwise than before.
    pub(super) fn note_moves(&mut self) {
        for moved in self.moves.look(&self.tree, self.now()) {
            let event = self.event(EventKind::State, Some(moved.of));
            let detail = moved.left_out();
            self.happened.push(Event {
                from: Some(outward::state(moved.from)),
                to: Some(outward::state(moved.to)),
                detail,
                ..event
            });
        }
    }

    /// Remembers what a person should look at, and says it unless that was said in other words.
    pub(super) fn alert(&mut self, of: Option<Incarnation>, detail: String, is_said: bool) {
        if !is_said {
            self.say(&detail);
        }
        let event = self.event(EventKind::Alert, of);
        self.happened.push(Event { detail, ..event });
    }

    /// Returns an event that happens now, of one life or of all.
    pub(super) fn event(&self, kind: EventKind, of: Option<Incarnation>) -> Event {
        let seat = of.map(|of| self.roster.seat(of.child));
        let child = of.and_then(|of| self.tree.child(of.child));
        Event {
            wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            monotonic_ns: self.now().as_nanos(),
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
