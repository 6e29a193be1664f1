//! What the tests of the examples share.
#![allow(dead_code)] // Each test uses a part of it.

pub(crate) mod client;
pub(crate) mod deployed;
pub(crate) mod gallery;
pub(crate) mod load;
pub(crate) mod program;
