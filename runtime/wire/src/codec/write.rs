//! Encoding: bincode's serializer behind one that counts what decoding will count.
//!
//! Depth, elements and bytes are counted exactly as the reader counts them. Produced bytes are counted by
//! content, since a serializer sees no sizes of Rust types; where a value's type has unused room (an enum
//! with one large variant), the reader may count more and refuse what went through here.

use std::fmt::Display;

use bincode::enc::write::Writer as InnerWriter;
use bincode::error::EncodeError as Inner;
use serde::Serialize;
use serde::ser::{Error, Serializer};

use super::budget::{Budget, Over, shown};
use super::error::{EncodeError, EncodeProblem, Step};
use super::write_access::{Kind, Within};
use crate::{Limit, Limits};

pub(super) type WriteBudget = Budget<EncodeProblem>;

pub(super) fn encode<T: Serialize + ?Sized>(
    value: &T,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let start = out.len();
    let budget = WriteBudget::new(limits, limits.frame_bytes as usize);
    let top = At { budget: &budget, depth: 0, counted: false };
    let sink = Sink { out, budget: &budget, max: limits.frame_bytes };
    if let Err(error) = bincode::serde::encode_into_writer(Item { value, at: top }, sink, super::CONFIG) {
        budget.keep(problem(error));
    }
    match budget.end() {
        (None, _) => Ok(()),
        (Some(problem), path) => {
            out.truncate(start);
            Err(EncodeError { problem, path })
        }
    }
}

fn problem(error: Inner) -> EncodeProblem {
    match error {
        Inner::OtherString(text) => EncodeProblem::Refused { message: shown(&text) },
        other => EncodeProblem::Refused { message: shown(&other.to_string()) },
    }
}

impl From<Over> for EncodeProblem {
    fn from(Over { limit, found, max }: Over) -> Self {
        EncodeProblem::TooLarge { limit, found, max }
    }
}

struct Sink<'b> {
    out: &'b mut Vec<u8>,
    budget: &'b WriteBudget,
    max: u32,
}

impl InnerWriter for Sink<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), Inner> {
        if let Err(missing) = self.budget.bytes(bytes.len() as u64) {
            let max = u64::from(self.max);
            self.budget.keep(Over { limit: Limit::FrameBytes, found: max + missing, max }.into());
            return Err(Inner::Other(""));
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

/// Keeps the problem and returns the empty error that travels through serde.
#[cold]
pub(super) fn fail<E: Error>(budget: &WriteBudget, problem: EncodeProblem) -> E {
    budget.keep(problem);
    E::custom("")
}

/// Where in the value the next item stands.
#[derive(Clone, Copy)]
pub(super) struct At<'b> {
    pub(super) budget: &'b WriteBudget,
    pub(super) depth: u16,
    /// Whether it is an element of a sequence that is yet to be counted, unless it is a single byte.
    pub(super) counted: bool,
}

impl<'b> At<'b> {
    #[inline]
    pub(super) fn check<T, E: Error>(&self, result: Result<T, Over>) -> Result<T, E> {
        result.map_err(|over| fail(self.budget, over.into()))
    }

    /// Counts an item that fills `size` bytes of memory.
    #[inline]
    fn item<E: Error>(&self, size: usize) -> Result<(), E> {
        if self.counted {
            self.check(self.budget.element())?;
        }
        self.check(self.budget.produce(size))
    }

    /// Counts an item that holds others and returns where those stand.
    #[inline]
    fn open<E: Error>(mut self, size: usize) -> Result<At<'b>, E> {
        self.item(size)?;
        self.depth = self.check(self.budget.below(self.depth))?;
        self.counted = false;
        Ok(self)
    }
}

pub(super) struct Item<'b, 'v, T: ?Sized> {
    pub(super) value: &'v T,
    pub(super) at: At<'b>,
}

impl<T: Serialize + ?Sized> Serialize for Item<'_, '_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Writer { inner, at: self.at })
    }
}

