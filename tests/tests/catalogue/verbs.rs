//! The command line over a running system: verbs, exit codes, what is printed; and what its clients cannot do to it.

use std::collections::BTreeSet;
use std::time::Duration;

use bailiwick_supervisor::control::{Cause, Client, NEXT_EVENT, State, Verb};
use bailiwick_tests::harness::{Stopwatch, Supervised};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Cli, plain, worker};

const FAILS: &str = "backoff = { first = \"20s\", cap = \"30s\" }";

/// Seen to fail without the stop of who pauses; the memory of the order to stop.
#[test]
fn b14_who_was_stopped_while_it_flapped_stays_stopped() {
    // Each pauses about as long as it lives.
    let keys =
        "instances = 4\nbackoff = { first = \"60ms\", base = \"60ms\", cap = \"60ms\" }\ngroup = \"g\"";
    let group = "[group.g]\nmax_restarts = 10000\n";
    let manifest = [group, &worker("flap", keys, "exit = 1, after_ms = 1"), &plain("calm")].concat();
    let mut supervised = run!(&manifest);
    supervised.wait_for_worker("flap", "restarted twice", |row| (row.restarts >= 2).then_some(()));
    let cli = Cli::of(&supervised);
    assert_eq!(cli.run(&["stop", "flap"]).code, 0);
    let after = supervised.status();
    // Whatever may still come of it comes before a life that begins later is over.
    for generation in 2..4 {
        supervised.order(Verb::Restart, "calm");
        supervised.wait_for_life("calm", generation);
    }
    for row in supervised.status().workers.iter().filter(|row| row.name == "flap") {
        let before =
            after.workers.iter().find(|before| before.instance == row.instance).expect("it was there");
        assert_eq!((row.state, row.generation, row.pid), (State::Stopped, before.generation, None));
    }
    supervised.stop();
}

/// Seen to fail without the memory of the order to stop; the worker's heed of SIGTERM.
#[test]
fn a_kill_is_final_and_another_signal_is_not() {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    let cli = Cli::of(&supervised);
    assert_eq!(cli.run(&["kill", "--signal", "TERM", "a"]).code, 0);
    let second = supervised.wait_for_life("a", 2);
    // A worker takes SIGTERM for an order to stop; one that the supervisor did not give is followed by a restart.
    assert!(matches!(second.last_cause, Some(Cause::Exit(_) | Cause::Signal(15))), "{second:?}");
    let killed = cli.run(&["kill", "a"]);
    assert_eq!(killed.code, 0, "{}", killed.messages);
    let row = supervised.worker("a");
    assert_eq!((row.state, row.pid, row.last_cause), (State::Stopped, None, Some(Cause::Stopped)));
    supervised.stop();
}

/// Seen to fail without the look whether there is a process.
#[test]
fn a_signal_for_who_has_no_process_is_refused() {
    let mut supervised = run!(&[plain("a"), worker("b", "instances = 2", "")].concat());
    supervised.wait_for_life("a", 1);
    supervised.wait_for_worker("b", "ready", |row| (row.state == State::Ready).then_some(()));
    let cli = Cli::of(&supervised);
    assert_eq!(cli.run(&["stop", "a", "b.2"]).code, 0);
    for name in ["a", "b.2"] {
        let refused = cli.run(&["kill", "--signal", "USR1", name]);
        assert_eq!(refused.code, 1, "{}", refused.messages);
        assert!(refused.messages.contains("it has no process"), "{}", refused.messages);
    }
    assert_eq!(cli.run(&["kill", "--signal", "CONT", "b"]).code, 0, "the other instance has one");
    assert_eq!(cli.run(&["kill", "a"]).code, 0, "nothing is left of it, as was ordered");
    supervised.stop();
}

/// Seen to fail without the reset.
#[test]
fn reset_forgets_what_the_budget_has_spent() {
    let group = "[group.few]\nmax_restarts = 1\nperiod = \"60s\"\non_exhausted = \"fail\"\n";
    let mut supervised = run!(&[group, &worker("a", "group = \"few\"", "exit_early = 1")].concat());
    let failed = supervised.wait_for_state("a", State::Failed);
    assert_eq!((failed.budget_left, failed.group.as_str()), (0, "few"));
    let cli = Cli::of(&supervised);
    let refused = cli.run(&["start", "a"]);
    assert_eq!(refused.code, 1, "{}", refused.messages);
    assert!(refused.messages.contains("it is given up"), "{}", refused.messages);
    let shown = cli.run(&["status", "a"]);
    assert!(
        shown.data.contains("given up: restart budget spent: exit code 1, 1/1 restarts"),
        "{}",
        shown.data
    );
    assert_eq!(cli.run(&["wait", "a"]).code, 3);
    assert_eq!(cli.run(&["wait", "a", "--for", "stopped"]).code, 1, "the worker's own exit code");
    assert_eq!(cli.run(&["reset", "a"]).code, 0);
    assert_eq!(supervised.worker("a").budget_left, 1);
    supervised.stop();
}

