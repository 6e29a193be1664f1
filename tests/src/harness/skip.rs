//! What a test does that cannot test anything here: it says so, also where the runner shows nothing of a passing test.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::thread;

/// Tells whether this test has to be passed over because it needs root, and then says so with the reason.
#[must_use = "a test that needs root returns if it is passed over"]
pub fn needs_root(why: &str) -> bool {
    let passed_over = !nix::unistd::geteuid().is_root();
    if passed_over {
        say(why);
    }
    passed_over
}

/// Tells whether this test has to be passed over because `program` is not installed, which `package` has, and then says so.
#[must_use = "a test that needs a program returns if it is passed over"]
pub fn needs_program(program: &str, package: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).stdout(Stdio::null()).status();
    let passed_over = !found.is_ok_and(|status| status.success());
    if passed_over {
        say(&format!("{program} is not installed (package {package})"));
    }
    passed_over
}

fn say(why: &str) {
    let thread = thread::current();
    // Not `eprintln!`, which the runner keeps to itself as long as the test passes.
    let _ = writeln!(io::stderr(), "SKIPPED {}: {why}", thread.name().unwrap_or("a test"));
}
