//! Scenarios of a group that pauses as a whole before it starts again, each one transcript.

use std::time::Duration;

use bailiwick_core::backoff::Backoff;
use bailiwick_core::tree::{ChildConfig, Config, GroupConfig, GroupId, OnExhausted, Strategy};

use super::replay;
use super::scenarios::{all, budget, child, serial};

#[test]
fn a8_a_pause_holds_the_whole_group_and_a_start_ends_it() {
    let minute = Duration::from_secs(60);
    let backoff = Backoff { first: minute, base: minute, cap: minute, ..child().backoff };
    let slow = ChildConfig { backoff, ..child() };
    replay("a8_pause", serial(Strategy::OneForAll, vec![child(), slow]));
}

#[test]
fn a8_whoever_pauses_and_is_not_to_come_back_holds_nobody() {
    let pausing = |seconds| {
        let pause = Duration::from_secs(seconds);
        ChildConfig {
            backoff: Backoff { first: pause, base: pause, cap: pause, ..child().backoff },
            ..child()
        }
    };
    let config = serial(Strategy::OneForAll, vec![child(), pausing(60)]);
    for name in ["a8_pause_stopped", "a8_pause_drained", "a8_pause_killed", "a8_pause_removed"] {
        replay(name, config.clone());
    }
    // While the others are being stopped, and where another pauses as well.
    replay("a8_pause_stopped_early", config);
    replay("a8_pause_of_two", serial(Strategy::RestForOne, vec![pausing(60), pausing(30), child()]));
    // The group's own pause is nobody's of its members.
    let inner = GroupConfig {
        parent: Some(GroupId(0)),
        strategy: Strategy::RestForOne,
        ..budget(1, 5, OnExhausted::Escalate)
    };
    let within = |child| ChildConfig { group: GroupId(1), ..child };
    let config = all(vec![within(child()), within(pausing(2))]);
    let groups = vec![budget(0, 5, OnExhausted::CoolDown), inner];
    replay("a8_pause_of_the_group", Config { groups, ..config });
}
