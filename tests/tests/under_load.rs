//! The same promises while every core is busy with something else.

use std::time::Duration;

use bailiwick_tests::harness::{Load, Stopwatch, Supervised};
use nix::sys::signal::Signal;

const SYSTEM: &str = r#"
[group.g]
max_restarts = 1000
period = "10s"
[worker.probe]
exec = "tw"
group = "g"
instances = 2
backoff = { base = "1ms", cap = "5ms" }
actor.life = { type = "Life", args = {} }
[worker.pilot]
exec = "tw"
needs = ["probe"]
actor.flight = { type = "Pilot", args = { target = "probe" } }
[[grant]]
from = "pilot"
to = "probe"
"#;

#[test]
fn kills_are_answered_while_every_core_is_busy() {
    let tw = env!("CARGO_BIN_EXE_tw");
    let _load = Load::start(tw);
    let mut supervised = Supervised::manifest(env!("CARGO_BIN_EXE_bailiwickd-under-test"), tw, SYSTEM);
    supervised.journal().wait_for(0, "of probe ok");
    for generation in 2..12 {
        let instance = if generation % 2 == 0 { "probe.1" } else { "probe.2" };
        let stopwatch = Stopwatch::start();
        supervised.pid(instance).signal(Signal::SIGKILL);
        supervised.wait_for_life(instance, generation / 2 + 1);
        stopwatch.assert_within(Duration::from_millis(500), "a replacement");
        let seen = supervised.journal().len();
        supervised.journal().wait_for(seen, "of probe ok");
    }
    assert_eq!(supervised.worker("pilot").generation, 1);
    let stopwatch = Stopwatch::start();
    supervised.stop();
    stopwatch.assert_within(Duration::from_secs(1), "the ordered stop");
}
