//! `jobs COMMAND`: a client, so that nobody needs another program to try it.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::protocol::Event;

/// The exit code where there is none of the command, as of `timeout(1)` and its like.
const NOT_THE_COMMANDS: u8 = 125;

/// Has `command` run, prints what it prints, says how it ended, and returns its exit code.
pub(crate) fn run(socket: &Path, command: &str) -> io::Result<u8> {
    let mut jobs = UnixStream::connect(socket)?;
    writeln!(jobs, "{command}")?;
    for line in BufReader::new(jobs).lines() {
        match serde_json::from_str(&line?)? {
            Event::Output(text) => {
                print!("{text}");
                io::stdout().flush()?;
            }
            Event::Exited(code) => return Ok(u8::try_from(code).unwrap_or(NOT_THE_COMMANDS)),
            Event::Signalled(signal) => eprintln!("jobs: ended by signal {signal}"),
            Event::Stopped(reason) => eprintln!("jobs: stopped: {reason}"),
            Event::NotRun(reason) => eprintln!("jobs: not run: {reason}"),
            Event::Lost(reason) => eprintln!("jobs: lost: {reason}"),
        }
    }
    Ok(NOT_THE_COMMANDS)
}
