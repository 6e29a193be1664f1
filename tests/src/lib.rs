//! What the tests across processes share.

pub mod fixture;
#[cfg(doctest)]
mod guides;
pub mod harness;
pub mod page;
pub mod root_process;
pub mod source;
pub mod walk;
