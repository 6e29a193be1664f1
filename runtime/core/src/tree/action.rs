//! What a tree wants done, and what it has to say.

use core::time::Duration;

use super::config::{ChildId, GroupId, Incarnation};
use crate::child::Refusal;
use crate::exit::{Cause, Exit, GivenUp};
use crate::time::Instant;

/// What a driver must do, in this order. An action that fails is not undone; its outcome is an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: a driver that forgets an action should not compile.
pub enum Action {
    /// Make the process of this life.
    Spawn(Incarnation),
    /// Make the process of the life to come and let it wait before any code of a user runs, without links and without
    /// descriptors that are kept; say [`super::Event::Standing`] when it waits.
    Prepare(Incarnation),
    /// Let the process that waits go on, or as soon as it waits: it is the present life now.
    Admit(Incarnation),
    /// Let the process that waits go on beside the present life, to take its place: it gets links, and copies of the
    /// descriptors that are kept, but nobody sends to it before [`Action::Succeed`].
    Rise(Incarnation),
    /// Lead to this life, which has risen, what leads to the one before: its names, the routes to it, and what is kept.
    Succeed {
        /// The life whose time it is.
        of: Incarnation,
        /// The life before: one that goes on to its end, or of which nothing is left.
        from: Incarnation,
    },
    /// Tell the child to finish what it has begun and to take nothing new.
    Drain(Incarnation),
    /// Send the stop signal to the process, and SIGCONT, so that a stopped one gets it.
    Terminate(Incarnation),
    /// Keep what can be read of the process, then send it SIGABRT.
    Abort(Incarnation),
    /// Say by [`super::Event::Looked`] since when the longest poll of this life lasts, and whether a debugger holds it.
    /// That it is traced need only be found out where a poll has lasted since the look before, or a signal stopped it.
    Look(Incarnation),
    /// Tell the child to take up what has changed; it answers ready, or declines.
    Reload(Incarnation),
    /// Send SIGKILL to everything that is left of this life, and say [`super::Event::Emptied`] when it is gone.
    KillTree(Incarnation),
    /// Tell those who have to do with the child.
    Announce {
        /// The life.
        of: Incarnation,
        /// What is to be told.
        news: News,
    },
    /// Keep this: a life ended, and this was decided.
    Record(Record),
    /// A person should look at this.
    Alert(Alert),
    /// Nothing is left to supervise: end the supervisor.
    Leave(Outcome),
}

impl Action {
    /// Returns the life with whose process something is to be done.
    pub const fn life(&self) -> Option<Incarnation> {
        match *self {
            Self::Spawn(of)
            | Self::Prepare(of)
            | Self::Admit(of)
            | Self::Rise(of)
            | Self::Succeed { of, .. }
            | Self::Drain(of)
            | Self::Terminate(of)
            | Self::Abort(of)
            | Self::Look(of)
            | Self::Reload(of)
            | Self::KillTree(of)
            | Self::Announce { of, .. } => Some(of),
            Self::Record(_) | Self::Alert(_) | Self::Leave(_) => None,
        }
    }

    /// Tells whether this makes a process.
    pub const fn is_start(&self) -> bool {
        matches!(self, Self::Spawn(_) | Self::Prepare(_))
    }
}

/// What the peers of a child are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: routing must answer each of these.
pub enum News {
    /// It is ready: routes lead to it.
    Up,
    /// It asks for a pause: routes lead elsewhere, links stay.
    Unready,
    /// It is about to stop: routes are withdrawn, what was begun is finished.
    Draining,
    /// Its process has ended. Once for each life whose process ran.
    Down(Cause),
}

/// One life's end and what follows from it. Made exactly once for each [`Action::Spawn`],
/// [`Action::Admit`] and [`Action::Rise`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The life that ended.
    pub of: Incarnation,
    /// Why it ended.
    pub cause: Cause,
    /// How its process ended; `None` if there was no process.
    pub exit: Option<Exit>,
    /// Whether it was ready at some time.
    pub was_ready: bool,
    /// How long ago it was ready for the first time.
    pub ready_for: Option<Duration>,
    /// The name of the state in which its process ended.
    pub last_state: &'static str,
    /// How long it lived.
    pub uptime: Duration,
    /// What was decided.
    pub decision: Decision,
    /// Whether the budget of its group was charged.
    pub charged: bool,
    /// What the budget still covers.
    pub budget_left: u32,
    /// What the budget covers when nothing is spent.
    pub budget_max: u32,
    /// The window of the budget.
    pub budget_period: Duration,
    /// Failures in a row, this one included.
    pub failures: u32,
}

/// What follows from the end of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: every decision explains itself where it is shown.
pub enum Decision {
    /// It starts again after a pause, at the time told.
    Restart {
        /// The pause.
        delay: Duration,
        /// When it ends.
        at: Instant,
    },
    /// The budget is spent; it starts again after the longest pause, and so for ever.
    CoolDown {
        /// The pause.
        delay: Duration,
        /// When it ends.
        at: Instant,
    },
    /// An operator asked for it to start again.
    StartAgain,
    /// Its group was halted; it starts again with the group.
    Rejoin,
    /// It had lived as long as planned; a fresh life takes its place.
    Replace,
    /// It was not needed any more; it starts when somebody sends to it.
    Sleep,
    /// It was to stop and stays stopped.
    Stop,
    /// It ended as it should and is not started again.
    Done,
    /// It did not end as it should, and is not started again: it is temporary, or its group has done its work.
    LetGo,
    /// It is the main child and has ended by itself: everything stops, to end like this.
    EndAll(Outcome),
    /// It is given up.
    GiveUp(GivenUp),
    /// The budget is spent: its group stops, and the group's parent decides.
    Escalate(GroupId),
    /// Another life had taken its place, in a rolling replacement.
    Succeeded,
    /// It was to take the place of the present life, and did not get so far; that one goes on.
    RolledBack,
}

