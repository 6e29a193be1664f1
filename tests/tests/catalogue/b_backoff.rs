//! B. Backoff.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use bailiwick_supervisor::control::{Cause, Row, State, Verb};
use bailiwick_tests::harness::{Stopwatch, Supervised, copy_program};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Cli, check, kill, lives, worker};

/// Seen to fail without the cooling down.
#[test]
fn a_spent_budget_cools_down_by_default_and_retries_for_ever() {
    let group = "[group.few]\nmax_restarts = 1\nperiod = \"60s\"\n";
    let keys = "group = \"few\"\nbackoff = { base = \"1ms\", cap = \"50ms\" }";
    let mut supervised = run!(&[group, &worker("bad", keys, "exit_early = 1")].concat());
    supervised.wait_for_worker("bad", "tried six times", |row| (row.generation >= 6).then_some(()));
    supervised.journal().wait_for(0, "its budget is spent, retries in");
    supervised.stop();
}

/// Seen to fail without `no_restart_exit`.
#[test]
fn b9_an_exit_code_that_forbids_a_restart_is_final() {
    let mut supervised = run!(&worker("a", "", "exit = 78, after_ms = 1"));
    let failed = supervised.wait_for_state("a", State::Failed);
    assert_eq!((failed.generation, failed.last_cause), (1, Some(Cause::Exit(78))));
    supervised.stop();
}

/// Seen to fail without the stop of who pauses.
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

/// Seen to fail without the start of who pauses.
#[test]
fn b5_a_start_ends_a_long_pause() {
    // Longer than anybody waits for an order.
    let keys = "backoff = { first = \"1h\", cap = \"1h\" }";
    let mut supervised = run!(&worker("a", keys, ""));
    supervised.wait_for_life("a", 1);
    supervised.pid("a").signal(Signal::SIGKILL);
    supervised.wait_for_state("a", State::Backoff);
    supervised.order(Verb::Start, "a");
    assert_eq!(supervised.wait_for_life("a", 2).restarts, 1);
    supervised.stop();
}

/// Seen to fail without the exception of orders from the budget.
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

/// What was said of the ends of lives of `a`, when there were so many.
fn decisions(supervised: &Supervised, count: usize) -> Vec<String> {
    supervised.journal().wait_until(&format!("{count} decisions"), |lines| {
        let told = lines.iter().filter_map(|line| Some(line.text.split_once("; ")?.1.to_owned()));
        let told = told.filter(|text| text.starts_with("restarts ") || text.starts_with("is given up"));
        Some(told.collect::<Vec<_>>()).filter(|told| told.len() >= count)
    })
}

/// The pause that a decision announces.
fn pause(decision: &str) -> Option<Duration> {
    let text = decision.strip_prefix("restarts ")?.split(" (").next()?;
    if text == "now" {
        return Some(Duration::ZERO);
    }
    let text = text.strip_prefix("in ")?;
    let (number, unit) = text.strip_suffix("ms").map_or((text.strip_suffix('s')?, 1000.0), |ms| (ms, 1.0));
    Some(Duration::from_secs_f64(number.parse::<f64>().ok()? * unit / 1000.0))
}

/// Seen to fail without the growth of the pauses; the first pause, which is none.
#[test]
fn b1_the_pauses_are_0_100_200_400_800_ms_and_the_sixth_failure_is_the_last() {
    let group = "[group.few]\nmax_restarts = 5\nperiod = \"60s\"\non_exhausted = \"fail\"\n";
    let keys = "group = \"few\"\nbackoff = { jitter = 0 }";
    let stopwatch = Stopwatch::start();
    let mut supervised = run!(&[group, &worker("a", keys, "exit_early = 1")].concat());
    assert_eq!(supervised.wait_for_state("a", State::Failed).generation, 6);
    let told = decisions(&supervised, 6);
    let pauses: Vec<_> = told.iter().filter_map(|text| pause(text)).collect();
    assert_eq!(pauses, [0, 100, 200, 400, 800].map(Duration::from_millis));
    assert!(told[5].starts_with("is given up: restart budget spent"), "{told:?}");
    let events = Cli::of(&supervised).json(&["events", "--json"]);
    let ended = events["events"].as_array().expect("a list").iter().filter(|event| event["event"] == "ended");
    let at = |event: &Value| Duration::from_nanos(event["time_mono_ns"].as_u64().expect("a number"));
    let ended: Vec<_> = ended.map(at).collect();
    assert_eq!(ended.len(), 6, "{events}");
    for (pair, pause) in ended.windows(2).zip(pauses) {
        let gap = pair[1] - pair[0];
        assert!(gap >= pause, "{gap:?} is shorter than {pause:?}");
        stopwatch.assert_took(gap, pause, "the gap between two failures");
    }
    supervised.stop();
}

