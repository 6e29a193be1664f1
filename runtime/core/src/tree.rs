//! All groups and children of one supervisor: what happens goes in, what must be done comes out.
//!
//! The tree decides; a driver carries out. It owns every [`Child`], the budget of each group and the ordered
//! stop. Its invariants, which hold for any sequence of events:
//!
//! - A child has at most one life: [`Action::Spawn`] follows the [`Event::Emptied`] or [`Event::SpawnFailed`] of
//!   the life before, and nothing else. The exception is a rolling replacement, which begins with [`Action::Rise`] of a
//!   second life and ends with what is left of one of the two. Never are there three, nor two that peers send to.
//! - Each life is recorded exactly once, with the decision and its reason.
//! - Once a stop of everything began, nothing is spawned.
//! - A level is stopped only when no process of the levels above is left.
//! - Every stop ends, at the latest one [`KILL_GRACE`](crate::child::KILL_GRACE) after its hard total.

mod action;
mod agenda;
mod config;
mod ending;
mod event;
mod goal;
mod group;
mod halt;
mod operator;
mod order;
mod places;
mod pool;
mod reactions;
mod release;
mod reload;
mod rolling;
mod shutdown;
mod spares;
mod spent;
mod standing;
mod transcript;

use alloc::vec::Vec;
use core::time::Duration;

pub use self::action::{Action, Alert, Decision, GroupDecision, GroupEnd, News, Outcome, Record};
pub use self::agenda::Agenda;
pub use self::config::{
    AutoShutdown, ChildConfig, ChildId, Config, ConfigError, GroupConfig, GroupId, Incarnation, Kind,
    OnExhausted, Restart, Strategy,
};
pub use self::event::{Event, Outdated, Verb};
pub use self::goal::{Goal, Reached};
use self::group::Group;
use self::order::{Order, child_id};
pub use self::places::places;
pub use self::reactions::{Reaction, Reactions};
pub use self::reload::Came;
use self::shutdown::Shutdown;
pub use self::standing::Standing;
pub use self::transcript::Line;
use crate::budget::Budget;
use crate::child::{Aim, Child, LAG, Turn};
use crate::time::Instant;

/// One event's time, and what it leads to.
struct Step<'a> {
    now: Instant,
    actions: &'a mut Vec<Action>,
}

impl Step<'_> {
    fn alert(&mut self, alert: Alert) {
        self.actions.push(Action::Alert(alert));
    }
}

/// The state of everything that one supervisor supervises.
///
/// ```
/// use bailiwick_core::time::Instant;
/// use bailiwick_core::tree::{Action, ChildConfig, ChildId, Config, Event, Incarnation, Tree};
///
/// let config = Config { children: vec![ChildConfig::default()], ..Config::default() };
/// let mut tree = Tree::new(config).unwrap();
/// let mut actions = Vec::new();
/// tree.handle(Instant::START, Event::Boot, &mut actions);
/// let first = Incarnation { child: ChildId(0), generation: 1 };
/// assert_eq!(actions, [Action::Spawn(first)]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tree {
    config: Config,
    order: Order,
    children: Vec<Child>,
    groups: Vec<Group>,
    shutdown: Option<Shutdown>,
    /// When it is looked at next how the children get on.
    look_at: Option<Instant>,
}

