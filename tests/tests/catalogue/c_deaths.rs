//! C. Killing, hanging, limits.
