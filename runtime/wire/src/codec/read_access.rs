//! The other half of decoding: what lies within an item, one at a time, each counted.

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::budget::Place;
use super::error::{DecodeError, DecodeProblem, Step};
use super::read::{Item, Reader};

/// Elements for which room may be made before the first has been read. serde trusts a hint for up to a
/// megabyte, and a nest of sequences would do so at each of its levels.
const PREALLOCATE: usize = 64;

/// A fixed row of fields, as a tuple or a struct has.
pub(super) struct Fields<'r, 'de> {
    pub(super) reader: &'r mut Reader<'de>,
    pub(super) place: Place,
    pub(super) names: &'static [&'static str],
    pub(super) count: usize,
    pub(super) next: usize,
}

impl<'de> SeqAccess<'de> for Fields<'_, 'de> {
    type Error = Box<DecodeError>;

    #[inline(always)]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Box<DecodeError>> {
        if self.next == self.count {
            return Ok(None);
        }
        let place = self.place.with_room::<S::Value>();
        let next = self.next;
        self.next += 1;
        match seed.deserialize(Item { reader: self.reader, place }) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let name = self.names.get(next);
                self.reader.budget.step(name.map_or(Step::Element(next as u32), |name| Step::Field(name)));
                Err(error)
            }
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some((self.count - self.next).min(PREALLOCATE))
    }
}

/// A sequence whose length the bytes announced.
pub(super) struct Elements<'r, 'de> {
    pub(super) reader: &'r mut Reader<'de>,
    pub(super) place: Place,
    pub(super) count: usize,
    pub(super) next: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Box<DecodeError>;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Box<DecodeError>> {
        if self.next == self.count {
            return Ok(None);
        }
        let before = self.reader.left.len();
        let place = self.place.with_room::<S::Value>().to_be_counted();
        let produced = self.reader.produce(size_of::<S::Value>());
        match produced.and_then(|()| seed.deserialize(Item { reader: self.reader, place })) {
            Ok(_) if self.reader.left.len() == before => {
                Err(self.reader.budget.fail(DecodeProblem::ZeroSizeElement))
            }
            Ok(value) => {
                self.next += 1;
                Ok(Some(value))
            }
            Err(error) => {
                self.reader.budget.step(Step::Element(self.next as u32));
                Err(error)
            }
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some((self.count - self.next).min(PREALLOCATE))
    }
}

/// A map whose length the bytes announced.
pub(super) struct Entries<'r, 'de> {
    pub(super) reader: &'r mut Reader<'de>,
    pub(super) place: Place,
    /// Entries that are left.
    pub(super) count: usize,
    /// Bytes that were left before the key of the current one.
    pub(super) before: usize,
}

impl Entries<'_, '_> {
    /// Twice: a hash table keeps up to half of its slots free.
    fn produce<T>(&mut self) -> Result<(), Box<DecodeError>> {
        self.reader.produce(size_of::<T>().saturating_mul(2))
    }
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Box<DecodeError>;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Box<DecodeError>> {
        let Some(left) = self.count.checked_sub(1) else { return Ok(None) };
        self.count = left;
        self.before = self.reader.left.len();
        let counted = self.reader.budget.element().and_then(|()| self.produce::<K::Value>());
        let place = self.place.with_room::<K::Value>();
        let key = counted.and_then(|()| seed.deserialize(Item { reader: self.reader, place }));
        key.map(Some).inspect_err(|_| self.reader.budget.step(Step::Key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Box<DecodeError>> {
        let place = self.place.with_room::<V::Value>();
        let produced = self.produce::<V::Value>();
        let value = produced.and_then(|()| seed.deserialize(Item { reader: self.reader, place }));
        let value = value.inspect_err(|_| self.reader.budget.step(Step::Value))?;
        if self.reader.left.len() == self.before {
            return Err(self.reader.budget.fail(DecodeProblem::ZeroSizeElement));
        }
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.count.min(PREALLOCATE))
    }
}

/// An enum, of which first the number of the variant is read, and then what the variant holds.
pub(super) struct Variant<'r, 'de>(pub(super) Item<'r, 'de>);

impl<'r, 'de> EnumAccess<'de> for Variant<'r, 'de> {
    type Error = Box<DecodeError>;
    type Variant = Variant<'r, 'de>;

    #[inline(always)]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Variant<'r, 'de>), Box<DecodeError>> {
        let number: U32Deserializer<Box<DecodeError>> =
            u32::from_le_bytes(self.0.reader.array()?).into_deserializer();
        Ok((seed.deserialize(number)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Box<DecodeError>;

    #[inline(always)]
    fn unit_variant(self) -> Result<(), Box<DecodeError>> {
        Ok(())
    }

    #[inline(always)]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Box<DecodeError>> {
        let Item { reader, place } = self.0.below()?;
        seed.deserialize(Item { reader, place: place.with_room::<S::Value>() })
    }

    #[inline(always)]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Box<DecodeError>> {
        self.0.fields(len, &[], visitor)
    }

    #[inline(always)]
    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Box<DecodeError>> {
        self.0.fields(names.len(), names, visitor)
    }
}
