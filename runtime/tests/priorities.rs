//! Messages of two priorities in one mailbox: which goes first, how often, and what is as ever.
#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

mod gate;

use std::time::Duration;

use bailiwick::prelude::*;
use futures::FutureExt;
use futures::future::join_all;
use proptest::prelude::*;

use gate::{Door, GateRef};

/// Far longer than any answer takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// Alarms that pass one note that waits, before it is its turn.
const PASSES: usize = 16;
/// What is noted of the end of somebody who is watched.
const DOWN: u32 = 9999;
/// And of somebody who has ended already.
const MOURNED: u32 = 7777;
/// And of a siren.
const BLARE: u32 = 8888;

#[protocol]
trait Desk {
    async fn note(&mut self, number: u32);
    #[priority(high)]
    async fn alarm(&mut self, number: u32);
    #[priority(high)]
    async fn urgent_ask(&mut self, number: u32) -> u32;
    #[priority(high)]
    async fn heavy(&mut self, bytes: [u64; 32]);
    #[priority(high)]
    async fn mourn(&mut self, cx: &mut Context, other: DeskRef);
    /// Tells itself an alarm without waiting.
    async fn raise(&mut self, cx: &mut Context, number: u32);
    /// Waits until the gate is opened.
    async fn wait_for(&mut self, gate: GateRef);
    async fn watch(&mut self, cx: &mut Context, other: DeskRef);
    /// Tells another two notes and fifty alarms, and stops.
    async fn flood(&mut self, cx: &mut Context, other: DeskRef);
    async fn fail(&mut self);
    async fn halt(&mut self, cx: &mut Context);
    async fn noted(&mut self) -> Vec<u32>;
}

/// Smaller messages to the same mailbox.
#[protocol]
trait Siren {
    #[priority(high)]
    async fn blare(&mut self);
}

#[derive(Default)]
struct Notes(Vec<u32>);

impl Desk for Notes {
    async fn mourn(&mut self, cx: &mut Context, other: DeskRef) {
        cx.watch(&other);
        self.0.push(MOURNED);
    }
    async fn note(&mut self, number: u32) {
        self.0.push(number);
    }
    async fn alarm(&mut self, number: u32) {
        self.0.push(number);
    }
    async fn urgent_ask(&mut self, number: u32) -> u32 {
        self.0.push(number);
        number
    }
    async fn heavy(&mut self, _bytes: [u64; 32]) {}
    async fn raise(&mut self, cx: &mut Context, number: u32) {
        let me: DeskRef = cx.me();
        me.alarm(number).try_tell().unwrap();
    }
    async fn wait_for(&mut self, gate: GateRef) {
        gate.pass().ask(Duration::from_secs(3600)).await.unwrap();
    }
    async fn watch(&mut self, cx: &mut Context, other: DeskRef) {
        cx.watch(&other);
    }
    async fn flood(&mut self, cx: &mut Context, other: DeskRef) {
        (1..=2).for_each(|number| other.note(number).try_tell().unwrap());
        (100..150).for_each(|number| other.alarm(number).try_tell().unwrap());
        cx.stop();
    }
    async fn fail(&mut self) {
        panic!("as asked");
    }
    async fn halt(&mut self, cx: &mut Context) {
        cx.stop();
    }
    async fn noted(&mut self) -> Vec<u32> {
        self.0.clone()
    }
}

impl Siren for Notes {
    async fn blare(&mut self) {
        self.0.push(BLARE);
    }
}

impl Actor for Notes {
    async fn down(&mut self, _down: Down, _cx: &mut Context) {
        self.0.push(DOWN);
    }
}

/// Starts a desk that has its handler in hand and takes nothing until the gate opens.
async fn held(cx: &mut Context, mailbox: Mailbox) -> (DeskRef, GateRef) {
    let gate = cx.spawn(GateRef::serve(Door::default)).unwrap();
    let desk = cx.spawn(DeskRef::serve(Notes::default).and::<SirenRef>().mailbox(mailbox)).unwrap();
    // Whoever waits at the gate has left the mailbox.
    let (arrived, sent) = futures::join!(gate.arrival().ask(SOON), desk.wait_for(gate.clone()).tell());
    assert_eq!((arrived, sent), (Ok(()), Ok(())));
    (desk, gate)
}

