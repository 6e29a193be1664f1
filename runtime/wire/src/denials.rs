//! What a worker was denied: a part of its [slate](crate::slate), written by the handler of the signal that a filter sends.
//!
//! It is a table of entries, one for each call and whoever was at work when it was denied, and behind them one word that
//! counts what found no room; and from [`CALLS_BYTES`] on another one, of [paths](path).
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

pub mod path;

use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};

use crate::slate::{DENIALS_AT, text};
use crate::text::cut;
use path::DeniedPath;

/// The words of one entry.
pub const ENTRY_WORDS: usize = 35;
/// The entries of a table.
pub const ENTRIES: usize = 43;
/// The words of a table.
pub const TABLE_WORDS: usize = ENTRIES * ENTRY_WORDS + 1;
/// The room of the table.
pub const CALLS_BYTES: usize = 12 << 10;
/// The room of both tables on a slate.
pub const DENIALS_BYTES: usize = CALLS_BYTES + path::TABLE_BYTES;
/// As many calls as one reader is told of, those that were denied last, and as many paths.
pub const TOLD_MAX: usize = 16;
/// The longest name of an actor or a method in bytes; the rest of a longer one is cut.
const NAME_BYTES: usize = 96;

const WORD: usize = size_of::<u64>();
const ACTOR: std::ops::Range<usize> = 5 * WORD..21 * WORD;
const METHOD: std::ops::Range<usize> = 21 * WORD..35 * WORD;
const _: () = assert!(TABLE_WORDS * WORD <= CALLS_BYTES && METHOD.end == ENTRY_WORDS * WORD);

/// A system call that a filter denied, or that was denied a path, as the worker tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The number of the call.
    pub number: u64,
    /// How often it was denied to the same actor and method.
    pub count: u64,
    /// Its first two arguments, the first time; zeros where it is a path that was denied.
    pub arguments: [u64; 2],
    /// When it was denied last, in nanoseconds of CLOCK_MONOTONIC.
    pub last_ns: u64,
    /// The actor that was at work; empty if none was, or it has a thread of its own.
    pub actor: String,
    /// The method, with its protocol.
    pub method: String,
    /// The path, where that was denied and not the call.
    pub path: Option<DeniedPath>,
}

/// Returns the table of a slate, as its writer sees it; `None` if it is none.
pub fn table(slate: &[AtomicU64]) -> Option<&[AtomicU64]> {
    slate.get(DENIALS_AT / WORD..)?.get(..TABLE_WORDS)
}

/// Returns the table of paths on a slate, as its writer sees it; `None` if it is none.
pub fn paths(slate: &[AtomicU64]) -> Option<&[AtomicU64]> {
    slate.get((DENIALS_AT + CALLS_BYTES) / WORD..)?.get(..path::TABLE_WORDS)
}

/// Reads a copy of both tables: calls that were denied last, the latest first, then such paths, and how often more was denied
/// that is not told.
pub fn read(copy: &[u8]) -> (Vec<Denial>, u64) {
    let (calls, paths) = copy.split_at(copy.len().min(CALLS_BYTES));
    let (mut told, untold) = latest(calls, ENTRY_WORDS, ENTRIES, entry);
    let (paths, untold_paths) = latest(paths, path::ENTRY_WORDS, path::ENTRIES, path::entry);
    told.extend(paths);
    (told, untold.saturating_add(untold_paths))
}

fn latest(
    table: &[u8],
    words: usize,
    entries: usize,
    read: fn(&[u8]) -> Option<Denial>,
) -> (Vec<Denial>, u64) {
    let mut found: Vec<Denial> = table.chunks_exact(words * WORD).take(entries).filter_map(read).collect();
    found.sort_by_key(|denial| std::cmp::Reverse(denial.last_ns));
    let beyond = found.iter().skip(TOLD_MAX).map(|denial| denial.count);
    let untold = beyond.fold(word(table, entries * words), u64::saturating_add);
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
        path: None,
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
            path: None,
        };
        assert_eq!(told[0], latest);
        assert_eq!(told[15].number, number - 15);
    }

    #[test]
    fn paths_are_told_behind_the_calls_with_what_was_wanted_and_what_came_of_it() {
        let mut copy = [0; DENIALS_BYTES];
        put(&mut copy, 0, 0, 5);
        let (_, paths) = copy.split_at_mut(CALLS_BYTES);
        let mut put = |entry: usize, word: usize, value: u64| {
            let at = (entry * path::ENTRY_WORDS + word) * WORD;
            paths[at..at + WORD].copy_from_slice(&value.to_le_bytes());
        };
        for at in 0..path::ENTRIES {
            let words = [at as u64 + 1, 3, 2 | 1 << 16 | 2 << 24, 1000 + at as u64, 8, 7];
            (0..).zip(words).for_each(|(word, value)| put(at, word, value));
            put(at, 36, u64::from_le_bytes(*b"/etc/x\0\0"));
        }
        let last = path::ENTRIES - 1;
        put(last, 6, u64::from_le_bytes(*b"web/fron"));
        put(last, 5, 240);
        put(last, 4, 0);
        put(path::ENTRIES, 0, 9);
        let (told, untold) = read(&copy);
        assert_eq!((told.len(), untold), (1 + TOLD_MAX, 9 + 3 * (path::ENTRIES - TOLD_MAX) as u64));
        let denied = DeniedPath {
            text: "/etc/x".into(),
            is_cut: false,
            below: Some(7),
            errno: 2,
            want: path::Want::Write,
            place: path::Place::Granted,
        };
        assert_eq!(told[2].path.as_ref(), Some(&denied));
        let (longest, wanted) =
            (told[1].path.as_ref().unwrap(), DeniedPath { is_cut: true, below: None, ..denied });
        assert_eq!((longest, told[1].actor.as_str(), told[1].number), (&wanted, "web/fron", last as u64));
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_read_and_is_short(bytes in proptest::collection::vec(any::<u8>(), 0..2 * DENIALS_BYTES)) {
            let (told, _) = read(&bytes);
            assert!(told.len() <= 2 * TOLD_MAX);
            assert!(told.iter().all(|denial| denial.actor.len() <= NAME_BYTES && denial.method.len() <= NAME_BYTES));
            assert!(told.iter().filter_map(|denial| denial.path.as_ref()).all(|path| path.text.len() <= path::PATH_BYTES));
        }
    }
}
