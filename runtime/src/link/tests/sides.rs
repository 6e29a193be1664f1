//! A peer with two lives at a time: which one messages go to, and what becomes of them when that changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bailiwick_wire::reason::DownCause;
use futures::future::join_all;

use super::desk::{BellRef, DeskRef};
use super::worlds::{Both, NUMBER, Worker, run};
use crate::Protocol;
use crate::address::Target;
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);
const STOPPED: DownCause = DownCause::Stopped;
const KILLED: DownCause = DownCause::Signalled(9);

async fn list(worker: &Worker) -> Vec<u32> {
    worker.desk().list().ask(SOON).await.unwrap()
}

fn is_up(desk: &DeskRef) -> bool {
    match &desk.address().0 {
        Target::Peer(desk) => desk.is_up(),
        Target::Local(_) | Target::Pool(_) => panic!("it is in another worker, and alone"),
    }
}

/// Runs a test with a desk that was asked once, in a first life.
fn desk(test: impl AsyncFn(&mut Both, Context, DeskRef)) {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert_eq!(desk.add(0).ask(SOON).await, Ok(1));
        tokio::time::timeout(SOON, test(both, cx, desk)).await.expect("the test ends");
    });
}

#[test]
fn nothing_is_sent_to_a_life_beside_the_routed_one_but_what_it_sends_is_taken() {
    desk(async |both, _, desk| {
        let next = both.rise().await;
        let ours = next.peers.resolve("left/desk", DeskRef::schema()).unwrap();
        assert_eq!(
            DeskRef::from_address(ours).add(9).ask(SOON).await,
            Ok(1),
            "it may ask before it is ready"
        );
        assert_eq!(desk.add(1).ask(SOON).await, Ok(2));
        assert_eq!(desk.address().generation(), 1);
        assert_eq!((list(&both.right).await, list(&next).await), (vec![0, 1], vec![]));
    });
}

#[test]
fn what_waits_goes_over_in_its_order_and_before_what_is_newer() {
    desk(async |both, _, desk| {
        let hanging = tokio::task::spawn_local(desk.hang().ask(HOUR));
        let next = both.rise().await;
        let waiting = tokio::task::spawn_local(join_all((1..=100).map(|number| desk.add(number).tell())));
        let asked = tokio::task::spawn_local(desk.add(101).ask(SOON));
        // As long as there is room somewhere, something moves.
        while desk.add(0).try_tell() != Err(NotDelivered::Full) {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished() && !asked.is_finished());
        let (before, _) = both.succeed(&next);
        desk.add(102).tell().await.unwrap();
        for told in waiting.await.unwrap() {
            told.unwrap();
        }
        asked.await.unwrap().unwrap();
        assert_eq!(desk.address().generation(), 2);
        desk.list().ask(SOON).await.unwrap();
        hanging.abort();
        let (first, second) = (list(&before).await, list(&next).await);
        assert!(second.len() > 50 && second.ends_with(&[100, 101, 102]), "{second:?}");
        let both: Vec<_> = first.into_iter().chain(second).filter(|number| *number > 0).collect();
        assert_eq!(both, (1..=102).collect::<Vec<_>>());
    });
}

#[test]
fn what_was_sent_while_the_first_life_was_down_goes_over_too() {
    desk(async |both, _, desk| {
        let next = both.rise().await;
        both.right.peers.vanish();
        both.left.peers.died(NUMBER, 1, KILLED);
        while is_up(&desk) {
            tokio::task::yield_now().await;
        }
        for number in 1..=10 {
            desk.add(number).try_tell().unwrap();
        }
        both.succeed(&next);
        assert_eq!(desk.list().ask(SOON).await.unwrap(), (1..=10).collect::<Vec<_>>());
    });
}

