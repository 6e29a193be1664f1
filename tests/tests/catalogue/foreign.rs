//! Foreign programs as workers: sd_notify, passed listeners, their sandbox and their end.

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, State, Verb};
use bailiwick_tests::harness::{Stopwatch, Supervised, needs_root};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::e_listeners::answer_at;
use crate::support::{SERVES, foreign, open};

const HEARD: &str = "notify = true";

/// Seen to fail without readiness by execution.
#[test]
fn a_command_is_ready_once_it_is_executed() {
    let mut supervised = run!(&foreign("a", "", &["say=runs", "wait"]));
    supervised.wait_for_life("a", 1);
    supervised.journal().wait_for(0, "a | runs");
    supervised.stop();
}

/// Seen to fail without the wait for READY.
#[test]
fn a_command_that_notifies_is_ready_when_it_says_so() {
    let steps = [
        "ignore=SIGUSR1",
        "say=begins",
        "until=SIGUSR1",
        "notify=STATUS=warming up",
        "notify=READY=1;X_ELSEWHERE=2",
        "wait",
    ];
    let mut supervised = run!(&foreign("a", HEARD, &steps));
    supervised.journal().wait_for(0, "begins");
    assert_eq!(supervised.worker("a").state, State::Starting);
    open(&supervised, "a");
    supervised.wait_for_life("a", 1);
    supervised.journal().wait_for(0, "a#1: says: warming up");
    supervised.stop();
}

/// Seen to fail without the limit of words; the end of the wait.
#[test]
fn a_command_that_notifies_without_end_is_heard_at_a_rate_and_goes_on() {
    let steps = ["notify=READY=1", "every=0:1200:WATCHDOG=1", "say=has said it all", "wait"];
    let mut supervised = run!(&foreign("a", HEARD, &steps));
    supervised.journal().wait_for(0, "a#1 says more than 100 words a second, and is heard no faster");
    supervised.journal().wait_for(0, "has said it all");
    assert_eq!(supervised.worker("a").state, State::Ready);
    supervised.stop();
}

/// Seen to fail without the deadline of the start; the heed of EXTEND_TIMEOUT_USEC.
#[test]
fn d2_a_start_that_is_extended_lives_and_one_that_no_longer_is_fails() {
    let keys = "notify = true\nstart_timeout = \"2s\"\nbackoff = { first = \"20s\", cap = \"30s\" }";
    // Longer than a start may take, and each time long before the end of what is left.
    let asks = "every=300:8:EXTEND_TIMEOUT_USEC=2000000";
    let patient = foreign("patient", keys, &[asks, "notify=READY=1", "wait"]);
    let hopeless = foreign("hopeless", keys, &[asks, "say=asks no more", "wait"]);
    let mut supervised = run!(&[patient, hopeless].concat());
    supervised.wait_for_life("patient", 1);
    supervised.journal().wait_for(0, "asks no more");
    let late = supervised.wait_for_state("hopeless", State::Backoff);
    assert_eq!((late.generation, late.last_cause), (1, Some(Cause::StartTimeout)));
    supervised.stop();
}

/// Seen to fail without the look at who sent it.
#[test]
fn d5_readiness_from_a_grandchild_or_another_worker_is_ignored_and_told_with_its_process() {
    let keys = "notify = true\nstart_timeout = \"20s\"";
    let mut supervised =
        run!(&foreign("a", keys, &["by-child=READY=1", "say=knows", "sleep=200", "notify=READY=1", "wait"]));
    supervised.journal().wait_for(0, "a child has notified: true");
    let said = supervised.journal().wait_for(0, "is not it, what that notifies is ignored").text;
    let sender = said.split("process ").nth(1).and_then(|rest| rest.split(' ').next());
    let sender: u32 = sender.and_then(|pid| pid.parse().ok()).expect("the sender is told");
    assert_ne!(Some(sender), supervised.worker("a").pid);
    supervised.wait_for_life("a", 1);
    supervised.stop();
}

