//! Numbers that nobody can guess.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Draws a number. All come from one secret that the kernel gave the process.
pub fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Draws a number of 32 bits.
pub fn small_number() -> u32 {
    (number() >> 32) as u32
}
