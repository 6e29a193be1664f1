//! Payloads whose every byte the receiver reads.

#[cfg(any(feature = "kameo-remote", feature = "tarpc"))]
pub use bytes::Bytes;

use crate::workload::Told;

/// The number of a payload that asks what was counted and is not counted itself.
pub const LAST: u64 = u64::MAX;

/// A payload that is sent again and again, each time with another number in front.
pub struct Payload {
    bytes: Vec<u8>,
    rest: u64,
    told: Told,
}

impl Payload {
    /// Makes one of `size` bytes, a multiple of 8 and at least 16.
    pub fn new(size: u64) -> Self {
        let mut bytes: Vec<u8> = (0..size).map(|at| (at * 31 % 251) as u8).collect();
        bytes[..8].fill(0);
        let rest = sum(&bytes);
        Self { bytes, rest, told: Told::default() }
    }

    /// Returns the bytes with the next number, and expects that they are counted.
    pub fn next(&mut self) -> &[u8] {
        let number = self.told.count;
        self.told.add(self.rest.wrapping_add(number));
        self.numbered(number)
    }

    /// Returns the bytes that ask what was counted.
    pub fn last(&mut self) -> &[u8] {
        self.numbered(LAST)
    }

    /// Returns what the receiver has to have counted, and begins anew.
    pub fn expected(&mut self) -> Told {
        std::mem::take(&mut self.told)
    }

    fn numbered(&mut self, number: u64) -> &[u8] {
        self.bytes[..8].copy_from_slice(&number.to_le_bytes());
        &self.bytes
    }
}

/// Returns the number in front of a payload.
pub fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// Reads every byte.
pub fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    assert!(rest.is_empty(), "payloads are made of words");
    words.iter().fold(0, |sum, word| u64::wrapping_add(sum, u64::from_le_bytes(*word)))
}

/// Returns how many payloads of this size are sent between two looks at the clock.
pub fn stride(size: u64) -> u64 {
    ((1 << 18) / size.max(1)).clamp(1, 1024)
}

#[cfg(any(feature = "kameo-remote", feature = "tarpc"))]
mod bytes {
    //! Bytes that serde does not take one by one.

    use std::fmt;

    use serde::de::{Deserialize, Deserializer, Visitor};
    use serde::ser::{Serialize, Serializer};

    /// Bytes in a message, for systems that leave it to serde how.
    #[derive(Debug)]
    pub struct Bytes(pub Vec<u8>);

    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&self.0)
        }
    }

    impl<'de> Deserialize<'de> for Bytes {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_byte_buf(Whole)
        }
    }

    struct Whole;

    impl Visitor<'_> for Whole {
        type Value = Bytes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
            Ok(Bytes(bytes.to_vec()))
        }

        fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
            Ok(Bytes(bytes))
        }
    }
}
