//! The job runner runs commands of strangers: each ends as it should with a reason that is told, and the others go on.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use support::deployed::Deployed;
use support::program::WATCHDOG;

/// The limit of time that the tests set.
const SECONDS: u64 = 5;

/// How often a command is sent that is not run: a message that waits for one runner does not change to another.
const ATTEMPTS: usize = 5;

/// Starts it, unless only root could give its sandbox on every machine.
fn start(test: &str) -> Option<Deployed> {
    if !nix::unistd::geteuid().is_root() {
        // Not `eprintln!`, which the runner keeps to itself as long as the test passes.
        let why = format!("SKIPPED {test}: only root has a network namespace for each worker everywhere");
        let _ = writeln!(std::io::stderr(), "{why}");
        return None;
    }
    let changes = [("seconds = 10", &*format!("seconds = {SECONDS}"))];
    Some(Deployed::start("jobs", &changes, &["front", "runner.1", "runner.2", "runner.3", "runner.4"]))
}

/// Sends a command, and returns what comes line by line.
fn send(jobs: &Deployed, command: &str) -> impl Iterator<Item = Value> {
    let mut client = UnixStream::connect(jobs.path("jobs.sock")).expect("the supervisor listens");
    writeln!(client, "{command}").expect("sent");
    events(client)
}

fn events(client: UnixStream) -> impl Iterator<Item = Value> {
    client.set_read_timeout(Some(WATCHDOG)).expect("set");
    let lines = BufReader::new(client).lines();
    lines.map(|line| serde_json::from_str(&line.expect("in time")).expect("each line is JSON"))
}

/// Has a command run, and returns what it printed and how it ended. What was certainly not run is sent again.
fn run(jobs: &Deployed, command: &str) -> (String, Value) {
    let mut outcomes = (0..ATTEMPTS).map(|_| try_run(jobs, command));
    let is_told = |(_, end): &(String, Value)| end["not_run"].is_null();
    outcomes.find(is_told).unwrap_or_else(|| panic!("`{command}` is not run"))
}

fn try_run(jobs: &Deployed, command: &str) -> (String, Value) {
    let (mut printed, mut end) = (String::new(), Value::Null);
    for event in send(jobs, command) {
        assert!(end.is_null(), "{event} comes after {end}");
        match event["output"].as_str() {
            Some(text) => printed.push_str(text),
            None => end = event,
        }
    }
    assert!(!end.is_null(), "nobody says how `{command}` ended, which printed {printed}");
    (printed, end)
}

/// Asserts that a command ends so: `stopped`, say, with a reason that has these words.
fn expect(jobs: &Deployed, command: &str, kind: &str, words: &str) {
    let (printed, end) = run(jobs, command);
    let told = end[kind].as_str().is_some_and(|reason| reason.contains(words));
    let last = printed.len().saturating_sub(200);
    assert!(
        told,
        "`{command}` ended with {end}, expected {kind} with `{words}`; it printed …{}",
        &printed[last..]
    );
}

/// Seen to fail without the limit of output, and with a runner that cannot end before its command.
#[test]
fn whatever_a_command_does_it_ends_with_a_reason_and_the_others_go_on() {
    let Some(mut jobs) = start("whatever_a_command_does_it_ends_with_a_reason_and_the_others_go_on") else {
        return;
    };
    let jobs_now = &jobs;
    let hostile: [(&str, &str, &str); 6] = [
        ("endless_loop() { while :; do :; done; }; endless_loop", "stopped", "it ran for 5 s"),
        (
            "bomb() { bomb | bomb & bomb; }; (bomb) 2>/dev/null; while :; do :; done",
            "stopped",
            "it ran for 5 s",
        ),
        ("yes", "stopped", "it printed more than 1048576 bytes"),
        ("kill -STOP $PPID; sleep 1000", "stopped", "it ran for 5 s"),
        ("kill -KILL $PPID; sleep 1000", "lost", "killed by signal 9"),
        // What it leaves behind ends with its runner.
        ("sleep 1000 & setsid sleep 1000 & kill -KILL $PPID", "lost", "killed by signal 9"),
    ];
    // Three of the four that run at a time.
    for three in hostile.chunks(3) {
        thread::scope(|all| {
            let under_attack: Vec<_> = three
                .iter()
                .map(|(command, kind, words)| all.spawn(|| expect(jobs_now, command, kind, words)))
                .collect();
            while !under_attack.iter().all(|attack| attack.is_finished()) {
                assert_eq!(run(jobs_now, "echo I go on"), ("I go on\n".to_owned(), json!({ "exited": 0 })));
            }
        });
    }
    let (printed, end) = run(&jobs, "exec tail /dev/zero");
    assert!(printed.contains("memory exhausted") && end == json!({ "exited": 1 }), "{printed} {end}");
    assert!(jobs.program.stop().success(), "an ordered stop ends with 0");
    let left = Command::new("ps").args(["-eo", "args"]).output().expect("ps is everywhere");
    let left = String::from_utf8_lossy(&left.stdout);
    assert!(!left.contains("endless_loop") && !left.contains("bomb() {"), "{left}");
}

