//! The arguments of every command.

use std::path::PathBuf;
use std::time::Duration;

use bailiwick_supervisor::manifest;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Supervises workers that host actors, each with exactly the privileges that its manifest grants.
#[derive(Debug, Parser)]
#[command(name = "bailiwick", version, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// When to use colours.
    #[arg(long, value_enum, default_value_t, global = true, value_name = "WHEN")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 usage, 3 a named worker is not ready, 4 unknown name, 5 no supervisor
answers, 6 not in time, 7 not allowed, 8 invalid manifest.
`run`: 0 ordered stop, 1 failed to start, 3 gave up, 69 a mechanism is missing, 75 already running, 78 invalid.";

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Supervise what a manifest declares, in the foreground.
    Run(Run),
    /// Say what is wrong with a manifest and what it allows, without starting anything.
    Check(Check),
    /// Show the workers of a running system and why they are as they are.
    Status(Status),
    /// Start workers that are down, without waiting for their backoff.
    Start(Order),
    /// Stop workers and keep them stopped, or stop the whole system.
    Stop(Order),
    /// Stop workers and start them again; no restart budget is charged.
    Restart(Order),
}

/// Supervise what a manifest declares.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The manifest.
    pub(crate) manifest: PathBuf,
    /// Keep lock and control socket here instead of where the manifest says.
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Start although this machine lacks a floor of a sandbox; `status` shows it.
    #[arg(long)]
    pub(crate) allow_degraded: bool,
    /// Write one line to this descriptor as soon as every worker is ready.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=1 << 20))]
    pub(crate) ready_fd: Option<u32>,
}

/// Say what is wrong with a manifest.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The manifest.
    pub(crate) manifest: PathBuf,
    /// Also explain each worker: when it is restarted, what it may do, who it may call.
    #[arg(long)]
    pub(crate) explain: bool,
    /// Only warn where this machine lacks a floor of a sandbox.
    #[arg(long)]
    pub(crate) allow_degraded: bool,
    /// Do not run the executables, sealed, to ask them for their actors and methods.
    #[arg(long)]
    pub(crate) do_not_run: bool,
}

/// Show the workers of a running system.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Workers, as `web` or `web.2`; without, all of them.
    pub(crate) names: Vec<String>,
    /// One JSON document with a schema_version.
    #[arg(long)]
    pub(crate) json: bool,
    /// Exit with 3 if any worker is not ready, even if none is named.
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Give an order to workers.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// Workers, as `web` or `web.2`.
    #[arg(conflicts_with = "all")]
    pub(crate) names: Vec<String>,
    /// The whole system.
    #[arg(long)]
    pub(crate) all: bool,
    /// How long to wait until it is done; the order itself stands after that.
    #[arg(long, value_name = "TIME", default_value = "70s", value_parser = time)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Which running system is meant. Without any of these: the one that runs.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub(crate) struct Place {
    /// The state directory of the system.
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// The manifest that the system runs.
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// The name of the system, where it keeps its state in the default place.
    #[arg(long, value_name = "NAME")]
    pub(crate) system: Option<String>,
}

fn time(text: &str) -> Result<Duration, String> {
    manifest::duration(text).ok_or_else(|| "expected a number and a unit: 250ms, 10s, 5m".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_mistyped_command_is_answered_by_the_nearest() {
        let error = Arguments::try_parse_from(["bailiwick", "staus"]).unwrap_err();
        assert!(error.to_string().contains("'status'"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}
