//! Pieces of memory that are written here, lent to others to be read, and written again when all of them have given them back.
//!
//! Who may have a piece is known from two numbers: how often it was lent, which is counted here, and how often it was given back,
//! which its readers say. While the two differ, nobody here touches it. A reader that dies gives nothing back; so once a link has
//! ended, a piece that was handed out before and is still lent is *forgotten*: it stays with its readers, is not written again
//! by anybody, and the room that it took is there for another.
//!
//! A reader that says what is not so harms who reads the same piece, and nobody else: one that never gives back has at most what
//! was lent, until its link ends; and no number that it says makes more room than there is.
//!
//! What was once on its way at a time stays, so that it need not be made again: a fresh page costs more than to copy one. The piece
//! that was used last is used first; those that were not needed for long go, but for a limit.

use alloc::vec::Vec;

/// A piece, as the pool sees it.
pub trait Piece {
    /// Returns how many bytes it has.
    fn bytes(&self) -> usize;
    /// Returns whether everybody whom it was lent to has given it back.
    fn is_back(&self) -> bool;
}

/// The pieces of one process.
///
/// ```
/// use bailiwick_core::lending::{Found, Most, Piece, Pool};
///
/// struct Plain(usize);
/// impl Piece for Plain {
///     fn bytes(&self) -> usize { self.0 }
///     fn is_back(&self) -> bool { true }
/// }
///
/// let mut pool = Pool::new(Most { bytes: 1 << 20, idle_bytes: 1 << 18, pieces: 8 });
/// pool.link_began();
/// let Found::Room(bytes, mark) = pool.take(100_000) else { panic!("there is room") };
/// pool.give(Plain(bytes), mark);
/// assert!(matches!(pool.take(100_000), Found::Piece(Plain(131_072), _)));
/// ```
#[derive(Debug)]
pub struct Pool<P> {
    most: Most,
    /// Bytes and number of all pieces that are not forgotten, here or handed out.
    bytes: usize,
    pieces: usize,
    /// Links over which pieces are lent.
    links: usize,
    /// Links that have ended.
    ended: Mark,
    /// How many pieces, or room for one, were handed out.
    taken: u64,
    /// The pieces that nobody here uses, the one that was given first in front.
    shelf: Vec<Shelved<P>>,
}

#[derive(Debug)]
struct Shelved<P> {
    piece: P,
    /// How many were handed out before it was given.
    since: u64,
}

/// What a pool may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Bytes of all pieces.
    pub bytes: usize,
    /// Bytes of the pieces that nobody uses, besides those that were used among the last [`STALE`].
    pub idle_bytes: usize,
    /// Pieces.
    pub pieces: usize,
}

/// How many links had ended when a piece was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// What there is for who wants a piece.
#[derive(Debug)]
pub enum Found<P> {
    /// This one, which nobody reads. It may hold what was written before.
    Piece(P, Mark),
    /// Room for one of so many bytes: to be made and given, or to be given up by [`Pool::give_up`].
    Room(usize, Mark),
    /// Nothing: there is no link to lend over, or everything is out.
    Nothing,
}

impl<P: Piece> Pool<P> {
    /// Makes one that may have so much.
    pub const fn new(most: Most) -> Self {
        Self { most, bytes: 0, pieces: 0, links: 0, ended: Mark(0), taken: 0, shelf: Vec::new() }
    }

    /// Notes that there is one link more to lend over.
    pub fn link_began(&mut self) {
        self.links += 1;
    }

    /// Notes that a link has ended: who was lent something over it may never give it back. Without any link nothing is kept.
    pub fn link_ended(&mut self) {
        self.links = self.links.saturating_sub(1);
        self.ended.0 += 1;
        let keeps = self.links > 0;
        self.forget(|piece| !keeps || !piece.is_back());
    }

    /// Looks for a piece of at least so many bytes.
    pub fn take(&mut self, bytes: usize) -> Found<P> {
        let room = bytes.max(BYTES_MIN).checked_next_power_of_two().filter(|room| *room <= self.most.bytes);
        let Some(room) = room.filter(|_| self.links > 0) else { return Found::Nothing };
        let mark = self.ended;
        self.taken += 1;
        let fits =
            |piece: &P| (room..=room.saturating_mul(LARGER_MAX)).contains(&piece.bytes()) && piece.is_back();
        let fitting = self.shelf.iter().enumerate().rev().filter(|(_, shelved)| fits(&shelved.piece));
        if let Some((at, _)) = fitting.min_by_key(|(_, shelved)| shelved.piece.bytes()) {
            let piece = self.shelf.remove(at).piece;
            self.trim();
            return Found::Piece(piece, mark);
        }
        while self.bytes + room > self.most.bytes || self.pieces >= self.most.pieces {
            if !self.drop_one() {
                return Found::Nothing;
            }
        }
        self.bytes += room;
        self.pieces += 1;
        Found::Room(room, mark)
    }

    /// Takes a piece that nobody here uses any more, with the mark that it was handed out with. Others may still read it.
    pub fn give(&mut self, piece: P, mark: Mark) {
        if self.links == 0 || (mark < self.ended && !piece.is_back()) {
            return self.give_up(piece.bytes());
        }
        self.shelf.push(Shelved { piece, since: self.taken });
    }

    /// Notes that a piece of so many bytes was not made, or is not there any more.
    pub fn give_up(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.pieces = self.pieces.saturating_sub(1);
    }

    /// Returns how many bytes all pieces have that are not forgotten.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops what was not needed for long, beyond the limit of it.
    fn trim(&mut self) {
        while self.idle_bytes() > self.most.idle_bytes {
            let is_stale =
                |shelved: &Shelved<P>| self.taken - shelved.since > STALE && shelved.piece.is_back();
            let Some(at) = self.shelf.iter().position(is_stale) else { return };
            let piece = self.shelf.remove(at).piece;
            self.give_up(piece.bytes());
        }
    }

    fn idle_bytes(&self) -> usize {
        let idle = self.shelf.iter().filter(|shelved| shelved.piece.is_back());
        idle.map(|shelved| shelved.piece.bytes()).sum()
    }

    /// Drops the piece that nobody has used for longest. Returns false if there is none.
    fn drop_one(&mut self) -> bool {
        let Some(at) = self.shelf.iter().position(|shelved| shelved.piece.is_back()) else { return false };
        let piece = self.shelf.remove(at).piece;
        self.give_up(piece.bytes());
        true
    }

    fn forget(&mut self, is_lost: impl Fn(&P) -> bool) {
        let lost: Vec<_> = self.shelf.extract_if(.., |shelved| is_lost(&shelved.piece)).collect();
        lost.iter().for_each(|shelved| self.give_up(shelved.piece.bytes()));
    }
}

/// The smallest piece.
const BYTES_MIN: usize = 32 << 10;
/// After so many others a piece was not needed for long.
pub const STALE: u64 = 256;
/// How many times as large as wanted a piece may be.
const LARGER_MAX: usize = 4;

#[cfg(test)]
mod tests;
