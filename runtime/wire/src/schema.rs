//! Whether two ends mean the same by a message: structural schemas.
//!
//! The *shape* of a method is a text: its arguments and its reply, and below them the definition of every
//! type that they name, in the order in which they are first met. A definition has the type's name, its
//! fields or variants with names, in order, with types. Because a definition stands once and is referred to
//! by name, recursion ends and sharing costs nothing. The [`Fingerprint`] of a method is a hash of that
//! text, so two methods agree if and only if a person would read the same.
//!
//! ```
//! use bailiwick_wire::schema::MethodSchema;
//! let half = MethodSchema::build("half").argument::<u64>("of").reply::<Option<u64>>();
//! assert_eq!(half.shape, "half(of: u64) -> Option<u64>\n");
//! let renamed = MethodSchema::build("half").argument::<u64>("number").reply::<Option<u64>>();
//! assert_ne!(half.fingerprint, renamed.fingerprint);
//! ```

mod compare;
mod fingerprint;
mod fixed;
mod foreign;
mod method;
mod shapes;
mod standard;

pub use compare::{Disagreement, compare};
pub use fingerprint::Fingerprint;
pub use fixed::FixedSize;
pub use method::{MethodBuilder, MethodSchema, MethodShape, ProtocolSchema};
pub use shapes::{Body, Carries, Shape, Shapes};

/// A type with a structural schema. `#[message]` derives it; [`foreign_schema!`](crate::foreign_schema)
/// declares it for a type of another crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no schema, so it cannot be part of a message",
    note = "put `#[message]` on it, or declare it with `foreign_schema!` if it belongs to another crate"
)]
pub trait Schema: 'static {
    /// What every value takes on the wire, if all take the same: these are decoded without counting. If it is not known, or neither
    /// size nor depth are as it says, values are decoded all the same, only slower. Who declares it for a type that carries
    /// descriptors or addresses, or that allocates when it is decoded, takes the limits off it.
    const FIXED: Option<FixedSize> = None;

    /// Returns how this type is written in a shape, and adds the definitions that it needs to `shapes`.
    fn shape(shapes: &mut Shapes) -> Shape;
}
