//! Collecting the definitions of the types that a method names.

use std::any::TypeId;
use std::collections::HashMap;

use crate::{FdKind, FdKinds};

/// How a type is written in a shape, and what its values may carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    text: String,
    carries: Carries,
}

/// Which descriptors and addresses values of a type may carry, and how many at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Carries {
    /// The kinds of descriptors.
    pub fds: FdKinds,
    /// The most descriptors of one value; [`Carries::UNBOUNDED`] if only the limits of the link bound them.
    pub most_fds: u16,
    /// The most addresses of one value; likewise.
    pub most_addresses: u16,
}

impl Carries {
    /// As many as the limits of the link permit.
    pub const UNBOUNDED: u16 = u16::MAX;

    /// Returns what both together carry.
    #[must_use]
    pub fn and(self, other: Carries) -> Carries {
        Carries {
            fds: self.fds.union(other.fds),
            most_fds: self.most_fds.saturating_add(other.most_fds),
            most_addresses: self.most_addresses.saturating_add(other.most_addresses),
        }
    }

    /// Returns what one or the other carries.
    #[must_use]
    pub fn or(self, other: Carries) -> Carries {
        Carries {
            fds: self.fds.union(other.fds),
            most_fds: self.most_fds.max(other.most_fds),
            most_addresses: self.most_addresses.max(other.most_addresses),
        }
    }

    /// Returns what any number of them carry.
    #[must_use]
    pub fn many(self) -> Carries {
        let many = |most| if most > 0 { Carries::UNBOUNDED } else { 0 };
        Carries { fds: self.fds, most_fds: many(self.most_fds), most_addresses: many(self.most_addresses) }
    }

    fn times(self, count: usize) -> Carries {
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        let most_fds = self.most_fds.saturating_mul(count);
        Carries { fds: self.fds, most_fds, most_addresses: self.most_addresses.saturating_mul(count) }
    }
}

impl Shape {
    /// Returns the shape of a type that is its own definition, such as `u16`.
    pub fn plain(text: &str) -> Shape {
        Shape { text: text.to_owned(), carries: Carries::default() }
    }

    /// Returns the shape of a descriptor of this kind.
    pub fn descriptor(kind: FdKind) -> Shape {
        let carries = Carries { fds: FdKinds::NONE.with(kind), most_fds: 1, most_addresses: 0 };
        Shape { text: format!("Fd<{kind}>"), carries }
    }

    /// Returns the shape of an address of an actor that serves `protocol`.
    pub fn address(protocol: &str) -> Shape {
        let carries = Carries { most_addresses: 1, ..Carries::default() };
        Shape { text: format!("Ref<{protocol}>"), carries }
    }

    /// Returns the shape of bytes that travel inline or as one sealed memfd.
    pub fn blob() -> Shape {
        Shape { text: "Blob".to_owned(), ..Shape::descriptor(FdKind::SealedMemory) }
    }

    /// Returns the shape of any number of values of one shape: `before`, the shape, `after`.
    pub fn many(before: &str, of: Shape, after: &str) -> Shape {
        Shape { text: format!("{before}{}{after}", of.text), carries: of.carries.many() }
    }

    /// Returns the shape of `count` values of one shape.
    pub fn array(of: Shape, count: usize) -> Shape {
        Shape { text: format!("[{}; {count}]", of.text), carries: of.carries.times(count) }
    }

    /// Returns the shape of one value of each shape.
    pub fn all(name: &str, open: char, shapes: Vec<Shape>, close: char) -> Shape {
        let carries = shapes.iter().fold(Carries::default(), |sum, shape| sum.and(shape.carries));
        Shape { text: format!("{name}{open}{}{close}", join(&shapes)), carries }
    }

    /// Returns the shape of one value of one of the shapes.
    pub fn one_of(name: &str, shapes: Vec<Shape>) -> Shape {
        let carries = shapes.iter().fold(Carries::default(), |most, shape| most.or(shape.carries));
        Shape { text: format!("{name}<{}>", join(&shapes)), carries }
    }

    /// Returns how it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what its values may carry.
    pub fn carries(&self) -> Carries {
        self.carries
    }
}

fn join(shapes: &[Shape]) -> String {
    shapes.iter().map(Shape::text).collect::<Vec<_>>().join(", ")
}

