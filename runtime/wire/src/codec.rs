//! Values to bytes and back, within [`Limits`], at one place.
//!
//! The bytes are those of bincode 2 with fixed-width little-endian integers: lengths take 8 bytes, the
//! number of a variant 4, the tag of an option 1. Fixed width was chosen over variable width because then
//! every value has exactly one encoding, the size of each item is known before it is read, so that the
//! count of bytes left is exact, and reading has no branch per integer.
//!
//! Neither side trusts the value. Encoding counts what decoding will count, so that the *sender* learns
//! that a message is too large. Decoding bounds, before anything is allocated for it: depth, elements,
//! the bytes of memory it fills; it refuses elements without bytes, bytes left over, and whatever is not a
//! valid bool, char, UTF-8, option or variant.
//!
//! What counts as *produced bytes*: text and byte strings with their length, each element of a sequence
//! with the size of its Rust type, entries of maps with twice theirs (hash tables keep slots free), and
//! what stands behind a `Box` where it is larger than the pointer.
//!
//! The reader and the writer are our own, and the limits are part of them: a limit that stands around a reader costs more than
//! the reading (decision 0027). Tests hold both equal to bincode's. What always has as many bytes is within the limits or not before it is
//! read, and has a reader that counts nothing (decision 0040).

mod budget;
pub mod bytes;
mod error;
mod read;
mod read_access;
mod read_fixed;
mod write;
mod write_access;

use serde::{Deserialize, Serialize};

pub use error::{DecodeError, DecodeProblem, EncodeError, EncodeProblem, FieldPath};

use self::error::Failure;
use crate::Limits;
use crate::descriptors::{self, FieldError, Guard, Incoming, Outgoing};
use crate::schema::Schema;

/// Appends the bytes of `value` to `out`. A value with descriptors or addresses is refused.
///
/// ```
/// use bailiwick_wire::{Limits, codec};
/// let mut out = Vec::new();
/// codec::encode(&(7u16, "seven"), &Limits::default(), &mut out).unwrap();
/// let back: (u16, String) = codec::decode(&out, &Limits::default()).unwrap();
/// assert_eq!(back, (7, "seven".to_owned()));
/// ```
///
/// # Errors
/// What the value has too much of, or why it cannot be encoded; `out` is as it was.
pub fn encode<T: Serialize + ?Sized>(
    value: &T,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<(), Box<EncodeError>> {
    write::encode(value, limits, out)
}

/// Reads a value from the whole of `bytes`. A value with descriptors or addresses is refused.
///
/// # Errors
/// What was found, where, and what was expected.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8], limits: &Limits) -> Result<T, Box<DecodeError>> {
    read::decode(bytes, limits)
}

/// Appends the bytes of `value` to `out` and returns what travels beside them. The value keeps its descriptors.
///
/// # Errors
/// As [`encode`]; also within another message's encoding or decoding.
pub fn encode_message<T: Serialize + ?Sized>(
    value: &T,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<Outgoing, Box<EncodeError>> {
    let start = out.len();
    let guard = Guard::encoding(limits).map_err(refused)?;
    let result = write::encode(value, limits, out);
    // A field may be refused by the table and its error lost by the code around it.
    if let Some(error) = guard.error() {
        out.truncate(start);
        return Err(refused(error));
    }
    result.map(|()| guard.outgoing())
}

/// Reads a value from the whole of `bytes` and from what came beside them.
///
/// # Errors
/// As [`decode`]; also if a descriptor or address is not granted, missing, named twice, of another kind, or left over.
/// All of them are closed then.
pub fn decode_message<'a, T: Deserialize<'a> + Schema>(
    bytes: &'a [u8],
    incoming: Incoming,
    limits: &Limits,
) -> Result<T, Box<DecodeError>> {
    // By itself, so that no second reader is compiled for a type that has no use of it.
    #[expect(clippy::collapsible_if, reason = "the compiler leaves out what stands behind a constant")]
    if const { T::FIXED.is_some() } {
        if incoming.is_empty()
            && descriptors::is_outside()
            && let Some(value) = read_fixed::decode(bytes, limits)
        {
            return Ok(value);
        }
    }
    match Guard::decoding(incoming) {
        Ok(guard) => decode_guarded(bytes, guard, limits),
        Err(error) => Err(refused(error)),
    }
}

/// Like the reader, it leaves the result where it stands.
#[inline(always)]
fn decode_guarded<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    guard: Guard,
    limits: &Limits,
) -> Result<T, Box<DecodeError>> {
    let mut result = read::decode(bytes, limits);
    if let Err(error) = guard.finish(result.is_ok()) {
        // A field may be refused by the table and its error lost by the code around it. Where it was, is known all the same.
        let path = result.err().map(|failed| failed.path).unwrap_or_default();
        result = Err(Box::new(DecodeError { problem: error.into(), path }));
    }
    result
}

#[cold]
fn refused<E: Failure<Problem: From<FieldError>>>(error: FieldError) -> Box<E> {
    Box::new(E::Problem::from(error).into())
}
