//! One child's life: which state follows from which, and what must be done on the way.
//!
//! What happens to a child in which state stands in one table. A life ends in one place only, when nothing of it
//! is left; what follows then is not decided here but by the rules of restart and the budget of the group.

mod disposable;
mod orders;
mod reports;
mod rolling;
mod second;
mod spare;
mod steps;
mod time;
mod watch;

use alloc::vec::Vec;
use core::time::Duration;

use self::rolling::Rolling;
pub use self::rolling::{Alone, Refusal, Rolled};
pub(crate) use self::second::Second;
use self::spare::Spare;
pub(crate) use self::time::LAG;
use self::watch::Watch;
use crate::budget::Budget;
use crate::exit::{Cause, Exit, GivenUp};
use crate::time::Instant;
use crate::tree::{Action, ChildConfig, ChildId, Incarnation, Outdated, Record};

/// How long SIGKILL may take before a person should look; it is repeated as often.
pub const KILL_GRACE: Duration = Duration::from_secs(5);

/// Where a child stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: whoever shows states should show each.
pub enum State {
    /// It does not run and will not by itself.
    Stopped,
    /// It will start once the children that it needs are ready; one that starts on demand, once it is wanted too.
    Waiting,
    /// Its process is being made.
    Spawning {
        /// When it must be ready.
        until: Instant,
    },
    /// Its process runs and is not ready yet.
    Starting {
        /// When it must be ready.
        until: Instant,
    },
    /// It is ready.
    Ready {
        /// When its count of failures starts again; `None` if there is nothing to forget.
        stable_at: Option<Instant>,
    },
    /// It was ready and asks that nothing be sent to it at present.
    Unready,
    /// It is ready, and takes up what has changed for it.
    Reloading {
        /// When that is no longer waited for.
        until: Instant,
        /// When its count of failures starts again; `None` if there is nothing to forget.
        stable_at: Option<Instant>,
        /// It was ordered to, and did not begin by itself.
        ordered: bool,
    },
    /// It finishes what it had begun.
    Draining {
        /// When it is told to stop all the same.
        until: Instant,
        /// What follows.
        aim: Aim,
    },
    /// It was sent the stop signal.
    Stopping {
        /// When it is killed.
        until: Instant,
        /// What follows.
        aim: Aim,
    },
    /// It does not get on and was sent SIGABRT, so that it tells where it is.
    Aborting {
        /// When it is killed.
        until: Instant,
        /// What follows.
        aim: Aim,
    },
    /// It was sent SIGKILL.
    Killing {
        /// When that is repeated.
        until: Instant,
        /// What follows.
        aim: Aim,
    },
    /// Its process has ended; what it left behind is being killed.
    Reaping {
        /// When that is repeated.
        until: Instant,
        /// What follows.
        aim: Aim,
        /// How its process ended.
        exit: Exit,
        /// Why.
        cause: Cause,
    },
    /// It starts again after a pause.
    Backoff {
        /// When the pause ends.
        until: Instant,
        /// It waits for its group besides, which starts it together with others.
        held: bool,
    },
    /// It ended as it should and is not started again by itself.
    Done,
    /// It is given up until an operator starts it.
    Failed(GivenUp),
}

impl State {
    /// Returns the state's name as people read it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Spawning { .. } => "spawning",
            Self::Starting { .. } => "starting",
            Self::Ready { .. } => "ready",
            Self::Unready => "unready",
            Self::Reloading { .. } => "reloading",
            Self::Draining { .. } => "draining",
            Self::Stopping { .. } => "stopping",
            Self::Aborting { .. } => "aborting",
            Self::Killing { .. } => "killing",
            Self::Reaping { .. } => "reaping",
            Self::Backoff { .. } => "backoff",
            Self::Done => "done",
            Self::Failed(_) => "failed",
        }
    }

    /// Returns whether it was ready and nobody ends it: it does its work, or pauses in it.
    pub(crate) const fn is_in_service(&self) -> bool {
        match self {
            Self::Ready { .. } | Self::Unready | Self::Reloading { .. } => true,
            Self::Spawning { .. }
            | Self::Starting { .. }
            | Self::Draining { .. }
            | Self::Stopping { .. }
            | Self::Aborting { .. }
            | Self::Killing { .. }
            | Self::Reaping { .. }
            | Self::Stopped
            | Self::Waiting
            | Self::Backoff { .. }
            | Self::Done
            | Self::Failed(_) => false,
        }
    }

    /// Returns the state as the number by which other processes are told of it.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Stopped => 0,
            Self::Waiting => 1,
            Self::Spawning { .. } => 2,
            Self::Starting { .. } => 3,
            Self::Ready { .. } => 4,
            Self::Unready => 5,
            Self::Draining { .. } => 6,
            Self::Stopping { .. } => 7,
            Self::Killing { .. } => 8,
            Self::Reaping { .. } => 9,
            Self::Backoff { .. } => 10,
            Self::Done => 11,
            Self::Failed(_) => 12,
            Self::Reloading { .. } => 13,
            Self::Aborting { .. } => 14,
        }
    }
}

