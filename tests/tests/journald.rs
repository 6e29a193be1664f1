//! What the journal of systemd makes of what is printed: `systemd-journald` itself, in a place of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use bailiwick_tests::harness::{Supervised, needs_program, needs_root, wait_until};
use serde_json::Value;

const JOURNALD: &str = "/usr/lib/systemd/systemd-journald";

/// Begins with nothing of this machine's journal, keeps what it has in memory, and neither reads nor writes the kernel's log.
const BEGIN: &str = "mount --make-rprivate / && mount -t tmpfs none /run && mount -t tmpfs none /var/log \
    && mount --bind /dev/null /dev/kmsg && mkdir -p /run/systemd/journald.conf.d \
    && printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\n' > /run/systemd/journald.conf.d/test.conf && exec \"$0\"";

/// A journal that ends with the test.
struct Journald(Child);

impl Journald {
    fn start() -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", BEGIN, JOURNALD]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let journald = Self(child.expect("it can be executed"));
        let socket = format!("/proc/{}/root/run/systemd/journal/stdout", journald.0.id());
        wait_until("the journal listens", || Path::new(&socket).exists());
        journald
    }

    /// Returns the beginning of a command line that executes what follows where this journal is.
    fn beside(&self) -> [String; 3] {
        ["nsenter".into(), format!("--target={}", self.0.id()), "--mount".into()]
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let [nsenter, target, mount] = self.beside();
        let mut command = Command::new(nsenter);
        let output = command.args([&target, &mount, "journalctl", "--quiet"]).args(arguments).output();
        let output = output.expect("it can be executed");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Returns every entry that has a worker's name.
    fn entries(&self) -> Vec<BTreeMap<String, Value>> {
        self.ask(&["--sync"]);
        let output = self.ask(&["--output=json", "--all", "--no-pager"]);
        let text = String::from_utf8(output.stdout).expect("it is text");
        let entries = text.lines().map(|line| serde_json::from_str(line).expect("each line is a document"));
        entries.filter(|entry: &BTreeMap<String, Value>| entry.contains_key("BAILIWICK_WORKER")).collect()
    }
}

impl Drop for Journald {
    fn drop(&mut self) {
        // What it listens at and keeps is in memory of its own mounts, which go with it.
        let _gone = self.0.kill();
        let _taken = self.0.wait();
    }
}

const WORKERS: &str = r#"
[worker.web]
exec = "tw"
actor.life = { type = "Life", args = { event = "odd", settled = true } }
[worker.db]
kind = "command"
command = ["FOLDER/tw", "foreign", "say=<3>broken", "say=\u001b[2Jevil\u202e", "say=MESSAGE=x", "say=\u001ebw1\u001fE",
    "flood=3000", "sleep=1000", "say=flooded", "wait"]
sandbox.preset = "exec"
"#;

fn text<'e>(entry: &'e BTreeMap<String, Value>, name: &str) -> &'e str {
    // What is no text is an array of bytes here.
    entry
        .get(name)
        .map_or("", |value| value.as_str().unwrap_or_else(|| panic!("{name} is no text: {entry:?}")))
}

/// Seen to fail where what was said last is not taken, and nothing after it, by which that would be told.
#[test]
fn the_journal_itself_has_each_line_with_its_fields_and_counts_what_it_lacks() {
    if needs_root("only root can have a journal of its own")
        || needs_program(JOURNALD, "systemd")
        || needs_program("systemd-cat", "systemd")
    {
        return;
    }
    let journald = Journald::start();
    let [nsenter, target, mount] = journald.beside();
    // Both streams are the journal's, as they are of a unit.
    let script = "JOURNAL_STREAM=$(stat -Lc '%d:%i' /proc/self/fd/2) exec \"$0\" \"$@\"";
    let around = [&*nsenter, &target, &mount, "systemd-cat", "sh", "-c", script];
    let mut supervised = Supervised::wrapped(
        &around,
        env!("CARGO_BIN_EXE_bailiwickd-under-test"),
        env!("CARGO_BIN_EXE_tw"),
        WORKERS,
    );
    let has = |message: &str| journald.entries().iter().any(|entry| text(entry, "MESSAGE") == message);
    wait_until("both have said everything", || has("flooded") && has("INFO life#1: settled: odd bytes=3"));
    supervised.stop();
    let entries = journald.entries();
    let found = |message: &str| {
        let entry = entries.iter().find(|entry| text(entry, "MESSAGE") == message);
        entry.unwrap_or_else(|| panic!("no {message:?} in {entries:#?}"))
    };

    let event = found("INFO life#1: settled: odd bytes=3");
    for (name, value) in [
        ("PRIORITY", "6"),
        ("SYSLOG_IDENTIFIER", "web"),
        ("BAILIWICK_WORKER", "web"),
        ("BAILIWICK_INSTANCE", "1"),
        ("BAILIWICK_GENERATION", "1"),
        ("BAILIWICK_ACTOR", "life#1"),
        ("F_BYTES", "3"),
        ("_TRANSPORT", "journal"),
    ] {
        assert_eq!(text(event, name), value, "{name} of {event:#?}");
    }
    assert!(text(event, "CODE_FILE").ends_with("life.rs"), "{event:#?}");
    assert_eq!((text(found("broken"), "PRIORITY"), text(found("broken"), "SYSLOG_IDENTIFIER")), ("3", "db"));
    assert_eq!(text(found("MESSAGE=x"), "BAILIWICK_WORKER"), "db");
    let safe = |letter: char| !letter.is_control() && letter != '\u{202e}';
    for entry in &entries {
        assert!(text(entry, "MESSAGE").chars().all(safe), "{entry:#?}");
        assert!(["web", "db", "bailiwick"].contains(&text(entry, "BAILIWICK_WORKER")), "{entry:#?}");
    }
    assert!(entries.iter().any(|entry| text(entry, "MESSAGE").contains("evil")), "{entries:#?}");
    let ended = |entry: &&BTreeMap<String, Value>| text(entry, "BAILIWICK_EVENT") == "ended";
    let ended = entries.iter().find(ended).unwrap_or_else(|| panic!("no life ended in {entries:#?}"));
    let of = ["SYSLOG_IDENTIFIER", "BAILIWICK_GENERATION", "BAILIWICK_CAUSE"].map(|name| text(ended, name));
    assert_eq!(of, ["bailiwick", "1", "stopped"], "{ended:#?}");
    assert!(["web", "db"].contains(&text(ended, "BAILIWICK_WORKER")), "{ended:#?}");
    // Of the supervisor itself, the last is that it stops.
    assert!(entries.iter().any(|entry| text(entry, "BAILIWICK_WORKER") == "bailiwick"), "{entries:#?}");

    let flood = entries.iter().filter(|entry| text(entry, "MESSAGE").contains(" of a flood ")).count();
    let missed = |entry: &BTreeMap<String, Value>| {
        text(entry, "MESSAGE").strip_prefix('[')?.strip_suffix(" lines dropped]")?.parse::<usize>().ok()
    };
    let missed: usize = entries.iter().filter_map(missed).sum();
    assert!(flood + missed >= 3000 && flood <= 3000, "{flood} are there, {missed} are counted");
}
