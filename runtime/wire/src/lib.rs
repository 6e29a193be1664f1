//! What travels between processes: frames, schemas and the budgeted codec.
#![forbid(unsafe_code)]

mod fd_kind;

pub use fd_kind::FdKind;