/// What is to follow once nothing of a life is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aim {
    /// What the rules say of its end.
    Judge,
    /// It stays stopped.
    Stay,
    /// It starts again at once.
    Again,
    /// It starts again when its group does.
    Rejoin,
    /// It ends as planned, and a fresh life takes its place.
    Replace,
    /// It ends as planned, and starts when somebody sends to it.
    Sleep,
    /// It is done, with its group or because nothing starts it again.
    Finish,
}

/// The hardest signal that this life was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Sent {
    Nothing,
    Terminate,
    Kill,
    /// SIGKILL, because the stop signal was not heeded in time.
    KillLate,
}

/// One child: its state, and what is remembered from one life to the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Child {
    id: ChildId,
    state: State,
    since: Instant,
    generation: u32,
    /// The highest number that was used: another than the present life's once a newcomer has risen.
    newest: u32,
    spawned_at: Instant,
    was_ready: bool,
    /// When this life was ready for the first time, if it was.
    ready_at: Instant,
    /// The state in which the process of this life ended.
    ended_in: &'static str,
    ever_ready: bool,
    sent: Sent,
    blame: Option<Cause>,
    watch: Watch,
    unkillable: bool,
    skipped: bool,
    outdated: Changes,
    /// The deadline of this state was moved because the supervisor did not run.
    rearmed: bool,
    reload: Option<Reload>,
    /// An order to reload waits until it is ready.
    owes_reload: bool,
    failures: u32,
    pause: Duration,
    cooling: bool,
    restarts: u32,
    /// What it did that it may not do.
    offences: Budget,
    removed: bool,
    /// Somebody wants to send to it, or an operator wants it.
    wanted: bool,
    /// When the present life is old enough.
    expires_at: Instant,
    spare: Spare,
    rolling: Rolling,
    last: Option<Record>,
}

/// How its last reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: each is told to whoever ordered it.
pub enum Reload {
    /// It took up what had changed.
    Done,
    /// It did not say so in time, and goes on as before.
    TimedOut,
    /// It could not, and was restarted in order.
    Declined,
    /// It does not know how, or what changed is no good to it; it goes on as before.
    Refused,
}

impl Reload {
    /// Returns the result as the number by which other processes are told of it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::TimedOut => 1,
            Self::Declined => 2,
            Self::Refused => 3,
        }
    }
}

/// What has changed on disk and not for the present life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Changes {
    /// Its configuration; the next life has it.
    pub config: bool,
    /// Its executable; an operator's start or restart takes it up.
    pub binary: bool,
}

/// What a child needs to know of the world for one input.
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a ChildConfig,
    pub(crate) actions: &'a mut Vec<Action>,
}

/// A life of which nothing is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) aim: Aim,
    pub(crate) exit: Option<Exit>,
    pub(crate) cause: Cause,
    pub(crate) was_ready: bool,
    /// It was the child's very first attempt.
    pub(crate) first: bool,
    /// It said that it has nothing to do.
    pub(crate) skipped: bool,
    /// An evenly drawn number, for the pause that may follow.
    pub(crate) chance: u32,
}

/// What can be read of a child, for `status`.
impl Child {
    /// Returns the child's state.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Returns why it was given up, if it was.
    pub const fn given_up(&self) -> Option<GivenUp> {
        if let State::Failed(why) = self.state { Some(why) } else { None }
    }

    /// Returns when the child entered its state.
    pub const fn since(&self) -> Instant {
        self.since
    }

    /// Returns the present life, or the last one if none runs; generation 0 if there was none yet.
    pub const fn incarnation(&self) -> Incarnation {
        Incarnation { child: self.id, generation: self.generation }
    }

    /// Returns how many lives followed the failure of an earlier one.
    pub const fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Returns the failures in a row that are still remembered.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns when the present life began; `None` if no process of it is left.
    pub const fn spawned_at(&self) -> Option<Instant> {
        if self.is_at_rest() { None } else { Some(self.spawned_at) }
    }

