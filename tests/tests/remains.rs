//! Nothing stays behind: no process, no control group, no folder, no lock, however and whenever a supervisor ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bailiwick_supervisor::control::State;
use bailiwick_tests::harness::{
    Ended, Process, Remains, Stopwatch, Supervised, copy_program, needs_root, strike, trials_of, users_of,
};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use nix::unistd::{Uid, chown};

/// How soon after a supervisor's end nothing may be left.
const BOUND: Duration = Duration::from_secs(2);

/// A user that this machine need not know.
const STRANGER: &str = "4242";

/// Waits until nothing is left, from now on.
fn assert_soon_gone(supervised: &Supervised) {
    let stopwatch = Stopwatch::start();
    let remains = supervised.remains();
    supervised.journal().wait_until("nothing to be left", |_| remains.found().is_empty().then_some(()));
    stopwatch.assert_within(BOUND, "the end of everything");
}

const FORKING: &str = "only root can end all that a worker may start";

/// Workers for which there are control groups wherever this machine gives them.
const BOUNDED: &str = r#"
[worker.a]
exec = "tw"
sandbox = { preset = "exec", memory_max = "256M" }
environment = { TW_HOME = "FOLDER" }
actor.life = { type = "Life", args = { grandchildren = 2 } }
[worker.b]
exec = "tw"
needs = ["a"]
sandbox.memory_max = "256M"
drain_timeout = "40s"
stop_timeout = "40s"
actor.life = { type = "Life", args = { stubborn = true } }
"#;

#[test]
fn a_supervisor_killed_at_work_leaves_nothing() {
    if needs_root(FORKING) {
        return;
    }
    let mut supervised = run!(BOUNDED);
    supervised.wait_for_life("b", 1);
    let groups = supervised.remains().groups();
    assert!(!groups.is_empty() || !Uid::effective().is_root(), "root has groups where there are any");
    supervised.signal(Signal::SIGKILL);
    assert_eq!(supervised.wait(), Ended::Signal(9));
    assert_soon_gone(&supervised);
}

#[test]
fn a_supervisor_killed_while_it_stops_leaves_nothing() {
    if needs_root(FORKING) {
        return;
    }
    let mut supervised = run!(BOUNDED);
    supervised.wait_for_life("b", 1);
    supervised.signal(Signal::SIGTERM);
    supervised.wait_for_state("b", State::Draining);
    supervised.signal(Signal::SIGKILL);
    assert_eq!(supervised.wait(), Ended::Signal(9));
    assert_soon_gone(&supervised);
}

#[test]
fn a_start_that_fails_half_way_leaves_nothing() {
    if needs_root(FORKING) {
        return;
    }
    let closed = "[worker.z]\nexec = \"tw\"\nsandbox.user = \"root\"\n\
        actor.life = { type = \"Life\", args = {} }\n";
    let mut supervised = run!(&[BOUNDED, closed].concat());
    assert_eq!(supervised.wait(), Ended::Code(78), "{}", supervised.journal());
    supervised.assert_nothing_is_left();
}

/// Runs `command` again and again and kills it at every moment of its life, one after the other. `left` says what it
/// leaves each time.
fn kill_at_every_moment(command: &Command, left: impl Fn() -> Vec<String>) {
    // But for those that another test makes meanwhile, which have this name.
    let mounts = || -> Vec<String> {
        let told = std::fs::read_to_string("/proc/self/mountinfo").expect("the kernel tells");
        told.lines().filter(|line| !line.contains(" bailiwick-test ")).map(str::to_owned).collect()
    };
    let mounted = mounts();
    for moment in 0.. {
        let (process, status) = strike(command, moment);
        assert_eq!(mounts(), mounted, "moment {moment}");
        let stopwatch = Stopwatch::start();
        let left =
            || [left(), trials_of(process).iter().map(|group| format!("{group:?}")).collect()].concat();
        while !left().is_empty() {
            stopwatch.assert_within(BOUND, &format!("moment {moment}: {:?}", left()));
            std::thread::yield_now();
        }
        if status.signal() != Some(Signal::SIGKILL as i32) {
            assert!(moment > 20, "it ended with {status} after {moment} moments");
            return;
        }
    }
}

/// Returns a command that runs `program` as another user.
fn as_stranger(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", STRANGER, "--regid", STRANGER, "--clear-groups"]).arg(program);
    command
}

/// Ends by force what a failed test leaves.
struct Tidied(Remains);

impl Drop for Tidied {
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// A program has its state in a folder of its own, which nobody needs any more.
fn kill_a_program(command: impl Fn(&Path) -> Command, user: Option<u32>) {
    // The build may lie where that user may not go.
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
    copy_program(env!("CARGO_BIN_EXE_shop"), folder.path().join("tw"));
    let places = tempfile::tempdir().expect("a temporary folder");
    chown(places.path(), user.map(Into::into), None).expect("root may, and who is not is nobody else");
    let mut command = command(&folder.path().join("tw"));
    command.arg("ok").env("TMPDIR", places.path()).current_dir(places.path());
    let _tidied = Tidied(Remains::of(folder.path(), places.path()));
    kill_at_every_moment(&command, || {
        let processes = Process::all_below(folder.path()).into_iter().map(|process| format!("{process:?}"));
        let folders = fs::read_dir(places.path()).expect("it is ours").flatten();
        let locks = users_of(&places.path().join("bailiwick-"));
        let paths = folders.map(|entry| entry.path()).chain(locks).map(|path| path.display().to_string());
        processes.chain(paths).collect()
    });
}

#[test]
fn a_program_killed_at_any_moment_leaves_nothing() {
    kill_a_program(|program| Command::new(program), None);
}

#[test]
fn an_unprivileged_program_killed_at_any_moment_leaves_nothing() {
    if needs_root("the program of the other test was unprivileged already") {
        return;
    }
    kill_a_program(as_stranger, STRANGER.parse().ok());
}

/// Starts and, since the second worker fails, stops the first one in order and ends.
const SHORT: &str = r#"
[worker.a]
exec = "tw"
sandbox.memory_max = "256M"
actor.life = { type = "Life", args = {} }
[worker.b]
exec = "tw"
needs = ["a"]
essential = true
crash_may_stop = "all"
actor.life = { type = "Life", args = { exit_early = 1 } }
"#;

#[test]
fn a_supervisor_killed_at_any_moment_leaves_no_process_and_no_group() {
    let mut supervised = run!(SHORT);
    assert_eq!(supervised.wait(), Ended::Code(1));
    let mut command = Command::new(supervised.path().join("bailiwickd"));
    command.arg(supervised.path().join("app.toml")).arg("--state-dir").arg(supervised.state_dir());
    kill_at_every_moment(&command, || supervised.remains().found());
}
