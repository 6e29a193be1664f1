//! What the supervisor finds out about a process before it lets code of the user run in it, and what of it a hostile
//! runtime can hide: nothing.

use bailiwick_supervisor::control::{Cause, Row, State};
use bailiwick_tests::harness::{Process, Supervised, WITHOUT_ROOT, needs_root};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

/// A worker that tampers with its sandbox before it says that it stands.
fn manifest(tampering: &str, keys: &str) -> String {
    format!(
        "[group.g]\nmax_restarts = 1000\nperiod = \"10s\"\n[worker.evil]\nexec = \"tw\"\ngroup = \"g\"\n\
        backoff = {{ base = \"50ms\", cap = \"50ms\" }}\nenvironment = {{ TW_ATTACK = \"{tampering}\" }}\n{keys}\n\
        actor.life = {{ type = \"Life\", args = {{}} }}\n[worker.calm]\nexec = \"tw\"\n\
        actor.life = {{ type = \"Life\", args = {{}} }}\n"
    )
}

/// Asserts that two lives of the worker were ended for `why` before anything of it ran.
fn assert_caught(supervised: &mut Supervised, why: &str) {
    let evil = supervised.wait_for_worker("evil", "killed", |row| (row.generation > 2).then(|| row.clone()));
    assert_eq!(evil.last_cause, Some(Cause::Protocol));
    for generation in [1, 2] {
        let line = format!("evil#{generation}: its sandbox does not hold: ");
        let found = supervised.journal().wait_for(0, &line);
        assert!(found.text.contains(why), "{found:?}");
    }
    let lines = supervised.journal().since(0);
    assert!(!lines.iter().any(|line| line.text.contains("has begun")), "{}", supervised.journal());
    assert_eq!(supervised.wait_for_state("calm", State::Ready).generation, 1);
    supervised.stop();
}

/// Tries it as root, where that is, and without.
fn catch(tampering: &str, keys: &str, why: &str) {
    let manifest = manifest(tampering, keys);
    assert_caught(&mut run!(&manifest), why);
    if !needs_root("only root can become another user, to try it without root") {
        assert_caught(&mut run!(&WITHOUT_ROOT, &manifest), why);
    }
}

#[test]
fn who_has_done_nothing_to_its_sandbox_is_let_go() {
    let mut supervised = run!(&manifest("tamper-nothing", ""));
    supervised.journal().wait_for(0, "has begun");
    assert_eq!(supervised.wait_for_state("evil", State::Ready).generation, 1);
    supervised.stop();
}

/// Control: who has done nothing to its sandbox is let go. Seen to fail without the count of threads.
#[test]
fn k6_a_thread_beside_the_sandbox_is_seen() {
    catch("tamper-thread", "", "it has 2 threads, expected one");
}

/// Control: who has done nothing to its sandbox is let go. Seen to fail without the look at children.
#[test]
fn k6_a_process_beside_the_sandbox_is_seen() {
    if needs_root("only root can end what a worker may start") {
        return;
    }
    let manifest = manifest("tamper-child", "sandbox.preset = \"exec\"");
    assert_caught(&mut run!(&manifest), "it has made process");
}

/// Control: who has done nothing to its sandbox is let go. Seen to fail without the count of filters.
#[test]
fn k6_a_stage_that_was_not_entered_is_seen() {
    catch("tamper-fewer-filters", "", "system call filters stand, expected");
}

/// Control: who has done nothing to its sandbox is let go. Seen to fail without an upper bound of their number.
#[test]
fn k6_a_filter_that_is_not_the_supervisors_is_seen() {
    catch("tamper-more-filters", "", "3 system call filters stand, expected 2");
}

/// Control: who has done nothing to its sandbox is let go. Seen to fail without the count of descriptors.
#[test]
fn k6_a_descriptor_that_was_not_given_is_seen() {
    catch("tamper-descriptor", "", "it holds 6 descriptors, expected 5");
}

/// Control: who has done nothing to its sandbox is let go. Seen to fail without the count of descriptors.
#[test]
fn k6_a_descriptor_that_was_closed_is_seen() {
    catch("tamper-lost-descriptor", "", "it holds 4 descriptors, expected 5");
}