    /// Returns when it starts again by itself, if it does.
    pub const fn next_start_at(&self) -> Option<Instant> {
        match self.state {
            State::Backoff { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Returns what was recorded of the end of its last life.
    pub const fn last(&self) -> Option<&Record> {
        self.last.as_ref()
    }

    /// Returns whether its budget is spent and it is retried only rarely.
    pub const fn is_cooling_down(&self) -> bool {
        self.cooling
    }

    /// Returns whether SIGKILL did not end it in time.
    pub const fn is_unkillable(&self) -> bool {
        self.unkillable
    }

    /// Returns whether a signal has stopped its process.
    pub const fn is_sigstopped(&self) -> bool {
        self.watch.is_sigstopped()
    }

    /// Returns whether a debugger holds it; no watch over its progress counts until it lets go.
    pub const fn is_traced(&self) -> bool {
        self.watch.is_traced()
    }

    /// Returns whether one of its polls has lasted too long.
    pub const fn is_stuck(&self) -> bool {
        self.watch.is_stuck()
    }

    /// Returns whether it said at its last start that it has nothing to do.
    pub const fn is_skipped(&self) -> bool {
        self.skipped
    }

    /// Returns what has changed on disk and not for the present life.
    pub const fn outdated(&self) -> Changes {
        self.outdated
    }

    /// Returns whether an order to reload waits until it is ready.
    pub const fn owes_reload(&self) -> bool {
        self.owes_reload
    }

    /// Returns how its last reload ended; `None` before the first has.
    pub const fn last_reload(&self) -> Option<Reload> {
        self.reload
    }

    /// Returns whether it was removed; its place is free once it is at rest.
    pub const fn is_removed(&self) -> bool {
        self.removed
    }

    /// Returns how many more offences are answered by a restart at `now`.
    pub fn offences_left(&self, now: Instant) -> u32 {
        self.offences.left(now)
    }

    /// Returns whether messages may be routed to it.
    pub const fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready { .. } | State::Reloading { .. })
    }

    /// Returns whether it may become ready by what is under way, pauses apart. A life whose end is not judged yet counts.
    pub(crate) const fn is_on_its_way(&self) -> bool {
        match self.state {
            State::Spawning { .. } | State::Starting { .. } => true,
            State::Draining { aim, .. }
            | State::Stopping { aim, .. }
            | State::Aborting { aim, .. }
            | State::Killing { aim, .. }
            | State::Reaping { aim, .. } => !matches!(aim, Aim::Stay | Aim::Finish | Aim::Sleep),
            State::Stopped
            | State::Waiting
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. }
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => false,
        }
    }

    /// Returns whether no process of it is left.
    pub const fn is_at_rest(&self) -> bool {
        match self.state {
            State::Stopped | State::Waiting | State::Backoff { .. } | State::Done | State::Failed(_) => true,
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Ready { .. }
            | State::Unready
            | State::Reloading { .. }
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. } => false,
        }
    }
}

/// What the tree does with a child. What ends a life is called only when nothing of it is left.
impl Child {
    pub(crate) fn new(id: ChildId, config: &ChildConfig) -> Self {
        Self {
            id,
            state: State::Stopped,
            since: Instant::START,
            generation: 0,
            newest: 0,
            spawned_at: Instant::START,
            was_ready: false,
            ready_at: Instant::START,
            ended_in: "",
            ever_ready: false,
            sent: Sent::Nothing,
            blame: None,
            watch: Watch::default(),
            unkillable: false,
            skipped: false,
            outdated: Changes { config: false, binary: false },
            rearmed: false,
            reload: None,
            owes_reload: false,
            failures: 0,
            pause: Duration::ZERO,
            cooling: false,
            restarts: 0,
            offences: Budget::new(config.max_offences, config.offence_period),
            removed: false,
            wanted: false,
            expires_at: Instant::END,
            spare: Spare::default(),
            rolling: Rolling::default(),
            last: None,
        }
    }

    /// Takes other terms.
    pub(crate) fn adopt(&mut self, config: &ChildConfig) {
        self.offences.change(config.max_offences, config.offence_period);
        self.outdate_spare();
        if !config.leaving {
            self.take_place(config);
        }
    }

    /// Counts an offence, and returns whether it is still answered by a restart.
    pub(crate) fn offend(&mut self, now: Instant) -> bool {
        self.offences.charge(now)
    }

    /// Forgets what is held against it.
    pub(crate) fn reset(&mut self) {
        self.forget_failures();
        self.offences.refill();
        if let State::Ready { stable_at } | State::Reloading { stable_at, .. } = &mut self.state {
            *stable_at = None;
        }
    }

