//! What `status` says of the files that a supervisor opened: the digests that another tool finds in them.

use std::fs;
use std::path::Path;
use std::process::Command;

use bailiwick_supervisor::control::Verb;
use bailiwick_supervisor::spec::Digest;
use bailiwick_tests::harness::{Supervised, replace_program};
use nix::sys::signal::Signal;

fn sha256sum(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().expect("it can be executed");
    let text = String::from_utf8(output.stdout).expect("digests are text");
    text.split_whitespace().next().unwrap_or_else(|| panic!("no digest of {}", path.display())).to_owned()
}

fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits until a worker's executable is known to have this digest.
#[track_caller]
fn wait_for_digest(supervised: &Supervised, worker: &str, expected: &str) {
    supervised.wait_for_worker(worker, &format!("known to execute {expected}"), |row| {
        (row.executable.as_ref().map(hex)? == expected).then_some(())
    });
}

#[test]
fn status_has_the_digests_of_manifest_and_executables_as_they_were_opened() {
    let worker = |name: &str| {
        format!("[worker.{name}]\nexec = \"tw\"\nactor.life = {{ type = \"Life\", args = {{}} }}\n")
    };
    let mut supervised = Supervised::manifest(
        env!("CARGO_BIN_EXE_bailiwickd-under-test"),
        env!("CARGO_BIN_EXE_tw"),
        &[worker("a"), worker("b")].concat(),
    );
    supervised.wait_for_life("a", 1);
    let (manifest, program) = (supervised.path().join("app.toml"), supervised.path().join("tw"));
    let (manifest_then, program_then) = (sha256sum(&manifest), sha256sum(&program));
    ["a", "b"].iter().for_each(|worker| wait_for_digest(&supervised, worker, &program_then));

    // Another build takes the place of both files.
    fs::write(&manifest, "").unwrap();
    replace_program(&program);
    let program_now = sha256sum(&program);
    assert_ne!(program_then, program_now);

    // What nobody ordered to be renewed is what it was, and an automatic restart is no order.
    supervised.pid("a").signal(Signal::SIGKILL);
    supervised.wait_for_life("a", 2);
    wait_for_digest(&supervised, "a", &program_then);
    supervised.order(Verb::Restart, "b");
    wait_for_digest(&supervised, "b", &program_now);
    wait_for_digest(&supervised, "a", &program_then);
    assert_eq!(supervised.status().supervisor.manifest.as_ref().map(hex), Some(manifest_then));
    supervised.stop();
}

#[test]
fn a_program_has_no_manifest_and_one_executable() {
    let mut supervised = Supervised::program(env!("CARGO_BIN_EXE_shop"), &["stay"]);
    let own = sha256sum(&supervised.path().join("tw"));
    let workers = supervised.status().workers;
    assert!(!workers.is_empty());
    for row in workers {
        let title = format!("{}.{}", row.name, row.instance);
        wait_for_digest(&supervised, &title, &own);
    }
    assert_eq!(supervised.status().supervisor.manifest, None);
    supervised.stop();
}
