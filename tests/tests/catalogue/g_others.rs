//! G. What a reload does to those around the workers that change: pools, workers on demand, foreign programs, other
//! orders, and whoever started the supervisor.

use std::fs;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;

use bailiwick_supervisor::control::{ClientError, Outcome, Row, State, Target, Verb};
use bailiwick_tests::harness::{Ended, LONGEST, Process, Stopwatch, Supervised, needs_root};
use bailiwick_tests::run;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use crate::g_reload::{RELOAD, pids, reload, up};
use crate::h_surroundings::Superior;
use crate::support::{foreign, plain, worker};

/// A pool whose template says so, and somebody outside of it.
fn pool(size: &str) -> String {
    let template = worker("a", &format!("group = \"crowd\"\n{size}"), "");
    ["[group.crowd]\nstrategy = \"pool\"\n", &template, &plain("b")].concat()
}

fn scale(supervised: &Supervised, members: u16) -> Outcome {
    let pool = Target::Worker("crowd".to_owned());
    supervised.control().order(Verb::Scale(members), pool, LONGEST).expect("it is answered")
}

fn members(supervised: &Supervised) -> Vec<Row> {
    supervised.status().workers.into_iter().filter(|row| row.name == "a").collect()
}

/// Waits until so many members are ready, and none beside.
fn wait_for_members(supervised: &Supervised, count: usize) {
    supervised.journal().wait_until(&format!("{count} members"), |_| {
        let members = members(supervised);
        (members.len() == count && members.iter().all(|row| row.state == State::Ready)).then_some(())
    });
}

/// Seen to fail without the scaling by the manifest.
#[test]
fn g_a_pool_is_scaled_by_the_manifest_and_whoever_stays_keeps_its_process() {
    let mut supervised = run!(&pool("instances = 2\nmax_children = 4"));
    let first = up(&supervised, ["a.1", "a.2", "b"]);
    let text = reload(&supervised, &pool("instances = 4\nmax_children = 4"));
    assert_eq!(text, "hot\ta\tinstances\nunchanged\tb\t\n");
    wait_for_members(&supervised, 4);
    assert_eq!(pids(&supervised, ["a.1", "a.2", "b"]), first);
    reload(&supervised, &pool("instances = 1\nmax_children = 4"));
    wait_for_members(&supervised, 1);
    assert_eq!(pids(&supervised, ["a.1", "b"]), [first[0], first[2]]);
    // What an operator scaled stays when the manifest says something else of other things.
    assert_eq!(scale(&supervised, 3), Outcome::Done);
    wait_for_members(&supervised, 3);
    reload(&supervised, &pool("instances = 1\nmax_children = 4\nstop_timeout = \"7s\""));
    wait_for_members(&supervised, 3);
    supervised.stop();
}

/// Seen to fail without the bound of its places.
#[test]
fn g_a_pool_whose_places_became_fewer_has_so_many_and_gets_them_back() {
    let mut supervised = run!(&[plain("first"), pool("instances = 3\nmax_children = 5")].concat());
    let first = up(&supervised, ["a.1", "a.2", "a.3"]);
    assert_eq!(
        reload(&supervised, &pool("instances = 2\nmax_children = 2")),
        "hot\ta\tinstances, max_children\nunchanged\tb\t\nremoved\tfirst\t\n"
    );
    wait_for_members(&supervised, 2);
    assert_eq!(scale(&supervised, 3), Outcome::Refused, "its third place is gone");
    assert_eq!(pids(&supervised, ["a.1", "a.2"]), first[..2]);
    // The next place is that of a worker that is gone and stood before all members.
    reload(&supervised, &pool("instances = 2\nmax_children = 5"));
    assert_eq!(scale(&supervised, 6), Outcome::Refused);
    assert_eq!(scale(&supervised, 5), Outcome::Done);
    wait_for_members(&supervised, 5);
    assert_eq!(pids(&supervised, ["a.1", "a.2"]), first[..2]);
    assert_eq!(scale(&supervised, 2), Outcome::Done);
    wait_for_members(&supervised, 2);
    assert_eq!(pids(&supervised, ["a.1", "a.2"]), first[..2], "the last to come are the first to go");
    supervised.stop();
}

