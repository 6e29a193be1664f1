//! The scenarios, each one transcript: named by what is expected, in the file of the same name.

use std::time::Duration;

use bailiwick_core::backoff::Backoff;
use bailiwick_core::child::{Changes, Child, State};
use bailiwick_core::exit::Exit;
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{
    Action, AutoShutdown, ChildConfig, ChildId, Config, ConfigError, Event, GroupConfig, GroupId,
    Incarnation, Kind, OnExhausted, Outdated, Reaction, Reactions, Restart, Strategy, Tree, Verb,
};

use super::replay;
use crate::observer::Observed;

pub(super) fn alone(child: ChildConfig) -> Config {
    all(vec![child])
}

pub(super) fn all(children: Vec<ChildConfig>) -> Config {
    Config { children, ..Config::default() }
}

pub(super) fn child() -> ChildConfig {
    let backoff = Backoff { jitter_permille: 0, ..Backoff::default() };
    ChildConfig { backoff, ..ChildConfig::default() }
}

fn of_type(restart: Restart) -> ChildConfig {
    ChildConfig { restart, ..child() }
}

pub(super) fn needing(needs: &[u16]) -> ChildConfig {
    ChildConfig { needs: needs.iter().copied().map(ChildId).collect(), ..child() }
}

pub(super) fn budget(max_restarts: u32, period_s: u64, on_exhausted: OnExhausted) -> GroupConfig {
    GroupConfig {
        max_restarts,
        period: Duration::from_secs(period_s),
        on_exhausted,
        ..GroupConfig::default()
    }
}

pub(super) fn within(group: GroupConfig, child: ChildConfig) -> Config {
    Config { groups: vec![group], ..alone(child) }
}

fn at_once() -> ChildConfig {
    let none = Duration::ZERO;
    ChildConfig { backoff: Backoff { base: none, ..child().backoff }, ..child() }
}

#[test]
fn a1_a_permanent_child_that_exits_cleanly_is_restarted() {
    replay("a1_permanent_exits_cleanly", alone(child()));
}

#[test]
fn a2_a_transient_child_that_exits_cleanly_is_done_and_can_be_started() {
    replay("a2_transient_exits_cleanly", alone(of_type(Restart::Transient)));
}

#[test]
fn a3_a_transient_child_that_fails_or_is_killed_is_restarted() {
    replay("a3_transient_fails", alone(of_type(Restart::Transient)));
}

#[test]
fn a4_a_transient_child_stopped_by_an_operator_stays_stopped() {
    replay("a4_transient_stopped", alone(of_type(Restart::Transient)));
}

#[test]
fn a5_a_temporary_child_that_crashes_is_not_restarted() {
    replay("a5_temporary_crashes", alone(of_type(Restart::Temporary)));
}

#[test]
fn a6_a_crash_restarts_only_the_child_that_crashed() {
    replay("a6_one_for_one", all(vec![child(), child(), child()]));
}

pub(super) fn serial(strategy: Strategy, children: Vec<ChildConfig>) -> Config {
    Config { groups: vec![GroupConfig { strategy, ..budget(1, 5, OnExhausted::Escalate) }], ..all(children) }
}

#[test]
fn a5_a_temporary_bystander_is_not_restarted() {
    let children = vec![child(), of_type(Restart::Temporary), child()];
    replay("a5_temporary_bystander", serial(Strategy::OneForAll, children));
}

#[test]
fn a7_one_incident_restarts_all_and_charges_once() {
    replay("a7_one_for_all", serial(Strategy::OneForAll, vec![child(); 4]));
}

#[test]
fn a8_those_after_the_failed_one_restart_with_it() {
    replay("a8_rest_for_one", serial(Strategy::RestForOne, vec![child(); 4]));
}

#[test]
fn a8_a_start_that_fails_during_a_restart_is_charged_again() {
    replay("a8_start_fails_again", serial(Strategy::RestForOne, vec![child(); 2]));
}

