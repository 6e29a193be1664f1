//! A cause as its number, as everywhere else on the wire.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::operator::Cause;

pub(super) fn serialize<S: Serializer>(cause: &Cause, to: S) -> Result<S::Ok, S::Error> {
    cause.code().serialize(to)
}

pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Cause, D::Error> {
    let code = u32::deserialize(from)?;
    Cause::from_code(code).ok_or_else(|| D::Error::custom(format_args!("{code:#x} is no cause")))
}
