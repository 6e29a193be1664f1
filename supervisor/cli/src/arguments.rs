//! The arguments of every command.

mod outside;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use bailiwick_admin::printed::{self, Since};
use bailiwick_wire::log::Priority;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};

pub(crate) use self::outside::{Ask, Inspect, Message, Send, Trace};
use self::values::{count, interval, score, signal, time};
use crate::completion::names;
use crate::top::Sort;

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
    /// Write the skeleton of a project, which builds and runs, into an empty folder.
    Init(Init),
    /// Supervise what a manifest declares, in the foreground.
    Run(Run),
    /// Say what is wrong with a manifest and what it allows, without starting anything.
    Check(Check),
    /// Show what each worker may reach and whom its ends stop, without starting anything.
    Blast(Blast),
    /// Show everything that a worker will be and may do, without starting anything.
    Explain(Explain),
    /// Show who may say what to whom, without starting anything.
    Grants(Grants),
    /// Run a system with one worker outside of its sandbox, and say what it needs of one. For development.
    Learn(Learn),
    /// What `learn` starts.
    #[command(hide = true)]
    LearnSupervise(LearnSupervise),
    /// Show what runs with privilege: its actors, who may call them, and how much code that is.
    Privileged(Privileged),
    /// Show how exposed each worker is, as a number, and which lines of the manifest would lower it.
    Score(Score),
    /// Show the workers of a running system and why they are as they are.
    Status(Status),
    /// Show groups and their workers.
    Tree(Tree),
    /// Print what the admin worker measures, as Prometheus reads it.
    Metrics(Metrics),
    /// Show the workers of a running system as they are from moment to moment, on the whole terminal.
    Top(Top),
    /// Start workers that are down, without waiting for their backoff.
    Start(Order),
    /// Stop workers and keep them stopped, or stop the whole system.
    Stop(Order),
    /// Start workers anew, from what is on disk now; no restart budget is charged.
    Restart(Restart),
    /// Stop workers once they have finished everything, however long that takes, and keep them stopped.
    Drain(Order),
    /// Send workers a signal. After SIGKILL, the default, they stay stopped; what another signal does is their affair.
    Kill(Kill),
    /// Forget what is held against workers: failures, offences, and what their group's budget has spent.
    Reset(Order),
    /// Let a pool have so many members.
    Scale(Scale),
    /// Wait until workers are ready, or stopped.
    Wait(Wait),
    /// Show what workers printed, and what the supervisor said.
    Logs(Logs),
    /// Show what happened: states, ends with their causes, alerts.
    Events(Events),
    /// Show who broke which rule: of a link, of the line to the supervisor, of its sandbox.
    Audit(Audit),
    /// Show which workers crashed, why, and what followed.
    Crashes(Crashes),
    /// Show which system calls workers were denied, and which line of the manifest would allow each.
    Denials(Denials),
    /// Ask an actor and print its reply, where the manifest grants that to `operator`.
    Ask(Ask),
    /// Send an actor a message, where the manifest grants that to `operator`.
    Send(Send),
    /// Show what an actor is, how it stands, and what it says of its state.
    Inspect(Inspect),
    /// Show the messages that an actor, or all actors of a type, handle, as they come; so many at most, and for so long.
    Trace(Trace),
    /// Take up what has changed in the manifest; workers that did not change keep running.
    Reload(Reload),
    /// Say what this machine gives to a supervisor, and which guarantees hold here; exits with 1 if one does not.
    Doctor(Doctor),
    /// Print the script by which a shell completes verbs, options and names of workers.
    Completions(Completions),
    /// Show the manual of this build.
    Man(Man),
    /// Print the JSON Schema of the manifest, for editors.
    Schema,
    /// Say which build this is, and the versions of what it speaks.
    Version(Version),
}

/// Write the skeleton of a project.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder: an empty one, or one that is made.
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
    /// What it is called; else as the folder. A name that cargo takes for a crate, in lower case.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The clone of Bailiwick whose runtime it depends on; else the one in which this command was built.
    #[arg(long, value_name = "CLONE", value_hint = ValueHint::DirPath)]
    pub(crate) path: Option<PathBuf>,
    /// One JSON document with a schema_version: what was written, and what to run next.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show the manual.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The page.
    #[arg(value_enum, default_value_t)]
    pub(crate) page: Page,
    /// Print it as it is written, in the language of man(7), as where stdout is no terminal.
    #[arg(long)]
    pub(crate) raw: bool,
    /// Write all pages below this folder instead, as man1/bailiwick.1 and so on.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["page", "raw"])]
    pub(crate) install: Option<PathBuf>,
}

