//! `run`: becomes the supervisor, so that the process that may be root links no command line.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arguments::Run;
use crate::exit::{Exit, Failure};

/// The supervisor's program.
const PROGRAM: &str = "bailiwickd";

/// Replaces this process by the supervisor; returns only if that fails.
pub(crate) fn run(run: &Run) -> Result<Exit, Failure> {
    let program = program();
    let error = command(&program, run).exec();
    Err(Failure::NoSupervisor { program, error: not_found(error) })
}

/// Returns the supervisor's program: beside this one, else one of PATH.
pub(crate) fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(PROGRAM)));
    beside.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from(PROGRAM))
}

fn command(program: &Path, run: &Run) -> Command {
    let mut command = Command::new(program);
    if let Some(path) = &run.state_dir {
        command.arg("--state-dir").arg(path);
    }
    if run.allow_degraded {
        command.arg("--allow-degraded");
    }
    if let Some(number) = run.ready_fd {
        command.arg("--ready-fd").arg(number.to_string());
    }
    if run.log_format != "human" {
        command.arg("--log-format").arg(&run.log_format);
    }
    // A name that begins with a dash would be taken for an option.
    let dashed = run.manifest.to_string_lossy().starts_with('-');
    command.arg(if dashed { Path::new(".").join(&run.manifest) } else { run.manifest.clone() });
    command
}

/// Says where it was looked for.
fn not_found(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            io::Error::new(error.kind(), "found neither beside bailiwick nor in a folder of PATH")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_supervisor_is_told_what_was_said() {
        let run = Run {
            manifest: "-odd.toml".into(),
            state_dir: Some("/s".into()),
            allow_degraded: true,
            ready_fd: Some(7),
            log_format: "auto".into(),
        };
        let command = command(Path::new(PROGRAM), &run);
        let arguments: Vec<_> = command.get_args().map(|one| one.to_string_lossy().into_owned()).collect();
        let expected = "--state-dir /s --allow-degraded --ready-fd 7 --log-format auto ./-odd.toml";
        assert_eq!(arguments.join(" "), expected);
    }
}