/// Seen to fail without the drain without end.
#[test]
fn drain_lets_everything_be_finished_and_stops() {
    let hurried = worker("a", "drain_timeout = \"50ms\"\nstop_timeout = \"300ms\"", "");
    let pilot = "[worker.pilot]\nexec = \"tw\"\n\
         actor.flight = { type = \"Pilot\", args = { target = \"a\", hold_ms = 1000, rounds = 1 } }\n\
         [[grant]]\nfrom = \"pilot\"\nto = \"a\"\n";
    let mut supervised = run!(&(hurried + pilot));
    supervised.journal().wait_for(0, "holds an ask");
    assert_eq!(Cli::of(&supervised).run(&["drain", "a"]).code, 0);
    assert_eq!(supervised.worker("a").state, State::Stopped);
    supervised.journal().wait_for(0, "ask 1 of a ok");
    supervised.stop();
}

/// Seen to fail without the waiting.
#[test]
fn wait_answers_when_it_is_so_and_not_before() {
    let manifest =
        worker("slow", "", "ready_after_ms = 300") + &worker("bad", FAILS, "exit = 7, after_ms = 1");
    let mut supervised = run!(&manifest);
    drop(supervised.control());
    let cli = Cli::of(&supervised);
    assert_eq!(cli.run(&["wait", "slow"]).code, 0);
    assert_eq!(supervised.worker("slow").state, State::Ready);
    supervised.wait_for_state("bad", State::Backoff);
    let late = cli.run(&["wait", "bad", "--timeout", "200ms"]);
    assert_eq!(late.code, 6, "{}", late.messages);
    assert_eq!(cli.run(&["stop", "bad"]).code, 0);
    assert_eq!(cli.run(&["wait", "bad", "--for", "stopped"]).code, 7);
    supervised.stop();
}

/// Seen to fail without the news while an order is carried out.
#[test]
fn an_order_tells_what_happens_meanwhile_unless_it_does_not_wait() {
    let mut supervised = run!(&worker("a", "", "ready_after_ms = 100"));
    supervised.wait_for_life("a", 1);
    let cli = Cli::of(&supervised);
    let told = cli.run(&["restart", "a"]);
    assert_eq!((told.code, told.data.as_str()), (0, ""));
    for step in ["ready -> draining", "starting -> ready", "restart a: done"] {
        assert!(told.messages.contains(step), "{step}: {}", told.messages);
    }
    assert_eq!(supervised.worker("a").generation, 2);
    let told = cli.run(&["restart", "a", "--no-wait"]);
    assert_eq!((told.code, told.messages.as_str()), (0, "restart a: ordered\n"));
    supervised.wait_for_life("a", 3);
    supervised.stop();
}

/// Seen to fail without the bound of its places.
#[test]
fn a_pool_is_scaled_as_far_as_it_has_places() {
    let group = "[group.pool]\nstrategy = \"pool\"\n";
    let keys = "group = \"pool\"\ninstances = 1\nmax_children = 3";
    let mut supervised = run!(&[group, &worker("w", keys, ""), &plain("other")].concat());
    supervised.wait_for_life("w.1", 1);
    let cli = Cli::of(&supervised);
    assert_eq!(cli.run(&["scale", "pool", "3"]).code, 0);
    for member in ["w.2", "w.3"] {
        supervised.wait_for_life(member, 1);
    }
    assert_eq!(cli.run(&["scale", "w", "1"]).code, 0);
    let members = |supervised: &Supervised| {
        let rows = supervised.status().workers;
        rows.into_iter().filter(|row| row.name == "w" && row.pid.is_some()).count()
    };
    supervised.journal().wait_until("one member", |_| (members(&supervised) == 1).then_some(()));
    for (arguments, code) in
        [(["scale", "w", "4"], 1), (["scale", "other", "2"], 1), (["scale", "wob", "1"], 4)]
    {
        let refused = cli.run(&arguments);
        assert_eq!(refused.code, code, "{arguments:?}: {}", refused.messages);
    }
    assert_eq!(members(&supervised), 1);
    supervised.stop();
}

