//! Runs commands of strangers, each in a process, with a user, files and a network of its own, which are nothing at all.
//!
//! `front` takes commands from a socket and starts nothing; a fresh `runner` for each command starts it, and ends with all
//! that it started. `jobs.toml` says what each may do and use.

mod client;
mod front;
mod protocol;
mod runner;

use std::path::Path;
use std::process::ExitCode;

use bailiwick::prelude::*;

use front::{Front, Limits};
use protocol::{RunnerRef, SilentRef};
use runner::Shell;

const USAGE: &str = "usage: jobs SOCKET COMMAND    has the runners behind SOCKET run COMMAND
to start them: bailiwick run examples/jobs/jobs.toml";

fn main() -> ExitCode {
    if Program::is_worker() {
        return workers().run();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, command] = &arguments[..] else {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    };
    client::run(Path::new(socket), command).map_or_else(
        |error| {
            eprintln!("jobs: {socket}: {error}");
            ExitCode::FAILURE
        },
        ExitCode::from,
    )
}

fn workers() -> Program {
    Program::new()
        .register("Front", SilentRef::serve(Front::new).with_args::<Limits>().with_lifecycle())
        .register("Shell", RunnerRef::serve(Shell::default))
}