/// Seen to fail without the return of who was leaving.
#[test]
fn g_an_instance_that_returns_while_it_goes_starts_again() {
    let instances = |count: u16| {
        let keys = format!("instances = {count}\ndrain_timeout = \"0s\"\nstop_timeout = \"20s\"");
        [worker("a", &keys, "stop_after_ms = 5000"), plain("b")].concat()
    };
    let mut supervised = run!(&instances(3));
    let first = up(&supervised, ["a.1", "a.2", "a.3"]);
    supervised.rewrite(&instances(2));
    // Whoever orders it does not wait for the end of what goes, so that the next order comes before that.
    let told = supervised.control().order_with_words(RELOAD, Duration::from_secs(2));
    let (text, outcome) = told.expect("an answer");
    assert_eq!(
        (text.as_str(), outcome),
        ("hot\ta\tinstances\nunchanged\tb\t\nresult\ta.3\tnot yet\n", Outcome::TimedOut)
    );
    assert_eq!(supervised.worker("a.3").state, State::Stopping);
    assert_eq!(reload(&supervised, &instances(3)), "hot\ta\tinstances\nunchanged\tb\t\n");
    supervised.wait_for_worker("a.3", "back", |row| {
        (row.state == State::Ready && row.pid != first[2]).then_some(())
    });
    assert_eq!(pids(&supervised, ["a.1", "a.2"]), first[..2]);
    supervised.stop();
}

/// A worker that starts when `pilot` asks it, with these keys.
fn on_demand(keys: &str, course: &str) -> String {
    let pilot = format!(
        "[worker.pilot]\nexec = \"tw\"\n\
         actor.flight = {{ type = \"Pilot\", args = {{ target = \"probe\", {course} }} }}\n\
         [[grant]]\nfrom = \"pilot\"\nto = \"probe\"\n"
    );
    worker("probe", &format!("start = \"on_demand\"\n{keys}"), "") + &pilot
}

/// Seen to fail without the sandbox that is made anew; the wait for the first message.
#[test]
fn g_a_worker_on_demand_that_sleeps_takes_up_what_changed_and_sleeps_on() {
    let never = "who = 1, rounds = 1, first_ms = 100000000";
    let mut supervised = run!(&[on_demand("", never), plain("b")].concat());
    let before = up(&supervised, ["pilot", "b"]);
    let changed = [on_demand("environment = { NEW = \"1\" }", never), plain("b")].concat();
    let text = reload(&supervised, &changed);
    assert_eq!(text, "restarted\tprobe\tenvironment\nunchanged\tpilot\t\nunchanged\tb\t\n");
    let row = supervised.worker("probe");
    assert_eq!((row.pid, row.generation, row.state), (None, 0, State::Waiting));
    assert_eq!(pids(&supervised, ["pilot", "b"]), before);
    supervised.order(Verb::Start, "probe");
    let environment =
        fs::read(format!("/proc/{}/environ", supervised.pid("probe").0)).expect("we may read it");
    assert!(String::from_utf8_lossy(&environment).contains("NEW=1"));
    supervised.stop();
}

/// Seen to fail without the difference of a worker that is added from one that an operator starts.
#[test]
fn g_a_worker_on_demand_that_is_added_starts_for_the_first_ask() {
    let mut supervised = run!(&plain("b"));
    let before = up(&supervised, ["b"]);
    let added = [plain("b"), on_demand("", "who = 1, rounds = 3, first_ms = 2000")].concat();
    let (text, outcome) = supervised.reload(crate::g_reload::WIDENING, &added);
    assert_eq!(outcome, Outcome::Done, "{text}");
    supervised.wait_for_life("pilot", 1);
    let row = supervised.worker("probe");
    assert_eq!((row.pid, row.generation, row.state), (None, 0, State::Waiting), "nobody wants it yet");
    supervised.journal().wait_for(0, "ask 3 of probe ok");
    assert_eq!(supervised.wait_for_life("probe", 1).generation, 1);
    assert_eq!(pids(&supervised, ["b"]), before);
    supervised.stop();
}

/// Seen to fail without the restart for what changed; terms that need no restart.
#[test]
fn g_a_foreign_program_restarts_for_other_arguments_and_for_nothing_else() {
    let program = |keys: &str, say: &str| {
        let keys = format!("notify = true\n{keys}");
        [foreign("a", &keys, &[say, "notify=READY=1", "wait"]), plain("b")].concat()
    };
    let mut supervised = run!(&program("", "say=one"));
    let before = up(&supervised, ["a", "b"]);
    let text = reload(&supervised, &program("stop_timeout = \"3s\"", "say=one"));
    assert_eq!(text, "hot\ta\tstop_timeout\nunchanged\tb\t\n");
    assert_eq!(pids(&supervised, ["a", "b"]), before);
    let text = reload(&supervised, &program("stop_timeout = \"3s\"", "say=two"));
    assert_eq!(text, "restarted\ta\targuments, notify, watchdog or stop_signal\nunchanged\tb\t\n");
    supervised.journal().wait_for(0, "a | two");
    assert_eq!((supervised.worker("a").generation, supervised.worker("a").restarts), (2, 0));
    assert_eq!(pids(&supervised, ["b"]), before[1..]);
    supervised.stop();
}

