//! The supervisor process: manifest, policy loop, sandbox, broker; and the binary `bailiwickd`.
#![forbid(unsafe_code)]

pub mod check;
pub mod control;
pub mod daemon;
pub mod logs;
pub mod manifest;
pub mod spec;
pub mod state_dir;
pub use daemon::{Options, supervise};
