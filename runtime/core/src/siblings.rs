//! The actors under one parent: who is made anew, stopped, held or given up when one of them ends.
//!
//! The same vocabulary and the same answers as in [`tree`](crate::tree), for members that cost little, that come and
//! go by the thousand, and that can neither hang in a start nor be killed: a group without timeouts. What an end means
//! is asked of the same verdict, the budget and the pauses are the same; that both machines order the same starts and
//! stops is tested (`tests/siblings/equal.rs`).
//!
//! Members start in the order in which they joined and stop in reverse. With `rest_for_one` and `one_for_all` one starts
//! or stops at a time; a member that ended as it should, or was given up, is *kept* there: it comes back when its
//! siblings do. What ends while it is to stop with its siblings is not judged for itself.

mod ending;
mod halting;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::time::Instant;
use crate::tree::{AutoShutdown, OnExhausted, Restart, Strategy};

/// Names a member. Numbers are never used again and grow: they are the order of start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u64);

/// The terms of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// Whom a failure restarts.
    pub strategy: Strategy,
    /// Failures within `period` that are still answered by a restart.
    pub max_restarts: u32,
    /// The length of the sliding window.
    pub period: Duration,
    /// What happens when the budget is spent.
    pub on_exhausted: OnExhausted,
    /// When the family has done its work.
    pub auto_shutdown: AutoShutdown,
    /// The pause before each restart.
    pub backoff: Backoff,
    /// Started for this long, and for as long as its last pause, and a member's count of failures starts again.
    pub stable_after: Duration,
}

/// Five failures within thirty seconds, each of which restarts the member alone; one more is the parent's failure.
impl Default for Terms {
    fn default() -> Self {
        Self {
            strategy: Strategy::OneForOne,
            max_restarts: 5,
            period: Duration::from_secs(30),
            on_exhausted: OnExhausted::Escalate,
            auto_shutdown: AutoShutdown::Never,
            backoff: Backoff::default(),
            stable_after: Duration::from_secs(10),
        }
    }
}

/// The terms of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MemberTerms {
    /// When its end is answered by a restart.
    pub restart: Restart,
    /// Whether its end, if it ends as it should, counts for the `auto_shutdown` of the family.
    pub significant: bool,
}

/// What happens to a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A member joins as the latest. It begins at once, or is held until those before it have started.
    Joined(MemberId, MemberTerms),
    /// A member has started.
    Started(MemberId),
    /// A life has ended.
    Ended {
        /// Whose.
        member: MemberId,
        /// How.
        end: End,
        /// Any number, evenly drawn.
        chance: u32,
    },
    /// A member is gone for good, because whoever owns the family stopped it.
    Left(MemberId),
    /// Time has passed.
    Tick,
    /// Other terms hold for what happens from now on; failures that were charged stay charged.
    Changed(Terms),
    /// The family is being stopped from outside: a failure restarts at most the member itself, to finish what waits.
    Closed,
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// It ended itself, in order.
    Clean,
    /// It failed.
    Failed,
    /// It was told to halt, and did.
    Halted,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Begin a life of this member.
    Begin(MemberId),
    /// End its life in order; it begins again when told.
    Halt(MemberId),
    /// End it for good: it is temporary, and its siblings stop.
    Dismiss(MemberId),
    /// What follows from the end that was told.
    Decided(Decision),
    /// The family has done its work: its parent ends in order.
    Finish,
}

/// What follows from the end of a member's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It begins again at this time, if nothing delays its siblings longer.
    Restart {
        /// When.
        at: Instant,
        /// Whether the budget was spent and it is made anew as rarely as can be.
        cools_down: bool,
    },
    /// It begins again with its siblings.
    Rejoin,
    /// It is done.
    Done {
        /// Whether it comes back when its siblings do.
        kept: bool,
    },
    /// The budget is spent: it is given up, and its siblings stay.
    GiveUp {
        /// Whether it comes back when its siblings do.
        kept: bool,
    },
    /// The budget is spent: it is given up, and its parent fails.
    Escalate,
}

/// What a member is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// Waits for those before it.
    Held,
    /// Was told to begin.
    Starting,
    /// Has started; where it failed before, the row says when.
    Running,
    /// Was told to end.
    Stopping,
    /// Pauses alone, as long as the row says.
    Backoff,
    /// Has ended as it should or was given up, and comes back when its siblings do.
    Kept,
}

