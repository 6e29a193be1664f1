//! A. Restart types, strategies, budgets.

use std::time::Duration;

use bailiwick_supervisor::control::{Cause, Outcome, Row, State, Target, Verb};
use bailiwick_tests::harness::{Ended, LONGEST, Stopwatch, Supervised};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::{Cli, check, ends, first_ends, first_starts, group, kill, lives, plain, worker};

/// Seen to fail without the difference of one_for_one from one_for_all.
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

/// Seen to fail without the rule that a transient worker that ends well is done; the start of who is done.
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

/// Seen to fail without the charge of the budget.
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

/// Seen to fail without the levels of the stop; the rule of the first start; the stop of everything with an
/// essential worker.
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

/// Seen to fail without the exit code of giving up; the stop of everything with an essential worker.
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

/// Seen to fail without the restart after a clean end.
#[test]
fn a1_a_permanent_worker_that_ends_well_is_restarted() {
    let mut supervised = run!(&worker("a", "", "exit = 0, after_ms = 1"));
    let again =
        supervised.wait_for_worker("a", "started again", |row| (row.generation > 1).then(|| row.clone()));
    assert_eq!(again.last_cause, Some(Cause::Exit(0)));
    assert!(again.restarts >= 1, "{again:?}");
    supervised.stop();
}

/// Seen to fail without the restart after a transient worker's failure.
#[test]
fn a3_a_transient_worker_that_fails_or_is_killed_is_restarted() {
    let manifest = [
        worker("exits", "restart = \"transient\"", "exit = 1, after_ms = 1"),
        worker("a", "restart = \"transient\"", ""),
    ];
    let mut supervised = run!(&manifest.concat());
    supervised.wait_for_life("a", 1);
    kill(&supervised, "a");
    assert_eq!(supervised.wait_for_life("a", 2).last_cause, Some(Cause::Signal(9)));
    supervised.wait_for_worker("exits", "started again", |row| (row.generation > 2).then_some(()));
    assert_eq!(supervised.worker("exits").last_cause, Some(Cause::Exit(1)));
    supervised.stop();
}

/// Seen to fail without the memory of the order to stop.
#[test]
fn a4_a_transient_worker_that_an_operator_stops_stays_stopped() {
    let mut supervised = run!(&[worker("a", "restart = \"transient\"", ""), plain("b")].concat());
    lives(&supervised, ["a", "b"], 1);
    supervised.order(Verb::Stop, "a");
    // Whatever follows from a failure has followed when this has.
    kill(&supervised, "b");
    supervised.wait_for_life("b", 2);
    let a = supervised.worker("a");
    assert_eq!((a.state, a.generation, a.restarts, a.pid), (State::Stopped, 1, 0, None));
    supervised.stop();
}

/// Seen to fail without the rule that a temporary worker is never restarted.
#[test]
fn a5_a_temporary_worker_is_never_restarted() {
    let mut supervised = run!(&[worker("a", "restart = \"temporary\"", ""), plain("b")].concat());
    lives(&supervised, ["a", "b"], 1);
    // Not SIGSEGV, for which the language has a handler that lets one from elsewhere pass.
    supervised.pid("a").signal(Signal::SIGFPE);
    let a = supervised.wait_for_state("a", State::Done);
    assert_eq!((a.generation, a.restarts, a.last_cause), (1, 0, Some(Cause::Signal(8))));
    assert_eq!((a.budget_left, a.budget_max), (5, 5), "what is not restarted charges nothing");
    supervised.stop();
}

