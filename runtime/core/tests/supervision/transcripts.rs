//! Golden transcripts: a file holds what happened, line by line, and what the tree answered.
//!
//! The test reads time and event of each line, tells them to a new tree, and compares its answers with those in
//! the file. Run with `BLESS=1` to write the answers anew; then read what changed.

mod parse;
mod pauses;
mod rolling;
mod scenarios;

use std::fmt::Write;
use std::path::PathBuf;

use bailiwick_core::tree::{Config, Line};

use crate::observer::Observed;

/// A comment that begins so permits that the next line comes later than the tree asked for.
const LAGS: &str = "# The supervisor did not run";

/// Replays the transcript called `name` and compares the answers.
fn replay(name: &str, config: Config) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/supervision/transcripts", name].iter().collect();
    let path = path.with_extension("txt");
    let expected =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut world = Observed::new(config);
    let mut answered = String::new();
    let mut lags = false;
    for line in expected.lines() {
        if line.is_empty() || line.starts_with('#') {
            writeln!(answered, "{line}").expect("a String takes everything");
            lags = line.starts_with(LAGS);
            continue;
        }
        let (now, event) = parse::line(line).unwrap_or_else(|| panic!("{name}: no event in {line:?}"));
        assert!(now >= world.now, "{name}: time runs backwards at {line:?}");
        assert!(
            std::mem::take(&mut lags) || world.tree.deadline().is_none_or(|due| due >= now),
            "{name}: a tick is due at {:?} before {line:?}",
            world.tree.deadline(),
        );
        world.now = now;
        let actions = world.tell(event);
        writeln!(answered, "{}", Line { now, event, actions: &actions }).expect("a String takes everything");
    }
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(&path, answered).expect("the transcript can be written");
    }
    for (expected, answered) in expected.lines().zip(answered.lines()) {
        assert_eq!(answered, expected, "{name}");
    }
}
