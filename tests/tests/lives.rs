//! Lives of workers under `bailiwickd`: who is restarted, when, how often, and in which order everything stops.

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, State, Verb};
use bailiwick_tests::harness::{Ended, Stopwatch, Supervised};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

/// A worker with these keys, whose actor has these arguments.
fn worker(name: &str, keys: &str, knobs: &str) -> String {
    format!(
        "[worker.{name}]\nexec = \"tw\"\n{keys}\nactor.life = {{ type = \"Life\", args = {{ {knobs} }} }}\n"
    )
}

fn plain(name: &str) -> String {
    worker(name, "", "")
}

/// The titles of the workers in the order in which they ended.
fn ends(supervised: &Supervised) -> Vec<String> {
    let lines = supervised.journal().since(0);
    let title = |text: &str| {
        let (before, _) = text.split_once(" ended after ")?;
        Some(before.rsplit(' ').next()?.to_owned())
    };
    lines.iter().filter_map(|line| title(&line.text)).collect()
}

#[test]
fn a6_a_killed_worker_is_replaced_and_the_others_keep_their_processes() {
    let mut supervised = run!(&[plain("a"), plain("b"), plain("c")].concat());
    let before = ["a", "b", "c"].map(|name| supervised.wait_for_life(name, 1).pid);
    let stopwatch = Stopwatch::start();
    supervised.pid("b").signal(Signal::SIGKILL);
    let b = supervised.wait_for_life("b", 2);
    stopwatch.assert_within(Duration::from_millis(300), "the replacement of b");
    assert_eq!((b.generation, b.restarts, b.last_cause), (2, 1, Some(Cause::Signal(9))));
    assert_ne!(b.pid, before[1]);
    assert_eq!([supervised.worker("a").pid, supervised.worker("c").pid], [before[0], before[2]]);
    supervised.stop();
}

#[test]
fn a2_a_transient_worker_that_ends_well_is_done_and_can_be_started() {
    let manifest = worker("a", "restart = \"transient\"", "exit = 0, after_ms = 1");
    let mut supervised = run!(&manifest);
    let done = supervised.wait_for_state("a", State::Done);
    assert_eq!((done.generation, done.restarts, done.pid), (1, 0, None));
    supervised.order(Verb::Start, "a");
    supervised.wait_for_worker("a", "done again", |row| {
        (row.state == State::Done && row.generation == 2).then_some(())
    });
    supervised.stop();
}

#[test]
fn a10_b1_a_spent_budget_gives_the_worker_up_and_leaves_its_siblings() {
    let group = "[group.few]\nmax_restarts = 2\nperiod = \"60s\"\non_exhausted = \"fail\"\n";
    let keys = "group = \"few\"\nbackoff = { base = \"10ms\", cap = \"10ms\" }";
    let manifest =
        [group, &worker("bad", keys, "exit_early = 1"), &worker("good", "group = \"few\"", "")].concat();
    let mut supervised = run!(&manifest);
    let bad = supervised.wait_for_state("bad", State::Failed);
    assert_eq!((bad.generation, bad.restarts, bad.last_cause), (3, 2, Some(Cause::Exit(1))));
    let budget = (bad.budget_left, bad.budget_max, bad.budget_period);
    assert_eq!(budget, (0, 2, Duration::from_secs(60)));
    assert_eq!(supervised.wait_for_life("good", 1).generation, 1);
    supervised.stop();
}

#[test]
fn a_spent_budget_cools_down_by_default_and_retries_for_ever() {
    let group = "[group.few]\nmax_restarts = 1\nperiod = \"60s\"\n";
    let keys = "group = \"few\"\nbackoff = { base = \"1ms\", cap = \"50ms\" }";
    let mut supervised = run!(&[group, &worker("bad", keys, "exit_early = 1")].concat());
    supervised.wait_for_worker("bad", "tried six times", |row| (row.generation >= 6).then_some(()));
    supervised.journal().wait_for(0, "its budget is spent, retries in");
    supervised.stop();
}

