//! E. The supervisor itself: its death, its identity, its resources.

use bailiwick_supervisor::control::State;
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::worker;

#[test]
fn a_kept_descriptor_outlives_who_made_it_and_who_uses_it() {
    let binder = worker(
        "binder",
        "kind = \"oneshot\"\nsandbox = { preset = \"net-server\", tcp_bind = [0] }",
        "keep = \"http\"",
    );
    let web = worker(
        "web",
        "needs = [\"binder\"]\nkept = [\"http\"]\nsandbox.preset = \"net-server\"",
        "take = \"http\"",
    );
    let mut supervised = run!(&[binder, web].concat());
    assert_eq!(supervised.wait_for_state("binder", State::Done).generation, 1);
    supervised.wait_for_life("web", 1);
    let address = supervised.journal().wait_for(0, "took http at").text;
    let seen = supervised.journal().len();
    supervised.pid("web").signal(Signal::SIGKILL);
    assert_eq!(supervised.journal().wait_for(seen, "took http at").text, address);
    supervised.stop();
}
