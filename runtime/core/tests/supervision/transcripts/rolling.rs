//! Scenarios of rolling replacement, each one transcript.

use bailiwick_core::child::Alone;
use bailiwick_core::tree::{ChildConfig, Kind, OnExhausted, Strategy};

use super::replay;
use super::scenarios::{all, alone, budget, child, needing, serial, within};

#[test]
fn a_life_is_replaced_by_one_that_rose_beside_it() {
    replay("roll", alone(ChildConfig { spare: true, ..child() }));
    replay("roll_predecessor", alone(child()));
}

#[test]
fn a_newcomer_that_does_not_come_is_rolled_back_and_charges_nothing() {
    replay("roll_back", within(budget(0, 30, OnExhausted::Fail), child()));
    replay("lag_roll", alone(child()));
}

#[test]
fn a_life_that_fails_while_another_rises_is_judged_as_ever() {
    replay("roll_present_fails", alone(ChildConfig { disposable: true, ..child() }));
    replay("roll_given_up", alone(child()));
    replay("roll_newcomer_fails", alone(child()));
}

#[test]
fn every_stop_ends_both_lives() {
    replay("roll_stopped", alone(child()));
    replay("roll_shutdown", all(vec![child(), needing(&[0])]));
    replay("roll_hastened", alone(child()));
    replay("roll_halt", serial(Strategy::OneForAll, vec![child(); 2]));
}

#[test]
fn who_cannot_be_replaced_by_rolling_is_refused() {
    let oneshot = ChildConfig { kind: Kind::Oneshot, ..child() };
    let main = ChildConfig { kind: Kind::Main, ..child() };
    let silent = ChildConfig { alone: Some(Alone::SaysNoReady), ..child() };
    replay("roll_refused", all(vec![child(), oneshot, main, silent]));
}
