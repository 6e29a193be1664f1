//! A rolling replacement: the next life rises beside the present one, and takes its place once it is ready.
//!
//! An operator orders it. The process of the next life, the *newcomer*, is made and verified as a spare is, and then it
//! *rises*: it runs its user's code beside the present life, has used its number, and is a [`Second`] life. When it is
//! ready it becomes the present life in one step, and the one before, its *predecessor*, is a second life that drains and
//! ends. A newcomer that does not get so far is *rolled back*: it is ended, nobody is charged, and the present life goes on.
//!
//! There is a second life or a spare, never both. A present life that ends by itself is judged as ever; if it is to start
//! again, the newcomer is its next life.

use core::fmt;

use super::second::{Role, Second, Stage};
use super::{Child, Sent, State, Turn};
use crate::exit::{Cause, Exit};
use crate::time::Instant;
use crate::tree::{Action, Alert, ChildConfig, Incarnation, Kind};

/// A rolling replacement, if one is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rolling {
    /// It is ordered, and the newcomer has not risen yet.
    is_ordered: bool,
    second: Option<Second>,
    /// The executable has changed on disk since it was ordered.
    binary_changed: bool,
    last: Option<Rolled>,
}

/// What came of an order to replace a life by rolling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: each is told to whoever ordered it.
pub enum Rolled {
    /// The newcomer is the present life.
    Succeeded,
    /// The newcomer did not get so far, for this cause; the present life was left alone.
    Back(Cause),
    /// There was none, for this reason.
    Refused(Refusal),
}

/// Why a life is not replaced by rolling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: each is told to whoever ordered it.
pub enum Refusal {
    /// It is not ready: there is nothing to replace without a gap.
    NotReady,
    /// One is under way, or something is left of the last.
    UnderWay,
    /// It does its work and exits, so a second process would do it twice.
    Oneshot,
    /// Everything ends with it.
    Main,
    /// Its group, or everything, is being stopped.
    Stopping,
    /// Two processes of it may not be there at a time.
    Alone(Alone),
}

/// Why two processes of a child may not be there at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: each is told to whoever ordered what it forbids.
pub enum Alone {
    /// It does not say when it is ready, so nobody knows when another may take its place.
    SaysNoReady,
    /// It writes to files as a user of its own, who is another for a second process.
    OwnsFiles,
}

impl fmt::Display for Rolled {
    /// Writes what came of it, in words for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("done"),
            Self::Back(why) => write!(f, "rolled back: {why}"),
            Self::Refused(why) => why.fmt(f),
        }
    }
}

impl fmt::Display for Refusal {
    /// Writes why, in words for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReady => "it is not ready",
            Self::UnderWay => "a replacement is under way",
            Self::Oneshot => "it is a oneshot, whose work would be done twice",
            Self::Main => "everything ends with it",
            Self::Stopping => "its group is being stopped",
            Self::Alone(Alone::SaysNoReady) => "it does not say when it is ready",
            Self::Alone(Alone::OwnsFiles) => "it writes to files as a user of its own",
        })
    }
}

impl Rolling {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.second.as_ref().and_then(Second::deadline)
    }

    pub(super) fn normalised(&self, shift: impl Fn(Instant) -> Instant) -> Self {
        let second = self.second.map(|second| second.normalised(shift));
        Self { second, last: None, ..*self }
    }

    /// The executable has changed on disk.
    pub(super) fn outdate_binary(&mut self) {
        self.binary_changed = true;
    }

    /// Returns the newcomer that has risen, if it may still become the present life.
    fn coming(&self) -> Option<&Second> {
        self.second.as_ref().filter(|second| second.is_coming())
    }
}

/// What can be read.
impl Child {
    /// Returns the life that is to take the place of the present one, or was and is not gone yet.
    pub fn newcomer(&self) -> Option<Incarnation> {
        let second = self.rolling.second.filter(Second::was_newcomer).map(|second| second.of);
        second.or_else(|| self.spare().filter(|_| self.spare.rises))
    }

    /// Returns the life whose place the present one has taken, as long as anything is left of it.
    pub fn predecessor(&self) -> Option<Incarnation> {
        self.rolling.second.filter(|second| !second.was_newcomer()).map(|second| second.of)
    }

    /// Returns whether it is being replaced by rolling, or something is left of that.
    pub const fn is_rolling(&self) -> bool {
        self.rolling.is_ordered || self.rolling.second.is_some()
    }

    /// Returns what came of the last order to replace it by rolling; `None` before the first, and while one is under way.
    pub const fn last_roll(&self) -> Option<Rolled> {
        self.rolling.last
    }