/// Seen to fail without close-on-exec and the closing of what is no descriptor of its own; an environment from
/// nothing.
#[test]
fn d14_a_command_has_exactly_what_was_declared() {
    if needs_root("a worker shows its descriptors to root only") {
        return;
    }
    let keys = "environment = { LANG = \"C.UTF-8\" }";
    let of_systemd = ["env", "NOTIFY_SOCKET=/nowhere", "WATCHDOG_USEC=60000000", "LISTEN_FDS=1"];
    let mut supervised = run!(&of_systemd, &foreign("a", keys, &["environment", "wait"]));
    let row = supervised.wait_for_life("a", 1);
    let said = supervised.journal().wait_for(0, "environment: ").text;
    assert!(said.ends_with("environment: LANG"), "{said}");
    let process = supervised.pid("a");
    assert_eq!(process.descriptors().into_keys().collect::<Vec<_>>(), [0, 1, 2]);
    let status = process.status();
    assert!((0x7000_0000..=0x7000_ffff).contains(&row.uid), "{row:?}");
    assert_eq!(status["Uid"], [row.uid; 4].map(|id| id.to_string()).join("\t"));
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set], "0000000000000000", "{set}");
    }
    assert_eq!((status["NoNewPrivs"].as_str(), status["Seccomp"].as_str()), ("1", "2"));
    supervised.stop();
}

/// Seen to fail without the heed of "not ready".
#[test]
fn d16_a_flapping_command_is_never_restarted() {
    let flaps = "every=5:50:X_BAILIWICK_UNREADY=1;READY=1;X_BAILIWICK_UNREADY=1";
    let mut supervised = run!(&foreign("a", HEARD, &["notify=READY=1", flaps, "say=flapped", "wait"]));
    supervised.journal().wait_for(0, "flapped");
    let row = supervised.wait_for_state("a", State::Unready);
    assert_eq!((row.generation, row.restarts), (1, 0));
    supervised.stop();
}

const WATCHED: &str = "notify = true\nwatchdog = \"400ms\"\nabort_timeout = \"0s\"\nbackoff = { first = \"20s\", cap = \"30s\" }";

/// Seen to fail without the watchdog; the heed of WATCHDOG=1.
#[test]
fn c21_a_command_that_no_longer_says_that_it_gets_on_hangs() {
    // Longer than it may be silent, and each time long before that.
    let steps =
        ["variable=WATCHDOG_USEC", "notify=READY=1", "every=300:8:WATCHDOG=1", "say=falls silent", "wait"];
    let mut supervised = run!(&foreign("a", &WATCHED.replace("400ms", "2s"), &steps));
    supervised.journal().wait_for(0, "WATCHDOG_USEC is Some(\"2000000\")");
    supervised.journal().wait_for(0, "falls silent");
    let stopwatch = Stopwatch::start();
    let hung = supervised.wait_for_state("a", State::Backoff);
    stopwatch.assert_within(Duration::from_secs(3), "the end of a silent command");
    assert_eq!((hung.generation, hung.last_cause), (1, Some(Cause::Hung)));
    supervised.stop();
}

/// Seen to fail without the heed of WATCHDOG=trigger.
#[test]
fn c21_a_command_that_says_that_it_hangs_is_believed() {
    let keys = "notify = true\nabort_timeout = \"0s\"\nbackoff = { first = \"20s\", cap = \"30s\" }";
    let mut supervised = run!(&foreign("a", keys, &["notify=READY=1", "notify=WATCHDOG=trigger", "wait"]));
    let hung = supervised.wait_for_state("a", State::Backoff);
    assert_eq!((hung.generation, hung.last_cause), (1, Some(Cause::Hung)));
    supervised.stop();
}

