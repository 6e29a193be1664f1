//! C. Deaths, and what is said of them: who ended a worker, by what, and what follows.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use bailiwick_supervisor::control::{Cause, GivenUp, MemoryMechanism, State, Verb};
use bailiwick_sys::system_call;
use bailiwick_tests::harness::{Stopwatch, Supervised, needs_root};
use bailiwick_tests::run;
use bailiwick_wire::crash::{End, Report};
use nix::sys::signal::Signal;

use crate::support::{plain, worker};

/// A worker that dies in this way as soon as it is ready, and then rests.
fn dies(name: &str, keys: &str, how: &str) -> String {
    let rests = format!("{keys}\nbackoff = {{ first = \"20s\", cap = \"30s\" }}");
    worker(name, &rests, &format!("die = \"{how}\""))
}

/// Returns the report on the first life of `a`.
#[track_caller]
fn first_report(supervised: &Supervised) -> Report {
    supervised.wait_for_crash("a", 1)
}

/// Returns how many processes a user has.
fn processes_of(uid: u32) -> usize {
    let entries = std::fs::read_dir("/proc").expect("it is there").flatten();
    entries.filter(|entry| entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == uid)).count()
}

fn sent(report: &Report) -> Vec<i32> {
    report.sent.iter().map(|sent| sent.signal.into()).collect()
}

/// Seen to fail without the difference of a foreign SIGKILL from ours; the first pause, which is none.
#[test]
fn c1_a_kill_from_elsewhere_is_told_from_ours_and_answered_at_once() {
    let mut supervised = run!(&plain("a"));
    let pid = supervised.wait_for_life("a", 1).pid;
    let stopwatch = Stopwatch::start();
    supervised.pid("a").signal(Signal::SIGKILL);
    let again = supervised.wait_for_life("a", 2);
    stopwatch.assert_within(Duration::from_millis(300), "the replacement of a");
    assert_ne!(again.pid, pid);
    let report = first_report(&supervised);
    assert_eq!(report.cause.to_string(), "SIGKILL from outside");
    assert_eq!((report.end, report.pid), (End::Signalled { signal: 9, core: false }, pid));
    assert!(report.sent.is_empty(), "{:?}", report.sent);
    assert_eq!((report.last_state.as_str(), report.worker.as_str(), report.instance), ("ready", "a", 1));
    assert_eq!(
        (report.decision.action.as_str(), report.decision.detail.as_str()),
        ("restart", "restarts now")
    );
    assert_eq!(report.decision.pause.map(|pause| pause.delay), Some(Duration::ZERO));
    assert_eq!((report.budget.charged, report.budget.left), (true, report.budget.max - 1));
    let lived = report.ended.monotonic_ns - report.began.monotonic_ns;
    let ready_for = report.ready_for.map(|ready| ready.as_nanos());
    assert!(ready_for.is_some_and(|ready| ready <= lived.into()), "{ready_for:?} of {lived}");
    assert!(report.usage.peak_memory_bytes > 1 << 20, "{:?}", report.usage);
    supervised.journal().wait_for(0, "a#1 ended after");
    supervised.stop();
}

/// Seen to fail without the note of what it was at; the build id that it leaves.
#[test]
fn c2_a_crash_says_its_signal_that_no_core_was_written_and_which_build_it_was() {
    let mut supervised = run!(&dies("a", "", "segv"));
    let report = first_report(&supervised);
    assert_eq!((report.cause, report.end), (Cause::Signal(11), End::Signalled { signal: 11, core: false }));
    let (build_id, executable) = (report.last_words.build_id, std::fs::read(supervised.path().join("tw")));
    let head = &executable.expect("it is executable")[..8 << 10];
    assert!(build_id.len() == 20 && head.windows(20).any(|bytes| bytes == build_id), "{build_id:x?}");
    let at_work = report.at_work.expect("it died in a handler");
    assert_eq!((at_work.actor.as_str(), at_work.method.rsplit('.').next()), ("life", Some("die")));
    supervised.stop();
}

