//! J6. A process that waits to be the next life.

use std::collections::BTreeMap;
use std::fs;

use bailiwick_supervisor::control::{Outcome, ReloadMode, State, Verb};
use bailiwick_tests::harness::{Ended, Process, Supervised, copy_program, needs_root};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::{Cli, answers};

/// A worker `probe` with a spare and these keys, which says so when its code begins, and one that asks it `rounds`
/// times as soon as an operator starts it.
fn system(keys: &str, says: &str, rounds: u32) -> String {
    format!(
        "[worker.probe]\nexec = \"tw\"\nspares = 1\n{keys}\n\
         actor.life = {{ type = \"Life\", args = {{ say = \"{says}\" }} }}\n\
         [worker.pilot]\nexec = \"tw\"\nstart = \"on_demand\"\n\
         actor.flight = {{ type = \"Pilot\", args = {{ target = \"probe\", who = 1, rounds = {rounds} }} }}\n\
         [[grant]]\nfrom = \"pilot\"\nto = \"probe\"\n"
    )
}

/// The present process of `probe`, and the one that waits behind it, as soon as its sandbox stands.
fn both(supervised: &Supervised) -> (Process, Process) {
    supervised.journal().wait_until("a spare that stands", |_| {
        let present = Process(supervised.worker("probe").pid?);
        let filters = |process: Process| process.status().get("Seccomp_filters").cloned();
        let is_spare = |process: &Process| {
            *process != present
                && process.name().as_deref() == Some("probe")
                && process.is_alive()
                && filters(*process) == filters(present)
        };
        let spare = supervised.workers().into_iter().find(is_spare)?;
        // Nobody took another's place meanwhile.
        (supervised.worker("probe").pid == Some(present.0)).then_some((present, spare))
    })
}

/// How often something was said.
fn said(supervised: &Supervised, text: &str) -> usize {
    supervised.journal().since(0).iter().filter(|line| line.text.ends_with(&format!("| {text}"))).count()
}

/// Seen to fail without the spare; its wait for its turn; the spare as the next life.
#[test]
fn j6_the_next_ask_is_answered_by_a_process_that_was_there_and_had_run_nothing() {
    let mut supervised = run!(&system("max_messages = 1", "begins", 2));
    let (present, spare) = both(&supervised);
    assert_eq!(said(&supervised, "begins"), 1, "the spare runs what it should not");
    supervised.order(Verb::Start, "pilot");
    assert_eq!(answers(&supervised, 2), [present.0, spare.0]);
    let row = supervised.wait_for_life("probe", 3);
    assert_eq!((row.budget_left, row.restarts), (row.budget_max, 0));
    // The last spare is made and ended with the rest, and has never run any code either.
    both(&supervised);
    supervised.stop();
    assert_eq!(said(&supervised, "begins"), 3);
}

/// Seen to fail without users of their own; the system call filters of the spare.
#[test]
fn j6_a_spare_has_a_user_of_its_own_and_the_same_sandbox() {
    if needs_root("users of workers") {
        return;
    }
    let mut supervised = run!(&system("", "begins", 1));
    let (present, spare) = both(&supervised);
    let (one, other) = (present.status(), spare.status());
    for key in ["NoNewPrivs", "Seccomp", "Seccomp_filters", "CapEff", "CapPrm", "CapBnd"] {
        assert_eq!(one.get(key), other.get(key), "{key}");
    }
    assert_ne!(one.get("Uid"), other.get("Uid"));
    assert!(other["Uid"].split_whitespace().all(|uid| uid != "0"), "{}", other["Uid"]);
    // After a life in the second place the first is free again, with the user that it had.
    present.signal(Signal::SIGKILL);
    assert_eq!(supervised.wait_for_life("probe", 2).pid, Some(spare.0));
    let (_, next) = both(&supervised);
    assert_eq!(next.status().get("Uid"), one.get("Uid"));
    supervised.stop();
}

/// Seen to fail without the spare that is made again; what is told of its loss.
#[test]
fn j6_a_spare_that_is_killed_is_made_again_and_nobody_pays() {
    let mut supervised = run!(&system("", "begins", 1));
    let (present, spare) = both(&supervised);
    spare.signal(Signal::SIGKILL);
    let again = supervised.journal().wait_until("another spare", |_| {
        let (_, again) = both(&supervised);
        (again != spare).then_some(again)
    });
    let told = "probe: the spare ended (signal 9 from outside), another is made";
    supervised.journal().wait_until("what is told of it", |lines| {
        lines.iter().any(|line| line.text.ends_with(told)).then_some(())
    });
    let row = supervised.worker("probe");
    assert_eq!((row.pid, row.generation, row.restarts), (Some(present.0), 1, 0));
    assert_eq!(row.budget_left, row.budget_max);
    assert!(supervised.crashes("probe").is_empty());
    assert!(again.is_alive() && said(&supervised, "begins") == 1);
    supervised.stop();
}

