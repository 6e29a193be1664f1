//! What one encode or decode may still use up, where in the value it is, and the first thing that went wrong.

use std::fmt;

use serde::{de, ser};

use super::error::{FieldPath, Step};
use crate::{Limit, Limits};

/// A limit that was passed.
pub(super) struct Over {
    pub(super) limit: Limit,
    pub(super) found: u64,
    pub(super) max: u64,
}

/// What is left of the limits; `P` is the kind of problem that may be kept.
pub(super) struct Budget<P> {
    limits: Limits,
    elements_left: u32,
    produced_left: u32,
    trouble: Option<Box<Trouble<P>>>,
}

/// The first thing that went wrong, and where. It is kept here, because a type may lose the error that it was given.
struct Trouble<P> {
    problem: Option<P>,
    path: FieldPath,
}

/// The error that travels through serde: what a type said, if it refused by itself.
///
/// It is one word, so that the results of reading and writing an item travel in registers.
#[derive(Debug)]
pub(super) struct Failed(Option<Box<Refusal>>);

/// What a type said, short and without control characters: it may be a stranger's words.
#[derive(Debug)]
struct Refusal {
    message: Box<str>,
}

impl<P: From<Over>> Budget<P> {
    pub(super) fn new(limits: &Limits) -> Budget<P> {
        let Limits { elements, produced_bytes, .. } = *limits;
        Budget { limits: *limits, elements_left: elements, produced_left: produced_bytes, trouble: None }
    }

    /// Counts an element.
    #[inline(always)]
    pub(super) fn element(&mut self) -> Result<(), Failed> {
        let Some(left) = self.elements_left.checked_sub(1) else {
            let max = self.limits.elements.into();
            return Err(self.over(Limit::Elements, max + 1, max));
        };
        self.elements_left = left;
        Ok(())
    }

    /// Counts memory that decoding fills.
    #[inline(always)]
    pub(super) fn produce(&mut self, bytes: usize) -> Result<(), Failed> {
        let left = self.produced_left as usize;
        if bytes > left {
            let max = u64::from(self.limits.produced_bytes);
            return Err(self.over(
                Limit::ProducedBytes,
                (max - left as u64).saturating_add(bytes as u64),
                max,
            ));
        }
        self.produced_left = (left - bytes) as u32;
        Ok(())
    }

    /// Returns where things stand that lie within what stands at `place`.
    #[inline(always)]
    pub(super) fn below(&mut self, place: Place) -> Result<Place, Failed> {
        // A level costs stack, so that no setting may ask for more of them than a thread has.
        let (depth, max) = (place.depth(), self.limits.depth.min(Limits::MAX_DEPTH));
        if depth >= max {
            return Err(self.over(Limit::Depth, u64::from(depth) + 1, max.into()));
        }
        Ok(Place(place.0 + ONE_DEEPER))
    }

    #[cold]
    pub(super) fn over(&mut self, limit: Limit, found: u64, max: u64) -> Failed {
        self.fail(Over { limit, found, max }.into())
    }

    /// Keeps the problem if it is the first, and returns the error that travels through serde.
    #[cold]
    pub(super) fn fail(&mut self, problem: P) -> Failed {
        self.trouble().problem.get_or_insert(problem);
        Failed(None)
    }

    /// Notes that the error travels outwards past here.
    #[cold]
    pub(super) fn step(&mut self, step: Step) {
        self.trouble().path.push(step);
    }

    fn trouble(&mut self) -> &mut Trouble<P> {
        self.trouble.get_or_insert_with(|| Box::new(Trouble { problem: None, path: FieldPath::default() }))
    }

    /// Tells whether nothing has gone wrong.
    #[inline(always)]
    pub(super) fn is_kept(&self) -> bool {
        self.trouble.is_none()
    }

    /// Returns what went wrong, if anything did, and where: what was kept, or else what the type said.
    #[cold]
    pub(super) fn end(self, error: Option<Failed>, refused: fn(Box<str>) -> P) -> (Option<P>, FieldPath) {
        let (problem, path) =
            self.trouble.map_or_else(Default::default, |trouble| (trouble.problem, trouble.path));
        let said = error.and_then(|Failed(refusal)| refusal).map(|refusal| refused(refusal.message));
        (problem.or(said), path)
    }
}

/// Where in the value an item stands.
///
/// It is copied for every item, so it is one word, which travels in a register.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0 to 31 | bytes of memory that already stand ready for it |
/// | 32 to 47 | how deep it lies |
/// | 48 | whether it is an element of a sequence that is yet to be counted, unless it is a single byte |
#[derive(Clone, Copy)]
pub(super) struct Place(u64);

const ROOM: u64 = 0xffff_ffff;
const DEPTH: u64 = 0xffff << 32;
const ONE_DEEPER: u64 = 1 << 32;
const COUNTED: u64 = 1 << 48;

impl Place {
    pub(super) const TOP: Place = Place(0);

    /// Returns where a `T` stands for which there is room, and which is not to be counted.
    #[inline(always)]
    pub(super) fn with_room<T>(self) -> Place {
        // Of more room than can be said counts as much as can.
        let size = size_of::<T>() as u64;
        Place(self.0 & DEPTH | if size > ROOM { ROOM } else { size })
    }

    /// Tells whether there is room for a `T`.
    #[inline(always)]
    pub(super) fn has_room<T>(self) -> bool {
        size_of::<T>() as u64 <= self.0 & ROOM
    }

    /// Returns the place of an element, which is to be counted.
    #[inline(always)]
    pub(super) fn to_be_counted(self) -> Place {
        Place(self.0 | COUNTED)
    }

    /// Returns the place of what is not to be counted, or no longer.
    #[inline(always)]
    pub(super) fn counted(self) -> Place {
        Place(self.0 & !COUNTED)
    }

    /// Tells whether the item is yet to be counted.
    #[inline(always)]
    pub(super) fn is_to_be_counted(self) -> bool {
        self.0 & COUNTED != 0
    }

    #[inline(always)]
    fn depth(self) -> u16 {
        (self.0 >> DEPTH.trailing_zeros()) as u16
    }
}

impl Failed {
    #[cold]
    fn with(message: impl fmt::Display) -> Failed {
        Failed(Some(Box::new(Refusal { message: shown(&message.to_string()) })))
    }
}

impl de::Error for Failed {
    fn custom<T: fmt::Display>(message: T) -> Failed {
        Failed::with(message)
    }
}

impl ser::Error for Failed {
    fn custom<T: fmt::Display>(message: T) -> Failed {
        Failed::with(message)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref().map_or("see what the budget kept", |refusal| &refusal.message))
    }
}

impl std::error::Error for Failed {}

fn shown(text: &str) -> Box<str> {
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
