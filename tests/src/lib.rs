//! What the tests across processes share.

pub mod fixture;
pub mod harness;
pub mod page;
pub mod root_process;
pub mod source;
