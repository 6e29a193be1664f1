//! Paths that a worker is denied, through the whole of a supervisor: who was at work, what would allow it, and that nothing
//! else changes.

use std::process::Command;

use bailiwick_tests::harness::{Supervised, WITHOUT_ROOT, needs_root};
use bailiwick_tests::run;
use serde_json::Value;

/// A worker that reads what it is granted, what it is not, twice, and what is nowhere, under a name with tricks in it.
const MANIFEST: &str = r#"
[worker.a]
exec = "tw"
actor.means = { type = "Means", args = { reads = [
    "FOLDER/app.toml", "FOLDER/bailiwickd", "FOLDER/bailiwickd", "/nowhere/\u001b[2J\u202e", "FOLDER/app.toml/x", "."
] } }
[worker.a.sandbox]
"#;
const TRICK: &str = "/nowhere/\u{1b}[2J\u{202e}";

/// Command lines around the supervisor: as root, and as somebody ordinary.
fn modes() -> Vec<&'static [&'static str]> {
    match needs_root("becoming another user: it is tried as this one") {
        true => vec![&[]],
        false => vec![&[], &WITHOUT_ROOT],
    }
}

/// Runs it with these lines before and in its sandbox until it has read everything; returns the last words of each line.
fn read(wrapper: &[&str], before: &str, sandbox: &str) -> (Supervised, Vec<String>) {
    let supervised = run!(wrapper, &[before, MANIFEST, sandbox].concat());
    let read = supervised.journal().wait_until("everything to be read", |lines| {
        let said = |text: &str| text.split_once("reads ").map(|(_, rest)| rest.to_owned());
        let all: Vec<_> = lines.iter().filter_map(|line| said(&line.text)).collect();
        (all.len() == 6).then_some(all)
    });
    let folder = supervised.path().display().to_string();
    (supervised, read.into_iter().map(|line| line.replace(&folder, "FOLDER")).collect())
}

fn denials(supervised: &Supervised, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
    command.arg("denials").args(arguments).arg("--state-dir").arg(supervised.state_dir());
    let output = command.output().expect("it can be run");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// Returns what is told of the paths of this test, without the time: it is reckoned back from the present one at each
/// telling, by two clocks that are read one after the other, so its last digit may differ.
fn paths(supervised: &Supervised, arguments: &[&str]) -> Vec<Value> {
    let told = denials(supervised, &[&["--json"], arguments].concat());
    let document: Value = serde_json::from_str(&told).expect("it is one document");
    let all = document["denials"].as_array().expect("a list").iter();
    let folder = supervised.path().display().to_string();
    let is_ours = |path: &str| path.starts_with(&folder) || path.starts_with("/nowhere");
    let ours = all.filter(|one| one["path"]["path"].as_str().is_some_and(is_ours)).cloned();
    let without_time = |mut one: Value| {
        assert!(one.as_object_mut().is_some_and(|fields| fields.remove("time").is_some()), "{one}");
        one
    };
    ours.map(without_time).collect()
}

/// Seen to fail without the key in the policy, without what the profile decides, without the words of where a path lies.
#[test]
fn a_path_that_is_not_granted_is_told_with_actor_and_method_and_the_line_that_allows_it() {
    for wrapper in modes() {
        let granted = "read_only_paths = [\"FOLDER/app.toml\"]\n";
        let (mut plain, without) = read(wrapper, "", granted);
        assert_eq!(paths(&plain, &[]), [Value::Null; 0], "who is not asked to tells nothing");
        plain.stop();
        assert!(without[0].ends_with(" bytes"), "{without:?}");
        assert!(without[1].ends_with("No such file or directory (os error 2)"), "{without:?}");

        let (mut supervised, with) = read(wrapper, "", &[granted, "log_denied_paths = true\n"].concat());
        // But for its own length.
        assert_eq!(with[1..], without[1..], "every call answers as it did");
        assert!(with[0].ends_with(" bytes"), "{with:?}");
        let told = paths(&supervised, &[]);
        let file = format!("{}/bailiwickd", supervised.path().display());
        let line = format!("read_only_paths = [\"{file}\"]");
        let [first, second] = told.as_slice() else { panic!("{told:#?}") };
        assert_eq!((&first["worker"], &first["actor"]), (&"a".into(), &"means".into()));
        assert_eq!((&first["method"], &first["system_call"]), (&"Means.read".into(), &"openat".into()));
        assert_eq!((&first["count"], &first["allowed_by"][0]), (&2.into(), &line.as_str().into()));
        let wanted = serde_json::json!({
            "path": file, "is_cut": false, "below_descriptor": null, "error": "ENOENT", "wanted": "read", "place": "hidden"
        });
        assert_eq!(first["path"], wanted);
        assert_eq!((&second["path"]["path"], &second["allowed_by"]), (&TRICK.into(), &serde_json::json!([])));
        let text = denials(&supervised, &[]);
        let shown = format!(
            "a#1 means in Means.read: openat(\"{file}\") to read: ENOENT, hidden or nowhere, 2 times; \
             [worker.a.sandbox] {line}\n"
        );
        assert!(text.contains(&shown), "{text}");
        assert!(text.contains("openat(\"/nowhere/\\u{1b}[2J\\u{202e}\")"), "{text}");
        // Of the two only one is there for whoever asks.
        assert_eq!(paths(&supervised, &["--existing"]), std::slice::from_ref(first));
        // It outlives its worker.
        supervised.pid("a").signal(nix::sys::signal::Signal::SIGKILL);
        supervised.wait_for_crash("a", 1);
        let again = paths(&supervised, &[]);
        assert!(again.contains(first), "{again:#?}");
        supervised.stop();

        let both = "read_only_paths = [\"FOLDER/app.toml\", \"FOLDER/bailiwickd\"]\n";
        // The profile for work on a system tells without being asked.
        let (mut allowed, read) = read(wrapper, "[supervisor]\nprofile = \"dev\"\n", both);
        assert!(read[1].ends_with(" bytes"), "{read:?}");
        let rest: Vec<_> = paths(&allowed, &[]).iter().map(|one| one["path"]["path"].clone()).collect();
        assert_eq!(rest, [TRICK]);
        allowed.stop();
    }
}
