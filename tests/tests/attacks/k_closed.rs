//! K. Failing closed.

use std::fs;
use std::process::Command;

use bailiwick_tests::harness::{Ended, Supervised};
use bailiwick_tests::run;
use nix::libc;

/// A sealed worker with these keys of its sandbox.
fn sealed(keys: &str) -> String {
    format!(
        "[worker.a]\nexec = \"tw\"\nsandbox = {{ {keys} }}\nactor.life = {{ type = \"Life\", args = {{}} }}\n"
    )
}

/// Runs the supervisor on a kernel that has none of these calls; returns how it ended and what it said.
fn without(calls: &[libc::c_long], options: &str, manifest: &str) -> Supervised {
    let numbers: Vec<_> = calls.iter().map(ToString::to_string).collect();
    let line =
        format!("exec {} without '{}' \"$0\" \"$@\" {options}", env!("CARGO_BIN_EXE_tw"), numbers.join(","));
    run!(&["sh", "-c", &line], manifest)
}

const LANDLOCK: &[libc::c_long] =
    &[libc::SYS_landlock_create_ruleset, libc::SYS_landlock_add_rule, libc::SYS_landlock_restrict_self];

/// Control: the same starts where the kernel has it.
/// Seen to fail without the refusal of what is missing, when the manifest is checked and when sandboxes are made.
#[test]
fn k1_what_is_required_and_missing_refuses_the_start_and_is_named() {
    let manifest = sealed("");
    let mut supervised = without(&[], "", &manifest);
    supervised.wait_for_life("a", 1);
    supervised.stop();
    let mut supervised = without(LANDLOCK, "", &manifest);
    assert_eq!(supervised.wait(), Ended::Code(69), "{}", supervised.journal());
    let said = supervised.journal().to_string();
    assert!(said.contains("Landlock") || said.contains("landlock"), "{said}");
    assert!(!said.contains("a#1 is ready"), "{said}");
    supervised.assert_nothing_is_left();
    let mut supervised = without(LANDLOCK, "--allow-degraded", &manifest);
    supervised.wait_for_life("a", 1);
    let said = supervised.journal().to_string();
    assert!(said.to_lowercase().contains("landlock"), "what is missing is listed: {said}");
    supervised.stop();
}

/// What `check` says of a manifest, and its exit code.
fn check(manifest: &str) -> (Option<i32>, String) {
    let folder = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
    let path = folder.path().join("app.toml");
    fs::write(&path, manifest).expect("the manifest can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
    let output = command.arg("check").arg(path).output().expect("it can be run");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// Control: without the wrong key the manifest is fine.
/// Seen to fail without the refusal of keys that nobody asks for.
#[test]
fn k2_a_key_that_is_mistyped_unknown_or_contradicts_another_is_an_error_with_its_line() {
    assert_eq!(check(&sealed("")).0, Some(0));
    for (keys, hint) in [
        ("preste = \"sealed\"", "preset"),
        ("memory_maximum = \"64M\"", "memory_max"),
        ("no_such_key = true", "no_such_key"),
        ("preset = \"seald\"", "sealed"),
        ("preset = \"none\"", "privileged"),
        ("tcp_connect = [70000]", "65535"),
        ("memory_max = \"-1\"", "memory_max"),
        ("capabilities = [\"CAP_EVERYTHING\"]", "CAP_EVERYTHING"),
    ] {
        let (code, said) = check(&sealed(keys));
        assert_eq!(code, Some(8), "{keys}: {said}");
        assert!(said.contains("app.toml:3") && said.contains(hint), "{keys}: {said}");
        let mut supervised = run!(&sealed(keys));
        assert_eq!(supervised.wait(), Ended::Code(78), "{keys}: {}", supervised.journal());
        supervised.assert_nothing_is_left();
    }
}

/// Control: the owner of everything is given away where it is said twice.
/// Seen to fail without the refusal of root; the refusal of capabilities that are not held, when the manifest is checked and
/// when sandboxes are made.
#[test]
fn k4_a_sandbox_of_root_or_with_more_than_the_supervisor_has_is_refused() {
    let root = "user = \"root\"";
    let (code, said) = check(&sealed(root));
    assert!(code == Some(8) && said.contains("privileged"), "{said}");
    let mut supervised = run!(&sealed(root));
    assert!(matches!(supervised.wait(), Ended::Code(69 | 78)), "{}", supervised.journal());
    supervised.assert_nothing_is_left();
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let twice = sealed(root).replace("sandbox =", "privileged = true\nsandbox =");
    let mut supervised = run!(&twice);
    supervised.wait_for_life("a", 1);
    supervised.stop();
    // A supervisor that has given up a capability has none to grant.
    let granted = sealed("capabilities = [\"CAP_NET_BIND_SERVICE\"]");
    let mut supervised = run!(&["setpriv", "--bounding-set", "-net_bind_service"], &granted);
    assert!(matches!(supervised.wait(), Ended::Code(69 | 78)), "{}", supervised.journal());
    supervised.assert_nothing_is_left();
}
