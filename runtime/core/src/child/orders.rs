//! Orders against states: what a child does when it is told to start, to stop, or that its group halts.
//!
//! Every order is a method, and every method is an exhaustive match over the states, so that each cell of the table is
//! filled on purpose; an order that means nothing in a state is named there and does nothing.

use super::{Aim, Child, Sent, State, Turn};
use crate::exit::Cause;
use crate::time::Instant;
use crate::tree::{Action, ChildConfig, News};

/// Inputs from outside the process.
impl Child {
    /// It is wanted: by the boot, by an operator, by its group.
    pub(crate) fn start(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Stopped | State::Done | State::Failed(_) => {
                self.forget_failures();
                self.enter(State::Waiting, turn.now);
            }
            State::Backoff { held: false, .. } => {
                self.forget_failures();
                self.spawn_again(turn);
            }
            State::Backoff { held: true, .. } => {
                self.forget_failures();
                self.rejoin(turn.now);
            }
            State::Draining { until, aim } => self.state = State::Draining { until, aim: aim.or_again() },
            State::Stopping { until, aim } => self.state = State::Stopping { until, aim: aim.or_again() },
            State::Aborting { until, aim } => self.state = State::Aborting { until, aim: aim.or_again() },
            State::Killing { until, aim } => self.state = State::Killing { until, aim: aim.or_again() },
            State::Reaping { until, aim, exit, cause } => {
                self.state = State::Reaping { until, aim: aim.or_again(), exit, cause };
            }
            State::Waiting
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. } => {}
        }
    }

    /// An operator wants it: it runs what its path leads to now, and its place is taken.
    pub(crate) fn start_by_order(&mut self, turn: &mut Turn<'_>) {
        self.join(turn);
        self.wanted = turn.config.on_demand;
    }

    /// It takes its place among those that run, with what its path leads to now; one on demand waits there.
    pub(crate) fn join(&mut self, turn: &mut Turn<'_>) {
        self.take_place(turn.config);
        if self.is_at_rest() {
            self.outdated.binary = false;
            self.outdate_spare();
        }
        self.start(turn);
    }

    /// It is wanted again, if it was removed: its place may be another's now, who answers for nothing that was before.
    pub(super) fn take_place(&mut self, config: &ChildConfig) {
        if core::mem::take(&mut self.removed) && self.is_at_rest() {
            let fresh = Self::new(self.id, config);
            let (newest, rolling) = (self.newest, self.rolling);
            *self = Self { generation: self.generation, newest, spare: self.spare, rolling, ..fresh };
        }
    }

    /// Nobody wants it any more.
    pub(crate) fn remove(&mut self, turn: &mut Turn<'_>) {
        self.removed = true;
        self.stop(Aim::Stay, turn);
        if self.is_at_rest() {
            self.stay_stopped(turn.now);
        }
    }

    /// It is to finish everything, and then to end.
    pub(crate) fn drain_fully(&mut self, turn: &mut Turn<'_>) {
        self.drain_second_fully(turn);
        match self.state {
            State::Ready { .. } | State::Unready | State::Reloading { .. } => {
                self.announce_draining(Aim::Stay, Instant::END, turn);
            }
            State::Draining { .. } => self.state = State::Draining { until: Instant::END, aim: Aim::Stay },
            State::Waiting
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Backoff { .. }
            | State::Stopped
            | State::Done
            | State::Failed(_) => self.stop(Aim::Stay, turn),
        }
    }

    /// It is to end in order, and then what `aim` says.
    pub(crate) fn stop(&mut self, aim: Aim, turn: &mut Turn<'_>) {
        self.limit_drain_of_second(turn);
        match self.state {
            State::Waiting | State::Backoff { .. } => {
                self.forget_failures();
                self.enter(State::Stopped, turn.now);
            }
            // Nothing of the program runs yet that a signal could ask.
            State::Spawning { .. } => self.kill_now(aim, Sent::Kill, turn),
            State::Starting { .. } => self.terminate(aim, turn),
            State::Ready { .. } | State::Unready | State::Reloading { .. } => self.drain(aim, turn),
            State::Draining { until, aim: was } => {
                // A drain without end is one only as long as nobody wants more than that.
                let until = until.min(turn.now + turn.config.drain_timeout);
                self.state = State::Draining { until, aim: was.then(aim) };
            }
            State::Stopping { until, aim: was } => self.state = State::Stopping { until, aim: was.then(aim) },
            State::Aborting { until, aim: was } => self.state = State::Aborting { until, aim: was.then(aim) },
            State::Killing { until, aim: was } => self.state = State::Killing { until, aim: was.then(aim) },
            State::Reaping { until, exit, cause, aim: was } => {
                self.state = State::Reaping { until, aim: was.then(aim), exit, cause };
            }
            State::Stopped | State::Done | State::Failed(_) => {}
        }
    }

    /// Its group halts, and it has no process: it waits for the group, or is done with it.
    pub(crate) fn halt(&mut self, aim: Aim, turn: &mut Turn<'_>) {
        let rejoins = aim == Aim::Rejoin;
        match self.state {
            // What its own group's pause holds stays shown as what it is.
            State::Backoff { held: true, .. } if rejoins => {}
            State::Backoff { held: false, .. } if rejoins => self.rejoin(turn.now),
            State::Waiting | State::Backoff { .. } if !rejoins => self.enter(State::Done, turn.now),
            State::Done if rejoins => self.enter(State::Waiting, turn.now),
            State::Failed(why) if rejoins && why.may_mend() => self.enter(State::Waiting, turn.now),
            State::Waiting
            | State::Backoff { .. }
            | State::Stopped
            | State::Done
            | State::Failed(_)
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. }
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. } => {}
        }
    }

    /// Its group starts again: what was held waits only for what it needs.
    pub(crate) fn rejoin_held(&mut self, now: Instant) {
        if let State::Backoff { held: true, .. } = self.state {
            self.rejoin(now);
        }
    }

    fn rejoin(&mut self, now: Instant) {
        self.restarts = self.restarts.saturating_add(1);
        self.enter(State::Waiting, now);
    }

    /// It is to end in order and start anew, whatever it does at present.
    pub(crate) fn restart(&mut self, turn: &mut Turn<'_>) {
        self.outdated.binary = false;
        self.outdate_spare();
        if self.is_at_rest() { self.start(turn) } else { self.stop(Aim::Again, turn) }
    }

    /// Its terms have changed in a way that only a new life can take up. Whoever runs, or would by itself, starts anew;
    /// whoever is stopped, done or about to end has the terms when it starts again, if it does.
    pub(crate) fn renew(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. } => self.restart(turn),
            State::Backoff { .. } | State::Failed(_) => {
                self.outdated.binary = false;
                self.outdate_spare();
                self.start(turn);
            }
            State::Stopped
            | State::Waiting
            | State::Done
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. } => {}
        }
    }

    /// It is to end without draining.
    pub(crate) fn hasten(&mut self, turn: &mut Turn<'_>) {
        self.terminate_second(turn);
        match self.state {
            State::Ready { .. } | State::Unready | State::Reloading { .. } => {
                turn.actions.push(Action::Announce { of: self.incarnation(), news: News::Draining });
                self.terminate(Aim::Stay, turn);
            }
            State::Draining { .. } => self.terminate(Aim::Stay, turn),
            State::Stopped
            | State::Waiting
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => self.stop(Aim::Stay, turn),
        }
    }

    /// It is to end at once.
    pub(crate) fn kill(&mut self, turn: &mut Turn<'_>) {
        self.kill_second(turn);
        match self.state {
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. }
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. } => self.kill_now(Aim::Stay, Sent::Kill, turn),
            State::Killing { until, .. } => self.state = State::Killing { until, aim: Aim::Stay },
            State::Waiting | State::Backoff { .. } | State::Reaping { .. } => self.stop(Aim::Stay, turn),
            State::Stopped | State::Done | State::Failed(_) => {}
        }
    }

    /// It is to take up what has changed for it; what is not ready yet does so when it is.
    pub(crate) fn reload(&mut self, turn: &mut Turn<'_>) {
        self.outdate_spare();
        match self.state {
            State::Ready { .. } => self.begin_ordered_reload(turn),
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Unready
            | State::Reloading { ordered: false, .. } => {
                self.outdated.config = true;
                self.owes_reload = true;
            }
            // The next life begins with what has changed.
            State::Reloading { ordered: true, .. }
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => {}
        }
    }

    fn begin_ordered_reload(&mut self, turn: &mut Turn<'_>) {
        self.outdated.config = true;
        self.owes_reload = false;
        self.begin_reload(true, turn);
        turn.actions.push(Action::Reload(self.incarnation()));
    }

    /// It has become ready, and may have missed an order.
    pub(super) fn make_up_reload(&mut self, turn: &mut Turn<'_>) {
        if self.owes_reload {
            self.begin_ordered_reload(turn);
        }
    }

    pub(super) fn begin_reload(&mut self, ordered: bool, turn: &mut Turn<'_>) {
        if let State::Ready { stable_at } = self.state {
            let until = turn.now + turn.config.reload_timeout;
            self.enter(State::Reloading { until, stable_at, ordered }, turn.now);
        }
    }

    /// The children that it needs are ready.
    pub(crate) fn release(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::Waiting {
            self.spawn(turn);
        }
    }

    /// It broke the rules.
    pub(crate) fn violated(&mut self, turn: &mut Turn<'_>) {
        let aim = match self.state {
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. } => Aim::Judge,
            State::Draining { aim, .. } | State::Stopping { aim, .. } | State::Aborting { aim, .. } => aim,
            State::Stopped
            | State::Waiting
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => return,
        };
        // Why it is being ended already is what ends it.
        self.blame.get_or_insert(Cause::Violation);
        self.kill_now(aim, Sent::Kill, turn);
    }
}