/// A page of the manual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    /// The command line: bailiwick(1).
    #[default]
    Bailiwick,
    /// The manifest: bailiwick.toml(5).
    #[value(name = "bailiwick.toml")]
    Manifest,
    /// What is said on the control socket: bailiwick-protocol(7).
    #[value(name = "bailiwick-protocol")]
    Protocol,
}

/// Say which build this is.
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// One JSON document with a schema_version.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print the script by which a shell completes.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: Shell,
}

/// A shell that can be told how to complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// From version 4.
    Bash,
    /// Wants `compinit` before it.
    Zsh,
    /// From version 3.
    Fish,
}

/// Say what this machine gives.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// One JSON document with a schema_version.
    #[arg(long)]
    pub(crate) json: bool,
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
    /// How to write what workers print and the supervisor says: `human`, `json`, or `auto`, which is json unless stdout is
    /// a terminal; what is not json goes to the journal of systemd with its fields where both streams are the journal's.
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = LOG_FORMATS)]
    pub(crate) log_format: String,
}

/// Say what is wrong with a manifest.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The manifest.
    pub(crate) manifest: PathBuf,
    /// Also explain each worker: when it is restarted, what it may do, who it may call.
    #[arg(long)]
    pub(crate) explain: bool,
    /// One JSON document with a schema_version, on stdout whether it is good or not.
    #[arg(long)]
    pub(crate) json: bool,
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
    /// Workers, as `web` or `web.2`; without, all of them. One name shows everything about it.
    #[arg(add = ArgValueCandidates::new(names::workers))]
    pub(crate) names: Vec<String>,
    /// One JSON document with a schema_version; with --watch, one on each line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Show it again whenever something happens.
    #[arg(long)]
    pub(crate) watch: bool,
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
    #[arg(conflicts_with = "all", add = ArgValueCandidates::new(names::workers))]
    pub(crate) names: Vec<String>,
    /// The whole system.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// How long to wait, and what to say.
#[derive(Debug, Args)]
pub(crate) struct Waiting {
    /// How long to wait until it is done; the order itself stands after that.
    #[arg(long, value_name = "TIME", default_value = "70s", value_parser = time)]
    pub(crate) timeout: Duration,
    /// Do not wait until it is done.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// One JSON document with a schema_version: what became of each order.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Start workers anew.
#[derive(Debug, Args)]
pub(crate) struct Restart {
    /// Start each anew beside its present life, which ends when the new one is ready: one instance after the other, up to
    /// the first whose new life does not become ready; that goes on as it was. --timeout is for each.
    #[arg(long, conflicts_with_all = ["all", "no_wait"])]
    pub(crate) rolling: bool,
    #[command(flatten)]
    pub(crate) order: Order,
}

/// Send workers a signal.
#[derive(Debug, Args)]
pub(crate) struct Kill {
    /// The signal, as `HUP`, `SIGHUP` or `1`. Any but KILL is sent to the worker's first process only.
    #[arg(long, short, value_name = "SIGNAL", default_value = "KILL", value_parser = signal, add = ArgValueCandidates::new(names::signals))]
    pub(crate) signal: u8,
    #[command(flatten)]
    pub(crate) order: Order,
}

/// Let a pool have so many members.
#[derive(Debug, Args)]
pub(crate) struct Scale {
    /// The pool, or the worker that is its template.
    #[arg(add = ArgValueCandidates::new(names::pools))]
    pub(crate) pool: String,
    /// How many members; at most as many as its manifest gives it places.
    pub(crate) size: u16,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Wait until workers are ready, or stopped.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Workers, as `web` or `web.2`.
    #[arg(required = true, add = ArgValueCandidates::new(names::workers))]
    pub(crate) names: Vec<String>,
    /// What is waited for. `stopped` by one worker exits with that worker's exit code, or 128 and its signal.
    #[arg(long = "for", value_enum, default_value_t, value_name = "STATE")]
    pub(crate) goal: For,
    /// How long to wait.
    #[arg(long, value_name = "TIME", default_value = "70s", value_parser = time)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum For {
    /// Ready, or done if it is not to stay.
    #[default]
    Ready,
    /// Stopped, done or given up.
    Stopped,
}

/// Show what workers printed.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Workers, as `web` or `web.2`, and `bailiwick` for what the supervisor itself said; without, all of them.
    #[arg(add = ArgValueCandidates::new(names::printers))]
    pub(crate) names: Vec<String>,
    /// Go on, over restarts of the workers, until the supervisor ends.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Show the last so many lines, or `all` that are remembered: 10 unless said otherwise, all with --since or --crash.
    #[arg(long, short = 'n', value_name = "N", value_parser = count)]
    pub(crate) lines: Option<usize>,
    /// Show what was printed since then: a span, as `5m`, or a moment, as `2026-05-01T12:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = Since::read)]
    pub(crate) since: Option<Since>,
    /// Show the last lines of the life that was the last to crash.
    #[arg(long, conflicts_with_all = ["follow", "since"])]
    pub(crate) crash: bool,
    /// Show only what matters so much or more: emerg, alert, crit, err, warning, notice, info or debug, or 0 to 7.
    #[arg(long, value_name = "LEVEL", default_value = "debug", value_parser = printed::level, add = ArgValueCandidates::new(names::levels))]
    pub(crate) level: Priority,
    /// Show only events of this actor, in all its lives as `thumbs` or in one as `thumbs#2`, and of those below it.
    #[arg(long, value_name = "ACTOR")]
    pub(crate) actor: Option<String>,
    /// One JSON document with a schema_version on each line.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Show what happened.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Go on, until the supervisor ends.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// One JSON document; with -f, one on each line.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Show who broke which rule.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// A worker, as `web` or `web.2`; without, all of them.
    #[arg(add = ArgValueCandidates::new(names::workers))]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) events: Events,
}

