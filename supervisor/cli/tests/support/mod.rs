//! The command line as a script runs it, over a folder with manifests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with a manifest that is good and one that is not.
pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().canonicalize().expect("it was just made");
    write(&path.join("shop"), "#!/bin/sh\n");
    fs::set_permissions(path.join("shop"), PermissionsExt::from_mode(0o755)).expect("the file is ours");
    let good = "[worker.web]\nexec = \"shop\"\n[worker.web.actor.front]\ntype = \"Web\"\n";
    write(&path.join("good.toml"), good);
    write(&path.join("bad.toml"), "[worker.web]\nexec = \"shop\"\ninstancse = 2\n");
    (folder, path)
}

/// Writes a file that nobody else may change.
pub(crate) fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("the folder is ours");
    fs::set_permissions(path, PermissionsExt::from_mode(0o644)).expect("the file is ours");
}

/// Returns the command line, about to be run in a folder.
pub(crate) fn bailiwick(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick"));
    command.current_dir(folder).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "TERM"] {
        command.env_remove(name);
    }
    command
}

/// Runs a command and returns its exit code, its data and its messages.
pub(crate) fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the program can be executed");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is text");
    (status.code().expect("no signal ended it"), text(stdout), text(stderr))
}