/// The fields of a struct or of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// None.
    Unit,
    /// Fields without names.
    Tuple(Vec<Shape>),
    /// Fields with names.
    Record(Vec<(&'static str, Shape)>),
}

impl Body {
    fn render(&self) -> (String, Carries) {
        match self {
            Body::Unit => (String::new(), Carries::default()),
            Body::Tuple(shapes) => {
                let shape = Shape::all("", '(', shapes.clone(), ')');
                (shape.text, shape.carries)
            }
            Body::Record(fields) => {
                let text: Vec<_> =
                    fields.iter().map(|(name, shape)| format!("{name}: {}", shape.text)).collect();
                let carries =
                    fields.iter().fold(Carries::default(), |sum, (_, shape)| sum.and(shape.carries));
                (format!(" {{ {} }}", text.join(", ")), carries)
            }
        }
    }
}

/// The definitions of the types met so far.
#[derive(Debug, Default)]
pub struct Shapes {
    definitions: Vec<Definition>,
    places: HashMap<TypeId, usize>,
}

#[derive(Debug)]
struct Definition {
    /// How the type is written where it is used.
    expression: String,
    /// The line that defines it, once all of it has been met.
    line: String,
    carries: Carries,
    /// Whether it was met again within itself.
    recursive: bool,
}

impl Shapes {
    /// Defines a struct, unless that was done, and returns its shape. `parameters` are those of a generic.
    pub fn structure<T: 'static>(
        &mut self,
        name: &str,
        parameters: Vec<Shape>,
        body: impl FnOnce(&mut Shapes) -> Body,
    ) -> Shape {
        self.define::<T>(name, &parameters, |shapes, expression| {
            let (text, carries) = body(shapes).render();
            (format!("struct {expression}{text}"), carries)
        })
    }

    /// Defines an enum, unless that was done, and returns its shape. `parameters` are those of a generic.
    pub fn enumeration<T: 'static>(
        &mut self,
        name: &str,
        parameters: Vec<Shape>,
        variants: impl FnOnce(&mut Shapes) -> Vec<(&'static str, Body)>,
    ) -> Shape {
        self.define::<T>(name, &parameters, |shapes, expression| {
            let mut carries = Carries::default();
            let variants: Vec<_> = variants(shapes)
                .into_iter()
                .map(|(variant, body)| {
                    let (text, carried) = body.render();
                    carries = carries.or(carried);
                    format!("{variant}{text}")
                })
                .collect();
            (format!("enum {expression} {{ {} }}", variants.join(", ")), carries)
        })
    }

    fn define<T: 'static>(
        &mut self,
        name: &str,
        parameters: &[Shape],
        render: impl FnOnce(&mut Shapes, &str) -> (String, Carries),
    ) -> Shape {
        if let Some(&place) = self.places.get(&TypeId::of::<T>()) {
            let known = &mut self.definitions[place];
            known.recursive |= known.line.is_empty();
            return Shape { text: known.expression.clone(), carries: known.carries };
        }
        let expression = self.expression(name, parameters);
        let place = self.definitions.len();
        self.places.insert(TypeId::of::<T>(), place);
        let (line, carries, recursive) = (String::new(), Carries::default(), false);
        self.definitions.push(Definition { expression: expression.clone(), line, carries, recursive });
        let (line, carries) = render(self, &expression);
        let known = &mut self.definitions[place];
        known.line = line;
        known.carries = if known.recursive { carries.many() } else { carries };
        Shape { text: expression, carries: known.carries }
    }

    /// Returns a name that no other type has: two types of one name must not be taken for each other.
    fn expression(&self, name: &str, parameters: &[Shape]) -> String {
        let base = match parameters {
            [] => name.to_owned(),
            parameters => format!("{name}<{}>", join(parameters)),
        };
        let taken = |text: &str| self.definitions.iter().any(|known| known.expression == text);
        let numbered = (2..).map(|number| format!("{base}#{number}"));
        std::iter::once(base.clone()).chain(numbered).find(|text| !taken(text)).unwrap_or(base)
    }

    /// Returns the definitions, one a line.
    pub(super) fn into_text(self) -> String {
        self.definitions.into_iter().map(|known| known.line + "\n").collect()
    }
}
