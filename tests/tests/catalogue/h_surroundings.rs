//! H. Containers, time, standard streams, terminals.

use bailiwick_tests::harness::Ended;
use bailiwick_tests::run;

use crate::support::{plain, worker};

const GIVES_UP: &str = "group = \"none\"\nessential = true\ncrash_may_stop = \"all\"";

fn giving_up(supervisor: &str, knobs: &str) -> String {
    let group = "[group.none]\nmax_restarts = 0\nperiod = \"60s\"\non_exhausted = \"fail\"\n";
    [supervisor, group, &plain("a"), &worker("w", GIVES_UP, knobs)].concat()
}

#[test]
fn h3_a_supervisor_that_gives_up_exits_with_3_or_the_code_of_the_worker_that_is_named() {
    for (supervisor, code) in [
        ("", 3),
        ("[supervisor]\nexit_code_from = \"w\"\n", 42),
        // It was stopped in order, which makes no success of it.
        ("[supervisor]\nexit_code_from = \"a\"\n", 3),
    ] {
        let mut supervised = run!(&giving_up(supervisor, "exit = 42, after_ms = 200"));
        assert_eq!(supervised.wait(), Ended::Code(code), "{supervisor}");
        supervised.assert_nothing_is_left();
    }
}
