//! G. Rolling replacement: a life takes the place of another while peers send to it.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use bailiwick_supervisor::control::{Cause, ClientError, Outcome, State, Target, Verb};
use bailiwick_tests::harness::{Ended, Process, Supervised, copy_program};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

/// A worker `probe` with these knobs, and one that asks it who it is, one ask after the other, without a pause.
fn system(keys: &str, knobs: &str) -> String {
    format!(
        "[worker.probe]\nexec = \"tw\"\nsandbox = {{ preset = \"net-server\", tcp_bind = [0] }}\n{keys}\n\
         actor.life = {{ type = \"Life\", args = {{ {knobs} }} }}\n\
         [worker.pilot]\nexec = \"tw\"\n\
         actor.flight = {{ type = \"Pilot\", args = {{ target = \"probe\", who = 2, pause_ms = 1 }} }}\n\
         [[grant]]\nfrom = \"pilot\"\nto = \"probe\"\n"
    )
}

/// The same, whose `probe` takes a listener that another worker keeps, and says so as soon as it runs.
fn with_listener(knobs: &str) -> String {
    let binder = "[worker.binder]\nexec = \"tw\"\nsandbox = { preset = \"net-server\", tcp_bind = [0] }\n\
         actor.life = { type = \"Life\", args = { keep = \"http\" } }\n";
    let keys = "needs = [\"binder\"]\nkept = [\"http\"]";
    binder.to_owned() + &system(keys, &format!("take = \"http\", {knobs}"))
}

/// The addresses of the listeners that lives of `probe` took, when there are so many.
fn addresses(supervised: &Supervised, count: usize) -> Vec<String> {
    supervised.journal().wait_until(&format!("{count} listeners taken"), |lines| {
        let taken = lines.iter().filter_map(|line| line.text.split_once("took http at "));
        let taken: Vec<_> = taken.map(|(_, address)| address.to_owned()).collect();
        (taken.len() >= count).then_some(taken)
    })
}

/// Has `probe` replaced by rolling; returns what came of it.
fn roll(supervised: &Supervised) -> Result<Outcome, ClientError> {
    supervised.control().order(Verb::Roll, Target::Worker("probe".into()), Duration::from_secs(30))
}

/// How many asks were answered by this process so far. None was lost.
fn answers_of(supervised: &Supervised, pid: u32) -> usize {
    let lines = supervised.journal().since(0);
    let lost = lines.iter().find(|line| line.text.contains("an ask was lost"));
    assert!(lost.is_none(), "{lost:?}; so far:\n{}", supervised.journal());
    let answer = format!("answered by {pid}");
    lines.iter().filter(|line| line.text.ends_with(&answer)).count()
}

/// Waits until asks go on to be answered by this process, and none by another.
fn wait_for_answers(supervised: &Supervised, pid: u32) {
    let before = answers_of(supervised, pid);
    supervised
        .journal()
        .wait_until("more answers", |_| (answers_of(supervised, pid) >= before + 20).then_some(()));
}

/// Seen to fail without the readiness of the life beside the present one; links that nobody sends over yet.
#[test]
fn g11_a_life_is_replaced_under_load_and_no_ask_is_lost() {
    let mut supervised = run!(&system("", ""));
    let mut pids = vec![supervised.wait_for_life("probe", 1).pid.expect("it lives")];
    for generation in 2..=6 {
        wait_for_answers(&supervised, pids[pids.len() - 1]);
        assert!(matches!(roll(&supervised), Ok(Outcome::Done)), "so far:\n{}", supervised.journal());
        let row = supervised.worker("probe");
        assert_eq!((row.generation, row.restarts, row.budget_left), (generation, 0, row.budget_max));
        pids.push(row.pid.expect("it lives"));
        wait_for_answers(&supervised, pids[pids.len() - 1]);
        let former = Process(pids[pids.len() - 2]);
        supervised.journal().wait_until("the end of the one before", |_| (!former.is_alive()).then_some(()));
    }
    assert!(pids.windows(2).all(|two| two[0] != two[1]), "{pids:?}");
    assert!(supervised.crashes("probe").is_empty(), "nobody crashed");
    let says = |number: u32| format!("probe#{number} takes over from probe#{}", number - 1);
    let lines = supervised.journal().since(0);
    assert!((2..=6).all(|number| lines.iter().any(|line| line.text.contains(&says(number)))));
    supervised.stop();
}

