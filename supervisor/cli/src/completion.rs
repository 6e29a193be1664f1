//! What a shell completes while somebody types: verbs and options as they are declared, names by asking the supervisor.
//!
//! `completions SHELL` prints a script that has the shell run this program with [`VARIABLE`] set and the words so far as
//! arguments. Whatever goes wrong then, nothing is printed: a message in the middle of a line that somebody types helps
//! nobody.

pub(crate) mod names;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use crate::arguments::{Arguments, Completions, Shell};
use crate::exit::{Exit, Failure};
use crate::screen::Screen;

/// Set by the script, to the name of the shell.
const VARIABLE: &str = "BAILIWICK_COMPLETE";

/// What the script calls, wherever it lies in PATH by then.
const PROGRAM: &str = "bailiwick";

/// Prints the script that has a shell complete this command line.
pub(crate) fn completions(asked: &Completions, screen: &Screen) -> Result<Exit, Failure> {
    screen.print(&script(asked.shell));
    Ok(Exit::Done)
}

/// Answers a shell, if it is one that asks.
pub(crate) fn answer() -> Option<ExitCode> {
    // The variable alone, which somebody may have exported, turns no command into a question.
    std::env::var_os(VARIABLE)?;
    if std::env::args_os().nth(1)? != "--" {
        return None;
    }
    let here = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(Arguments::command).var(VARIABLE);
    match asked.try_complete(std::env::args_os(), here.as_deref()) {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        // The shell takes it for no candidates.
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// Returns the words of the line that somebody types, as a shell hands them over.
fn words() -> Vec<OsString> {
    std::env::args_os().skip(2).collect()
}

fn script(shell: Shell) -> String {
    let completer: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .expect("memory takes what is written to it");
    let mut script = String::from_utf8(script).expect("scripts are text");
    // Where the program is gone by then, it is the shell that would say so.
    if let Some((call, silent)) = silence(shell) {
        script = script.replace(call, silent);
    }
    script.trim_start().to_owned()
}

/// Returns the end of a script's call of the program, and the same without messages; none if it has none anyway.
fn silence(shell: Shell) -> Option<(&'static str, &'static str)> {
    match shell {
        Shell::Bash => Some((r#"-- "${words[@]}" \"#, r#"-- "${words[@]}" 2>/dev/null \"#)),
        Shell::Zsh => None,
        Shell::Fish => Some(("(commandline --current-token))", "(commandline --current-token) 2>/dev/null)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn no_script_lets_a_message_through() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            assert_eq!(script.matches(&format!("{VARIABLE}=")).count(), 1, "{script}");
            assert!(script.contains(PROGRAM) && script.contains("2>/dev/null"), "{script}");
        }
    }
}