#[test]
fn senders_wait_for_a_successor_whose_link_is_not_open_yet() {
    desk(async |both, _, desk| {
        let next = both.rise().await;
        // Neither side has run since: no hello has arrived.
        both.succeed(&next);
        let asks = (0..2000).map(|number| desk.add(number).ask(SOON));
        for asked in join_all(asks).await {
            asked.expect("more than may be sent while a peer is down, and it is not down");
        }
    });
}

#[test]
fn an_ask_under_way_is_answered_by_the_life_that_has_it() {
    desk(async |both, _, desk| {
        let hanging = tokio::task::spawn_local(desk.hang().ask(HOUR));
        let asked = tokio::task::spawn_local(desk.add(1).ask(SOON));
        let next = both.rise().await;
        while !both.right.peers.are_busy() {
            tokio::task::yield_now().await;
        }
        let (before, generation) = both.succeed(&next);
        assert_eq!(desk.add(2).ask(SOON).await, Ok(1), "the successor's first");
        hanging.abort();
        before.drain().await;
        both.left.peers.died(NUMBER, generation, STOPPED);
        assert_eq!(asked.await.unwrap(), Ok(2), "the predecessor's second");
    });
}

#[test]
fn an_ask_that_the_predecessor_does_not_take_any_more_is_sent_to_the_successor() {
    for told_first in [true, false] {
        desk(async |both, _, desk| {
            let next = both.rise().await;
            next.desk().list().ask(SOON).await.unwrap();
            // It drains, and what is sent now is on its way to it.
            both.right.peers.refuse();
            let asks: Vec<_> =
                (1..=3).map(|number| tokio::task::spawn_local(desk.add(number).ask(SOON))).collect();
            if !told_first {
                // They came back and wait.
                while is_up(&desk) {
                    tokio::task::yield_now().await;
                }
            }
            let (before, generation) = both.succeed(&next);
            before.drain().await;
            both.left.peers.died(NUMBER, generation, STOPPED);
            for asked in asks {
                asked.await.unwrap().unwrap();
            }
            assert_eq!(list(&next).await, [1, 2, 3]);
        });
    }
}

#[test]
fn an_ask_that_never_left_for_a_predecessor_that_was_killed_is_sent_to_the_successor() {
    desk(async |both, _, desk| {
        let next = both.rise().await;
        assert_eq!(desk.add(1).ask(SOON).await, Ok(2));
        let mut asked = Box::pin(desk.add(2).ask(SOON));
        assert!(futures::poll!(&mut asked).is_pending(), "it is to be written");
        let (before, generation) = both.succeed(&next);
        before.peers.vanish();
        both.left.peers.died(NUMBER, generation, KILLED);
        assert_eq!(asked.await, Ok(1));
        assert_eq!(list(&next).await, [2]);
    });
}

#[test]
fn a_life_that_ends_beside_the_routed_one_is_noticed_by_nobody() {
    desk(async |both, mut cx, desk| {
        cx.watch(&desk);
        let next = both.rise().await;
        assert_eq!(desk.add(1).ask(SOON).await, Ok(2));
        let hanging = tokio::task::spawn_local(desk.hang().ask(HOUR));
        next.peers.vanish();
        both.left.peers.died(NUMBER, 2, KILLED);
        let bell: BellRef = cx.peer("right/bell").unwrap();
        for rung in 1..=10 {
            assert_eq!(bell.ring().ask(SOON).await, Ok(rung));
        }
        assert!(!hanging.is_finished());
        assert!(tokio::time::timeout(Duration::ZERO, cx.next_down()).await.is_err(), "nobody died");
        assert_eq!(desk.address().generation(), 1);
        // The next attempt takes the place of the one that failed.
        let next = both.rise().await;
        both.succeed(&next);
        assert_eq!(desk.add(2).ask(SOON).await, Ok(1));
        assert_eq!(desk.address().generation(), 3);
    });
}

