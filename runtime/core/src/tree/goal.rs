//! Whether what somebody waits for has come.

use super::{Incarnation, Tree};
use crate::child::{Rolled, State};

/// Where somebody wants to see a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Exhaustive: whoever orders something waits for one of these.
pub enum Goal {
    /// Nothing of it runs.
    AtRest,
    /// It does not run and will not by itself.
    Down,
    /// It is ready, or done, however long that takes.
    Up,
    /// It is ready, or done; nothing comes of that once its budget is spent.
    Started,
    /// So, in a later life than the one that was present when somebody began to wait.
    Anew,
    /// So, by a rolling replacement that somebody ordered; or nothing comes of that.
    Rolled,
}

/// What came of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Exhaustive: each is told to whoever waits.
pub enum Reached {
    /// It is there.
    Yes,
    /// It did not come up: it is given up, or retried rarely.
    GivenUp,
    /// It will not come up: everything stops.
    ShuttingDown,
    /// No other life came to take the place of the present one, which goes on.
    RolledBack,
    /// It was not to have another life in that way.
    Refused,
}

impl Reached {
    /// Returns what came of it as the number by which other processes are told of it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::ShuttingDown => 4,
            Self::GivenUp => 6,
            Self::Refused => 7,
            Self::RolledBack => 9,
        }
    }
}

impl Tree {
    /// Returns whether a child is where somebody wants to see it who began to wait in its life `before`; `None` while
    /// that is open. Who is not there is where anybody wants to see it.
    pub fn reached(&self, goal: Goal, before: Incarnation) -> Option<Reached> {
        let Some(child) = self.child(before.child) else { return Some(Reached::Yes) };
        let state = child.state();
        let is_up = matches!(state, State::Ready { .. } | State::Done);
        let is_later = child.incarnation().generation > before.generation;
        let is_retried_rarely = matches!(state, State::Backoff { .. }) && child.is_cooling_down();
        let is_reached = match goal {
            Goal::AtRest => child.is_empty(),
            Goal::Down => {
                child.is_empty() && matches!(state, State::Stopped | State::Done | State::Failed(_))
            }
            _ if matches!(state, State::Failed(_)) => return Some(Reached::GivenUp),
            _ if !is_up && self.is_shutting_down() => return Some(Reached::ShuttingDown),
            Goal::Started | Goal::Anew if is_later && is_retried_rarely => return Some(Reached::GivenUp),
            Goal::Up | Goal::Started => is_up,
            Goal::Anew | Goal::Rolled if is_up && is_later => true,
            Goal::Anew => false,
            Goal::Rolled => {
                return match child.last_roll()? {
                    Rolled::Back(_) => Some(Reached::RolledBack),
                    Rolled::Refused(_) => Some(Reached::Refused),
                    // It has not become ready yet.
                    Rolled::Succeeded => None,
                };
            }
        };
        is_reached.then_some(Reached::Yes)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::exit::Exit;
    use crate::time::Instant;
    use crate::tree::{ChildConfig, ChildId, Config, Event, GroupConfig, Verb};

    const GOALS: [Goal; 4] = [Goal::AtRest, Goal::Down, Goal::Up, Goal::Anew];

    #[test]
    fn each_goal_is_reached_where_it_should_be() {
        let config = Config { children: vec![ChildConfig::default(); 2], ..Config::default() };
        let (mut tree, mut actions) = (Tree::new(config).unwrap(), Vec::new());
        let of = |generation| Incarnation { child: ChildId(0), generation };
        let mut after = |event| {
            tree.handle(Instant::START, event, &mut actions);
            GOALS.map(|goal| tree.reached(goal, of(1)))
        };
        let (yes, no) = (Some(Reached::Yes), None);
        assert_eq!(after(Event::Boot), [no; 4], "it is being made");
        after(Event::Spawned(of(1)));
        assert_eq!(after(Event::Ready(of(1))), [no, no, yes, no], "it is ready, in the same life");
        assert_eq!(after(Event::Operator { verb: Verb::Stop, child: ChildId(0) }), [no; 4], "it stops");
        after(Event::Exited { of: of(1), exit: Exit::Code(0) });
        assert_eq!(after(Event::Emptied { of: of(1), chance: 0 }), [yes, yes, no, no], "it is stopped");
        after(Event::Operator { verb: Verb::Start, child: ChildId(0) });
        after(Event::Spawned(of(2)));
        assert_eq!(after(Event::Ready(of(2))), [no, no, yes, yes], "it is ready, in another life");
        let over = Some(Reached::ShuttingDown);
        assert_eq!(after(Event::ShutDown), [no, no, over, over], "everything stops");
        let nobody = Incarnation { child: ChildId(9), generation: 0 };
        assert_eq!(GOALS.map(|goal| tree.reached(goal, nobody)), [yes; 4]);
    }

    #[test]
    fn who_ordered_a_start_learns_that_the_budget_is_spent_and_who_waits_does_not_mind() {
        let config = Config { children: vec![ChildConfig::default()], ..Config::default() };
        let restarts = GroupConfig::default().max_restarts;
        let (mut tree, mut actions) = (Tree::new(config).unwrap(), Vec::new());
        let of = |generation| Incarnation { child: ChildId(0), generation };
        let mut goals = |events: &[Event]| {
            events.iter().for_each(|event| tree.handle(Instant::START, *event, &mut actions));
            [Goal::Up, Goal::Started, Goal::Anew].map(|goal| tree.reached(goal, of(1)))
        };
        goals(&[Event::Boot, Event::Spawned(of(1)), Event::Exited { of: of(1), exit: Exit::Code(1) }]);
        goals(&[Event::Emptied { of: of(1), chance: 0 }]);
        for life in 2..=restarts + 1 {
            let fails = Event::Exited { of: of(life), exit: Exit::Code(1) };
            let start = Event::Operator { verb: Verb::Start, child: ChildId(0) };
            let expected = if life <= restarts {
                [None; 3]
            } else {
                [None, Some(Reached::GivenUp), Some(Reached::GivenUp)]
            };
            assert_eq!(
                goals(&[start, Event::Spawned(of(life)), fails, Event::Emptied { of: of(life), chance: 0 }]),
                expected,
                "life {life}"
            );
        }
    }

    #[test]
    fn who_ordered_a_rolling_replacement_learns_what_came_of_it() {
        let (mut tree, mut actions) = (
            Tree::new(Config { children: vec![ChildConfig::default()], ..Config::default() }).unwrap(),
            Vec::new(),
        );
        let of = |generation| Incarnation { child: ChildId(0), generation };
        let roll = Event::Operator { verb: Verb::Roll, child: ChildId(0) };
        let mut after = |event| {
            tree.handle(Instant::START, event, &mut actions);
            tree.reached(Goal::Rolled, of(1))
        };
        after(Event::Boot);
        assert_eq!(after(roll), Some(Reached::Refused), "it is not ready");
        after(Event::Ready(of(1)));
        assert_eq!(after(roll), None, "it is on its way");
        assert_eq!(after(Event::Standing(of(2))), None);
        assert_eq!(after(roll), None, "another order does not change that");
        assert_eq!(after(Event::Exited { of: of(2), exit: Exit::Code(1) }), Some(Reached::RolledBack));
        after(Event::Emptied { of: of(2), chance: 0 });
        assert_eq!(after(roll), None, "another begins");
        after(Event::Standing(of(3)));
        assert_eq!(after(Event::Ready(of(3))), Some(Reached::Yes));
        assert_eq!(after(Event::ShutDown), Some(Reached::ShuttingDown));
    }
}
