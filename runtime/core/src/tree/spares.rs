//! What is told of the process that waits to be a child's next life, and when there is to be one.

use super::{Event, Step, Tree};
use crate::child::Child;
use crate::exit::Cause;

impl Tree {
    /// Has spares made and ended, as the states ask for them.
    pub(super) fn tend_spares(&mut self, step: &mut Step<'_>) {
        for id in self.ascending() {
            let held = self.is_kept_from_starting(id);
            self.with_child(id, step, |child, turn| child.tend_spare(held, turn));
        }
    }

    /// Takes an event that is about a spare. Returns whether it was.
    pub(super) fn take_for_spare(&mut self, event: Event, step: &mut Step<'_>) -> bool {
        let (Event::Spawned(of)
        | Event::Standing(of)
        | Event::Violated(of)
        | Event::SpawnFailed { of, .. }
        | Event::Exited { of, .. }
        | Event::Emptied { of, .. }) = event
        else {
            return false;
        };
        if self.child(of.child).and_then(Child::spare) != Some(of) {
            return false;
        }
        self.with_child(of.child, step, |child, turn| match event {
            Event::Spawned(_) => child.spare_spawned(),
            Event::Standing(_) => child.spare_stands(),
            Event::Violated(_) => child.spare_violated(turn),
            Event::Exited { exit, .. } => child.spare_exited(exit, turn),
            Event::SpawnFailed { chance, step, errno, .. } => {
                child.spare_emptied(Some(Cause::SpawnFailed { step, errno }), chance, turn);
            }
            Event::Emptied { chance, .. } => child.spare_emptied(None, chance, turn),
            // No other event is about a spare, as the first lines say.
            _ => {}
        });
        true
    }
}
