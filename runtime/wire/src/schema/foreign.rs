//! Declaring the schema of a type of another crate.

/// Declares the schema of a type of another crate: a name and a version of its serialised form.
///
/// Its fields cannot be seen, so the version is a promise: raise it when the crate changes what it serialises.
///
/// ```
/// # mod other { pub struct Point; }
/// use bailiwick_wire::foreign_schema;
/// // Rust permits this for types of your own crate, so wrap the foreign one in a newtype.
/// struct Place(other::Point);
/// foreign_schema!(Place, "other::Point", 1);
/// ```
#[macro_export]
macro_rules! foreign_schema {
    ($type:ty, $name:literal, $version:literal) => {
        impl $crate::schema::Schema for $type {
            fn shape(_: &mut $crate::schema::Shapes) -> $crate::schema::Shape {
                $crate::schema::Shape::plain(concat!($name, "@", $version))
            }
        }
    };
}
