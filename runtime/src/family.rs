//! Actors under one parent: an actor, a main function, or a worker. Tells the pure machine what becomes of them and
//! passes its orders on.
//!
//! Invariant: orders reach an actor's queue in the order in which they were decided, because they are sent under the
//! family's lock. Nothing of the user's runs under it: what is dropped is dropped outside.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_core::siblings::{Action, Decision, End, Event, MemberId, MemberTerms, Siblings, Terms};
use bailiwick_core::time;
use bailiwick_core::tree::{AutoShutdown, Restart};
use tokio::time::Instant;

use crate::cell::Cell;
use crate::name::check_part;
use crate::node::SpawnError;
use crate::outcome::Cause;
use crate::outlet::Outlet;
use crate::signal::Signal;
use crate::supervision::Supervision;

/// The actors under one parent.
pub(crate) struct Family {
    state: Mutex<State>,
    /// The zero of the machine's time.
    origin: Instant,
    /// Who fails when the budget is spent; without a parent it is the worker.
    parent: Option<Arc<Cell>>,
}

struct State {
    siblings: Siblings,
    cells: BTreeMap<MemberId, Arc<Cell>>,
    /// Members that were given a name, which no two of them may share.
    names: BTreeMap<String, MemberId>,
    /// Members so far.
    born: u64,
    actions: Vec<Action>,
}

/// One actor's place in its family, given up when this is dropped.
pub(crate) struct Membership {
    family: Arc<Family>,
    id: MemberId,
}

/// What an actor does after the end of an incarnation.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It waits until it is told to begin; when this time has come, it says so to its family.
    Wait(Option<Instant>),
    /// It has ended, unless its siblings bring it back.
    Kept,
    /// It has ended.
    Gone,
    /// It has ended, and its parent fails with it.
    Escalates,
}

impl Family {
    pub(crate) fn new(parent: Option<Arc<Cell>>) -> Arc<Self> {
        let state = State {
            siblings: Siblings::new(Terms::default()),
            cells: BTreeMap::new(),
            names: BTreeMap::new(),
            born: 0,
            actions: Vec::new(),
        };
        Arc::new(Self { state: Mutex::new(state), origin: Instant::now(), parent })
    }

    pub(crate) fn parent(&self) -> Option<&Arc<Cell>> {
        self.parent.as_ref()
    }

    /// Supervises in this way from now on.
    pub(crate) fn supervise(&self, supervision: Supervision) {
        let mut state = self.lock();
        self.tell(&mut state, Event::Changed(supervision.terms), None);
    }

    /// Returns what the next member is called: `name` if it is free, else `kind` and a number.
    pub(crate) fn name(&self, name: Option<&str>, kind: &str) -> Result<String, SpawnError> {
        let mut state = self.lock();
        let Some(name) = name else { return Ok(format!("{kind}-{}", state.born + 1)) };
        check_part(name)?;
        let former = state.names.get(name).copied();
        if let Some(id) = former
            && let Some(cell) = state.cells.get(&id)
        {
            if !cell.is_ended() {
                return Err(SpawnError::NameTaken { name: name.to_owned() });
            }
            // It was kept in case that its siblings start anew; its successor does that now.
            cell.signal(Signal::Stop);
            self.tell(&mut state, Event::Left(id), None);
        }
        Ok(name.to_owned())
    }

    /// Adds a member as the latest; one that was given a name is known by it.
    pub(crate) fn join(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        name: Option<&str>,
        terms: MemberTerms,
    ) -> Result<Membership, SpawnError> {
        let mut state = self.lock();
        let signifies = state.siblings.terms().auto_shutdown != AutoShutdown::Never;
        if terms.significant && (terms.restart == Restart::Permanent || !signifies) {
            return Err(SpawnError::NeverSignificant { actor: cell.path().to_owned() });
        }
        state.born += 1;
        let id = MemberId(state.born);
        if let Some(name) = name {
            state.names.insert(name.to_owned(), id);
        }
        self.tell(&mut state, Event::Joined(id, terms), None);
        state.cells.insert(id, Arc::clone(cell));
        drop(state);
        Ok(Membership { family: Arc::clone(self), id })
    }

    /// Returns the members, the youngest first: the order in which they are stopped.
    pub(crate) fn members(&self) -> Vec<Arc<Cell>> {
        self.lock().cells.values().rev().cloned().collect()
    }

    /// From now on failures restart nobody but who failed. Returns the members, the youngest first: the order in which
    /// they are stopped.
    pub(crate) fn close(&self) -> Vec<Arc<Cell>> {
        let mut state = self.lock();
        self.tell(&mut state, Event::Closed, None);
        drop(state);
        self.members()
    }

