//! What shells offer to somebody who types a command: verbs, options, and the names of a system that runs.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use bailiwick_tests::harness::Stopwatch;
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Has a shell complete the last of its arguments with the script that the command line prints for it.
const BASH: &str = r#"
source <(bailiwick completions bash) && complete -p bailiwick >/dev/null || exit 9
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
_clap_complete_bailiwick bailiwick "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;
/// The same when the program is gone.
const WITHOUT_PROGRAM: &str = "source <(bailiwick completions bash); rm bailiwick; hash -r
COMP_WORDS=(bailiwick st); COMP_CWORD=1; COMP_TYPE=9; _clap_complete_bailiwick bailiwick st bailiwick; true";
const FISH: &str = "bailiwick completions fish | source; complete --do-complete \"$argv\"";

/// How long somebody who types waits at most: the deadline for names is shorter, but a process has to start.
const SOON: Duration = Duration::from_millis(500);

const SYSTEM: &str = "[worker.calm]\nexec = \"tw\"\nactor.life = { type = \"Life\", args = {} }\n\
    [worker.many]\nexec = \"tw\"\ninstances = 2\nactor.life = { type = \"Life\", args = {} }\n\
    [group.crowd]\nstrategy = \"pool\"\n[worker.member]\nexec = \"tw\"\ngroup = \"crowd\"\nmax_children = 3\n\
    actor.life = { type = \"Life\", args = {} }\n";

/// A folder in which the command line has its name.
fn programs() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    symlink(env!("CARGO_BIN_EXE_bailiwick-under-test"), folder.path().join("bailiwick")).expect("it is ours");
    folder
}

/// Runs a shell in which `bailiwick` is in PATH; none if the shell is not installed.
fn shell(programs: &Path, line: &[&str]) -> Option<(Vec<String>, String)> {
    let mut path = OsString::from(programs);
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new(line[0]);
    command.args(&line[1..]).env("PATH", path).env("HOME", programs).current_dir(programs);
    match command.stdin(Stdio::null()).output() {
        Ok(Output { status, stdout, stderr }) => {
            let text = |bytes| String::from_utf8(bytes).expect("output is text");
            let (data, messages) = (text(stdout), text(stderr));
            assert!(status.success(), "{line:?}: {status}: {data}{messages}");
            let lines = data.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
            Some((lines, messages))
        }
        Err(error) => {
            // Not `eprintln!`, which the runner keeps to itself as long as the test passes.
            let _ = writeln!(io::stderr(), "SKIPPED the completion by {}: {error}", line[0]);
            None
        }
    }
}

/// Returns what bash offers for the last word of a line.
fn bash(programs: &Path, words: &[&str]) -> Vec<String> {
    let line = [&["bash", "--norc", "-c", BASH, "bash", "bailiwick"], words].concat();
    let (offered, messages) =
        shell(programs, &line).expect("bash is what the scripts of this project are run by");
    assert_eq!(messages, "", "{words:?}");
    offered
}

#[test]
fn bash_completes_verbs_options_and_values() {
    let programs = programs();
    let offered = |words: &[&str]| bash(programs.path(), words);
    assert_eq!(offered(&["sta"]), ["status", "start"]);
    assert_eq!(offered(&["restart", "--ro"]), ["--rolling"]);
    assert_eq!(offered(&["wait", "--for", ""]), ["ready", "stopped"]);
    assert_eq!(offered(&["completions", "z"]), ["zsh"]);
    assert_eq!(offered(&["kill", "--signal", "US"]), ["USR1", "USR2"]);
    assert!(!offered(&[""]).contains(&"learn-supervise".to_owned()), "what is hidden is not offered");
    let manifest = "[worker.one]\nexec = \"x\"\n[worker.two]\nexec = \"x\"\n";
    std::fs::write(programs.path().join("m.toml"), manifest).expect("the folder is ours");
    assert_eq!(offered(&["check", "m."]), ["m.toml"]);
    assert_eq!(offered(&["score", "m.toml", "t"]), ["two"]);
    // A file that is no manifest says nothing of what can be meant.
    std::fs::write(programs.path().join("tw"), "text").expect("the folder is ours");
    assert_eq!(offered(&["score", "m.toml", "tw"]), ["two"]);
    assert_eq!(offered(&["explain", "--manifest", "m.toml", "on"]), ["one"]);
    assert_eq!(offered(&["logs", "--level", "w"]), ["warning"]);
    assert_eq!(offered(&["run", "m.toml", "--log-format", "j"]), ["json"]);
}

