//! `doctor` on machines that lack something: as another user, in a user namespace, and without control groups.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs `doctor` by way of `wrapper`, which is a command line without its end; returns its exit code, its text and its
/// document. `None` where the wrapper cannot be had here.
fn doctor(wrapper: &[&str]) -> Option<(i32, String, Value)> {
    let keep = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = keep.path().to_owned();
    // Where every user may execute it.
    let own = folder.join("bailiwick");
    // By another process: what this one writes is open for writing in whatever its other threads fork meanwhile, and cannot be
    // executed then.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_bailiwick")).arg(&own).status();
    assert!(copied.is_ok_and(|status| status.success()), "it can be copied");
    for path in [&folder, &own] {
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("it is ours");
    }
    let told = |more: &[&str]| {
        let words: Vec<&str> =
            wrapper.iter().copied().chain([own.to_str().expect("a text"), "doctor"]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(more).current_dir("/");
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "TERM"] {
            command.env_remove(name);
        }
        let Output { status, stdout, stderr } =
            command.stdin(Stdio::null()).output().expect("it can be executed");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is text");
        (status.code().expect("no signal ended it"), text(stdout), text(stderr))
    };
    let (code, text, messages) = told(&[]);
    if !text.contains("every guarantee holds here") && !text.contains("see LACKS") {
        println!("SKIPPED: {wrapper:?} cannot be had here: {messages}");
        return None;
    }
    let (again, document, _) = told(&["--json"]);
    let document: Value = serde_json::from_str(&document).expect("it is one document");
    assert_eq!(again, code, "the exit code is the same");
    assert_eq!(
        (&document["schema_version"], &document["healthy"]),
        (&1.into(), &(code == 0).into()),
        "{text}"
    );
    Some((code, text, document))
}

/// The row of this name.
fn row<'d>(document: &'d Value, name: &str) -> &'d Value {
    let findings = document["findings"].as_array().expect("a list");
    findings.iter().find(|finding| finding["name"] == name).unwrap_or_else(|| panic!("no row {name}"))
}

/// Asserts that a mechanism is missing, and that this says who needs it and what to do; returns what to do.
fn missing<'d>(document: &'d Value, name: &str) -> &'d str {
    let found = row(document, name);
    assert!(found["state"] == "less" || found["state"] == "lacks", "{found}");
    assert!(!found["needed_for"].as_str().expect("a text").is_empty(), "{found}");
    found["to_do"].as_str().unwrap_or_else(|| panic!("nothing to do: {found}"))
}

fn is_root() -> bool {
    bailiwick_sys::identity::effective_uid() == 0
}

#[test]
fn every_row_says_what_is_there_and_nothing_else_is_printed() {
    let (code, text, document) = doctor(&["env"]).expect("everybody has it");
    let findings = document["findings"].as_array().expect("a list");
    assert!(findings.len() > 25, "{text}");
    for finding in findings {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let meaning = flat(finding["meaning"].as_str().expect("a text"));
        assert!(flat(&text).contains(&meaning), "{finding}");
        let is_missing = finding["state"] == "less" || finding["state"] == "lacks";
        assert_eq!(finding["to_do"].is_string(), is_missing, "{finding}");
    }
    assert_eq!(code == 0, findings.iter().all(|finding| finding["state"] != "lacks"));
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(
        wide.iter().all(|line| !line.trim().contains(' ')),
        "broken at 80 columns, but for single words: {wide:?}"
    );
}

#[test]
fn another_user_than_root_is_told_what_only_root_gives() {
    if !is_root() {
        return println!("SKIPPED: becoming another user needs root");
    }
    let stranger = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"];
    let Some((_, _, document)) = doctor(&stranger) else { return };
    assert!(
        row(&document, "users")["found"].as_str().expect("a text").starts_with("uid 54321"),
        "{document}"
    );
    assert!(missing(&document, "users").contains("as root"));
    assert!(missing(&document, "cgroup.kill").contains("systemd-run --user"));
    assert!(missing(&document, "memory_max").contains("Delegate="));
    assert_eq!(row(&document, "capabilities")["found"], "none");
    assert_eq!(row(&document, "Landlock")["state"], "there", "it asks for no privilege");
}

#[test]
fn root_of_a_small_user_namespace_is_told_which_users_it_lacks() {
    let Some((code, text, document)) = doctor(&["unshare", "--user", "--map-root-user"]) else { return };
    assert!(missing(&document, "users").contains("/etc/subuid"), "{text}");
    assert!(
        row(&document, "users")["found"].as_str().expect("a text").starts_with("uid 0, cannot"),
        "{text}"
    );
    assert_eq!(code == 1, text.contains("LACKS "), "{text}");
}

#[test]
fn without_control_groups_each_limit_says_what_bounds_it_instead() {
    if !is_root() {
        return println!("SKIPPED: taking the control groups away needs root");
    }
    let script = "umount -R -l /sys/fs/cgroup 2>/dev/null; exec \"$@\"";
    let without = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"];
    let Some((code, text, document)) = doctor(&without) else { return };
    assert_eq!(row(&document, "memory_max")["found"], "RLIMIT_AS", "{text}");
    assert!(missing(&document, "memory_max").contains("mount -t cgroup2"), "{text}");
    assert!(missing(&document, "cgroup.kill").contains("mount -t cgroup2"), "{text}");
    for key in ["memory_high", "cpu_weight", "cpu_quota", "io_weight", "memory_swap_max"] {
        missing(&document, key);
    }
    // Users of their own end and bound workers without any group.
    assert_eq!((code, &row(&document, "orphans")["state"]), (0, &"there".into()), "{text}");
    assert_eq!(row(&document, "tasks_max")["found"], "RLIMIT_NPROC", "{text}");
}
