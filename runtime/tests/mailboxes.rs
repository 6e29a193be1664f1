//! Full mailboxes: who waits, who is refused, what is dropped, and in which order the rest arrives.
#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

mod gate;

use std::time::Duration;

use bailiwick::prelude::*;
use futures::FutureExt;
use futures::future::join_all;

use gate::{Door, GateRef};

/// Far longer than any answer takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);

#[protocol]
trait Log {
    async fn note(&mut self, number: u32);
    /// Returns when the gate is opened by any message to the gate.
    async fn wait_for(&mut self, gate: GateRef);
    async fn noted(&mut self) -> Vec<u32>;
    async fn take_bytes(&mut self, bytes: [u64; 32]);
}

#[derive(Default)]
struct Notes(Vec<u32>);

impl Log for Notes {
    async fn note(&mut self, number: u32) {
        self.0.push(number);
    }
    async fn wait_for(&mut self, gate: GateRef) {
        gate.pass().ask(Duration::from_secs(3600)).await.unwrap();
    }
    async fn noted(&mut self) -> Vec<u32> {
        self.0.clone()
    }
    async fn take_bytes(&mut self, _bytes: [u64; 32]) {}
}

/// Starts a log that has its handler in hand and takes nothing until the gate opens.
async fn held(cx: &mut Context, mailbox: Mailbox) -> (LogRef, GateRef) {
    let gate = cx.spawn(GateRef::serve(Door::default)).unwrap();
    let log = cx.spawn(LogRef::serve(Notes::default).mailbox(mailbox)).unwrap();
    // Whoever waits at the gate has left the mailbox.
    let (arrived, sent) = futures::join!(gate.arrival().ask(SOON), log.wait_for(gate.clone()).tell());
    assert_eq!((arrived, sent), (Ok(()), Ok(())));
    (log, gate)
}

