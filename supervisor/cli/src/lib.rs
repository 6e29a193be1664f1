//! The command line, `bailiwick`: `--help` names its verbs, `docs/command-line.md` tells of them.
//!
//! Data goes to stdout and messages to stderr, so that a script reads the one and a person the other; each
//! exit code has one meaning (see [`Exit`]). Nothing here runs in the supervisor's process: `run` becomes
//! `bailiwickd`, the others speak to its control socket.
#![forbid(unsafe_code)]

mod admin;
mod arguments;
mod audit;
mod blast;
mod check;
mod completion;
mod crashes;
mod declared;
mod denials;
mod doctor;
mod events;
mod exit;
mod explain;
mod grants;
mod init;
mod learn;
mod logs;
mod man;
mod metrics;
mod order;
mod outside;
mod place;
mod privileged;
mod profile;
mod reload;
mod run;
mod schema;
mod score;
mod screen;
mod status;
mod subject;
pub mod symbols;
mod top;
mod tree;
mod version;
mod wait;
mod words;

use std::process::ExitCode;

use bailiwick_admin::json;
use bailiwick_supervisor::control::Verb;
use clap::{ColorChoice, CommandFactory, FromArgMatches};

pub use admin::AdminError;
use arguments::{Arguments, Color, Command};
pub use exit::{Exit, Failure};
pub use init::NoProject;
use screen::Screen;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    if let Some(code) = without_a_command() {
        return code;
    }
    // What clap itself prints has colours by the same rules, as far as they are known before the arguments are.
    let coloured = Screen::new(Color::Auto).stdout_colour();
    let choice = if coloured { ColorChoice::Always } else { ColorChoice::Never };
    let matches = Arguments::command().color(choice).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let screen = Screen::new(arguments.color);
    let outcome = match arguments.command {
        Command::Run(run) => run::run(&run),
        Command::Check(check) => check::check(&check, &screen),
        Command::Blast(asked) => blast::blast(&asked, &screen),
        Command::Explain(asked) => profile::explain(&asked, &screen),
        Command::Grants(asked) => grants::grants(&asked, &screen),
        Command::Learn(asked) => learn::learn(&asked, &screen),
        Command::LearnSupervise(asked) => return learn::supervise_learner(&asked),
        Command::Privileged(asked) => privileged::privileged(&asked, &screen),
        Command::Score(asked) => score::score(&asked, &screen),
        Command::Status(status) => status::status(&status, &screen),
        Command::Tree(asked) => tree::tree(&asked, &screen),
        Command::Metrics(asked) => metrics::metrics(&asked, &screen),
        Command::Top(asked) => top::top(&asked, &screen),
        Command::Start(order) => order::each(Verb::Start, "start", &order, &screen),
        Command::Stop(order) if order.all => order::stop_all(&order, &screen),
        Command::Stop(order) => order::each(Verb::Stop, "stop", &order, &screen),
        Command::Restart(asked) if asked.rolling => order::roll(&asked.order, &screen),
        Command::Restart(asked) => order::each(Verb::Restart, "restart", &asked.order, &screen),
        Command::Drain(order) => order::each(Verb::Drain, "drain", &order, &screen),
        Command::Kill(kill) => order::each(Verb::Kill(kill.signal), "kill", &kill.order, &screen),
        Command::Reset(order) => order::each(Verb::Reset, "reset", &order, &screen),
        Command::Scale(asked) => order::scale(&asked, &screen),
        Command::Wait(asked) => wait::wait(&asked),
        Command::Logs(asked) => logs::logs(&asked, &screen),
        Command::Events(asked) => events::events(&asked, &screen),
        Command::Audit(asked) => audit::audit(&asked, &screen),
        Command::Crashes(asked) => crashes::crashes(&asked, &screen),
        Command::Denials(asked) => denials::denials(&asked, &screen),
        Command::Ask(asked) => outside::ask(&asked, &screen),
        Command::Send(asked) => outside::send(&asked, &screen),
        Command::Inspect(asked) => outside::inspect(&asked, &screen),
        Command::Trace(asked) => outside::trace::trace(&asked, &screen),
        Command::Doctor(asked) => doctor::doctor(&asked, &screen),
        Command::Reload(reload) => reload::reload(&reload, &screen),
        Command::Init(asked) => init::init(&asked, &screen),
        Command::Man(asked) => man::man(&asked, &screen),
        Command::Schema => schema::schema(&screen),
        Command::Version(asked) => version::version(&asked, &screen),
        Command::Completions(asked) => completion::completions(&asked, &screen),
    };
    let complain = |failure: Failure| {
        screen.complain(&failure);
        failure.exit()
    };
    let exit = outcome.unwrap_or_else(complain);
    // Whatever the exit code says of data, nobody can rely on it where the data is lost.
    screen.unwritten().map_or(exit, complain).into()
}

/// Does what this process was started for, if no person called it: in the place of a worker, as one, or by a shell that
/// completes what a person types.
fn without_a_command() -> Option<ExitCode> {
    learn::shim().or_else(bailiwick_admin::run_if_worker).or_else(completion::answer)
}
