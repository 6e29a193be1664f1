//! G. Reload and replacement.

use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::plain;

#[test]
fn a_hang_up_changes_nothing_and_says_that_there_is_no_reload() {
    let mut supervised = run!(&plain("a"));
    let before = supervised.wait_for_life("a", 1).pid;
    supervised.signal(Signal::SIGHUP);
    supervised.journal().wait_for(0, "SIGHUP: this version cannot reload a manifest");
    assert_eq!(supervised.worker("a").pid, before);
    supervised.stop();
}
