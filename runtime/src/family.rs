//! The children of an actor, or of a main function.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use crate::cell::Cell;
use crate::name::check_part;
use crate::node::SpawnError;
use crate::signal::Signal;

/// Children in the order of their birth. Dropping it orders those that still live to stop.
#[derive(Default)]
pub(crate) struct Family {
    children: Vec<Arc<Cell>>,
    /// Children that were given a name, which no two of them may share.
    names: BTreeMap<String, Weak<Cell>>,
    /// Children so far: numbers those without a name.
    born: u64,
    /// Length of `children` at which the ended ones are looked for.
    prune_at: usize,
}

impl Family {
    /// Returns what the next child is called: `name` if it is free, else `kind` and a number.
    pub(crate) fn name(&mut self, name: Option<&str>, kind: &str) -> Result<String, SpawnError> {
        match name {
            Some(name) => {
                check_part(name)?;
                if self.names.get(name).and_then(Weak::upgrade).is_some_and(|cell| !cell.is_ended()) {
                    return Err(SpawnError::NameTaken { name: name.to_owned() });
                }
                Ok(name.to_owned())
            }
            None => {
                self.born += 1;
                Ok(format!("{kind}-{}", self.born))
            }
        }
    }

    /// Adds a child; one that was given a name is known by it.
    pub(crate) fn adopt(&mut self, child: Arc<Cell>, name: Option<&str>) {
        if self.children.len() >= self.prune_at {
            self.children.retain(|child| !child.is_ended());
            self.names.retain(|_, cell| cell.upgrade().is_some_and(|cell| !cell.is_ended()));
            self.prune_at = (2 * self.children.len()).max(PRUNE_AT_LEAST);
        }
        if let Some(name) = name {
            self.names.insert(name.to_owned(), Arc::downgrade(&child));
        }
        self.children.push(child);
    }

    /// Returns the children, the youngest first: the order in which they are stopped.
    pub(crate) fn members(&self) -> Vec<Arc<Cell>> {
        self.children.iter().rev().cloned().collect()
    }

    /// Takes the children out, the youngest first: the order in which they are stopped.
    pub(crate) fn leave(&mut self) -> Vec<Arc<Cell>> {
        self.names.clear();
        self.children.drain(..).rev().collect()
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        for child in self.leave() {
            child.signal(Signal::Stop);
        }
    }
}

const PRUNE_AT_LEAST: usize = 16;
