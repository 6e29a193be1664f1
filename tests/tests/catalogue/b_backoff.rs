//! B. Pauses between restarts, and what ends them.
