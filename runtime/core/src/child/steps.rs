//! Steps that several inputs of the table share: each enters a state and says what must be done.

use super::{Aim, Child, Ended, KILL_GRACE, Sent, State, Turn, Watch};
use crate::exit::{Cause, Exit, SIGKILL, SIGSYS};
use crate::time::Instant;
use crate::tree::{Action, ChildConfig, News};
use core::time::Duration;

impl Child {
    pub(super) fn enter(&mut self, state: State, now: Instant) {
        self.state = state;
        self.since = now;
        self.rearmed = false;
    }

    pub(super) fn spawn(&mut self, turn: &mut Turn<'_>) {
        if self.admit_newcomer(turn) {
            return;
        }
        self.newest = self.next_life().generation;
        self.begin(self.newest, turn);
        self.end_order_to_roll();
        if !self.admit_spare(turn) {
            self.enter(State::Spawning { until: turn.now + turn.config.start_timeout }, turn.now);
            turn.actions.push(Action::Spawn(self.incarnation()));
        }
    }

    /// A life begins, of which nothing is known yet.
    pub(super) fn begin(&mut self, generation: u32, turn: &mut Turn<'_>) {
        self.generation = generation;
        self.spawned_at = turn.now;
        self.was_ready = false;
        self.sent = Sent::Nothing;
        self.blame = None;
        self.watch = Watch::default();
        self.unkillable = false;
        self.skipped = false;
        self.outdated.config = false;
        self.owes_reload = false;
        self.expires_at = self.expiry(turn);
    }

    pub(super) fn spawn_again(&mut self, turn: &mut Turn<'_>) {
        self.restarts = self.restarts.saturating_add(1);
        // A spare that is no use any more must be gone first.
        if self.is_spare_in_the_way() { self.enter(State::Waiting, turn.now) } else { self.spawn(turn) }
    }

    pub(super) fn drain(&mut self, aim: Aim, turn: &mut Turn<'_>) {
        if !turn.config.drain_timeout.is_zero() {
            return self.announce_draining(aim, turn.now + turn.config.drain_timeout, turn);
        }
        turn.actions.push(Action::Announce { of: self.incarnation(), news: News::Draining });
        self.terminate(aim, turn);
    }

    pub(super) fn announce_draining(&mut self, aim: Aim, until: Instant, turn: &mut Turn<'_>) {
        self.forget_if_stable(turn.now);
        turn.actions.push(Action::Announce { of: self.incarnation(), news: News::Draining });
        self.enter(State::Draining { until, aim }, turn.now);
        turn.actions.push(Action::Drain(self.incarnation()));
    }

    pub(super) fn terminate(&mut self, aim: Aim, turn: &mut Turn<'_>) {
        self.forget_if_stable(turn.now);
        if turn.config.stop_timeout.is_zero() {
            return self.kill_now(aim, Sent::Kill, turn);
        }
        self.sent = self.sent.max(Sent::Terminate);
        self.enter(State::Stopping { until: turn.now + turn.config.stop_timeout, aim }, turn.now);
        turn.actions.push(Action::Terminate(self.incarnation()));
    }

    /// It does not get on. A process that is stopped takes no SIGABRT, so there is nothing to wait for.
    pub(super) fn abort(&mut self, why: Cause, turn: &mut Turn<'_>) {
        self.forget_if_stable(turn.now);
        self.blame = Some(why);
        if self.watch.is_sigstopped() || turn.config.abort_timeout.is_zero() {
            return self.kill_now(Aim::Judge, Sent::Kill, turn);
        }
        self.enter(
            State::Aborting { until: turn.now + turn.config.abort_timeout, aim: Aim::Judge },
            turn.now,
        );
        turn.actions.push(Action::Abort(self.incarnation()));
    }

    pub(super) fn kill_now(&mut self, aim: Aim, how: Sent, turn: &mut Turn<'_>) {
        self.forget_if_stable(turn.now);
        self.sent = self.sent.max(how);
        self.enter(State::Killing { until: turn.now + KILL_GRACE, aim }, turn.now);
        turn.actions.push(Action::KillTree(self.incarnation()));
    }

    pub(super) fn ended(&self, aim: Aim, exit: Option<Exit>, cause: Cause, chance: u32) -> Ended {
        let (was_ready, skipped) = (self.was_ready, self.skipped);
        Ended { aim, exit, cause, was_ready, first: self.generation == 1, skipped, chance }
    }

    pub(super) fn cause(&self, exit: Exit, aim: Aim, config: &ChildConfig) -> Cause {
        let doing = Doing { told: aim != Aim::Judge, sent: self.sent, blame: self.blame };
        cause(exit, doing, config)
    }

    pub(super) fn forget_if_stable(&mut self, now: Instant) {
        if let State::Ready { stable_at } | State::Reloading { stable_at, .. } = &mut self.state
            && stable_at.is_some_and(|at| at <= now)
        {
            *stable_at = None;
            self.forget_failures();
        }
    }

    pub(super) fn forget_failures(&mut self) {
        self.failures = 0;
        self.pause = Duration::ZERO;
        self.cooling = false;
    }
}

/// What was done to a process before it ended.
#[derive(Clone, Copy)]
pub(super) struct Doing {
    /// It was to end.
    pub(super) told: bool,
    pub(super) sent: Sent,
    /// Why it was to end, if that is what ends it.
    pub(super) blame: Option<Cause>,
}

/// Returns why a process ended. A signal is ours only if we sent it and it was meant to end the process.
pub(super) fn cause(exit: Exit, doing: Doing, config: &ChildConfig) -> Cause {
    let Doing { told, sent, blame } = doing;
    if let Some(blame) = blame {
        return blame;
    }
    match exit {
        Exit::Signal(SIGKILL) if sent == Sent::KillLate => Cause::StopTimeout,
        Exit::Signal(SIGKILL) if sent == Sent::Kill => Cause::Killed,
        Exit::Signal(signal) if signal == config.stop_signal && sent >= Sent::Terminate => Cause::Stopped,
        Exit::OutOfMemory if sent >= Sent::Kill => Cause::Killed,
        Exit::OutOfMemory => Cause::OutOfMemory,
        Exit::Signal(SIGSYS) => Cause::ForbiddenSyscall,
        Exit::Signal(signal) => Cause::Signalled(signal),
        Exit::Code(code) if told && config.ok_exit.contains(code) => Cause::Stopped,
        Exit::Code(code) => Cause::Exited(code),
    }
}
