//! Copies of executables, which others write than the process that runs the tests.
//!
//! A file that this one wrote stays open for writing in whatever its other threads fork meanwhile, and a file that is open
//! for writing is not executed (ETXTBSY, execve(2)).

use std::fs;
use std::path::Path;
use std::process::Command;

/// Copies an executable, so that it can be executed at once.
///
/// # Panics
/// If it cannot be copied.
pub fn copy_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let copied = Command::new("cp").arg("--").args([from.as_ref(), to.as_ref()]).status();
    assert!(copied.is_ok_and(|status| status.success()), "{} can be copied", from.as_ref().display());
}

/// Puts another build into the place of an executable, in one step: the same program, with one byte more at its end.
///
/// # Panics
/// If it cannot be written.
pub fn replace_program(program: impl AsRef<Path>) {
    let program = program.as_ref();
    let next = program.with_extension("next");
    copy_program(program, &next);
    let longer = Command::new("truncate").arg("--size=+1").arg(&next).status();
    assert!(longer.is_ok_and(|status| status.success()), "{} can be written", next.display());
    fs::rename(&next, program).expect("the folder is ours");
}