impl Tree {
    /// Makes the tree; nothing starts before [`Event::Boot`].
    ///
    /// # Errors
    /// The configuration names what does not exist, or children need each other in a circle.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        let order = Order::new(&config)?;
        let ids = (0..config.children.len()).filter_map(child_id);
        let children = ids.zip(&config.children).map(|(id, terms)| Child::new(id, terms)).collect();
        let groups = config.groups.iter().map(Group::new).collect();
        Ok(Self { config, order, children, groups, shutdown: None, look_at: None })
    }

    /// Returns when [`Event::Tick`] is due at the latest; `None` if nothing waits for time.
    pub fn deadline(&self) -> Option<Instant> {
        if self.has_left() {
            return None;
        }
        let children = self.children.iter().filter_map(Child::deadline);
        let groups = self.groups.iter().filter_map(Group::deadline);
        let shutdown = self.shutdown.as_ref().map(Shutdown::deadline);
        children.chain(groups).chain(shutdown).chain(self.look_at).min().filter(|at| *at < Instant::END)
    }

    /// Takes one event and appends what must be done, in order.
    pub fn handle(&mut self, now: Instant, event: Event, actions: &mut Vec<Action>) {
        if self.has_left() {
            return;
        }
        let step = &mut Step { now, actions };
        self.doubt_ourselves(step);
        if self.take_for_spare(event, step) || self.take_for_second(event, step) {
            return self.settle(step);
        }
        match event {
            Event::Boot => self.boot(step),
            // It becomes the life that it waits to be before this can be told.
            Event::Standing(_) => {}
            Event::Spawned(of) => self.with_life(of, step, |child, turn| child.spawned(turn.now)),
            Event::SpawnFailed { of, step: at, errno, chance } => {
                let mut ended = None;
                self.with_life(of, step, |child, _| ended = child.spawn_failed(at, errno, chance));
                self.conclude(of.child, ended, step);
            }
            Event::Ready(of) => self.with_life(of, step, Child::ready),
            Event::Unready(of) => self.with_life(of, step, Child::unready),
            Event::Drained(of) => self.with_life(of, step, Child::drained),
            Event::Reloading(of) => self.with_life(of, step, Child::reloading),
            Event::Refused(of) => self.with_life(of, step, Child::refused),
            Event::Extend { of, by } => self.with_life(of, step, |child, turn| child.extend(by, turn.now)),
            Event::Settled(of) => self.with_life(of, step, |child, _| child.settled()),
            Event::Hung(of) => self.with_life(of, step, Child::hung),
            Event::Skipped(of) => self.with_life(of, step, |child, _| child.skip()),
            // What is about to be stopped in any case keeps its place in the order.
            Event::Spent(of) | Event::Idle(of) | Event::Declined(of) if self.is_held(of.child) => {}
            Event::Declined(of) => self.with_life(of, step, Child::declined),
            Event::Spent(of) => self.with_life(of, step, Child::spent),
            Event::Idle(of) => self.with_life(of, step, Child::idle),
            Event::Wanted(child) => self.with_child(child, step, Child::wanted),
            Event::Sigstopped(of) => self.with_life(of, step, Child::sigstopped),
            Event::Continued(of) => self.with_life(of, step, Child::continued),
            Event::Looked { of, busy_since, traced } => {
                self.with_life(of, step, |child, turn| child.looked(busy_since, traced, turn));
            }
            Event::Outdated { child, what } => self.with_child(child, step, |child, _| child.outdate(what)),
            Event::Violated(of) => self.with_life(of, step, Child::violated),
            Event::Exited { of, exit } => self.with_life(of, step, |child, turn| child.exited(exit, turn)),
            Event::Emptied { of, chance } => {
                let mut ended = None;
                self.with_life(of, step, |child, _| ended = child.emptied(chance));
                self.conclude(of.child, ended, step);
            }
            Event::Operator { verb, child } => self.operate(verb, child, step),
            Event::Scale { group, size } => self.scale(group, size, step),
            Event::ShutDown => self.shut_down(step),
            Event::Kill => self.kill_all(Some(Outcome::Forced), step),
            Event::Tick => self.tick(step),
        }
        self.settle(step);
    }
}

/// What can be read, for `status` and for the driver.
impl Tree {
    /// Returns the child; `None` if there is none of this index.
    pub fn child(&self, id: ChildId) -> Option<&Child> {
        self.children.get(usize::from(id.0))
    }

    /// Returns all children in the order of the configuration.
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// Returns whether the child may have a life after this one, as far as is known: it stays, everything goes on, and no life
    /// runs that has taken this one's place or is about to.
    pub fn has_next(&self, of: Incarnation) -> bool {
        let may_live =
            |child: &Child| !child.is_removed() && !child.has_risen_newcomer() && child.second() != Some(of);
        self.shutdown.is_none() && self.child(of.child).is_some_and(may_live)
    }

    /// Returns the budget of a group; `None` if there is none of this index.
    pub fn budget(&self, group: GroupId) -> Option<&Budget> {
        self.groups.get(usize::from(group.0)).map(|group| &group.budget)
    }

    /// Returns where a child, or the group that holds it, stands in each of the groups around it, its own first and the
    /// root last. Whom `rest_for_one` restarts with it has no lower rank there.
    pub fn ranks(&self, child: ChildId) -> impl Iterator<Item = u16> + '_ {
        self.order.places(child).iter().map(|place| place.rank)
    }

    /// Returns what the tree was made of.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Returns whether everything is being stopped, or has been.
    pub const fn is_shutting_down(&self) -> bool {
        self.shutdown.is_some()
    }

    /// Returns the state with times as offsets from `now` and without what no decision depends on, so that an
    /// exhaustive exploration can recognise a state in which it has been.
    pub fn normalised(&self, now: Instant) -> Self {
        let shift = |at: Instant| if at == Instant::END { at } else { Instant::START + at.since(now) };
        let mut tree = self.clone();
        for (child, config) in tree.children.iter_mut().zip(&self.config.children) {
            *child = child.normalised(config, shift, now);
        }
        for group in &mut tree.groups {
            *group = group.normalised(shift, now);
        }
        tree.look_at = self.look_at.map(shift);
        tree.shutdown = self.shutdown.as_ref().map(|shutdown| shutdown.normalised(shift));
        tree
    }
}