/// The serializer that counts.
struct Writer<'b, S> {
    inner: S,
    at: At<'b>,
}

impl<'b, S: Serializer> Writer<'b, S> {
    #[inline]
    fn within<C>(
        self,
        kind: Kind,
        size: usize,
        open: impl FnOnce(S) -> Result<C, S::Error>,
    ) -> Result<Within<'b, C>, S::Error> {
        let at = self.at.open(size)?;
        Ok(Within::new(open(self.inner)?, at, kind))
    }
}

macro_rules! items {
    ($($method:ident $type:ty)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.at.item(size_of::<$type>())?;
            self.inner.$method(value)
        }
    )*};
}

macro_rules! single_bytes {
    ($($method:ident $type:ty)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.at.check(self.at.budget.produce(1))?;
            self.inner.$method(value)
        }
    )*};
}

/// What a `String`, a `Vec` or a `HashMap` takes besides its content.
const HANDLE: usize = 24;

impl<'b, S: Serializer> Serializer for Writer<'b, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Within<'b, S::SerializeSeq>;
    type SerializeTuple = Within<'b, S::SerializeTuple>;
    type SerializeTupleStruct = Within<'b, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Within<'b, S::SerializeTupleVariant>;
    type SerializeMap = Within<'b, S::SerializeMap>;
    type SerializeStruct = Within<'b, S::SerializeStruct>;
    type SerializeStructVariant = Within<'b, S::SerializeStructVariant>;

    single_bytes! { serialize_bool bool serialize_u8 u8 serialize_i8 i8 }

    items! {
        serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128
        serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128
        serialize_f32 f32 serialize_f64 f64 serialize_char char
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<S::Ok, S::Error> {
        self.at.item(HANDLE + value.len())?;
        self.inner.serialize_str(value)
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<S::Ok, S::Error> {
        self.at.item(HANDLE + value.len())?;
        self.inner.serialize_bytes(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.at.item(0)?;
        self.inner.serialize_none()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let at = self.at.open(0)?;
        self.inner.serialize_some(&Item { value, at })
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.at.item(0)?;
        self.inner.serialize_unit()
    }

    #[inline]
    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.at.item(0)?;
        self.inner.serialize_unit_struct(name)
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.at.item(size_of::<u32>())?;
        self.inner.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let at = self.at.open(0)?;
        let result = self.inner.serialize_newtype_struct(name, &Item { value, at });
        result.inspect_err(|_| at.budget.step(Step::Type(name)))
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let at = self.at.open(size_of::<u32>())?;
        let result = self.inner.serialize_newtype_variant(name, index, variant, &Item { value, at });
        result.inspect_err(|_| at.budget.step(Step::Type(variant)))
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let Some(announced) = len else {
            return Err(fail(self.at.budget, EncodeProblem::Length { announced: None, found: 0 }));
        };
        self.within(Kind::Sequence { announced }, HANDLE, |inner| inner.serialize_seq(len))
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.within(Kind::Fields { name: None }, 0, |inner| inner.serialize_tuple(len))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.within(Kind::Fields { name: Some(name) }, 0, |inner| inner.serialize_tuple_struct(name, len))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.within(Kind::Fields { name: Some(variant) }, size_of::<u32>(), |inner| {
            inner.serialize_tuple_variant(name, index, variant, len)
        })
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let Some(announced) = len else {
            return Err(fail(self.at.budget, EncodeProblem::Length { announced: None, found: 0 }));
        };
        self.within(Kind::Map { announced }, HANDLE, |inner| inner.serialize_map(len))
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        self.within(Kind::Fields { name: Some(name) }, 0, |inner| inner.serialize_struct(name, len))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.within(Kind::Fields { name: Some(variant) }, size_of::<u32>(), |inner| {
            inner.serialize_struct_variant(name, index, variant, len)
        })
    }

    #[inline]
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.serialize_str(&value.to_string())
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }
}
