//! Rolling replacement: who may be replaced so, and what is told of the life beside the present one.

use alloc::format;
use alloc::string::String;

use super::{ChildId, Event, Incarnation, Step, Tree};
use crate::child::{Child, Refusal};

impl Tree {
    /// Returns why a child cannot be replaced by rolling now; `None` if it can.
    pub fn refuses_roll(&self, id: ChildId) -> Option<Refusal> {
        let (Some(child), Some(terms)) = (self.child(id), self.terms(id)) else {
            return Some(Refusal::NotReady);
        };
        child.refuses_roll(terms).or_else(|| self.is_held(id).then_some(Refusal::Stopping))
    }

    /// Says what came of the last orders to replace children by rolling, a line for each of which something has.
    pub fn rolled(&self, children: &[Incarnation]) -> String {
        let rolled = |of: &Incarnation| self.child(of.child)?.last_roll();
        children.iter().filter_map(rolled).map(|rolled| format!("{rolled}\n")).collect()
    }

    pub(super) fn roll(&mut self, id: ChildId, step: &mut Step<'_>) {
        let refusal = self.refuses_roll(id);
        self.with_child(id, step, |child, turn| match refusal {
            Some(why) => child.refuse_roll(why, turn),
            None => child.roll(turn),
        });
    }

    /// Goes on with what is under way, as the states allow.
    pub(super) fn tend_rolls(&mut self, step: &mut Step<'_>) {
        for id in self.ascending() {
            // Asked at every event of every child: mostly there is nothing to go on with.
            if !self.child(id).is_some_and(Child::is_rolling) {
                continue;
            }
            let held = self.is_kept_from_starting(id);
            self.with_child(id, step, |child, turn| child.tend_roll(held, turn));
        }
    }

    /// Takes an event that is about a second life. Returns whether it was. What else may be told of a life is of no account
    /// there.
    pub(super) fn take_for_second(&mut self, event: Event, step: &mut Step<'_>) -> bool {
        let (Event::Ready(of)
        | Event::Drained(of)
        | Event::Extend { of, .. }
        | Event::Violated(of)
        | Event::Exited { of, .. }
        | Event::Emptied { of, .. }) = event
        else {
            return false;
        };
        if self.child(of.child).and_then(Child::second) != Some(of) {
            return false;
        }
        let mut gone = None;
        self.with_child(of.child, step, |child, turn| match event {
            Event::Ready(_) => child.second_ready(turn),
            Event::Drained(_) => child.second_drained(turn),
            Event::Extend { by, .. } => child.second_extends(by, turn),
            Event::Violated(_) => child.second_violated(turn),
            Event::Exited { exit, .. } => child.second_exited(exit, turn),
            Event::Emptied { .. } => gone = child.second_emptied(),
            // No other event is about a second life, as the first lines say.
            _ => {}
        });
        if let Some(second) = gone {
            self.conclude_second(of.child, &second, step);
        }
        true
    }
}
