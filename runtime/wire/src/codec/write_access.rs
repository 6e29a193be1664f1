//! The other half of encoding: what lies within an item, one at a time, each counted.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::budget::Place;
use super::error::{EncodeError, EncodeProblem, Step};
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
    fn write<T: Serialize + ?Sized>(&mut self, value: &T, place: Place) -> Result<(), Box<EncodeError>> {
        value.serialize(Item { writer: self.writer, place })
    }

    /// Returns the type whose fields they are, if it has a name.
    #[inline(always)]
    fn name(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Fields { name } => name,
            Kind::Sequence { .. } | Kind::Map { .. } => None,
        }
    }

    /// Checks that an element has bytes.
    #[inline(always)]
    fn moved(&mut self, before: usize) -> Result<(), Box<EncodeError>> {
        if self.writer.written() > before {
            return Ok(());
        }
        Err(self.writer.budget.fail(EncodeProblem::ZeroSizeElement))
    }

    #[inline]
    fn complete(self) -> Result<(), Box<EncodeError>> {
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
    type Error = Box<EncodeError>;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Box<EncodeError>> {
        let before = self.writer.written();
        let result = self.write(value, self.place.to_be_counted());
        if result.is_err() {
            leave_element(self.writer, None, self.found as u32);
        }
        self.found += 1;
        result.and_then(|()| self.moved(before))
    }

    #[inline]
    fn end(self) -> Result<(), Box<EncodeError>> {
        self.complete()
    }
}

impl SerializeMap for Within<'_, '_> {
    type Ok = ();
    type Error = Box<EncodeError>;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Box<EncodeError>> {
        self.before = self.writer.written();
        self.writer.budget.element()?;
        self.write(value, self.place).inspect_err(|_| self.writer.budget.step(Step::Key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Box<EncodeError>> {
        self.write(value, self.place).inspect_err(|_| self.writer.budget.step(Step::Value))?;
        self.found += 1;
        self.moved(self.before)
    }

    fn end(self) -> Result<(), Box<EncodeError>> {
        self.complete()
    }
}

// What notes that an error travels outwards is told only what fits in registers: what it were told by reference would be
// written into memory also by those whom nothing happens to.

#[cold]
fn leave_field(writer: &mut Writer<'_>, of: Option<&'static str>, name: &'static str) {
    leave(writer, of, Step::Field(name));
}

#[cold]
fn leave_element(writer: &mut Writer<'_>, of: Option<&'static str>, number: u32) {
    leave(writer, of, Step::Element(number));
}

fn leave(writer: &mut Writer<'_>, of: Option<&'static str>, step: Step) {
    writer.budget.step(step);
    if let Some(name) = of {
        writer.budget.step(Step::Type(name));
    }
}

macro_rules! rows {
    ($($trait:ident $method:ident)*) => {$(
        impl $trait for Within<'_, '_> {
            type Ok = ();
            type Error = Box<EncodeError>;

            #[inline(always)]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Box<EncodeError>> {
                let result = self.write(value, self.place);
                if result.is_err() {
                    leave_element(self.writer, self.name(), self.found as u32);
                }
                self.found += 1;
                result
            }

            #[inline(always)]
            fn end(self) -> Result<(), Box<EncodeError>> {
                Ok(())
            }
        }
    )*};
}

macro_rules! named_rows {
    ($($trait:ident)*) => {$(
        impl $trait for Within<'_, '_> {
            type Ok = ();
            type Error = Box<EncodeError>;

            #[inline(always)]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Box<EncodeError>> {
                let result = self.write(value, self.place);
                if result.is_err() {
                    leave_field(self.writer, self.name(), name);
                }
                result
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), Box<EncodeError>> {
                // Fields are told apart by their place alone, so that the reader would take the next for it.
                let message = "a field was skipped, which its reader could not know".into();
                let error = self.writer.budget.fail(EncodeProblem::Refused { message });
                leave_field(self.writer, self.name(), name);
                Err(error)
            }

            #[inline(always)]
            fn end(self) -> Result<(), Box<EncodeError>> {
                Ok(())
            }
        }
    )*};
}

rows! { SerializeTuple serialize_element SerializeTupleStruct serialize_field SerializeTupleVariant serialize_field }
named_rows! { SerializeStruct SerializeStructVariant }
