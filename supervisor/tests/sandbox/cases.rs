//! What must hold.

mod confinement;
mod floor;
mod handover;
mod identity;
mod limits;
mod nest;
mod reach;
mod start;
mod tree;
mod view;
mod view_keys;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Holds for every user.
    Nothing,
    /// Speaks of what only root can do.
    Root,
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) needs: Needs,
    pub(crate) run: fn(),
}

macro_rules! cases {
    ($($needs:ident $module:ident::$name:ident,)*) => {
        &[$(Case { name: stringify!($name), needs: Needs::$needs, run: $module::$name }),*]
    };
}

/// Supervisors that a case starts beside itself, to kill them.
pub(crate) const SCENES: &[Case] = cases![
    Nothing tree::a_supervisor_waits_with_runaways,
    Nothing tree::a_supervisor_waits_with_runaways_of_a_shared_user,
    Nothing tree::a_supervisor_waits_with_a_sealed_worker,
    Nothing nest::a_supervisor_waits_with_runaways_in_a_nest,
    Root view::cost,
];

pub(crate) const CASES: &[Case] = cases![
    Nothing start::a_worker_holds_exactly_its_descriptors_and_environment,
    Nothing start::a_worker_leads_a_session_of_its_own_and_starts_in_its_folder,
    Nothing start::a_worker_dies_with_its_start_when_nobody_wants_it_any_more,
    Nothing start::a_process_with_threads_starts_nobody,
    Nothing start::an_errand_that_tells_of_its_result_holds_nobody_up,
    Nothing start::a_snapshot_tells_how_a_process_and_its_threads_stand,
    Nothing start::a_snapshot_of_nobody_says_so_and_ends,
    Nothing start::what_cannot_be_prepared_is_refused_with_the_reason,
    Root start::a_step_that_fails_is_named,
    Nothing floor::k1_each_mechanism_that_is_missing_refuses_the_start_or_is_told,
    Nothing floor::what_is_there_is_not_told_as_missing,
    Nothing identity::a_sealed_worker_holds_no_privilege,
    Nothing identity::the_second_stage_closes_inspection_and_adds_one_filter,
    Root identity::each_worker_has_a_user_of_its_own_and_gets_it_again,
    Root identity::a_granted_capability_is_kept_and_nothing_else,
    Root identity::a_worker_runs_as_the_owner_of_what_it_is_granted,
    Root identity::a_worker_is_in_the_groups_that_it_is_given_and_in_no_other,
    Nothing identity::groups_that_nobody_may_give_are_refused,
    Nothing identity::a_worker_finds_its_own_keys_or_those_of_whoever_started_it,
    Nothing identity::a_keyring_that_is_asked_for_and_cannot_be_had_refuses_the_start,
    Root identity::workers_users_come_from_the_range_that_is_set_aside,
    Root identity::uid_0_needs_to_be_privileged,
    Nothing reach::landlock_leaves_what_is_granted,
    Root reach::a_grant_that_owner_and_mode_make_void_is_told,
    Root handover::an_empty_folder_of_roots_is_given_to_the_worker_that_is_granted_to_write_it,
    Root handover::a_folder_of_roots_that_holds_something_stays_roots,
    Root handover::a_folder_at_the_root_of_the_file_system_stays_roots,
    Root handover::two_workers_do_not_share_a_user_by_way_of_a_folder,
    Nothing reach::ports_are_open_as_granted,
    Nothing reach::nobody_outside_can_be_signalled,
    Nothing reach::a_sealed_worker_neither_executes_nor_forks_but_has_threads,
    Nothing reach::a_never_legal_call_kills,
    Nothing reach::no_socket_makes_who_closes_it_wait,
    Nothing reach::a_worker_of_preset_exec_runs_programs,
    Root reach::a_granted_folder_below_a_closed_one_is_reached_by_its_descriptor,
    Nothing confinement::a_list_of_its_own_says_what_a_worker_calls,
    Nothing confinement::what_becomes_of_a_denied_call_is_chosen,
    Nothing confinement::what_a_program_is_started_with_can_be_taken_away_from_it,
    Nothing confinement::sockets_are_of_the_families_that_are_listed,
    Nothing confinement::udp_ports_are_bound_by_whoever_may,
    Nothing confinement::a_user_namespace_is_made_by_whoever_is_let,
    Nothing confinement::code_is_not_made_at_run_time_unless_that_is_said,
    Nothing confinement::memory_files_are_never_executable_where_that_is_said,
    Nothing confinement::no_file_changes_who_runs_it,
    Nothing confinement::programs_are_executed_where_that_is_said,
    Nothing confinement::who_may_be_looked_into_is_said,
    Root confinement::a_worker_without_a_sandbox_can_renounce_privileges,
    Nothing confinement::a_filter_is_put_on_every_thread,
    Root confinement::the_log_of_the_kernel_tells_of_chosen_calls,
    Nothing limits::memory_beyond_the_limit_costs_the_worker_its_life,
    Nothing limits::limits_are_what_is_declared,
    Nothing limits::a_sandboxed_worker_has_limits_of_every_kind_where_none_is_declared,
    Nothing limits::each_declared_limit_is_set_hard,
    Nothing limits::a_file_grows_as_far_as_the_limit,
    Nothing limits::memory_is_locked_and_reserved_as_far_as_the_limits,
    Nothing limits::processor_time_is_used_as_far_as_the_limit,
    Nothing limits::memory_files_count_as_memory_where_a_group_bounds_it,
    Nothing limits::processors_are_shared_out_as_declared,
    Nothing limits::a_share_that_cannot_be_had_is_refused_or_told,
    Nothing limits::a_bound_on_tasks_that_cannot_hold_is_refused,
    Nothing limits::tasks_beyond_the_limit_are_refused,
    Nothing nest::who_may_fork_is_the_second_process_of_its_namespace,
    Nothing nest::an_end_is_told_as_what_it_is_from_within_a_namespace,
    Nothing nest::from_within_a_namespace_nobody_else_can_be_named,
    Nothing nest::who_is_in_a_namespace_of_users_makes_no_other_and_holds_nothing_in_it,
    Nothing nest::all_that_was_started_in_a_nest_ends_with_it,
    Nothing nest::a_killed_supervisor_leaves_nobody_in_a_nest,
    Nothing nest::the_first_process_of_a_namespace_has_no_power_and_one_descriptor,
    Nothing nest::a_start_that_fails_leaves_no_namespace,
    Nothing nest::a_worker_is_no_operator_of_a_supervisor_of_its_own_user,
    Nothing nest::what_the_machine_refuses_is_told_or_refuses_the_start,
    Root tree::grandchildren_in_sessions_of_their_own_are_killed,
    Root tree::a_killed_supervisor_leaves_nobody,
    Nothing tree::a_worker_that_cannot_fork_dies_with_its_supervisor,
    Root tree::the_guardian_is_replaced_when_it_dies,
    Nothing view::a_worker_sees_what_it_is_granted_and_nothing_else,
    Nothing view::what_lies_in_another_grant_has_its_own_terms,
    Nothing view::a_worker_shares_neither_network_nor_memory_nor_the_hosts_name,
    Nothing view::an_abstract_socket_of_the_host_is_not_there,
    Nothing view::shared_memory_and_the_name_of_the_host_are_not_the_hosts,
    Nothing view::without_namespaces_the_floor_stands_and_a_key_that_is_written_refuses,
    Nothing view::a_start_leaves_no_mount_behind,
    Nothing view::who_starts_programs_has_a_proc_of_its_own_processes,
    Nothing view::without_a_namespace_of_users_there_is_no_view_for_who_is_not_root,
    Nothing view::a_tmp_of_its_own_is_bounded_and_empty_for_each_life,
    Nothing view::what_is_inaccessible_is_covered,
    Nothing view_keys::folders_in_memory_are_bounded_and_empty_for_each_life,
    Nothing view_keys::a_path_is_seen_under_another_name,
    Nothing view_keys::another_folder_is_seen_as_the_root,
    Nothing view_keys::devices_are_used_where_that_is_said,
    Root view_keys::the_system_is_not_written_below_what_may_be_written,
    Root view_keys::homes_below_what_is_granted_are_hidden_or_not_written,
    Root view_keys::what_landlock_keeps_inside_is_chosen,
    Root view_keys::a_proc_tells_of_its_own_processes_unless_more_is_said,
];