/// Seen to fail without the difference of a temporary worker that failed from one that is done.
#[test]
fn a5_the_crash_of_a_temporary_worker_is_reported_and_shown_as_what_it_was() {
    let temporary = |name: &str| worker(name, "restart = \"temporary\"", "");
    let failing = worker("code", "restart = \"temporary\"", "exit = 7, after_ms = 200");
    let ending = worker("fine", "restart = \"temporary\"", "exit = 0, after_ms = 200");
    let mut supervised = run!(&[temporary("signal"), failing, ending].concat());
    lives(&supervised, ["signal"], 1);
    supervised.pid("signal").signal(Signal::SIGFPE);
    ["signal", "code", "fine"].iter().for_each(|name| drop(supervised.wait_for_state(name, State::Done)));
    let cause = |name: &str| supervised.crashes(name).iter().map(|report| report.cause).collect::<Vec<_>>();
    assert_eq!((cause("signal"), cause("code")), (vec![Cause::Signal(8)], vec![Cause::Exit(7)]));
    assert_eq!(cause("fine"), []);
    let cli = Cli::of(&supervised);
    let shown = |name: &str| cli.run(&["status", name]).data;
    assert!(shown("signal").contains("ended and is not restarted: SIGFPE"), "{}", shown("signal"));
    assert!(shown("code").contains("ended and is not restarted: exit code 7"), "{}", shown("code"));
    assert!(shown("fine").contains("ended as it should"), "{}", shown("fine"));
    supervised.stop();
}

/// Seen to fail without the exception of temporary members from the restart of their group; the restart of others
/// with the one that failed.
#[test]
fn a5_a_temporary_bystander_of_one_for_all_does_not_come_back() {
    let temporary = worker("t", "group = \"all\"\nrestart = \"temporary\"", "");
    let manifest =
        [group("all", "strategy = \"one_for_all\"", &["a"]), temporary, worker("z", "group = \"all\"", "")];
    let mut supervised = run!(&manifest.concat());
    lives(&supervised, ["a", "t", "z"], 1);
    kill(&supervised, "a");
    lives(&supervised, ["a", "z"], 2);
    let t = supervised.worker("t");
    assert_eq!((t.state, t.generation, t.pid), (State::Done, 1, None));
    supervised.stop();
}

/// Seen to fail without the restart of others with the one that failed; the difference of one_for_all from
/// rest_for_one; the levels of the stop.
#[test]
fn a7_one_for_all_stops_in_reverse_starts_forward_and_charges_once() {
    let mut supervised = run!(&group("all", "strategy = \"one_for_all\"", &["a", "b", "c", "d"]));
    let before = lives(&supervised, ["a", "b", "c", "d"], 1);
    assert_eq!(first_starts(&supervised, 4), ["a#1", "b#1", "c#1", "d#1"]);
    kill(&supervised, "c");
    let after = lives(&supervised, ["a", "b", "c", "d"], 2);
    assert!(before.iter().zip(after).all(|(old, new)| *old != new), "{before:?} {after:?}");
    assert_eq!(first_ends(&supervised, 4), ["c#1", "d#1", "b#1", "a#1"]);
    assert_eq!(first_starts(&supervised, 8)[4..], ["a#2", "b#2", "c#2", "d#2"]);
    let row = supervised.worker("a");
    assert_eq!((row.budget_left, row.budget_max), (4, 5));
    supervised.stop();
}

/// Seen to fail without the difference of rest_for_one from one_for_all; the restart of others with the one that
/// failed; the levels of the stop.
#[test]
fn a8_rest_for_one_restarts_the_one_that_failed_and_those_after_it() {
    let mut supervised = run!(&group("rest", "strategy = \"rest_for_one\"", &["a", "b", "c", "d"]));
    let before = lives(&supervised, ["a", "b", "c", "d"], 1);
    kill(&supervised, "b");
    let after = lives(&supervised, ["b", "c", "d"], 2);
    assert!(before[1..].iter().zip(after).all(|(old, new)| *old != new), "{before:?} {after:?}");
    assert_eq!(first_ends(&supervised, 3), ["b#1", "d#1", "c#1"]);
    assert_eq!(first_starts(&supervised, 7)[4..], ["b#2", "c#2", "d#2"]);
    assert_eq!(supervised.worker("a").pid, before[0]);
    kill(&supervised, "d");
    lives(&supervised, ["d"], 3);
    assert_eq!(first_ends(&supervised, 4)[3..], ["d#2"], "nobody stands behind the last");
    supervised.stop();
}

