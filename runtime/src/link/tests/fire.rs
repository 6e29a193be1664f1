//! Accounting while the receiver is killed again and again: every message has one fate, and it is the true one.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use super::desk::DeskRef;
use super::worlds::run;
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(60);
const KILLS: u32 = 30;
const ASKS_PER_LIFE: u32 = 60;

/// A tell has no outcome of its own, so its fate is a matter of counting: whoever sent it finds it among what was
/// handled, among the dead letters of either side, or among those of which nobody knows.
#[test]
fn no_tell_vanishes_silently() {
    // How many were handled, lost, and of which nobody knows, over all kinds of links.
    let fates = Cell::new([0; 3]);
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let (mut sent, mut dead) = (0, Vec::new());
        let mut pauses = fastrand::Rng::with_seed(11);
        for _ in 0..KILLS {
            for _ in 0..pauses.u32(..40) {
                let tell = desk.add(sent);
                if pauses.bool() {
                    tell.tell().await.unwrap();
                } else if tell.try_tell().is_err() {
                    continue;
                }
                sent += 1;
                if pauses.u32(..8) == 0 {
                    tokio::task::yield_now().await;
                }
            }
            // A fresh link takes the place of one on which there is something to be written.
            if pauses.bool() {
                both.link();
            }
            dead.push(both.kill_right().await);
            for _ in 0..pauses.u32(..4) {
                tokio::task::yield_now().await;
            }
            both.link();
        }
        // The last life answers, so everything before it has arrived and its credit is not under way.
        desk.list().ask(SOON).await.unwrap();
        dead.push(std::sync::Arc::clone(&both.right));
        let mut handled = Vec::new();
        let mut letters = std::collections::BTreeMap::new();
        for worker in &dead {
            handled.extend(worker.desk().list().ask(SOON).await.unwrap());
        }
        for node in dead.iter().map(|worker| &worker.node).chain([&both.left.node]) {
            for (reason, count) in node.shared.dead_letters.counts() {
                *letters.entry(reason).or_insert(0) += count;
            }
        }
        let unknown = letters.remove("unknown").unwrap_or(0);
        let lost: u64 = letters.values().sum();
        let (sent, handled_all) = (u64::from(sent), handled.len() as u64);
        handled.dedup();
        assert_eq!(handled.len() as u64, handled_all, "a tell was handled twice");
        let told = format!("{sent} sent, {handled_all} handled, {letters:?}, {unknown} unknown");
        assert!(handled_all + lost <= sent, "a dead letter was handled: {told}");
        assert!(sent <= handled_all + lost + unknown, "some vanished: {told}");
        assert!(unknown <= u64::from(KILLS) * 8, "more than there can be credit for: {told}");
        let [handled_before, lost_before, unknown_before] = fates.get();
        fates.set([handled_before + handled_all, lost_before + lost, unknown_before + unknown]);
        println!("{told}");
    });
    // When the polled ring is read is a matter of time, and so is what a kill finds there.
    let fates = fates.get();
    assert!(!fates.contains(&0), "the kills came at dull moments: handled, lost, unknown: {fates:?}");
}

#[test]
fn every_ask_has_one_fate_and_it_is_the_true_one() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let (mut asks, mut dead) = (Vec::new(), Vec::new());
        let mut pauses = fastrand::Rng::with_seed(7);
        for life in 0..KILLS {
            for number in life * ASKS_PER_LIFE..(life + 1) * ASKS_PER_LIFE {
                asks.push((number, tokio::task::spawn_local(desk.add(number).ask(SOON))));
                // The kill comes at any point: before anything is written, in the middle, after all answers.
                if pauses.u32(..8) == 0 {
                    tokio::task::yield_now().await;
                }
            }
            for _ in 0..pauses.u32(..4) {
                tokio::task::yield_now().await;
            }
            dead.push(both.kill_right().await);
            for _ in 0..pauses.u32(..4) {
                tokio::task::yield_now().await;
            }
            both.link();
        }
        let mut fates = BTreeMap::new();
        for (number, asked) in asks {
            fates.insert(number, asked.await.unwrap());
        }
        let mut handled: BTreeMap<u32, u32> = BTreeMap::new();
        dead.push(std::sync::Arc::clone(&both.right));
        for worker in &dead {
            let list = worker.desk().list().ask(SOON).await.unwrap();
            assert!(list.is_sorted(), "one incarnation gets messages in the order sent: {list:?}");
            list.into_iter().for_each(|number| *handled.entry(number).or_default() += 1);
        }
        let mut counts = [0; 3];
        for (number, fate) in &fates {
            let times = handled.get(number).copied().unwrap_or(0);
            match fate {
                Ok(_) => {
                    counts[0] += 1;
                    assert_eq!(times, 1, "{number} was answered");
                }
                Err(AskError::NotDelivered(reason)) => {
                    counts[1] += 1;
                    assert_eq!(times, 0, "{number} was not delivered: {reason}");
                }
                Err(AskError::Unknown(_)) => {
                    counts[2] += 1;
                    assert!(times <= 1, "{number} was handled {times} times");
                }
            }
        }
        assert_eq!(fates.len() as u32, KILLS * ASKS_PER_LIFE);
        // Of handlers that take no time hardly one is caught in it: `begun` has one that takes its time.
        assert!(counts[..2].iter().all(|count| *count > 0), "answered, not delivered, unknown: {counts:?}");
    });
}
