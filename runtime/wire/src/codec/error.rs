//! What can go wrong with encoding and decoding, and where in the value.

use std::fmt;

use serde::{de, ser};

use super::budget::Over;
use crate::descriptors::FieldError;
use crate::fault::Fault;
use crate::reason::NotDelivered;
use crate::{Limit, Limits};

/// A value could not be encoded. The sender's own fault: nothing has left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot encode{path}: {problem}")]
pub struct EncodeError {
    /// What is wrong.
    pub problem: EncodeProblem,
    /// Where in the value.
    pub path: FieldPath,
}

/// What is wrong with a value to be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeProblem {
    /// It is over a limit. `found` is where counting stopped, the value may have more.
    #[error("{found} {limit}, the limit is {max}")]
    TooLarge {
        /// Which limit.
        limit: Limit,
        /// What was counted.
        found: u64,
        /// What is permitted.
        max: u64,
    },
    /// An element of a sequence or map has no bytes; a receiver could not bound their number.
    #[error("elements of a sequence take no bytes")]
    ZeroSizeElement,
    /// A sequence or map did not say its length in advance, or said another than it had.
    #[error("a sequence announced {announced:?} elements and has {found}")]
    Length {
        /// What it announced.
        announced: Option<usize>,
        /// What it had.
        found: usize,
    },
    /// A descriptor or address was refused.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The type itself refused.
    #[error("{message}")]
    Refused {
        /// What it said.
        message: Box<str>,
    },
}

/// Bytes could not be decoded. The peer's fault, or a stranger's whose input it passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot decode{path}: {problem}")]
pub struct DecodeError {
    /// What is wrong.
    pub problem: DecodeProblem,
    /// Where in the value.
    pub path: FieldPath,
}

/// What is wrong with bytes to be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeProblem {
    /// They are over a limit. `found` is where counting stopped.
    #[error("{found} {limit}, the limit is {max}")]
    OverLimit {
        /// Which limit.
        limit: Limit,
        /// What was counted.
        found: u64,
        /// What is permitted.
        max: u64,
    },
    /// They end too early.
    #[error("{missing} bytes are missing at the end")]
    Truncated {
        /// How many the next item lacks.
        missing: u64,
    },
    /// They go on after the value.
    #[error("{left} bytes are left over")]
    Trailing {
        /// How many.
        left: u64,
    },
    /// A length that the bytes left cannot hold.
    #[error("{announced} elements are announced, {left} bytes are left")]
    Length {
        /// Elements announced.
        announced: u64,
        /// Bytes that are left.
        left: u64,
    },
    /// Elements of a sequence or map have no bytes, so that nothing bounds their number.
    #[error("elements of a sequence take no bytes")]
    ZeroSizeElement,
    /// Not a value of its type.
    #[error("{found} is not a {expected}")]
    Invalid {
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: u64,
    },
    /// Text that is not UTF-8.
    #[error("text is not utf-8 from byte {valid_up_to} on")]
    Utf8 {
        /// Where it stops to be.
        valid_up_to: u64,
    },
    /// A descriptor or address was refused.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The type cannot be read from bytes that do not describe themselves.
    #[error("the type asks what comes next, which the bytes do not say")]
    NotSelfDescribing,
    /// The type itself refused.
    #[error("{message}")]
    Refused {
        /// What it said.
        message: Box<str>,
    },
}

/// Where in a value: names of types and fields, numbers of elements. Prints as ` at Size.width[3]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldPath {
    // Innermost first: the path is collected while the error travels outwards.
    pub(super) steps: Vec<Step>,
}