#[test]
fn a8_a_stop_by_an_operator_outlasts_the_restart_of_its_group() {
    replay("a8_stopped_bystander", serial(Strategy::OneForAll, vec![child(); 3]));
}

#[test]
fn a12_a_groups_end_restarts_what_comes_after_it_in_its_parent() {
    let inner = GroupConfig { parent: Some(GroupId(0)), ..budget(0, 5, OnExhausted::Escalate) };
    let in_inner = ChildConfig { group: GroupId(1), ..child() };
    let root = GroupConfig { strategy: Strategy::RestForOne, ..budget(1, 5, OnExhausted::Escalate) };
    let config = all(vec![child(), in_inner.clone(), in_inner, child()]);
    replay("a12_group_in_rest_for_one", Config { groups: vec![root, inner], ..config });
}

#[test]
fn a12_a_group_cools_down_or_is_given_up_by_its_parent() {
    for (on_exhausted, name) in
        [(OnExhausted::CoolDown, "a12_group_cools_down"), (OnExhausted::Fail, "a12_group_given_up")]
    {
        let inner = GroupConfig { parent: Some(GroupId(0)), ..budget(0, 5, OnExhausted::Escalate) };
        let in_inner = ChildConfig { group: GroupId(1), ..child() };
        let groups = vec![budget(0, 5, on_exhausted), inner];
        replay(name, Config { groups, ..all(vec![child(), in_inner.clone(), in_inner]) });
    }
}

fn significant(auto_shutdown: AutoShutdown) -> Config {
    let work = ChildConfig { group: GroupId(1), significant: true, ..of_type(Restart::Transient) };
    let help = ChildConfig { group: GroupId(1), ..child() };
    let inner = GroupConfig {
        parent: Some(GroupId(0)),
        auto_shutdown,
        strategy: Strategy::OneForAll,
        ..GroupConfig::default()
    };
    Config {
        groups: vec![GroupConfig::default(), inner],
        ..all(vec![help.clone(), work.clone(), help, work])
    }
}

#[test]
fn a13_the_end_of_any_significant_child_finishes_its_group() {
    replay("a13_any_significant", significant(AutoShutdown::AnySignificant));
}

#[test]
fn a14_a_group_lives_until_the_last_significant_child_has_ended() {
    replay("a14_all_significant", significant(AutoShutdown::AllSignificant));
}

#[test]
fn a13_a_significant_group_finishes_its_parent_and_so_the_root() {
    let mut config = significant(AutoShutdown::AnySignificant);
    config.groups[0].auto_shutdown = AutoShutdown::AnySignificant;
    config.groups[1].significant = true;
    config.children.insert(0, child());
    replay("a13_significant_group", config);
}

#[test]
fn a15_what_never_ends_for_good_cannot_be_significant() {
    let permanent = ChildConfig { significant: true, ..child() };
    let transient = ChildConfig { significant: true, ..of_type(Restart::Transient) };
    let any = GroupConfig { auto_shutdown: AutoShutdown::AnySignificant, ..GroupConfig::default() };
    let refused = Err(ConfigError::Significant(ChildId(0)));
    assert_eq!(Tree::new(within(any, permanent)).map(drop), refused);
    assert_eq!(Tree::new(alone(transient.clone())).map(drop), refused);
    assert_eq!(Tree::new(within(any, transient)).map(drop), Ok(()));
    let inner = GroupConfig { parent: Some(GroupId(0)), significant: true, ..GroupConfig::default() };
    let nested = Config { groups: vec![GroupConfig::default(), inner], ..Config::default() };
    assert_eq!(Tree::new(nested).map(drop), Err(ConfigError::SignificantGroup(GroupId(1))));
}

fn pool(places: usize, size: u16, child: ChildConfig) -> Config {
    let inner = GroupConfig {
        parent: Some(GroupId(0)),
        strategy: Strategy::Pool,
        size,
        ..budget(1, 5, OnExhausted::Escalate)
    };
    let groups = vec![GroupConfig::default(), inner];
    Config { groups, ..all(vec![ChildConfig { group: GroupId(1), ..child }; places]) }
}