    /// Tells the machine, and its orders to whom they concern. Returns what it decided of who ended.
    fn tell(&self, state: &mut State, event: Event, ended: Option<(&Arc<Cell>, &Cause)>) -> Option<Decision> {
        let nanos = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut actions = std::mem::take(&mut state.actions);
        state.siblings.handle(time::Instant::from_nanos(nanos), event, &mut actions);
        let mut decision = None;
        for action in actions.drain(..) {
            let (id, signal) = match action {
                Action::Begin(id) => (id, Signal::Begin),
                Action::Halt(id) => (id, Signal::Halt),
                Action::Dismiss(id) => (id, Signal::Stop),
                Action::Decided(decided) => {
                    decision = Some(decided);
                    continue;
                }
                Action::Finish => {
                    self.finish(ended.map(|(cell, _)| cell));
                    continue;
                }
            };
            // Who is just joining has no queue here yet, and begins by itself.
            if let Some(cell) = state.cells.get(&id) {
                cell.signal(signal);
            }
        }
        state.actions = actions;
        decision
    }

    /// The family has done its work, and with it its parent.
    fn finish(&self, member: Option<&Arc<Cell>>) {
        match (&self.parent, member) {
            (Some(parent), _) => parent.signal(Signal::Finish),
            (None, Some(member)) => member.node.host.finished(),
            (None, None) => {}
        }
    }

    fn escalate(&self, cell: &Arc<Cell>, cause: Cause) {
        let child = cell.name();
        match &self.parent {
            Some(parent) => parent.signal(Signal::ChildGaveUp(Cause::ChildGaveUp {
                child: child.to_string(),
                cause: Box::new(cause),
            })),
            None => cell.node.host.gave_up(&child, &cause),
        }
    }

    fn at(&self, at: time::Instant) -> Instant {
        self.origin + at.since(time::Instant::START)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    /// Returns whether the actor waits for those before it.
    pub(crate) fn is_held(&self) -> bool {
        self.family.lock().siblings.is_held(self.id)
    }

    /// Says that the actor has started.
    pub(crate) fn started(&self) {
        let mut state = self.family.lock();
        self.family.tell(&mut state, Event::Started(self.id), None);
    }

    /// Says that a pause is over.
    pub(crate) fn pause_is_over(&self) {
        let mut state = self.family.lock();
        self.family.tell(&mut state, Event::Tick, None);
    }

    /// Says that an incarnation has ended. Returns what the actor does next.
    pub(crate) fn ended(&self, cell: &Arc<Cell>, end: End, cause: &Cause) -> Fate {
        let mut state = self.family.lock();
        // One process restarts few actors at a time, so chance has nothing to spread here.
        let event = Event::Ended { member: self.id, end, chance: 0 };
        let decision = self.family.tell(&mut state, event, Some((cell, cause)));
        drop(state);
        let name = cell.name();
        match decision {
            Some(Decision::Restart { at, cools_down }) => {
                let at = self.family.at(at);
                let pause = at.saturating_duration_since(Instant::now());
                if cools_down {
                    tracing::error!(target: "bailiwick::actor", actor = %name, %cause, ?pause, "cools down");
                } else {
                    tracing::warn!(target: "bailiwick::actor", actor = %name, %cause, ?pause, "restarts");
                }
                Fate::Wait(Some(at))
            }
            Some(Decision::Rejoin) => {
                tracing::info!(target: "bailiwick::actor", actor = %name, "restarts with its siblings");
                Fate::Wait(None)
            }
            Some(Decision::Done { kept: true }) => Fate::Kept,
            Some(Decision::Done { kept: false }) | None => {
                if cause.is_failure() {
                    tracing::warn!(target: "bailiwick::actor", actor = %name, %cause, "is not restarted");
                }
                Fate::Gone
            }
            Some(Decision::GiveUp { kept }) => {
                tracing::error!(target: "bailiwick::actor", actor = %name, %cause, "gave up");
                if kept { Fate::Kept } else { Fate::Gone }
            }
            Some(Decision::Escalate) => {
                tracing::error!(target: "bailiwick::actor", actor = %name, %cause, "gave up");
                Fate::Escalates
            }
        }
    }

    /// Fails the parent for the actor, which has ended.
    pub(crate) fn escalate(&self, cell: &Arc<Cell>, cause: Cause) {
        self.family.escalate(cell, cause);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut state = self.family.lock();
        let cell = state.cells.remove(&self.id);
        let is_this = |(name, id): (&String, &MemberId)| (*id == self.id).then(|| name.clone());
        let part = cell.as_ref().map_or("", |cell| cell.path().rsplit('/').next().unwrap_or_default());
        if let Some(name) = state.names.get_key_value(part).and_then(is_this) {
            state.names.remove(&name);
        }
        self.family.tell(&mut state, Event::Left(self.id), None);
        drop(state);
        drop(cell);
    }
}

/// A parent's hold on its family: who still lives when it is dropped is ordered to stop.
pub(crate) struct Children(pub(crate) Arc<Family>);

impl Drop for Children {
    fn drop(&mut self) {
        for child in self.0.close() {
            child.signal(Signal::Stop);
        }
    }
}
