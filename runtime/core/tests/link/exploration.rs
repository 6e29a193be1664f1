//! Every interleaving of small configurations: one worker sends to another, with credit for one message to each of its
//! actors, and the other may crash at any point and come back once, or say that it is not ready and then that it is. The
//! asker may also run into a deadline.
//!
//! A state is both machines, their drivers and pipes. Each step moves one thing by one: a write, a frame read,
//! a message taken, an answer, the crash, the supervisor's word, the next link, the deadline. The search visits
//! every state that can be reached and checks each; at every state where nothing moves any more, all asks have
//! ended once, no tell has vanished, nothing waits, and there is credit for a message to each actor as in the beginning.
//! Each configuration says how many states there are: a change of the machine that changes that number is to be understood.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{Config, Event, Outcome, Patience};

use crate::pair::{Pair, Who};

/// What one worker sends, one after the other.
#[derive(Clone, Copy, Debug)]
enum Message {
    /// An ask of this actor.
    Ask(u32),
    /// An ask of this actor with a deadline.
    AskWithin(u32),
    /// A tell to this actor.
    Tell(u32),
}

use Message::{Ask, AskWithin, Tell};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    pair: Pair,
    /// Messages that were sent.
    sent: usize,
    /// What the asked side will still say: that it is not ready, and that it is.
    words: u8,
    crash: Crash,
    /// No deadline is still to pass.
    expired: bool,
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

fn steps(world: &World, messages: &[Message], actors: u32) -> Vec<World> {
    let mut next = Vec::new();
    let mut step = |change: &dyn Fn(&mut World)| {
        let mut changed = world.clone();
        change(&mut changed);
        if changed != *world {
            next.push(changed);
        }
    };
    if let Some(message) = messages.get(world.sent) {
        step(&|world| {
            world.sent += 1;
            match *message {
                Ask(actor) => world.pair.ask(Who::Left, actor, None),
                AskWithin(actor) => world.pair.ask(Who::Left, actor, Some(Duration::from_secs(1))),
                Tell(actor) => world.pair.tell(Who::Left, actor, Patience::Wait),
            };
        });
    }
    if !world.expired && world.sent > 0 {
        step(&|world| {
            world.expired = true;
            world.pair.advance(Duration::from_secs(2));
        });
    }
    if world.words > 0 {
        step(&|world| {
            let event = if world.words == 2 { Event::Unready } else { Event::Ready };
            world.words -= 1;
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
    for actor in 0..actors {
        step(&|world| {
            world.pair.take(Who::Right, actor);
        });
    }
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
    assert_eq!(explore(&[AskWithin(0), Ask(0)], 1, 0), 19_695);
}

#[test]
fn an_ask_and_a_crash_and_words_of_readiness_at_every_point() {
    assert_eq!(explore(&[AskWithin(0)], 1, 2), 36_278);
}

#[test]
fn three_messages_to_two_actors_and_a_crash_at_every_point() {
    assert_eq!(explore(&[Ask(0), Tell(0), Ask(1)], 2, 0), 90_765);
}

#[test]
fn two_tells_to_a_rendezvous_and_a_crash_at_every_point() {
    assert_eq!(explore_in(Pair::of_rendezvous(Config::default(), 1), &[Tell(0), Tell(0)], 1, 0), 3_777);
}

#[test]
fn tells_of_both_priorities_and_a_crash_at_every_point() {
    let mut pair = Pair::new(Config::default(), 1, Grant { messages: 1, bytes: 100, fds: 0 });
    // Every other one is of high priority, so that it passes the one before.
    pair.mixed = true;
    assert_eq!(explore_in(pair, &[Tell(0), Tell(0), Tell(0)], 1, 0), 28_632);
}

/// Visits everything that can be reached and returns how many states that are.
fn explore(messages: &[Message], actors: u32, words: u8) -> usize {
    let first = Grant { messages: 1, bytes: 100, fds: 0 };
    explore_in(Pair::new(Config::default(), actors, first), messages, actors, words)
}

fn explore_in(mut pair: Pair, messages: &[Message], actors: u32, words: u8) -> usize {
    pair.link();
    let expired = !messages.iter().any(|message| matches!(message, AskWithin(_)));
    let start = World { pair, sent: 0, words, crash: Crash::NotYet, expired };
    // Of most states no more than a digest is kept: there are many.
    let mut seen = HashSet::from([digest(&start)]);
    let mut queue = VecDeque::from([start]);
    let mut quiet = 0;
    while let Some(world) = queue.pop_front() {
        let next = steps(&world, messages, actors);
        if next.is_empty() {
            quiet += 1;
            assert_quiet(world, messages, actors);
        }
        queue.extend(next.into_iter().filter(|world| seen.insert(digest(world))));
    }
    assert!(quiet > 0);
    seen.len()
}

fn digest(world: &World) -> [u64; 2] {
    [0_u8, 1].map(|salt| {
        let mut hasher = DefaultHasher::new();
        (salt, world).hash(&mut hasher);
        hasher.finish()
    })
}

/// Checks a state in which nothing moves any more.
fn assert_quiet(world: World, messages: &[Message], actors: u32) {
    let mut pair = world.pair;
    pair.assert_all_ended(Who::Left);
    pair.assert_tells_accounted_for(Who::Left);
    assert_eq!(pair.side(Who::Left).keeps(), 0);
    assert_eq!(pair.side(Who::Left).downs, [1]);
    let asks = messages.iter().filter(|message| !matches!(message, Tell(_))).count();
    assert_eq!(pair.fate(Who::Left).ended.len(), asks);
    // No credit was lost: each actor takes as many as it did in the beginning.
    for actor in 0..actors {
        let ask = pair.ask(Who::Left, actor, None);
        pair.finish();
        assert_eq!(pair.fate(Who::Left).ended.get(&ask), Some(&Outcome::Replied));
    }
}
