//! Pieces of memory that one end of a link writes and lends to the other: who may have which piece when.
//!
//! Each piece has a place, and each place two numbers: how often its piece was lent, which is counted here, and how often it was given
//! back, which the other end says. While the two differ, nobody here touches the piece. What the other end says is compared with the
//! own count and with nothing else: no number makes a piece come back twice, nor more room than there is.
//!
//! | the other end says | what follows |
//! | --- | --- |
//! | more than it has given back | what it is sent is written while it reads, which harms itself |
//! | less, or what was never lent | the place is of no use until the link ends |
//!
//! A piece is lent over one link for as long as it is there. When the link ends, what is here is dropped, lent or not, and what is
//! being written is dropped when it is given. Whoever reads it then keeps it; nobody writes it any more. So nothing follows from
//! the death of a reader but the end of its link.
//!
//! What is idle counts like everything else against one [`Budget`] of the process, and goes when it was not used between two
//! [ticks](Loans::tick).

use alloc::vec::Vec;

/// Places of one link, in each direction.
pub const PLACES: usize = 32;

/// What all links of a process may have together.
#[derive(Debug)]
pub struct Budget {
    most: Most,
    bytes: usize,
    pieces: usize,
}

/// What a budget or a link may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Bytes of all pieces.
    pub bytes: usize,
    /// Pieces.
    pub pieces: usize,
}

impl Budget {
    /// Makes one of which nothing is taken.
    pub const fn new(most: Most) -> Self {
        Self { most, bytes: 0, pieces: 0 }
    }

    /// Returns bytes and number of all pieces that were taken.
    pub fn taken(&self) -> Most {
        Most { bytes: self.bytes, pieces: self.pieces }
    }

    fn has(&self, bytes: usize) -> bool {
        self.pieces < self.most.pieces && bytes <= self.most.bytes - self.bytes
    }

    fn take(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.pieces += 1;
    }

    /// What is given back was taken: each place gives once what it took.
    fn give(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.pieces -= 1;
    }
}

/// The pieces that are lent over one link in one direction.
///
/// ```
/// use bailiwick_core::lending::{Budget, Found, Loans, Most};
///
/// let most = Most { bytes: 1 << 20, pieces: 8 };
/// let (mut budget, mut loans) = (Budget::new(most), Loans::new(most));
/// let nothing_is_back = |_| 0;
/// let Found::Room { place, bytes } = loans.take(100_000, nothing_is_back, &mut budget) else { panic!("there is room") };
/// loans.lend(place);
/// loans.give(place, "a piece", &mut budget);
/// let one_is_back = |_| 1;
/// assert!(matches!(loans.take(bytes, one_is_back, &mut budget), Found::Piece { piece: "a piece", .. }));
/// ```
#[derive(Debug)]
pub struct Loans<P> {
    most: Most,
    has_ended: bool,
    /// Grows with each tick.
    ticks: u64,
    places: Vec<Place<P>>,
}

#[derive(Debug)]
struct Place<P> {
    /// How often its pieces were lent, all of them together.
    lent: u64,
    held: Held<P>,
}

#[derive(Debug)]
enum Held<P> {
    Nothing,
    /// Somebody here writes it, or has a message that is not sent.
    Out {
        bytes: usize,
    },
    Here {
        bytes: usize,
        piece: P,
        /// The tick after which it was given.
        used: u64,
    },
}

impl<P> Held<P> {
    fn bytes(&self) -> Option<usize> {
        match self {
            Self::Nothing => None,
            Self::Out { bytes } | Self::Here { bytes, .. } => Some(*bytes),
        }
    }
}

/// What there is for who wants a piece.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<P> {
    /// This one, which nobody reads. It may hold what was written before.
    Piece {
        /// Its place.
        place: usize,
        /// The piece.
        piece: P,
    },
    /// Room for one of so many bytes: to be made and given, or to be given up.
    Room {
        /// Its place.
        place: usize,
        /// Its bytes.
        bytes: usize,
    },
    /// Nothing: everything is out, the link has ended, or it would be too large.
    Nothing,
}

impl<P> Loans<P> {
    /// Makes those of a new link, which may have so much: of pieces [`PLACES`] at most.
    pub fn new(most: Most) -> Self {
        let pieces = most.pieces.min(PLACES);
        let places = (0..pieces).map(|_| Place { lent: 0, held: Held::Nothing }).collect();
        Self { most: Most { pieces, ..most }, has_ended: false, ticks: 0, places }
    }