impl Decision {
    /// Returns the decision in one word, as programs read it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Restart { .. } => "restart",
            Self::CoolDown { .. } => "cool_down",
            Self::StartAgain => "start_again",
            Self::Rejoin => "rejoin",
            Self::Replace => "replace",
            Self::Sleep => "sleep",
            Self::Stop => "stop",
            Self::Done => "done",
            Self::LetGo => "let_go",
            Self::EndAll(_) => "end_all",
            Self::GiveUp(_) => "give_up",
            Self::Escalate(_) => "escalate",
            Self::Succeeded => "succeeded",
            Self::RolledBack => "rolled_back",
        }
    }

    /// Returns how long the pause before the next start is, and when it ends, where there is one.
    pub const fn pause(&self) -> Option<(Duration, Instant)> {
        match *self {
            Self::Restart { delay, at } | Self::CoolDown { delay, at } => Some((delay, at)),
            Self::StartAgain
            | Self::Rejoin
            | Self::Replace
            | Self::Sleep
            | Self::Stop
            | Self::Done
            | Self::LetGo
            | Self::EndAll(_)
            | Self::GiveUp(_)
            | Self::Escalate(_)
            | Self::Succeeded
            | Self::RolledBack => None,
        }
    }

    /// Returns whether the life ended as it should.
    pub const fn is_fine(&self) -> bool {
        match self {
            Self::Replace | Self::Sleep | Self::Done => true,
            Self::Restart { .. }
            | Self::CoolDown { .. }
            | Self::StartAgain
            | Self::Rejoin
            | Self::Stop
            | Self::LetGo
            | Self::EndAll(_)
            | Self::GiveUp(_)
            | Self::Escalate(_)
            // Nobody asks why it ended, so its cause says more than this.
            | Self::Succeeded
            | Self::RolledBack => false,
        }
    }
}

/// What a person should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Alert {
    /// The budget of the child's group is spent; the child is retried only rarely now.
    CoolingDown(ChildId),
    /// The child is given up.
    GivenUp(ChildId, GivenUp),
    /// A signal has stopped it.
    Sigstopped(Incarnation),
    /// A process that was to be its next life ended for this cause before it was used. It is made again after a pause.
    SpareLost(Incarnation, Cause),
    /// It was to take the place of the present life and does not, for this cause; that one goes on.
    RolledBack(Incarnation, Cause),
    /// An operator wanted it to be replaced by rolling, which cannot be.
    RollRefused(ChildId, Refusal),
    /// One of its polls has lasted since this time, longer than it may.
    Stuck {
        /// The life.
        of: Incarnation,
        /// When the poll began.
        since: Instant,
    },
    /// It did not say in time that it has taken up what changed, and goes on as it was.
    ReloadTimedOut(Incarnation),
    /// It does not know how to take up what changed, or cannot use it, and goes on as it was.
    ReloadRefused(Incarnation),
    /// The supervisor itself did not run for so long, and doubts nobody for it.
    Lagged(Duration),
    /// SIGKILL has not ended it within 5 s: it hangs in the kernel. Its place stays taken.
    Unkillable(Incarnation),
    /// The group stops because its budget is spent: the next step of a chain that this life's end began.
    Escalated {
        /// The group.
        group: GroupId,
        /// The life whose end began it.
        origin: Incarnation,
    },
    /// A group that escalated is stopped, and its parent has decided.
    GroupEnded(GroupEnd),
    /// The group has done its work and stops.
    Finished(GroupId),
    /// Everything stops in order, to end like this.
    ShuttingDown(Outcome),
    /// The ordered stop is no longer waited for: all are told to stop at once, without draining.
    Hastened,
    /// The ordered stop took too long, or was cut short: what is left is killed.
    CutShort,
}

/// The end of a group that escalated, and what its parent decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupEnd {
    /// The group.
    pub group: GroupId,
    /// The life whose end began it.
    pub origin: Incarnation,
    /// What was decided.
    pub decision: GroupDecision,
    /// What the parent's budget still covers; it was charged once.
    pub budget_left: u32,
    /// What the parent's budget covers when nothing is spent.
    pub budget_max: u32,
}

/// What a parent decides about a group that escalated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: every decision explains itself where it is shown.
pub enum GroupDecision {
    /// It starts again, by the parent's strategy together with others.
    Restart,
    /// The parent's budget is spent; it starts again after the parent's period.
    CoolDown {
        /// When.
        at: Instant,
    },
    /// The parent's budget is spent, and its children are given up.
    GiveUp,
    /// The parent's budget is spent, and so the parent stops.
    Escalate(GroupId),
}

/// How the supervisor ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: each has an exit code.
pub enum Outcome {
    /// Everything was stopped in order.
    Stopped,
    /// The main child reported an error.
    MainFailed,
    /// An essential child could not be started at all.
    StartFailed,
    /// An essential child was given up, or the root's budget is spent.
    GaveUp,
    /// The stop was forced: the supervisor dies of the signal that forced it.
    Forced,
}

impl Outcome {
    /// Returns whether a child's failure is why everything ended.
    pub const fn is_failure(self) -> bool {
        match self {
            Self::MainFailed | Self::StartFailed | Self::GaveUp => true,
            Self::Stopped | Self::Forced => false,
        }
    }

    /// Returns the exit code of the supervisor; `None` where it dies of a signal.
    pub const fn exit_code(self) -> Option<u8> {
        match self {
            Self::Stopped => Some(0),
            Self::MainFailed | Self::StartFailed => Some(1),
            Self::GaveUp => Some(3),
            Self::Forced => None,
        }
    }
}
