//! The other half of encoding: what lies within an item, one at a time, each counted.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::budget::{Failed, Place};
use super::error::{EncodeProblem, Step};
use super::write::{Item, Writer};

/// What holds the items.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Fields { name: Option<&'static str> },
    Sequence { announced: usize },
    Map { announced: usize },
}

/// Items within an item.
pub(super) struct Within<'r, 'w> {
    writer: &'r mut Writer<'w>,
    place: Place,
    kind: Kind,
    found: usize,
    /// Bytes written before the key of the current entry.
    before: usize,
}

impl<'r, 'w> Within<'r, 'w> {
    #[inline(always)]
    pub(super) fn new(writer: &'r mut Writer<'w>, place: Place, kind: Kind) -> Within<'r, 'w> {
        Within { writer, place, kind, found: 0, before: 0 }
    }

    #[inline(always)]
    fn write<T: Serialize + ?Sized>(&mut self, value: &T, place: Place) -> Result<(), Failed> {
        value.serialize(Item { writer: self.writer, place })
    }

    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, step: Step, value: &T) -> Result<(), Failed> {
        let result = self.write(value, self.place);
        if result.is_err() {
            self.leave(step);
        }
        result
    }

    /// Notes that an error travels outwards out of a field.
    #[cold]
    fn leave(&mut self, step: Step) {
        self.writer.budget.step(step);
        if let Kind::Fields { name: Some(name) } = self.kind {
            self.writer.budget.step(Step::Type(name));
        }
    }

    /// Checks that an element has bytes.
    #[inline(always)]
    fn moved(&mut self, before: usize) -> Result<(), Failed> {
        if self.writer.written() > before {
            return Ok(());
        }
        Err(self.writer.budget.fail(EncodeProblem::ZeroSizeElement))
    }

    #[inline]
    fn complete(self) -> Result<(), Failed> {
        match self.kind {
            Kind::Sequence { announced } | Kind::Map { announced } if announced != self.found => {
                let problem = EncodeProblem::Length { announced: Some(announced), found: self.found };
                Err(self.writer.budget.fail(problem))
            }
            Kind::Sequence { .. } | Kind::Map { .. } | Kind::Fields { .. } => Ok(()),
        }
    }
}

impl SerializeSeq for Within<'_, '_> {
    type Ok = ();
    type Error = Failed;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        let before = self.writer.written();
        let result = self.write(value, self.place.to_be_counted());
        if result.is_err() {
            self.leave(Step::Element(self.found as u32));
        }
        self.found += 1;
        result.and_then(|()| self.moved(before))
    }

    #[inline]
    fn end(self) -> Result<(), Failed> {
        self.complete()
    }
}

impl SerializeMap for Within<'_, '_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.before = self.writer.written();
        self.writer.budget.element()?;
        self.write(value, self.place).inspect_err(|_| self.writer.budget.step(Step::Key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.write(value, self.place).inspect_err(|_| self.writer.budget.step(Step::Value))?;
        self.found += 1;
        self.moved(self.before)
    }

    fn end(self) -> Result<(), Failed> {
        self.complete()
    }
}

macro_rules! rows {
    ($($trait:ident $method:ident)*) => {$(
        impl $trait for Within<'_, '_> {
            type Ok = ();
            type Error = Failed;

            #[inline(always)]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
                self.found += 1;
                self.field(Step::Element(self.found as u32 - 1), value)
            }

            #[inline(always)]
            fn end(self) -> Result<(), Failed> {
                Ok(())
            }
        }
    )*};
}

macro_rules! named_rows {
    ($($trait:ident)*) => {$(
        impl $trait for Within<'_, '_> {
            type Ok = ();
            type Error = Failed;

            #[inline(always)]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Failed> {
                self.field(Step::Field(name), value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), Failed> {
                // Fields are told apart by their place alone, so that the reader would take the next for it.
                let message = "a field was skipped, which its reader could not know".into();
                let error = self.writer.budget.fail(EncodeProblem::Refused { message });
                self.leave(Step::Field(name));
                Err(error)
            }

            #[inline(always)]
            fn end(self) -> Result<(), Failed> {
                Ok(())
            }
        }
    )*};
}

rows! { SerializeTuple serialize_element SerializeTupleStruct serialize_field SerializeTupleVariant serialize_field }
named_rows! { SerializeStruct SerializeStructVariant }