/// Seen to fail without the charge of the budget.
#[test]
fn a10_the_failure_that_is_one_too_many_spends_the_budget() {
    let keys = |group| format!("group = \"{group}\"\nbackoff = {{ base = \"0s\", cap = \"0s\" }}");
    let budget = |name: &str, most: u32, period: &str| {
        let worker = worker(name, &keys(format!("g{name}")), "exit_early = 1");
        format!(
            "[group.g{name}]\nmax_restarts = {most}\nperiod = \"{period}\"\non_exhausted = \"fail\"\n{worker}"
        )
    };
    let mut supervised = run!(&[budget("a", 1, "5s"), budget("b", 3, "2s"), budget("c", 0, "5s")].concat());
    for (name, last) in [("a", 2), ("b", 4), ("c", 1)] {
        let failed = supervised.wait_for_state(name, State::Failed);
        assert_eq!((failed.generation, failed.restarts, failed.budget_left), (last, last - 1, 0), "{name}");
    }
    supervised.stop();
}

/// Seen to fail without a window that is counted exactly.
#[test]
fn a11_two_failures_in_each_second_never_spend_a_budget_of_two() {
    // The life itself takes 620 ms, so that no second holds three ends, however fast the machine is.
    let group = "[group.two]\nmax_restarts = 2\nperiod = \"1s\"\non_exhausted = \"fail\"\n";
    let keys = "group = \"two\"\nbackoff = { base = \"0s\", cap = \"0s\" }";
    let mut supervised = run!(&[group, &worker("a", keys, "exit = 1, after_ms = 620")].concat());
    let a = supervised.wait_for_worker("a", "started a seventh time", |row| {
        (row.generation >= 7 || row.state == State::Failed).then(|| row.clone())
    });
    assert_ne!(a.state, State::Failed);
    supervised.stop();
}

