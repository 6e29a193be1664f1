//! Decoding: bincode's encoding, read by a deserializer that counts.
//!
//! The reader is our own, though the encoding is bincode's, because limits that stand around a reader cost more than the
//! reading: each item would go through two deserializers, and each result through memory, for bincode's errors are several
//! words. Here an item is one look at the bytes that are left, and an error is one word.
//!
//! Nothing is allocated before the bytes for it are known to be there. Owned text and bytes are given out in their
//! borrowed form, which the type copies.

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::budget::{Budget, Over, Place};
use super::error::{DecodeError, DecodeProblem, Step};
use super::read_access::{Elements, Entries, Fields, Variant};
use crate::{Limit, Limits};

/// Reads a value from the whole of `bytes`.
///
/// The result is not taken apart, and `DecodeError` is behind a pointer, so that the type may write the value where the caller
/// wants it. A copy of what was just written field by field waits for those writes, for longer than they take.
#[inline(always)]
pub(super) fn decode<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<T, Box<DecodeError>> {
    if bytes.len() > limits.frame_bytes as usize {
        return Err(too_long(bytes.len(), limits));
    }
    let produced_left = limits.produced_bytes as usize;
    whole(Reader { left: bytes, produced_left, budget: Budget::new(limits) })
}

#[inline(always)]
fn whole<'a, T: Deserialize<'a>>(mut reader: Reader<'a>) -> Result<T, Box<DecodeError>> {
    let mut result = T::deserialize(Item { reader: &mut reader, place: Place::TOP.with_room::<T>() });
    if result.is_err() || !reader.budget.is_kept() || !reader.left.is_empty() {
        result = Err(reader.refuse(result.err()));
    }
    result
}

#[cold]
fn too_long(len: usize, limits: &Limits) -> Box<DecodeError> {
    let over = Over { limit: Limit::FrameBytes, found: len as u64, max: limits.frame_bytes.into() };
    Box::new(DecodeProblem::from(over).into())
}

/// What is left of the bytes and of the limits.
pub(super) struct Reader<'de> {
    pub(super) left: &'de [u8],
    /// Bytes of memory that may still be filled.
    produced_left: usize,
    pub(super) budget: Budget<DecodeError>,
}

impl<'de> Reader<'de> {
    /// Returns why there is no value: what was kept, or else what the type said.
    #[cold]
    fn refuse(self, said: Option<Box<DecodeError>>) -> Box<DecodeError> {
        let (kept, path) = self.budget.end();
        // If nothing was refused, there is more than the value.
        let trailing = DecodeProblem::Trailing { left: self.left.len() as u64 };
        let problem = kept.or_else(|| said.map(|said| said.problem)).unwrap_or(trailing);
        Box::new(DecodeError { problem, path })
    }

    /// Takes as many bytes as an item of fixed size has.
    #[inline(always)]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Box<DecodeError>> {
        let Some((bytes, left)) = self.left.split_first_chunk() else { return Err(self.truncated(N)) };
        self.left = left;
        Ok(*bytes)
    }

    /// Counts memory that decoding fills.
    #[inline(always)]
    pub(super) fn produce(&mut self, bytes: usize) -> Result<(), Box<DecodeError>> {
        let left = self.produced_left;
        if bytes > left {
            return Err(self.budget.over_produced(left, bytes));
        }
        self.produced_left = left - bytes;
        Ok(())
    }

    /// Takes text or bytes, which come with their length and fill as much memory.
    #[inline]
    fn string(&mut self) -> Result<&'de [u8], Box<DecodeError>> {
        let announced = u64::from_le_bytes(self.array()?);
        let Some((bytes, left)) =
            usize::try_from(announced).ok().and_then(|len| self.left.split_at_checked(len))
        else {
            return Err(self
                .budget
                .fail(DecodeProblem::Truncated { missing: announced - self.left.len() as u64 }));
        };
        self.produce(bytes.len())?;
        self.left = left;
        Ok(bytes)
    }

    /// Takes the length of a sequence or a map, of which each element has at least one byte.
    #[inline]
    fn length(&mut self) -> Result<usize, Box<DecodeError>> {
        let (announced, left) = (u64::from_le_bytes(self.array()?), self.left.len() as u64);
        if announced > left {
            return Err(self.budget.fail(DecodeProblem::Length { announced, left }));
        }
        Ok(announced as usize)
    }

    #[cold]
    fn truncated(&mut self, wanted: usize) -> Box<DecodeError> {
        self.budget.fail(DecodeProblem::Truncated { missing: (wanted - self.left.len()) as u64 })
    }
}

