//! G. Reload and replace.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use bailiwick_supervisor::control::{Outcome, ReloadMode, Row, State, Verb};
use bailiwick_tests::harness::{Stopwatch, Supervised, replace_program};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::{plain, worker};

pub(crate) const PLAN: Verb = Verb::Reload(ReloadMode::Plan);
pub(crate) const RELOAD: Verb = Verb::Reload(ReloadMode::Narrow);
pub(crate) const WIDENING: Verb = Verb::Reload(ReloadMode::Widening);

/// The processes of workers, by name.
pub(crate) fn pids<const N: usize>(supervised: &Supervised, names: [&str; N]) -> [Option<u32>; N] {
    names.map(|name| supervised.worker(name).pid)
}

pub(crate) fn up<const N: usize>(supervised: &Supervised, names: [&str; N]) -> [Option<u32>; N] {
    names.map(|name| supervised.wait_for_life(name, 1).pid)
}

fn names(supervised: &Supervised) -> Vec<String> {
    supervised.status().workers.into_iter().map(|row| row.name).collect()
}

/// Has it take up another manifest without a complaint.
#[track_caller]
pub(crate) fn reload(supervised: &Supervised, manifest: &str) -> String {
    let (text, outcome) = supervised.reload(RELOAD, manifest);
    assert_eq!(outcome, Outcome::Done, "{text}; so far:\n{}", supervised.journal());
    text
}

/// Seen to fail without the start of what is added; the stop of what is removed; the peace of what is unchanged.
#[test]
fn g1_what_is_added_starts_what_is_removed_stops_and_the_others_keep_their_processes() {
    let mut supervised = run!(&[plain("a"), plain("b")].concat());
    let before = up(&supervised, ["a", "b"]);
    let added = [plain("a"), plain("new"), plain("b")].concat();
    assert_eq!(reload(&supervised, &added), "unchanged\ta\t\nadded\tnew\t\nunchanged\tb\t\n");
    assert_eq!(supervised.worker("new").state, State::Ready);
    assert_eq!(pids(&supervised, ["a", "b"]), before);
    let new = supervised.pid("new");
    let renamed = [plain("a"), plain("other"), plain("b")].concat();
    let text = reload(&supervised, &renamed);
    assert_eq!(text, "unchanged\ta\t\nadded\tother\t\nunchanged\tb\t\nremoved\tnew\t\n");
    assert!(!new.is_alive(), "{}", supervised.journal());
    assert_eq!(supervised.worker("other").state, State::Ready);
    assert_eq!(names(&supervised), ["a", "b", "other"]);
    assert_eq!(pids(&supervised, ["a", "b"]), before);
    reload(&supervised, &[plain("b"), plain("other")].concat());
    assert_eq!(pids(&supervised, ["b"]), [before[1]]);
    supervised.stop();
}

/// Seen to fail without terms that need no restart.
#[test]
fn g2_a_hot_key_restarts_nobody_and_holds_from_then_on() {
    let mut supervised = run!(
        &[worker("a", "drain_timeout = \"0s\"\nstop_timeout = \"60s\"", "stubborn = true"), plain("b")]
            .concat()
    );
    let before = up(&supervised, ["a", "b"]);
    let hasty =
        [worker("a", "drain_timeout = \"0s\"\nstop_timeout = \"100ms\"", "stubborn = true"), plain("b")]
            .concat();
    assert_eq!(reload(&supervised, &hasty), "hot\ta\tstop_timeout\nunchanged\tb\t\n");
    assert_eq!(pids(&supervised, ["a", "b"]), before);
    let stopwatch = Stopwatch::start();
    supervised.order(Verb::Stop, "a");
    stopwatch.assert_within(Duration::from_secs(5), "the end of a by its new stop_timeout");
    supervised.stop();
}

/// Seen to fail without the peace of what is unchanged; the restart for what changed.
#[test]
fn g2_only_the_worker_whose_command_changed_restarts() {
    let mut supervised = run!(&[plain("a"), plain("b"), plain("c")].concat());
    let before = up(&supervised, ["a", "b", "c"]);
    fs::hard_link(supervised.path().join("tw"), supervised.path().join("other")).expect("a second name");
    let other = plain("b").replace("\"tw\"", "\"other\"");
    let text = reload(&supervised, &[plain("a"), other, plain("c")].concat());
    assert_eq!(text, "unchanged\ta\t\nrestarted\tb\texec\nunchanged\tc\t\n");
    let b = supervised.worker("b");
    assert_eq!((b.state, b.generation, b.restarts), (State::Ready, 2, 0));
    assert_eq!(supervised.pid("b").executable(), Some(supervised.path().join("other")));
    assert_eq!(pids(&supervised, ["a", "c"]), [before[0], before[2]]);
    supervised.stop();
}

