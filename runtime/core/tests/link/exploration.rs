//! Every interleaving of small configurations: one worker asks another, with credit for one message, and the other may
//! crash at any point and come back once, or say that it is not ready and then that it is. The asker may also run into
//! a deadline.
//!
//! A state is both machines, their drivers and pipes. Each step moves one thing by one: a write, a frame read,
//! a message taken, an answer, the crash, the supervisor's word, the next link, the deadline. The search visits
//! every state that can be reached and checks each; at every state where nothing moves any more, all asks have
//! ended once and nothing waits. [`STATES`] and [`STATES_WITH_WORDS`] are how many there are.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{Config, Event};

use crate::pair::{Pair, Who};

/// The states of the configuration. A change of the machine that changes this number is to be understood.
const STATES: usize = 20_274;
const STATES_WITH_WORDS: usize = 36_270;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    pair: Pair,
    left: Left,
    crash: Crash,
    expired: bool,
}

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Left {
    asks: u8,
    /// Of the asked side: that it is not ready, and that it is.
    words: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Crash {
    NotYet,
    /// Dead; the survivor does not know.
    Dead,
    /// The survivor was told.
    Told,
    /// The survivor has read everything.
    Emptied,
    /// Linked again.
    Back,
}

fn steps(world: &World) -> Vec<World> {
    let mut next = Vec::new();
    let mut step = |change: &dyn Fn(&mut World)| {
        let mut changed = world.clone();
        change(&mut changed);
        if changed != *world {
            next.push(changed);
        }
    };
    if world.left.asks > 0 {
        step(&|world| {
            // The first ask has a deadline, a second has none.
            let within = (world.pair.fate(Who::Left).sent == 0).then_some(Duration::from_secs(1));
            world.left.asks -= 1;
            world.pair.ask(Who::Left, 0, within);
        });
    }
    if !world.expired && world.pair.fate(Who::Left).sent > 0 {
        step(&|world| {
            world.expired = true;
            world.pair.advance(Duration::from_secs(2));
        });
    }
    if world.left.words > 0 {
        step(&|world| {
            let event = if world.left.words == 2 { Event::Unready } else { Event::Ready };
            world.left.words -= 1;
            world.pair.feed(Who::Right, event, None);
        });
    }
    for who in [Who::Left, Who::Right] {
        if world.pair.side(who).has_unflushed() {
            step(&|world| world.pair.flush(who));
        }
        step(&|world| {
            world.pair.read(who);
        });
    }
    step(&|world| {
        world.pair.take(Who::Right, 0);
    });
    step(&|world| {
        world.pair.reply(Who::Right);
    });
    match world.crash {
        Crash::NotYet => step(&|world| {
            world.pair.crash(Who::Right);
            world.crash = Crash::Dead;
        }),
        Crash::Dead => {
            step(&|world| {
                world.pair.tell_death(Who::Right);
                world.crash = Crash::Told;
            });
            if !world.pair.side(Who::Right).has_unread() {
                step(&|world| {
                    world.pair.feed(Who::Left, Event::Lost, None);
                });
            }
        }
        Crash::Told => {
            if !world.pair.side(Who::Right).has_unread() {
                step(&|world| {
                    world.pair.feed(Who::Left, Event::Emptied, None);
                    world.crash = Crash::Emptied;
                });
            }
        }
        Crash::Emptied => step(&|world| {
            world.pair.link();
            world.crash = Crash::Back;
        }),
        Crash::Back => {}
    }
    next
}

#[test]
fn two_asks_and_a_crash_at_every_point() {
    assert_eq!(explore(Left { asks: 2, words: 0 }), STATES);
}

#[test]
fn an_ask_and_a_crash_and_words_of_readiness_at_every_point() {
    assert_eq!(explore(Left { asks: 1, words: 2 }), STATES_WITH_WORDS);
}

/// Visits everything that can be reached and returns how many states that are.
fn explore(left: Left) -> usize {
    let mut pair = Pair::new(Config::default(), 1, Grant { messages: 1, bytes: 100, fds: 0 });
    pair.link();
    let start = World { pair, left, crash: Crash::NotYet, expired: false };
    let mut seen = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    let mut quiet = 0;
    while let Some(world) = queue.pop_front() {
        let next = steps(&world);
        if next.is_empty() {
            quiet += 1;
            world.pair.assert_all_ended(Who::Left);
            assert_eq!(world.pair.side(Who::Left).keeps(), 0);
            assert_eq!(world.pair.side(Who::Left).downs, [1]);
            assert_eq!(world.pair.fate(Who::Left).ended.len(), usize::from(left.asks));
        }
        for world in next {
            if !seen.contains(&world) {
                seen.insert(world.clone());
                queue.push_back(world);
            }
        }
    }
    assert!(quiet > 0);
    seen.len()
}
