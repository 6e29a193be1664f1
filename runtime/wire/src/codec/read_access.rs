//! The other half of decoding: what lies within an item, one at a time, each counted.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::error::{DecodeProblem, Step};
use super::read::{At, Reader, Seed, fail};

/// Elements for which room may be made before the first has been read. serde trusts a hint for up to a
/// megabyte, and a nest of sequences would do so at each of its levels.
const PREALLOCATE: usize = 64;

/// Passes on char, text, bytes and what holds exactly one other value.
pub(super) struct Flat<'b, V> {
    pub(super) visitor: V,
    pub(super) at: At<'b>,
}

impl<V> Flat<'_, V> {
    fn text<E: Error>(&self, len: usize) -> Result<(), E> {
        self.at.bytes(8 + len as u64)?;
        self.at.check(self.at.budget.produce(len))
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Flat<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_char<E: Error>(self, value: char) -> Result<V::Value, E> {
        self.at.bytes(value.len_utf8() as u64)?;
        self.visitor.visit_char(value)
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<V::Value, E> {
        self.text(value.len())?;
        self.visitor.visit_borrowed_str(value)
    }

    fn visit_borrowed_bytes<E: Error>(self, value: &'de [u8]) -> Result<V::Value, E> {
        self.text(value.len())?;
        self.visitor.visit_borrowed_bytes(value)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Reader { inner, at: self.at.below()? })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Reader { inner, at: self.at.below()? })
    }
}

/// Passes on a fixed row of fields, as a tuple or a struct has.
pub(super) struct Fields<'b, V> {
    pub(super) visitor: V,
    pub(super) at: At<'b>,
    pub(super) names: &'static [&'static str],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Fields<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(FieldAccess { inner, at: self.at, names: self.names, next: 0 })
    }
}

struct FieldAccess<'b, A> {
    inner: A,
    at: At<'b>,
    names: &'static [&'static str],
    next: u32,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for FieldAccess<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let at = self.at.with_room::<S::Value>();
        let result = self.inner.next_element_seed(Seed { seed, at });
        if result.is_err() {
            let name = self.names.get(self.next as usize);
            at.budget.step(name.map_or(Step::Element(self.next), |name| Step::Field(name)));
        }
        self.next = self.next.saturating_add(1);
        result
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|len| len.min(PREALLOCATE))
    }
}

/// Passes on a sequence whose length the bytes announce.
pub(super) struct Sequence<'b, V> {
    pub(super) visitor: V,
    pub(super) at: At<'b>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Sequence<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        announced(self.at, inner.size_hint())?;
        self.visitor.visit_seq(ElementAccess { inner, at: self.at, next: 0 })
    }
}

/// Refuses a length that the bytes left cannot hold: each element takes at least one.
fn announced<E: Error>(at: At<'_>, len: Option<usize>) -> Result<(), E> {
    let (announced, left) = (len.map_or(u64::MAX, |len| len as u64), at.budget.bytes_left());
    if announced > left { Err(fail(at.budget, DecodeProblem::Length { announced, left })) } else { Ok(()) }
}

struct ElementAccess<'b, A> {
    inner: A,
    at: At<'b>,
    next: u32,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for ElementAccess<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let at = self.at.of_element::<S::Value>();
        let before = at.budget.bytes_left();
        let result = self.inner.next_element_seed(ElementSeed(Seed { seed, at }));
        match &result {
            Ok(None) => {}
            Ok(Some(_)) if at.budget.bytes_left() < before => {}
            Ok(Some(_)) => return Err(fail(at.budget, DecodeProblem::ZeroSizeElement)),
            Err(_) => at.budget.step(Step::Element(self.next)),
        }
        self.next = self.next.saturating_add(1);
        result
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|len| len.min(PREALLOCATE))
    }
}

struct ElementSeed<'b, S>(Seed<'b, S>);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for ElementSeed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let at = self.0.at;
        at.check(at.budget.produce(at.room()))?;
        self.0.deserialize(inner)
    }
}

/// Passes on a map whose length the bytes announce.
pub(super) struct Table<'b, V> {
    pub(super) visitor: V,
    pub(super) at: At<'b>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Table<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        announced(self.at, inner.size_hint())?;
        self.visitor.visit_map(EntryAccess { inner, at: self.at, before: 0 })
    }
}

struct EntryAccess<'b, A> {
    inner: A,
    at: At<'b>,
    // Bytes left before the key of the current entry.
    before: u64,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for EntryAccess<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let at = self.at.with_room::<K::Value>();
        self.before = at.budget.bytes_left();
        let result = self.inner.next_key_seed(EntrySeed { seed: Seed { seed, at }, counted: true });
        result.inspect_err(|_| at.budget.step(Step::Key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let at = self.at.with_room::<V::Value>();
        let result = self.inner.next_value_seed(EntrySeed { seed: Seed { seed, at }, counted: false });
        let value = result.inspect_err(|_| at.budget.step(Step::Value))?;
        if at.budget.bytes_left() == self.before {
            return Err(fail(at.budget, DecodeProblem::ZeroSizeElement));
        }
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|len| len.min(PREALLOCATE))
    }
}

struct EntrySeed<'b, S> {
    seed: Seed<'b, S>,
    counted: bool,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for EntrySeed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let at = self.seed.at;
        if self.counted {
            at.check(at.budget.element())?;
        }
        // Twice: a hash table keeps up to half of its slots free.
        at.check(at.budget.produce(2 * at.room()))?;
        self.seed.deserialize(inner)
    }
}

impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Reader<'b, A> {
    type Error = A::Error;
    type Variant = Reader<'b, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, inner) = self.inner.variant_seed(seed)?;
        Ok((value, Reader { inner, at: self.at }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Reader<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let at = self.at.below()?.with_room::<S::Value>();
        self.inner.newtype_variant_seed(Seed { seed, at })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, Fields { visitor, at: self.at.below()?, names: &[] })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(names, Fields { visitor, at: self.at.below()?, names })
    }
}