#[test]
fn a17_a_pool_starts_and_stops_its_members_side_by_side() {
    let mut world = Observed::new(pool(500, 500, child()));
    let spawned = world.tell(Event::Boot);
    assert_eq!(spawned.iter().filter(|action| matches!(action, Action::Spawn(_))).count(), 500);
    (0..500).for_each(|n| drop(world.tell(Event::Ready(world.life(n)))));
    let stopped = world.tell(Event::ShutDown);
    assert_eq!(stopped.iter().filter(|action| matches!(action, Action::Drain(_))).count(), 500);
}

#[test]
fn a18_a_pool_never_has_more_members_than_places() {
    replay("a18_one_place", pool(1, 1, child()));
}

#[test]
fn a18_a_pool_is_scaled_up_and_down() {
    replay("a18_scale", pool(3, 1, child()));
}

#[test]
fn a10_a_budget_is_spent_at_its_limit_plus_one() {
    for (max, period, name) in
        [(1, 5, "a10_one_in_five_seconds"), (3, 2, "a10_three_in_two_seconds"), (0, 5, "a10_none")]
    {
        replay(name, within(budget(max, period, OnExhausted::Fail), at_once()));
    }
}

#[test]
fn a11_failures_620_ms_apart_never_spend_two_in_a_second() {
    replay("a11_sliding_window", within(budget(2, 1, OnExhausted::Fail), at_once()));
}

#[test]
fn a12_an_inner_group_escalates_to_the_outer_and_then_to_the_exit() {
    let inner = GroupConfig { parent: Some(GroupId(0)), ..budget(0, 5, OnExhausted::Escalate) };
    let in_inner = ChildConfig { group: GroupId(1), ..at_once() };
    let config = Config {
        groups: vec![budget(1, 5, OnExhausted::Escalate), inner],
        ..all(vec![child(), in_inner.clone(), ChildConfig { needs: vec![ChildId(1)], ..in_inner }])
    };
    replay("a12_nested_escalation", config);
}

#[test]
fn a12_a_group_that_starts_again_has_spent_nothing() {
    let inner = GroupConfig { parent: Some(GroupId(0)), ..budget(1, 60, OnExhausted::Escalate) };
    let at_once = Backoff { base: Duration::ZERO, cap: Duration::ZERO, ..child().backoff };
    let child = ChildConfig { group: GroupId(1), backoff: at_once, ..child() };
    let groups = vec![budget(1, 60, OnExhausted::Escalate), inner];
    replay("a12_fresh_budget", Config { groups, ..all(vec![child]) });
}

#[test]
fn a20_an_essential_child_that_cannot_be_started_at_boot_ends_everything_in_reverse() {
    let essential = ChildConfig { essential: true, ..needing(&[1]) };
    replay("a20_first_start_fails", all(vec![child(), needing(&[0]), essential, needing(&[2])]));
}

#[test]
fn b1_pauses_double_until_the_budget_is_spent() {
    replay("b1_backoff_grows", within(budget(5, 30, OnExhausted::Fail), child()));
}

#[test]
fn b1_a_spent_budget_cools_down_at_the_cap_for_ever() {
    replay("b1_cool_down", within(budget(1, 30, OnExhausted::CoolDown), child()));
}

#[test]
fn b3_a_child_that_was_stable_starts_again_at_once() {
    replay("b3_stable", alone(child()));
}

#[test]
fn b5_an_operator_ends_a_long_pause() {
    let day = Duration::from_secs(86_400);
    let backoff = Backoff { first: day, cap: day, ..child().backoff };
    replay("b5_start_during_backoff", alone(ChildConfig { backoff, ..child() }));
}

#[test]
fn b6_a_stop_during_a_pause_is_final() {
    let backoff = Backoff { first: Duration::from_secs(1), ..child().backoff };
    replay("b6_stop_during_backoff", alone(ChildConfig { backoff, ..child() }));
}