/// Seen to fail without `private_network` and without `private_tmp`.
#[test]
fn a_command_reaches_no_file_no_network_and_no_other_command() {
    let Some(jobs) = start("a_command_reaches_no_file_no_network_and_no_other_command") else { return };
    let file = jobs.path("everybody may read this");
    fs::write(&file, "secret").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    listener.set_nonblocking(true).expect("set");
    let port = listener.local_addr().expect("bound").port();
    let socket = UdpSocket::bind(("127.0.0.1", port)).expect("as free as that of TCP");
    socket.set_nonblocking(true).expect("set");
    for command in [
        format!("cat '{}'", file.display()),
        "cat /etc/passwd".to_owned(),
        "echo mine > /usr/bin/jobs".to_owned(),
        format!("exec bash -c 'echo hello > /dev/tcp/127.0.0.1/{port}'"),
        format!("exec bash -c 'echo hello > /dev/udp/127.0.0.1/{port}'"),
        format!("ls '{}'", jobs.path("jobs.sock").display()),
    ] {
        let (printed, end) = run(&jobs, &command);
        assert!(end["exited"].as_i64().is_some_and(|code| code > 0), "`{command}`: {end} {printed}");
    }
    assert!(listener.accept().is_err() && socket.recv(&mut [0]).is_err(), "nobody came");
    // More often than there are runners.
    for _ in 0..7 {
        // Who is looked at is alone: what a pipe leads to is a shell as well until it is `grep`.
        let command = "ls /tmp; all=$(ps -e); echo \"$all\" | grep -c ' sh$'; echo left behind > /tmp/file; sleep 1000 &";
        assert_eq!(run(&jobs, command), ("1\n".to_owned(), json!({ "exited": 0 })));
    }
}

#[test]
fn what_a_command_prints_is_told_while_it_runs() {
    let Some(jobs) = start("what_a_command_prints_is_told_while_it_runs") else { return };
    let mut events = send(&jobs, "echo first; sleep 1000");
    assert_eq!(events.next(), Some(json!({ "output": "first\n" })));
    assert!(events.next().is_some_and(|event| event["stopped"].is_string()), "it never ends by itself");
    assert_eq!(events.next(), None);
    assert_eq!(run(&jobs, "exit 3").1, json!({ "exited": 3 }));
    assert_eq!(run(&jobs, "kill -KILL $$").1, json!({ "signalled": 9 }));
    let output =
        Command::new(env!("CARGO_BIN_EXE_jobs")).arg(jobs.path("jobs.sock")).arg("echo hi; exit 4").output();
    let output = output.expect("the client starts");
    assert_eq!((output.status.code(), &*output.stdout), (Some(4), &b"hi\n"[..]));
}

#[test]
fn what_is_no_command_is_not_run() {
    let Some(jobs) = start("what_is_no_command_is_not_run") else { return };
    for bytes in ["echo no end".to_owned(), "#".repeat(4097) + "\n"] {
        let mut client = UnixStream::connect(jobs.path("jobs.sock")).expect("the supervisor listens");
        client.write_all(bytes.as_bytes()).expect("sent");
        client.shutdown(Shutdown::Write).expect("shut");
        let told = events(client).next().expect("it is told");
        assert!(told["not_run"].as_str().is_some_and(|reason| reason.contains("one line")), "{told}");
    }
    let comment = "#".repeat(4096);
    assert_eq!(run(&jobs, &comment).1, json!({ "exited": 0 }));
}
