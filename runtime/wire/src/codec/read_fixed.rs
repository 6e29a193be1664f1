//! Decoding what always has as many bytes.
//!
//! Such a value announces nothing: no length, no variant, no text. So nothing has to be counted while it is read: whether it is
//! within the limits is known from its type and from how many bytes came. Whatever is not as it should be is left to the reader
//! that counts, which says why; hence the two agree, also on a type of which size or depth is not what it says. What such a type must
//! not do is to carry anything or to fill other memory than its own: that is counted by the other reader only.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use crate::Limits;
use crate::schema::{FixedSize, Schema};

/// Reads a value from the whole of `bytes`. Returns `None` if the other reader is to do so.
#[inline(always)]
pub(super) fn decode<'de, T: Deserialize<'de> + Schema>(bytes: &'de [u8], limits: &Limits) -> Option<T> {
    let FixedSize { bytes: len, depth } = const { T::FIXED }?;
    let permitted = len <= limits.frame_bytes as usize && depth <= limits.depth.min(Limits::MAX_DEPTH);
    if bytes.len() != len || !permitted {
        return None;
    }
    let mut left = bytes;
    let value = T::deserialize(Item { left: &mut left }).ok()?;
    left.is_empty().then_some(value)
}

/// The next item of a value.
struct Item<'r, 'de> {
    left: &'r mut &'de [u8],
}

/// The other reader is to say what is wrong.
#[derive(Debug)]
struct Doubt;

impl std::error::Error for Doubt {}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not of the size that its type has")
    }
}

impl Error for Doubt {
    fn custom<T: fmt::Display>(_: T) -> Doubt {
        Doubt
    }
}

impl Item<'_, '_> {
    #[inline(always)]
    fn array<const N: usize>(self) -> Result<[u8; N], Doubt> {
        let (bytes, left) = self.left.split_first_chunk().ok_or(Doubt)?;
        *self.left = left;
        Ok(*bytes)
    }
}

macro_rules! items {
    ($($method:ident $visit:ident $type:ty)*) => {$(
        #[inline(always)]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Doubt> {
            visitor.$visit(<$type>::from_le_bytes(self.array()?))
        }
    )*};
}

impl<'de> Deserializer<'de> for Item<'_, 'de> {
    type Error = Doubt;

    items! {
        deserialize_u8 visit_u8 u8 deserialize_u16 visit_u16 u16 deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64 deserialize_u128 visit_u128 u128
        deserialize_i8 visit_i8 i8 deserialize_i16 visit_i16 i16 deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64 deserialize_i128 visit_i128 i128
        deserialize_f32 visit_f32 f32 deserialize_f64 visit_f64 f64
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Doubt> {
        Err(Doubt)
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf option seq map enum identifier ignored_any
    }

    #[inline(always)]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Doubt> {
        match self.array()? {
            [0] => visitor.visit_bool(false),
            [1] => visitor.visit_bool(true),
            _ => Err(Doubt),
        }
    }

    #[inline(always)]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Doubt> {
        visitor.visit_unit()
    }

    #[inline(always)]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Doubt> {
        visitor.visit_unit()
    }

    #[inline(always)]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Doubt> {
        visitor.visit_newtype_struct(self)
    }

    #[inline(always)]
    fn deserialize_tuple<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Doubt> {
        visitor.visit_seq(Fields { left: self.left, count })
    }

    #[inline(always)]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Doubt> {
        self.deserialize_tuple(count, visitor)
    }

    #[inline(always)]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Doubt> {
        self.deserialize_tuple(names.len(), visitor)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// A row of fields.
struct Fields<'r, 'de> {
    left: &'r mut &'de [u8],
    count: usize,
}

impl<'de> SeqAccess<'de> for Fields<'_, 'de> {
    type Error = Doubt;

    #[inline(always)]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Doubt> {
        let Some(count) = self.count.checked_sub(1) else { return Ok(None) };
        self.count = count;
        seed.deserialize(Item { left: self.left }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.count)
    }
}