#[test]
fn the_end_of_each_life_is_told_once_to_those_who_watched_it() {
    desk(async |both, mut cx, desk| {
        let bell: BellRef = cx.peer("right/bell").unwrap();
        cx.watch(&desk);
        let next = both.rise().await;
        let (before, generation) = both.succeed(&next);
        cx.watch(&bell);
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        before.drain().await;
        both.left.peers.died(NUMBER, generation, STOPPED);
        let down = cx.next_down().await;
        assert_eq!((down.address, down.generation), (desk.address().clone(), 1));
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        assert!(tokio::time::timeout(Duration::ZERO, cx.next_down()).await.is_err(), "the bell rings");
        both.kill_right().await;
        let down = cx.next_down().await;
        assert_eq!((down.address, down.generation), (bell.address().clone(), 2));
        assert_eq!(down.cause, Cause::Elsewhere(KILLED));
        both.link();
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        assert!(tokio::time::timeout(Duration::ZERO, cx.next_down()).await.is_err(), "each was told once");
    });
}

#[test]
fn a_watch_that_was_set_while_the_first_life_was_down_is_for_the_successor() {
    desk(async |both, mut cx, desk| {
        let next = both.rise().await;
        both.right.peers.vanish();
        both.left.peers.died(NUMBER, 1, KILLED);
        both.left.peers.read_out(NUMBER, 1, false).await;
        cx.watch(&desk);
        both.succeed(&next);
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        assert!(tokio::time::timeout(Duration::ZERO, cx.next_down()).await.is_err(), "it lives");
        both.kill_right().await;
        assert_eq!(cx.next_down().await.generation, 2);
    });
}

#[test]
fn a_worker_that_takes_nothing_any_more_says_so_to_a_life_that_comes_later() {
    desk(async |both, _, _| {
        both.left.peers.refuse();
        let next = both.rise().await;
        let ours = DeskRef::from_address(next.peers.resolve("left/desk", DeskRef::schema()).unwrap());
        let outcome = ours.add(1).ask(Duration::from_millis(100)).await;
        assert_eq!(outcome, Err(AskError::NotDelivered(NotDelivered::Expired)), "it waits for a next life");
    });
}

#[test]
fn a_watch_that_was_taken_back_is_told_nothing_whichever_life_it_was_for() {
    desk(async |both, mut cx, desk| {
        let first = cx.watch(&desk);
        let next = both.rise().await;
        let (before, generation) = both.succeed(&next);
        let second = cx.watch(&desk);
        cx.unwatch(&first);
        cx.unwatch(&second);
        before.drain().await;
        both.left.peers.died(NUMBER, generation, STOPPED);
        both.kill_right().await;
        both.link();
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        assert!(tokio::time::timeout(Duration::ZERO, cx.next_down()).await.is_err());
    });
}

#[test]
fn a_sender_that_gives_up_while_its_message_goes_over_takes_it_back() {
    desk(async |both, _, desk| {
        let hanging = tokio::task::spawn_local(desk.hang().ask(HOUR));
        let next = both.rise().await;
        while desk.add(0).try_tell() != Err(NotDelivered::Full) {
            tokio::task::yield_now().await;
        }
        // The successor has no room either, but for one.
        let busy = tokio::task::spawn_local(next.desk().hang().ask(HOUR));
        let mut asks: Vec<_> = (1..=20).map(|number| Box::pin(desk.add(number).ask(SOON))).collect();
        let mut tells: Vec<_> = (101..=120).map(|number| Box::pin(desk.add(number).tell())).collect();
        for asked in &mut asks {
            assert!(futures::poll!(asked).is_pending());
        }
        for told in &mut tells {
            assert!(futures::poll!(told).is_pending());
        }
        both.succeed(&next);
        drop((asks, tells));
        let routed = both.left.peers.peer_of(NUMBER).unwrap();
        assert!(!routed.lock().link.has_waiting(), "nobody waits for what they sent");
        for task in [hanging, busy] {
            task.abort();
        }
        desk.add(200).tell().await.unwrap();
        let list = desk.list().ask(SOON).await.unwrap();
        assert!(list.ends_with(&[200]) && list.len() < 10, "those that had room at once, at most: {list:?}");
    });
}

