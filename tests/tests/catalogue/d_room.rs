//! D. Start-up where something is missing: descriptors, files, users, directories.

use std::os::unix::fs::PermissionsExt;

use bailiwick_supervisor::control::{Cause, Outcome, ReloadMode, State, Verb};
use bailiwick_tests::harness::{Ended, copy_program};
use bailiwick_tests::run;
use nix::errno::Errno;

use crate::support::{Cli, check, foreign, kill, plain, worker};

/// A supervisor that may have so few descriptors runs whom it can and answers.
///
/// Seen to fail without the descriptors in reserve.
#[test]
fn d11_without_descriptors_some_run_and_the_rest_waits() {
    let keys = "instances = 100\nbackoff = { first = \"20s\", cap = \"30s\" }\n\
        group = \"many\"";
    let group = "[group.many]\nmax_restarts = 1000\n";
    let manifest = [plain("first"), group.to_owned(), worker("a", keys, "")].concat();
    let mut supervised = run!(&["prlimit", "--nofile=56:56"], &manifest);
    supervised.wait_for_life("first", 1);
    let no_room = Some(Cause::SpawnFailed(Errno::EMFILE as u16));
    supervised.wait_for_worker("a.100", "without room", |row| {
        (row.state == State::Backoff && row.last_cause == no_room).then_some(())
    });
    let waiting = supervised
        .status()
        .workers
        .into_iter()
        .filter(|row| row.name == "a")
        .filter(|row| row.state == State::Backoff && row.last_cause == no_room && row.pid.is_none());
    assert!(waiting.count() >= 90);
    assert_eq!(Cli::of(&supervised).run(&["status"]).code, 0);
    // Its place is not taken by those who wait.
    kill(&supervised, "first");
    assert_eq!(supervised.wait_for_life("first", 2).restarts, 1);
    supervised.stop();
}

/// Seen to fail without the raising of the soft limit; the former limit for workers.
#[test]
fn d11_the_soft_limit_is_raised_and_workers_have_their_own() {
    let free = foreign("free", "privileged = true", &["wait"]).replace("\"exec\"", "\"none\"");
    let mut supervised = run!(&["prlimit", "--nofile=300:600"], &[plain("a"), free].concat());
    let limit = |process: bailiwick_tests::harness::Process| process.limit("Max open files");
    supervised.wait_for_life("a", 1);
    supervised.wait_for_life("free", 1);
    assert_eq!(limit(supervised.process()).as_deref(), Some("600"));
    assert_eq!(limit(supervised.pid("a")).as_deref(), Some("256"));
    assert_eq!(limit(supervised.pid("free")).as_deref(), Some("300"));
    supervised.stop();
}

/// Seen to fail without the looks at what is there to be executed, `check`'s and the sandbox's.
#[test]
fn d3_what_cannot_be_started_is_refused_with_its_reason() {
    let cases = [
        (plain("a").replace("\"tw\"", "\"nowhere\""), "nowhere"),
        (worker("a", "working_directory = \"/nowhere\"", ""), "/nowhere"),
        (worker("a", "user = \"nobody-of-this-name\"", ""), "nobody-of-this-name"),
        (worker("a", "sandbox.limit_nofile = -1", ""), "limit_nofile"),
    ];
    for (manifest, named) in cases {
        let (code, text) = check(&manifest);
        assert_eq!(code, Some(8), "{text}");
        assert!(text.contains(named), "{text}");
    }
}

/// Seen to fail without the looks at what is there to be executed, `check`'s and the sandbox's.
#[test]
fn d3_a_file_that_may_not_be_executed_is_refused() {
    let manifest = plain("a").replace("\"tw\"", "\"/etc/hostname\"");
    let mut refused = run!(&manifest);
    assert!(matches!(refused.wait(), Ended::Code(8 | 78)), "{}", refused.journal());
    refused.journal().wait_for(0, "/etc/hostname");
    refused.assert_nothing_is_left();
}

/// Seen to fail without the executable that is held open.
#[test]
fn d3_a_file_that_vanishes_while_it_runs_is_still_executed() {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    std::fs::remove_file(supervised.path().join("tw")).expect("it is ours");
    kill(&supervised, "a");
    assert!(supervised.wait_for_life("a", 2).pid.is_some());
    supervised.stop();
}

/// Seen to fail without the rule that an end before ready is a failure.
#[test]
fn d6_an_end_before_ready_is_a_failed_start_also_with_code_zero() {
    let keys = "restart = \"transient\"\nbackoff = { first = \"20s\", cap = \"30s\" }";
    let mut supervised = run!(&worker("a", keys, "exit_early = 0"));
    let failed = supervised.wait_for_state("a", State::Backoff);
    assert_eq!((failed.generation, failed.pid, failed.failures), (1, None, 1));
    supervised.stop();
}

/// Seen to fail without the report of the step that failed.
#[test]
fn d3_a_start_that_fails_tells_the_error_and_shows_no_process() {
    let mut supervised = run!(&plain("a"));
    let own = supervised.path().join("own");
    copy_program("/bin/sleep", &own);
    let command = "[worker.b]\nkind = \"command\"\ncommand = [\"FOLDER/own\", \"1000000\"]\n\
        backoff = { base = \"20s\", cap = \"30s\" }\nsandbox.preset = \"exec\"\n";
    let reloaded =
        supervised.reload(Verb::Reload(ReloadMode::Widening), &[plain("a").as_str(), command].concat());
    assert_eq!(reloaded.1, Outcome::Done, "{}", reloaded.0);
    supervised.wait_for_life("b", 1);
    std::fs::set_permissions(&own, PermissionsExt::from_mode(0o644)).expect("it is ours");
    kill(&supervised, "b");
    let failed = Some(Cause::SpawnFailed(Errno::EACCES as u16));
    supervised.wait_for_worker("b", "refused by the kernel", |row| (row.last_cause == failed).then_some(()));
    let row = supervised.wait_for_state("b", State::Backoff);
    assert_eq!((row.pid, row.last_cause, row.failed_step.as_str()), (None, failed, "execveat"));
    supervised.journal().wait_for(0, "b#2: ");
    let shown = Cli::of(&supervised).run(&["status"]).data;
    let line = shown.lines().find(|line| line.starts_with("b ")).expect("it has a line");
    assert!(line.contains("next start in ") && line.contains("Permission denied, at execveat, "), "{line}");
    assert!(line.contains("/5 restarts in 30 s"), "{line}");
    supervised.stop();
}
