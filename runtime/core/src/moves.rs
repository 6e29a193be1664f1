//! What has changed about children since the last look, for whoever tells others of it.
//!
//! A child that changes faster than anybody can follow is told of [`MOVES_PER_SECOND`] times a second: as it stands by then,
//! and how many changes that leaves out. So the last that is told of a child is always how it stands.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem::discriminant;

use crate::allowance::Allowance;
use crate::child::{Child, State};
use crate::time::Instant;
use crate::tree::{Incarnation, Tree};

/// Changes of one child that are told at once after a calm time: a few lives, from the start to the end.
pub const MOVES_AT_ONCE: u64 = 30;

/// Changes of one child that are told per second in the long run.
pub const MOVES_PER_SECOND: u64 = 5;

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

/// A child that stands otherwise than when it was told of last. What it passed through between two looks is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The present life, or the last one.
    pub of: Incarnation,
    /// Where it stood; the same state as `to` where a life or a sign is new, or where it has returned.
    pub from: State,
    /// Where it stands.
    pub to: State,
    /// Changes in between that are not told.
    pub untold: u64,
}

impl Move {
    /// Says how many changes are left out; nothing if none is.
    pub fn left_out(&self) -> String {
        if self.untold == 0 {
            String::new()
        } else {
            format!("after {} changes that are not shown", self.untold)
        }
    }
}

/// What was seen at the last look, and told of that. At the first everybody is taken to be stopped.
#[derive(Debug, Default)]
pub struct Moves {
    seen: Vec<Seen>,
}

#[derive(Debug)]
struct Seen {
    last: Stand,
    /// The state that was told last.
    told: State,
    /// Changes since then.
    untold: u64,
    allowance: Allowance,
}

/// State, life and signs.
type Stand = (State, u32, Signs);

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
    /// Looks again, and returns who is to be told of.
    pub fn look(&mut self, tree: &Tree, now: Instant) -> Vec<Move> {
        self.seen.resize_with(tree.children().len(), || Seen::new(now));
        let children = tree.children().iter().zip(&mut self.seen);
        children.filter_map(|(child, seen)| seen.look(child, now)).collect()
    }

    /// Returns when somebody is to be told of who has changed too often; `None` if nobody waits for that.
    pub fn deadline(&self) -> Option<Instant> {
        self.seen.iter().filter(|seen| seen.untold > 0).map(|seen| seen.allowance.covers_at(1)).min()
    }
}

impl Seen {
    fn new(now: Instant) -> Self {
        Self {
            last: (State::Stopped, 0, Signs::default()),
            told: State::Stopped,
            untold: 0,
            allowance: Allowance::new(MOVES_AT_ONCE, MOVES_PER_SECOND, now),
        }
    }

    fn look(&mut self, child: &Child, now: Instant) -> Option<Move> {
        let of = child.incarnation();
        let found = (child.state(), of.generation, Signs::of(child));
        let last = core::mem::replace(&mut self.last, found);
        let is_same = discriminant(&last.0) == discriminant(&found.0);
        self.untold += u64::from(!is_same || (last.1, last.2) != (found.1, found.2));
        if self.untold == 0 || !self.allowance.spend(1, now) {
            return None;
        }
        let from = core::mem::replace(&mut self.told, found.0);
        Some(Move { of, from, to: found.0, untold: core::mem::take(&mut self.untold) - 1 })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use core::time::Duration;

    use super::*;
    use crate::time::Instant;
    use crate::tree::{ChildConfig, ChildId, Config, Event, Verb};

    #[test]
    fn each_change_shows_once() {
        let config = Config { children: vec![ChildConfig::default(); 2], ..Config::default() };
        let (mut tree, mut moves, mut actions) = (Tree::new(config).unwrap(), Moves::default(), Vec::new());
        assert_eq!(moves.look(&tree, Instant::START), []);
        let of = |child, generation| Incarnation { child: ChildId(child), generation };
        let mut after = |event| {
            tree.handle(Instant::START, event, &mut actions);
            let moved = moves.look(&tree, Instant::START);
            assert_eq!(moves.look(&tree, Instant::START), [], "seen once");
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
    #[test]
    fn a_child_that_flaps_is_told_of_a_few_times_a_second_and_last_as_it_stands() {
        let config = Config { children: vec![ChildConfig::default(); 2], ..Config::default() };
        let (mut tree, mut moves, mut actions) = (Tree::new(config).unwrap(), Moves::default(), Vec::new());
        let of = |child| Incarnation { child: ChildId(child), generation: 1 };
        let at = |millis| Instant::START + Duration::from_millis(millis);
        let mut after = |event, millis| {
            tree.handle(at(millis), event, &mut actions);
            (moves.look(&tree, at(millis)), moves.deadline())
        };
        after(Event::Boot, 0);
        after(Event::Ready(of(0)), 0);
        // The start took two of them. Ten times a millisecond for ten seconds it is not ready, and is.
        let mut told = Vec::new();
        for tenth in 0..100_000 {
            let event = if tenth % 2 == 0 { Event::Unready(of(0)) } else { Event::Ready(of(0)) };
            told.extend(after(event, 1000 + tenth / 10).0);
        }
        assert_eq!(told.len() as u64, MOVES_AT_ONCE + 10 * MOVES_PER_SECOND - 1);
        assert!(told[..28].iter().all(|moved| moved.untold == 0), "what is rare is shown one by one");
        let counted = told.iter().map(|moved| moved.untold + 1).sum::<u64>();
        assert!(counted < 100_000);
        // Another is told of as ever.
        let (moved, due) = after(Event::Unready(of(1)), 10_999);
        assert_eq!((moved.len(), due), (0, Some(at(11_000))));
        let (moved, _) = after(Event::Ready(of(1)), 10_999);
        assert_eq!(
            moved,
            [Move {
                of: of(1),
                from: State::Spawning { until: at(30_000) },
                to: State::Ready { stable_at: None },
                untold: 0
            }]
        );
        let (moved, due) = after(Event::Tick, 11_000);
        let (from, to) = (moved[0].from.name(), moved[0].to.name());
        assert_eq!((moved.len(), from, to, due), (1, "unready", "ready", None));
        assert_eq!(moved[0].untold + 1, 100_000 - counted);
    }
}