/// Seen to fail without the cause in the event.
#[test]
fn what_happened_is_told_in_order_with_states_causes_and_both_clocks() {
    let mut supervised = run!(&worker("a", "", ""));
    supervised.wait_for_life("a", 1);
    supervised.pid("a").signal(Signal::SIGKILL);
    supervised.wait_for_life("a", 2);
    let cli = Cli::of(&supervised);
    let document = cli.json(&["events", "--json"]);
    let events = document["events"].as_array().expect("a list");
    let of_kind = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    let states: Vec<_> =
        of_kind("state").iter().map(|event| event["to"].as_str().expect("a state")).collect();
    assert_eq!(states.iter().filter(|state| **state == "ready").count(), 2, "{states:?}");
    let [ended] = of_kind("ended")[..] else { panic!("one end: {document}") };
    assert_eq!((&ended["cause"], &ended["generation"]), (&"SIGKILL from outside".into(), &1.into()));
    let numbers: Vec<_> = events.iter().map(|event| event["number"].as_u64().expect("a number")).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
    let clock = |event: &Value| event["time_mono_ns"].as_u64().expect("a number");
    assert!(events.windows(2).all(|pair| clock(&pair[0]) <= clock(&pair[1])));
    assert!(events.iter().all(|event| event["time"].as_str().is_some_and(|time| time.ends_with('Z'))));
    supervised.stop();
}

/// Seen to fail without the answer as soon as something happens.
#[test]
fn whoever_follows_is_told_at_once() {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    let client = supervised.control();
    let seen = client.status().expect("it answers").supervisor.last_event;
    let follower = supervised.control();
    let stopwatch = Stopwatch::start();
    let told = std::thread::spawn(move || follower.events(seen, Duration::from_secs(30)));
    supervised.order(Verb::Stop, "a");
    let told = told.join().expect("it did not panic").expect("the supervisor answers");
    assert_eq!(told.first().map(|event| event.number), Some(seen + 1), "{told:?}");
    stopwatch.assert_within(Duration::from_secs(5), "the news");
    assert!(client.events(NEXT_EVENT, Duration::from_millis(50)).expect("it answers").is_empty());
    supervised.stop();
}

/// Seen to fail without the bound of connections.
#[test]
fn clients_that_wait_or_do_not_read_are_in_nobodys_way() {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    let before = supervised.process().held_bytes();
    let idlers: Vec<_> = (0..100).map(|_| idler(&supervised)).collect();
    for _ in 0..20 {
        let stopwatch = Stopwatch::start();
        assert_eq!(supervised.status().workers.len(), 1);
        stopwatch.assert_within(Duration::from_millis(500), "the status");
    }
    // Before anything happens, which is what they wait for and leave after.
    assert!(supervised.process().descriptors().len() < 60, "connections are let go");
    supervised.order(Verb::Restart, "a");
    let grown = supervised.process().held_bytes().saturating_sub(before);
    assert!(grown < 4 << 20, "grown by {grown} bytes");
    drop(idlers);
    supervised.stop();
}

/// A client that waits for what does not happen, and reads nothing.
fn idler(supervised: &Supervised) -> std::thread::JoinHandle<()> {
    let client: Client = supervised.control();
    std::thread::spawn(move || drop(client.events(NEXT_EVENT, Duration::from_secs(3600))))
}

/// Seen to fail without the look where output goes.
#[test]
fn h11_what_no_person_reads_is_plain_and_whole() {
    let long = "a-worker-with-a-name-that-is-longer-than-a-narrow-terminal-is";
    let mut supervised = run!(&[worker(long, FAILS, "exit = 1, after_ms = 1"), plain("b")].concat());
    supervised.wait_for_state(long, State::Backoff);
    supervised.wait_for_life("b", 1);
    let cli = Cli::of(&supervised);
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("COLUMNS", "40"), ("CLICOLOR_FORCE", "0")] {
        let cli = cli.with(name, value);
        for verb in
            [&["status"][..], &["status", "b"], &["tree"], &["events"], &["status", "wob"], &["--help"]]
        {
            let shown = cli.run(verb);
            let text = shown.data + &shown.messages;
            assert!(!text.contains('\u{1b}'), "{name}={value} {verb:?}: {text}");
        }
        assert!(cli.run(&["status"]).data.contains(long), "{name}={value}");
        for verb in [&["status", "--json"][..], &["tree", "--json"], &["events", "--json"]] {
            let document = cli.with("CLICOLOR_FORCE", "1").json(verb);
            assert_eq!(document["schema_version"], 1, "{verb:?}");
            assert!(document.to_string().contains(long), "{verb:?}: {document}");
        }
    }
    assert!(cli.with("CLICOLOR_FORCE", "1").run(&["status"]).data.contains('\u{1b}'));
    let detail = cli.with("COLUMNS", "40").json(&["status", "--json"])["workers"][0]["detail"].clone();
    let detail = detail.as_str().expect("a text").to_owned();
    assert!(detail.starts_with("next start in ") && detail.contains("exit code 1, 1/5 restarts"), "{detail}");
    supervised.stop();
}

