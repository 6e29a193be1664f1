//! Which paths a worker was denied: the second table of what it was denied, written by the handler as well.
//!
//! | word of an entry | meaning |
//! | ---: | --- |
//! | 0 | the number of the system call and one; zero while the entry is free |
//! | 1 | how often it was denied |
//! | 2 | in its lowest 16 bits the number of the error, in the next 8 what was wanted, in the next 8 where it lies |
//! | 3 | when it was denied last, in nanoseconds of CLOCK_MONOTONIC |
//! | 4 | the descriptor below which the path begins, and one; zero if it begins at the root |
//! | 5 | how long the path is in bytes |
//! | 6 to 21 | the actor, filled up with zeros |
//! | 22 to 35 | the method, filled up with zeros |
//! | 36 to 65 | the path, as much of it as there is room for, filled up with zeros |

use serde::{Deserialize, Serialize};

use super::{Denial, NAME_BYTES, WORD, word};
use crate::slate::text;
use crate::text::cut;

/// The words of one entry.
pub const ENTRY_WORDS: usize = 66;
/// The entries of a table.
pub const ENTRIES: usize = 31;
/// The words of a table.
pub const TABLE_WORDS: usize = ENTRIES * ENTRY_WORDS + 1;
/// The room of the table on a slate.
pub const TABLE_BYTES: usize = 16 << 10;
/// The most of a path that is kept.
pub const PATH_BYTES: usize = PATH.end - PATH.start;

const ACTOR: std::ops::Range<usize> = 6 * WORD..22 * WORD;
const METHOD: std::ops::Range<usize> = 22 * WORD..36 * WORD;
const PATH: std::ops::Range<usize> = 36 * WORD..66 * WORD;
const _: () = assert!(TABLE_WORDS * WORD <= TABLE_BYTES && PATH.end == ENTRY_WORDS * WORD);

/// A path that was denied, as the worker tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeniedPath {
    /// The path; what is no text in it is replaced.
    pub text: String,
    /// There was more of it.
    pub is_cut: bool,
    /// It begins below this descriptor of the worker; without one it begins at the root.
    pub below: Option<u32>,
    /// The number of the error by which the call failed.
    pub errno: u16,
    /// What was wanted.
    pub want: Want,
    /// Where it lies.
    pub place: Place,
}

/// What was wanted with a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Want {
    /// To read it, or to know of it: 0, and every number that nobody knows.
    #[default]
    Read,
    /// To write what is there: 1.
    Write,
    /// To make, move or remove the name, which changes the folder above: 2.
    Name,
}

/// Where a path lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// That is not known: 0, and every number that nobody knows.
    #[default]
    Unknown,
    /// Beside everything that the worker was granted, so that it is hidden from it, or nowhere: 1.
    Hidden,
    /// In something that it was granted: 2.
    Granted,
}

pub(super) fn entry(bytes: &[u8]) -> Option<Denial> {
    let number = word(bytes, 0).checked_sub(1)?;
    let [first, second, want, place, ..] = word(bytes, 2).to_le_bytes();
    let length = word(bytes, 5);
    let name = |bytes: &[u8]| cut(&text(bytes), NAME_BYTES);
    let path = DeniedPath {
        text: cut(&text(&bytes[PATH]), PATH_BYTES),
        is_cut: length >= PATH_BYTES as u64,
        below: word(bytes, 4).checked_sub(1).and_then(|below| u32::try_from(below).ok()),
        errno: u16::from_le_bytes([first, second]),
        want: match want {
            1 => Want::Write,
            2 => Want::Name,
            _ => Want::Read,
        },
        place: match place {
            1 => Place::Hidden,
            2 => Place::Granted,
            _ => Place::Unknown,
        },
    };
    Some(Denial {
        number,
        count: word(bytes, 1),
        arguments: [0; 2],
        last_ns: word(bytes, 3),
        actor: name(&bytes[ACTOR]),
        method: name(&bytes[METHOD]),
        path: Some(path),
    })
}
