//! The ring: against a queue, under every interleaving of a small one, and with an end that writes nonsense.
mod cells;
mod forgery;
mod hostile;
mod interleavings;
mod model;
mod properties;