    /// Returns why it cannot be replaced by rolling now; `None` if it can.
    pub(crate) const fn refuses_roll(&self, config: &ChildConfig) -> Option<Refusal> {
        match config.kind {
            Kind::Oneshot => return Some(Refusal::Oneshot),
            Kind::Main => return Some(Refusal::Main),
            Kind::Resident => {}
        }
        if let Some(why) = config.alone {
            return Some(Refusal::Alone(why));
        }
        match self.state {
            _ if self.is_rolling() => Some(Refusal::UnderWay),
            State::Ready { .. } => None,
            State::Stopped
            | State::Waiting
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Unready
            | State::Reloading { .. }
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Aborting { .. }
            | State::Killing { .. }
            | State::Reaping { .. }
            | State::Backoff { .. }
            | State::Done
            | State::Failed(_) => Some(Refusal::NotReady),
        }
    }

    /// Returns whether its next life runs already and waits only for the end of the present one.
    pub(crate) fn has_risen_newcomer(&self) -> bool {
        self.rolling.coming().is_some()
    }

    pub(crate) fn second(&self) -> Option<Incarnation> {
        self.rolling.second.map(|second| second.of)
    }
}

/// What the tree does with it.
impl Child {
    /// It is to be replaced by rolling, which nothing refuses. A spare, made of what was there before, must go first.
    pub(crate) fn roll(&mut self, turn: &mut Turn<'_>) {
        self.rolling = Rolling { is_ordered: true, ..Rolling::default() };
        self.dismiss_spare(turn);
    }

    pub(crate) fn refuse_roll(&mut self, why: Refusal, turn: &mut Turn<'_>) {
        // Whoever ordered the one that is under way waits for what comes of it.
        if !self.rolling.is_ordered && !self.has_risen_newcomer() {
            self.rolling.last = Some(Rolled::Refused(why));
        }
        turn.actions.push(Action::Alert(Alert::RollRefused(self.id, why)));
    }

    /// Goes on with it, or gives it up, as the state of the present life says.
    pub(crate) fn tend_roll(&mut self, held: bool, turn: &mut Turn<'_>) {
        let may_come = !held && self.may_have_spare();
        let is_outdated = self.spare.rises && self.spare.is_outdated;
        if self.rolling.is_ordered && (!may_come || is_outdated) {
            self.withdraw_roll(turn);
        }
        if self.rolling.coming().is_some_and(|newcomer| !may_come || newcomer.is_outdated) {
            self.roll_back(turn);
        }
        if self.state.is_in_service() {
            if self.rolling.is_ordered && self.has_standing_spare() && self.spare.rises {
                self.rise(turn);
            }
        } else if self.state == State::Waiting && self.has_risen_newcomer() {
            // It waits for nothing that the newcomer has not got.
            self.spawn(turn);
        }
    }

    /// Whether the next process is to be made for a rolling replacement.
    pub(super) const fn is_newcomer_wanted(&self) -> bool {
        self.rolling.is_ordered
    }

    /// The newcomer has not risen, if there is one at all, and is not to.
    fn withdraw_roll(&mut self, turn: &mut Turn<'_>) {
        if self.spare.rises && self.is_spare_up() {
            self.dismiss_spare(turn);
            return self.lose_newcomer(Cause::Stopped, turn);
        }
        self.rolling.is_ordered = false;
        self.rolling.last = Some(Rolled::Back(Cause::Stopped));
    }

    /// The newcomer has not risen, and cannot.
    pub(super) fn lose_newcomer(&mut self, why: Cause, turn: &mut Turn<'_>) {
        self.rolling.is_ordered = false;
        self.rolling.last = Some(Rolled::Back(why));
        turn.actions.push(Action::Alert(Alert::RolledBack(self.next_life(), why)));
    }

    /// The newcomer has risen, and is not to take the place of the present life.
    pub(crate) fn roll_back(&mut self, turn: &mut Turn<'_>) {
        if self.has_risen_newcomer() {
            self.with_second(turn, Second::terminate);
        }
    }

    /// The newcomer may run its user's code beside the present life.
    fn rise(&mut self, turn: &mut Turn<'_>) {
        let of = self.next_life();
        self.newest = of.generation;
        self.rolling.is_ordered = false;
        self.forget_spare();
        let stage = Stage::Rising { until: turn.now + turn.config.start_timeout };
        self.rolling.second = Some(Second::new(of, Role::Newcomer, stage, turn.now));
        turn.actions.push(Action::Rise(of));
    }

    /// Has the newcomer take the place of the present life, which is ready.
    fn hand_over(&mut self, turn: &mut Turn<'_>) {
        self.forget_if_stable(turn.now);
        let predecessor = Second {
            ready_at: self.was_ready.then_some(self.ready_at),
            ..Second::new(self.incarnation(), Role::Predecessor, Stage::Ready, self.spawned_at)
        };
        if self.admit_newcomer(turn) {
            self.ready(turn);
            self.rolling.second = Some(predecessor);
            self.with_second(turn, Second::drain);
        }
    }

