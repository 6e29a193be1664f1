//! What a test does that cannot test anything here: it says so, also where the runner shows nothing of a passing test.

use std::io::{self, Write};
use std::thread;

/// Tells whether this test has to be passed over because it needs root, and then says so with the reason.
#[must_use = "a test that needs root returns if it is passed over"]
pub fn needs_root(why: &str) -> bool {
    let passed_over = !nix::unistd::geteuid().is_root();
    if passed_over {
        let thread = thread::current();
        // Not `eprintln!`, which the runner keeps to itself as long as the test passes.
        let _ = writeln!(io::stderr(), "SKIPPED {}: {why}", thread.name().unwrap_or("a test"));
    }
    passed_over
}
