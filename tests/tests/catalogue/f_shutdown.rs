//! F. The ordered stop.