/// Seen to fail without the rule that chance only shortens; chance.
#[test]
fn b2_chance_shortens_each_pause_by_a_quarter_at_most_and_the_next_start_is_told() {
    let group = "[group.many]\nmax_restarts = 100\n";
    let keys =
        "group = \"many\"\nbackoff = { first = \"400ms\", base = \"400ms\", factor = 1, jitter = 0.25 }";
    let stopwatch = Stopwatch::start();
    let mut supervised = run!(&[group, &worker("a", keys, "exit_early = 1")].concat());
    let (shown, life) = supervised.wait_for_worker("a", "pausing after its third life", |row| {
        let next = row.next_start.filter(|_| row.state == State::Backoff && row.generation >= 3)?;
        Some((Instant::now() + next, row.generation))
    });
    supervised.wait_for_worker("a", "in its next life", |row| (row.generation > life).then_some(()));
    let began = Instant::now();
    stopwatch.assert_took(
        began.saturating_duration_since(shown),
        Duration::from_millis(50),
        "what comes after the time shown",
    );
    stopwatch.assert_took(
        shown.saturating_duration_since(began),
        Duration::from_millis(50),
        "what comes before it",
    );
    supervised.wait_for_worker("a", "in its ninth life", |row| (row.generation >= 9).then_some(()));
    let pauses: Vec<_> = decisions(&supervised, 8).iter().filter_map(|text| pause(text)).collect();
    assert!(pauses.len() >= 8, "{pauses:?}");
    let possible = Duration::from_millis(300)..=Duration::from_millis(400);
    assert!(pauses.iter().all(|pause| possible.contains(pause)), "{pauses:?}");
    assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    supervised.stop();
}

/// Seen to fail without the stable period.
#[test]
fn b3_a_stable_period_brings_the_pause_back_to_the_first() {
    let mut supervised =
        run!(&worker("a", "stable_after = \"3s\"\nbackoff = { base = \"200ms\", jitter = 0 }", ""));
    for generation in 1..3 {
        lives(&supervised, ["a"], generation);
        kill(&supervised, "a");
    }
    supervised.journal().wait_for(0, "restarts in 200.0ms");
    lives(&supervised, ["a"], 3);
    let stable = |row: &Row| (row.failures == 0).then_some(());
    supervised.wait_for_worker("a", "stable", stable);
    kill(&supervised, "a");
    lives(&supervised, ["a"], 4);
    let pauses: Vec<_> = decisions(&supervised, 3).iter().filter_map(|text| pause(text)).collect();
    assert_eq!(pauses, [0, 200, 0].map(Duration::from_millis));
    supervised.stop();
}

/// Seen to fail without the heed of "settled".
#[test]
fn b3_a_worker_that_says_that_it_runs_well_need_not_wait_for_the_stable_period() {
    let keys = "stable_after = \"1h\"\nbackoff = { base = \"200ms\", jitter = 0 }";
    let mut supervised = run!(&worker("a", keys, "settled = true"));
    for generation in 1..4 {
        lives(&supervised, ["a"], generation);
        supervised.journal().wait_until("each life so far to have settled", |lines| {
            let settled = lines.iter().filter(|line| line.text.ends_with("has settled")).count();
            (settled >= generation as usize).then_some(())
        });
        kill(&supervised, "a");
    }
    lives(&supervised, ["a"], 4);
    assert!(
        decisions(&supervised, 3).iter().all(|text| text.starts_with("restarts now")),
        "{}",
        supervised.journal()
    );
    assert_eq!(supervised.worker("a").budget_left, 2, "the budget is the group's and stays as it is");
    supervised.stop();
}

/// Seen to fail without `uncounted_exit`.
#[test]
fn b9_an_exit_code_that_is_not_counted_is_retried_for_ever_and_charges_nothing() {
    let group = "[group.none]\nmax_restarts = 0\non_exhausted = \"fail\"\n";
    let keys = "group = \"none\"\nbackoff = { base = \"1ms\", cap = \"1ms\" }";
    let mut supervised =
        run!(&[group, &worker("a", keys, "exit_early = 75"), &worker("b", "group = \"none\"", "")].concat());
    supervised.wait_for_worker("a", "tried 50 times", |row| (row.generation > 50).then_some(()));
    let (a, b) = (supervised.worker("a"), supervised.worker("b"));
    assert_eq!(a.last_cause, Some(Cause::Exit(75)));
    assert_eq!((b.generation, b.state), (1, State::Ready));
    assert!(
        !supervised.journal().since(0).iter().any(|line| line.text.contains("budget")),
        "{}",
        supervised.journal()
    );
    supervised.stop();
}