/// One member. Most never fail, so what only failures need is made at the first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Member {
    terms: MemberTerms,
    state: State,
    row: Option<Box<Row>>,
}

/// The failures in a row of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Row {
    /// When it started, while it runs; until when it pauses, while it does that alone.
    at: Instant,
    failures: u32,
    pause: Duration,
    cools_down: bool,
}

impl Default for Row {
    fn default() -> Self {
        Self { at: Instant::START, failures: 0, pause: Duration::ZERO, cools_down: false }
    }
}

impl Member {
    /// Returns until when it pauses alone.
    fn pauses_until(&self) -> Option<Instant> {
        match (self.state, &self.row) {
            (State::Backoff, Some(row)) => Some(row.at),
            _ => None,
        }
    }
}

/// What the family does as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Each lives for itself.
    Steady,
    /// Members from this one on are being stopped, to begin again at this time.
    Halting { from: MemberId, at: Instant },
    /// They are stopped, and begin again at this time.
    Pausing { from: MemberId, until: Instant },
    /// It is being stopped from outside.
    Closed,
}

/// The members of one family and their restart budget.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Siblings {
    terms: Terms,
    budget: Budget,
    members: BTreeMap<MemberId, Member>,
    phase: Phase,
}

/// One event as it is dealt with.
struct Step<'a> {
    now: Instant,
    actions: &'a mut Vec<Action>,
}

impl Siblings {
    /// Makes a family without members.
    pub const fn new(terms: Terms) -> Self {
        let budget = Budget::new(terms.max_restarts, terms.period);
        Self { terms, budget, members: BTreeMap::new(), phase: Phase::Steady }
    }

    /// Returns the terms.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns whether the member waits for those before it.
    pub fn is_held(&self, member: MemberId) -> bool {
        self.members.get(&member).is_some_and(|member| member.state == State::Held)
    }

    /// Returns when [`Event::Tick`] is to be told at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let alone = self.members.values().filter_map(Member::pauses_until);
        let together = match self.phase {
            Phase::Pausing { until, .. } => Some(until),
            Phase::Steady | Phase::Halting { .. } | Phase::Closed => None,
        };
        alone.chain(together).min()
    }

    /// Deals with one event. Events of members that are gone are ignored.
    pub fn handle(&mut self, now: Instant, event: Event, actions: &mut Vec<Action>) {
        let step = &mut Step { now, actions };
        match event {
            Event::Joined(id, terms) => {
                self.members.insert(id, Member { terms, state: State::Held, row: None });
                if self.phase == Phase::Closed || self.is_calm() {
                    self.begin(id, step);
                }
            }
            Event::Started(id) => {
                let started = self.members.get_mut(&id);
                if let Some(member) = started.filter(|member| member.state == State::Starting) {
                    member.state = State::Running;
                    if let Some(row) = &mut member.row {
                        row.at = step.now;
                    }
                }
            }
            Event::Ended { member, end, chance } => self.ended(member, end, chance, step),
            Event::Left(id) => {
                self.members.remove(&id);
            }
            Event::Tick => self.tick(step),
            Event::Changed(terms) => {
                self.terms = terms;
                self.budget.change(terms.max_restarts, terms.period);
                return self.settle(step);
            }
            Event::Closed => self.phase = Phase::Closed,
        }
        // However many members there are, what happens to one touches nobody else then.
        if !self.is_calm() {
            self.settle(step);
        }
    }

    /// Ends the pauses of single members that are over.
    fn tick(&mut self, step: &mut Step<'_>) {
        let over = |member: &Member| member.pauses_until().is_some_and(|until| until <= step.now);
        let due: Vec<_> = self.members.iter().filter(|(_, member)| over(member)).map(|(id, _)| *id).collect();
        for id in due {
            self.begin(id, step);
        }
    }

    fn begin(&mut self, id: MemberId, step: &mut Step<'_>) {
        if let Some(member) = self.members.get_mut(&id) {
            member.state = State::Starting;
            step.actions.push(Action::Begin(id));
        }
    }

    /// Returns whether each member lives for itself.
    fn is_calm(&self) -> bool {
        self.phase == Phase::Steady && !self.is_serial()
    }

    fn is_serial(&self) -> bool {
        self.terms.strategy.is_serial()
    }
}
