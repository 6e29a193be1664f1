//! Decoding: bincode's borrowed deserializer behind one that counts.
//!
//! Every call counts the bytes that bincode is about to read, which with fixed-width integers is known
//! exactly. Owned text and bytes are asked for in their borrowed form, since bincode would allocate an
//! owned one before it knows that the bytes are there.

use std::fmt;

use bincode::error::DecodeError as Inner;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, Visitor};

use super::budget::{Budget, Over, shown};
use super::error::{DecodeError, DecodeProblem, Step};
use super::read_access::{Fields, Flat, Sequence, Table};
use crate::{Limit, Limits};

pub(super) type ReadBudget = Budget<DecodeProblem>;

pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8], limits: &Limits) -> Result<T, DecodeError> {
    let budget = ReadBudget::new(limits, bytes.len());
    let result = if bytes.len() as u64 > limits.frame_bytes.into() {
        let over =
            Over { limit: Limit::FrameBytes, found: bytes.len() as u64, max: limits.frame_bytes.into() };
        budget.keep(over.into());
        None
    } else {
        read_whole(bytes, &budget)
    };
    match (result, budget.end()) {
        (Some(value), (None, _)) => Ok(value),
        (_, (Some(problem), path)) => Err(DecodeError { problem, path }),
        (None, (None, path)) => Err(DecodeError { problem: DecodeProblem::NotSelfDescribing, path }),
    }
}

fn read_whole<'a, T: Deserialize<'a>>(bytes: &'a [u8], budget: &ReadBudget) -> Option<T> {
    let seed = Seed { seed: std::marker::PhantomData::<T>, at: At::top::<T>(budget) };
    match bincode::serde::seed_decode_from_slice(seed, bytes, super::CONFIG) {
        Ok((value, read)) if read == bytes.len() => Some(value),
        Ok((_, read)) => {
            budget.keep(DecodeProblem::Trailing { left: (bytes.len() - read) as u64 });
            None
        }
        Err(error) => {
            budget.keep(problem(error));
            None
        }
    }
}

fn problem(error: Inner) -> DecodeProblem {
    let invalid = |expected, found| DecodeProblem::Invalid { expected, found };
    match error {
        Inner::UnexpectedEnd { additional } => DecodeProblem::Truncated { missing: additional as u64 },
        Inner::InvalidBooleanValue(found) => invalid("bool", found.into()),
        Inner::InvalidCharEncoding(bytes) => invalid("char", u32::from_be_bytes(bytes).into()),
        Inner::UnexpectedVariant { found, .. } => invalid("tag of an option", found.into()),
        Inner::OutsideUsizeRange(found) => invalid("length on this machine", found),
        Inner::Utf8 { inner } => DecodeProblem::Utf8 { valid_up_to: inner.valid_up_to() as u64 },
        Inner::OtherString(text) => DecodeProblem::Refused { message: shown(&text) },
        other => DecodeProblem::Refused { message: shown(&other.to_string()) },
    }
}

impl From<Over> for DecodeProblem {
    fn from(Over { limit, found, max }: Over) -> Self {
        DecodeProblem::OverLimit { limit, found, max }
    }
}

/// Keeps the problem and returns the empty error that travels through serde.
#[cold]
pub(super) fn fail<E: Error>(budget: &ReadBudget, problem: DecodeProblem) -> E {
    budget.keep(problem);
    E::custom("")
}

/// Where in the value the next item stands.
///
/// It is copied for every item, so it is two words, which travel in registers: fields of several widths would be written and
/// read again as a whole, which processors wait for.
#[derive(Clone, Copy)]
pub(super) struct At<'b> {
    pub(super) budget: &'b ReadBudget,
    /// | bits | meaning |
    /// | --- | --- |
    /// | 0 to 31 | bytes of memory that already stand ready for it |
    /// | 32 to 47 | how deep it lies |
    /// | 48 | whether it is an element of a sequence that is yet to be counted, unless it is a single byte |
    place: u64,
}

impl<'b> At<'b> {
    fn top<T>(budget: &'b ReadBudget) -> At<'b> {
        At { budget, place: 0 }.with_room::<T>()
    }

    /// Returns where a `T` stands for which there is room, and which is not to be counted.
    #[inline]
    pub(super) fn with_room<T>(self) -> At<'b> {
        At { place: self.place & DEPTH | Self::room_of::<T>(), ..self }
    }