/// Control: who has done nothing to its sandbox is let go. Seen to fail without the look at its owner in /proc.
#[test]
fn k6_memory_that_is_open_to_others_of_its_user_is_seen() {
    catch("tamper-dumpable", "", "others of its user may look into it");
}

/// Ends hundreds of lives at the moment in which they are looked at. Control: who stays and has less than was declared is killed
/// for that. Seen to fail without the difference of what is gone from what is missing.
#[test]
fn k6_an_end_while_it_is_looked_at_is_no_offence() {
    let manifest = "[group.g]\nmax_restarts = 10000\nperiod = \"10s\"\n[worker.evil]\nexec = \"tw\"\ngroup = \"g\"\n\
        backoff = { first = \"1ms\", base = \"1ms\", cap = \"1ms\" }\nenvironment = { TW_ATTACK = \"tamper-end\" }\n\
        actor.life = { type = \"Life\", args = {} }\n";
    let endure = |mut supervised: Supervised| {
        // Each some of them in time.
        for some in (20..=100).step_by(20) {
            let lives = |row: &Row| (row.generation > some).then_some(());
            supervised.wait_for_worker("evil", "ended so often", lives);
        }
        let evil = supervised.worker("evil");
        assert!(matches!(evil.last_cause, Some(Cause::Exit(69))), "{evil:?}");
        let journal = supervised.journal().to_string();
        assert!(!journal.contains("does not hold"), "{journal}");
        supervised.stop();
    };
    endure(run!(manifest));
    if !needs_root("only root can become another user, to try it without root") {
        endure(run!(&WITHOUT_ROOT, manifest));
    }
}

/// Seen to fail where the limit of descriptors is set before the score: what the supervisor holds for so many is more than
/// one of them may hold, and the file could not be opened.
#[test]
fn the_last_of_many_workers_is_born_as_the_first() {
    let many = "[worker.a]\nexec = \"tw\"\ninstances = 60\nactor.life = { type = \"Life\", args = {} }\n";
    let mut supervised = run!(many);
    for instance in ["a.1", "a.60"] {
        let ready = supervised.wait_for_life(instance, 1);
        assert_eq!(ready.restarts, 0, "{}", supervised.journal());
    }
    supervised.stop();
}

/// What the kernel tells of a process that has to be the same in each of its lives.
fn constant(process: Process) -> Vec<String> {
    const FIELDS: [&str; 15] = [
        "Umask",
        "Uid",
        "Gid",
        "Groups",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
        "Seccomp_filters",
        "SigBlk",
        "SigIgn",
        "SigCgt",
    ];
    let status = process.status();
    let mut told: Vec<_> = FIELDS.iter().map(|field| format!("{field} {}", status[*field])).collect();
    for file in ["limits", "oom_score_adj"] {
        told.push(std::fs::read_to_string(format!("/proc/{}/{file}", process.0)).expect("it lives"));
    }
    told.push(format!("{:?} {:?} {:?}", process.environment(), process.name(), process.directory()));
    // Without the numbers of pipes, sockets and the process itself.
    let kind = |target: &String| target.replace(|c: char| c.is_ascii_digit(), "");
    told.extend(process.descriptors().iter().map(|(fd, what)| format!("{fd} {}", kind(what))));
    told
}

/// Seen to fail where one thing differs: with the number of the process in the list of its threads.
#[test]
fn each_life_is_born_as_the_first() {
    if needs_root("a worker shows its descriptors and its environment to root only") {
        return;
    }
    let mut supervised = run!("[worker.a]\nexec = \"tw\"\nactor.life = { type = \"Life\", args = {} }\n");
    let mut lives = Vec::new();
    for generation in 1..4 {
        supervised.wait_for_life("a", generation);
        let process = supervised.pid("a");
        lives.push(constant(process));
        process.signal(Signal::SIGKILL);
    }
    for later in &lives[1..] {
        for (was, is) in lives[0].iter().zip(later) {
            assert_eq!(was, is);
        }
        assert_eq!(lives[0].len(), later.len(), "descriptors");
    }
    supervised.wait_for_life("a", 4);
    supervised.stop();
}
