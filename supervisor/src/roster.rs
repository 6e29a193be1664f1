//! Who is supervised: every instance of every worker, with the number by which the machine knows it.

use std::rc::Rc;
use std::vec;

use bailiwick_core::tree::{self, ChildId, Config, ConfigError, GroupId};
use bailiwick_core::words::Names;
use bailiwick_wire::log::Source;

use crate::spec::{System, Unfit, Worker};

/// Every instance of every worker. Whoever stays when a system takes the place of another keeps its number.
#[derive(Debug, Default)]
pub struct Roster {
    seats: Vec<Seat>,
    /// Groups by number; the root has no name.
    groups: Vec<String>,
}

/// One instance.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Its worker, of which it is an instance or was the last time that anybody wanted it.
    pub worker: Rc<Worker>,
    /// Its number among the instances, from 1.
    pub instance: u16,
    /// What people call it: the worker's name, with the instance if there are several.
    pub title: String,
    /// Where it stands among all instances in the manifest.
    pub(crate) position: u16,
    /// Whether anybody wants it.
    pub standing: Standing,
}

/// Whether an instance is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Exhaustive: nobody is anything else.
pub enum Standing {
    /// The system declares it.
    Present,
    /// The system declares it no more, and it is being stopped.
    Leaving,
    /// Nothing is left of it: the place is free.
    Gone,
}

impl Seat {
    /// Returns by what the lines are known that it prints.
    pub fn source(&self) -> Source {
        let numbered = self.worker.places() > 1;
        Source { worker: self.worker.name.clone(), instance: self.instance, numbered }
    }
}

impl Roster {
    /// Numbers the instances of `system`.
    ///
    /// # Errors
    /// When a name is used twice, or there are too many instances.
    pub fn new(system: &System) -> Result<Self, Unfit> {
        Self::default().succeed(system)
    }

    /// Numbers the instances of `system`, which takes the place of the one from which this roster was made.
    ///
    /// # Errors
    /// When a name is used twice, or there are too many instances.
    pub fn succeed(&self, system: &System) -> Result<Self, Unfit> {
        let found = system.workers.iter().map(|worker| usize::from(worker.places())).sum::<usize>();
        if found + self.seats.len() > usize::from(u16::MAX) {
            return Err(Unfit::TooMany { found });
        }
        let mut wanted: Vec<Seat> = Vec::with_capacity(found);
        for worker in system.workers.iter().cloned().map(Rc::new) {
            if wanted.iter().any(|seat| seat.worker.name == worker.name) {
                return Err(Unfit::Twice { name: worker.name.clone() });
            }
            for instance in 1..=worker.places() {
                let (title, position) = (worker.title(instance), wanted.len() as u16);
                let worker = Rc::clone(&worker);
                wanted.push(Seat { worker, instance, title, position, standing: Standing::Present });
            }
        }
        let unplaced = |name: &str| Unfit::Unplaced { name: name.to_owned() };
        let groups = system.group_names(&self.groups).map_err(unplaced)?;
        let key = |seat: &Seat| (seat.worker.name.clone(), seat.instance);
        let known = self.seats.iter().map(|seat| (seat.standing != Standing::Gone).then(|| key(seat)));
        let places = tree::places(&known.collect::<Vec<_>>(), &wanted.iter().map(key).collect::<Vec<_>>());
        let mut seats = self.seats.clone();
        for seat in seats.iter_mut().filter(|seat| seat.standing == Standing::Present) {
            seat.standing = Standing::Leaving;
        }
        for (place, seat) in places.into_iter().zip(wanted) {
            if place < seats.len() { seats[place] = seat } else { seats.push(seat) }
        }
        Ok(Self { seats, groups })
    }

    /// Returns how many groups there are, the root included.
    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Returns the names of a group and those around it, as `shop/front`; empty for the root.
    pub fn group_path(&self, id: GroupId, config: &Config) -> String {
        let around = |id: &GroupId| config.groups.get(usize::from(id.0)).and_then(|group| group.parent);
        let path = std::iter::successors(Some(id), around).take(self.groups.len());
        let mut names: Vec<_> = path.map(|id| self.group_name(id)).filter(|name| !name.is_empty()).collect();
        names.reverse();
        names.join("/")
    }

    /// Says in names what the machine says in numbers.
    pub fn explain(&self, error: ConfigError) -> Unfit {
        match error {
            ConfigError::Cycle(path) => {
                let titles: Vec<_> = path.iter().map(|child| self.seat(*child).title.as_str()).collect();
                Unfit::Cycle { path: titles.join(" -> ") }
            }
            // The rest cannot come from the configuration that this roster makes.
            other => Unfit::Cycle { path: other.to_string() },
        }
    }

    /// Returns every instance that is wanted, or of which something is left.
    pub fn children(&self) -> impl Iterator<Item = ChildId> + use<> {
        self.select(|seat| seat.standing != Standing::Gone)
    }

    /// Returns every number that is or was an instance's.
    pub fn places(&self) -> impl Iterator<Item = ChildId> + use<> {
        self.select(|_| true)
    }

    /// Returns every instance that is being stopped for good.
    pub fn leaving(&self) -> impl Iterator<Item = ChildId> + use<> {
        self.select(|seat| seat.standing == Standing::Leaving)
    }

    fn select(&self, is_meant: impl Fn(&Seat) -> bool) -> vec::IntoIter<ChildId> {
        let seats = (0..).map(ChildId).zip(&self.seats);
        seats.filter(|(_, seat)| is_meant(seat)).map(|(child, _)| child).collect::<Vec<_>>().into_iter()
    }

    /// Notes that nothing is left of an instance.
    pub fn forget(&mut self, child: ChildId) {
        self.seats[usize::from(child.0)].standing = Standing::Gone;
    }

    /// Returns every instance of one worker; none if there is no such worker.
    pub fn instances_of(&self, name: &str) -> impl Iterator<Item = ChildId> + use<> {
        self.select(|seat| seat.standing == Standing::Present && seat.worker.name == name)
    }

    /// Returns what is known of one instance.
    ///
    /// # Panics
    /// If `child` is not of this roster.
    pub fn seat(&self, child: ChildId) -> &Seat {
        &self.seats[usize::from(child.0)]
    }

    /// Returns whether the instance may accuse those who are not privileged.
    pub fn is_privileged(&self, child: ChildId) -> bool {
        self.seat(child).worker.holds_privilege()
    }

    /// Returns the group of this name.
    pub fn group(&self, name: &str) -> Option<GroupId> {
        let at = self.groups.iter().position(|known| known == name)?;
        u16::try_from(at).ok().map(GroupId)
    }

    /// Returns the name of a group; the root has none.
    pub fn group_name(&self, id: GroupId) -> &str {
        self.groups.get(usize::from(id.0)).map_or("", String::as_str)
    }
}

impl Names for Roster {
    fn child(&self, child: ChildId) -> &str {
        &self.seat(child).title
    }

    fn group(&self, id: GroupId) -> String {
        match self.group_name(id) {
            "" => "the root group".to_owned(),
            name => format!("group {name}"),
        }
    }
}
