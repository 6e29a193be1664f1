//! A vector of bytes copied at once; on the wire it is what `Vec<u8>` is, element by element.
//!
//! For `#[serde(with = "..")]`; `#[message]` puts it on fields of the type `Vec<u8>`. What is no field goes through [`AtOnce`].

use std::any::Any;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::schema::{FixedSize, Schema, Shape, Shapes};

/// A value that is written and read as it is by itself, or at once if it is a vector of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtOnce<T>(pub T);

impl<T: Serialize + 'static> Serialize for AtOnce<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0 as &dyn Any).downcast_ref::<Vec<u8>>() {
            Some(bytes) => serialize(bytes, serializer),
            None => self.0.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de> + 'static> Deserialize<'de> for AtOnce<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = None::<T>;
        match (&mut value as &mut dyn Any).downcast_mut::<Option<Vec<u8>>>() {
            Some(bytes) => *bytes = Some(deserialize(deserializer)?),
            None => return T::deserialize(deserializer).map(Self),
        }
        value.map(Self).ok_or_else(|| D::Error::custom("no bytes"))
    }
}

impl<T: Schema> Schema for AtOnce<T> {
    const FIXED: Option<FixedSize> = T::FIXED;

    fn shape(shapes: &mut Shapes) -> Shape {
        T::shape(shapes)
    }
}

/// Writes the bytes.
///
/// # Errors
/// The serializer's.
pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Reads the bytes.
///
/// # Errors
/// The deserializer's.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_byte_buf(Bytes)
}

struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }

    // Formats for people write bytes as a list of numbers.
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = elements.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}
