//! What crosses processes: end to end, kill, hostile, conformance, tidy.