/// Seen to fail without the exit code for no supervisor.
#[test]
fn h12_without_a_supervisor_it_exits_5_and_names_the_path() {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    let cli = Cli::of(&supervised);
    assert_eq!(cli.run(&["stop", "--all"]).code, 0);
    supervised.wait();
    let socket = supervised.state_dir().join("control.sock").display().to_string();
    for verb in [&["status"][..], &["status", "--json"], &["restart", "a"], &["events", "-f"], &["wait", "a"]]
    {
        let failed = cli.run(verb);
        assert_eq!((failed.code, failed.data.as_str()), (5, ""), "{verb:?}");
        assert!(failed.messages.contains(&socket), "{}", failed.messages);
    }
}

/// Seen to fail without the look for the nearest name.
#[test]
fn an_unknown_name_is_answered_by_the_nearest_and_nothing_is_done() {
    let mut supervised = run!(&[plain("web"), plain("db")].concat());
    let pids = ["web", "db"].map(|name| supervised.wait_for_life(name, 1).pid);
    let cli = Cli::of(&supervised);
    for verb in ["stop", "restart", "kill", "drain", "reset", "wait", "status"] {
        let failed = cli.run(&[verb, "db", "wbe"]);
        assert_eq!(failed.code, 4, "{verb}: {}", failed.messages);
        assert!(failed.messages.contains("did you mean `web`?"), "{}", failed.messages);
    }
    assert_eq!(["web", "db"].map(|name| supervised.worker(name).pid), pids);
    supervised.stop();
}

/// Seen to fail without the last lines.
#[test]
fn status_of_one_shows_how_it_ended_last() {
    let rests = "backoff = { first = \"100s\", cap = \"200s\" }";
    let mut supervised = run!(&[worker("a", rests, "say = \"last word\", exit = 42"), plain("b")].concat());
    supervised.wait_for_crash("a", 1);
    supervised.wait_for_state("a", State::Backoff);
    let cli = Cli::of(&supervised);
    let shown = cli.run(&["status", "a"]).data;
    let (crash, printed) =
        shown.split_once("\nlast crash: ").expect("it is told").1.split_once("\n  | ").expect("lines");
    let lines: Vec<_> = crash.lines().collect();
    assert!(lines[0].ends_with(", a#1"), "{shown}");
    assert!(lines[1].starts_with("  why: exit code 42"), "{shown}");
    assert!(lines[2].starts_with("  follows: restarts in ") && lines[2].contains("restarts left"), "{shown}");
    assert!(printed.contains("last word"), "{shown}");
    assert_eq!(cli.json(&["status", "a", "--json"])["last_crash"]["exit_code"], 42);
    assert!(!cli.run(&["status", "b"]).data.contains("last crash"));
    assert!(cli.json(&["status", "b", "--json"]).get("last_crash").is_none());
    supervised.stop();
}

/// Seen to fail without the last lines; the groups in the tree; the groups within groups.
#[test]
fn status_of_one_shows_what_it_printed_last_and_the_tree_shows_its_group() {
    let groups = "[group.outer]\n[group.inner]\ngroup = \"outer\"\n";
    let talker = worker("talker", "group = \"inner\"", "say = \"hello there\"");
    let mut supervised = run!(&[groups, &talker].concat());
    supervised.wait_for_life("talker", 1);
    supervised.journal().wait_for(0, "hello there");
    let cli = Cli::of(&supervised);
    let shown = cli.run(&["status", "talker"]);
    assert!(shown.data.contains("\n  | ") && shown.data.contains("hello there"), "{}", shown.data);
    let document = cli.json(&["tree", "--json"]);
    let inner = &document["groups"]["outer"]["groups"]["inner"];
    assert_eq!(inner["workers"][0]["name"], "talker", "{document}");
    let keys: BTreeSet<_> = document.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, BTreeSet::from(["groups", "schema_version", "system", "time", "workers"]));
    supervised.stop();
}
