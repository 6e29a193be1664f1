//! The admin worker: everything rich that people and their tools ask of a supervisor, in a process of its own that holds no
//! privilege.
//!
//! `[admin]` in the manifest has the supervisor run the command line's executable as a worker like any other, with a listener
//! and what `may` says. It asks the supervisor as every worker may (decisions/0046): if it dies nobody else notices, and the
//! control socket of the supervisor answers as ever.
#![forbid(unsafe_code)]

mod archive;
mod backlog;
mod caller;
mod dashboard;
mod desk;
pub mod documents;
mod feed;
mod form;
mod gate;
mod guard;
mod health;
mod history;
pub mod json;
mod log_files;
mod logs;
mod metrics;
mod orders;
mod outside;
pub mod printed;
mod rates;
mod readers;
mod recent;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
mod serve;
mod session;
mod sign_in;
mod site;
mod survey;
pub mod whom;
pub mod words;

use std::process::ExitCode;

use bailiwick::prelude::*;

pub use desk::ACTOR;
pub use metrics::HANDLING;

/// The variable that tells a process that it is a worker.
const ROLE: &str = "BAILIWICK_ROLE";

/// Runs the admin worker if this process was started as one, and returns its exit code.
pub fn run_if_worker() -> Option<ExitCode> {
    std::env::var_os(ROLE).map(|_| program().run())
}

fn program() -> Program {
    Program::new().register(
        ACTOR,
        desk::DeskRef::serve(desk::AdminDesk::new).with_args::<desk::Terms>().with_lifecycle(),
    )
}