#[test]
fn b7_manual_restarts_charge_nothing() {
    let quick = ChildConfig { drain_timeout: Duration::ZERO, ..child() };
    replay("b7_manual_restarts", within(budget(1, 30, OnExhausted::Fail), quick));
}

#[test]
fn b9_exit_codes_that_forbid_a_restart_or_do_not_count() {
    replay("b9_exit_78", alone(child()));
    replay("b9_exit_75", within(budget(0, 30, OnExhausted::Fail), child()));
}

#[test]
fn c3_a_stop_signal_from_elsewhere_is_a_failure() {
    replay("c3_terminated_from_outside", alone(of_type(Restart::Transient)));
}

/// Looked at every second: a poll of 2 s is told, one of 10 s is ended.
fn watched() -> ChildConfig {
    let (stuck_after, liveness_timeout) = (Duration::from_secs(2), Duration::from_secs(10));
    ChildConfig { stuck_after, liveness_timeout, ..child() }
}

#[test]
fn c7_a_child_that_a_signal_stopped_is_killed_without_an_abort() {
    replay("c7_sigstopped", alone(watched()));
    replay("c7_sigstop_ignored", alone(ChildConfig { ignore_sigstop: true, ..watched() }));
}

#[test]
fn c8_a_child_that_is_continued_in_time_goes_on() {
    replay("c8_continued", alone(watched()));
}

#[test]
fn c9_a_stop_ends_a_child_that_a_signal_stopped() {
    replay("c9_stop_sigstopped", alone(watched()));
}

#[test]
fn c10_a_poll_without_end_is_told_then_aborted_then_killed() {
    replay("c10_hung", alone(watched()));
    replay("c10_aborts", alone(watched()));
}

#[test]
fn c10_a_poll_that_ends_in_time_is_forgotten() {
    replay("c10_busy_but_alive", alone(watched()));
}

#[test]
fn c14_no_time_counts_while_a_debugger_is_attached() {
    replay("c14_traced", alone(watched()));
}

#[test]
fn d2_a_start_may_be_extended_and_then_fails() {
    replay("d2_extended", alone(child()));
}

#[test]
fn d16_unready_moves_the_routes_and_restarts_nothing() {
    replay("d16_flapping", alone(child()));
}

#[test]
fn a21_a_child_with_nothing_to_do_is_done_and_its_dependents_start() {
    replay("a21_skipped", all(vec![child(), needing(&[0])]));
}

#[test]
fn g6_a_reload_ends_with_ready_or_in_time() {
    replay("g6_reload", alone(child()));
}

#[test]
fn g7_a_child_that_refuses_a_reload_goes_on_as_it_was() {
    replay("g7_refused", alone(child()));
}

#[test]
fn g2_a_child_whose_terms_need_a_new_life_is_restarted_unless_it_is_stopped() {
    replay("g2_renew", alone(child()));
}

#[test]
fn g2_a_child_that_declines_a_reload_is_restarted_in_order() {
    replay("g2_declined", alone(child()));
    replay("g2_declined_at_the_stop", all(vec![child(), needing(&[0])]));
}

#[test]
fn g9_a_changed_executable_is_shown_until_an_operator_takes_it_up() {
    let mut world = Observed::new(alone(child()));
    let changes = |world: &Observed| world.tree.child(ChildId(0)).map(Child::outdated);
    world.tell(Event::Boot);
    world.tell(Event::Ready(world.life(0)));
    for what in [Outdated::Binary, Outdated::Config] {
        world.tell(Event::Outdated { child: ChildId(0), what });
    }
    assert_eq!(changes(&world), Some(Changes { config: true, binary: true }));
    world.tell(Event::Exited { of: world.life(0), exit: Exit::Signal(9) });
    world.tell(Event::Emptied { of: world.life(0), chance: 0 });
    // A restart by itself has the new configuration and the old executable.
    assert_eq!(changes(&world), Some(Changes { config: false, binary: true }));
    world.tell(Event::Operator { verb: Verb::Restart, child: ChildId(0) });
    assert_eq!(changes(&world), Some(Changes { config: false, binary: false }));
}

