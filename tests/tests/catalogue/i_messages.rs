//! I. Messages across a crash.
