//! Two actors, each in a process of its own: one binds the port and goes, the other serves and may do nothing else.
//!
//! This program only says which actors it has. Which workers there are, and what each may do, stands in
//! `bailiwick.toml`.

mod binder;
mod front;
mod sandbox;

use std::process::ExitCode;

use bailiwick::prelude::*;

use binder::{Binder, BinderArgs};
use front::Front;

/// The name under which the supervisor keeps the listener.
const LISTENER: &str = "http";

/// Nobody sends messages to these two. The methods of a protocol would stand in here.
#[protocol]
pub trait Silent {}

fn main() -> ExitCode {
    let binder = SilentRef::serve(Binder::new)
        .with_args::<BinderArgs>()
        .with_lifecycle();
    let front = SilentRef::serve(Front::default).with_lifecycle();
    Program::new()
        .register("Binder", binder)
        .register("Front", front)
        .run()
}
