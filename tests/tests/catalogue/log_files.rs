//! Files into which the admin worker writes what is printed: whole over its own death, a full disk and another supervisor.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use bailiwick_supervisor::control::Verb;
use bailiwick_tests::harness::{Supervised, needs_root, wait_until};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Cli, foreign};

/// Says that it begins, and floods when it is told to.
const FLOODS: [&str; 7] =
    ["ignore=SIGUSR1", "say=begins", "until=SIGUSR1", "flood=20000", "sleep=1500", "say=is over", "wait"];

fn manifest(folder: &str, workers: &str) -> String {
    let exec = env!("CARGO_BIN_EXE_bailiwick-under-test");
    format!(
        "[admin]\nexec = {exec:?}\ntcp = \"127.0.0.1:0\"\nlog_dir = {folder:?}\nlog_bytes_max = \"1M\"\nlog_files = 2\n{workers}"
    )
}

/// All lines of all files, the oldest first.
fn kept(folder: &Path) -> Vec<Value> {
    let text =
        ["log.jsonl.1", "log.jsonl"].map(|name| fs::read_to_string(folder.join(name)).unwrap_or_default());
    // The last one may be on its way.
    let whole = |text: &str| text.rsplit_once('\n').map(|(whole, _)| whole.to_owned()).unwrap_or_default();
    let lines: Vec<_> =
        text.iter().flat_map(|text| whole(text).lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    lines.iter().map(|line| serde_json::from_str(line).expect("each line is a document")).collect()
}

fn has(folder: &Path, text: &str) -> bool {
    kept(folder).iter().any(|line| line["text"] == text)
}

fn waits_for(folder: &Path, text: &str) {
    wait_until(&format!("{text} in the files"), || has(folder, text));
}

/// Returns the processes of the supervisors whose lines these are, once each line of a supervisor is known to be there once, in
/// order, or counted as missing; and how many are missing.
fn checked(lines: &[Value]) -> (Vec<u64>, u64) {
    let (mut runs, mut last, mut all_missing) = (Vec::new(), 0, 0);
    for line in lines {
        assert_eq!(line["schema_version"], 1, "{line}");
        if let Some(pid) = line["run"]["pid"].as_u64() {
            // Each file has it at its beginning.
            if runs.last() != Some(&pid) {
                runs.push(pid);
                last = 0;
            }
            continue;
        }
        let number = line["number"].as_u64().expect("each has a number");
        let missing = line["missing"].as_u64().unwrap_or_default();
        assert!(missing > 0 || line["text"].is_string(), "{line}");
        assert_eq!(number, last + missing.max(1), "after {last}: {line}");
        (last, all_missing) = (number, all_missing + missing);
    }
    (runs, all_missing)
}

fn again(before: &Supervised) -> Supervised {
    let mut command = Command::new(before.path().join("bailiwickd"));
    command.arg(before.path().join("app.toml")).arg("--state-dir").arg(before.state_dir());
    before.again(command)
}

#[test]
fn each_line_is_in_the_files_once_or_counted_over_the_death_of_who_writes_and_another_supervisor() {
    let folder = tempfile::tempdir().expect("there is room");
    let calm = foreign("calm", "", &["say=all is well", "wait"]);
    let text =
        manifest(&folder.path().display().to_string(), &[calm, foreign("flood", "", &FLOODS)].concat());
    let mut supervised = run!(&text);
    supervised.journal().wait_for(0, "flood | begins");
    waits_for(folder.path(), "begins");
    waits_for(folder.path(), "all is well");
    let before = checked(&kept(folder.path()));
    assert_eq!(before, (vec![u64::from(supervised.process().0)], 0));
    for generation in 1..=3 {
        supervised.wait_for_life("admin", generation);
        if generation == 2 {
            supervised.pid("flood").signal(Signal::SIGUSR1);
        }
        supervised.pid("admin").signal(Signal::SIGKILL);
        supervised.order(Verb::Reset, "admin");
    }
    supervised.wait_for_life("admin", 4);
    waits_for(folder.path(), "is over");
    let lines = kept(folder.path());
    let (runs, missing) = checked(&lines);
    assert_eq!(runs.len(), 1, "it is one supervisor");
    assert!(missing > 0, "more was printed than is remembered");
    // Each as the command line has it.
    let shown = Cli::of(&supervised).run(&["logs", "flood", "calm", "-n", "100", "--json"]).data;
    for line in shown.lines().map(|line| serde_json::from_str::<Value>(line).expect("a document")) {
        assert!(line["text"].is_null() || lines.contains(&line), "{line}");
    }
    supervised.stop();
    let mut next = again(&supervised);
    next.journal().wait_for(0, "calm | all is well");
    wait_until("another supervisor's lines", || checked(&kept(folder.path())).0.len() == 2);
    wait_until("what it printed", || {
        let lines = kept(folder.path());
        let begins = lines.iter().rposition(|line| line["run"].is_object()).unwrap_or_default();
        lines[begins..].iter().any(|line| line["text"] == "all is well")
    });
    checked(&kept(folder.path()));
    next.stop();
}

/// Where the kept files of a supervisor are that has a file system of its own there.
fn inside(supervised: &Supervised) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", supervised.process().0));
    root.join(supervised.path().join("kept").strip_prefix("/").expect("it is absolute"))
}

