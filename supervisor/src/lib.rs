//! The supervisor process: manifest, policy loop, sandbox, broker; and the binary `bailiwickd`.
#![forbid(unsafe_code)]

pub mod broker;
pub mod check;
pub mod control;
pub mod daemon;
pub mod digests;
pub mod line;
pub mod logs;
pub mod manifest;
pub mod roster;
pub mod sandbox;
pub mod spawn;
pub mod spec;
pub mod state_dir;
pub mod store;
pub use daemon::{Options, supervise};

#[cfg(test)]
mod tests;
