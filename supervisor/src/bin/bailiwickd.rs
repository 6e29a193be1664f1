//! The supervisor to deploy: reads a manifest and runs it in the foreground.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;

use bailiwick_supervisor::{Options, manifest, supervise};
use bailiwick_wire::log::Format;

const USAGE: &str = "\
usage: bailiwickd MANIFEST [--state-dir DIR] [--allow-degraded] [--ready-fd N] [--log-format WORD]

  --state-dir DIR    keep the lock and the control socket there
  --allow-degraded   start although this machine lacks a part of a sandbox
  --ready-fd N       write a line to descriptor N and close it when every worker is ready
  --log-format WORD  write lines for human or as json; auto: as json unless stdout is a terminal or the journal
";

/// The command line was wrong.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(reason) => {
            eprint!("bailiwickd: {reason}\n{USAGE}");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    match manifest::load(&arguments.manifest, &arguments.how) {
        Ok(loaded) => {
            eprint!("{}", loaded.warnings.render(colour));
            // Without a working directory the manifest was not found in the first place.
            let manifest = manifest::Origin::new(&arguments.manifest, arguments.how).ok();
            let (ready, log_format) = (arguments.ready, arguments.log_format);
            supervise(loaded.system, Options { ready, manifest, log_format, ..Options::default() })
        }
        Err(diagnostics) => {
            eprint!("{}", diagnostics.render(colour));
            ExitCode::from(diagnostics.exit_code())
        }
    }
}

struct Arguments {
    manifest: PathBuf,
    how: manifest::Options,
    ready: Option<OwnedFd>,
    log_format: Format,
}

impl Arguments {
    /// Reads the command line; `None` if it asks for help.
    fn parse(mut given: impl Iterator<Item = OsString>) -> Result<Option<Self>, String> {
        let mut manifest = None;
        let mut how = manifest::Options::default();
        let (mut ready, mut log_format) = (None, Format::default());
        while let Some(argument) = given.next() {
            let mut value = || given.next().ok_or(format!("{} needs a value", argument.display()));
            match argument.to_str() {
                Some("--help" | "-h") => return Ok(None),
                Some("--allow-degraded") => how.allow_degraded = true,
                Some("--state-dir") => how.state_dir = Some(PathBuf::from(value()?)),
                Some("--log-format") => log_format = format(&value()?)?,
                Some("--ready-fd") => ready = Some(open_ready(&value()?)?),
                Some(option) if option.starts_with('-') => return Err(format!("unknown option {option}")),
                _ if manifest.is_some() => return Err("more than one manifest".to_owned()),
                _ => manifest = Some(PathBuf::from(argument)),
            }
        }
        let manifest = manifest.ok_or("no manifest".to_owned())?;
        Ok(Some(Self { manifest, how, ready, log_format }))
    }
}

fn format(word: &OsString) -> Result<Format, String> {
    let found = word.to_str().and_then(|word| Format::from_word(word, bailiwick_sys::sink::is_for_people()));
    found.ok_or("--log-format needs human, json or auto".to_owned())
}

/// Takes over the descriptor with this number: opens what it stands for anew and closes the number.
fn open_ready(number: &OsString) -> Result<OwnedFd, String> {
    let number: i32 = number
        .to_str()
        .and_then(|text| text.parse().ok())
        .filter(|number| *number > 2)
        .ok_or("--ready-fd needs the number of an open descriptor above 2")?;
    let ready = std::fs::File::options()
        .write(true)
        .open(format!("/proc/self/fd/{number}"))
        .map_err(|error| format!("--ready-fd {number}: {error}"))?;
    let _ = nix::unistd::close(number);
    Ok(ready.into())
}