/// Seen to fail without the watchdog; the heed of WATCHDOG_USEC.
#[test]
fn c21_a_command_may_choose_how_often_it_says_that_it_gets_on() {
    let steps = [
        "notify=READY=1;WATCHDOG_USEC=20000000",
        "say=is slow",
        "sleep=1500",
        "notify=WATCHDOG_USEC=100000",
        "wait",
    ];
    let mut supervised = run!(&foreign("a", WATCHED, &steps));
    supervised.journal().wait_for(0, "is slow");
    let hung = supervised.wait_for_state("a", State::Backoff);
    assert_eq!((hung.generation, hung.last_cause), (1, Some(Cause::Hung)));
    let at = |text| supervised.journal().wait_for(0, text).at;
    assert!(
        // When a line was read is not quite when it was written.
        at("ended after") - at("is slow") >= Duration::from_secs(1),
        "it was given the time that it chose"
    );
    supervised.stop();
}

/// Seen to fail without the words about refusals.
#[test]
fn what_a_command_may_not_ask_is_refused() {
    let steps = ["notify=MAINPID=1", "notify=FDSTORE=1", "notify=ERRNO=13;STOPPING=1", "wait"];
    let mut supervised = run!(&foreign("a", HEARD, &steps));
    supervised.journal().wait_for(0, "it names another main process: refused");
    supervised.journal().wait_for(0, "it wants descriptors kept: refused, time 1");
    supervised.journal().wait_for(0, "says that it fails: EACCES");
    supervised.stop();
}

/// Seen to fail without the command's own signal.
#[test]
fn a_command_is_stopped_by_its_own_signal() {
    let keys = "stop_signal = \"SIGINT\"\nstop_timeout = \"20s\"";
    let mut supervised = run!(&foreign("a", keys, &["ignore=SIGTERM", "say=runs", "wait"]));
    supervised.journal().wait_for(0, "runs");
    let stopwatch = Stopwatch::start();
    supervised.order(Verb::Stop, "a");
    stopwatch.assert_within(Duration::from_millis(500), "a stop by the command's own signal");
    assert_eq!(supervised.worker("a").last_cause, Some(Cause::Stopped));
    supervised.stop();
}

/// Seen to fail without the deadline of the stop.
#[test]
fn a_command_that_ignores_its_stop_is_killed() {
    let keys = "stop_timeout = \"200ms\"";
    let mut supervised = run!(&foreign("a", keys, &["ignore=SIGTERM", "say=runs", "wait"]));
    supervised.journal().wait_for(0, "runs");
    supervised.order(Verb::Stop, "a");
    assert_eq!(supervised.worker("a").last_cause, Some(Cause::StopTimeout));
    supervised.stop();
}

/// Seen to fail without the rule that a oneshot that succeeds is done.
#[test]
fn a_oneshot_command_is_done_when_it_ends() {
    let manifest = foreign("a", "", &["say=once"]).replace("kind = \"command\"", "kind = \"oneshot\"");
    let mut supervised = run!(&manifest);
    assert_eq!(supervised.wait_for_state("a", State::Done).generation, 1);
    supervised.stop();
}

fn address(supervised: &Supervised, from: usize) -> String {
    let line = supervised.journal().wait_for(from, "serves http at ").text;
    line.rsplit(' ').next().expect("an address").to_owned()
}

/// Seen to fail without the descriptors that are kept; the keeping of them for later lives.
#[test]
fn e13_a_listener_of_the_supervisor_outlives_the_command_that_serves_it() {
    let listen = "[[listen]]\nname = \"http\"\ntcp = \"127.0.0.1:0\"\n";
    let mut supervised = run!(&[listen, &foreign("a", SERVES, &["serve"])].concat());
    supervised.wait_for_life("a", 1);
    let at = address(&supervised, 0);
    let first = answer_at(&at);
    assert_eq!(Some(first), supervised.worker("a").pid);
    let seen = supervised.journal().len();
    supervised.pid("a").signal(Signal::SIGKILL);
    supervised.wait_for_life("a", 2);
    let second = answer_at(&at);
    assert_ne!(first, second);
    assert_eq!(address(&supervised, seen), at);
    supervised.stop();
}
