//! Encoding: bincode's encoding, written by a serializer that counts what decoding will count.
//!
//! Depth, elements and bytes are counted exactly as the reader counts them. Produced bytes are counted by
//! content, since a serializer sees no sizes of Rust types; where a value's type has unused room (an enum
//! with one large variant), the reader may count more and refuse what went through here.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::Serializer;

use super::budget::{Budget, Place};
use super::error::{EncodeError, EncodeProblem, Step};
use super::write_access::{Kind, Within};
use crate::{Limit, Limits};

pub(super) fn encode<T: Serialize + ?Sized>(
    value: &T,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<(), Box<EncodeError>> {
    let start = out.len();
    let mut writer = Writer::new(out, limits);
    let result = value.serialize(Item { writer: &mut writer, place: Place::TOP });
    if result.is_ok() && writer.budget.is_kept() {
        return Ok(());
    }
    writer.out.truncate(start);
    let (kept, path) = writer.budget.end();
    let problem = kept
        .or_else(|| result.err().map(|said| said.problem))
        .unwrap_or_else(|| EncodeProblem::Refused { message: "it cannot be written".into() });
    Err(Box::new(EncodeError { problem, path }))
}

/// The bytes so far, and what is left of the limits.
pub(super) struct Writer<'w> {
    out: &'w mut Vec<u8>,
    /// Where the value's first byte is.
    start: usize,
    /// Where they would be too many for a frame.
    frame_end: usize,
    /// Where they would be too many for the reader's memory, if each that is yet to come fills one byte of it.
    produced_end: usize,
    /// The nearer of both: what most items are held to.
    end: usize,
    pub(super) budget: Budget<EncodeError>,
}

