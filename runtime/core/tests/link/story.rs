//! Stories of two honest workers, for whoever makes up the steps: chance, or a fuzzer. The simulation asserts as
//! it goes; here stands what must hold at the end.

use std::time::Duration;

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{Config, Event, Patience};

use crate::pair::{Pair, Who};

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Tell(Who, u32, bool),
    Ask(Who, u32, Option<u8>),
    Cancel(Who, u8),
    Flush(Who),
    Read(Who),
    Take(Who, u32),
    Reply(Who),
    Advance(u8),
    Crash { dead: Who, told_at_once: bool },
    Lose,
    Drain(Who),
    Refuse(Who),
    Unready(Who),
    Ready(Who),
    Watch(Who, u32),
    Supersede(Who),
}

/// Actors on each side.
pub(crate) const ACTORS: u32 = 2;

/// Plays a story of two workers that lend `first` to each other, and checks how it ends.
pub(crate) fn play(first: Grant, steps: impl IntoIterator<Item = Step>) {
    play_with(Pair::new(Config::default(), ACTORS, first), steps);
}

/// Plays a story of two workers whose mailboxes hold nothing, and checks how it ends.
pub(crate) fn play_rendezvous(steps: impl IntoIterator<Item = Step>) {
    play_with(Pair::of_rendezvous(Config::default(), ACTORS), steps);
}

/// Plays a story of two workers whose messages are of both priorities, and checks how it ends.
pub(crate) fn play_mixed(first: Grant, steps: impl IntoIterator<Item = Step>) {
    let mut pair = Pair::new(Config::default(), ACTORS, first);
    pair.mixed = true;
    play_with(pair, steps);
}

fn play_with(mut pair: Pair, steps: impl IntoIterator<Item = Step>) {
    pair.open();
    let mut watches = 0;
    for step in steps {
        perform(&mut pair, step, &mut watches);
    }
    pair.finish();
    // A fresh incarnation of both lets go of everything that waited for a draining peer.
    for dead in [Who::Right, Who::Left] {
        pair.crash(dead);
        pair.tell_death(dead);
        pair.empty(dead.other());
        pair.open();
        pair.finish();
        pair.assert_all_ended(dead.other());
        pair.assert_tells_accounted_for(dead.other());
        assert_eq!(pair.side(dead.other()).keeps(), 0, "credit was lost: sends wait for ever");
    }
    let (fate, side) = (pair.fate(Who::Left), pair.side(Who::Left));
    assert!(side.downs.is_empty(), "the last incarnation saw nobody die");
    assert!(fate.ended.len() + fate.cancelled.len() <= fate.sent as usize);
}

fn perform(pair: &mut Pair, step: Step, watches: &mut u64) {
    match step {
        Step::Tell(who, to, wait) => {
            pair.tell(who, to, if wait { Patience::Wait } else { Patience::Now });
        }
        Step::Ask(who, to, within) => {
            pair.ask(who, to, within.map(|nanos| Duration::from_nanos(nanos.into())));
        }
        Step::Cancel(who, n) => {
            let sent = pair.fate(who).sent;
            if sent > 0 {
                pair.cancel(who, sent - 1 - u32::from(n) % sent);
            }
        }
        Step::Flush(who) => pair.flush(who),
        Step::Read(who) => {
            pair.read(who);
        }
        Step::Take(who, slot) => {
            pair.take(who, slot);
        }
        Step::Reply(who) => {
            pair.reply(who);
        }
        Step::Advance(nanos) => pair.advance(Duration::from_nanos(nanos.into())),
        Step::Crash { dead, told_at_once } => {
            let survivor = dead.other();
            pair.crash(dead);
            if told_at_once {
                pair.tell_death(dead);
                pair.ask(survivor, 0, None);
                pair.empty(survivor);
            } else {
                // End of file comes first, and the word of the supervisor later.
                while pair.read(survivor) {}
                pair.feed(survivor, Event::Lost, None);
                pair.tell(survivor, 1, Patience::Wait);
                pair.tell_death(dead);
            }
            pair.link();
        }
        Step::Lose => {
            // One waits in vain for word of the other, the other is linked anew meanwhile.
            pair.feed(Who::Left, Event::Lost, None);
            pair.advance(Duration::from_millis(250));
            pair.feed(Who::Right, Event::Lost, None);
            pair.link();
        }
        Step::Drain(who) => {
            pair.feed(who, Event::Drain, None);
        }
        Step::Refuse(who) => {
            pair.feed(who, Event::Refuse, None);
        }
        Step::Unready(who) => {
            pair.feed(who, Event::Unready, None);
        }
        Step::Ready(who) => {
            pair.feed(who, Event::Ready, None);
        }
        Step::Supersede(who) => pair.supersede(who),
        Step::Watch(who, to) => {
            *watches += 1;
            pair.watch(who, to, *watches);
        }
    }
}
