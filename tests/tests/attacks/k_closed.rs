//! K. Failing closed.

use std::fs;
use std::process::Command;

use bailiwick_tests::harness::{Ended, Process, Supervised, WITHOUT_ROOT, needs_root};
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

/// Runs what follows as root of a user namespace in which nobody else exists, as in a container of an ordinary user.
const ROOT_OF_ONE: &str = "if test \"$(id -u)\" = 0; then chown 12345:12345 \"${0%/*}\"; \
    set -- setpriv --reuid=12345 --regid=12345 --clear-groups \
        unshare --user --map-root-user setpriv --pdeathsig KILL \"$0\" \"$@\"; \
    else set -- unshare --user --map-root-user setpriv --pdeathsig KILL \"$0\" \"$@\"; fi; exec \"$@\"";

/// Control: what it can give starts, with its sandbox complete. Mode: root of a user namespace of one user. Seen to fail without
/// the check of what a key asks for.
#[test]
fn k1_root_of_nobody_else_gives_whole_sandboxes_and_names_what_it_lacks() {
    let run = |options: &str, keys: &str| {
        run!(&["sh", "-c", &ROOT_OF_ONE.replace("\"$@\"; ", &format!("\"$@\" {options}; "))], &sealed(keys))
    };
    for options in ["", "--allow-degraded"] {
        for keys in ["", "preset = \"exec\"", "tasks_max = 10"] {
            let supervised = run(options, keys);
            supervised.journal().wait_for(0, "a#1 is ready");
            let said = supervised.journal().to_string();
            assert!(!said.contains("| a: "), "nothing is missing: {said}");
            let supervisor = supervised.process();
            let users = |process: Process| fs::read_link(format!("/proc/{}/ns/user", process.0)).ok();
            let is_it = |process: &Process| process.name().as_deref() == Some("a");
            let worker = supervised.processes().into_iter().find(is_it).expect("it is ready");
            let status = worker.status();
            assert_eq!(status["CapEff"], "0000000000000000", "{keys}");
            // Whoever is not root is not told of others.
            let (own, theirs) = (users(worker), users(supervisor));
            assert!(own.is_none() || own != theirs, "{keys}: {own:?}");
        }
    }
    for (keys, aspect) in [
        ("supplementary_groups = [\"27\"]", "supplementary_groups: "),
        ("preset = \"exec\", memory_max = \"512M\"", "memory: "),
    ] {
        let mut refused = run("", keys);
        assert_eq!(refused.wait(), Ended::Code(69), "{keys}: {}", refused.journal());
        refused.journal().wait_for(0, "--allow-degraded starts it all the same");
        refused.assert_nothing_is_left();
        let degraded = run("--allow-degraded", keys);
        degraded.journal().wait_for(0, &format!("| a: {aspect}"));
        degraded.journal().wait_for(0, "a#1 is ready");
    }
    // Another user than the one that there is no option gives.
    for options in ["", "--allow-degraded"] {
        let mut refused = run(options, "user = \"65534\"");
        assert_eq!(refused.wait(), Ended::Code(78), "{}", refused.journal());
        refused.journal().wait_for(0, "root of a namespace with too few users");
        refused.assert_nothing_is_left();
    }
}

/// Control: where nothing covers a part of /proc, the same starts. Mode: rootless, where the kernel gives a new one only to who
/// sees the whole of the system's. Seen to fail without the pillar.
#[test]
fn k1_a_proc_that_the_kernel_refuses_is_told_or_refuses_the_start() {
    if needs_root("only root covers a part of /proc") {
        return;
    }
    let cover = "mount -t tmpfs none /proc/irq && chown 12345:12345 \"${0%/*}\" && \
                 exec setpriv --reuid=12345 --regid=12345 --clear-groups --pdeathsig KILL \"$0\" \"$@\"";
    let covered = |keys: &str, options: &str| {
        run!(&["unshare", "--mount", "sh", "-c", &format!("{cover} {options}")], &sealed(keys))
    };
    let (plain, written) = ("preset = \"exec\"", "preset = \"exec\", proc_subset = \"pid\"");
    let mut control = run!(&WITHOUT_ROOT, &sealed(written));
    control.wait_for_life("a", 1);
    assert!(!control.journal().to_string().contains("| a: /proc"), "{}", control.journal());
    control.stop();
    for (keys, options) in [(plain, ""), (written, "--allow-degraded")] {
        let mut told = covered(keys, options);
        told.wait_for_life("a", 1);
        told.journal().wait_for(0, "| a: /proc: ");
        told.stop();
    }
    let mut refused = covered(written, "");
    assert_eq!(refused.wait(), Ended::Code(69), "{}", refused.journal());
    refused.journal().wait_for(0, "where part of the system's is covered");
    refused.assert_nothing_is_left();
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