/// Seen to fail without the note of the thread in which the process ends.
#[test]
fn c2_a_crash_on_one_thread_is_not_told_of_who_is_busy_on_another() {
    let busy = worker("a", "threads = 2", "spin_ms = 600_000");
    for how in ["segv", "forbidden"] {
        let dies =
            format!("actor.other = {{ type = \"Life\", args = {{ die = \"{how}\", after_ms = 300 }} }}\n");
        let mut supervised = run!(&[busy.as_str(), &dies].concat());
        let at_work = first_report(&supervised).at_work.expect("it died in a handler");
        assert_eq!((at_work.actor.as_str(), at_work.method.as_str()), ("other", "Probe.die"), "{how}");
        supervised.stop();
    }
}

/// Seen to fail without the difference of a foreign stop signal from ours; the restart after a transient worker's
/// failure.
#[test]
fn c3_a_stop_signal_from_elsewhere_is_a_failure() {
    let mut supervised = run!(&worker("a", "restart = \"transient\"", ""));
    supervised.wait_for_life("a", 1);
    supervised.pid("a").signal(Signal::SIGTERM);
    assert_eq!(supervised.wait_for_life("a", 2).last_cause, Some(Cause::Signal(15)));
    let report = first_report(&supervised);
    assert_eq!((report.cause.to_string().as_str(), sent(&report)), ("SIGTERM from outside", vec![]));
    supervised.stop();
}

/// Seen to fail without the exception of ordered stops from the reports.
#[test]
fn c3_a_stop_that_we_ordered_is_no_crash_and_one_that_was_not_heeded_is() {
    let keys = "stop_timeout = \"100ms\"\ndrain_timeout = \"50ms\"";
    let mut supervised = run!(&[plain("good"), worker("a", keys, "stubborn = true")].concat());
    supervised.wait_for_life("good", 1);
    supervised.wait_for_life("a", 1);
    supervised.order(Verb::Stop, "good");
    assert_eq!(supervised.crashes("good"), []);
    supervised.order(Verb::Stop, "a");
    let report = first_report(&supervised);
    assert_eq!((sent(&report), report.last_state.as_str()), (vec![15, 18, 9], "killing"));
    assert_eq!((report.cause, report.end), (Cause::StopTimeout, End::Signalled { signal: 9, core: false }));
    assert_eq!(report.decision.action, "stop");
    supervised.stop();
}

/// Seen to fail without the catching of panics.
#[test]
fn c4_an_actors_panic_restarts_the_actor_and_not_its_process() {
    let mut supervised = run!(&worker("a", "", "die = \"panic\", after_ms = 100"));
    let before = supervised.wait_for_life("a", 1);
    supervised.journal().wait_for(0, "tests/src/fixture/death.rs:");
    supervised.journal().wait_for(0, "told to panic");
    supervised.journal().wait_for(0, "the actor a/life#1 restarts in");
    let after = supervised.worker("a");
    assert_eq!((after.pid, after.generation, after.restarts), (before.pid, 1, 0));
    supervised.stop();
}

/// Seen to fail without the last lines in the report; the catching of panics; the chain that it leaves.
#[test]
fn c4_an_actor_that_panics_for_ever_ends_its_worker_with_the_whole_chain() {
    let keys = "backoff = { first = \"20s\", cap = \"30s\" }";
    let mut supervised = run!(&worker("a", keys, "child_panics = true"));
    let report = first_report(&supervised);
    assert_eq!((report.cause, report.end), (Cause::Exit(81), End::Exited { code: 81 }));
    let panic = report.last_words.panic.expect("an actor panicked");
    assert_eq!((panic.message.as_str(), panic.thread.as_str()), ("told to panic", "main"));
    assert!(panic.location.starts_with("tests/src/fixture/death.rs:"), "{}", panic.location);
    assert!(panic.actor.starts_with("a/life/frail"), "{}", panic.actor);
    assert!(panic.count > 1, "{}", panic.count);
    let chain = report.last_words.gave_up.expect("an actor gave up").chain;
    assert_eq!(chain.len(), 2, "{chain:?}");
    assert!(chain[0].actor.starts_with("a/life#"), "{chain:?}");
    assert!(chain[1].actor.starts_with("a/life/frail"), "{chain:?}");
    assert!(chain[1].why.contains("told to panic") && chain[1].why.contains("death.rs:"), "{chain:?}");
    let lines = report.last_lines;
    assert!(lines.iter().any(|line| line.contains("gave up")), "{lines:?}");
    supervised.stop();
}