/// Seen to fail without the spare as the next life.
#[test]
fn j6_the_process_that_waits_takes_the_place_of_one_that_crashes() {
    let mut supervised = run!(&system("", "begins", 1));
    let (present, spare) = both(&supervised);
    present.signal(Signal::SIGKILL);
    let row = supervised.wait_for_life("probe", 2);
    assert_eq!((row.pid, row.restarts), (Some(spare.0), 1));
    assert_eq!(supervised.wait_for_crash("probe", 1).pid, Some(present.0));
    supervised.stop();
}

/// Seen to fail without the guardian, the signal at the supervisor's death and the heed of its line's end together.
#[test]
fn j6_no_spare_outlives_its_supervisor() {
    let mut supervised = run!(&system("", "begins", 1));
    let (present, spare) = both(&supervised);
    supervised.signal(Signal::SIGKILL);
    assert_eq!(supervised.wait(), Ended::Signal(9));
    let are_gone = || !present.is_alive() && !spare.is_alive() && supervised.remains().found().is_empty();
    supervised.journal().wait_until("nobody", |_| are_gone().then_some(()));
}

/// Seen to fail without the dismissal of the spare by a stop.
#[test]
fn j6_a_worker_that_is_stopped_has_no_spare_until_it_starts() {
    let mut supervised = run!(&system("", "begins", 1));
    let (present, spare) = both(&supervised);
    supervised.order(Verb::Stop, "probe");
    let is_there = || present.is_alive() || spare.is_alive();
    supervised.journal().wait_until("nobody", |_| (!is_there()).then_some(()));
    assert!(supervised.workers().iter().all(|process| process.name().as_deref() != Some("probe")));
    supervised.order(Verb::Start, "probe");
    let (_, again) = both(&supervised);
    assert_ne!(again, spare);
    supervised.stop();
}

/// Seen to fail without the spare in the row of its worker.
#[test]
fn j6_a_spare_that_waits_is_shown_with_its_process() {
    let mut supervised = run!(&system("", "begins", 1));
    let (_, spare) = both(&supervised);
    let shown = supervised.wait_for_worker("probe", "one with a spare", |row| row.spare);
    assert_eq!(shown, spare.0);
    let status = Cli::of(&supervised).run(&["status"]).data;
    let line = format!("at work; a spare waits, pid {shown}\n");
    assert!(status.contains(&line) && status.matches("a spare waits").count() == 1, "{status}");
    supervised.order(Verb::Stop, "probe");
    assert_eq!(supervised.wait_for_state("probe", State::Stopped).spare, None);
    supervised.stop();
}

/// Seen to fail without the dismissal of what was made of former terms.
#[test]
fn j6_what_was_made_before_a_reload_is_made_anew() {
    let mut supervised = run!(&system("", "old", 1));
    let (present, spare) = both(&supervised);
    let (words, outcome) = supervised.reload(Verb::Reload(ReloadMode::Narrow), &system("", "new", 1));
    assert_eq!(outcome, Outcome::Done, "{words}");
    let next = supervised.journal().wait_until("another spare", |_| {
        let (_, next) = both(&supervised);
        (next != spare).then_some(next)
    });
    assert_eq!(supervised.worker("probe").pid, Some(present.0), "only what changed is told to it");
    present.signal(Signal::SIGKILL);
    assert_eq!(supervised.wait_for_life("probe", 2).pid, Some(next.0));
    supervised
        .journal()
        .wait_until("what the next life says", |_| (said(&supervised, "new") > 0).then_some(()));
    assert_eq!((said(&supervised, "old"), said(&supervised, "new")), (1, 1));
    supervised.stop();
}

/// Seen to fail without the rule that only an order takes up a new build; the new build in both places after an
/// operator's restart.
#[test]
fn j6_a_spare_runs_what_the_life_before_it_runs() {
    let mut supervised = run!(&system("", "begins", 1));
    let (present, spare) = both(&supervised);
    let program = supervised.path().join("tw");
    let next = supervised.path().join("next");
    copy_program(&program, &next);
    fs::rename(&next, &program).expect("the executable can be replaced");
    present.signal(Signal::SIGKILL);
    supervised.wait_for_life("probe", 2);
    let inodes = || -> BTreeMap<u32, Option<String>> {
        let (one, other) = both(&supervised);
        let told = |process: Process| process.executable().map(|path| path.display().to_string());
        [one, other].map(|process| (process.0, told(process))).into()
    };
    let run = inodes();
    assert!(run.contains_key(&spare.0), "{run:?}");
    if !needs_root("what others execute") {
        assert!(run.values().flatten().all(|path| path.ends_with(" (deleted)")), "{run:?}");
    }
    supervised.order(Verb::Restart, "probe");
    let run = inodes();
    if !needs_root("what others execute") {
        assert!(run.values().flatten().all(|path| !path.ends_with(" (deleted)")), "{run:?}");
    }
    supervised.stop();
}