/// Seen to fail without the restart for what changed; the sandbox that is made anew.
#[test]
fn g2_a_worker_that_is_stopped_stays_stopped_and_starts_with_what_changed() {
    let mut supervised = run!(&plain("a"));
    up(&supervised, ["a"]);
    supervised.order(Verb::Stop, "a");
    let text = reload(&supervised, &worker("a", "environment = { NEW = \"1\" }", ""));
    assert_eq!(text, "restarted\ta\tenvironment\n");
    assert_eq!(supervised.worker("a").state, State::Stopped);
    supervised.order(Verb::Start, "a");
    let environment = fs::read(format!("/proc/{}/environ", supervised.pid("a").0)).expect("we may read it");
    assert!(String::from_utf8_lossy(&environment).contains("NEW=1"));
    supervised.stop();
}

/// Seen to fail without the restart for what changed.
#[test]
fn g2_a_worker_that_was_given_up_starts_with_what_changed() {
    let group = "[group.one]\nmax_restarts = 0\nperiod = \"60s\"\non_exhausted = \"fail\"\n";
    let mut supervised = run!(&[group, &worker("a", "group = \"one\"", "exit_early = 1")].concat());
    supervised.wait_for_state("a", State::Failed);
    let mended = [group, &worker("a", "group = \"one\"\nenvironment = { NEW = \"1\" }", "")].concat();
    assert_eq!(reload(&supervised, &mended), "restarted\ta\tenvironment, actor.args\n");
    assert_eq!(supervised.worker("a").state, State::Ready);
    supervised.stop();
}

/// Seen to fail without arguments that need no restart; the handing over of arguments; the keeping of them for
/// later incarnations.
#[test]
fn g2_changed_args_are_taken_by_the_process_that_runs() {
    let mut supervised = run!(&[plain("a"), plain("b")].concat());
    let before = up(&supervised, ["a", "b"]);
    let changed = [worker("a", "", "say = \"later\""), plain("b")].concat();
    assert_eq!(reload(&supervised, &changed), "reconfigured\ta\tactor.args\nunchanged\tb\t\n");
    supervised.journal().wait_for(0, "other arguments: Keep");
    // Made anew in the same process, it starts with what it was given last.
    let anew = [worker("a", "", "say = \"made anew\", on_reload = \"anew\""), plain("b")].concat();
    reload(&supervised, &anew);
    supervised.journal().wait_for(0, "made anew");
    assert_eq!(pids(&supervised, ["a", "b"]), before);
    // What the present life took holds for the next.
    let from = supervised.journal().len();
    supervised.pid("a").signal(Signal::SIGKILL);
    supervised.wait_for_life("a", 2);
    supervised.journal().wait_for(from, "made anew");
    supervised.stop();
}

/// Seen to fail without the restart of who declines.
#[test]
fn g2_a_worker_that_declines_other_args_is_restarted_with_them() {
    let mut supervised = run!(&[plain("a"), plain("b")].concat());
    let before = up(&supervised, ["a", "b"]);
    let changed = [worker("a", "", "on_reload = \"new_process\""), plain("b")].concat();
    let text = reload(&supervised, &changed);
    assert!(text.ends_with("result\ta\tdeclined\n"), "{text}");
    let a = supervised.worker("a");
    assert_eq!((a.state, a.generation, a.restarts), (State::Ready, 2, 0));
    assert_ne!(a.pid, before[0]);
    assert_eq!(pids(&supervised, ["b"]), [before[1]]);
    supervised.stop();
}

/// Seen to fail without the peace of what runs; the drawing of the place.
#[test]
fn g3_an_invalid_manifest_changes_nothing_and_is_drawn_with_a_caret() {
    let mut supervised = run!(&[plain("a"), plain("b")].concat());
    let before = up(&supervised, ["a", "b"]);
    let digest = supervised.status().supervisor.manifest;
    let cycle = [worker("a", "needs = [\"b\"]", ""), worker("b", "needs = [\"a\"]", "")].concat();
    for (manifest, says) in [
        ("[worker.a]\nexec = ", "no TOML"),
        (&worker("a", "stop_timeout = 5", ""), "stop_timeout"),
        (&plain("a").replace("\"tw\"", "\"not-there\""), "not-there"),
        (&cycle, "a"),
        ("", "no worker"),
    ] {
        let (text, outcome) = supervised.reload(WIDENING, manifest);
        assert_eq!(outcome, Outcome::InvalidManifest, "{text}");
        assert!(text.contains(says), "{text}");
        assert!(text.contains('^') || manifest.is_empty(), "{text}");
    }
    assert_eq!(pids(&supervised, ["a", "b"]), before);
    assert_eq!(names(&supervised), ["a", "b"]);
    assert_eq!(supervised.status().supervisor.manifest, digest);
    supervised.stop();
}

