//! What happens, and when: drawn from a seed.

use std::time::Duration;

use bailiwick_supervisor::control::Verb;
use nix::sys::signal::Signal;

use crate::shape::Change;

/// Things that happen one after the other.
#[derive(Debug)]
pub(crate) struct Schedule(pub(crate) Vec<Moment>);

/// One thing, and how long nothing happens after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) what: What,
    pub(crate) then: Duration,
}

/// One thing that happens. Members are named by their place in the shape.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// A process of a member gets a signal.
    Signal(Signal, Which, usize),
    /// An operator orders.
    Order(Verb, usize),
    /// The manifest has changed for the worker of a member, and is taken up.
    Reload(Change, usize),
    /// The supervisor itself does not run until the pause is over.
    Suspend,
}

/// Which process of a member, if there are two.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    Older,
    Newer,
}

impl Schedule {
    /// Draws one.
    pub(crate) fn drawn(seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let length = chance.usize(3..20);
        Self((0..length).map(|_| Moment::drawn(&mut chance)).collect())
    }
}

impl Moment {
    fn drawn(chance: &mut fastrand::Rng) -> Self {
        let member = chance.usize(..3);
        let which = if chance.bool() { Which::Older } else { Which::Newer };
        let what = match chance.u8(..28) {
            0..6 => What::Signal(Signal::SIGKILL, which, member),
            6..9 => What::Signal(Signal::SIGSTOP, which, member),
            9..11 => What::Signal(Signal::SIGCONT, which, member),
            11 => What::Signal(Signal::SIGTERM, which, member),
            12 => What::Signal(Signal::SIGSEGV, which, member),
            13..15 => What::Order(Verb::Stop, member),
            15..17 => What::Order(Verb::Start, member),
            17..19 => What::Order(Verb::Restart, member),
            19..24 => What::Order(Verb::Roll, member),
            24 => What::Reload(Change::Hot, member),
            25 => What::Reload(Change::Told, member),
            26 => What::Reload(Change::Anew, member),
            _ => What::Suspend,
        };
        // To read a manifest takes longer than everything else.
        let longest = if matches!(what, What::Reload(..)) { 400_000 } else { 30_000 };
        // Often none at all: what follows at once is what one overlooks.
        let then = Duration::from_micros(if chance.bool() { 0 } else { chance.u64(..longest) });
        Self { what, then }
    }
}
