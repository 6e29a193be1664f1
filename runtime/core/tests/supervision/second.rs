//! What the observer knows of a life beside the present one.

use bailiwick_core::exit::Exit;
use bailiwick_core::tree::{Action, Event, Incarnation};

/// A life beside the present one, in a rolling replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Second {
    pub(super) generation: u32,
    /// It is to take the place of the present life, or was; else it had that place.
    pub(super) is_newcomer: bool,
    pub(super) exited: bool,
    /// What the driver is to do with it.
    pub(super) asked: Asked,
}

/// What was asked last of a life beside the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    Rise,
    /// It is ready, and waits for its turn.
    Wait,
    Drain,
    Terminate,
    Kill,
}

impl Second {
    pub(super) fn is_coming(&self) -> bool {
        matches!(self.asked, Asked::Rise | Asked::Wait)
    }

    /// What it says that does what is asked of it.
    pub(super) fn answer(&self, of: Incarnation) -> Option<Event> {
        Some(match self.asked {
            _ if self.exited => Event::Emptied { of, chance: 0 },
            Asked::Rise => Event::Ready(of),
            Asked::Wait => return None,
            Asked::Drain => Event::Drained(of),
            Asked::Terminate => Event::Exited { of, exit: Exit::Code(0) },
            Asked::Kill => Event::Exited { of, exit: Exit::Signal(9) },
        })
    }

    /// It is asked for more and more, and for nothing once it is over.
    pub(super) fn ask(&mut self, action: Action, context: &str) {
        let (asked, may) = match action {
            Action::Drain(_) => (Asked::Drain, !self.is_newcomer && self.asked == Asked::Wait),
            Action::Terminate(_) => (Asked::Terminate, !matches!(self.asked, Asked::Terminate | Asked::Kill)),
            _ => (Asked::Kill, true),
        };
        assert!(may && (!self.exited || asked == Asked::Kill), "asks for what was asked before: {context}");
        self.asked = asked;
    }
}