/// Seen to fail without the difference of a plan from a reload.
#[test]
fn g3_a_plan_changes_nothing() {
    let mut supervised = run!(&[plain("a"), plain("b")].concat());
    let before = up(&supervised, ["a", "b"]);
    let (text, outcome) = supervised.reload(PLAN, &[plain("a"), plain("c")].concat());
    assert_eq!((text.as_str(), outcome), ("unchanged\ta\t\nadded\tc\t\nremoved\tb\t\n", Outcome::Done));
    assert_eq!(pids(&supervised, ["a", "b"]), before);
    assert_eq!(names(&supervised), ["a", "b"]);
    supervised.stop();
}

/// Seen to fail without the deadline of the reload.
#[test]
fn g6_a_worker_that_never_confirms_stays_ready_and_the_result_is_timeout() {
    let keys = "reload_timeout = \"200ms\"\ndrain_timeout = \"0s\"\nstop_timeout = \"100ms\"";
    let mut supervised = run!(&worker("a", keys, ""));
    let before = up(&supervised, ["a"]);
    let (text, outcome) = supervised.reload(RELOAD, &worker("a", keys, "on_reload = \"never\""));
    assert_eq!(outcome, Outcome::TimedOut, "{text}");
    assert!(text.ends_with("result\ta\ttimeout\n"), "{text}");
    assert_eq!(supervised.worker("a").state, State::Ready);
    assert_eq!(pids(&supervised, ["a"]), before);
    supervised.stop();
}

/// Seen to fail without the check of the arguments; its going on after that.
#[test]
fn g7_a_worker_that_cannot_take_its_args_refuses_and_goes_on() {
    let mut supervised = run!(&[plain("a"), plain("b")].concat());
    let before = up(&supervised, ["a", "b"]);
    let (text, outcome) =
        supervised.reload(RELOAD, &[worker("a", "", "no_such_knob = 1"), plain("b")].concat());
    assert_eq!(outcome, Outcome::Refused, "{text}");
    assert!(text.ends_with("result\ta\trefused\n"), "{text}");
    supervised.journal().wait_for(0, "no_such_knob");
    assert_eq!(pids(&supervised, ["a", "b"]), before);
    assert_eq!(supervised.worker("a").state, State::Ready);
    supervised.stop();
}

/// Seen to fail without the refusal of gains.
#[test]
fn g_a_widening_is_refused_unless_it_is_allowed() {
    let mut supervised = run!(&[plain("a"), plain("b")].concat());
    let before = up(&supervised, ["a", "b"]);
    let grant = "[[grant]]\nfrom = \"a\"\nto = \"b/life\"\nmethods = [\"echo\"]\n";
    let wide =
        [plain("a"), worker("b", "sandbox.preset = \"fs-ro\"\nsandbox.read_only_paths = [\"/usr\"]", "")];
    let wide = [&wide.concat(), grant].concat();
    let plan = "unchanged\ta\t\nrestarted\tb\tsandbox.preset, sandbox.read_only_paths\n\
                gains\tb\tpreset FsRo instead of Sealed\ngains\tb\tmay read /usr\n\
                gains\ta\tmay send to b/life: echo\n";
    let (text, outcome) = supervised.reload(RELOAD, &wide);
    let (gained, refused) = text.split_at(plan.len().min(text.len()));
    assert_eq!((gained, outcome), (plan, Outcome::Refused));
    assert!(refused.contains("--allow-widening"), "{text}");
    supervised.journal().wait_for(0, "reload: refused workers would gain");
    // Nobody can answer for it there.
    let from = supervised.journal().len();
    supervised.process().signal(Signal::SIGHUP);
    supervised.journal().wait_for(from, "reload: refused workers would gain");
    assert_eq!(pids(&supervised, ["a", "b"]), before);
    assert_eq!(supervised.reload(WIDENING, &wide), (plan.to_owned(), Outcome::Done));
    assert_eq!(pids(&supervised, ["a"]), [before[0]]);
    assert_eq!(supervised.worker("b").generation, 2);
    // To lose is no widening, and neither is what was there before.
    reload(&supervised, &[plain("a"), plain("b")].concat());
    supervised.stop();
}

