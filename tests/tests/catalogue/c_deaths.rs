//! C. Killing, hanging, limits.

use bailiwick_supervisor::control::Cause;
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::worker;

#[test]
fn c3_a_stop_signal_from_elsewhere_is_a_failure() {
    let mut supervised = run!(&worker("a", "restart = \"transient\"", ""));
    supervised.wait_for_life("a", 1);
    supervised.pid("a").signal(Signal::SIGTERM);
    assert_eq!(supervised.wait_for_life("a", 2).last_cause, Some(Cause::Signal(15)));
    supervised.stop();
}