/// Show which workers crashed.
#[derive(Debug, Args)]
pub(crate) struct Crashes {
    /// A worker, as `web` or `web.2`: its latest crash in full; without, one line for each that is remembered.
    #[arg(add = ArgValueCandidates::new(names::workers))]
    pub(crate) name: Option<String>,
    /// Look up in this file, which the worker executed, which functions its threads were in.
    #[arg(long, value_name = "FILE")]
    pub(crate) executable: Option<PathBuf>,
    /// One JSON document with a schema_version.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Show which system calls and paths workers were denied.
#[derive(Debug, Args)]
pub(crate) struct Denials {
    /// A worker, as `web` or `web.2`; without, all of them.
    #[arg(add = ArgValueCandidates::new(names::workers))]
    pub(crate) name: Option<String>,
    /// Go on, until the supervisor ends.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// One JSON document; with -f, one on each line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave out paths that are not there for you either. Looks for each, and a worker chose them.
    #[arg(long)]
    pub(crate) existing: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Take up what has changed in the manifest.
#[derive(Debug, Args)]
pub(crate) struct Reload {
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do it although a worker gains what it may not do now.
    #[arg(long)]
    pub(crate) allow_widening: bool,
    /// One JSON document with a schema_version.
    #[arg(long)]
    pub(crate) json: bool,
    /// How long to wait until it is done; what was ordered stands after that.
    #[arg(long, value_name = "TIME", default_value = "70s", value_parser = time)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Show groups and their workers.
#[derive(Debug, Args)]
pub(crate) struct Tree {
    /// Show the actors of each worker as well, by type, as the admin worker is told of them.
    #[arg(long)]
    pub(crate) actors: bool,
    /// Of each worker name at most so many actors, those with the fullest mailboxes: 0 to 256.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 5, requires = "actors", value_parser = clap::value_parser!(u16).range(..=256))]
    pub(crate) fullest: u16,
    /// One JSON document with a schema_version.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Print what the admin worker measures.
#[derive(Debug, Args)]
pub(crate) struct Metrics {
    /// Only metrics whose name holds this, as `mailbox`.
    pub(crate) name: Option<String>,
    /// One JSON document with a schema_version.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Show the workers of a running system as they are from moment to moment.
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Sort by this column.
    #[arg(long, short, value_enum, default_value_t, value_name = "COLUMN")]
    pub(crate) sort: Sort,
    /// Show the first so many workers.
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: Option<u32>,
    /// Print it once, after two looks with the interval between them, instead of taking over the terminal.
    #[arg(long)]
    pub(crate) once: bool,
    /// One JSON document with a schema_version.
    #[arg(long, requires = "once")]
    pub(crate) json: bool,
    /// The time from one look to the next, over which processor time is measured: 100ms to 1h.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub(crate) interval: Duration,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// A manifest and perhaps one of its workers, or a worker alone.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// A manifest, as `shop.toml` or `./shop`; or a worker, as `web`, of the system that runs, and where none does of
    /// ./bailiwick.toml.
    #[arg(value_name = "MANIFEST|WORKER", add = ArgValueCompleter::new(names::manifests_and_workers))]
    pub(crate) subject: PathBuf,
    /// One worker of the manifest; without, all of them.
    #[arg(add = ArgValueCandidates::new(names::declared))]
    pub(crate) worker: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Show what each worker may reach and whom its ends stop.
#[derive(Debug, Args)]
pub(crate) struct Blast {
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// Write it to this file, one fact a line, to be kept beside the manifest.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["compare", "json"])]
    pub(crate) write: Option<PathBuf>,
    /// Show what has changed since this file was written; exits with 1 if something has.
    #[arg(long, value_name = "FILE")]
    pub(crate) compare: Option<PathBuf>,
    /// One JSON document with a schema_version.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show everything that a worker will be and may do.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// Show each system call with the reason why it is allowed or not.
    #[arg(long)]
    pub(crate) system_calls: bool,
    /// One JSON document with a schema_version, with every system call.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Run a system with one worker outside of its sandbox, and say what it needs of one.
#[derive(Debug, Args)]
pub(crate) struct Learn {
    /// The manifest.
    pub(crate) manifest: PathBuf,
    /// The worker.
    #[arg(add = ArgValueCandidates::new(names::declared))]
    pub(crate) worker: String,
    /// List the system calls that it may make and did not.
    #[arg(long)]
    pub(crate) unused: bool,
    /// One JSON document with a schema_version.
    #[arg(long)]
    pub(crate) json: bool,
    /// What gives it work, once the system is ready; its end stops the system. Without, the system runs until it is stopped.
    /// BAILIWICK_STATE_DIR names the state directory to it.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

/// What `learn` starts.
#[derive(Debug, Args)]
pub(crate) struct LearnSupervise {
    /// The manifest.
    pub(crate) manifest: PathBuf,
    /// The worker.
    pub(crate) worker: String,
    /// Where its calls are told.
    pub(crate) socket: String,
    /// The state directory.
    pub(crate) state_dir: PathBuf,
}

/// Show what runs with privilege.
#[derive(Debug, Args)]
pub(crate) struct Privileged {
    /// The manifest.
    pub(crate) manifest: PathBuf,
    /// Do not run the executables, sealed, to ask them for their methods.
    #[arg(long)]
    pub(crate) do_not_run: bool,
    /// One JSON document with a schema_version, with the lines of every crate.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show how exposed each worker is.
#[derive(Debug, Args)]
pub(crate) struct Score {
    /// The manifest.
    pub(crate) manifest: PathBuf,
    /// One worker, with what adds to its score; without, all of them.
    #[arg(add = ArgValueCandidates::new(names::declared))]
    pub(crate) worker: Option<String>,
    /// Exit with 1 if a score is above this one, from 0.0 to 10.0.
    #[arg(long, value_name = "SCORE", value_parser = score)]
    pub(crate) threshold: Option<f64>,
    /// One JSON document with a schema_version, with what adds to each score.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show who may say what to whom.
#[derive(Debug, Args)]
pub(crate) struct Grants {
    /// The manifest.
    pub(crate) manifest: PathBuf,
    /// As a picture in the language of Graphviz: `… --dot | dot -Tsvg > grants.svg`.
    #[arg(long, conflicts_with = "json")]
    pub(crate) dot: bool,
    /// One JSON document with a schema_version.
    #[arg(long)]
    pub(crate) json: bool,
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
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(names::systems))]
    pub(crate) system: Option<String>,
}

impl Place {
    /// Tells whether a system is named.
    pub(crate) fn is_named(&self) -> bool {
        self.state_dir.is_some() || self.manifest.is_some() || self.system.is_some()
    }
}

/// The words that the supervisor takes for how lines are written.
const LOG_FORMATS: [&str; 3] = ["human", "json", "auto"];

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn logs(arguments: &[&str]) -> Option<Logs> {
        let all = [&["bailiwick", "logs"], arguments].concat();
        match Arguments::try_parse_from(all).ok()?.command {
            Command::Logs(logs) => Some(logs),
            _ => None,
        }
    }

