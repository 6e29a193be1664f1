//! The other half of encoding: what lies within an item, one at a time, each counted.

use serde::Serialize;
use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::error::{EncodeProblem, Step};
use super::write::{At, Item, fail};

/// What holds the items.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Fields { name: Option<&'static str> },
    Sequence { announced: usize },
    Map { announced: usize },
}

/// Items within an item.
pub(super) struct Within<'b, C> {
    inner: C,
    at: At<'b>,
    kind: Kind,
    found: usize,
    // Bytes left before the current element or entry.
    before: u64,
}

impl<'b, C> Within<'b, C> {
    #[inline]
    pub(super) fn new(inner: C, at: At<'b>, kind: Kind) -> Within<'b, C> {
        Within { inner, at, kind, found: 0, before: 0 }
    }

    #[inline]
    fn field<E>(
        &mut self,
        name: Option<&'static str>,
        write: impl FnOnce(&mut C, At<'b>) -> Result<(), E>,
    ) -> Result<(), E> {
        let result = write(&mut self.inner, self.at);
        if result.is_err() {
            self.at.budget.step(name.map_or(Step::Element(self.found as u32), Step::Field));
            if let Kind::Fields { name: Some(name) } = self.kind {
                self.at.budget.step(Step::Type(name));
            }
        }
        self.found += 1;
        result
    }

    #[inline]
    fn moved<E: Error>(&self) -> Result<(), E> {
        if self.at.budget.bytes_left() < self.before {
            return Ok(());
        }
        Err(fail(self.at.budget, EncodeProblem::ZeroSizeElement))
    }

    fn complete<E: Error>(&self) -> Result<(), E> {
        match self.kind {
            Kind::Sequence { announced } | Kind::Map { announced } if announced != self.found => {
                let problem = EncodeProblem::Length { announced: Some(announced), found: self.found };
                Err(fail(self.at.budget, problem))
            }
            Kind::Sequence { .. } | Kind::Map { .. } | Kind::Fields { .. } => Ok(()),
        }
    }
}

impl<C: SerializeSeq> SerializeSeq for Within<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.before = self.at.budget.bytes_left();
        self.field(None, |inner, at| {
            inner.serialize_element(&Item { value, at: At { counted: true, ..at } })
        })?;
        self.moved()
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.complete()?;
        self.inner.end()
    }
}

impl<C: SerializeMap> SerializeMap for Within<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let at = self.at;
        self.before = at.budget.bytes_left();
        at.check(at.budget.element())?;
        self.inner.serialize_key(&Item { value, at }).inspect_err(|_| at.budget.step(Step::Key))
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let at = self.at;
        self.inner.serialize_value(&Item { value, at }).inspect_err(|_| at.budget.step(Step::Value))?;
        self.found += 1;
        self.moved()
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.complete()?;
        self.inner.end()
    }
}

macro_rules! rows {
    ($($trait:ident $method:ident)*) => {$(
        impl<C: $trait> $trait for Within<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                self.field(None, |inner, at| inner.$method(&Item { value, at }))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

macro_rules! named_rows {
    ($($trait:ident)*) => {$(
        impl<C: $trait> $trait for Within<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                self.field(Some(name), |inner, at| inner.serialize_field(name, &Item { value, at }))
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                // Fields are told apart by their place alone, so that the reader would take the next for it.
                self.field(Some(name), |_, at| {
                    let message = "a field was skipped, which its reader could not know".into();
                    Err(fail(at.budget, EncodeProblem::Refused { message }))
                })
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

rows! { SerializeTuple serialize_element SerializeTupleStruct serialize_field SerializeTupleVariant serialize_field }
named_rows! { SerializeStruct SerializeStructVariant }