    /// Has a newcomer that has risen become the present life. Returns whether there was one.
    pub(super) fn admit_newcomer(&mut self, turn: &mut Turn<'_>) -> bool {
        let Some(newcomer) = self.rolling.coming().copied() else { return false };
        let from = self.incarnation();
        self.rolling.second = None;
        self.rolling.last = Some(Rolled::Succeeded);
        self.outdated.binary = self.rolling.binary_changed;
        self.begin(newcomer.of.generation, turn);
        self.spawned_at = newcomer.spawned_at;
        turn.actions.push(Action::Succeed { of: newcomer.of, from });
        let until = newcomer.deadline().unwrap_or(turn.now + turn.config.start_timeout);
        self.enter(State::Starting { until }, turn.now);
        self.rearmed = newcomer.rearmed;
        if newcomer.stage == Stage::Ready {
            self.ready(turn);
        }
        true
    }

    /// A life begins: that of a newcomer that has not risen, or of what was to be one.
    pub(super) fn end_order_to_roll(&mut self) {
        if core::mem::take(&mut self.rolling.is_ordered) {
            self.outdated.binary = self.rolling.binary_changed;
        }
    }

    /// What it is made of has changed.
    pub(super) fn outdate_newcomer(&mut self) {
        if let Some(second) = &mut self.rolling.second {
            second.is_outdated = true;
        }
    }

    /// Applies an input to the second life. A newcomer that does not come any more by that is rolled back.
    fn with_second(&mut self, turn: &mut Turn<'_>, input: impl FnOnce(&mut Second, &mut Turn<'_>)) {
        let Some(second) = &mut self.rolling.second else { return };
        let was_coming = second.is_coming();
        input(second, turn);
        if was_coming && !second.is_coming() {
            let (of, why) = (second.of, second.reason());
            self.rolling.last = Some(Rolled::Back(why));
            turn.actions.push(Action::Alert(Alert::RolledBack(of, why)));
        }
    }
}

/// Orders, and time.
impl Child {
    /// Whatever drains without end does so only as long as nobody wants more than that.
    pub(super) fn limit_drain_of_second(&mut self, turn: &mut Turn<'_>) {
        let latest = turn.now + turn.config.drain_timeout;
        self.with_second(turn, |second, _| second.drain_until(|until| until.min(latest)));
    }

    pub(super) fn drain_second_fully(&mut self, turn: &mut Turn<'_>) {
        self.with_second(turn, |second, _| second.drain_until(|_| Instant::END));
    }

    pub(super) fn terminate_second(&mut self, turn: &mut Turn<'_>) {
        self.with_second(turn, Second::terminate);
    }

    pub(super) fn kill_second(&mut self, turn: &mut Turn<'_>) {
        self.with_second(turn, |second, turn| second.kill(Sent::Kill, turn));
    }

    pub(super) fn tick_second(&mut self, turn: &mut Turn<'_>) {
        self.with_second(turn, Second::tick);
    }

    pub(super) fn forgive_second(&mut self, latest: Instant) -> bool {
        self.rolling.second.as_mut().is_some_and(|second| second.forgive(latest))
    }
}

/// What is told of the second life.
impl Child {
    pub(crate) fn second_ready(&mut self, turn: &mut Turn<'_>) {
        let Some(newcomer) = self.rolling.second.as_mut().filter(|second| second.is_coming()) else { return };
        newcomer.ready_at.get_or_insert(turn.now);
        if self.state.is_in_service() {
            self.hand_over(turn);
        } else {
            // The present life is to be judged first.
            newcomer.stage = Stage::Ready;
        }
    }

    pub(crate) fn second_drained(&mut self, turn: &mut Turn<'_>) {
        self.with_second(turn, Second::drained);
    }

    pub(crate) fn second_extends(&mut self, by: core::time::Duration, turn: &mut Turn<'_>) {
        self.with_second(turn, |second, turn| second.extend(by, turn.now));
    }

    pub(crate) fn second_violated(&mut self, turn: &mut Turn<'_>) {
        self.with_second(turn, Second::violated);
    }

    pub(crate) fn second_exited(&mut self, exit: Exit, turn: &mut Turn<'_>) {
        self.with_second(turn, |second, turn| second.exited(exit, turn));
    }

    /// Nothing of it is left. Returns it, unless its process has not ended.
    pub(crate) fn second_emptied(&mut self) -> Option<Second> {
        self.rolling.second.take_if(|second| second.end().is_some())
    }
}
