//! The schema of a method and of a protocol.

use serde::{Deserialize, Serialize};

use super::{Carries, Fingerprint, Schema, Shape, Shapes};

/// What one method takes and answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodSchema {
    /// The method's name.
    pub name: &'static str,
    /// A hash of the shape.
    pub fingerprint: Fingerprint,
    /// Its line and, below, the definitions of the types that it names.
    pub shape: String,
    /// What a message may carry.
    pub arguments: Carries,
    /// What a reply, or each of a stream of replies, may carry.
    pub reply: Carries,
    /// Its messages go before ordinary ones that wait. Each side goes by its own word, so it is no part of the shape: whether a
    /// message is understood does not depend on it.
    pub has_priority: bool,
}

/// The methods of a protocol, in the order of their indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolSchema {
    /// The protocol's name.
    pub name: &'static str,
    /// The methods.
    pub methods: Vec<MethodSchema>,
    /// Another process told of it while this one ran, so that what it tells at another time may differ.
    pub is_learnt: bool,
}

/// What another process says of a method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodShape {
    /// The method's name.
    pub name: String,
    /// A hash of the shape, as the other process computed it.
    pub fingerprint: Fingerprint,
    /// The shape; for people only.
    pub shape: String,
}

impl ProtocolSchema {
    /// Returns the index and the schema of the method with this name.
    pub fn method(&self, name: &str) -> Option<(u16, &MethodSchema)> {
        self.methods.iter().zip(0..).find(|(method, _)| method.name == name).map(|(method, at)| (at, method))
    }
}

impl MethodSchema {
    /// Starts with the name; arguments and the reply follow.
    pub fn build(name: &'static str) -> MethodBuilder {
        MethodBuilder { name, arguments: Vec::new(), shapes: Shapes::default(), has_priority: false }
    }

    /// Returns what another process is told.
    pub fn to_shape(&self) -> MethodShape {
        MethodShape { name: self.name.to_owned(), fingerprint: self.fingerprint, shape: self.shape.clone() }
    }
}

/// Collects the arguments of a method; made by [`MethodSchema::build`].
#[derive(Debug)]
#[must_use = "ends with `reply` or `replies`"]
pub struct MethodBuilder {
    name: &'static str,
    arguments: Vec<(&'static str, Shape)>,
    shapes: Shapes,
    has_priority: bool,
}

impl MethodBuilder {
    /// Adds an argument.
    pub fn argument<T: Schema>(mut self, name: &'static str) -> MethodBuilder {
        let shape = T::shape(&mut self.shapes);
        self.arguments.push((name, shape));
        self
    }

    /// Lets its messages go before ordinary ones that wait.
    pub fn with_priority(self) -> MethodBuilder {
        MethodBuilder { has_priority: true, ..self }
    }

    /// Ends with one reply.
    pub fn reply<T: Schema>(mut self) -> MethodSchema {
        let shape = T::shape(&mut self.shapes);
        self.finish(&format!(" -> {}", shape.text()), shape.carries())
    }

    /// Ends with a stream of replies.
    pub fn replies<T: Schema>(mut self) -> MethodSchema {
        let shape = T::shape(&mut self.shapes);
        self.finish(&format!(" -> stream {}", shape.text()), shape.carries())
    }

    fn finish(self, tail: &str, reply: Carries) -> MethodSchema {
        let carries =
            self.arguments.iter().fold(Carries::default(), |sum, (_, shape)| sum.and(shape.carries()));
        let arguments: Vec<_> =
            self.arguments.iter().map(|(name, shape)| format!("{name}: {}", shape.text())).collect();
        let line = format!("{}({}){tail}\n", self.name, arguments.join(", "));
        let shape = line + &self.shapes.into_text();
        MethodSchema {
            name: self.name,
            fingerprint: Fingerprint::of(&shape),
            shape,
            arguments: carries,
            reply,
            has_priority: self.has_priority,
        }
    }
}
