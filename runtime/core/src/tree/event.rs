//! What happens to a tree.

use core::time::Duration;

use super::config::{ChildId, GroupId, Incarnation};
use crate::exit::Exit;
use crate::time::Instant;

/// What happens to a tree: told by the driver, one at a time, in the order in which it happened.
///
/// Events of a life that is over are ignored, so a driver need not sort out what arrives late. `chance` is any
/// evenly drawn number; it shortens a backoff's pause where the event leads to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: a driver that forgets an event should not compile.
pub enum Event {
    /// Start everything that starts by itself. Comes first, once.
    Boot,
    /// The process runs its program: the error pipe closed at exec.
    Spawned(Incarnation),
    /// The process of a life to come waits for its turn, after [`super::Action::Prepare`].
    Standing(Incarnation),
    /// The process was not made, or ended before its program ran; nothing of it is left.
    /// Told in place of [`Event::Exited`] and [`Event::Emptied`].
    SpawnFailed {
        /// The life that did not begin.
        of: Incarnation,
        /// The driver's number of the step that failed.
        step: u8,
        /// The error number.
        errno: i32,
        /// An evenly drawn number.
        chance: u32,
    },
    /// The child says that it is ready.
    Ready(Incarnation),
    /// The child says that nothing should be sent to it at present.
    Unready(Incarnation),
    /// The child says that it has finished what it had begun, after [`super::Action::Drain`].
    Drained(Incarnation),
    /// The child takes up by itself what has changed, and will say again that it is ready.
    Reloading(Incarnation),
    /// The child cannot take up what has changed, after [`super::Action::Reload`]: it is restarted in order.
    Declined(Incarnation),
    /// The child will not take up what has changed, after [`super::Action::Reload`]: it goes on as it was.
    Refused(Incarnation),
    /// The child needs so much more time, from now, to become ready.
    Extend {
        /// The life.
        of: Incarnation,
        /// How much.
        by: Duration,
    },
    /// The child says that it runs well: its failures are forgotten.
    Settled(Incarnation),
    /// The child says itself that it does not get on.
    Hung(Incarnation),
    /// The child says that it has nothing to do and ends: that is no failure.
    Skipped(Incarnation),
    /// The child has taken as many messages as one life may: it takes no more, and finishes what it has.
    Spent(Incarnation),
    /// The child has had nothing to do for as long as it is to stay for that.
    Idle(Incarnation),
    /// Somebody has a message for a child that starts on demand.
    Wanted(ChildId),
    /// A signal has stopped the process.
    Sigstopped(Incarnation),
    /// The process runs again.
    Continued(Incarnation),
    /// Somebody looked how the life gets on, after [`super::Action::Look`].
    Looked {
        /// The life.
        of: Incarnation,
        /// Since when the longest of its polls lasts; `None` if it is idle or nothing is known.
        busy_since: Option<Instant>,
        /// Whether a debugger holds it.
        traced: bool,
    },
    /// Something has changed on disk that the present life does not have.
    Outdated {
        /// The child.
        child: ChildId,
        /// What.
        what: Outdated,
    },
    /// The child broke the rules: it is killed, and that counts as a failure.
    Violated(Incarnation),
    /// The process that was spawned has ended and was reaped. Descendants may be left.
    Exited {
        /// The life that ended.
        of: Incarnation,
        /// How it ended.
        exit: Exit,
    },
    /// Nothing of this life is left, neither the process nor a descendant; told after [`Event::Exited`].
    /// Nothing else permits the next life to begin.
    Emptied {
        /// The life of which nothing is left.
        of: Incarnation,
        /// An evenly drawn number.
        chance: u32,
    },
    /// An operator wants something of one child.
    Operator {
        /// What is wanted.
        verb: Verb,
        /// The child.
        child: ChildId,
    },
    /// An operator wants a pool to have so many members. More than it has places for is refused.
    Scale {
        /// The pool.
        group: GroupId,
        /// How many.
        size: u16,
    },
    /// Stop everything: the first in order, the second without draining and all at once, the third by SIGKILL.
    ShutDown,
    /// Stop everything by SIGKILL at once.
    Kill,
    /// Time has passed: the deadline has come, or may have.
    Tick,
}

/// What has changed on disk and not for the present life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outdated {
    /// Its configuration.
    Config,
    /// Its executable.
    Binary,
}

/// What an operator may want of a child. None of these charges a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: a driver maps each verb of the command line to one of these.
pub enum Verb {
    /// Start it if it does not run; end a pause at once. What it needs or wants and stands stopped is started too.
    Start,
    /// It is new among those that run: start it as with the system, so that one on demand waits until it is wanted.
    Join,
    /// Stop it in order and leave it stopped.
    Stop,
    /// Stop it in order if it runs, then start it. What it needs or wants and stands stopped is started too.
    Restart,
    /// Let its next life rise beside the present one and take its place when it is ready, without a gap.
    Roll,
    /// Have it take up what has changed, as soon as it is ready.
    Reload,
    /// Let it finish everything, however long that takes, then stop it and leave it stopped.
    Drain,
    /// End it by SIGKILL and leave it stopped.
    Kill,
    /// Forget what is held against it: its failures, its offences, and what its group's budget has spent.
    Reset,
    /// Its terms have changed in a way that only a new life can take up: restart it unless it is stopped or done.
    Renew,
    /// Stop it in order; its place is free for another, which [`Verb::Join`] starts.
    Remove,
}