/// Seen to fail without the heed of SIGHUP.
#[test]
fn g_sighup_takes_up_what_has_changed() {
    let mut supervised = run!(&plain("a"));
    let before = up(&supervised, ["a"]);
    supervised.rewrite(&[plain("a"), plain("b")].concat());
    supervised.process().signal(Signal::SIGHUP);
    supervised.journal().wait_for(0, "reload: added b");
    supervised.wait_for_life("b", 1);
    assert_eq!(pids(&supervised, ["a"]), before);
    supervised.stop();
}

/// Seen to fail without the refusals of the move, the plan's and the machine's.
#[test]
fn g_a_worker_cannot_move_into_another_group_while_it_runs() {
    let groups = "[group.x]\n[group.y]\n";
    let mut supervised = run!(&[groups, &worker("a", "group = \"x\"", "")].concat());
    let before = up(&supervised, ["a"]);
    let (text, outcome) = supervised.reload(RELOAD, &[groups, &worker("a", "group = \"y\"", "")].concat());
    assert_eq!(outcome, Outcome::Refused);
    assert!(text.contains("obstacle\tworker `a` cannot move from group `x` to group `y`"), "{text}");
    assert_eq!(pids(&supervised, ["a"]), before);
    supervised.stop();
}

/// Seen to fail without the start of what is added; the stop of what is removed; the restart for what changed.
#[test]
fn g_a_reload_that_changes_everything() {
    let old = ["[group.x]\nmax_restarts = 3\n", &worker("a", "group = \"x\"", ""), &plain("b"), &plain("c")]
        .concat();
    let mut supervised = run!(&old);
    up(&supervised, ["a", "b", "c"]);
    let new = [
        "[supervisor]\nshutdown_timeout = \"20s\"\n[group.y]\nmax_restarts = 4\n",
        &worker("d", "group = \"y\"", ""),
        &worker("c", "needs = [\"d\"]\nenvironment = { X = \"y\" }", ""),
        &worker("b", "instances = 3\nneeds = [\"c\"]", "say = \"changed\""),
    ]
    .concat();
    let text = reload(&supervised, &new);
    assert_eq!(
        text,
        "hot\t[supervisor]\t\nadded\t[group.y]\t\nremoved\t[group.x]\t\nadded\td\t\nrestarted\tc\tneeds, environment\nrestarted\tb\tneeds, instances, actor.args\nremoved\ta\t\n"
    );
    for worker in ["b.1", "b.2", "b.3", "c", "d"] {
        assert_eq!(supervised.worker(worker).state, State::Ready, "{worker}");
    }
    let mut names = names(&supervised);
    names.sort();
    assert_eq!(names, ["b", "b", "b", "c", "d"]);
    let fewer = new.replace("instances = 3", "instances = 2");
    let before = ["b.1", "b.2"].map(|name| supervised.worker(name).pid);
    assert!(reload(&supervised, &fewer).contains("hot\tb\tinstances\n"));
    assert_eq!(["b.1", "b.2"].map(|name| supervised.worker(name).pid), before);
    assert_eq!(supervised.status().workers.len(), 4);
    supervised.stop();
}

/// Seen to fail without the sandbox that is made anew.
#[test]
fn g_a_worker_killed_during_a_reload_comes_back_with_what_changed() {
    // No budget ends before the test does, and no pause is longer than a look.
    let keys = "group = \"g\"\nbackoff = { first = \"1ms\", base = \"1ms\", cap = \"1ms\" }\n";
    let manifest = |a: &str| {
        let group = "[group.g]\nmax_restarts = 1000\n".to_owned();
        [group, worker("a", &format!("{keys}{a}"), ""), worker("b", keys, "")].concat()
    };
    let mut supervised = run!(&manifest(""));
    for round in 1..6 {
        up(&supervised, ["a", "b"]);
        supervised.rewrite(&manifest(&format!("environment = {{ ROUND = \"{round}\" }}")));
        let (a, b) = (supervised.pid("a"), supervised.pid("b"));
        let control = supervised.control();
        let reloads = std::thread::spawn(move || control.order_with_words(RELOAD, Duration::from_secs(50)));
        a.signal(Signal::SIGKILL);
        b.signal(Signal::SIGKILL);
        let told = reloads.join().expect("no panic").expect("an answer");
        assert_eq!(told.1, Outcome::Done, "{}; so far:\n{}", told.0, supervised.journal());
        supervised.wait_for_worker("a", "up with its new environment", |row| {
            let environment = fs::read(format!("/proc/{}/environ", row.pid?)).ok()?;
            let is_new = String::from_utf8_lossy(&environment).contains(&format!("ROUND={round}"));
            (is_new && row.state == State::Ready).then_some(())
        });
    }
    supervised.stop();
}