#[test]
fn bash_completes_the_names_of_the_system_that_runs() {
    let programs = programs();
    let mut supervised = run!(SYSTEM);
    supervised.wait_for_life("many.2", 1);
    let state_dir = supervised.state_dir().display().to_string();
    let offered = |words: &[&str]| {
        let (verb, rest) = words.split_first().expect("there is a verb");
        bash(programs.path(), &[&[*verb, "--state-dir", &state_dir], rest].concat())
    };
    assert_eq!(offered(&["stop", "m"]), ["many", "many.1", "many.2", "member", "member.1"]);
    assert_eq!(offered(&["status", "calm", "many."]), ["many.1", "many.2"]);
    assert_eq!(offered(&["crashes", "c"]), ["calm"]);
    assert_eq!(offered(&["logs", "b"]), ["bailiwick"]);
    assert_eq!(offered(&["scale", "c"]), ["crowd"]);
    assert_eq!(offered(&["explain", "ca"]), ["calm"]);
    for line in ["bailiwick stop --state-dir STATE c", "bailiwick stop --state-dir=STATE c"] {
        let line = line.replace("STATE", &state_dir);
        if let Some((offered, messages)) = shell(programs.path(), &["fish", "--no-config", "-c", FISH, &line])
        {
            assert_eq!((&offered[..], &*messages), (&["calm\tready".to_owned()][..], ""));
        }
    }
    supervised.stop();
}

#[test]
fn where_nobody_answers_nothing_is_said_and_nobody_waits() {
    let programs = programs();
    let stopwatch = Stopwatch::start();
    assert_eq!(bash(programs.path(), &["stop", "--state-dir", "/nonexistent", "w"]), [""; 0]);
    stopwatch.assert_within(SOON, "completing where no supervisor runs");
    let mut supervised = run!(SYSTEM);
    supervised.wait_for_life("calm", 1);
    supervised.process().signal(Signal::SIGSTOP);
    let state_dir = supervised.state_dir().display().to_string();
    let stopwatch = Stopwatch::start();
    assert_eq!(bash(programs.path(), &["stop", "--state-dir", &state_dir, "c"]), [""; 0]);
    stopwatch.assert_within(SOON, "completing where the supervisor stands still");
    supervised.process().signal(Signal::SIGCONT);
    supervised.stop();
    // The script outlives the program.
    let line = ["bash", "--norc", "-c", WITHOUT_PROGRAM];
    let told = shell(programs.path(), &line).expect("bash is there");
    assert_eq!(told, (Vec::new(), String::new()));
}

#[test]
fn every_script_is_one_of_its_shell() {
    let programs = programs();
    for (shell_name, line) in [("zsh", &["zsh", "-f", "-n"][..]), ("fish", &["fish", "--no-execute"])] {
        let path = programs.path().join(shell_name);
        let script =
            Command::new(programs.path().join("bailiwick")).args(["completions", shell_name]).output();
        let script = script.expect("it can be executed");
        assert!(script.status.success() && script.stderr.is_empty(), "{shell_name}");
        std::fs::write(&path, script.stdout).expect("the folder is ours");
        let line = [line, &[path.to_str().expect("it is text")]].concat();
        if let Some(told) = shell(programs.path(), &line) {
            assert_eq!(told, (Vec::new(), String::new()), "{shell_name}");
        }
    }
}
