//! The worker that runs one command. It is trusted with nothing: the command is its child, and may stop or kill it.

use std::io::{self, PipeWriter};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use bailiwick::prelude::*;
use tokio::time::sleep;

use crate::protocol::{Ended, NotStarted, Runner};

/// How often it is looked whether the command has ended. A thread that waits for it would keep the worker from ending when
/// the asker has given up.
const LOOK: Duration = Duration::from_millis(5);

/// Runs a command.
///
/// It keeps no limit and kills nobody. Its worker ends after one message, also one that its asker has given up, and the
/// supervisor then ends every process that the command has started, wherever it hides.
#[derive(Debug, Default)]
pub(crate) struct Shell;

impl Runner for Shell {
    async fn run(&mut self, command: String, output: Fd<PipeWriter>) -> Result<Ended, NotStarted> {
        let outcome = match start(&command, output.into()) {
            Ok(shell) => end_of(shell).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(status) => {
                Ok(status.code().map_or(Ended::Signalled(status.signal().unwrap_or(0)), Ended::Exited))
            }
            Err(error) => Err(NotStarted { reason: error.to_string() }),
        }
    }
}

/// The command's input is this worker's, which is empty; so is its environment, but for what the manifest says.
fn start(command: &str, output: PipeWriter) -> io::Result<Child> {
    let errors = output.try_clone()?;
    Command::new("/bin/sh").arg("-c").arg(command).stdout(output).stderr(errors).spawn()
}

async fn end_of(mut shell: Child) -> io::Result<ExitStatus> {
    loop {
        match shell.try_wait()? {
            Some(status) => return Ok(status),
            None => sleep(LOOK).await,
        }
    }
}