/// Inputs.
impl Tree {
    fn boot(&mut self, step: &mut Step<'_>) {
        for id in self.ascending() {
            let is_removed = self.children[usize::from(id.0)].is_removed();
            if self.is_member(id) && !is_removed && !self.is_shutting_down() {
                self.with_child(id, step, Child::start);
            }
        }
    }

    fn tick(&mut self, step: &mut Step<'_>) {
        if self.look_at.is_some_and(|at| at <= step.now) {
            self.look_at = None;
            self.for_each(step, Child::look);
        }
        self.for_each(step, Child::tick);
        for id in self.ascending() {
            let held = self.is_held(id);
            self.with_child(id, step, |child, turn| child.age(held, turn));
        }
        self.enforce_total(step);
    }

    /// Brings what was decided into effect as far as the order allows at present.
    fn settle(&mut self, step: &mut Step<'_>) {
        self.resume_groups(step);
        self.tend_rolls(step);
        self.tend_spares(step);
        self.advance_groups(step);
        self.release(step);
        self.advance_shutdown(step);
        let mut watched = self.children.iter().zip(&self.config.children);
        if self.look_at.is_none() && watched.any(|(child, terms)| child.wants_looks(terms)) {
            self.look_at = Some(step.now + self.config.look_every);
        }
    }

    /// Nobody is accused of what the supervisor could not hear because it did not run.
    fn doubt_ourselves(&mut self, step: &mut Step<'_>) {
        let lag = self.deadline().map_or(Duration::ZERO, |due| step.now.since(due));
        if lag <= LAG {
            return;
        }
        let mut forgiven = false;
        for id in self.ascending() {
            self.with_child(id, step, |child, turn| forgiven |= child.forgive(turn));
        }
        if forgiven {
            step.alert(Alert::Lagged(lag));
        }
    }

    /// A level is asked to stop only when nothing of the levels above is left. Returns whether all are at rest.
    fn stop_in_order(&mut self, scope: impl Fn(&Self, ChildId) -> bool, step: &mut Step<'_>) -> bool {
        let mut running = self.ascending();
        running.retain(|id| scope(self, *id) && self.child(*id).is_some_and(|child| !child.is_empty()));
        let top = running.iter().map(|id| self.order.level(*id)).max();
        running.retain(|id| Some(self.order.level(*id)) == top);
        for id in running.iter().rev() {
            let aim = if self.is_shutting_down() { None } else { self.halting_aim(*id) };
            self.with_child(*id, step, |child, turn| match child.is_at_rest() {
                true => {
                    child.dismiss_spare(turn);
                    child.roll_back(turn);
                }
                false => child.stop(aim.unwrap_or(Aim::Stay), turn),
            });
        }
        running.is_empty()
    }
}

/// Small questions and steps.
impl Tree {
    fn terms(&self, id: ChildId) -> Option<&ChildConfig> {
        self.config.children.get(usize::from(id.0))
    }

    /// Whether it may not start now, because everything or its group is being stopped.
    fn is_held(&self, id: ChildId) -> bool {
        self.is_shutting_down() || self.halting_aim(id).is_some()
    }

    /// Whether its next life does not follow by itself: that is held, waits for demand, or has no place.
    fn is_kept_from_starting(&self, id: ChildId) -> bool {
        self.is_held(id) || self.waits_for_demand(id) || !self.is_member(id)
    }

    fn with_child(
        &mut self,
        id: ChildId,
        step: &mut Step<'_>,
        input: impl FnOnce(&mut Child, &mut Turn<'_>),
    ) {
        let index = usize::from(id.0);
        if let (Some(child), Some(config)) = (self.children.get_mut(index), self.config.children.get(index)) {
            input(child, &mut Turn { now: step.now, config, actions: step.actions });
        }
    }

    /// Applies an input to the life that it is about, and to no other.
    fn with_life(
        &mut self,
        of: Incarnation,
        step: &mut Step<'_>,
        input: impl FnOnce(&mut Child, &mut Turn<'_>),
    ) {
        if self.child(of.child).is_some_and(|child| child.incarnation() == of) {
            self.with_child(of.child, step, input);
        }
    }

    fn for_each(&mut self, step: &mut Step<'_>, input: impl Fn(&mut Child, &mut Turn<'_>)) {
        for id in self.ascending() {
            self.with_child(id, step, &input);
        }
    }
}
