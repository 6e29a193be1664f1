//! Does a life get on? What makes that doubtful, and for how long before it is told or ended.
//!
//! Two things make it doubtful: a signal has stopped the process, or one of its polls does not end. Both are known from
//! outside: the first from the kernel, the second from a page that the process writes and others read. A debugger does
//! both to a process on purpose, so while one is attached no time counts. Nothing is decided on what was seen before: when
//! something has lasted too long, somebody is to look once more, and what is seen then decides.

use super::{Child, Turn};
use crate::exit::Cause;
use crate::time::Instant;
use crate::tree::{Action, Alert, ChildConfig};

/// What is known of a life besides its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Watch {
    sigstopped: Option<Doubt>,
    busy: Option<Doubt>,
    traced: bool,
    stuck: bool,
    /// Somebody is looking.
    asked: bool,
    /// When the supervisor last came back from not running: nothing is counted from before.
    counts_from: Instant,
}

/// Something that has lasted since a time, and when that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Doubt {
    since: Instant,
    warn_at: Instant,
    kill_at: Instant,
    /// The supervisor's own lag has moved it once.
    rearmed: bool,
}

impl Doubt {
    fn new(since: Instant, config: &ChildConfig) -> Self {
        let (warn_at, kill_at) = (since + config.stuck_after, since + config.liveness_timeout);
        Self { since, warn_at, kill_at, rearmed: false }
    }

    /// Counts from `now` again.
    fn again(&mut self, now: Instant, config: &ChildConfig) {
        *self = Self { since: self.since, rearmed: self.rearmed, ..Self::new(now, config) };
    }

    fn shifted(self, shift: impl Fn(Instant) -> Instant) -> Self {
        Self { since: Instant::START, warn_at: shift(self.warn_at), kill_at: shift(self.kill_at), ..self }
    }
}

impl Watch {
    /// Returns when somebody is to look because something has lasted too long then.
    fn overdue_at(&self) -> Option<Instant> {
        let busy = self.busy().map(|doubt| match self.stuck {
            true => doubt.kill_at,
            false => doubt.warn_at.min(doubt.kill_at),
        });
        let doubts = self.sigstopped.map(|doubt| doubt.kill_at).into_iter().chain(busy);
        doubts.min().filter(|_| !self.traced)
    }

    /// Returns the poll that lasts; one that is stopped cannot end.
    fn busy(&self) -> Option<Doubt> {
        self.busy.filter(|_| self.sigstopped.is_none())
    }

    pub(super) const fn is_sigstopped(&self) -> bool {
        self.sigstopped.is_some()
    }

    pub(super) const fn is_traced(&self) -> bool {
        self.traced
    }

    pub(super) const fn is_stuck(&self) -> bool {
        self.stuck
    }

    pub(super) fn normalised(&self, shift: impl Fn(Instant) -> Instant) -> Self {
        let sigstopped = self.sigstopped.map(|doubt| doubt.shifted(&shift));
        let busy = self.busy.map(|doubt| doubt.shifted(&shift));
        Self { sigstopped, busy, counts_from: Instant::START, ..*self }
    }
}

impl Child {
    /// Whether it counts that the life gets on: only once it was ready, and not while it is being ended.
    const fn is_watched(&self) -> bool {
        self.state.is_in_service()
    }

    /// Whether somebody should look how it gets on, now and then.
    pub(crate) fn wants_looks(&self, config: &ChildConfig) -> bool {
        self.is_watched() && config.is_watched()
    }

    pub(crate) fn look(&mut self, turn: &mut Turn<'_>) {
        if self.wants_looks(turn.config) {
            self.watch.asked = true;
            turn.actions.push(Action::Look(self.incarnation()));
        }
    }

    pub(super) fn watch_deadline(&self) -> Option<Instant> {
        self.watch.overdue_at().filter(|_| self.is_watched() && !self.watch.asked)
    }

    /// A signal has stopped the process.
    pub(crate) fn sigstopped(&mut self, turn: &mut Turn<'_>) {
        if self.is_at_rest() || self.watch.is_sigstopped() {
            return;
        }
        let mut doubt = Doubt::new(turn.now, turn.config);
        if turn.config.ignore_sigstop {
            doubt.kill_at = Instant::END;
        }
        self.watch.sigstopped = Some(doubt);
        turn.actions.push(Action::Alert(Alert::Sigstopped(self.incarnation())));
    }

    /// The process runs again. What it was busy with gets its time anew.
    pub(crate) fn continued(&mut self, turn: &mut Turn<'_>) {
        if self.watch.sigstopped.take().is_some()
            && let Some(busy) = &mut self.watch.busy
        {
            busy.again(turn.now, turn.config);
        }
    }

    /// Somebody looked: since when the longest of its polls lasts, and whether a debugger holds it.
    pub(crate) fn looked(&mut self, busy_since: Option<Instant>, traced: bool, turn: &mut Turn<'_>) {
        if self.is_at_rest() {
            return;
        }
        self.watch.asked = false;
        if self.watch.busy.map(|doubt| doubt.since) != busy_since {
            let counts_from = self.watch.counts_from;
            self.watch.busy = busy_since.map(|since| {
                let doubt = Doubt::new(since.max(counts_from), turn.config);
                Doubt { since, ..doubt }
            });
            self.watch.stuck = false;
        }
        if self.watch.traced && !traced {
            let doubts = self.watch.sigstopped.iter_mut().chain(&mut self.watch.busy);
            doubts.for_each(|doubt| doubt.again(turn.now, turn.config));
        }
        self.watch.traced = traced;
        if self.watch_deadline().is_some_and(|at| at <= turn.now) {
            self.doubt(turn);
        }
    }

    /// It says itself that it does not get on. Whether it is watched for that does not matter; before it was ready its
    /// start has a time of its own.
    pub(crate) fn hung(&mut self, turn: &mut Turn<'_>) {
        if self.is_watched() {
            self.abort(Cause::Hung, turn);
        }
    }

    /// It does not get on, as was just seen.
    fn doubt(&mut self, turn: &mut Turn<'_>) {
        if self.watch.is_sigstopped() {
            return self.abort(Cause::Suspended, turn);
        }
        let Some(busy) = self.watch.busy() else { return };
        if busy.kill_at <= turn.now {
            return self.abort(Cause::Hung, turn);
        }
        self.watch.stuck = true;
        turn.actions.push(Action::Alert(Alert::Stuck { of: self.incarnation(), since: busy.since }));
    }

    /// The supervisor itself did not run for a while: what it could not see gets its time anew, once. Returns whether
    /// that changes anything.
    pub(super) fn forgive_doubts(&mut self, turn: &mut Turn<'_>) -> bool {
        self.watch.counts_from = turn.now;
        let mut changed = false;
        for doubt in self.watch.sigstopped.iter_mut().chain(&mut self.watch.busy) {
            if !doubt.rearmed && doubt.kill_at < Instant::END {
                doubt.again(turn.now, turn.config);
                doubt.rearmed = true;
                changed = true;
            }
        }
        changed
    }

    /// Something has lasted too long: somebody is to look.
    pub(super) fn tick_watch(&mut self, turn: &mut Turn<'_>) {
        if self.watch_deadline().is_some_and(|at| at <= turn.now && at < Instant::END) {
            self.look(turn);
        }
    }
}