impl FieldPath {
    /// Notes that the error travels outwards past here.
    pub(super) fn push(&mut self, step: Step) {
        // Two for each level: a type and its field.
        if self.steps.len() < 2 * usize::from(Limits::MAX_DEPTH) {
            self.steps.push(step);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Type(&'static str),
    Field(&'static str),
    Element(u32),
    Key,
    Value,
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return Ok(());
        }
        f.write_str(" at ")?;
        let mut first = true;
        let mut named = false;
        for step in self.steps.iter().rev() {
            match step {
                // A type's name is worth its place only where nothing else says where we are.
                Step::Type(name) if first => f.write_str(name)?,
                Step::Type(_) => {}
                Step::Field(name) if first && !named => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Element(number) => write!(f, "[{number}]")?,
                Step::Key => f.write_str("[key]")?,
                Step::Value => f.write_str("[value]")?,
            }
            named |= matches!(step, Step::Type(_));
            first = false;
        }
        Ok(())
    }
}

impl EncodeError {
    /// Returns the reason that the sender is told.
    pub fn reason(&self) -> NotDelivered {
        match self.problem {
            EncodeProblem::TooLarge { limit, found, max } => NotDelivered::TooLarge { limit, found, max },
            EncodeProblem::Field(FieldError::TooMany { limit, max }) => {
                NotDelivered::TooLarge { limit, found: u64::from(max) + 1, max: max.into() }
            }
            EncodeProblem::Field(FieldError::Exhausted { .. }) => NotDelivered::DescriptorsExhausted,
            EncodeProblem::ZeroSizeElement
            | EncodeProblem::Length { .. }
            | EncodeProblem::Field(_)
            | EncodeProblem::Refused { .. } => NotDelivered::Undecodable { detail: self.to_string() },
        }
    }
}

impl DecodeError {
    /// Returns which row of the table of faults it is.
    pub fn fault(&self) -> Fault {
        match &self.problem {
            DecodeProblem::OverLimit { .. } => Fault::PayloadOverLimit,
            DecodeProblem::Field(FieldError::Kind { .. }) => Fault::DescriptorKind,
            DecodeProblem::Field(FieldError::NotGranted { .. }) => Fault::DescriptorNotGranted,
            _ => Fault::Payload,
        }
    }

    /// Returns the reason that the sender is told.
    pub fn reason(&self) -> NotDelivered {
        match self.problem {
            DecodeProblem::OverLimit { limit, found, max } => NotDelivered::TooLarge { limit, found, max },
            DecodeProblem::Field(FieldError::NotGranted { .. }) => NotDelivered::NotGranted,
            DecodeProblem::Field(FieldError::Exhausted { .. }) => NotDelivered::DescriptorsExhausted,
            _ => NotDelivered::Undecodable { detail: self.to_string() },
        }
    }
}

/// What encoding and decoding fail with. It travels through serde behind a pointer, so that results travel in registers.
pub(super) trait Failure: From<Self::Problem> {
    type Problem: Clone + From<Over>;
}

impl Failure for EncodeError {
    type Problem = EncodeProblem;
}

impl Failure for DecodeError {
    type Problem = DecodeProblem;
}

impl From<EncodeProblem> for EncodeError {
    fn from(problem: EncodeProblem) -> Self {
        EncodeError { problem, path: FieldPath::default() }
    }
}

impl From<DecodeProblem> for DecodeError {
    fn from(problem: DecodeProblem) -> Self {
        DecodeError { problem, path: FieldPath::default() }
    }
}

impl From<Over> for EncodeProblem {
    fn from(Over { limit, found, max }: Over) -> Self {
        EncodeProblem::TooLarge { limit, found, max }
    }
}

impl From<Over> for DecodeProblem {
    fn from(Over { limit, found, max }: Over) -> Self {
        DecodeProblem::OverLimit { limit, found, max }
    }
}

impl ser::Error for Box<EncodeError> {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Box::new(EncodeProblem::Refused { message: shown(&message.to_string()) }.into())
    }
}

impl de::Error for Box<DecodeError> {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Box::new(DecodeProblem::Refused { message: shown(&message.to_string()) }.into())
    }
}

/// Returns what a type said, short and without control characters: it may be a stranger's words.
fn shown(text: &str) -> Box<str> {
    const MAX: usize = 256;
    let mut shown = String::new();
    for character in text.chars() {
        if shown.len() + 10 > MAX {
            shown.push_str("...");
            break;
        }
        match character {
            ' '..='~' => shown.push(character),
            other => shown.extend(other.escape_default()),
        }
    }
    shown.into_boxed_str()
}
