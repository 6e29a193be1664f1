//! What the command line asks the admin worker: `metrics` and `tree --actors`, where there is one, none, or one that is down.

use std::process::{Command, Stdio};

use bailiwick_supervisor::control::{Outcome, ReloadMode, State, Verb};
use bailiwick_tests::harness::{Process, Supervised, wait_until};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use serde_json::Value;

const WORKERS: &str = r#"
[worker.clerk]
exec = "tw"
actor.book = { type = "Clerk", args = {} }
[worker.sender]
exec = "tw"
needs = ["clerk"]
actor.courier = { type = "Sender", args = { target = "clerk", asks = 2, every_ms = 1 } }
[[grant]]
from = "sender"
to = "clerk"
"#;

fn system(admin: &str) -> Supervised {
    let exec = env!("CARGO_BIN_EXE_bailiwick-under-test");
    let supervised = run!(&format!("[admin]\n{admin}\nexec = {exec:?}\n{WORKERS}"));
    supervised.wait_for_life("admin", 1);
    supervised.wait_for_life("sender", 1);
    supervised
}

/// Runs a command about a system; returns its exit code, its data and its messages.
fn bailiwick(supervised: &Supervised, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
    command.args(arguments).arg("--state-dir").arg(supervised.state_dir()).stdin(Stdio::null());
    let output = command.output().expect("it can be executed");
    let text = |bytes| String::from_utf8(bytes).expect("output is text");
    (output.status.code().expect("no signal ended it"), text(output.stdout), text(output.stderr))
}

/// Returns what a command printed that succeeded.
fn printed(supervised: &Supervised, arguments: &[&str]) -> String {
    let (code, data, messages) = bailiwick(supervised, arguments);
    assert_eq!((code, &*messages), (0, ""), "{arguments:?}: {data}");
    data
}

/// Seen to fail without the choice by name.
#[test]
fn what_is_measured_is_printed_and_actors_stand_below_their_workers() {
    let supervised = system("tcp = \"127.0.0.1:0\"");
    let handled = "bailiwick_messages_processed_total{worker=\"clerk\",instance=\"1\",type=\"Clerk\"} ";
    wait_until("messages that were handled", || {
        let text = printed(&supervised, &["metrics", "messages_processed"]);
        text.lines().any(|line| line.strip_prefix(handled).is_some_and(|count| count != "0"))
    });
    let all = printed(&supervised, &["metrics"]);
    assert!(all.contains("# TYPE bailiwick_worker_ready gauge\n"), "{all}");
    let only = printed(&supervised, &["metrics", "worker_ready"]);
    assert!(only.lines().all(|line| line.contains("bailiwick_worker_ready")), "{only}");
    assert!(only.contains("bailiwick_worker_ready{worker=\"clerk\",instance=\"1\"} 1\n"), "{only}");
    let document: Value =
        serde_json::from_str(&printed(&supervised, &["metrics", "mailbox_depth_max", "--json"]))
            .expect("it is a document");
    let metric = &document["metrics"][0];
    assert_eq!((&document["schema_version"], &metric["type"]), (&1.into(), &"gauge".into()));
    assert!(metric["samples"].as_array().is_some_and(|all| all.len() == 2), "{metric}");
    let (code, _, messages) = bailiwick(&supervised, &["metrics", "mialbox"]);
    assert_eq!(code, 4, "{messages}");

    let tree = printed(&supervised, &["tree", "--actors"]);
    assert!(tree.contains("clerk ready, pid ") && tree.contains(" Clerk: actors 1, handled "), "{tree}");
    let document: Value =
        serde_json::from_str(&printed(&supervised, &["tree", "--actors", "-n", "1", "--json"]))
            .expect("it is a document");
    let clerk = &document["workers"][0];
    assert_eq!((&clerk["name"], &clerk["actors"]["actors"][0]["actor"]), (&"clerk".into(), &"book".into()));
    assert_eq!(document["groups"]["admin"]["workers"][0]["actors"], Value::Null, "nobody asks who asks");
    let status = printed(&supervised, &["status"]);
    let address = supervised.status().admin.expect("it serves");
    assert!(status.contains(&format!("\nadmin       http://{address}/\n")), "{status}");
}

/// Seen to fail without the socket by path.
#[test]
fn it_is_asked_at_a_unix_socket_as_well_and_waited_for_between_two_lives() {
    let supervised = system("unix = \"admin.sock\"");
    let path = supervised.status().admin.expect("it serves");
    assert!(path.ends_with("/admin.sock"), "{path}");
    let life = supervised.wait_for_life("admin", 1);
    Process(life.pid.expect("it is ready")).signal(Signal::SIGKILL);
    // Its connection waits with the supervisor until the next life takes it.
    assert!(
        printed(&supervised, &["metrics", "supervisor_running"]).contains("bailiwick_supervisor_running 1\n")
    );
    assert!(printed(&supervised, &["status"]).contains(&format!("\nadmin       {path}  (a Unix socket)\n")));
}

