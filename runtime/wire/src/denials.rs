//! What a worker was denied: a part of its [slate](crate::slate), written by the handler of the signal that a filter sends.
//!
//! It is a table of entries, one for each call and whoever was at work when it was denied, and behind them one word that
//! counts what found no room.
//!
//! | word of an entry | meaning |
//! | ---: | --- |
//! | 0 | the number of the system call and one; zero while the entry is free |
//! | 1 | how often it was denied |
//! | 2, 3 | its first two arguments, the first time |
//! | 4 | when it was denied last, in nanoseconds of CLOCK_MONOTONIC |
//! | 5 to 20 | the actor, filled up with zeros |
//! | 21 to 34 | the method, filled up with zeros |
//!
//! Numbers are little endian. What a worker wrote is hostile: it may say that it was denied what it never tried. So it is
//! advice, nothing is decided by it, and whoever shows it escapes it.

use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};

use crate::slate::{DENIALS_AT, text};
use crate::text::cut;

/// The words of one entry.
pub const ENTRY_WORDS: usize = 35;
/// The entries of a table.
pub const ENTRIES: usize = 43;
/// The words of a table.
pub const TABLE_WORDS: usize = ENTRIES * ENTRY_WORDS + 1;
/// The room of the table on a slate.
pub const DENIALS_BYTES: usize = 12 << 10;
/// As many as one reader is told of, those that were denied last.
pub const TOLD_MAX: usize = 16;
/// The longest name of an actor or a method in bytes; the rest of a longer one is cut.
const NAME_BYTES: usize = 96;

const WORD: usize = size_of::<u64>();
const ACTOR: std::ops::Range<usize> = 5 * WORD..21 * WORD;
const METHOD: std::ops::Range<usize> = 21 * WORD..35 * WORD;
const _: () = assert!(TABLE_WORDS * WORD <= DENIALS_BYTES && METHOD.end == ENTRY_WORDS * WORD);

/// A system call that a filter denied, as the worker tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The number of the call.
    pub number: u64,
    /// How often it was denied to the same actor and method.
    pub count: u64,
    /// Its first two arguments, the first time.
    pub arguments: [u64; 2],
    /// When it was denied last, in nanoseconds of CLOCK_MONOTONIC.
    pub last_ns: u64,
    /// The actor that was at work; empty if none was, or it has a thread of its own.
    pub actor: String,
    /// The method, with its protocol.
    pub method: String,
}

/// Returns the table of a slate, as its writer sees it; `None` if it is none.
pub fn table(slate: &[AtomicU64]) -> Option<&[AtomicU64]> {
    slate.get(DENIALS_AT / WORD..)?.get(..TABLE_WORDS)
}

/// Reads a copy of the table: those that were denied last, the latest first, and how often more was denied that is not told.
pub fn read(copy: &[u8]) -> (Vec<Denial>, u64) {
    let mut found: Vec<Denial> =
        copy.chunks_exact(ENTRY_WORDS * WORD).take(ENTRIES).filter_map(entry).collect();
    found.sort_by_key(|denial| std::cmp::Reverse(denial.last_ns));
    let beyond = found.iter().skip(TOLD_MAX).map(|denial| denial.count);
    let without_room = word(copy, ENTRIES * ENTRY_WORDS);
    let untold = beyond.fold(without_room, u64::saturating_add);
    found.truncate(TOLD_MAX);
    (found, untold)
}

fn entry(bytes: &[u8]) -> Option<Denial> {
    let number = word(bytes, 0).checked_sub(1)?;
    let name = |bytes: &[u8]| cut(&text(bytes), NAME_BYTES);
    Some(Denial {
        number,
        count: word(bytes, 1),
        arguments: [word(bytes, 2), word(bytes, 3)],
        last_ns: word(bytes, 4),
        actor: name(&bytes[ACTOR]),
        method: name(&bytes[METHOD]),
    })
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at * WORD..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    fn put(copy: &mut [u8], entry: usize, word: usize, value: u64) {
        let at = (entry * ENTRY_WORDS + word) * WORD;
        copy[at..at + WORD].copy_from_slice(&value.to_le_bytes());
    }

    #[test]
    fn an_untouched_table_says_nothing() {
        assert_eq!(read(&[0; DENIALS_BYTES]), (Vec::new(), 0));
        assert_eq!(read(&[]), (Vec::new(), 0));
        assert!(table(&[]).is_none());
    }

    #[test]
    fn the_latest_are_told_first_and_the_others_are_counted() {
        let mut copy = [0; DENIALS_BYTES];
        for at in 0..ENTRIES {
            let words = [at as u64 + 1, 2, 7, 8, 1000 + at as u64];
            (0..).zip(words).for_each(|(word, value)| put(&mut copy, at, word, value));
        }
        put(&mut copy, ENTRIES, 0, 5);
        put(&mut copy, ENTRIES - 1, 5, u64::from_le_bytes(*b"web/fron"));
        put(&mut copy, ENTRIES - 1, 21, u64::from_le_bytes(*b"Web.get\0"));
        let (told, untold) = read(&copy);
        assert_eq!((told.len(), untold), (TOLD_MAX, 5 + 2 * (ENTRIES - TOLD_MAX) as u64));
        let number = ENTRIES as u64 - 1;
        let latest = Denial {
            number,
            count: 2,
            arguments: [7, 8],
            last_ns: 1000 + number,
            actor: "web/fron".into(),
            method: "Web.get".into(),
        };
        assert_eq!(told[0], latest);
        assert_eq!(told[15].number, number - 15);
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_read_and_is_short(bytes in proptest::collection::vec(any::<u8>(), 0..2 * DENIALS_BYTES)) {
            let (told, _) = read(&bytes);
            assert!(told.len() <= TOLD_MAX);
            assert!(told.iter().all(|denial| denial.actor.len() <= NAME_BYTES && denial.method.len() <= NAME_BYTES));
        }
    }
}
