//! What happens, and when: drawn from a seed.

use std::time::Duration;

use bailiwick_supervisor::control::Verb;
use nix::sys::signal::Signal;

/// The workers of every shape.
pub(crate) const WORKERS: [&str; 3] = ["a", "b", "c"];

/// Things that happen one after the other.
#[derive(Debug)]
pub(crate) struct Schedule(pub(crate) Vec<Moment>);

/// One thing, and how long nothing happens after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) what: What,
    pub(crate) then: Duration,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// The present process of a worker gets a signal.
    Signal(Signal, &'static str),
    /// An operator orders.
    Order(Verb, &'static str),
    /// The supervisor itself does not run until the pause is over.
    Suspend,
}

impl Schedule {
    /// Draws one.
    pub(crate) fn drawn(seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let length = chance.usize(3..16);
        Self((0..length).map(|_| Moment::drawn(&mut chance)).collect())
    }
}

impl Moment {
    fn drawn(chance: &mut fastrand::Rng) -> Self {
        let worker = WORKERS[chance.usize(..WORKERS.len())];
        let what = match chance.u8(..20) {
            0..6 => What::Signal(Signal::SIGKILL, worker),
            6..9 => What::Signal(Signal::SIGSTOP, worker),
            9..11 => What::Signal(Signal::SIGCONT, worker),
            11 => What::Signal(Signal::SIGTERM, worker),
            12 => What::Signal(Signal::SIGSEGV, worker),
            13..15 => What::Order(Verb::Stop, worker),
            15..17 => What::Order(Verb::Start, worker),
            17..19 => What::Order(Verb::Restart, worker),
            _ => What::Suspend,
        };
        // Often none at all: what follows at once is what one overlooks.
        let then = Duration::from_micros(if chance.bool() { 0 } else { chance.u64(..30_000) });
        Self { what, then }
    }
}
