//! E. The supervisor itself: its death, its identity, its resources.

use std::process::Command;
use std::time::Duration;

use bailiwick_supervisor::control::{Client, State};
use bailiwick_tests::harness::{Ended, Stopwatch};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::{foreign, plain, worker};

/// Seen to fail without the descriptors that are kept; the keeping of them for later lives.
#[test]
fn a_kept_descriptor_outlives_who_made_it_and_who_uses_it() {
    let binder = worker(
        "binder",
        "kind = \"oneshot\"\nsandbox = { preset = \"net-server\", tcp_bind = [0] }",
        "keep = \"http\"",
    );
    let web = worker(
        "web",
        "needs = [\"binder\"]\nkept = [\"http\"]\nsandbox.preset = \"net-server\"",
        "take = \"http\"",
    );
    let mut supervised = run!(&[binder, web].concat());
    assert_eq!(supervised.wait_for_state("binder", State::Done).generation, 1);
    supervised.wait_for_life("web", 1);
    let address = supervised.journal().wait_for(0, "took http at").text;
    let seen = supervised.journal().len();
    supervised.pid("web").signal(Signal::SIGKILL);
    assert_eq!(supervised.journal().wait_for(seen, "took http at").text, address);
    supervised.stop();
}

/// Seen to fail without the death by the same signal; the handler of crashes; guardian and parent-death signal
/// together.
#[test]
fn e15_a_supervisor_that_crashes_says_so_dies_of_it_and_takes_its_workers_along() {
    let mut supervised = run!(&[plain("a"), foreign("b", "", &["ignore=SIGTERM", "wait"])].concat());
    supervised.wait_for_life("a", 1);
    supervised.wait_for_life("b", 1);
    let workers = ["a", "b"].map(|name| supervised.pid(name));
    let stopwatch = Stopwatch::start();
    supervised.signal(Signal::SIGSEGV);
    assert_eq!(supervised.wait(), Ended::Signal(Signal::SIGSEGV as i32));
    supervised.journal().wait_for(0, "the supervisor crashes: signal 11, sent by process");
    supervised.journal().wait_until("the workers to be gone", |_| {
        workers.iter().all(|worker| !worker.is_alive()).then_some(())
    });
    stopwatch.assert_within(Duration::from_secs(1), "the end of the workers");
}

fn refusal(state_dir: &std::path::Path, of: &bailiwick_tests::harness::Supervised) -> (Option<i32>, String) {
    let mut command = Command::new("timeout");
    command.arg("20").arg(of.path().join("bailiwickd")).arg(of.path().join("app.toml"));
    let output = command.arg("--state-dir").arg(state_dir).output().expect("it can be started");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Seen to fail without the look at the mode; the look at the owner; the checks of the length.
#[test]
fn e10_a_state_directory_that_cannot_be_trusted_is_refused_with_the_reason() {
    use std::os::unix::fs::PermissionsExt;
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    let open = supervised.path().join("open");
    std::fs::create_dir(&open).expect("it is ours");
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).expect("it is ours");
    let (code, said) = refusal(&open, &supervised);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("has mode 0777: nobody but its owner may write to it"), "{said}");
    let long = supervised.path().join("x".repeat(100));
    let (code, said) = refusal(&long, &supervised);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("107"), "{said}");
    assert!(!long.exists());
    if nix::unistd::geteuid().is_root() {
        let foreign = supervised.path().join("foreign");
        std::fs::create_dir(&foreign).expect("it is ours");
        std::os::unix::fs::chown(&foreign, Some(12345), None).expect("root may");
        let (code, said) = refusal(&foreign, &supervised);
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains("belongs to uid 12345, expected 0"), "{said}");
    }
    supervised.stop();
}

/// Seen to fail without the new socket.
#[test]
fn sigusr1_brings_back_a_control_socket_that_somebody_removed() {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    std::fs::remove_file(supervised.state_dir().join("control.sock")).expect("it is there");
    assert!(Client::connect(&supervised.state_dir()).is_err());
    supervised.signal(Signal::SIGUSR1);
    supervised.control();
    assert_eq!(supervised.worker("a").generation, 1);
    supervised.stop();
}