    /// Counts a failure and returns how many there were in a row.
    pub(crate) fn count_failure(&mut self) -> u32 {
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    pub(crate) fn cool_down(&mut self) {
        self.cooling = true;
    }

    pub(crate) fn outdate(&mut self, what: Outdated) {
        match what {
            Outdated::Config => {
                self.outdated.config = true;
                self.outdate_spare();
            }
            Outdated::Binary => {
                self.outdated.binary = true;
                self.rolling.outdate_binary();
            }
        }
    }

    pub(crate) const fn was_ever_ready(&self) -> bool {
        self.ever_ready
    }

    /// Keeps what was decided of its last life.
    pub(crate) fn keep(&mut self, record: Record) {
        self.last = Some(record);
    }

    /// Returns how long ago the present life was ready for the first time, if it was.
    pub(crate) fn ready_for(&self, now: Instant) -> Option<Duration> {
        self.was_ready.then(|| now.since(self.ready_at))
    }

    /// Returns the name of the state in which the present life ended.
    pub(crate) const fn ended_in(&self) -> &'static str {
        self.ended_in
    }

    pub(crate) fn uptime(&self, now: Instant) -> Duration {
        now.since(self.spawned_at)
    }

    /// Starts it again after `pause`; at once if there is none, unless its group is to start it.
    pub(crate) fn back_off(&mut self, pause: Duration, held: bool, turn: &mut Turn<'_>) {
        self.pause = pause;
        self.enter(State::Backoff { until: turn.now + pause, held }, turn.now);
        if pause.is_zero() && !held {
            self.spawn_again(turn);
        }
    }

    /// Returns until when it has its whole group pause with it; `None` if it does not.
    pub(crate) const fn holds_group_until(&self) -> Option<Instant> {
        if let State::Backoff { until, held: true } = self.state { Some(until) } else { None }
    }

    /// It starts when its group lets it, and remembers its failures.
    pub(crate) fn wait(&mut self, now: Instant) {
        self.enter(State::Waiting, now);
    }

    pub(crate) fn stay_stopped(&mut self, now: Instant) {
        self.forget_failures();
        self.enter(State::Stopped, now);
    }

    pub(crate) fn finish(&mut self, now: Instant) {
        self.ever_ready = true;
        self.enter(State::Done, now);
    }

    pub(crate) fn give_up(&mut self, why: GivenUp, now: Instant) {
        self.enter(State::Failed(why), now);
    }

    /// Returns the child with times as offsets from `now`, and without what no decision depends on.
    pub(crate) fn normalised(
        &self,
        config: &ChildConfig,
        shift: impl Fn(Instant) -> Instant,
        now: Instant,
    ) -> Self {
        let state = match self.state {
            State::Spawning { until } => State::Spawning { until: shift(until) },
            State::Starting { until } => State::Starting { until: shift(until) },
            State::Ready { stable_at } => State::Ready { stable_at: stable_at.map(&shift) },
            State::Reloading { until, stable_at, ordered } => {
                State::Reloading { until: shift(until), stable_at: stable_at.map(&shift), ordered }
            }
            State::Draining { until, aim } => State::Draining { until: shift(until), aim },
            State::Stopping { until, aim } => State::Stopping { until: shift(until), aim },
            State::Aborting { until, aim } => State::Aborting { until: shift(until), aim },
            State::Killing { until, aim } => State::Killing { until: shift(until), aim },
            State::Reaping { until, aim, exit, cause } => {
                State::Reaping { until: shift(until), aim, exit, cause }
            }
            State::Backoff { until, held } => State::Backoff { until: shift(until), held },
            same @ (State::Stopped | State::Waiting | State::Unready | State::Done | State::Failed(_)) => {
                same
            }
        };
        Self {
            state,
            watch: self.watch.normalised(&shift),
            reload: None,
            // Whether this is the first life matters, which of the later ones does not.
            generation: self.generation.min(2),
            newest: 0,
            failures: config.backoff.same_pause_as(self.failures),
            since: Instant::START,
            ready_at: Instant::START,
            ended_in: "",
            spawned_at: Instant::START,
            restarts: 0,
            last: None,
            offences: self.offences.normalised(now),
            expires_at: shift(self.expires_at),
            spare: self.spare.normalised(config, &shift),
            rolling: self.rolling.normalised(&shift),
            ..*self
        }
    }
}

impl Aim {
    /// What follows when a child that was not to start again is wanted again.
    const fn or_again(self) -> Self {
        match self {
            Self::Stay | Self::Finish | Self::Again | Self::Sleep => Self::Again,
            Self::Judge => Self::Judge,
            Self::Rejoin => Self::Rejoin,
            Self::Replace => Self::Replace,
        }
    }

    /// What follows when `order` comes on top. What an operator stopped stays stopped although its group starts.
    const fn then(self, order: Self) -> Self {
        match (self, order) {
            (Self::Stay, Self::Rejoin | Self::Finish) => Self::Stay,
            (
                Self::Judge
                | Self::Stay
                | Self::Again
                | Self::Rejoin
                | Self::Finish
                | Self::Replace
                | Self::Sleep,
                _,
            ) => order,
        }
    }
}
