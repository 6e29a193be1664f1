//! What travels between processes: frames, schemas and the budgeted codec.
//!
//! This crate reads bytes that a hostile process wrote. It has no unsafe code, makes no system call and
//! knows a descriptor only as number n of kind K. Nothing in it panics on input, and nothing in it
//! allocates more than [`Limits`] permits.
//!
//! From the outside in: a packet is a row of [`frame::Frame`]s; a frame is a [`frame::Header`], its
//! [`frame::Extensions`] and a payload; [`codec`] turns a payload into a value and back; [`schema`] says
//! whether two ends mean the same value; [`fault`] says what follows when something is wrong.
#![forbid(unsafe_code)]

pub mod audit;
pub mod backtraces;
pub mod bootstrap;
pub mod codec;
pub mod control;
pub mod crash;
pub mod denials;
pub mod description;
pub mod descriptors;
pub mod fault;
mod fd_kind;
pub mod frame;
pub mod handoff;
pub mod handshake;
pub mod last_words;
mod limits;
pub mod log;
pub mod notify;
pub mod operator;
pub mod output;
pub mod reason;
pub mod schema;
pub mod slate;
pub mod state_record;
mod text;

pub use fd_kind::{FdKind, FdKinds};
pub use limits::{Limit, Limits};
