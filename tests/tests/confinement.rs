//! Workers of the runtime under keys that narrow their system calls: they live, and what is not in their list ends them.

use bailiwick_supervisor::control::{Cause, State};
use bailiwick_tests::run;

/// A pilot that asks a probe, both with the keys that are given.
fn system(keys: &str) -> String {
    format!(
        r#"
[worker.probe]
exec = "tw"
sandbox = {{ {keys} }}
actor.life = {{ type = "Life", args = {{}} }}
[worker.pilot]
exec = "tw"
sandbox = {{ {keys} }}
actor.flight = {{ type = "Pilot", args = {{ target = "probe" }} }}
[[grant]]
from = "pilot"
to = "probe"
"#
    )
}

#[test]
fn workers_live_under_the_tightest_keys() {
    let keys = "system_call_filter = [\"@rt\"], system_call_error_number = \"kill\", \
                restrict_address_families = \"none\", restrict_suid_sgid = true, memory_deny_write_execute = true, \
                memfd_no_exec = true, restrict_namespaces = true, system_call_architectures = \"native\"";
    let mut supervised = run!(&system(keys));
    supervised.journal().wait_until("answers", |lines| {
        (lines.iter().filter(|line| line.text.contains("of probe ok")).count() >= 20).then_some(())
    });
    for worker in ["probe", "pilot"] {
        let row = supervised.worker(worker);
        assert_eq!((row.generation, row.state), (1, State::Ready), "{worker}: {}", supervised.journal());
    }
    supervised.stop();
}

#[test]
fn a_call_that_was_taken_away_ends_the_worker_and_is_named() {
    let keys = "system_call_filter = [\"~epoll_wait\", \"~epoll_pwait\", \"~epoll_pwait2\"], system_call_error_number = \"kill\"";
    let mut supervised = run!(&system(keys));
    let row = supervised.wait_for_worker("probe", "killed", |row| (row.generation > 1).then(|| row.clone()));
    assert_eq!(row.last_cause, Some(Cause::ForbiddenSyscall), "{}", supervised.journal());
    supervised.stop();
}