#[test]
fn c16_a_child_out_of_memory_is_restarted_or_given_up() {
    replay("c16_oom", alone(child()));
    let on = Reactions { oom: Reaction::Stop, ..Reactions::default() };
    replay("c16_oom_stops", alone(ChildConfig { on, ..child() }));
}

#[test]
fn c19_offences_have_a_budget_that_no_stable_period_fills() {
    replay("c19_offences", alone(ChildConfig { max_offences: 2, ..child() }));
    let offender = ChildConfig { max_offences: 0, ..child() };
    replay("c19_offence_of_a_bystander", serial(Strategy::OneForAll, vec![child(), offender]));
}

#[test]
fn a_start_by_order_starts_what_is_needed() {
    replay("start_needs", all(vec![child(), needing(&[0]), needing(&[1])]));
}

#[test]
fn an_order_to_drain_waits_as_long_as_it_takes() {
    replay("drain_fully", alone(child()));
}

#[test]
fn an_order_to_kill_leaves_the_child_stopped() {
    replay("kill", alone(child()));
}

#[test]
fn a_reset_forgets_failures_offences_and_what_the_group_has_spent() {
    replay("reset", within(budget(1, 60, OnExhausted::Fail), ChildConfig { max_offences: 1, ..child() }));
}

#[test]
fn g1_what_is_added_starts_and_what_is_removed_stops() {
    let mut world = Observed::new(all(vec![child(), child()]));
    world.tell(Event::Boot);
    let added = ChildConfig { position: 0, ..child() };
    world.adopt(all(vec![child(), child(), added]));
    assert_eq!(world.tell(Event::Tick), []);
    assert_eq!(
        world.tell(Event::Operator { verb: Verb::Start, child: ChildId(2) }),
        [Action::Spawn(Incarnation { child: ChildId(2), generation: 1 })]
    );
    world.tell(Event::Operator { verb: Verb::Remove, child: ChildId(0) });
    world.tell(Event::Exited { of: world.life(0), exit: Exit::Signal(9) });
    world.tell(Event::Emptied { of: world.life(0), chance: 0 });
    assert_eq!(
        world.tree.child(ChildId(0)).map(|child| (child.state(), child.is_removed())),
        Some((State::Stopped, true))
    );
    assert_eq!(world.tell(Event::Boot), []);
    assert_eq!(world.tell(Event::Operator { verb: Verb::Restart, child: ChildId(0) }), []);
    // The place is free for another, whose lives go on counting.
    assert_eq!(
        world.tell(Event::Operator { verb: Verb::Start, child: ChildId(0) }),
        [Action::Spawn(Incarnation { child: ChildId(0), generation: 2 })]
    );
}

#[test]
fn a_pool_does_not_count_the_places_that_are_gone_and_takes_back_those_that_return() {
    let crowd = GroupId(1);
    let mut world = Observed::new(pool(4, 3, child()));
    world.tell(Event::Boot);
    (0..3).for_each(|n| drop(world.tell(Event::Ready(world.life(n)))));
    let mut fewer = pool(4, 1, child());
    for gone in &mut fewer.children[2..] {
        *gone = gone.clone().parting();
    }
    world.adopt(fewer.clone());
    assert_eq!((world.tree.pool_places(crowd), world.tree.pool_size(crowd)), (Some(2), Some(2)));
    assert_eq!(
        (0..4).map(|n| world.tree.is_member(ChildId(n))).collect::<Vec<_>>(),
        [true, true, false, false]
    );
    for gone in [2, 3] {
        world.tell(Event::Operator { verb: Verb::Remove, child: ChildId(gone) });
    }
    assert_eq!(world.tell(Event::Scale { group: crowd, size: 3 }), [], "there are two places");
    // One returns while it stops, the other after it has never run.
    world.adopt(pool(4, 1, child()));
    assert_eq!(world.tree.pool_places(crowd), Some(4));
    world.tell(Event::Scale { group: crowd, size: 4 });
    assert_eq!(world.life(3).generation, 1);
    world.tell(Event::Drained(world.life(2)));
    world.tell(Event::Exited { of: world.life(2), exit: Exit::Signal(15) });
    world.tell(Event::Emptied { of: world.life(2), chance: 0 });
    assert_eq!(world.life(2).generation, 2);
    assert!(world.tree.children().iter().all(|child| !child.is_removed()));
}