/// Seen to fail without the last lines in the report.
#[test]
fn c5_an_abort_and_a_panic_in_main_are_told_apart() {
    let rests = "backoff = { first = \"20s\", cap = \"30s\" }";
    let panics = worker("b", &format!("{rests}\nenvironment = {{ TW_PANIC = \"before all\" }}"), "");
    let mut supervised = run!(&[dies("a", "", "abort"), panics].concat());
    let report = first_report(&supervised);
    assert_eq!((report.cause, report.end), (Cause::Signal(6), End::Signalled { signal: 6, core: false }));
    let report = supervised.wait_for_crash("b", 1);
    assert_eq!((report.cause, report.end), (Cause::Exit(101), End::Exited { code: 101 }));
    assert_eq!((report.last_state.as_str(), report.ready_for), ("starting", None));
    assert!(report.last_lines.iter().any(|line| line.contains("before all")), "{:?}", report.last_lines);
    supervised.stop();
}

/// Seen to fail without the count of kills for memory as a cause; the count of kills for memory.
#[test]
fn c16_a_worker_over_its_memory_is_restarted_with_the_true_cause() {
    if needs_root("control groups that bound memory are made by root") {
        return;
    }
    let mut supervised = run!(&dies("a", "sandbox.memory_max = \"32M\"", "alloc"));
    let report = first_report(&supervised);
    assert_eq!((report.cause, report.end), (Cause::OutOfMemory, End::Signalled { signal: 9, core: false }));
    assert_eq!((report.counters.oom_kills, report.counters.memory_max_bytes), (Some(1), Some(32 << 20)));
    assert!(report.counters.memory_peak_bytes.is_some_and(|peak| peak > 30 << 20), "{:?}", report.counters);
    assert_eq!(report.decision.action, "restart");
    supervised.journal().wait_for(0, "out of memory");
    // The next life is not blamed for the last one's memory.
    supervised.order(Verb::Stop, "a");
    supervised.stop();
}

/// Seen to fail without the look at the count of kills for memory.
#[test]
fn c16_a_worker_over_its_memory_is_given_up_where_its_terms_say_so() {
    if needs_root("control groups that bound memory are made by root") {
        return;
    }
    let mut supervised = run!(&dies("a", "sandbox.memory_max = \"32M\"\non = { oom = \"stop\" }", "alloc"));
    let report = first_report(&supervised);
    assert_eq!((report.cause, report.decision.action.as_str()), (Cause::OutOfMemory, "give_up"));
    let row = supervised.wait_for_state("a", State::Failed);
    assert_eq!((row.generation, row.given_up), (1, Some(GivenUp::Policy)));
    supervised.stop();
}

/// Seen to fail without the difference of what nobody counts from what has risen.
#[test]
fn c16_where_nothing_counts_memory_nobody_is_said_to_have_run_out_of_it() {
    if needs_root("only root makes mount namespaces everywhere") {
        return;
    }
    let uncounted = "mount -t tmpfs none /sys/fs/cgroup && exec \"$0\" \"$@\"";
    let manifest = worker("a", "sandbox.memory_max = \"1G\"", "");
    let mut supervised = run!(&["unshare", "--mount", "sh", "-c", uncounted], &manifest);
    assert_eq!(supervised.wait_for_life("a", 1).memory, MemoryMechanism::AddressSpace);
    supervised.pid("a").signal(Signal::SIGKILL);
    assert_eq!(first_report(&supervised).cause, Cause::Signal(9));
    supervised.stop();
}

/// Seen to fail without the count of kills for memory.
#[test]
fn c17_a_descendant_out_of_memory_is_counted_and_the_worker_stays() {
    if needs_root("control groups that bound memory are made by root") {
        return;
    }
    let keys = "sandbox = { preset = \"exec\", memory_max = \"64M\" }";
    let mut supervised = run!(&worker("a", keys, "die = \"grandchild_alloc\", say = \"at work\""));
    let before = supervised.wait_for_life("a", 1);
    let line = supervised.journal().wait_for(0, "the grandchild ended").text;
    assert!(line.contains("unix_wait_status(9)"), "{line}");
    let after = supervised.worker("a");
    assert_eq!((after.pid, after.generation, after.state), (before.pid, 1, State::Ready));
    supervised.pid("a").signal(Signal::SIGABRT);
    let report = first_report(&supervised);
    assert_eq!((report.cause, report.counters.oom_kills), (Cause::Signal(6), Some(1)));
    supervised.stop();
}

