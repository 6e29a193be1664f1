//! G. Reload and replacement.