#[test]
fn a_pool_takes_its_places_in_the_order_of_the_manifest_wherever_they_stand() {
    let mut config = pool(3, 2, child());
    for (child, position) in config.children.iter_mut().zip([2, 0, 1]) {
        child.position = position;
    }
    let mut world = Observed::new(config);
    world.tell(Event::Boot);
    assert_eq!([0, 1, 2].map(|n| world.life(n).generation), [0, 1, 1]);
}

#[test]
fn g2_a_hot_key_holds_from_the_next_time_it_is_asked_for() {
    let mut world = Observed::new(alone(child()));
    world.tell(Event::Boot);
    world.tell(Event::Ready(world.life(0)));
    let hasty = ChildConfig { drain_timeout: Duration::from_millis(7), ..child() };
    world.adopt(alone(hasty));
    world.tell(Event::Operator { verb: Verb::Stop, child: ChildId(0) });
    assert_eq!(world.tree.deadline(), Some(Instant::from_nanos(7_000_000)));
}

#[test]
fn g3_a_configuration_that_is_refused_changes_nothing() {
    let inner = GroupConfig { parent: Some(GroupId(0)), ..GroupConfig::default() };
    let two = Config { groups: vec![GroupConfig::default(), inner], ..all(vec![child(), needing(&[0])]) };
    let mut tree = Tree::new(two.clone()).expect("two children");
    let before = tree.clone();
    let moved = ChildConfig { group: GroupId(1), ..needing(&[0]) };
    let with = |children| Config { children, ..two.clone() };
    for (config, error) in [
        (with(vec![child()]), ConfigError::Fewer),
        (all(vec![child(), needing(&[0])]), ConfigError::Fewer),
        (with(vec![child(), moved]), ConfigError::Moved(ChildId(1))),
        (with(vec![needing(&[1]), needing(&[0])]), ConfigError::Cycle(vec![ChildId(0), ChildId(1)])),
    ] {
        assert_eq!(tree.adopt(config), Err(error));
        assert_eq!(tree, before);
    }
}

#[test]
fn b3_a_child_may_say_itself_that_it_runs_well() {
    replay("b3_settled", alone(child()));
}

#[test]
fn the_supervisors_own_lag_accuses_nobody_once() {
    replay("lag_start", alone(child()));
    replay("lag_liveness", alone(watched()));
    replay("lag_unseen", alone(watched()));
    let total = Config { shutdown_timeout: Duration::from_secs(15), ..alone(child()) };
    replay("lag_shutdown", total);
}

#[test]
fn d1_a_child_that_is_never_ready_is_stopped_killed_and_counted() {
    replay("d1_never_ready", alone(child()));
}

#[test]
fn d3_a_process_that_cannot_be_made_is_tried_again_and_counted() {
    replay("d3_spawn_fails", within(budget(1, 30, OnExhausted::Fail), child()));
}

#[test]
fn d6_a_clean_exit_before_ready_is_a_failed_start_except_for_a_oneshot() {
    replay("d6_exits_before_ready", alone(of_type(Restart::Transient)));
    let oneshot = ChildConfig { kind: Kind::Oneshot, ..child() };
    replay("d6_oneshot", all(vec![oneshot, needing(&[0])]));
}

#[test]
fn d7_a_child_waits_for_what_it_needs_and_is_given_up_with_it() {
    replay("d7_dependency_given_up", all(vec![child(), needing(&[0]), needing(&[1])]));
}

