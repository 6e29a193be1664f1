//! What a method takes and answers, read from the text of its schema: by that, JSON becomes the bytes of a message, and the bytes of
//! an answer become JSON, of types that this program was never built with.
//!
//! The text is a worker's word. Whoever lies in it gets messages that do not decode, and nothing else: what is made of it is bounded
//! by the text's length, and [`given`] and [`found`] bound what they do by it.

pub(crate) mod found;
pub(crate) mod given;
mod reading;
#[cfg(test)]
mod tests;

use std::fmt;

/// The longest text of a schema that is read, in bytes.
pub(crate) const SHAPE_BYTES_MAX: usize = 64 << 10;

/// A method: its arguments, its answer, and the types that those name.
#[derive(Debug, PartialEq)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) arguments: Vec<(String, Form)>,
    pub(crate) reply: Form,
    /// Whether it answers with a stream of such replies.
    pub(crate) is_stream: bool,
    types: Vec<Type>,
}

/// How one value is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    Unit,
    Bool,
    Char,
    Text,
    /// Bytes that are written with their length.
    Bytes,
    Integer(Integer),
    Float {
        is_single: bool,
    },
    Option(Box<Form>),
    Many(Box<Form>),
    Array(Box<Form>, usize),
    Tuple(Vec<Form>),
    Map(Box<(Form, Form)>),
    Network(Network),
    /// One of the types of the method.
    Type(usize),
    /// What JSON does not have: descriptors, addresses, blobs, and what is declared by a name alone.
    Opaque(String),
}

/// An integer: how wide it is, and what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Integer {
    pub(crate) bytes: u8,
    pub(crate) is_signed: bool,
    pub(crate) is_nonzero: bool,
}

/// What the network calls its ends; JSON has them as people write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Ip,
    Ipv4,
    Ipv6,
    Socket,
    SocketV4,
    SocketV6,
}

/// A type with a definition.
#[derive(Debug, PartialEq)]
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) what: What,
}

/// What a definition says.
#[derive(Debug, PartialEq)]
pub(crate) enum What {
    Struct(Body),
    Enum(Vec<(String, Body)>),
}

/// The fields of a struct or of a variant.
#[derive(Debug, PartialEq)]
pub(crate) enum Body {
    Unit,
    Tuple(Vec<Form>),
    Record(Vec<(String, Form)>),
}

/// A schema that is not to be read. Whoever wrote it has another version of this, or lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable(pub(crate) String);

impl Method {
    /// Reads the text of a method's schema.
    ///
    /// # Errors
    /// What of it is not to be read.
    pub(crate) fn read(shape: &str) -> Result<Self, Unreadable> {
        reading::method(shape)
    }

    /// Returns one of its types.
    pub(crate) fn named(&self, index: usize) -> &Type {
        &self.types[index]
    }

    /// Returns the name of something of the answer that JSON does not have, if there is such a thing.
    pub(crate) fn opaque_reply(&self) -> Option<&str> {
        let mut seen = vec![false; self.types.len()];
        self.opaque(&self.reply, &mut seen)
    }

    fn opaque<'a>(&'a self, form: &'a Form, seen: &mut [bool]) -> Option<&'a str> {
        match form {
            Form::Opaque(name) => Some(name),
            Form::Option(of) | Form::Many(of) | Form::Array(of, _) => self.opaque(of, seen),
            Form::Map(of) => self.opaque(&of.0, seen).or_else(|| self.opaque(&of.1, seen)),
            Form::Tuple(of) => of.iter().find_map(|form| self.opaque(form, seen)),
            Form::Type(index) if std::mem::replace(&mut seen[*index], true) => None,
            Form::Type(index) => match &self.types[*index].what {
                What::Struct(body) => self.opaque_body(body, seen),
                What::Enum(variants) => variants.iter().find_map(|(_, body)| self.opaque_body(body, seen)),
            },
            _ => None,
        }
    }

    fn opaque_body<'a>(&'a self, body: &'a Body, seen: &mut [bool]) -> Option<&'a str> {
        match body {
            Body::Unit => None,
            Body::Tuple(forms) => forms.iter().find_map(|form| self.opaque(form, seen)),
            Body::Record(fields) => fields.iter().find_map(|(_, form)| self.opaque(form, seen)),
        }
    }
}

impl Form {
    /// Returns whether values of it can be the keys of an object.
    fn is_key(&self) -> bool {
        matches!(self, Self::Text | Self::Char | Self::Bool | Self::Integer(_) | Self::Network(_))
    }
}

impl Integer {
    /// Returns whether a number is one of these.
    fn has(self, number: i128) -> bool {
        let bits = u32::from(self.bytes) * 8;
        let (least, most) = match self.is_signed {
            true if bits < 128 => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
            true => (i128::MIN, i128::MAX),
            // Larger ones do not fit what they are compared as.
            false if bits < 127 => (0, (1 << bits) - 1),
            false => (0, i128::MAX),
        };
        (least..=most).contains(&number) && !(self.is_nonzero && number == 0)
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_signed { 'i' } else { 'u' };
        let bits = u32::from(self.bytes) * 8;
        if self.is_nonzero { write!(f, "{sign}{bits} other than 0") } else { write!(f, "{sign}{bits}") }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ip => "an IP address",
            Self::Ipv4 => "an IPv4 address",
            Self::Ipv6 => "an IPv6 address",
            Self::Socket => "an address with a port",
            Self::SocketV4 => "an IPv4 address with a port",
            Self::SocketV6 => "an IPv6 address with a port",
        })
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its schema is not one that this version reads: {}", self.0)
    }
}
