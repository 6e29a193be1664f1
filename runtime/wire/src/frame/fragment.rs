//! Payloads larger than one frame: putting the pieces together within bounds.
//!
//! The first piece is an ordinary frame with a [`Part`]; the others are `Fragment` frames. Pieces of
//! different parts may be mixed with one another and with other frames, so that a large message does not
//! hold up small ones. How long a part may stay unfinished is the link machine's to say.

use super::{Extensions, Frame, Header, Kind, Part};
use crate::fault::Violation;

/// The unfinished payloads of one link in one direction.
#[derive(Debug)]
pub struct Reassembler {
    limit: u32,
    parts: [Option<Unfinished>; Reassembler::PARTS],
}

#[derive(Debug)]
struct Unfinished {
    header: Header,
    extensions: Extensions,
    pieces: u32,
    total: u32,
    payload: Vec<u8>,
}

/// A payload that is whole again.
#[derive(Debug, PartialEq, Eq)]
pub struct Assembled {
    /// The header of the first piece.
    pub header: Header,
    /// The extensions of the first piece, without its part.
    pub extensions: Extensions,
    /// The whole payload.
    pub payload: Vec<u8>,
}

impl Reassembler {
    /// How many payloads may be unfinished at a time.
    pub const PARTS: usize = 4;

    /// Starts with none, for payloads of up to `limit` bytes.
    pub fn new(limit: u32) -> Reassembler {
        Reassembler { limit, parts: Default::default() }
    }

    /// Takes the first piece of a payload: a frame whose extensions have a part.
    ///
    /// # Errors
    /// The violation, which our own encoder cannot produce.
    pub fn begin(&mut self, frame: &Frame<'_>, mut extensions: Extensions) -> Result<(), Violation> {
        let Some(Part { number, total }) = extensions.part.take() else {
            return Err(Violation::Part { number: u32::MAX, problem: "is not announced" });
        };
        let violation = |problem| Violation::Part { number, problem };
        let place = self.parts.get_mut(number as usize).ok_or(violation("has a number above the limit"))?;
        if place.is_some() {
            return Err(violation("begins again before it ended"));
        }
        if total > self.limit {
            return Err(Violation::PayloadLength {
                kind: frame.header.kind,
                found: total,
                limit: self.limit,
            });
        }
        if frame.payload.is_empty() || frame.payload.len() >= total as usize {
            return Err(violation("begins with nothing or with all of it"));
        }
        // Only what has arrived is allocated: an announcement costs its sender as much as us.
        let payload = frame.payload.to_vec();
        *place = Some(Unfinished { header: frame.header, extensions, pieces: 0, total, payload });
        Ok(())
    }

    /// Takes a further piece and returns the payload if it was the last.
    ///
    /// # Errors
    /// The violation, which our own encoder cannot produce.
    pub fn add(&mut self, frame: &Frame<'_>) -> Result<Option<Assembled>, Violation> {
        let Header { kind, slot: number, generation: piece, .. } = frame.header;
        let violation = |problem| Violation::Part { number, problem };
        let place = self.parts.get_mut(number as usize).ok_or(violation("has a number above the limit"))?;
        let Some(part) = place.as_mut().filter(|_| kind == Kind::Fragment) else {
            return Err(violation("goes on but has not begun"));
        };
        part.pieces += 1;
        if piece != part.pieces {
            return Err(violation("goes on with a piece out of order"));
        }
        if frame.payload.is_empty() || part.payload.len() + frame.payload.len() > part.total as usize {
            return Err(violation("goes on with nothing or with more than was announced"));
        }
        part.payload.extend_from_slice(frame.payload);
        if part.payload.len() < part.total as usize {
            return Ok(None);
        }
        Ok(place.take().map(|whole| Assembled {
            header: whole.header,
            extensions: whole.extensions,
            payload: whole.payload,
        }))
    }

    /// Returns how many payloads are unfinished.
    pub fn unfinished(&self) -> usize {
        self.parts.iter().flatten().count()
    }

    /// Returns the bytes that unfinished payloads hold.
    pub fn held_bytes(&self) -> usize {
        self.parts.iter().flatten().map(|part| part.payload.len()).sum()
    }
}

#[cfg(test)]
mod tests;