#[test]
fn what_is_wanted_is_waited_for_and_not_needed() {
    let wanting = ChildConfig { wants: vec![ChildId(0)], ..child() };
    replay("d7_wants", all(vec![of_type(Restart::Temporary), wanting]));
}

#[test]
fn who_comes_after_another_starts_later_and_stops_earlier() {
    let after = ChildConfig { after: vec![ChildId(0)], ..child() };
    replay("d7_after", all(vec![child(), after]));
}

#[test]
fn f2_a_child_that_ignores_the_stop_signal_is_killed() {
    replay("f2_ignores_the_stop_signal", alone(child()));
}

#[test]
fn f6_a_crash_while_everything_stops_is_not_answered() {
    replay("f6_crash_during_shutdown", all(vec![child(), needing(&[0])]));
}

#[test]
fn f8_a_level_stops_only_when_the_level_above_is_gone() {
    replay("f8_level_by_level", all(vec![child(), needing(&[0]), needing(&[0])]));
}

#[test]
fn f11_the_total_is_kept_whatever_the_parts_add_up_to() {
    let slow = ChildConfig { stop_timeout: Duration::from_secs(60), ..child() };
    let config = all(vec![slow.clone(), ChildConfig { needs: vec![ChildId(0)], ..slow }]);
    replay("f11_total", Config { shutdown_timeout: Duration::from_secs(15), ..config });
}

#[test]
fn f12_each_further_signal_hastens_the_stop() {
    replay("f12_three_signals", all(vec![child(), needing(&[0])]));
}

#[test]
fn f13_a_stop_may_be_brutal_or_take_for_ever() {
    let brutal = ChildConfig { stop_timeout: Duration::ZERO, drain_timeout: Duration::ZERO, ..child() };
    let patient = ChildConfig { stop_timeout: Duration::MAX, ..child() };
    replay("f13_brutal_and_patient", all(vec![brutal, patient]));
}

#[test]
fn f14_a_failure_while_stopping_is_recorded_and_nothing_else() {
    replay("f14_exits_1_while_stopping", alone(child()));
}

#[test]
fn main_ends_everything() {
    let main = ChildConfig { kind: Kind::Main, ..needing(&[0]) };
    replay("main_succeeds", all(vec![child(), main.clone()]));
    replay("main_reports_an_error", all(vec![child(), main.clone()]));
    replay(
        "main_crashes",
        Config { groups: vec![budget(0, 30, OnExhausted::Fail)], ..all(vec![child(), main]) },
    );
}

#[test]
fn a_violation_kills_once_and_counts_as_a_failure() {
    replay("violation", alone(child()));
}

#[test]
fn what_cannot_be_killed_keeps_its_place() {
    replay("unkillable", alone(child()));
}

#[test]
fn j1_a_life_that_is_spent_is_replaced_and_charges_nothing() {
    let disposable = ChildConfig { disposable: true, ..child() };
    replay("j_spent", within(budget(1, 30, OnExhausted::Fail), disposable));
}

#[test]
fn j1_who_may_take_any_number_of_messages_is_never_spent() {
    replay("j_never_spent", alone(child()));
}

#[test]
fn j2_lives_that_begin_together_do_not_grow_old_together() {
    let old = ChildConfig { max_age: Duration::from_secs(100), ..child() };
    replay("j_age", all(vec![old.clone(), old]));
}

#[test]
fn j3_what_starts_on_demand_starts_for_a_message_and_sleeps_when_idle() {
    let on_demand = ChildConfig { on_demand: true, ..child() };
    replay("j_demand", all(vec![on_demand, needing(&[0])]));
}

#[test]
fn j4_a_spare_takes_the_place_of_a_life_that_ended() {
    replay("j_spare", alone(ChildConfig { spare: true, disposable: true, ..child() }));
}

#[test]
fn j5_a_spare_that_ends_by_itself_charges_nothing() {
    let spared = ChildConfig { spare: true, ..child() };
    replay("j_spare_lost", within(budget(0, 30, OnExhausted::Fail), spared));
}
