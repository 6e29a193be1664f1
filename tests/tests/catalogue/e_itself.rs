//! E. The supervisor itself: its death, its identity, its resources.
