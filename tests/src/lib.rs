//! What the tests across processes share.

pub mod root_process;
pub mod source;
