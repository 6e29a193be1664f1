//! `learn` as a person runs it: what it proposes for a worker is what that worker needs, and with it, it works.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use bailiwick_tests::harness::{Supervised, needs_root};
use serde_json::Value;
use tempfile::TempDir;

const TW: &str = env!("CARGO_BIN_EXE_tw");
const BAILIWICKD: &str = env!("CARGO_BIN_EXE_bailiwickd-under-test");
const BAILIWICK: &str = env!("CARGO_BIN_EXE_bailiwick-under-test");

/// What the worker says where it may do what it does, and where it may not.
const DONE: [&str; 2] = ["signals itself: Ok(())", "read 7 bytes"];
const DENIED: [&str; 2] = ["signals itself: Err(EPERM)", "read nothing: "];

/// A folder with a page to be read, beside the executables: the way there is in trusted hands.
fn page() -> TempDir {
    let place = Path::new(TW).parent().expect("an executable is in a folder");
    let folder = tempfile::Builder::new().prefix("page").tempdir_in(place).expect("a folder");
    for (path, mode) in [(folder.path().to_owned(), 0o755), (folder.path().join("page"), 0o644)] {
        if mode == 0o644 {
            fs::write(&path, "a page\n").expect("the folder is ours");
        }
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("it is ours");
    }
    folder
}

/// A worker that reads the page before it is ready and signals itself after, with these lines in its sandbox.
fn manifest(page: &TempDir, sandbox: &str) -> String {
    format!(
        "[worker.a]\nexec = \"tw\"\n\
         actor.life = {{ type = \"Life\", args = {{ denied = 2 }} }}\n\
         actor.means = {{ type = \"Means\", args = {{ read = \"{}/page\" }} }}\n\
         [worker.a.sandbox]\n{sandbox}\n",
        page.path().display()
    )
}

/// Runs the system with these lines until the worker has said both, and returns what it was denied.
fn denials(page: &TempDir, sandbox: &str, both: [&str; 2]) -> Value {
    let mut supervised = Supervised::manifest(BAILIWICKD, TW, &manifest(page, sandbox));
    for text in both {
        supervised.journal().wait_for(0, text);
    }
    let mut command = Command::new(BAILIWICK);
    command.args(["denials", "--json", "--state-dir"]).arg(supervised.state_dir());
    let told = command.output().expect("it can be run");
    supervised.stop();
    let told: Value = serde_json::from_slice(&told.stdout).expect("it is one document");
    told["denials"].clone()
}

/// Runs `learn`, by way of `wrapper`, until the worker has done what it was asked for.
fn learn(wrapper: &[&str], page: &TempDir, more: &[&str]) -> (TempDir, Output) {
    let folder = Supervised::folder(TW);
    let path = folder.path().join("app.toml");
    fs::write(&path, manifest(page, "")).expect("the folder is ours");
    let words: Vec<&str> = wrapper.iter().copied().chain([BAILIWICK, "learn"]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(&path).arg("a").args(more).arg("--");
    // An actor that is drained has done all that it was sent before.
    let work = "exec \"$0\" drain a --state-dir \"$BAILIWICK_STATE_DIR\"";
    command.args(["sh", "-c", work, BAILIWICK]).stdin(Stdio::null());
    (folder, command.output().expect("it can be run"))
}

/// The calls of a list of denials.
fn names(denied: &Value) -> Vec<&str> {
    let all = denied.as_array().expect("a list").iter();
    all.map(|one| one["system_call"].as_str().unwrap_or_default()).collect()
}

/// Has it learned from, and returns what is proposed: to read the page, and the one call.
fn proposed(wrapper: &[&str], page: &TempDir) -> Vec<String> {
    let (_folder, output) = learn(wrapper, page, &["--json"]);
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{messages}");
    // What the command prints comes first.
    let text = String::from_utf8(output.stdout).expect("it is text");
    let document: Value =
        serde_json::from_str(&text[text.find('{').expect("a document")..]).expect("a document");
    assert_eq!((&document["schema_version"], &document["worker"]), (&1.into(), &"a".into()));
    assert_eq!((&document["lives"], names(&document["denied"])), (&1.into(), vec!["kill"]));
    let lines = document["proposal"].as_array().expect("lines").iter();
    let lines: Vec<String> = lines.filter_map(Value::as_str).map(str::to_owned).collect();
    let read = format!("read_only_paths = [\"{}/page\"]", page.path().display());
    assert_eq!(lines, [read, "system_call_filter = [\"+kill\"]".to_owned()]);
    lines
}

/// Seen to fail without the line that allows a call by its name.
#[test]
fn what_is_proposed_for_a_worker_is_what_it_needs() {
    if needs_root("a worker's user of its own, and the capability that the sandbox lacks") {
        return;
    }
    let page = page();
    assert_eq!(names(&denials(&page, "", DENIED)), ["kill"], "without anything it is denied");

    let proposal = proposed(&[], &page);
    assert_eq!(names(&denials(&page, &proposal.join("\n"), DONE)), [""; 0], "with the proposal nothing is");
}

#[test]
fn without_root_it_learns_the_same() {
    let stranger: &[&str] = match needs_root("becoming another user: it is tried as this one") {
        true => &[],
        false => &["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"],
    };
    proposed(stranger, &page());
}

#[test]
fn who_has_no_list_of_calls_is_told_that_there_is_nothing_to_learn() {
    let folder = Supervised::folder(TW);
    let path = folder.path().join("app.toml");
    let manifest = "[worker.a]\nexec = \"tw\"\nsandbox.preset = \"exec\"\n\
                    actor.life = { type = \"Life\", args = {} }\n";
    fs::write(&path, manifest).expect("the folder is ours");
    let output = Command::new(BAILIWICK).arg("learn").arg(&path).arg("a").output().expect("it can be run");
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && output.stdout.is_empty(), "{messages}");
    assert!(messages.contains("worker `a` has no list of system calls"), "{messages}");
}
