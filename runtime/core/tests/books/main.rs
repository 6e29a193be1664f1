//! The small machines that only keep books: each against a model that is too simple to be wrong.
mod model;
mod properties;
