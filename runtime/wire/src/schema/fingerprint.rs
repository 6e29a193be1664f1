//! A hash over the text of a shape.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A 128-bit hash over the text of a method's shape, the same in every build and on every platform.
///
/// It is FNV-1a with 128 bits: ten lines without a dependency, defined byte by byte. It need only keep
/// honest shapes apart. A hostile peer gains nothing by a collision, since it could as well claim the
/// fingerprint itself: its payloads are decoded within budgets whatever it claimed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint(pub [u8; 16]);

const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

impl Fingerprint {
    /// Returns the fingerprint of a text.
    ///
    /// ```
    /// use bailiwick_wire::schema::Fingerprint;
    /// assert_eq!(Fingerprint::of("").to_string(), "6c62272e07bb014262b821756295c58d");
    /// ```
    pub const fn of(text: &str) -> Fingerprint {
        Self::of_bytes(text.as_bytes())
    }

    /// Returns the fingerprint of bytes.
    pub const fn of_bytes(bytes: &[u8]) -> Fingerprint {
        let mut hash = OFFSET_BASIS;
        let mut at = 0;
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u128).wrapping_mul(PRIME);
            at += 1;
        }
        Fingerprint(hash.to_be_bytes())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // From the published test vectors of FNV-1a with 128 bits.
        assert_eq!(Fingerprint::of("a").to_string(), "d228cb696f1a8caf78912b704e4a8964");
        assert_eq!(Fingerprint::of("foobar").to_string(), "343e1662793c64bf6f0d3597ba446f18");
    }
}