/// Seen to fail without the look at its state.
#[test]
fn who_is_down_or_was_never_wanted_is_told_of_with_what_to_do() {
    let supervised = system("tcp = \"127.0.0.1:0\"");
    supervised.order(Verb::Stop, "admin");
    supervised.wait_for_state("admin", State::Stopped);
    for arguments in [&["metrics"][..], &["tree", "--actors"]] {
        let (code, data, messages) = bailiwick(&supervised, arguments);
        assert_eq!((code, &*data), (5, ""), "{messages}");
        assert!(messages.contains("the admin worker does not run; it is stopped: "), "{messages}");
        assert!(messages.contains("`bailiwick start admin` starts it"), "{messages}");
    }
    assert!(printed(&supervised, &["tree"]).contains("admin stopped"), "what needs no admin worker goes on");
    let without = run!(WORKERS);
    without.wait_for_life("sender", 1);
    for arguments in [&["metrics", "--json"][..], &["tree", "--actors", "--json"]] {
        let (code, data, messages) = bailiwick(&without, arguments);
        assert_eq!((code, &*data), (1, ""), "{messages}");
        assert!(messages.contains("has no admin worker"), "{messages}");
        assert!(messages.contains("add `[admin]` with `tcp = \"127.0.0.1:9464\"` to /"), "{messages}");
    }
    assert!(!printed(&without, &["status"]).contains("\nadmin "));
}

/// Waits until a metric has this sample, with its value.
fn shows(supervised: &Supervised, name: &str, sample: &str) {
    let line = format!("bailiwick_{name}{sample}");
    wait_until(&line, || printed(supervised, &["metrics", name]).lines().any(|found| found == line));
}

/// Seen to fail with a plan that counts.
#[test]
fn reloads_budgets_that_did_not_do_and_descriptors_are_counted() {
    let exec = env!("CARGO_BIN_EXE_bailiwick-under-test");
    let manifest = |more: &str| {
        format!(
            "[admin]\ntcp = \"127.0.0.1:0\"\nexec = {exec:?}\n[group.frail]\nmax_restarts = 0\non_exhausted = \"fail\"\n\
             [worker.vase]\nexec = \"tw\"\ngroup = \"frail\"\nactor.life = {{ type = \"Life\", args = {{}} }}\n{more}"
        )
    };
    let supervised = run!(&manifest(""));
    supervised.wait_for_life("admin", 1);
    let pid = supervised.wait_for_life("vase", 1).pid.expect("it is ready");
    let of_vase = |name: &str| {
        let text = printed(&supervised, &["metrics", name]);
        let start = format!("bailiwick_{name}{{worker=\"vase\",instance=\"1\"}} ");
        let value =
            text.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{text}"));
        value.parse::<u32>().expect("a number")
    };
    // Its streams, its tie to the supervisor, the executor's, and the link by which it is asked.
    assert!((8..64).contains(&of_vase("worker_descriptors")), "{}", of_vase("worker_descriptors"));
    assert_eq!(of_vase("worker_descriptors_max"), 256);
    Process(pid).signal(Signal::SIGKILL);
    supervised.wait_for_state("vase", State::Failed);
    shows(&supervised, "escalations_total", "{group=\"frail\",action=\"fail\"} 1");

    for (mode, more, expected) in [
        (ReloadMode::Plan, "", Outcome::Done),
        (ReloadMode::Narrow, "nonsense = 1\n", Outcome::InvalidManifest),
        (ReloadMode::Narrow, "privileged = true\n", Outcome::Refused),
    ] {
        assert_eq!(supervised.reload(Verb::Reload(mode), &manifest(more)).1, expected, "{more}");
    }
    shows(&supervised, "reloads_total", "{outcome=\"invalid\"} 1");
    shows(&supervised, "reloads_total", "{outcome=\"refused\"} 1");
    shows(&supervised, "reloads_total", "{outcome=\"done\"} 0");
    shows(&supervised, "config_last_reload_successful", " 0");
    let done = supervised.reload(Verb::Reload(ReloadMode::Narrow), &manifest("stop_timeout = \"9s\"\n"));
    assert_eq!(done.1, Outcome::Done, "{}", done.0);
    shows(&supervised, "reloads_total", "{outcome=\"done\"} 1");
    shows(&supervised, "config_last_reload_successful", " 1");
}