/// Seen to fail without the look for another reload.
#[test]
fn g_a_reload_while_another_is_under_way_is_refused_and_the_first_ends_as_it_would() {
    let slow = |knobs| {
        worker("a", "reload_timeout = \"4s\"\ndrain_timeout = \"0s\"\nstop_timeout = \"100ms\"", knobs)
    };
    let mut supervised = run!(&[slow(""), plain("b")].concat());
    let before = up(&supervised, ["a", "b"]);
    supervised.rewrite(&[slow("on_reload = \"never\""), plain("b")].concat());
    let control = supervised.control();
    let first = std::thread::spawn(move || control.order_with_words(RELOAD, Duration::from_secs(50)));
    supervised.wait_for_state("a", State::Reloading);
    let (text, outcome) = supervised.reload(RELOAD, &[slow(""), plain("c")].concat());
    assert_eq!((text.as_str(), outcome), ("refused\tanother reload is under way\n", Outcome::Refused));
    let (text, outcome) = first.join().expect("no panic").expect("an answer");
    assert_eq!(outcome, Outcome::TimedOut, "{text}");
    assert!(text.ends_with("result\ta\ttimeout\n"), "{text}");
    assert_eq!(pids(&supervised, ["a", "b"]), before, "what was refused changed nothing");
    // It is taken as soon as nothing else is.
    reload(&supervised, &[slow("on_reload = \"never\""), plain("c")].concat());
    supervised.stop();
}

type Answer = Result<(String, Outcome), ClientError>;

/// Orders a reload and holds the process that reads the manifest, from its first moment on and with its end.
fn held_reader(supervised: &Supervised) -> (JoinHandle<Answer>, Pid) {
    let supervisor = Pid::from_raw(supervised.process().0.cast_signed());
    // Its children are held as it is.
    let options = ptrace::Options::PTRACE_O_TRACEFORK | ptrace::Options::PTRACE_O_TRACEEXIT;
    ptrace::seize(supervisor, options).expect("root may trace it");
    let control = supervised.control();
    let order = std::thread::spawn(move || control.order_with_words(RELOAD, Duration::from_secs(5)));
    loop {
        let signal = match waitpid(supervisor, None).expect("it lives") {
            WaitStatus::PtraceEvent(_, _, nix::libc::PTRACE_EVENT_FORK) => {
                let child = ptrace::getevent(supervisor).expect("it is stopped");
                let child = Pid::from_raw(i32::try_from(child).expect("a pid fits"));
                let held = waitpid(child, None);
                assert!(matches!(held, Ok(WaitStatus::PtraceEvent(..))), "{held:?}");
                let files = Process(child.as_raw().cast_unsigned()).descriptors();
                if files.values().any(|file| file.contains("memfd:manifest")) {
                    ptrace::detach(supervisor, None).expect("it is stopped");
                    return (order, child);
                }
                // Who hashes an executable.
                ptrace::detach(child, None).expect("it is stopped");
                None
            }
            WaitStatus::Stopped(_, signal) => Some(signal),
            _ => None,
        };
        ptrace::cont(supervisor, signal).expect("it is stopped");
    }
}

/// Whoever reads the manifest gets its turn late on a busy machine, also to end. Here a debugger holds it at its end.
///
/// Seen to fail without the end of a reader that nobody waits for.
#[test]
fn g_a_reader_that_ends_late_holds_up_nobody_but_the_next_reload() {
    if needs_root("the supervisor's own process may be traced by root only") {
        return;
    }
    let mut supervised = run!(&[plain("a"), plain("b")].concat());
    up(&supervised, ["a", "b"]);
    let changed = [plain("a"), plain("c")].concat();
    supervised.rewrite(&changed);
    let (first, reader) = held_reader(&supervised);
    let (text, outcome) = first.join().expect("no panic").expect("an answer");
    assert_eq!(
        (text.as_str(), outcome),
        ("refused\tthe manifest was not read to its end\n", Outcome::TimedOut)
    );
    let stopwatch = Stopwatch::start();
    assert_eq!(supervised.workers().len(), 2);
    let (text, outcome) = supervised.reload(RELOAD, &changed);
    assert_eq!((text.as_str(), outcome), ("refused\tanother reload is under way\n", Outcome::Refused));
    stopwatch.assert_within(Duration::from_secs(1), "two answers while the reader ends");
    let event = waitpid(reader, None);
    assert!(matches!(event, Ok(WaitStatus::PtraceEvent(..))), "{event:?}");
    ptrace::detach(reader, None).expect("it is stopped");
    supervised.journal().wait_until("the next reload", |_| {
        (supervised.reload(RELOAD, &changed).1 == Outcome::Done).then_some(())
    });
    up(&supervised, ["a", "c"]);
    supervised.stop();
}

