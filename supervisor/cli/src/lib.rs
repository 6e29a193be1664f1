//! The command line: `bailiwick run | check | status | start | stop | restart`.
//!
//! Data goes to stdout and messages to stderr, so that a script reads the one and a person the other; each
//! exit code has one meaning (see [`Exit`]). Nothing here runs in the supervisor's process: `run` becomes
//! `bailiwickd`, the others speak to its control socket.
#![forbid(unsafe_code)]

mod arguments;
mod check;
mod exit;
mod explain;
mod order;
mod place;
mod run;
mod screen;
mod status;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
pub use exit::{Exit, Failure};
use screen::Screen;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let screen = Screen::new(arguments.color);
    let outcome = match arguments.command {
        Command::Run(run) => run::run(&run),
        Command::Check(check) => check::check(&check, &screen),
        Command::Status(status) => status::status(&status, &screen),
        Command::Start(order) => order::start(&order, &screen),
        Command::Stop(order) => order::stop(&order, &screen),
        Command::Restart(order) => order::restart(&order, &screen),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            screen.complain(&failure);
            failure.exit().into()
        }
    }
}
