//! What a supervisor writes down of its processes, for the supervisor that comes after it.
//!
//! A file of a header of 48 bytes and 16 bytes for each process, little endian, without gaps: magic, layout, zero,
//! number of workers, checksum of everything else, boot; then the supervisor and its workers. Magic, layout and
//! checksum keep their places in every layout, so that a newer one can be told from a damaged one.

use thiserror::Error;

/// The version of the layout: another one for every change of it.
pub const STATE_LAYOUT: u16 = 1;

/// The longest record, in bytes: as many workers as there can be.
pub const STATE_BYTES_MAX: usize = HEADER_BYTES + LIFE_BYTES * (1 + 65_536);

/// Processes as they were when this was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateRecord {
    /// The boot of the machine: process numbers and users say nothing in another one.
    pub boot: [u8; 16],
    /// The supervisor itself.
    pub supervisor: Life,
    /// The first process of each worker that lived.
    pub workers: Vec<Life>,
}

/// A process, and what belongs to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// Its number.
    pub pid: u32,
    /// When it was started, in the kernel's ticks since the boot: field 22 of `/proc/PID/stat`.
    pub born: u64,
    /// The user that is nobody else's, so that all of it may be killed; `None` if it has none of its own.
    pub user: Option<u32>,
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StateRecordError {
    /// A later version wrote it, and knows why it looks different.
    #[error("it has layout {found}, and this version knows none above {STATE_LAYOUT}")]
    Newer {
        /// Its layout.
        found: u16,
    },
    /// An earlier version wrote it.
    #[error("it has layout {found}, expected {STATE_LAYOUT}")]
    Older {
        /// Its layout.
        found: u16,
    },
    /// It is cut short, or it is too long.
    #[error("it has {found} bytes, expected {expected}")]
    Length {
        /// The bytes found.
        found: usize,
        /// The bytes expected.
        expected: usize,
    },
    /// It begins with something else, or its bytes are not those that were written.
    #[error("it is not what a supervisor wrote")]
    Damaged,
}

impl StateRecord {
    /// Writes it as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + LIFE_BYTES * (1 + self.workers.len()));
        bytes.extend(MAGIC);
        bytes.extend(STATE_LAYOUT.to_le_bytes());
        bytes.extend([0; 10]);
        bytes.extend((self.workers.len() as u32).to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(self.boot);
        for life in std::iter::once(&self.supervisor).chain(&self.workers) {
            bytes.extend(life.pid.to_le_bytes());
            bytes.extend(life.user.unwrap_or(NOBODY).to_le_bytes());
            bytes.extend(life.born.to_le_bytes());
        }
        let sum = checksum(&bytes);
        bytes[CHECKSUM_AT..CHECKSUM_AT + 8].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads a file.
    ///
    /// # Errors
    /// See [`StateRecordError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateRecordError> {
        let length = |expected| StateRecordError::Length { found: bytes.len(), expected };
        if bytes.len() < HEADER_BYTES {
            return Err(length(HEADER_BYTES));
        }
        if !bytes.starts_with(&MAGIC) || u64_at(bytes, CHECKSUM_AT) != checksum(bytes) {
            return Err(StateRecordError::Damaged);
        }
        match u16::from_le_bytes([bytes[8], bytes[9]]) {
            STATE_LAYOUT => {}
            found if found > STATE_LAYOUT => return Err(StateRecordError::Newer { found }),
            found => return Err(StateRecordError::Older { found }),
        }
        let expected = (u32_at(bytes, 20) as usize).saturating_add(1).saturating_mul(LIFE_BYTES);
        let (header, lives) = bytes.split_at(HEADER_BYTES);
        if lives.len() != expected {
            return Err(length(HEADER_BYTES.saturating_add(expected)));
        }
        let mut lives = lives.chunks_exact(LIFE_BYTES).map(|life| Life {
            pid: u32_at(life, 0),
            user: Some(u32_at(life, 4)).filter(|user| *user != NOBODY),
            born: u64_at(life, 8),
        });
        let mut boot = [0; 16];
        boot.copy_from_slice(&header[32..48]);
        let supervisor = lives.next().ok_or(StateRecordError::Damaged)?;
        Ok(Self { boot, supervisor, workers: lives.collect() })
    }
}

/// FNV-1a over everything but the checksum: chance is to be noticed, and nobody but the owner can write the file.
fn checksum(bytes: &[u8]) -> u64 {
    let rest = bytes[..CHECKSUM_AT].iter().chain(&bytes[CHECKSUM_AT + 8..]);
    rest.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

const MAGIC: [u8; 8] = *b"bwstate\n";
const HEADER_BYTES: usize = 48;
const CHECKSUM_AT: usize = 24;
const LIFE_BYTES: usize = 16;
const NOBODY: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> StateRecord {
        let life = |pid, user| Life { pid, born: 7_000_000_000, user };
        let workers = vec![life(11, Some(0x7000_0001)), life(12, None)];
        StateRecord { boot: *b"0123456789abcdef", supervisor: life(10, None), workers }
    }

    fn of_layout(layout: u16) -> Vec<u8> {
        let mut bytes = record().to_bytes();
        bytes[8..10].copy_from_slice(&layout.to_le_bytes());
        let sum = checksum(&bytes);
        bytes[CHECKSUM_AT..CHECKSUM_AT + 8].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    #[test]
    fn a_record_reads_back() {
        for record in [record(), StateRecord::default()] {
            assert_eq!(StateRecord::from_bytes(&record.to_bytes()), Ok(record));
        }
    }

    #[test]
    fn no_single_bit_can_change_unnoticed() {
        let whole = record().to_bytes();
        for at in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            assert_eq!(StateRecord::from_bytes(&bytes), Err(StateRecordError::Damaged), "bit {at}");
        }
    }

    #[test]
    fn one_that_is_cut_short_is_none() {
        let whole = record().to_bytes();
        assert!((0..whole.len()).all(|length| StateRecord::from_bytes(&whole[..length]).is_err()));
    }

    #[test]
    fn other_layouts_are_told_from_damage() {
        let newer = StateRecordError::Newer { found: STATE_LAYOUT + 1 };
        assert_eq!(StateRecord::from_bytes(&of_layout(STATE_LAYOUT + 1)), Err(newer));
        assert_eq!(StateRecord::from_bytes(&of_layout(0)), Err(StateRecordError::Older { found: 0 }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            let _ = StateRecord::from_bytes(&bytes);
            if bytes.len() >= HEADER_BYTES {
                bytes[..8].copy_from_slice(&MAGIC);
                bytes[8..10].copy_from_slice(&STATE_LAYOUT.to_le_bytes());
                let sum = checksum(&bytes);
                bytes[CHECKSUM_AT..CHECKSUM_AT + 8].copy_from_slice(&sum.to_le_bytes());
                let _ = StateRecord::from_bytes(&bytes);
            }
        }
    }
}
