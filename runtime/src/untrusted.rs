//! What a peer says and nobody has checked: types with which a handler cannot forget to.
//!
//! A payload that decodes has the right shape, within its limits. Whether it makes sense is another question, and the worker that
//! holds a privilege has to ask it of everything that a worker without one sends.
//!
//! * [`Untrusted`] is for what only the handler can judge: its one way out is a check.
//! * [`Valid`] is for what its type can judge alone: the decoder asks [`Validate`] before the handler runs, and the sender's own
//!   encoder never lets through what would be refused.
//! * `#[protocol(untrusted)]` has the compiler refuse an argument that is neither: see [`Checked`].

use std::error::Error;
use std::fmt;

use bailiwick_wire::codec::bytes::AtOnce;
use bailiwick_wire::schema::{FixedSize, Schema, Shape, Shapes};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// A value that a peer sent and that nobody has checked.
///
/// It has no accessor, prints nothing of itself, and compares with nothing: all that one can do with it is to check it.
///
/// ```
/// use bailiwick::prelude::*;
///
/// #[protocol(untrusted)]
/// pub trait Ports {
///     async fn bind(&mut self, port: Untrusted<u16>) -> Result<(), PortRefused>;
/// }
///
/// #[message]
/// pub struct PortRefused {
///     pub port: u16,
/// }
///
/// struct Binder;
///
/// impl Ports for Binder {
///     async fn bind(&mut self, port: Untrusted<u16>) -> Result<(), PortRefused> {
///         let port = port.validate(|port| if [80, 443].contains(&port) { Ok(port) } else { Err(PortRefused { port }) })?;
///         println!("may bind {port}");
///         Ok(())
///     }
/// }
/// # let _ = PortsRef::serve(|| Binder);
/// ```
///
/// What is not checked is no argument of such a protocol:
///
/// ```compile_fail
/// # use bailiwick::prelude::*;
/// #[protocol(untrusted)]
/// pub trait Ports {
///     async fn bind(&mut self, address: String);
/// }
/// ```
pub struct Untrusted<T>(T);

impl<T> Untrusted<T> {
    /// Returns what `check` makes of the value.
    ///
    /// # Errors
    /// Whatever `check` says.
    pub fn validate<U, E>(self, check: impl FnOnce(T) -> Result<U, E>) -> Result<U, E> {
        check(self.0)
    }
}

impl<T> From<T> for Untrusted<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

/// Says nothing of the value: what a stranger sent is not to get into a log by accident.
impl<T> fmt::Debug for Untrusted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Untrusted(..)")
    }
}

impl<T: Schema> Schema for Untrusted<T> {
    const FIXED: Option<FixedSize> = T::FIXED;

    fn shape(shapes: &mut Shapes) -> Shape {
        T::shape(shapes)
    }
}

impl<T: Serialize + 'static> Serialize for Untrusted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AtOnce(&self.0).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + 'static> Deserialize<'de> for Untrusted<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AtOnce::deserialize(deserializer).map(|AtOnce(value)| Self(value))
    }
}

/// A value that can tell by itself whether it makes sense.
///
/// ```
/// use bailiwick::prelude::*;
///
/// #[message]
/// pub struct Width(u16);
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("a width of {0}, expected 1 to 4096")]
/// pub struct NoWidth(u16);
///
/// impl Validate for Width {
///     type Error = NoWidth;
///
///     fn validate(&self) -> Result<(), NoWidth> {
///         if (1..=4096).contains(&self.0) { Ok(()) } else { Err(NoWidth(self.0)) }
///     }
/// }
///
/// #[protocol(untrusted)]
/// pub trait Shrink {
///     async fn shrink(&mut self, width: Valid<Width>);
/// }
/// # assert!(Width(0).validate().is_err());
/// ```
pub trait Validate {
    /// Why it does not.
    type Error: Error;

    /// Checks the value.
    ///
    /// # Errors
    /// Why it makes no sense.
    fn validate(&self) -> Result<(), Self::Error>;
}

/// A value that makes sense: there is no other way to make one, here or out of a message.
///
/// ```
/// use bailiwick::{Valid, Validate};
///
/// #[derive(Debug)]
/// struct Hours { from: u8, to: u8 }
///
/// impl Validate for Hours {
///     type Error = std::io::Error;
///     fn validate(&self) -> Result<(), Self::Error> {
///         let is_sound = self.from < self.to && self.to <= 24;
///         is_sound.then_some(()).ok_or_else(|| std::io::ErrorKind::InvalidInput.into())
///     }
/// }
///
/// assert!(Valid::new(Hours { from: 9, to: 17 }).is_ok_and(|hours| hours.to == 17));
/// assert!(Valid::new(Hours { from: 17, to: 9 }).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Valid<T>(T);

impl<T: Validate> Valid<T> {
    /// Takes a value that makes sense.
    ///
    /// # Errors
    /// Why it does not.
    pub fn new(value: T) -> Result<Self, T::Error> {
        value.validate()?;
        Ok(Self(value))
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Valid<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Schema> Schema for Valid<T> {
    fn shape(shapes: &mut Shapes) -> Shape {
        T::shape(shapes)
    }
}

impl<T: Serialize> Serialize for Valid<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + Validate> Deserialize<'de> for Valid<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(T::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// An argument that a protocol of a privileged actor may take: numbers and such, descriptors, whose kind is checked on arrival,
/// and what is checked by its type or must be by the handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is what a peer says and nobody has checked",
    label = "not checked",
    note = "write `Untrusted<{Self}>`, or `Valid<..>` for a type that implements `Validate`"
)]
pub trait Checked {}

macro_rules! checked {
    ($($type:ty)*) => { $(impl Checked for $type {})* };
}

checked! {
    bool u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 std::time::Duration crate::RelativePath
    std::net::IpAddr std::net::SocketAddr
}

impl<T> Checked for Untrusted<T> {}
impl<T> Checked for Valid<T> {}
impl<T> Checked for crate::Fd<T> {}
impl<T: Checked> Checked for Option<T> {}

#[cfg(test)]
mod tests {
    use bailiwick_wire::{Limits, codec};

    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Even(u32);

    impl Validate for Even {
        type Error = std::io::Error;

        fn validate(&self) -> Result<(), Self::Error> {
            if self.0.is_multiple_of(2) { Ok(()) } else { Err(std::io::Error::other("odd")) }
        }
    }

    fn encoded(value: &impl Serialize) -> Vec<u8> {
        let mut bytes = Vec::new();
        codec::encode(value, &Limits::DATA, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_makes_no_sense_does_not_decode() {
        let decode = |value: u32| codec::decode::<Valid<Even>>(&encoded(&Even(value)), &Limits::DATA);
        assert_eq!(decode(4).unwrap().into_inner(), Even(4));
        let error = decode(5).unwrap_err();
        assert!(error.to_string().contains("odd"), "{error}");
        assert!(Valid::new(Even(3)).is_err(), "the sender learns it first");
    }

    #[test]
    fn what_is_not_checked_travels_as_it_is_and_shows_nothing() {
        let bytes = encoded(&Untrusted::from(String::from("\x1b[2J")));
        assert_eq!(bytes, encoded(&"\x1b[2J"));
        let text: Untrusted<String> = codec::decode(&bytes, &Limits::DATA).unwrap();
        assert_eq!(format!("{text:?}"), "Untrusted(..)");
        assert_eq!(text.validate(|text| text.len().checked_sub(4).ok_or(())), Ok(0));
    }
}