/// Seen to fail without the pause of who cools down.
#[test]
fn b11_a_program_that_cannot_be_executed_costs_the_supervisor_next_to_nothing() {
    let folder = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
    // A file of its own: others execute the one that is there.
    let program = folder.path().join("program");
    copy_program(env!("CARGO_BIN_EXE_tw"), &program);
    let keys = "group = \"few\"\nbackoff = { base = \"100ms\", cap = \"100ms\" }";
    let manifest = ["[group.few]\nmax_restarts = 1\n", &worker("a", keys, "")].concat();
    let path = folder.path().join("app.toml");
    fs::write(&path, manifest.replace("\"tw\"", "\"program\"")).expect("the manifest can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwickd-under-test"));
    command.arg(path).arg("--state-dir").arg(folder.path().join("state"));
    let mut supervised = Supervised::start(command, folder);
    lives(&supervised, ["a"], 1);
    fs::set_permissions(&program, PermissionsExt::from_mode(0o644)).expect("it is ours");
    kill(&supervised, "a");
    supervised.journal().wait_for(0, "its budget is spent, retries in");
    let tried = supervised.worker("a").generation;
    let (began, cpu) = (Instant::now(), supervised.process().cpu());
    // The journal, not the status: asking for that costs more than what is measured.
    supervised.journal().wait_until("20 tries", |lines| {
        let tries = lines.iter().filter(|line| line.text.contains("its budget is spent, retries in"));
        (tries.count() > 20).then_some(())
    });
    let (took, used) = (began.elapsed(), supervised.process().cpu() - cpu);
    // It takes one or two hundredths; without the pause a third.
    assert!(used * 10 < took, "{used:?} of {took:?} are more than 10 %");
    let stopwatch = Stopwatch::start();
    supervised.worker("a");
    stopwatch.assert_within(Duration::from_millis(100), "the answer to status");
    let between = |row: &Row| row.pid.is_none().then(|| row.clone());
    let row = supervised.wait_for_worker("a", "between two tries", between);
    assert!(matches!(row.last_cause, Some(Cause::SpawnFailed { .. })), "{row:?}");
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("it is ours");
    lives(&supervised, ["a"], tried + 15);
    supervised.stop();
}

/// Seen to fail without the check of the schedule.
#[test]
fn b13_a_budget_that_can_never_be_spent_is_warned_of_with_the_numbers() {
    let group = "[group.few]\nmax_restarts = 3\nperiod = \"5s\"\non_exhausted = \"fail\"\n";
    let keys = "group = \"few\"\nbackoff = { base = \"10s\", factor = 1 }";
    let manifest = [group, &worker("a", keys, "")].concat();
    let (code, text) = check(&manifest);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("warning: the restart budget of group `few` can never be spent by worker `a`"),
        "{text}"
    );
    assert!(
        text.contains("the window is 5s long") && text.contains("its first 3 pauses alone last 20s"),
        "{text}"
    );
    let reachable = manifest.replace("period = \"5s\"", "period = \"21s\"");
    let (code, text) = check(&reachable);
    assert!(code == Some(0) && !text.contains("warning") && text.contains("gives up after 20 s"), "{text}");
}

/// Seen to fail without the stop of who pauses.
#[test]
fn b14_four_flapping_processes_that_an_operator_stops_stay_stopped() {
    let pace = "backoff = { first = \"1ms\", base = \"20ms\", cap = \"20ms\" }";
    let manifest = [
        worker("a", &format!("instances = 4\n{pace}"), "exit_early = 1"),
        worker("clock", pace, "exit_early = 1"),
    ];
    let mut supervised = run!(&manifest.concat());
    for instance in ["a.1", "a.2", "a.3", "a.4"] {
        supervised.wait_for_worker(instance, "flapping", |row| (row.generation > 3).then_some(()));
    }
    supervised.order(Verb::Stop, "a");
    let rows = || supervised.status().workers.into_iter().filter(|row| row.name == "a").collect::<Vec<_>>();
    let stopped = rows();
    assert!(stopped.iter().all(|row| row.state == State::Stopped && row.next_start.is_none()), "{stopped:?}");
    let now = supervised.worker("clock").generation;
    supervised.wait_for_worker("clock", "many pauses older", |row| (row.generation > now + 10).then_some(()));
    let generations = |rows: &[Row]| rows.iter().map(|row| row.generation).collect::<Vec<_>>();
    assert_eq!(generations(&rows()), generations(&stopped));
    supervised.stop();
}
