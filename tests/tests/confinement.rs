//! Workers of the runtime under keys that narrow their system calls: they live, and what is not in their list ends them.

use bailiwick_supervisor::control::{Cause, State};
use bailiwick_tests::harness::WITHOUT_ROOT;
use bailiwick_tests::run;
use bailiwick_wire::crash::End;
use nix::sys::signal::Signal;

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

/// Each crash is told as what it is, whether what is taken away is trapped or fails. Seen to fail without the handlers that
/// are called once at most: as a forbidden system call where it is trapped, as a hang where it fails.
#[test]
fn a_worker_that_cannot_change_its_handlers_dies_at_once_of_what_it_did() {
    for more in ["", ", system_call_error_number = \"EACCES\""] {
        for (way, signal) in [("segv", "SIGSEGV"), ("overflow", "SIGSEGV"), ("abort", "SIGABRT")] {
            let manifest = format!(
                "[worker.a]\nexec = \"tw\"\nbackoff = {{ first = \"1h\", base = \"1h\", cap = \"1h\" }}\n\
                sandbox = {{ system_call_filter = [\"~rt_sigaction\"]{more} }}\n\
                actor.life = {{ type = \"Life\", args = {{ die = \"{way}\" }} }}\n"
            );
            let mut supervised = run!(&manifest);
            let journal = supervised.journal().clone();
            let report = journal.wait_until("a report", |_| supervised.crashes("a").into_iter().next());
            let End::Signalled { signal: found, .. } = report.end else { panic!("{way} {more}: {report:?}") };
            assert_eq!(
                Signal::try_from(i32::from(found)).map(Signal::as_str),
                Ok(signal),
                "{way} {more}: {report:?}"
            );
            let told = report.last_lines.concat();
            assert_eq!(told.contains("has overflowed its stack"), way == "overflow", "{told}");
            supervised.stop();
        }
    }
}

/// What a worker with these keys reads of its control groups.
fn groups(around: &[&str], keys: &str) -> Vec<String> {
    let manifest = format!(
        "[worker.reader]\nkind = \"command\"\n\
        command = [\"/bin/sh\", \"-c\", \"cat /proc/self/cgroup; echo read; exec sleep 1000000\"]\n{keys}\n"
    );
    let mut supervised = run!(around, &manifest);
    supervised.journal().wait_for(0, "reader | read");
    let told = supervised.journal().wait_until("what it read", |lines| {
        let told = lines.iter().filter_map(|line| line.text.split_once("reader | "));
        Some(told.map(|(_, text)| text.to_owned()).filter(|text| text != "read").collect::<Vec<_>>())
    });
    supervised.stop();
    assert!(!told.is_empty(), "there is none");
    told
}

/// Control: what has no sandbox reads it. Seen to fail without a namespace of its own.
#[test]
fn who_starts_programs_does_not_learn_where_its_group_is_among_those_of_the_machine() {
    let is_root = nix::unistd::geteuid().is_root();
    let is_below = |group: &String| !group.ends_with(":/");
    if is_root {
        let open = groups(&[], "privileged = true\nsandbox.preset = \"none\"\n");
        assert!(open.iter().any(is_below), "{open:?}");
    }
    let modes: &[&[&str]] = if is_root { &[&[], &WITHOUT_ROOT] } else { &[&[]] };
    for around in modes {
        let own = groups(around, "sandbox.preset = \"exec\"\n");
        assert!(!own.iter().any(is_below), "{around:?}: {own:?}");
    }
}