    #[test]
    fn since_when_how_many_and_which_are_read_in_the_usual_forms() {
        let since = |text| logs(&["--since", text]).and_then(|logs| logs.since);
        assert_eq!(since("5m"), Some(Since::Ago(Duration::from_secs(300))));
        let moment = Some(Since::Moment(Duration::from_secs(951_782_400)));
        assert_eq!([since("2000-02-29T00:00:00Z"), since("2000-02-29T02:00:00+02:00")], [moment; 2]);
        assert_eq!(["yesterday", "5", "-5m", ""].map(since), [None; 4]);
        let lines = |text| logs(&["-n", text]).and_then(|logs| logs.lines);
        assert_eq!(["3", "0", "all", "x", "-1"].map(lines), [Some(3), Some(0), Some(usize::MAX), None, None]);
        let level = |text| logs(&["--level", text]).map(|logs| logs.level);
        let expected = [Some(Priority::Warning), Some(Priority::Error), None];
        assert_eq!(["warning", "3", "loud"].map(level), expected);
        assert!(logs(&["--crash", "-f"]).is_none() && logs(&["web", "--crash", "-n", "3"]).is_some());
    }

    #[test]
    fn the_forms_of_lines_are_those_that_the_supervisor_knows() {
        for word in LOG_FORMATS {
            assert!(bailiwick_wire::log::Format::from_word(word, false).is_some(), "{word}");
        }
    }

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