/// Seen to fail without links that nobody sends over yet.
#[test]
fn g12_a_newcomer_that_is_never_ready_is_rolled_back_and_nobody_notices() {
    let mut supervised = run!(&system("start_timeout = \"3s\"", "never_ready_again = true"));
    let pid = supervised.wait_for_life("probe", 1).pid.expect("it lives");
    wait_for_answers(&supervised, pid);
    assert!(matches!(roll(&supervised), Ok(Outcome::RolledBack)), "so far:\n{}", supervised.journal());
    wait_for_answers(&supervised, pid);
    let row = supervised.worker("probe");
    assert_eq!((row.pid, row.generation, row.restarts), (Some(pid), 1, 0));
    assert_eq!(row.budget_left, row.budget_max);
    let report = supervised.wait_for_crash("probe", 2);
    assert_eq!(report.cause, Cause::StartTimeout);
    assert_eq!(report.decision.action, "rolled_back");
    supervised.stop();
}

/// Seen to fail without links that nobody sends over yet.
#[test]
fn g12_a_newcomer_that_ends_at_its_start_is_rolled_back_and_the_next_number_is_free() {
    let mut supervised = run!(&system("", "exit_again = 7"));
    let pid = supervised.wait_for_life("probe", 1).pid.expect("it lives");
    wait_for_answers(&supervised, pid);
    assert!(matches!(roll(&supervised), Ok(Outcome::RolledBack)), "so far:\n{}", supervised.journal());
    wait_for_answers(&supervised, pid);
    assert_eq!(supervised.wait_for_crash("probe", 2).cause, Cause::Exit(7));
    assert_eq!(supervised.worker("probe").generation, 1);
    supervised.stop();
}

/// Seen to fail without the readiness of the life beside the present one.
#[test]
fn g16_a_listener_that_is_kept_is_handed_on_and_refuses_nobody() {
    let mut supervised = run!(&with_listener("ready_after_ms = 2000"));
    supervised.wait_for_life("probe", 1);
    let address = addresses(&supervised, 1)[0].clone();
    let came = roll_and(&supervised, || {
        for _ in 0..20 {
            TcpStream::connect(&address).expect("nobody is refused");
        }
    });
    assert!(matches!(came, Ok(Outcome::Done)), "{came:?}; so far:\n{}", supervised.journal());
    assert_eq!(addresses(&supervised, 2), [address.clone(), address.clone()]);
    TcpStream::connect(&address).expect("nobody is refused");
    supervised.stop();
}

/// Waits until there are two processes of `probe`.
fn wait_for_two(supervised: &Supervised) {
    let is_it = |one: &&Process| one.name().as_deref() == Some("probe");
    let two = || supervised.workers().iter().filter(is_it).count() == 2;
    supervised.journal().wait_until("two processes", |_| two().then_some(()));
}

/// Has `probe` replaced by rolling, does something as soon as there are two processes of it, and returns what came of the
/// order.
fn roll_and(supervised: &Supervised, act: impl FnOnce()) -> Result<Outcome, ClientError> {
    let control = supervised.control();
    std::thread::scope(|scope| {
        let target = Target::Worker("probe".into());
        let order = scope.spawn(move || control.order(Verb::Roll, target, Duration::from_secs(30)));
        wait_for_two(supervised);
        act();
        order.join().expect("it does not panic")
    })
}

/// Seen to fail without the stay of the newcomer while the present life is judged; the newcomer as the next life.
#[test]
fn g14_a_present_life_that_is_killed_meanwhile_has_the_newcomer_as_its_next() {
    assert_newcomer_is_next(1);
}

/// Seen to fail without the stay of the newcomer while the present life is judged; the newcomer as the next life.
#[test]
fn g14_a_present_life_that_is_killed_has_the_newcomer_that_runs_already_as_its_next() {
    assert_newcomer_is_next(2);
}

/// Kills the present life as soon as the process of a newcomer is there and so many lives run their code.
fn assert_newcomer_is_next(running: usize) {
    let mut supervised = run!(&with_listener("ready_after_ms = 3000"));
    let pid = supervised.wait_for_life("probe", 1).pid.expect("it lives");
    let mut newcomer = None;
    let came = roll_and(&supervised, || {
        let is_it = |one: &Process| one.name().as_deref() == Some("probe") && one.0 != pid;
        newcomer = supervised.workers().into_iter().find(is_it);
        addresses(&supervised, running);
        Process(pid).signal(Signal::SIGKILL);
    });
    assert!(matches!(came, Ok(Outcome::Done)), "{came:?}; so far:\n{}", supervised.journal());
    let row = supervised.wait_for_life("probe", 2);
    assert_eq!((row.pid.map(Process), row.generation), (newcomer, 2), "so far:\n{}", supervised.journal());
    assert_eq!(row.restarts, 1, "it is judged as ever");
    assert_eq!(supervised.wait_for_crash("probe", 1).pid, Some(pid));
    supervised.stop();
}

