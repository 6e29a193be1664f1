//! The one loop of the supervisor.

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use crate::spec::System;

/// What the caller of [`supervise`] decides, beside what is to be supervised.
#[derive(Debug, Default)]
pub struct Options {
    /// Receives one line as soon as every worker that stays is ready, and is closed.
    pub ready: Option<OwnedFd>,
    /// The state directory belongs to this run alone and is removed at its end.
    pub private_state_dir: bool,
}

/// Runs `system` until it is told to stop or gives up, and returns the exit code: 0 after an
/// ordered stop, 1 if a [`Main`](crate::spec::Kind::Main) failed, 3 if the system gave up,
/// 69 if this machine lacks a floor of a sandbox, 75 if another supervisor holds the state
/// directory, 78 if the state directory or the system is not acceptable.
///
/// Blocks. Must be called from the process's first and only thread.
pub fn supervise(system: System, options: Options) -> ExitCode {
    let _ = (system, options);
    ExitCode::from(69)
}