#[test]
fn b9_an_exit_code_that_forbids_a_restart_is_final() {
    let mut supervised = run!(&worker("a", "", "exit = 78, after_ms = 1"));
    let failed = supervised.wait_for_state("a", State::Failed);
    assert_eq!((failed.generation, failed.last_cause), (1, Some(Cause::Exit(78))));
    supervised.stop();
}

#[test]
fn b6_a_stop_during_a_pause_is_final() {
    let keys = "backoff = { first = \"20s\", cap = \"30s\" }";
    let mut supervised = run!(&worker("a", keys, "exit = 1, after_ms = 1"));
    let pause = supervised.wait_for_state("a", State::Backoff);
    assert!(pause.next_start.is_some_and(|next| next <= Duration::from_secs(20)), "{pause:?}");
    supervised.order(Verb::Stop, "a");
    let stopped = supervised.worker("a");
    assert_eq!((stopped.state, stopped.generation, stopped.next_start), (State::Stopped, 1, None));
    supervised.stop();
}

#[test]
fn b5_a_start_ends_a_long_pause() {
    let keys = "backoff = { first = \"20s\", cap = \"30s\" }";
    let mut supervised = run!(&worker("a", keys, ""));
    supervised.wait_for_life("a", 1);
    supervised.pid("a").signal(Signal::SIGKILL);
    supervised.wait_for_state("a", State::Backoff);
    supervised.order(Verb::Start, "a");
    assert_eq!(supervised.wait_for_life("a", 2).restarts, 1);
    supervised.stop();
}

#[test]
fn b7_twenty_manual_restarts_charge_no_budget() {
    let group = "[group.none]\nmax_restarts = 0\nperiod = \"60s\"\non_exhausted = \"fail\"\n";
    let mut supervised = run!(&[group, &worker("a", "group = \"none\"", "")].concat());
    supervised.wait_for_life("a", 1);
    for generation in 2..22 {
        supervised.order(Verb::Restart, "a");
        assert_eq!(supervised.wait_for_life("a", generation).restarts, 0);
    }
    supervised.stop();
}

#[test]
fn a20_an_essential_worker_that_cannot_start_ends_everything_with_1() {
    let essential =
        worker("c", "essential = true\ncrash_may_stop = \"all\"\nneeds = [\"b\"]", "exit_early = 1");
    let manifest = [plain("a"), worker("b", "needs = [\"a\"]", ""), essential].concat();
    let mut supervised = run!(&manifest);
    assert_eq!(supervised.wait(), Ended::Code(1));
    assert_eq!(ends(&supervised), ["c#1", "b#1", "a#1"]);
    supervised.assert_nothing_is_left();
}

#[test]
fn an_essential_worker_that_is_given_up_ends_everything_with_3() {
    let group = "[group.none]\nmax_restarts = 0\nperiod = \"60s\"\non_exhausted = \"fail\"\n";
    let essential = worker("b", "essential = true\ncrash_may_stop = \"all\"\ngroup = \"none\"", "");
    let mut supervised = run!(&[group, &plain("a"), &essential].concat());
    supervised.wait_for_life("a", 1);
    supervised.wait_for_life("b", 1);
    supervised.pid("b").signal(Signal::SIGKILL);
    assert_eq!(supervised.wait(), Ended::Code(3));
    supervised.assert_nothing_is_left();
}

#[test]
fn d1_a_worker_that_is_never_ready_is_stopped_and_counted() {
    let keys = "start_timeout = \"100ms\"\nbackoff = { first = \"20s\", cap = \"30s\" }";
    let stopwatch = Stopwatch::start();
    let mut supervised = run!(&worker("a", keys, "never_ready = true"));
    let late = supervised.wait_for_state("a", State::Backoff);
    stopwatch.assert_within(Duration::from_secs(1), "the end of a worker that is never ready");
    assert_eq!((late.generation, late.last_cause), (1, Some(Cause::StartTimeout)));
    supervised.stop();
}

#[test]
fn d7_a_worker_waits_for_what_it_needs_and_is_given_up_with_it() {
    let manifest =
        [worker("b", "", "ready_after_ms = 300, exit_early = 78"), worker("a", "needs = [\"b\"]", "")];
    let mut supervised = run!(&manifest.concat());
    let a = supervised.wait_for_state("a", State::Failed);
    assert_eq!((a.generation, a.pid), (0, None));
    supervised.stop();
}