/// Seen to fail without the readiness of the life beside the present one.
#[test]
fn g14_a_predecessor_that_is_killed_while_it_drains_is_told_of_and_harms_nobody() {
    let keys = "drain_timeout = \"60s\"";
    let mut supervised =
        run!(&system(keys, "say = \"begins\"").replace("who = 2, pause_ms = 1", "hold_ms = 6000"));
    let pid = supervised.wait_for_life("probe", 1).pid.expect("it lives");
    supervised.journal().wait_until("an ask in hand", |lines| {
        lines.iter().any(|line| line.text.ends_with("holds an ask")).then_some(())
    });
    let came = roll(&supervised);
    assert!(matches!(came, Ok(Outcome::Done)), "{came:?}; so far:\n{}", supervised.journal());
    Process(pid).signal(Signal::SIGKILL);
    assert_eq!(supervised.wait_for_crash("probe", 1).cause, Cause::Signal(9));
    let row = supervised.wait_for_life("probe", 2);
    assert_eq!((row.restarts, row.budget_left), (0, row.budget_max), "it was on its way out");
    supervised.stop();
}

/// Seen to fail without the readiness of the life beside the present one.
#[test]
fn g15_the_newcomer_runs_what_is_on_disk_and_so_do_those_after_it() {
    let mut supervised = run!(&system("", ""));
    let inode = |pid: u32| fs::metadata(format!("/proc/{pid}/exe")).map(|found| found.ino()).ok();
    let present = || supervised.worker("probe").pid.and_then(inode);
    supervised.wait_for_life("probe", 1);
    let (program, next) = (supervised.path().join("tw"), supervised.path().join("next"));
    let old = present();
    copy_program(&program, &next);
    fs::rename(&next, &program).expect("the folder is ours");
    assert!(matches!(roll(&supervised), Ok(Outcome::Done)), "so far:\n{}", supervised.journal());
    let new = present();
    assert_eq!(new, fs::metadata(&program).map(|found| found.ino()).ok());
    assert_ne!(new, old);
    // Its successor is in the place of the first life again.
    supervised.pid("probe").signal(Signal::SIGKILL);
    supervised.wait_for_life("probe", 3);
    assert_eq!(present(), new);
    supervised.stop();
}

/// Seen to fail without the rule that only the newcomer takes up a new build; the sharing of the present build after
/// it is rolled back.
#[test]
fn g15_what_is_rolled_back_leaves_the_build_as_it_was() {
    for keys in ["", "spares = 1"] {
        assert_build_stays(keys);
    }
}

/// Has a newcomer that runs another build rolled back, and looks at what the next life runs.
fn assert_build_stays(keys: &str) {
    let mut supervised =
        run!(&system(&format!("start_timeout = \"3s\"\n{keys}"), "never_ready_again = true"));
    let inode = |pid: u32| fs::metadata(format!("/proc/{pid}/exe")).map(|found| found.ino()).ok();
    supervised.wait_for_life("probe", 1);
    let (program, next) = (supervised.path().join("tw"), supervised.path().join("next"));
    let old = inode(supervised.pid("probe").0);
    copy_program(&program, &next);
    fs::rename(&next, &program).expect("the folder is ours");
    assert!(matches!(roll(&supervised), Ok(Outcome::RolledBack)), "so far:\n{}", supervised.journal());
    assert_eq!(inode(supervised.pid("probe").0), old);
    assert!(supervised.worker("probe").signs.binary_changed);
    supervised.wait_for_crash("probe", 2);
    if !keys.is_empty() {
        wait_for_two(&supervised);
    }
    supervised.pid("probe").signal(Signal::SIGKILL);
    // Before it is executed its process still shows the supervisor's program.
    let next = supervised.wait_for_worker("probe", "in its next life", |row| {
        let is_executed = row.generation >= 3 && row.state == State::Starting;
        row.pid.filter(|_| is_executed).and_then(inode)
    });
    assert_eq!(Some(next), old, "no operator asked for the new one, {keys}");
    supervised.stop();
}

/// Seen to fail without both rollbacks in a stop, that of who may not come any more and that of its level; the
/// guardian, the signal at the supervisor's death and the heed of its line's end together.
#[test]
fn g13_everything_ends_in_the_middle_of_a_replacement() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut supervised = run!(&system("start_timeout = \"60s\"", "never_ready_again = true"));
        supervised.wait_for_life("probe", 1);
        let order = supervised.control();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // The supervisor ends before it answers.
                let _ = order.order(Verb::Roll, Target::Worker("probe".into()), Duration::from_secs(30));
            });
            wait_for_two(&supervised);
            supervised.signal(signal);
        });
        let ended = supervised.wait();
        assert_eq!(ended == Ended::Code(0), signal == Signal::SIGTERM, "{ended:?}");
        let is_gone = || supervised.remains().found().is_empty().then_some(());
        supervised.journal().wait_until("nobody", |_| is_gone());
    }
}