/// Asks for health; returns the first line of the answer.
fn health(supervised: &Supervised) -> String {
    let address = supervised.status().admin.expect("it serves");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is text");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_full_disk_harms_nobody_is_told_once_and_what_it_cost_is_counted() {
    if needs_root("only root can mount a small disk") {
        return;
    }
    let small = "mkdir \"${0%/*}/kept\" && mount -t tmpfs -o size=1200k,uid=12345,mode=0755 none \"${0%/*}/kept\" && \
                 head -c 1150000 /dev/zero > \"${0%/*}/kept/filler\" && exec \"$0\" \"$@\"";
    let calm =
        foreign("calm", "", &["ignore=SIGUSR1", "say=all is well", "until=SIGUSR1", "say=still", "wait"]);
    let text = manifest("FOLDER/kept", &[calm, foreign("flood", "", &FLOODS)].concat());
    let mut supervised = run!(&["unshare", "--mount", "sh", "-c", small], &text);
    supervised.journal().wait_for(0, "calm | all is well");
    let folder = inside(&supervised);
    waits_for(&folder, "all is well");
    supervised.pid("flood").signal(Signal::SIGUSR1);
    let trouble = "admin | lines are not written into";
    supervised.journal().wait_for(0, trouble);
    supervised.journal().wait_for(0, "flood | is over");
    assert!(health(&supervised).ends_with("200 OK"), "{}", supervised.journal());
    supervised.pid("calm").signal(Signal::SIGUSR1);
    supervised.journal().wait_for(0, "calm | still");
    let (_, before) = checked(&kept(&folder));
    assert!(!has(&folder, "still"));
    fs::remove_file(folder.join("filler")).expect("it is there");
    supervised.journal().wait_for(0, "admin | lines are written into");
    waits_for(&folder, "still");
    let (runs, missing) = checked(&kept(&folder));
    assert!(runs.len() == 1 && missing > before, "{missing} missing, {before} before");
    let told = supervised.journal().since(0).iter().filter(|line| line.text.starts_with(trouble)).count();
    assert_eq!(told, 1, "{}", supervised.journal());
    assert_eq!(supervised.worker("admin").generation, 1);
    supervised.stop();
}

#[test]
fn a_folder_that_is_not_there_or_is_none_is_refused_with_what_to_do() {
    let worker = foreign("a", "", &["wait"]);
    for (folder, says) in [("/nowhere/at/all", "cannot grant `/nowhere/at/all`"), ("tw", "is no folder")] {
        let (code, text) = crate::support::check(&manifest(folder, &worker));
        assert!(code == Some(8) && text.contains(says) && text.contains("log_dir"), "{code:?} {text}");
    }
}