    /// Looks for a piece of at least so many bytes. `said` is what the other end says how often a place was given back.
    pub fn take(&mut self, bytes: usize, said: impl Fn(usize) -> u64, budget: &mut Budget) -> Found<P> {
        let Some(room) = room_for(bytes).filter(|room| *room <= self.most.bytes && !self.has_ended) else {
            return Found::Nothing;
        };
        if let Some((place, piece)) = self.fitting(room, &said) {
            return Found::Piece { place, piece };
        }
        loop {
            let vacant = self.places.iter().position(|place| matches!(place.held, Held::Nothing));
            let has_room = budget.has(room) && room <= self.most.bytes - self.bytes();
            if let Some(place) = vacant.filter(|_| has_room) {
                budget.take(room);
                self.places[place].held = Held::Out { bytes: room };
                return Found::Room { place, bytes: room };
            }
            let Some(oldest) = self.oldest_idle(&said) else { return Found::Nothing };
            self.drop_at(oldest, budget);
        }
    }

    /// Notes that the piece of this place was sent once more.
    pub fn lend(&mut self, place: usize) {
        if let Some(place) = self.places.get_mut(place) {
            place.lent += 1;
        }
    }

    /// Takes a piece that nobody here uses any more; the other end may still read it.
    pub fn give(&mut self, place: usize, piece: P, budget: &mut Budget) {
        if self.has_ended {
            return self.give_up(place, budget);
        }
        let used = self.ticks;
        if let Some(held) = self.places.get_mut(place).map(|place| &mut place.held)
            && let Held::Out { bytes } = *held
        {
            *held = Held::Here { bytes, piece, used };
        }
    }

    /// Notes that the piece of this place was not made, or is not there any more.
    pub fn give_up(&mut self, place: usize, budget: &mut Budget) {
        if self.places.get(place).is_some_and(|place| matches!(place.held, Held::Out { .. })) {
            self.drop_at(place, budget);
        }
    }

    /// Drops what nobody reads and nobody has used since the last tick. Returns whether any piece is left.
    pub fn tick(&mut self, said: impl Fn(usize) -> u64, budget: &mut Budget) -> bool {
        for at in 0..self.places.len() {
            let is_stale = matches!(self.places[at].held, Held::Here { used, .. } if used < self.ticks);
            if is_stale && self.is_back(at, &said) {
                self.drop_at(at, budget);
            }
        }
        self.ticks += 1;
        self.has_any()
    }

    /// Notes that the link has ended: nothing is lent any more, and what is here is dropped.
    pub fn end(&mut self, budget: &mut Budget) {
        self.has_ended = true;
        for at in 0..self.places.len() {
            if matches!(self.places[at].held, Held::Here { .. }) {
                self.drop_at(at, budget);
            }
        }
    }

    /// Returns whether there is any piece, here or out.
    pub fn has_any(&self) -> bool {
        self.places.iter().any(|place| !matches!(place.held, Held::Nothing))
    }

    /// Returns the bytes of all pieces.
    pub fn bytes(&self) -> usize {
        self.places.iter().filter_map(|place| place.held.bytes()).sum()
    }

    /// Takes the smallest piece out that is large enough and that nobody reads; of several one that was used last.
    fn fitting(&mut self, room: usize, said: &impl Fn(usize) -> u64) -> Option<(usize, P)> {
        let fits = room..=room.saturating_mul(LARGER_MAX);
        let fitting = (0..self.places.len()).filter_map(|at| match &self.places[at].held {
            Held::Here { bytes, used, .. } if fits.contains(bytes) => Some((*bytes, u64::MAX - *used, at)),
            Held::Here { .. } | Held::Out { .. } | Held::Nothing => None,
        });
        let (bytes, _, at) = fitting.filter(|(_, _, at)| self.is_back(*at, said)).min()?;
        match core::mem::replace(&mut self.places[at].held, Held::Out { bytes }) {
            Held::Here { piece, .. } => Some((at, piece)),
            Held::Out { .. } | Held::Nothing => None,
        }
    }

    fn oldest_idle(&self, said: &impl Fn(usize) -> u64) -> Option<usize> {
        let idle = (0..self.places.len()).filter_map(|at| match &self.places[at].held {
            Held::Here { used, .. } => Some((*used, at)),
            Held::Out { .. } | Held::Nothing => None,
        });
        idle.filter(|(_, at)| self.is_back(*at, said)).min().map(|(_, at)| at)
    }

    fn is_back(&self, at: usize, said: &impl Fn(usize) -> u64) -> bool {
        self.places[at].lent == said(at)
    }

    fn drop_at(&mut self, at: usize, budget: &mut Budget) {
        if let Some(bytes) = core::mem::replace(&mut self.places[at].held, Held::Nothing).bytes() {
            budget.give(bytes);
        }
    }
}

/// Returns how many bytes a piece has that is made for so many: whole eighths of the next power of two, which are whole pages.
fn room_for(bytes: usize) -> Option<usize> {
    let bytes = bytes.max(BYTES_MIN);
    bytes.checked_next_multiple_of(bytes.checked_next_power_of_two()? / 8)
}

/// The smallest piece; an eighth of it is a page.
const BYTES_MIN: usize = 32 << 10;
/// How many times as large as wanted a piece may be.
const LARGER_MAX: usize = 2;

#[cfg(test)]
mod tests;