impl<'w> Writer<'w> {
    fn new(out: &'w mut Vec<u8>, limits: &Limits) -> Writer<'w> {
        let start = out.len();
        let (frame_end, produced_end) =
            (start + limits.frame_bytes as usize, start + limits.produced_bytes as usize);
        let end = frame_end.min(produced_end);
        Writer { out, start, frame_end, produced_end, end, budget: Budget::new(limits) }
    }

    /// Returns how many bytes were written.
    #[inline(always)]
    pub(super) fn written(&self) -> usize {
        self.out.len() - self.start
    }

    /// Writes bytes that fill as many of the reader's memory.
    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Box<EncodeError>> {
        if bytes.len() > self.end - self.out.len() {
            return Err(self.too_many(bytes.len()));
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes bytes for which the reader needs no memory, or needs what was counted already.
    #[inline(always)]
    fn marks(&mut self, bytes: &[u8]) -> Result<(), Box<EncodeError>> {
        if bytes.len() > self.frame_end - self.out.len() {
            return Err(self.over_frame(bytes.len()));
        }
        self.out.extend_from_slice(bytes);
        // As much memory is left as before.
        self.produced_end += bytes.len();
        self.end = self.frame_end.min(self.produced_end);
        Ok(())
    }

    #[inline(always)]
    fn length(&mut self, length: usize) -> Result<(), Box<EncodeError>> {
        self.marks(&(length as u64).to_le_bytes())
    }

    /// Counts memory that decoding fills and that has no bytes of its own.
    #[inline(always)]
    fn produce(&mut self, size: usize) -> Result<(), Box<EncodeError>> {
        let left = self.produced_end - self.out.len();
        if size > left {
            return Err(self.budget.over_produced(left, size));
        }
        self.produced_end -= size;
        self.end = self.frame_end.min(self.produced_end);
        Ok(())
    }

    #[cold]
    fn too_many(&mut self, bytes: usize) -> Box<EncodeError> {
        let left = self.produced_end - self.out.len();
        if bytes > left {
            return self.budget.over_produced(left, bytes);
        }
        self.over_frame(bytes)
    }

    #[cold]
    fn over_frame(&mut self, bytes: usize) -> Box<EncodeError> {
        let (wanted, max) = (self.written().saturating_add(bytes), self.frame_end - self.start);
        self.budget.over(Limit::FrameBytes, wanted as u64, max as u64)
    }
}

/// The next item of a value: the serializer that its type is given.
pub(super) struct Item<'r, 'w> {
    pub(super) writer: &'r mut Writer<'w>,
    pub(super) place: Place,
}

impl<'r, 'w> Item<'r, 'w> {
    /// Counts an item, if it is to be counted.
    #[inline(always)]
    fn count(&mut self) -> Result<(), Box<EncodeError>> {
        if self.place.is_to_be_counted() { self.writer.budget.element() } else { Ok(()) }
    }

    /// Counts an item that holds others, and goes to where those stand.
    #[inline(always)]
    fn open(mut self) -> Result<Item<'r, 'w>, Box<EncodeError>> {
        self.count()?;
        self.below()
    }

    #[inline(always)]
    fn below(self) -> Result<Item<'r, 'w>, Box<EncodeError>> {
        let place = self.writer.budget.below(self.place.counted())?;
        Ok(Item { place, ..self })
    }

    /// Counts a variant that holds others, writes its number, and goes to where those stand.
    #[inline(always)]
    fn open_variant(mut self, index: u32) -> Result<Item<'r, 'w>, Box<EncodeError>> {
        self.count()?;
        self.writer.bytes(&index.to_le_bytes())?;
        self.below()
    }

    #[inline(always)]
    fn holding(self, kind: Kind) -> Within<'r, 'w> {
        Within::new(self.writer, self.place, kind)
    }

    /// Writes the one value that another holds.
    #[inline(always)]
    fn only<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), Box<EncodeError>> {
        let Item { writer, place } = self;
        let result = value.serialize(Item { writer: &mut *writer, place });
        result.inspect_err(|_| writer.budget.step(Step::Type(name)))
    }

    /// Opens what announces its length, which must be known.
    #[inline(always)]
    fn announced(
        mut self,
        announced: Option<usize>,
        kind: fn(usize) -> Kind,
    ) -> Result<Within<'r, 'w>, Box<EncodeError>> {
        let Some(length) = announced else {
            return Err(self.writer.budget.fail(EncodeProblem::Length { announced, found: 0 }));
        };
        self.count()?;
        self.writer.produce(HANDLE)?;
        let item = self.below()?;
        item.writer.length(length)?;
        Ok(item.holding(kind(length)))
    }
}

macro_rules! items {
    ($($method:ident $type:ty)*) => {$(
        #[inline(always)]
        fn $method(mut self, value: $type) -> Result<(), Box<EncodeError>> {
            self.count()?;
            self.writer.bytes(&value.to_le_bytes())
        }
    )*};
}

/// Bytes are not counted as elements: there are as many of them at most as the payload has.
macro_rules! single_bytes {
    ($($method:ident $type:ty)*) => {$(
        #[inline(always)]
        fn $method(self, value: $type) -> Result<(), Box<EncodeError>> {
            self.writer.bytes(&[value as u8])
        }
    )*};
}

/// What a `String`, a `Vec` or a `HashMap` takes besides its content.
const HANDLE: usize = 24;

impl<'r, 'w> Serializer for Item<'r, 'w> {
    type Ok = ();
    type Error = Box<EncodeError>;
    type SerializeSeq = Within<'r, 'w>;
    type SerializeTuple = Within<'r, 'w>;
    type SerializeTupleStruct = Within<'r, 'w>;
    type SerializeTupleVariant = Within<'r, 'w>;
    type SerializeMap = Within<'r, 'w>;
    type SerializeStruct = Within<'r, 'w>;
    type SerializeStructVariant = Within<'r, 'w>;

    single_bytes! { serialize_bool bool serialize_u8 u8 serialize_i8 i8 }

    items! {
        serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128
        serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128
        serialize_f32 f32 serialize_f64 f64
    }

    fn serialize_char(mut self, value: char) -> Result<(), Box<EncodeError>> {
        self.count()?;
        self.writer.produce(size_of::<char>())?;
        self.writer.marks(value.encode_utf8(&mut [0; 4]).as_bytes())
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Box<EncodeError>> {
        self.serialize_bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(mut self, value: &[u8]) -> Result<(), Box<EncodeError>> {
        self.count()?;
        self.writer.produce(HANDLE + value.len())?;
        self.writer.length(value.len())?;
        self.writer.marks(value)
    }

    #[inline(always)]
    fn serialize_none(mut self) -> Result<(), Box<EncodeError>> {
        self.count()?;
        self.writer.marks(&[0])
    }

    #[inline(always)]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Box<EncodeError>> {
        let item = self.open()?;
        item.writer.marks(&[1])?;
        value.serialize(item)
    }

    #[inline(always)]
    fn serialize_unit(mut self) -> Result<(), Box<EncodeError>> {
        self.count()
    }

    #[inline(always)]
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Box<EncodeError>> {
        self.serialize_unit()
    }

    #[inline(always)]
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
    ) -> Result<(), Box<EncodeError>> {
        self.serialize_u32(index)
    }

    #[inline(always)]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Box<EncodeError>> {
        self.open()?.only(name, value)
    }

    #[inline(always)]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Box<EncodeError>> {
        self.open_variant(index)?.only(variant, value)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Within<'r, 'w>, Box<EncodeError>> {
        self.announced(len, |announced| Kind::Sequence { announced })
    }

    #[inline(always)]
    fn serialize_tuple(self, _len: usize) -> Result<Within<'r, 'w>, Box<EncodeError>> {
        Ok(self.open()?.holding(Kind::Fields { name: None }))
    }

    #[inline(always)]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _len: usize,
    ) -> Result<Within<'r, 'w>, Box<EncodeError>> {
        Ok(self.open()?.holding(Kind::Fields { name: Some(name) }))
    }

    #[inline(always)]
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Within<'r, 'w>, Box<EncodeError>> {
        Ok(self.open_variant(index)?.holding(Kind::Fields { name: Some(variant) }))
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Within<'r, 'w>, Box<EncodeError>> {
        self.announced(len, |announced| Kind::Map { announced })
    }

    #[inline(always)]
    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Within<'r, 'w>, Box<EncodeError>> {
        Ok(self.open()?.holding(Kind::Fields { name: Some(name) }))
    }

    #[inline(always)]
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Within<'r, 'w>, Box<EncodeError>> {
        Ok(self.open_variant(index)?.holding(Kind::Fields { name: Some(variant) }))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Box<EncodeError>> {
        self.serialize_str(&value.to_string())
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