/// Opens the gate, and returns what was noted once all that waits is handled.
async fn noted(desk: &DeskRef, gate: &GateRef) -> Vec<u32> {
    gate.open().tell().await.unwrap();
    loop {
        match desk.noted().ask(SOON).await {
            Ok(noted) => return noted,
            Err(AskError::NotDelivered(NotDelivered::Full | NotDelivered::Dropped)) => {
                tokio::task::yield_now().await
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_message_of_high_priority_goes_before_those_that_wait_and_behind_others_of_its_own() {
    bailiwick::local(async |mut cx| {
        let (desk, gate) = held(&mut cx, Mailbox::default()).await;
        for number in 1..=3 {
            desk.note(number).try_tell().unwrap();
            desk.alarm(10 + number).try_tell().unwrap();
        }
        let urgent = desk.urgent_ask(20).ask(SOON);
        let (asked, noted) = futures::join!(urgent, noted(&desk, &gate));
        assert_eq!((asked, noted), (Ok(20), vec![11, 12, 13, 20, 1, 2, 3]));
    });
}

#[test]
fn it_goes_before_what_the_actor_has_taken_out_together_and_not_begun_with() {
    bailiwick::local(async |mut cx| {
        let desk = cx.spawn(DeskRef::serve(Notes::default)).unwrap();
        // All are there before the actor has its first turn, and no handler waits.
        desk.note(1).try_tell().unwrap();
        desk.raise(10).try_tell().unwrap();
        desk.note(2).try_tell().unwrap();
        desk.raise(11).try_tell().unwrap();
        desk.note(3).try_tell().unwrap();
        assert_eq!(desk.noted().ask(SOON).await.unwrap(), [1, 10, 2, 11, 3]);
    });
}

#[test]
fn of_a_flood_one_message_that_waits_is_passed_by_so_often_and_no_more() {
    bailiwick::local(async |mut cx| {
        let (desk, gate) = held(&mut cx, Mailbox::default()).await;
        (1..=2).for_each(|number| desk.note(number).try_tell().unwrap());
        // The ask for what was noted is the third ordinary one.
        (0..3 * PASSES as u32).for_each(|number| desk.alarm(100 + number).try_tell().unwrap());
        let noted = noted(&desk, &gate).await;
        let place = |number| noted.iter().position(|noted| *noted == number);
        assert_eq!((place(1), place(2), noted.len()), (Some(PASSES), Some(2 * PASSES + 1), 3 * PASSES + 2));
    });
}

/// What a mailbox is to do, in a dozen lines.
fn expected(alarms: &[bool]) -> Vec<u32> {
    let numbers = |of: bool| (0..).zip(alarms).filter(move |(_, is_alarm)| **is_alarm == of);
    let (mut high, mut ordinary) = (numbers(true).peekable(), numbers(false).peekable());
    let (mut order, mut passed) = (Vec::new(), 0);
    loop {
        let is_due = high.peek().is_none() || (passed == PASSES && ordinary.peek().is_some());
        let Some((number, _)) = (if is_due { ordinary.next() } else { high.next() }) else { return order };
        passed = if is_due { 0 } else { passed + 1 };
        order.push(number);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whether there is room for all at once, or senders stand in line for it.
    #[test]
    fn each_priority_keeps_its_order_and_every_message_is_handled_once(
        alarms in prop::collection::vec(any::<bool>(), 0..80),
        capacity in 0..100_u32,
    ) {
        bailiwick::local(async |mut cx| {
            let (desk, gate) = held(&mut cx, Mailbox::bounded(capacity)).await;
            let sends = (0..).zip(&alarms).map(|(number, is_alarm)| {
                if *is_alarm { desk.alarm(number).tell() } else { desk.note(number).tell() }
            });
            let (sent, noted) = futures::join!(join_all(sends), noted(&desk, &gate));
            assert!(sent.iter().all(Result::is_ok));
            if capacity as usize > alarms.len() {
                assert_eq!(noted, expected(&alarms));
            }
            let (high, ordinary): (Vec<u32>, Vec<u32>) =
                noted.iter().copied().partition(|number| alarms[*number as usize]);
            assert!(high.is_sorted() && ordinary.is_sorted());
            assert_eq!(noted.len(), alarms.len());
        });
    }
}

#[test]
fn a_priority_buys_no_place_where_the_newcomer_is_refused() {
    bailiwick::local(async |mut cx| {
        let (desk, gate) = held(&mut cx, Mailbox::bounded(2).on_full(OnFull::Reject)).await;
        let sent = [desk.alarm(10), desk.note(1), desk.alarm(11)].map(Call::try_tell);
        assert_eq!(sent, [Ok(()), Ok(()), Err(NotDelivered::Full)]);
        assert_eq!(noted(&desk, &gate).await, [10, 1]);
    });
    bailiwick::local(async |mut cx| {
        let (desk, gate) = held(&mut cx, Mailbox::bounded(2).on_full(OnFull::DropNewest)).await;
        let calls = [desk.alarm(10), desk.note(1), desk.alarm(11)];
        calls.into_iter().for_each(|call| call.try_tell().unwrap());
        assert_eq!(cx.dead_letters().len(), 1);
        assert_eq!(noted(&desk, &gate).await, [10, 1]);
    });
}

#[test]
fn its_bytes_count() {
    bailiwick::local(async |mut cx| {
        let (desk, _gate) = held(&mut cx, Mailbox::bounded(100).capacity_bytes(600)).await;
        let outcomes: Vec<_> = (0..3).map(|_| desk.heavy([0; 32]).try_tell()).collect();
        assert_eq!(outcomes, [Ok(()), Ok(()), Err(NotDelivered::Full)]);
    });
}

#[test]
fn a_mailbox_that_drops_the_oldest_drops_ordinary_ones_first() {
    bailiwick::local(async |mut cx| {
        let (desk, gate) = held(&mut cx, Mailbox::bounded(3).on_full(OnFull::DropOldest)).await;
        let calls = [desk.alarm(10), desk.note(1), desk.note(2), desk.alarm(11), desk.alarm(12)];
        calls.into_iter().for_each(|call| call.try_tell().unwrap());
        assert_eq!(cx.dead_letter_counts().get("dropped"), Some(&2));
        // There are none but high ones now: an ordinary one takes no place of theirs, and another high one the oldest's.
        desk.note(3).try_tell().unwrap();
        assert_eq!(cx.dead_letter_counts().get("dropped"), Some(&3));
        desk.alarm(13).try_tell().unwrap();
        assert_eq!(cx.dead_letter_counts().get("dropped"), Some(&4));
        assert_eq!(noted(&desk, &gate).await, [11, 12, 13]);
    });
}

#[test]
fn senders_stand_in_line_by_priority() {
    bailiwick::local(async |mut cx| {
        let (desk, gate) = held(&mut cx, Mailbox::bounded(1)).await;
        desk.note(1).try_tell().unwrap();
        let calls = [desk.note(2), desk.alarm(10), desk.note(3), desk.alarm(11)];
        let (sent, noted) = futures::join!(join_all(calls.map(Call::tell)), noted(&desk, &gate));
        assert!(sent.iter().all(Result::is_ok));
        assert_eq!(noted, [1, 10, 11, 2, 3]);
    });
}

#[test]
fn nobody_stands_in_line_for_ever() {
    bailiwick::local(async |mut cx| {
        let (desk, gate) = held(&mut cx, Mailbox::bounded(1)).await;
        desk.alarm(100).try_tell().unwrap();
        let calls = std::iter::once(desk.note(1)).chain((101..150).map(|number| desk.alarm(number)));
        let (_, noted) = futures::join!(join_all(calls.map(Call::tell)), noted(&desk, &gate));
        assert_eq!(noted.iter().position(|number| *number == 1), Some(PASSES + 1));
    });
}

#[test]
fn a_message_that_fits_passes_one_in_line_that_does_not_and_no_more_often_than_it_may() {
    bailiwick::local(async |mut cx| {
        // Room for two notes, and for more sirens than may pass.
        let bytes = 2 * size_of::<DeskMessage>() + (PASSES + 4) * size_of::<SirenMessage>();
        assert!(bytes < 3 * size_of::<DeskMessage>());
        let (desk, gate) = held(&mut cx, Mailbox::bounded(100).capacity_bytes(bytes as u64)).await;
        let siren = SirenRef::from_address(desk.address().clone());
        [1, 2].into_iter().for_each(|number| desk.note(number).try_tell().unwrap());
        let mut third = std::pin::pin!(desk.note(3).tell());
        assert!(third.as_mut().now_or_never().is_none());
        (0..PASSES).for_each(|_| siren.blare().try_tell().unwrap());
        assert_eq!(siren.blare().try_tell(), Err(NotDelivered::Full), "it is the turn of the third note");
        let (sent, noted) = futures::join!(third, noted(&desk, &gate));
        assert_eq!(sent, Ok(()));
        assert_eq!(noted, [vec![BLARE; PASSES], vec![1, 2, 3]].concat());
    });
}

#[test]
fn whoever_stands_in_line_takes_the_message_back() {
    bailiwick::local(async |mut cx| {
        let (desk, gate) = held(&mut cx, Mailbox::bounded(1)).await;
        desk.note(1).try_tell().unwrap();
        assert!(desk.alarm(10).tell().now_or_never().is_none());
        let (sent, noted) = futures::join!(desk.alarm(11).tell(), noted(&desk, &gate));
        assert_eq!((sent, noted), (Ok(()), vec![1, 11]));
    });
}

#[test]
fn a_rendezvous_is_with_those_of_high_priority_first() {
    bailiwick::local(async |mut cx| {
        let (desk, gate) = held(&mut cx, Mailbox::rendezvous()).await;
        assert_eq!(desk.alarm(9).try_tell(), Err(NotDelivered::Full));
        let calls = [desk.note(1), desk.alarm(10), desk.note(2), desk.alarm(11)];
        let (sent, noted) = futures::join!(join_all(calls.map(Call::tell)), noted(&desk, &gate));
        assert!(sent.iter().all(Result::is_ok));
        assert_eq!(noted, [10, 11, 1, 2]);
    });
}

#[test]
fn it_expires_as_others_do() {
    bailiwick::local(async |mut cx| {
        let (desk, gate) = held(&mut cx, Mailbox::default()).await;
        tokio::time::pause();
        let asked = desk.urgent_ask(10).ask(Duration::from_secs(1)).await;
        assert_eq!(asked, Err(AskError::NotDelivered(NotDelivered::Expired)));
        assert_eq!(noted(&desk, &gate).await, []);
    });
}

#[test]
fn the_end_of_an_actor_comes_behind_all_that_it_sent() {
    bailiwick::local(async |mut cx| {
        let gate = cx.spawn(GateRef::serve(Door::default)).unwrap();
        let desk = cx.spawn(DeskRef::serve(Notes::default).with_lifecycle()).unwrap();
        let mortal = cx.spawn(DeskRef::serve(Notes::default)).unwrap();
        desk.watch(mortal.clone()).ask(SOON).await.unwrap();
        let (arrived, _) = futures::join!(gate.arrival().ask(SOON), desk.wait_for(gate.clone()).tell());
        arrived.unwrap();
        cx.watch(&mortal);
        mortal.flood(desk.clone()).tell().await.unwrap();
        cx.next_down().await;
        // These are nobody's last words.
        (200..250).for_each(|number| desk.alarm(number).try_tell().unwrap());
        let noted = noted(&desk, &gate).await;
        let end = noted.iter().position(|number| *number == DOWN).unwrap();
        assert!([1, 2].into_iter().chain(100..150).all(|number| noted[..end].contains(&number)));
        assert!(
            noted[..end].contains(&200) && noted[end..].contains(&216),
            "nor does it wait for those behind it"
        );
    });
}

#[test]
fn the_end_of_an_actor_comes_behind_those_that_stand_in_line() {
    bailiwick::local(async |mut cx| {
        let gate = cx.spawn(GateRef::serve(Door::default)).unwrap();
        let small = Mailbox::bounded(1);
        let desk = cx.spawn(DeskRef::serve(Notes::default).with_lifecycle().mailbox(small)).unwrap();
        let mortal = cx.spawn(DeskRef::serve(Notes::default)).unwrap();
        desk.watch(mortal.clone()).ask(SOON).await.unwrap();
        let (arrived, _) = futures::join!(gate.arrival().ask(SOON), desk.wait_for(gate.clone()).tell());
        arrived.unwrap();
        desk.note(1).try_tell().unwrap();
        let mut second = std::pin::pin!(desk.note(2).tell());
        assert!(second.as_mut().now_or_never().is_none());
        cx.watch(&mortal);
        mortal.halt().tell().await.unwrap();
        cx.next_down().await;
        let (sent, noted) = futures::join!(second, noted(&desk, &gate));
        assert_eq!((sent, noted), (Ok(()), vec![1, 2, DOWN]));
    });
}

#[test]
fn ends_that_follow_from_them_let_none_of_them_pass_more_often() {
    bailiwick::local(async |mut cx| {
        let (desk, gate) = held(&mut cx, Mailbox::default()).await;
        let mortal = cx.spawn(DeskRef::serve(Notes::default)).unwrap();
        cx.watch(&mortal);
        mortal.halt().tell().await.unwrap();
        cx.next_down().await;
        desk.note(1).try_tell().unwrap();
        (0..100).for_each(|_| desk.mourn(mortal.clone()).try_tell().unwrap());
        let noted = noted(&desk, &gate).await;
        assert_eq!(noted.iter().position(|number| *number == 1), Some(PASSES));
    });
}

#[test]
fn it_survives_a_failure_and_is_a_dead_letter_of_who_stops() {
    bailiwick::local(async |mut cx| {
        let (desk, gate) = held(&mut cx, Mailbox::default()).await;
        // Behind sixteen alarms it is the turn of the one that fails; the rest is the next incarnation's.
        desk.fail().try_tell().unwrap();
        desk.note(1).try_tell().unwrap();
        (100..120).for_each(|number| desk.alarm(number).try_tell().unwrap());
        assert_eq!(noted(&desk, &gate).await, [116, 117, 118, 119, 1]);
        let (desk, gate) = held(&mut cx, Mailbox::default()).await;
        desk.halt().try_tell().unwrap();
        (0..20).for_each(|number| desk.alarm(number).try_tell().unwrap());
        cx.watch(&desk);
        gate.open().tell().await.unwrap();
        cx.next_down().await;
        assert_eq!(cx.dead_letter_counts().get("ended"), Some(&4));
    });
}