/// Seen to fail without the count of kills for memory at every look.
#[test]
fn c17_who_kills_a_worker_long_after_its_descendant_ran_out_of_memory_is_not_taken_for_the_kernel() {
    if needs_root("control groups that bound memory are made by root") {
        return;
    }
    let keys = "sandbox = { preset = \"exec\", memory_max = \"64M\" }";
    let clock = worker("clock", "", "ready_after_ms = 3200");
    let mut supervised = run!(&[worker("a", keys, "die = \"grandchild_alloc\""), clock].concat());
    supervised.wait_for_life("a", 1);
    supervised.journal().wait_for(0, "the grandchild ended");
    // The supervisor looks at each worker once a second.
    supervised.order(Verb::Restart, "clock");
    supervised.pid("a").signal(Signal::SIGKILL);
    let report = first_report(&supervised);
    assert_eq!((report.cause, report.counters.oom_kills), (Cause::Signal(9), Some(1)));
    assert_eq!(report.cause.to_string(), "SIGKILL from outside");
    supervised.stop();
}

/// Seen to fail without the limit of tasks; the kill of all that its user runs.
#[test]
fn c18_a_fork_bomb_is_bounded_and_gone_after_a_stop() {
    if needs_root("users of their own, by which tasks are counted, are root's to give") {
        return;
    }
    let keys = "sandbox = { preset = \"exec\", tasks_max = 40 }\nstop_timeout = \"500ms\"\ndrain_timeout = \"100ms\"";
    let mut supervised = run!(&[worker("a", keys, "die = \"fork_bomb\""), plain("b")].concat());
    supervised.wait_for_life("b", 1);
    supervised.journal().wait_for(0, "the bomb is lit");
    let uid = supervised.worker("a").uid;
    supervised.journal().wait_until("many processes", |_| (processes_of(uid) > 30).then_some(()));
    for _ in 0..20 {
        let asked = Stopwatch::start();
        assert_eq!(supervised.status().workers.len(), 2);
        asked.assert_within(Duration::from_millis(100), "status beside a fork bomb");
        let processes = processes_of(uid);
        assert!(processes <= 40, "{processes} processes");
    }
    let stopwatch = Stopwatch::start();
    supervised.order(Verb::Stop, "a");
    stopwatch.assert_within(Duration::from_secs(1), "the end of a fork bomb");
    assert_eq!(processes_of(uid), 0);
    assert_eq!(supervised.worker("b").generation, 1);
    supervised.stop();
}

/// Seen to fail without the system call filters and their verification; the handler that notes the call; the name
/// of SIGSYS as a cause.
#[test]
fn c19_a_forbidden_system_call_ends_the_worker_and_is_named() {
    let mut supervised = run!(&dies("a", "", "forbidden"));
    let report = first_report(&supervised);
    assert_eq!(report.cause, Cause::ForbiddenSyscall);
    assert_eq!(report.end, End::Signalled { signal: 31, core: false });
    let call = report.last_words.forbidden_call.expect("the call is named");
    assert_eq!(Some(call.number), system_call::number("sethostname"));
    supervised.journal().wait_for(0, "forbidden system call sethostname");
    assert!(!supervised.journal().since(0).iter().any(|line| line.text.contains("survived")));
    supervised.stop();
}

/// Seen to fail without the system call filters and their verification.
#[test]
fn c19_a_worker_that_may_execute_is_killed_all_the_same() {
    let mut supervised = run!(&dies("a", "sandbox.preset = \"exec\"", "forbidden"));
    let report = first_report(&supervised);
    assert_eq!(report.cause, Cause::ForbiddenSyscall);
    assert_eq!(report.end, End::Signalled { signal: 31, core: false });
    supervised.stop();
}

/// Seen to fail without the bound of reports.
#[test]
fn reports_are_kept_of_the_latest_deaths_only() {
    let keys = "backoff = { first = \"0s\", base = \"1ms\", cap = \"1ms\" }";
    let mut supervised = run!(&worker("a", keys, "exit_early = 1"));
    let reports = supervised.journal().wait_until("a report on its sixtieth life", |_| {
        Some(supervised.crashes("a")).filter(|reports| reports.iter().any(|report| report.generation >= 60))
    });
    assert_eq!(reports.len(), 50);
    let generations: Vec<_> = reports.iter().map(|report| report.generation).collect();
    assert!(generations.is_sorted() && generations[0] >= 10, "{generations:?}");
    supervised.stop();
}