/// Seen to fail without the escalation to the group around it; the charge of the budget; the restart of the group
/// by its parent.
#[test]
fn a12_a_spent_inner_budget_restarts_the_group_once_and_then_ends_everything_with_3() {
    let manifest = [
        "[supervisor]\nmax_restarts = 1\nperiod = \"60s\"\non_exhausted = \"escalate\"\n",
        "[group.inner]\nmax_restarts = 1\nperiod = \"60s\"\non_exhausted = \"escalate\"\n",
        &worker("good", "group = \"inner\"\ncrash_may_stop = \"all\"", ""),
        &worker(
            "bad",
            "group = \"inner\"\nneeds = [\"good\"]\ncrash_may_stop = \"all\"",
            "exit = 1, after_ms = 1",
        ),
    ];
    let mut supervised = run!(&manifest.concat());
    assert_eq!(supervised.wait(), Ended::Code(3));
    assert_eq!(ends(&supervised), ["bad#1", "bad#2", "good#1", "bad#3", "bad#4", "good#2"]);
    let journal = supervised.journal();
    journal.wait_for(0, "group inner was stopped by the end of bad#2; starts again (0 of 1 restarts left)");
    journal.wait_for(0, "group inner was stopped by the end of bad#4; is stopped with the root group");
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the escalation to the group around it; the charge of the budget.
#[test]
fn a12_an_escalation_climbs_three_levels_and_leaves_who_is_not_concerned() {
    let group = |name: &str, around: &str, then: &str| {
        format!(
            "[group.{name}]\ngroup = \"{around}\"\nmax_restarts = 0\nperiod = \"60s\"\non_exhausted = \"{then}\"\n"
        )
    };
    let manifest = [
        plain("outside"),
        "[group.top]\nmax_restarts = 0\nperiod = \"60s\"\non_exhausted = \"fail\"\n".to_owned(),
        group("middle", "top", "escalate"),
        group("inner", "middle", "escalate"),
        worker("a", "group = \"top\"", ""),
        worker("b", "group = \"middle\"", ""),
        worker("c", "group = \"inner\"", ""),
    ];
    let mut supervised = run!(&manifest.concat());
    let before = lives(&supervised, ["outside", "a"], 1);
    lives(&supervised, ["b", "c"], 1);
    kill(&supervised, "c");
    assert_eq!(supervised.wait_for_state("b", State::Failed).generation, 1);
    assert_eq!(supervised.wait_for_state("c", State::Failed).generation, 1);
    assert_eq!(lives(&supervised, ["outside", "a"], 1), before);
    let journal = supervised.journal();
    journal.wait_for(0, "group inner was stopped by the end of c#1; is stopped with group middle");
    journal.wait_for(0, "group middle was stopped by the end of c#1; is given up");
    supervised.stop();
}

/// Seen to fail without the significance of its end; the difference of any from all; the levels of the stop.
#[test]
fn a13_the_end_of_any_significant_member_stops_its_group_in_reverse() {
    let job = "[group.job]\nauto_shutdown = \"any_significant\"\n";
    let significant =
        |need| format!("group = \"job\"\nrestart = \"transient\"\nsignificant = true\nneeds = [\"{need}\"]");
    let manifest = [
        plain("outside"),
        job.to_owned(),
        worker("a", "group = \"job\"", ""),
        worker("b", &significant("a"), "stop_after_ms = 200"),
        worker("c", &significant("b"), "exit = 0, after_ms = 200"),
    ];
    let mut supervised = run!(&manifest.concat());
    let outside = lives(&supervised, ["outside"], 1);
    for name in ["a", "b", "c"] {
        let done = supervised.wait_for_state(name, State::Done);
        assert_eq!((done.generation, done.restarts), (1, 0), "{name}");
    }
    assert_eq!(first_ends(&supervised, 3), ["c#1", "b#1", "a#1"]);
    supervised.journal().wait_for(0, "group job has done its work and stops");
    assert_eq!(lives(&supervised, ["outside"], 1), outside);
    supervised.stop();
}

/// Seen to fail without the significance of its end.
#[test]
fn a13_at_the_root_the_end_of_a_significant_worker_is_the_ordered_stop_with_0() {
    let significant = worker("job", "restart = \"transient\"\nsignificant = true", "exit = 0, after_ms = 50");
    let manifest = ["[supervisor]\nauto_shutdown = \"any_significant\"\n", &plain("a"), &significant];
    let mut supervised = run!(&manifest.concat());
    assert_eq!(supervised.wait(), Ended::Code(0));
    assert_eq!(ends(&supervised), ["job#1", "a#1"]);
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the restart after a transient worker's failure.
#[test]
fn a13_the_failure_of_a_significant_transient_is_a_restart_and_no_end() {
    let keys = "group = \"job\"\nrestart = \"transient\"\nsignificant = true";
    let manifest = [group("job", "auto_shutdown = \"any_significant\"", &["a"]), worker("b", keys, "")];
    let mut supervised = run!(&manifest.concat());
    let a = lives(&supervised, ["a"], 1);
    lives(&supervised, ["b"], 1);
    kill(&supervised, "b");
    lives(&supervised, ["b"], 2);
    assert_eq!(lives(&supervised, ["a"], 1), a);
    supervised.stop();
}

/// Seen to fail without the significance of its end; the difference of all from any.
#[test]
fn a14_a_group_of_three_significant_members_lives_until_the_third_has_ended() {
    let member = |name| worker(name, "group = \"job\"\nrestart = \"temporary\"\nsignificant = true", "");
    let manifest = [
        group("job", "auto_shutdown = \"all_significant\"", &["bystander"]),
        member("a"),
        member("b"),
        member("c"),
    ];
    let mut supervised = run!(&manifest.concat());
    lives(&supervised, ["bystander", "a", "b", "c"], 1);
    for name in ["a", "b"] {
        kill(&supervised, name);
        supervised.wait_for_state(name, State::Done);
    }
    assert_eq!(first_ends(&supervised, 2), ["a#1", "b#1"]);
    lives(&supervised, ["bystander", "c"], 1);
    kill(&supervised, "c");
    supervised.wait_for_state("bystander", State::Done);
    assert_eq!(first_ends(&supervised, 4), ["a#1", "b#1", "c#1", "bystander#1"]);
    supervised.stop();
}

/// Seen to fail without the drawing of the place; the check of significance.
#[test]
fn a15_significance_without_effect_is_refused_with_its_place() {
    let permanent = worker("p", "group = \"job\"\nsignificant = true", "");
    let nowhere = worker("n", "restart = \"transient\"\nsignificant = true", "");
    let manifest = ["[group.job]\nauto_shutdown = \"any_significant\"\n", &permanent, &nowhere].concat();
    let (code, text) = check(&manifest);
    assert_eq!(code, Some(8), "{text}");
    assert!(text.contains("worker `p` is significant, but never ends for good"), "{text}");
    assert!(
        text.contains("worker `n` is significant in the root group, which never stops by itself"),
        "{text}"
    );
    assert!(text.contains("app.toml:6:15") && text.contains("^^^^ its end would stop its group"), "{text}");
    let mut supervised = run!(&manifest);
    assert_eq!(supervised.wait(), Ended::Code(78), "nothing is started");
}

/// Seen to fail without its being as good as ready for those who need it; the heed of "nothing to do".
#[test]
fn a21_a_worker_with_nothing_to_do_is_done_and_its_dependents_start() {
    let manifest = [
        worker("migrate", "kind = \"oneshot\"", "skip = true"),
        worker("resident", "restart = \"permanent\"", "skip = true"),
        worker("web", "needs = [\"migrate\", \"resident\"]", ""),
    ];
    let mut supervised = run!(&manifest.concat());
    lives(&supervised, ["web"], 1);
    for name in ["migrate", "resident"] {
        let row = supervised.worker(name);
        assert_eq!((row.state, row.generation, row.restarts, row.pid), (State::Done, 1, 0, None), "{name}");
    }
    supervised.stop();
}

/// Seen to fail without the restart of others with the one that failed; the difference of one_for_all from
/// rest_for_one.
#[test]
fn rest_for_one_within_one_for_all_restarts_inside_what_fails_inside_and_all_what_fails_outside() {
    let member = |name: &str, group: &str| worker(name, &format!("group = \"{group}\""), "");
    let manifest = [
        "[group.outer]\nstrategy = \"one_for_all\"\n[group.inner]\ngroup = \"outer\"\nstrategy = \"rest_for_one\"\n",
        &member("a", "outer"),
        &member("b", "inner"),
        &member("c", "inner"),
        &member("d", "outer"),
    ];
    let mut supervised = run!(&manifest.concat());
    let [a, _, _, d] = lives(&supervised, ["a", "b", "c", "d"], 1);
    kill(&supervised, "b");
    lives(&supervised, ["b", "c"], 2);
    assert_eq!(lives(&supervised, ["a", "d"], 1), [a, d]);
    assert_eq!(first_ends(&supervised, 2), ["b#1", "c#1"]);
    kill(&supervised, "d");
    lives(&supervised, ["a", "d"], 2);
    lives(&supervised, ["b", "c"], 3);
    assert_eq!(first_ends(&supervised, 6)[2..], ["d#1", "c#2", "b#2", "a#1"]);
    assert_eq!(first_starts(&supervised, 10)[6..], ["a#2", "b#3", "c#3", "d#2"]);
    supervised.stop();
}

/// Seen to fail without the release of members by their group.
#[test]
fn a_member_that_pauses_starts_with_its_group_and_does_not_wait_for_its_own_pause() {
    let pauses = "group = \"inner\"\nbackoff = { first = \"20s\", cap = \"30s\" }";
    let manifest = [
        "[group.outer]\nstrategy = \"one_for_all\"\n[group.inner]\ngroup = \"outer\"\n",
        &worker("a", "group = \"outer\"", ""),
        &worker("b", pauses, ""),
    ];
    let mut supervised = run!(&manifest.concat());
    lives(&supervised, ["a", "b"], 1);
    kill(&supervised, "b");
    supervised.wait_for_state("b", State::Backoff);
    let stopwatch = Stopwatch::start();
    kill(&supervised, "a");
    lives(&supervised, ["a", "b"], 2);
    stopwatch.assert_within(Duration::from_secs(1), "the restart of the group");
    supervised.stop();
}

/// Seen to fail without the stop of who pauses.
#[test]
fn an_operators_stop_of_a_member_while_its_group_halts_keeps_that_member_down() {
    let slow = "group = \"all\"\nstop_timeout = \"10s\"\ndrain_timeout = \"0s\"";
    let manifest = [
        "[group.all]\nstrategy = \"one_for_all\"\n",
        &worker("a", slow, "stubborn = true"),
        &worker("b", "group = \"all\"", ""),
    ];
    let mut supervised = run!(&manifest.concat());
    lives(&supervised, ["a", "b"], 1);
    kill(&supervised, "b");
    supervised.wait_for_state("a", State::Stopping);
    supervised.order(Verb::Stop, "b");
    kill(&supervised, "a");
    lives(&supervised, ["a"], 2);
    let b = supervised.worker("b");
    assert_eq!((b.state, b.generation), (State::Stopped, 1));
    supervised.order(Verb::Start, "b");
    lives(&supervised, ["b"], 2);
    supervised.stop();
}

/// Seen to fail without the drop of the pause.
#[test]
fn a_member_that_is_stopped_while_it_pauses_holds_nobody_of_its_group() {
    let pauses = "group = \"all\"\nbackoff = { first = \"20s\", cap = \"30s\" }";
    let manifest = [
        "[group.all]\nstrategy = \"one_for_all\"\n",
        &worker("a", "group = \"all\"", ""),
        &worker("b", pauses, ""),
    ];
    let mut supervised = run!(&manifest.concat());
    lives(&supervised, ["a", "b"], 1);
    kill(&supervised, "b");
    supervised.wait_for_state("b", State::Backoff);
    supervised.wait_for_state("a", State::Waiting);
    let stopwatch = Stopwatch::start();
    supervised.order(Verb::Stop, "b");
    lives(&supervised, ["a"], 2);
    stopwatch.assert_within(Duration::from_secs(1), "the start of who waited");
    assert_eq!(supervised.worker("b").state, State::Stopped);
    supervised.stop();
}

/// Seen to fail without the charge of the budget.
#[test]
fn a_start_that_fails_while_a_group_restarts_is_an_incident_of_its_own() {
    let manifest = [
        "[group.rest]\nstrategy = \"rest_for_one\"\nmax_restarts = 3\nperiod = \"60s\"\non_exhausted = \"fail\"\n",
        &worker("a", "group = \"rest\"", ""),
        &worker(
            "b",
            "group = \"rest\"\nbackoff = { base = \"0s\", cap = \"0s\" }\nsandbox = { preset = \"net-server\", tcp_bind = [0] }",
            "exit_again = 1",
        ),
        &worker("c", "group = \"rest\"", ""),
    ];
    let mut supervised = run!(&manifest.concat());
    let [a, ..] = lives(&supervised, ["a", "b", "c"], 1);
    kill(&supervised, "b");
    let b = supervised.wait_for_state("b", State::Failed);
    assert_eq!(
        (b.generation, b.budget_left),
        (4, 0),
        "one kill and two starts are covered, the third start is not"
    );
    assert_eq!(lives(&supervised, ["a"], 1), [a]);
    supervised.stop();
}

/// Seen to fail without the wait for what it wants.
#[test]
fn wants_waits_for_what_may_come_and_starts_without_what_does_not() {
    let manifest = [
        worker("slow", "", "ready_after_ms = 300"),
        worker("broken", "", "exit_early = 78"),
        worker("web", "wants = [\"slow\", \"broken\"]", ""),
    ];
    let mut supervised = run!(&manifest.concat());
    lives(&supervised, ["web"], 1);
    assert_eq!(first_starts(&supervised, 2), ["slow#1", "web#1"]);
    assert_eq!(supervised.worker("broken").state, State::Failed);
    supervised.stop();
}

/// Has a pool have so many members.
fn scale(supervised: &Supervised, pool: &str, members: u16) -> Outcome {
    let target = Target::Worker(pool.to_owned());
    supervised.control().order(Verb::Scale(members), target, LONGEST).expect("it is answered")
}

/// The rows of all members that a pool has.
fn members(supervised: &Supervised, worker: &str) -> Vec<Row> {
    supervised.status().workers.into_iter().filter(|row| row.name == worker).collect()
}

/// Seen to fail without the stop side by side; the turn that others get after a few starts.
#[test]
fn a17_a_pool_of_500_starts_and_stops_side_by_side() {
    let manifest = [
        "[group.crowd]\nstrategy = \"pool\"\n",
        &worker("a", "group = \"crowd\"\ninstances = 500", "stop_after_ms = 100"),
    ];
    let mut supervised = run!(&manifest.concat());
    // Asked while they start: nobody waits for the last of them.
    supervised.journal().wait_for(0, "is ready");
    let stopwatch = Stopwatch::start();
    assert_eq!(members(&supervised, "a").len(), 500);
    stopwatch.assert_within(Duration::from_secs(3), "the answer to status");
    // The journal, not the status: asking for 500 rows again and again would slow them down.
    for some in (100..=500).step_by(100) {
        supervised.journal().wait_until(&format!("{some} members"), |lines| {
            (lines.iter().filter(|line| line.text.ends_with(" is ready")).count() >= some).then_some(())
        });
    }
    assert!(members(&supervised, "a").iter().all(|row| row.state == State::Ready && row.generation == 1));
    let stopwatch = Stopwatch::start();
    supervised.stop();
    // One after the other they would take 50 s at least.
    stopwatch.assert_within(Duration::from_secs(30), "the stop of 500 members, each of which takes 100 ms");
}

/// Seen to fail without the bound of its places.
#[test]
fn a18_a_pool_has_no_more_members_than_it_has_places_for_whatever_crashes() {
    let pool =
        worker("a", "group = \"crowd\"\ninstances = 1\nmax_children = 1\nbackoff = { first = \"2s\" }", "");
    let mut supervised = run!(&["[group.crowd]\nstrategy = \"pool\"\n", &pool].concat());
    lives(&supervised, ["a"], 1);
    kill(&supervised, "a");
    supervised.wait_for_state("a", State::Backoff);
    assert_eq!(scale(&supervised, "a", 2), Outcome::Refused);
    assert_eq!(scale(&supervised, "crowd", 1), Outcome::Done);
    let seen = lives(&supervised, ["a"], 2);
    assert_eq!(members(&supervised, "a").iter().map(|row| row.pid).collect::<Vec<_>>(), seen);
    assert_eq!(supervised.workers().len(), 1, "{:?}", supervised.workers());
    supervised.stop();
}

/// Seen to fail without the scaling of the pool.
#[test]
fn a18_a_pool_grows_and_shrinks_and_keeps_who_stays() {
    let pool = worker("a", "group = \"crowd\"\ninstances = 2\nmax_children = 4", "");
    let needs = worker("front", "needs = [\"a\"]", "");
    let mut supervised = run!(&["[group.crowd]\nstrategy = \"pool\"\n", &pool, &needs].concat());
    let first = lives(&supervised, ["a.1", "a.2"], 1);
    lives(&supervised, ["front"], 1);
    assert_eq!(scale(&supervised, "a", 4), Outcome::Done);
    lives(&supervised, ["a.1", "a.2", "a.3", "a.4"], 1);
    assert_eq!(scale(&supervised, "a", 1), Outcome::Done);
    supervised.journal().wait_until("one member", |_| (members(&supervised, "a").len() == 1).then_some(()));
    assert_eq!(lives(&supervised, ["a.1"], 1), first[..1]);
    // An order to all is an order to those that there are.
    supervised.order(Verb::Restart, "a");
    assert_eq!(members(&supervised, "a").len(), 1);
    assert_eq!(scale(&supervised, "a", 2), Outcome::Done);
    lives(&supervised, ["a.2"], 2);
    assert_eq!(scale(&supervised, "front", 2), Outcome::Refused, "it is no pool");
    supervised.stop();
}