/// The next item of a value: the deserializer that its type is given.
pub(super) struct Item<'r, 'de> {
    pub(super) reader: &'r mut Reader<'de>,
    pub(super) place: Place,
}

impl<'r, 'de> Item<'r, 'de> {
    /// Counts an item, if it is to be counted.
    #[inline(always)]
    fn count(&mut self) -> Result<(), Box<DecodeError>> {
        if self.place.is_to_be_counted() { self.reader.budget.element() } else { Ok(()) }
    }

    /// Counts an item whose value is a `T`, which is behind a pointer if there is no room for it.
    #[inline(always)]
    fn open<T>(mut self) -> Result<Item<'r, 'de>, Box<DecodeError>> {
        self.count()?;
        if self.place.has_room::<T>() {
            return Ok(Item { place: self.place.counted(), ..self });
        }
        self.reader.produce(size_of::<T>())?;
        Ok(Item { place: self.place.with_room::<T>(), ..self })
    }

    /// Goes one level deeper.
    #[inline(always)]
    pub(super) fn below(self) -> Result<Item<'r, 'de>, Box<DecodeError>> {
        let place = self.reader.budget.below(self.place)?;
        Ok(Item { place, ..self })
    }

    /// Reads what is of this type: an error that travels out of it notes that.
    #[inline(always)]
    fn within<T>(
        self,
        name: &'static str,
        read: impl FnOnce(Item<'_, 'de>) -> Result<T, Box<DecodeError>>,
    ) -> Result<T, Box<DecodeError>> {
        let Item { reader, place } = self;
        let read = read(Item { reader: &mut *reader, place });
        if read.is_err() {
            reader.budget.step(Step::Type(name));
        }
        read
    }

    /// Reads a row of fields.
    #[inline(always)]
    pub(super) fn fields<V: Visitor<'de>>(
        self,
        count: usize,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Box<DecodeError>> {
        let Item { reader, place } = self.below()?;
        visitor.visit_seq(Fields { reader, place, names, count, next: 0 })
    }
}

macro_rules! items {
    ($($method:ident $visit:ident $type:ty)*) => {$(
        #[inline(always)]
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Box<DecodeError>> {
            self.count()?;
            visitor.$visit(<$type>::from_le_bytes(self.reader.array()?))
        }
    )*};
}

/// Bytes are not counted as elements: there are as many of them at most as the payload has.
macro_rules! single_bytes {
    ($($method:ident $visit:ident $type:ty)*) => {$(
        #[inline(always)]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Box<DecodeError>> {
            visitor.$visit(<$type>::from_le_bytes(self.reader.array()?))
        }
    )*};
}

macro_rules! not_self_describing {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Box<DecodeError>> {
            Err(self.reader.budget.fail(DecodeProblem::NotSelfDescribing))
        }
    )*};
}

impl<'de> Deserializer<'de> for Item<'_, 'de> {
    type Error = Box<DecodeError>;

    single_bytes! { deserialize_u8 visit_u8 u8 deserialize_i8 visit_i8 i8 }

    items! {
        deserialize_u16 visit_u16 u16 deserialize_u32 visit_u32 u32 deserialize_u64 visit_u64 u64
        deserialize_i16 visit_i16 i16 deserialize_i32 visit_i32 i32 deserialize_i64 visit_i64 i64
        deserialize_u128 visit_u128 u128 deserialize_i128 visit_i128 i128
        deserialize_f32 visit_f32 f32 deserialize_f64 visit_f64 f64
    }

