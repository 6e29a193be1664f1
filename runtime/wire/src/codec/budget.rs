//! What one encode or decode has used up, and the first thing that went wrong in it.
//!
//! serde's errors carry only text, and bincode's own types are not to be seen. So what went wrong is kept
//! here, and the error that travels through serde is an empty one.

use std::cell::{Cell, RefCell};

use super::error::{FieldPath, Step};
use crate::{Limit, Limits};

/// A limit that was passed.
#[derive(Clone, Copy)]
pub(super) struct Over {
    pub(super) limit: Limit,
    pub(super) found: u64,
    pub(super) max: u64,
}

/// Counts for one call; `P` is the kind of problem that may be kept.
pub(super) struct Budget<P> {
    limits: Limits,
    bytes_left: Cell<u64>,
    elements: Cell<u64>,
    produced: Cell<u64>,
    problem: Cell<Option<P>>,
    steps: RefCell<Vec<Step>>,
}

impl<P> Budget<P> {
    pub(super) fn new(limits: &Limits, bytes: usize) -> Budget<P> {
        Budget {
            // A level costs stack, so that no setting may ask for more than a thread has.
            limits: Limits { depth: limits.depth.min(Limits::MAX_DEPTH), ..*limits },
            bytes_left: Cell::new(bytes as u64),
            elements: Cell::new(0),
            produced: Cell::new(0),
            problem: Cell::new(None),
            steps: RefCell::new(Vec::new()),
        }
    }

    #[inline]
    pub(super) fn bytes_left(&self) -> u64 {
        self.bytes_left.get()
    }

    /// Takes `count` bytes, or says how many are missing.
    #[inline]
    pub(super) fn bytes(&self, count: u64) -> Result<(), u64> {
        let left = self.bytes_left.get();
        match left.checked_sub(count) {
            Some(rest) => {
                self.bytes_left.set(rest);
                Ok(())
            }
            None => Err(count - left),
        }
    }

    #[inline]
    pub(super) fn element(&self) -> Result<(), Over> {
        charge(&self.elements, 1, Limit::Elements, self.limits.elements)
    }

    #[inline]
    pub(super) fn produce(&self, bytes: usize) -> Result<(), Over> {
        charge(&self.produced, bytes as u64, Limit::ProducedBytes, self.limits.produced_bytes)
    }

    /// Returns the depth of what lies within a value of depth `depth`.
    #[inline]
    pub(super) fn below(&self, depth: u16) -> Result<u16, Over> {
        if depth < self.limits.depth {
            return Ok(depth + 1);
        }
        Err(Over { limit: Limit::Depth, found: u64::from(depth) + 1, max: self.limits.depth.into() })
    }

    /// Keeps the first problem.
    pub(super) fn keep(&self, problem: P) {
        let first = self.problem.take().unwrap_or(problem);
        self.problem.set(Some(first));
    }

    /// Notes that the error travels outwards past here.
    #[cold]
    pub(super) fn step(&self, step: Step) {
        let mut steps = self.steps.borrow_mut();
        // Two for each level: a type and its field.
        if steps.len() < 2 * usize::from(Limits::MAX_DEPTH) {
            steps.push(step);
        }
    }

    pub(super) fn end(self) -> (Option<P>, FieldPath) {
        (self.problem.into_inner(), FieldPath { steps: self.steps.into_inner() })
    }
}

#[inline]
fn charge(counter: &Cell<u64>, count: u64, limit: Limit, max: u32) -> Result<(), Over> {
    let found = counter.get().saturating_add(count);
    counter.set(found);
    if found > max.into() { Err(Over { limit, found, max: max.into() }) } else { Ok(()) }
}

/// Returns text that came with an error, short and without control characters: it may be a stranger's.
pub(super) fn shown(text: &str) -> Box<str> {
    const MAX: usize = 256;
    let mut shown = String::new();
    for character in text.chars() {
        if shown.len() + 10 > MAX {
            shown.push_str("...");
            break;
        }
        match character {
            ' '..='~' => shown.push(character),
            other => shown.extend(other.escape_default()),
        }
    }
    shown.into_boxed_str()
}