async fn noted(log: &LogRef, gate: &GateRef) -> Vec<u32> {
    gate.open().tell().await.unwrap();
    loop {
        match log.noted().ask(SOON).await {
            Ok(noted) => return noted,
            Err(AskError::NotDelivered(NotDelivered::Full | NotDelivered::Dropped)) => {
                tokio::task::yield_now().await
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_mailbox_that_rejects_takes_its_capacity_and_not_one_more() {
    bailiwick::local(async |mut cx| {
        let (log, gate) = held(&mut cx, Mailbox::bounded(3).on_full(OnFull::Reject)).await;
        let outcomes: Vec<_> = (1..=4).map(|number| log.note(number).try_tell()).collect();
        assert_eq!(outcomes, [Ok(()), Ok(()), Ok(()), Err(NotDelivered::Full)]);
        assert_eq!(log.note(5).tell().await, Err(NotDelivered::Full.into()), "it does not wait either");
        assert_eq!(log.noted().ask(SOON).await, Err(AskError::NotDelivered(NotDelivered::Full)));
        assert_eq!(noted(&log, &gate).await, [1, 2, 3]);
    });
}

#[test]
fn senders_wait_in_line_and_their_messages_arrive_in_that_order() {
    bailiwick::local(async |mut cx| {
        let (log, gate) = held(&mut cx, Mailbox::bounded(2)).await;
        let sends = join_all((1..=9).map(|number| log.note(number).tell()));
        let (sent, noted) = futures::join!(sends, noted(&log, &gate));
        assert!(sent.iter().all(Result::is_ok));
        assert_eq!(noted, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });
}

#[test]
fn try_tell_never_waits() {
    bailiwick::local(async |mut cx| {
        let (log, gate) = held(&mut cx, Mailbox::bounded(1)).await;
        assert_eq!(log.note(1).try_tell(), Ok(()));
        assert_eq!(log.note(2).try_tell(), Err(NotDelivered::Full));
        assert_eq!(noted(&log, &gate).await, [1]);
    });
}

#[test]
fn a_tell_dropped_while_it_waits_takes_its_message_back() {
    bailiwick::local(async |mut cx| {
        let (log, gate) = held(&mut cx, Mailbox::bounded(1)).await;
        log.note(1).tell().await.unwrap();
        assert!(log.note(2).tell().now_or_never().is_none());
        let third = log.note(3).tell();
        let (third, noted) = futures::join!(third, noted(&log, &gate));
        assert_eq!((third, noted), (Ok(()), vec![1, 3]));
    });
}

#[test]
fn a_rendezvous_completes_when_the_actor_takes_the_message() {
    bailiwick::local(async |mut cx| {
        let (log, gate) = held(&mut cx, Mailbox::rendezvous()).await;
        assert_eq!(log.note(1).try_tell(), Err(NotDelivered::Full));
        assert!(log.note(2).tell().now_or_never().is_none());
        let (sent, noted) = futures::join!(log.note(3).tell(), noted(&log, &gate));
        assert_eq!((sent, noted), (Ok(()), vec![3]));
    });
}

#[test]
fn a_mailbox_without_bounds_takes_whatever_comes() {
    bailiwick::local(async |mut cx| {
        let (log, gate) = held(&mut cx, Mailbox::unbounded()).await;
        for number in 0..5_000 {
            log.note(number).try_tell().unwrap();
        }
        log.take_bytes([0; 32]).try_tell().unwrap();
        assert_eq!(noted(&log, &gate).await, (0..5_000).collect::<Vec<_>>());
    });
}

#[test]
fn a_mailbox_that_drops_the_oldest_keeps_the_newest_and_counts_the_rest_as_dead() {
    bailiwick::local(async |mut cx| {
        let (log, gate) = held(&mut cx, Mailbox::bounded(3).on_full(OnFull::DropOldest)).await;
        for number in 1..=4 {
            log.note(number).try_tell().unwrap();
        }
        // The ask takes a place too: another of the oldest goes.
        assert_eq!(noted(&log, &gate).await, [3, 4]);
        let reasons: Vec<_> = cx.dead_letters().into_iter().map(|letter| letter.reason).collect();
        assert_eq!(reasons, [NotDelivered::Dropped, NotDelivered::Dropped]);
    });
}

#[test]
fn a_mailbox_that_drops_the_newest_keeps_the_oldest() {
    bailiwick::local(async |mut cx| {
        let (log, gate) = held(&mut cx, Mailbox::bounded(2).on_full(OnFull::DropNewest)).await;
        for number in 1..=4 {
            log.note(number).try_tell().unwrap();
        }
        let dropped = log.noted().ask(SOON).await;
        assert_eq!(dropped, Err(AskError::NotDelivered(NotDelivered::Dropped)));
        assert_eq!(cx.dead_letters().len(), 3);
        assert_eq!(noted(&log, &gate).await, [1, 2]);
    });
}

#[test]
fn bytes_are_bounded_as_well_as_messages() {
    bailiwick::local(async |mut cx| {
        let (log, _gate) = held(&mut cx, Mailbox::bounded(100).capacity_bytes(600)).await;
        let outcomes: Vec<_> = (0..3).map(|_| log.take_bytes([0; 32]).try_tell()).collect();
        assert_eq!(outcomes, [Ok(()), Ok(()), Err(NotDelivered::Full)]);
    });
}

#[test]
fn a_full_actor_stalls_nobody_but_its_own_senders() {
    bailiwick::local(async |mut cx| {
        let (full, gate) = held(&mut cx, Mailbox::bounded(1)).await;
        full.note(1).try_tell().unwrap();
        let stalled = full.note(2).tell();
        let other = cx.spawn(LogRef::serve(Notes::default)).unwrap();
        let asked = other.noted().ask(SOON);
        let mut stalled = std::pin::pin!(stalled);
        assert!(stalled.as_mut().now_or_never().is_none());
        assert_eq!(asked.await, Ok(vec![]));
        gate.open().tell().await.unwrap();
        assert_eq!(stalled.await, Ok(()));
    });
}

#[protocol]
trait Talker {
    /// Tells itself as often as there is room, and returns how often that was.
    async fn talk(&mut self, cx: &mut Context) -> u32;
    async fn word(&mut self, number: u32);
    async fn words(&mut self) -> Vec<u32>;
    async fn fail(&mut self);
    async fn halt(&mut self, cx: &mut Context);
}

#[derive(Default)]
struct Talking(Vec<u32>);

impl Talker for Talking {
    async fn talk(&mut self, cx: &mut Context) -> u32 {
        let me: TalkerRef = cx.me();
        (0..100).take_while(|_| me.word(0).try_tell().is_ok()).count() as u32
    }
    async fn word(&mut self, number: u32) {
        self.0.push(number);
    }
    async fn words(&mut self) -> Vec<u32> {
        self.0.clone()
    }
    async fn fail(&mut self) {
        panic!("as asked");
    }
    async fn halt(&mut self, cx: &mut Context) {
        cx.stop();
    }
}

#[test]
fn what_an_actor_has_not_begun_with_takes_room_until_it_does() {
    bailiwick::local(async |mut cx| {
        let mailbox = Mailbox::bounded(4).on_full(OnFull::Reject);
        let talker = cx.spawn(TalkerRef::serve(Talking::default).mailbox(mailbox)).unwrap();
        // All four are in the mailbox before the actor has its first turn.
        let first = talker.talk().ask(SOON);
        let rest = async { (1..=3).for_each(|number| talker.word(number).try_tell().unwrap()) };
        assert_eq!(futures::join!(first, rest).0, Ok(1), "its own place is free, and no other");
    });
}

#[test]
fn what_waits_behind_a_handler_that_waits_takes_room() {
    bailiwick::local(async |mut cx| {
        let gate = cx.spawn(GateRef::serve(Door::default)).unwrap();
        let log = cx.spawn(LogRef::serve(Notes::default).mailbox(Mailbox::bounded(4))).unwrap();
        log.wait_for(gate.clone()).try_tell().unwrap();
        (1..=3).for_each(|number| log.note(number).try_tell().unwrap());
        gate.arrival().ask(SOON).await.unwrap();
        let outcomes = [4, 5].map(|number| log.note(number).try_tell());
        assert_eq!(outcomes, [Ok(()), Err(NotDelivered::Full)]);
        assert_eq!(noted(&log, &gate).await, [1, 2, 3, 4]);
    });
}

#[test]
fn what_waits_behind_a_message_that_fails_is_the_next_incarnations() {
    bailiwick::local(async |mut cx| {
        let talker = cx.spawn(TalkerRef::serve(Talking::default)).unwrap();
        talker.fail().try_tell().unwrap();
        (1..=3).for_each(|number| talker.word(number).try_tell().unwrap());
        assert_eq!(talker.words().ask(SOON).await.unwrap(), [1, 2, 3]);
    });
}

#[test]
fn what_waits_behind_a_message_that_stops_the_actor_is_a_dead_letter() {
    bailiwick::local(async |mut cx| {
        let talker = cx.spawn(TalkerRef::serve(Talking::default)).unwrap();
        cx.watch(&talker);
        talker.halt().try_tell().unwrap();
        (1..=3).for_each(|number| talker.word(number).try_tell().unwrap());
        cx.next_down().await;
        assert_eq!(cx.dead_letter_counts().get("ended"), Some(&3));
    });
}
