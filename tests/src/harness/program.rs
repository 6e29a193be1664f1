//! Copies of executables.

use std::path::Path;
use std::process::Command;

/// Copies an executable, so that it can be executed at once.
///
/// Another process writes it: a file that this one wrote stays open for writing in whatever its other threads fork meanwhile,
/// and a file that is open for writing is not executed (ETXTBSY, execve(2)).
///
/// # Panics
/// If it cannot be copied.
pub fn copy_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let copied = Command::new("cp").arg("--").args([from.as_ref(), to.as_ref()]).status();
    assert!(copied.is_ok_and(|status| status.success()), "{} can be copied", from.as_ref().display());
}