    /// Returns where an element stands, which is to be counted.
    #[inline]
    pub(super) fn of_element<T>(self) -> At<'b> {
        At { place: self.place & DEPTH | Self::room_of::<T>() | COUNTED, ..self }
    }

    /// Returns the bytes that stand ready.
    #[inline]
    pub(super) fn room(&self) -> usize {
        (self.place & ROOM) as usize
    }

    /// Returns the room of a `T`, of which more than can be said counts as that.
    const fn room_of<T>() -> u64 {
        let size = size_of::<T>() as u64;
        if size > ROOM { ROOM } else { size }
    }

    #[inline]
    pub(super) fn check<T, E: Error>(&self, result: Result<T, Over>) -> Result<T, E> {
        result.map_err(|over| fail(self.budget, over.into()))
    }

    #[inline]
    pub(super) fn bytes<E: Error>(&self, count: u64) -> Result<(), E> {
        self.budget.bytes(count).map_err(|missing| fail(self.budget, DecodeProblem::Truncated { missing }))
    }

    /// Counts an item of `bytes` that holds no other.
    #[inline]
    fn item<E: Error>(&self, bytes: u64) -> Result<(), E> {
        if self.place & COUNTED != 0 {
            self.check(self.budget.element())?;
        }
        self.bytes(bytes)
    }

    /// Counts an item of `bytes` whose value is a `T`, which is behind a pointer if there is no room for it.
    fn open<T, E: Error>(mut self, bytes: u64) -> Result<At<'b>, E> {
        self.item(bytes)?;
        let size = size_of::<T>();
        if size > self.room() {
            self.check(self.budget.produce(size))?;
            return Ok(self.with_room::<T>());
        }
        self.place &= !COUNTED;
        Ok(self)
    }

    #[inline]
    pub(super) fn below<E: Error>(self) -> Result<At<'b>, E> {
        let depth = self.check(self.budget.below((self.place >> DEPTH.trailing_zeros()) as u16))?;
        Ok(At { place: self.place & !DEPTH | u64::from(depth) << DEPTH.trailing_zeros(), ..self })
    }
}

const ROOM: u64 = 0xffff_ffff;
const DEPTH: u64 = 0xffff << 32;
const COUNTED: u64 = 1 << 48;

pub(super) struct Seed<'b, S> {
    pub(super) seed: S,
    pub(super) at: At<'b>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.seed.deserialize(Reader { inner, at: self.at })
    }
}

/// The deserializer that counts.
pub(super) struct Reader<'b, D> {
    pub(super) inner: D,
    pub(super) at: At<'b>,
}

macro_rules! items {
    ($($method:ident $bytes:literal)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.at.item($bytes)?;
            self.inner.$method(visitor)
        }
    )*};
}

macro_rules! single_bytes {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.at.bytes(1)?;
            self.inner.$method(visitor)
        }
    )*};
}

macro_rules! not_self_describing {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, D::Error> {
            Err(fail(self.at.budget, DecodeProblem::NotSelfDescribing))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Reader<'_, D> {
    type Error = D::Error;

    single_bytes! { deserialize_bool deserialize_u8 deserialize_i8 }

    items! {
        deserialize_u16 2 deserialize_u32 4 deserialize_u64 8 deserialize_u128 16
        deserialize_i16 2 deserialize_i32 4 deserialize_i64 8 deserialize_i128 16
        deserialize_f32 4 deserialize_f64 8 deserialize_unit 0
    }

    not_self_describing! { deserialize_any deserialize_identifier deserialize_ignored_any }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.at.item(0)?;
        self.inner.deserialize_char(Flat { visitor, at: self.at })
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.at.item(0)?;
        self.inner.deserialize_str(Flat { visitor, at: self.at })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.at.item(0)?;
        self.inner.deserialize_bytes(Flat { visitor, at: self.at })
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.at.item(0)?;
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let at = self.at.open::<V::Value, _>(1)?;
        self.inner.deserialize_option(Flat { visitor, at })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let at = self.at.open::<V::Value, _>(0)?;
        let result = self.inner.deserialize_newtype_struct(name, Flat { visitor, at });
        result.inspect_err(|_| at.budget.step(Step::Type(name)))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let at = self.at.open::<(), _>(8)?.below()?;
        self.inner.deserialize_seq(Sequence { visitor, at })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        let at = self.at.open::<V::Value, _>(0)?.below()?;
        self.inner.deserialize_tuple(len, Fields { visitor, at, names: &[] })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let at = self.at.open::<V::Value, _>(0)?.below()?;
        let result = self.inner.deserialize_tuple_struct(name, len, Fields { visitor, at, names: &[] });
        result.inspect_err(|_| at.budget.step(Step::Type(name)))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let at = self.at.open::<(), _>(8)?.below()?;
        self.inner.deserialize_map(Table { visitor, at })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let at = self.at.open::<V::Value, _>(0)?.below()?;
        let result = self.inner.deserialize_struct(name, names, Fields { visitor, at, names });
        result.inspect_err(|_| at.budget.step(Step::Type(name)))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let at = self.at.open::<V::Value, _>(4)?;
        let result = self.inner.deserialize_enum(name, variants, Variants { visitor, at });
        result.inspect_err(|_| at.budget.step(Step::Type(name)))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Passes on an enum whose variants count.
struct Variants<'b, V> {
    visitor: V,
    at: At<'b>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Variants<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Reader { inner, at: self.at })
    }
}
