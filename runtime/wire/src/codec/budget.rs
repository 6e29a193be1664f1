//! What one encode or decode may still use up, where in the value it is, and the first thing that went wrong.

use super::error::{Failure, FieldPath, Step};
use crate::{Limit, Limits};

/// A limit that was passed.
pub(super) struct Over {
    pub(super) limit: Limit,
    pub(super) found: u64,
    pub(super) max: u64,
}

/// What is left of the limits that reader and writer count alike; `E` is what is said if they are passed.
pub(super) struct Budget<E: Failure> {
    // One by one and not as `Limits`: those would be copied in pieces which no single field could be read from at once.
    depth: u16,
    elements: u32,
    elements_left: u32,
    produced_bytes: u32,
    trouble: Option<Box<Trouble<E::Problem>>>,
}

/// The first thing that went wrong, and where. It is kept here, because a type may lose the error that it was given.
struct Trouble<P> {
    problem: Option<P>,
    path: FieldPath,
}

impl<E: Failure> Budget<E> {
    pub(super) fn new(limits: &Limits) -> Budget<E> {
        let Limits { depth, elements, produced_bytes, .. } = *limits;
        // A level costs stack, so that no setting may ask for more of them than a thread has.
        let depth = depth.min(Limits::MAX_DEPTH);
        Budget { depth, elements, elements_left: elements, produced_bytes, trouble: None }
    }

    /// Counts an element.
    #[inline(always)]
    pub(super) fn element(&mut self) -> Result<(), Box<E>> {
        let Some(left) = self.elements_left.checked_sub(1) else {
            let max = self.elements.into();
            return Err(self.over(Limit::Elements, max + 1, max));
        };
        self.elements_left = left;
        Ok(())
    }

    /// Returns where things stand that lie within what stands at `place`.
    #[inline(always)]
    pub(super) fn below(&mut self, place: Place) -> Result<Place, Box<E>> {
        if place.depth() >= self.depth {
            return Err(self.over(Limit::Depth, u64::from(place.depth()) + 1, self.depth.into()));
        }
        Ok(Place(place.0 + ONE_DEEPER))
    }

    /// Returns the error of a value that fills more memory than there may be.
    #[cold]
    pub(super) fn over_produced(&mut self, left: usize, wanted: usize) -> Box<E> {
        let max = u64::from(self.produced_bytes);
        self.over(Limit::ProducedBytes, (max - left as u64).saturating_add(wanted as u64), max)
    }

    #[cold]
    pub(super) fn over(&mut self, limit: Limit, found: u64, max: u64) -> Box<E> {
        self.fail(Over { limit, found, max }.into())
    }

    /// Keeps the problem if it is the first, and returns the error that travels through serde.
    #[cold]
    pub(super) fn fail(&mut self, problem: E::Problem) -> Box<E> {
        self.trouble().problem.get_or_insert_with(|| problem.clone());
        Box::new(problem.into())
    }

    /// Notes that the error travels outwards past here.
    #[cold]
    pub(super) fn step(&mut self, step: Step) {
        self.trouble().path.push(step);
    }

    fn trouble(&mut self) -> &mut Trouble<E::Problem> {
        self.trouble.get_or_insert_with(|| Box::new(Trouble { problem: None, path: FieldPath::default() }))
    }

    /// Tells whether nothing has gone wrong.
    #[inline(always)]
    pub(super) fn is_kept(&self) -> bool {
        self.trouble.is_none()
    }

    /// Returns what went wrong, if anything was kept, and which way the error travelled.
    #[cold]
    pub(super) fn end(self) -> (Option<E::Problem>, FieldPath) {
        self.trouble.map_or_else(Default::default, |trouble| (trouble.problem, trouble.path))
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