#[test]
fn f8_each_level_stops_only_when_the_level_above_is_gone() {
    let b = worker("b", "needs = [\"a\"]", "");
    let c =
        worker("c", "needs = [\"b\"]\nstop_timeout = \"200ms\"\ndrain_timeout = \"50ms\"", "stubborn = true");
    let mut supervised = run!(&[plain("a"), b, c].concat());
    supervised.wait_for_life("c", 1);
    supervised.signal(Signal::SIGTERM);
    assert_eq!(supervised.wait(), Ended::Code(0));
    assert_eq!(ends(&supervised), ["c#1", "b#1", "a#1"]);
    supervised.assert_nothing_is_left();
}

#[test]
fn f2_a_worker_that_does_not_stop_is_killed_at_its_timeout() {
    let keys = "stop_timeout = \"200ms\"\ndrain_timeout = \"100ms\"";
    let mut supervised = run!(&worker("a", keys, "stubborn = true"));
    supervised.wait_for_life("a", 1);
    let stopwatch = Stopwatch::start();
    supervised.order(Verb::Stop, "a");
    stopwatch.assert_within(Duration::from_millis(300), "the stop of a");
    assert_eq!(supervised.worker("a").last_cause, Some(Cause::StopTimeout));
    supervised.stop();
}

#[test]
fn each_further_signal_hastens_the_stop() {
    let keys = "stop_timeout = \"40s\"\ndrain_timeout = \"40s\"";
    let stubborn = worker("b", &format!("needs = [\"a\"]\n{keys}"), "stubborn = true");
    let mut supervised = run!(&[plain("a"), stubborn].concat());
    supervised.wait_for_life("b", 1);
    let stopwatch = Stopwatch::start();
    supervised.signal(Signal::SIGTERM);
    supervised.wait_for_state("b", State::Draining);
    assert_eq!(supervised.worker("a").state, State::Ready);
    supervised.signal(Signal::SIGTERM);
    supervised.wait_for_state("b", State::Stopping);
    supervised.wait_for_state("a", State::Stopped);
    supervised.signal(Signal::SIGTERM);
    assert_eq!(supervised.wait(), Ended::Signal(Signal::SIGTERM as i32));
    stopwatch.assert_within(Duration::from_secs(1), "a stop in three steps");
    supervised.assert_nothing_is_left();
}

#[test]
fn a_second_interrupt_is_neither_lost_nor_out_of_order_and_each_step_is_said() {
    let keys = "stop_timeout = \"40s\"\ndrain_timeout = \"40s\"";
    let mut supervised = run!(&worker("a", keys, "stubborn = true"));
    supervised.wait_for_life("a", 1);
    let mut seen = supervised.journal().len();
    for step in ["stopping in order", "stopping all at once", "killing what is left"] {
        supervised.signal(Signal::SIGINT);
        supervised.journal().wait_for(seen, step);
        seen = supervised.journal().len();
    }
    assert_eq!(supervised.wait(), Ended::Signal(Signal::SIGINT as i32));
    supervised.assert_nothing_is_left();
}

#[test]
fn a_hang_up_changes_nothing_and_says_that_there_is_no_reload() {
    let mut supervised = run!(&plain("a"));
    let before = supervised.wait_for_life("a", 1).pid;
    supervised.signal(Signal::SIGHUP);
    supervised.journal().wait_for(0, "SIGHUP: this version cannot reload a manifest");
    assert_eq!(supervised.worker("a").pid, before);
    supervised.stop();
}

#[test]
fn c3_a_stop_signal_from_elsewhere_is_a_failure() {
    let mut supervised = run!(&worker("a", "restart = \"transient\"", ""));
    supervised.wait_for_life("a", 1);
    supervised.pid("a").signal(Signal::SIGTERM);
    assert_eq!(supervised.wait_for_life("a", 2).last_cause, Some(Cause::Signal(15)));
    supervised.stop();
}

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
