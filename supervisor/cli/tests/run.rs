//! `run` becomes another program. Alone in its process: a program that was just written can be executed only
//! while no other thread forks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn run_becomes_the_supervisor_beside_it_or_says_where_it_looked() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let own = folder.path().join("bailiwick");
    fs::copy(env!("CARGO_BIN_EXE_bailiwick"), &own).expect("it can be copied");
    let run = || {
        let mut command = Command::new(&own);
        command
            .args(["run", "good.toml", "--allow-degraded", "--state-dir", "/s"])
            .env("PATH", "/nonexistent");
        command.output().expect("it can be executed")
    };
    let without = run();
    assert_eq!(without.status.code(), Some(1));
    let messages = String::from_utf8_lossy(&without.stderr);
    assert!(messages.contains("neither beside bailiwick nor in a folder of PATH"), "{messages}");

    let supervisor = folder.path().join("bailiwickd");
    fs::write(&supervisor, "#!/bin/sh\necho \"$@\"; exit 75\n").expect("the folder is ours");
    fs::set_permissions(&supervisor, PermissionsExt::from_mode(0o755)).expect("the file is ours");
    let with = run();
    assert_eq!(with.status.code(), Some(75), "its exit code is the supervisor's");
    assert_eq!(String::from_utf8_lossy(&with.stdout), "--state-dir /s --allow-degraded good.toml\n");
}