    not_self_describing! { deserialize_any deserialize_identifier deserialize_ignored_any }

    #[inline(always)]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Box<DecodeError>> {
        match self.reader.array()? {
            [0] => visitor.visit_bool(false),
            [1] => visitor.visit_bool(true),
            [found] => Err(self.reader.budget.fail(invalid("bool", found.into()))),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Box<DecodeError>> {
        self.count()?;
        visitor.visit_char(self.reader.character()?)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Box<DecodeError>> {
        self.count()?;
        match str::from_utf8(self.reader.string()?) {
            Ok(text) => visitor.visit_borrowed_str(text),
            Err(error) => {
                Err(self.reader.budget.fail(DecodeProblem::Utf8 { valid_up_to: error.valid_up_to() as u64 }))
            }
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Box<DecodeError>> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Box<DecodeError>> {
        self.count()?;
        visitor.visit_borrowed_bytes(self.reader.string()?)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Box<DecodeError>> {
        self.deserialize_bytes(visitor)
    }

    #[inline(always)]
    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Box<DecodeError>> {
        self.count()?;
        visitor.visit_unit()
    }

    #[inline(always)]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Box<DecodeError>> {
        self.deserialize_unit(visitor)
    }

    #[inline(always)]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Box<DecodeError>> {
        let item = self.open::<V::Value>()?;
        match item.reader.array()? {
            [0] => visitor.visit_none(),
            [1] => visitor.visit_some(item.below()?),
            [found] => Err(item.reader.budget.fail(invalid("tag of an option", found.into()))),
        }
    }

    #[inline(always)]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Box<DecodeError>> {
        self.open::<V::Value>()?.below()?.within(name, |item| visitor.visit_newtype_struct(item))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Box<DecodeError>> {
        let Item { reader, place } = self.open::<()>()?.below()?;
        let count = reader.length()?;
        visitor.visit_seq(Elements { reader, place, count, next: 0 })
    }

    #[inline(always)]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Box<DecodeError>> {
        self.open::<V::Value>()?.fields(len, &[], visitor)
    }

    #[inline(always)]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Box<DecodeError>> {
        self.open::<V::Value>()?.within(name, |item| item.fields(len, &[], visitor))
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Box<DecodeError>> {
        let Item { reader, place } = self.open::<()>()?.below()?;
        let count = reader.length()?;
        let before = reader.left.len();
        visitor.visit_map(Entries { reader, place, count, before })
    }

    #[inline(always)]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Box<DecodeError>> {
        self.open::<V::Value>()?.within(name, |item| item.fields(names.len(), names, visitor))
    }

    #[inline(always)]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Box<DecodeError>> {
        self.open::<V::Value>()?.within(name, |item| visitor.visit_enum(Variant(item)))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl Reader<'_> {
    /// Takes a character, which stands there in UTF-8.
    fn character(&mut self) -> Result<char, Box<DecodeError>> {
        let Some(first) = self.left.first() else { return Err(self.truncated(1)) };
        let len = match first {
            0x00..0x80 => 1,
            0xc2..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0..0xf5 => 4,
            other => {
                let found = u64::from(*other) << 24;
                return Err(self.budget.fail(invalid("char", found)));
            }
        };
        let Some((bytes, left)) = self.left.split_at_checked(len) else { return Err(self.truncated(len)) };
        match str::from_utf8(bytes).ok().and_then(|text| text.chars().next()) {
            Some(character) => {
                self.left = left;
                Ok(character)
            }
            None => {
                let found = bytes.iter().fold(0, |found, byte| found << 8 | u64::from(*byte));
                Err(self.budget.fail(invalid("char", found << (8 * (4 - len)))))
            }
        }
    }
}

fn invalid(expected: &'static str, found: u64) -> DecodeProblem {
    DecodeProblem::Invalid { expected, found }
}