#[test]
fn lives_take_turns_for_as_long_as_one_likes() {
    desk(async |both, _, desk| {
        for generation in 2..=20 {
            let next = both.rise().await;
            let (before, old) = both.succeed(&next);
            before.drain().await;
            both.left.peers.died(NUMBER, old, STOPPED);
            assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
            assert_eq!(desk.address().generation(), generation);
        }
        assert_eq!(both.left.peers.count_sides(), 2);
    });
}

#[test]
fn an_order_to_succeed_for_a_life_without_a_link_changes_nothing() {
    desk(async |both, _, desk| {
        both.left.peers.succeed(NUMBER, 7);
        assert_eq!(desk.add(1).ask(SOON).await, Ok(2));
        assert_eq!(both.left.peers.count_sides(), 1);
    });
}

#[test]
fn a_reference_that_a_life_passed_on_is_of_that_life() {
    desk(async |both, _, desk| {
        let next = both.rise().await;
        let ours = DeskRef::from_address(next.peers.resolve("left/desk", DeskRef::schema()).unwrap());
        assert_eq!(ours.relay(next.desk(), 5).ask(SOON).await.unwrap(), Ok(1));
        let before = DeskRef::from_address(both.right.peers.resolve("left/desk", DeskRef::schema()).unwrap());
        let (first, _) = both.succeed(&next);
        assert_eq!(before.relay(first.desk(), 6).ask(SOON).await.unwrap(), Ok(2));
        assert_eq!(desk.add(7).ask(SOON).await, Ok(2));
        assert_eq!((list(&first).await, list(&next).await), (vec![0, 6], vec![5, 7]));
    });
}

/// Replaces the right worker again and again while others send. Returns what each life handled.
async fn replace_under_load(both: &mut Both, desk: &DeskRef) -> Vec<Vec<u32>> {
    let mut handled = Vec::new();
    let mut pauses = fastrand::Rng::with_seed(3);
    for _ in 0..HANDOVERS {
        let next = both.rise().await;
        for _ in 0..pauses.u32(..30) {
            tokio::task::yield_now().await;
        }
        let (before, generation) = both.succeed(&next);
        for _ in 0..pauses.u32(..3) {
            tokio::task::yield_now().await;
        }
        handled.push(before.drain().await);
        both.left.peers.died(NUMBER, generation, STOPPED);
        assert_eq!(before.node.shared.dead_letters.total(), 0);
        // The next one comes when this one has work.
        desk.list().ask(SOON).await.unwrap();
    }
    handled
}

#[test]
fn fifty_handovers_under_load_fail_no_ask_and_lose_no_tell() {
    desk(async |both, _, desk| {
        let (stop, _) = tokio::sync::watch::channel(false);
        let senders: Vec<_> = (1..=SENDERS)
            .map(|sender| {
                let (desk, stop) = (desk.clone(), stop.subscribe());
                tokio::task::spawn_local(async move {
                    let mut number = sender * STEP;
                    while !*stop.borrow() {
                        number += 1;
                        if number.is_multiple_of(3) {
                            desk.add(number).tell().await.unwrap();
                            // Who only tells never lets anybody else at work.
                            tokio::task::yield_now().await;
                        } else {
                            desk.add(number).ask(SOON).await.unwrap();
                        }
                    }
                    number - sender * STEP
                })
            })
            .collect();
        let mut lives = replace_under_load(both, &desk).await;
        stop.send_replace(true);
        let sent: u32 = join_all(senders).await.into_iter().map(Result::unwrap).sum();
        lives.push(desk.list().ask(SOON).await.unwrap());
        let mut handled = Vec::new();
        for list in lives {
            for sender in 1..=SENDERS {
                let own = list.iter().filter(|number| **number / STEP == sender);
                assert!(own.is_sorted(), "each sender's messages come in the order sent");
            }
            handled.extend(list.into_iter().filter(|number| *number > 0));
        }
        handled.sort_unstable();
        let before = handled.len();
        handled.dedup();
        assert_eq!((handled.len(), before), (sent as usize, sent as usize), "each was handled, and once");
        assert_eq!(both.left.node.shared.dead_letters.total(), 0);
        println!("{sent} messages");
    });
}