/// Seen to fail without the forgetting of who has left.
#[test]
fn g_a_hundred_reloads_leave_nothing_behind() {
    let shape = |round: u32| {
        let keys = format!("environment = {{ ROUND = \"{round}\" }}");
        [plain("steady"), worker("changed", &keys, ""), plain(&format!("passing{round}"))].concat()
    };
    let mut supervised = run!(&shape(0));
    let before = up(&supervised, ["steady"]);
    let count = |what: &str| {
        let path = format!("/proc/{}/{what}", supervised.process().0);
        fs::read_dir(path).expect("the supervisor runs").count()
    };
    let memory = || supervised.process().held_bytes();
    let mut after_ten = (0, 0);
    for round in 1..=100 {
        supervised.rewrite(&shape(round));
        // Ten at once and five a second is as often as it may be.
        supervised.journal().wait_until("another reload", |_| {
            let told = supervised.control().order_with_words(RELOAD, Duration::from_secs(50));
            let (text, outcome) = told.expect("an answer");
            assert!(outcome == Outcome::Done || text.contains("too many reloads"), "{outcome:?}: {text}");
            (outcome == Outcome::Done).then_some(())
        });
        if round == 10 {
            after_ten = (count("fd"), memory());
        }
    }
    supervised.wait_for_life("changed", 101);
    assert_eq!(pids(&supervised, ["steady"]), before);
    assert_eq!(names(&supervised).len(), 3);
    // Connections of the test that it has not seen the end of yet are no leak.
    supervised
        .journal()
        .wait_until("as many descriptors as before", |_| (count("fd") <= after_ten.0).then_some(()));
    let held = memory();
    assert!(held < after_ten.1 + (1 << 20), "{held} bytes after 100, {} bytes after 10 reloads", after_ten.1);
    supervised.stop();
}

/// Seen to fail without the watch over files; the executable that is held open; the opening anew by order.
#[test]
fn g9_a_replaced_executable_is_shown_and_the_same_build_returns_until_an_operator_restarts() {
    let mut supervised = run!(&[plain("a"), plain("b")].concat());
    let program = supervised.path().join("tw");
    up(&supervised, ["a", "b"]);
    let old = fs::metadata(format!("/proc/{}/exe", supervised.pid("a").0)).unwrap().ino();
    assert!(!supervised.worker("a").signs.binary_changed);
    replace_program(&program);
    let changed = |row: &Row| row.signs.binary_changed.then_some(());
    ["a", "b"].iter().for_each(|name| supervised.wait_for_worker(name, "outdated", changed));
    supervised.pid("a").signal(Signal::SIGKILL);
    supervised.wait_for_life("a", 2);
    assert_eq!(fs::metadata(format!("/proc/{}/exe", supervised.pid("a").0)).unwrap().ino(), old);
    assert!(supervised.worker("a").signs.binary_changed, "it runs what it ran");
    supervised.order(Verb::Restart, "a");
    assert!(!supervised.worker("a").signs.binary_changed);
    let new = fs::metadata(format!("/proc/{}/exe", supervised.pid("a").0)).unwrap().ino();
    assert_eq!(new, fs::metadata(&program).unwrap().ino());
    assert!(supervised.worker("b").signs.binary_changed, "nobody restarted b");
    supervised.stop();
}

/// Seen to fail without the executable that is held open; the sign when that fails.
#[test]
fn g9_a_worker_whose_executable_was_deleted_comes_back_also_by_order() {
    let mut supervised = run!(&plain("a"));
    up(&supervised, ["a"]);
    fs::remove_file(supervised.path().join("tw")).unwrap();
    supervised.wait_for_worker("a", "outdated", |row| row.signs.binary_changed.then_some(()));
    supervised.pid("a").signal(Signal::SIGKILL);
    supervised.wait_for_life("a", 2);
    let seen = supervised.journal().len();
    supervised.order(Verb::Restart, "a");
    supervised.wait_for_life("a", 3);
    supervised.journal().wait_for(seen, "No such file");
    assert!(supervised.worker("a").signs.binary_changed);
    supervised.stop();
}