/// Seen to fail without the look whether everything stops.
#[test]
fn g_a_system_that_stops_takes_no_reload() {
    let manifest = worker("a", "drain_timeout = \"0s\"\nstop_timeout = \"40s\"", "stubborn = true");
    let mut supervised = run!(&manifest);
    up(&supervised, ["a"]);
    supervised.signal(Signal::SIGTERM);
    supervised.wait_for_state("a", State::Stopping);
    let (text, outcome) = supervised.reload(RELOAD, &[manifest, plain("b")].concat());
    assert_eq!((text.as_str(), outcome), ("", Outcome::ShuttingDown));
    supervised.process().signal(Signal::SIGHUP);
    supervised.journal().wait_for(0, "reload: refused the system is stopping");
    crate::support::kill(&supervised, "a");
    assert_eq!(supervised.wait(), Ended::Code(0));
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the end of a reload by a stop.
#[test]
fn g_a_stop_ends_a_reload_that_is_under_way() {
    let never = worker(
        "a",
        "reload_timeout = \"100s\"\ndrain_timeout = \"0s\"\nstop_timeout = \"100ms\"",
        "on_reload = \"never\"",
    );
    let mut supervised =
        run!(&worker("a", "reload_timeout = \"100s\"\ndrain_timeout = \"0s\"\nstop_timeout = \"100ms\"", ""));
    up(&supervised, ["a"]);
    supervised.rewrite(&never);
    let control = supervised.control();
    let first = std::thread::spawn(move || control.order_with_words(RELOAD, Duration::from_secs(50)));
    supervised.wait_for_state("a", State::Reloading);
    supervised.signal(Signal::SIGTERM);
    let (text, outcome) = first.join().expect("no panic").expect("an answer");
    assert_eq!(
        (text.as_str(), outcome),
        ("reconfigured\ta\tactor.args\nresult\ta\tnot yet\n", Outcome::ShuttingDown)
    );
    assert_eq!(supervised.wait(), Ended::Code(0));
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the look whether a reload is under way.
#[test]
fn g_whoever_started_the_supervisor_is_told_of_every_reload_also_of_one_that_restarts_nobody() {
    let superior = Superior::new("reload");
    let socket = format!("NOTIFY_SOCKET=@{}", superior.name);
    let mut supervised = run!(&["env", &socket], &worker("a", "", ""));
    while !superior.told().0.starts_with("READY=1") {}
    supervised.wait_for_life("a", 1);
    let hot = worker("a", "stop_timeout = \"7s\"", "");
    for manifest in [hot.as_str(), &hot, "this is no manifest", &hot] {
        supervised.rewrite(manifest);
        let asked = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("there is a clock");
        let asked = Duration::from(asked).as_micros();
        supervised.process().signal(Signal::SIGHUP);
        let begins = superior.told().0;
        let since =
            begins.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|rest| rest.split_once('\n'));
        let (since, status) = since.unwrap_or_else(|| panic!("no reload is told: {begins}"));
        // Whoever asked takes what began before for another reload.
        assert!(since.parse::<u128>().expect("microseconds") >= asked, "{begins}");
        assert_eq!(status, "STATUS=1/1 ready");
        assert_eq!(superior.told().0, "READY=1\nSTATUS=1/1 ready");
    }
    // One that takes a while is over when what it restarts is ready, and not before.
    supervised.rewrite(&worker("a", "environment = { NEW = \"1\" }", ""));
    supervised.process().signal(Signal::SIGHUP);
    let begins = superior.told().0;
    assert!(begins.starts_with("RELOADING=1\n"), "{begins}");
    assert_eq!(superior.told().0, "STATUS=0/1 ready");
    assert_eq!(superior.told().0, "READY=1\nSTATUS=1/1 ready");
    // To look is no reload.
    let (_, outcome) = supervised.reload(crate::g_reload::PLAN, &hot);
    assert_eq!(outcome, Outcome::Done);
    supervised.signal(Signal::SIGTERM);
    let next = superior.told().0;
    assert!(next.starts_with("STOPPING=1"), "{next}");
    assert_eq!(supervised.wait(), Ended::Code(0));
}

/// Seen to fail without the note that a reload was asked for.
#[test]
fn g_whoever_started_the_supervisor_is_told_of_a_reload_that_is_refused_at_once() {
    let superior = Superior::new("refused");
    let folder = Supervised::folder(env!("CARGO_BIN_EXE_shop"));
    let mut command = Command::new(folder.path().join("tw"));
    command.arg("stay").env("SHOP_STATE_DIR", folder.path().join("state"));
    command.env("NOTIFY_SOCKET", format!("@{}", superior.name));
    let mut supervised = Supervised::start(command, folder);
    while !superior.told().0.starts_with("READY=1") {}
    supervised.process().signal(Signal::SIGHUP);
    let begins = superior.told().0;
    assert!(begins.starts_with("RELOADING=1\n"), "{begins}");
    assert_eq!(superior.told().0, "READY=1\nSTATUS=2/2 ready");
    supervised.journal().wait_for(0, "reload: refused this system has no manifest");
    supervised.stop();
}
