//! What has changed about children since the last look, for whoever tells others of it.

use alloc::vec::Vec;
use core::mem::discriminant;

use crate::child::{Child, State};
use crate::tree::{Incarnation, Tree};

/// What is odd about a child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Signs {
    /// A signal has stopped it.
    pub sigstopped: bool,
    /// A debugger holds it.
    pub traced: bool,
    /// One of its polls has lasted too long.
    pub stuck: bool,
    /// SIGKILL did not end it in time.
    pub unkillable: bool,
    /// Its configuration has changed, and its present life does not have it.
    pub config_changed: bool,
    /// Its executable has changed, and its present life does not have it.
    pub binary_changed: bool,
    /// Its group's budget is spent, and it is retried only rarely.
    pub cooling_down: bool,
    /// It said that it has nothing to do.
    pub skipped: bool,
    /// It is being replaced by rolling, or something of the life before is left.
    pub rolling: bool,
}

/// A child that stands otherwise than at the last look. What it passed through in between is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The present life, or the last one.
    pub of: Incarnation,
    /// Where it stood; the same state as `to` where a life or a sign is new.
    pub from: State,
    /// Where it stands.
    pub to: State,
}

/// What was seen at the last look. At the first everybody is taken to be stopped.
#[derive(Debug, Default)]
pub struct Moves {
    seen: Vec<(State, u32, Signs)>,
}

impl Signs {
    /// Returns what is odd about a child.
    pub const fn of(child: &Child) -> Self {
        let outdated = child.outdated();
        Self {
            sigstopped: child.is_sigstopped(),
            traced: child.is_traced(),
            stuck: child.is_stuck(),
            unkillable: child.is_unkillable(),
            config_changed: outdated.config,
            binary_changed: outdated.binary,
            cooling_down: child.is_cooling_down(),
            skipped: child.is_skipped(),
            rolling: child.is_rolling(),
        }
    }

    /// Returns the signs as the bits by which other processes are told of them, the first in the lowest.
    pub const fn bits(self) -> u16 {
        (self.sigstopped as u16)
            | (self.traced as u16) << 1
            | (self.stuck as u16) << 2
            | (self.unkillable as u16) << 3
            | (self.config_changed as u16) << 4
            | (self.binary_changed as u16) << 5
            | (self.cooling_down as u16) << 6
            | (self.skipped as u16) << 7
            | (self.rolling as u16) << 8
    }
}

impl Moves {
    /// Looks again, and returns who stands otherwise.
    pub fn look(&mut self, tree: &Tree) -> Vec<Move> {
        let mut moves = Vec::new();
        self.seen.resize(tree.children().len(), (State::Stopped, 0, Signs::default()));
        for (child, seen) in tree.children().iter().zip(&mut self.seen) {
            let of = child.incarnation();
            let found = (child.state(), of.generation, Signs::of(child));
            let (from, generation, signs) = core::mem::replace(seen, found);
            let is_same = discriminant(&from) == discriminant(&found.0);
            if !is_same || (generation, signs) != (found.1, found.2) {
                moves.push(Move { of, from, to: found.0 });
            }
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::time::Instant;
    use crate::tree::{ChildConfig, ChildId, Config, Event, Verb};

    #[test]
    fn each_change_shows_once() {
        let config = Config { children: vec![ChildConfig::default(); 2], ..Config::default() };
        let (mut tree, mut moves, mut actions) = (Tree::new(config).unwrap(), Moves::default(), Vec::new());
        assert_eq!(moves.look(&tree), []);
        let of = |child, generation| Incarnation { child: ChildId(child), generation };
        let mut after = |event| {
            tree.handle(Instant::START, event, &mut actions);
            let moved = moves.look(&tree);
            assert_eq!(moves.look(&tree), [], "seen once");
            moved.iter().map(|moved| (moved.of, moved.from.name(), moved.to.name())).collect::<Vec<_>>()
        };
        let both = [0, 1].map(|child| (of(child, 1), "stopped", "spawning"));
        assert_eq!(after(Event::Boot), both);
        assert_eq!(after(Event::Spawned(of(1, 1))), [(of(1, 1), "spawning", "starting")]);
        assert_eq!(after(Event::Sigstopped(of(1, 1))), [(of(1, 1), "starting", "starting")]);
        assert_eq!(after(Event::Continued(of(1, 1))), [(of(1, 1), "starting", "starting")]);
        let stop = Event::Operator { verb: Verb::Stop, child: ChildId(1) };
        assert_eq!(after(stop), [(of(1, 1), "starting", "stopping")]);
    }
}
