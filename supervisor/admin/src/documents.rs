//! What programs read, each document with the version of its schema: the same from the command line and from the admin worker.

pub mod crashes;
pub mod events;
pub(crate) mod inside;
pub mod status;