#[test]
fn who_found_the_first_life_routed_and_comes_too_late_sends_to_its_successor() {
    desk(async |both, _, desk| {
        for _ in 0..20 {
            let next = both.rise().await;
            let old = both.left.peers.peer_of(NUMBER).unwrap();
            let guard = old.lock();
            let asking = desk.clone();
            let sender = tokio::task::spawn_blocking(move || asking.add(1).ask_blocking(SOON));
            // By then it mostly stands before the lock; if not, the test proves nothing this time.
            for _ in 0..100 {
                std::thread::yield_now();
            }
            drop(guard);
            let (before, generation) = both.succeed(&next);
            let new = both.left.peers.peer_of(NUMBER).unwrap();
            // Nothing is read meanwhile, so what is under way stays so.
            let [first, mut second] = [&old, &new].map(|side| side.lock().link.outstanding());
            while first + second == 0 {
                std::thread::yield_now();
                second = new.lock().link.outstanding();
                assert_eq!(old.lock().link.outstanding(), 0);
            }
            assert!(sender.await.unwrap().is_ok());
            before.drain().await;
            both.left.peers.died(NUMBER, generation, STOPPED);
        }
    });
}

#[test]
fn a_handler_of_the_successor_is_dropped_with_the_asker_whose_message_went_over() {
    desk(async |both, _, desk| {
        let hanging = tokio::task::spawn_local(desk.hang().ask(HOUR));
        let next = both.rise().await;
        while desk.add(0).try_tell() != Err(NotDelivered::Full) {
            tokio::task::yield_now().await;
        }
        let waiting = tokio::task::spawn_local(desk.hang().ask(HOUR));
        tokio::task::yield_now().await;
        both.succeed(&next);
        while !next.peers.are_busy() {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        assert_eq!(desk.dropped().ask(SOON).await, Ok(1));
        hanging.abort();
    });
}

#[test]
fn senders_wait_for_a_successor_that_rises_when_the_first_life_drains_before_it() {
    desk(async |both, _, desk| {
        let next = both.rise().await;
        both.right.peers.refuse();
        while is_up(&desk) {
            tokio::task::yield_now().await;
        }
        let mut asks: Vec<_> = (1..=2000).map(|number| Box::pin(desk.add(number).ask(SOON))).collect();
        for asked in &mut asks {
            assert!(futures::poll!(asked).is_pending());
        }
        assert_eq!(desk.add(0).try_tell().err(), Some(NotDelivered::Draining), "more than may be buffered");
        both.succeed(&next);
        for asked in join_all(asks).await {
            asked.expect("more than may be sent while a peer is down, and another one is there");
        }
        assert_eq!(list(&next).await, (1..=2000).collect::<Vec<_>>());
    });
}

#[test]
fn threads_that_send_while_lives_take_turns_see_no_failure() {
    desk(async |both, _, desk| {
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..4)
            .map(|number| {
                let (desk, stop) = (desk.clone(), Arc::clone(&stop));
                tokio::task::spawn_blocking(move || {
                    let mut asks = 0;
                    while !stop.load(Ordering::Relaxed) {
                        desk.add(number).ask_blocking(SOON).unwrap();
                        asks += 1;
                    }
                    asks
                })
            })
            .collect();
        replace_under_load(both, &desk).await;
        stop.store(true, Ordering::Relaxed);
        let asks: u32 = join_all(senders).await.into_iter().map(Result::unwrap).sum();
        assert!(asks > HANDOVERS, "{asks}");
    });
}

const HANDOVERS: u32 = 50;
const SENDERS: u32 = 16;
/// Messages that no sender comes to.
const STEP: u32 = 1_000_000;
