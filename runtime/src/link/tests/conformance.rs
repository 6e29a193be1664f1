//! What every kind of link does, written once.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use futures::StreamExt;

use super::desk::{BellRef, DeskRef};
use super::spans::Spans;
use super::worlds::{BusyRing, Granted, Kind, Memory, Ring, Socket};
use crate::prelude::*;

/// More time than anything here takes; a watchdog, no measurement.
const SOON: Duration = Duration::from_secs(30);

macro_rules! suite {
    ($($name:ident;)*) => {
        mod memory {
            $(#[test] fn $name() { super::$name::<super::Memory>(); })*
        }
        mod socket {
            $(#[test] fn $name() { super::$name::<super::Socket>(); })*
        }
        mod ring {
            $(#[test] fn $name() { super::$name::<super::Ring>(); })*
        }
        mod busy_ring {
            $(#[test] fn $name() { super::$name::<super::BusyRing>(); })*
        }
    };
}

suite! {
    an_ask_is_answered;
    messages_arrive_in_the_order_sent;
    a_full_actor_stalls_only_those_who_send_to_it;
    an_impatient_tell_to_a_full_actor_is_refused;
    a_descriptor_travels_there_and_back;
    large_payloads_arrive_whole;
    blobs_hold_still_for_as_long_as_somebody_has_them;
    a_handler_is_dropped_when_its_deadline_passes;
    a_handler_is_dropped_when_the_asker_is;
    a_deadline_travels_with_nested_asks;
    a_panic_is_told_and_the_actor_goes_on;
    a_stream_brings_every_item;
    a_dropped_stream_ends_the_handlers_side;
    a_method_that_is_not_granted_is_not_delivered;
    a_passed_reference_reaches_its_actor;
    a_trace_goes_on_in_the_other_worker_and_comes_back;
    a_cycle_over_both_workers_is_an_error_at_once;
    down_comes_once;
    many_asks_at_a_time_are_each_answered;
    a_tell_to_a_rendezvous_ends_when_the_actor_takes_it;
    a_tell_to_a_rendezvous_that_is_taken_back_is_not_handled;
    messages_of_high_priority_go_before_those_that_wait_in_the_order_sent;
    a_rendezvous_is_with_those_of_high_priority_before_others_that_wait;
}

fn run<K: Kind>(test: impl AsyncFnOnce(Context, DeskRef, BellRef)) {
    granted::<K>(None, test);
}

fn granted<K: Kind>(granted: Granted, test: impl AsyncFnOnce(Context, DeskRef, BellRef)) {
    K::run(granted, async |cx| {
        let desk = cx.peer("right/desk").expect("the desk is granted");
        let bell = cx.peer("right").expect("only one actor serves it");
        let watchdog = tokio::time::timeout(SOON, test(cx, desk, bell));
        watchdog.await.expect("the test ends");
    });
}

fn an_ask_is_answered<K: Kind>() {
    run::<K>(async |_, desk, bell| {
        assert_eq!(desk.add(7).ask(SOON).await, Ok(1));
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        assert_eq!(desk.add(8).ask(SOON).await, Ok(2));
    });
}

fn messages_arrive_in_the_order_sent<K: Kind>() {
    run::<K>(async |_, desk, _| {
        for number in 0..500 {
            desk.add(number).tell().await.unwrap();
        }
        assert_eq!(desk.list().ask(SOON).await.unwrap(), (0..500).collect::<Vec<_>>());
    });
}

fn a_full_actor_stalls_only_those_who_send_to_it<K: Kind>() {
    run::<K>(async |_, desk, bell| {
        let hanging = tokio::task::spawn_local(desk.hang().ask(Duration::from_secs(3600)));
        // While a link is not open yet, messages are buffered without a wait.
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        let sends: Vec<_> = (0..100).map(|number| desk.add(number).tell()).collect();
        let stalled = tokio::task::spawn_local(futures::future::join_all(sends));
        for rung in 2..=50 {
            assert_eq!(bell.ring().ask(SOON).await, Ok(rung));
        }
        assert!(!stalled.is_finished(), "a hundred messages do not fit");
        hanging.abort();
        for sent in stalled.await.unwrap() {
            sent.unwrap();
        }
        assert_eq!(desk.list().ask(SOON).await.unwrap().len(), 100);
    });
}

fn an_impatient_tell_to_a_full_actor_is_refused<K: Kind>() {
    run::<K>(async |_, desk, bell| {
        let hanging = tokio::task::spawn_local(desk.hang().ask(Duration::from_secs(3600)));
        bell.ring().ask(SOON).await.unwrap();
        let refused = loop {
            if let Err(refused) = desk.add(1).try_tell() {
                break refused;
            }
        };
        assert_eq!(refused, NotDelivered::Full);
        hanging.abort();
    });
}

fn a_descriptor_travels_there_and_back<K: Kind>() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("note");
    std::fs::write(&path, "hello").unwrap();
    run::<K>(async |_, desk, _| {
        let opened = desk.open(path.to_str().unwrap().to_owned()).ask(SOON).await.unwrap();
        let file: File = opened.into();
        assert_eq!(desk.contents(file.into()).ask(SOON).await.unwrap(), "hello");
    });
}

fn large_payloads_arrive_whole<K: Kind>() {
    run::<K>(async |_, desk, _| {
        let bytes: Vec<u8> = (0..500_000u32).map(|n| (n % 251) as u8).collect();
        let mut reversed = bytes.clone();
        reversed.reverse();
        assert!(desk.reverse(bytes).ask(SOON).await.unwrap() == reversed);
        let blob = Blob::from(vec![1; 4 << 20]);
        assert_eq!(desk.length(blob).ask(SOON).await, Ok(4 << 20));
    });
}

fn blobs_hold_still_for_as_long_as_somebody_has_them<K: Kind>() {
    let pattern = |round: usize, at: usize| vec![(round * 8 + at) as u8; 100_000 + at];
    run::<K>(async |_, desk, _| {
        let mut before: Vec<Blob> = Vec::new();
        for round in 0..20 {
            for at in 0..8 {
                let mut blob = Blob::writer(&desk, 100_000);
                blob.write_all(&pattern(round, at)).unwrap();
                desk.keep(blob.finish()).tell().await.unwrap();
            }
            for (at, blob) in before.iter().enumerate() {
                assert!(**blob == pattern(round - 1, at), "what came back in the round before has changed");
            }
            // What was there comes back, while what came back before makes room for it.
            before = desk.kept().ask(SOON).await.unwrap();
            assert_eq!(before.len(), 8);
            for (at, blob) in before.iter().enumerate() {
                assert!(**blob == pattern(round, at), "what was kept has changed");
            }
        }
    });
}

fn a_handler_is_dropped_when_its_deadline_passes<K: Kind>() {
    run::<K>(async |_, desk, _| {
        let outcome = desk.hang().ask(Duration::from_millis(50)).await;
        assert_eq!(outcome, Err(AskError::Unknown(Unknown::Expired)));
        assert_eq!(desk.dropped().ask(SOON).await, Ok(1));
    });
}

fn a_handler_is_dropped_when_the_asker_is<K: Kind>() {
    run::<K>(async |_, desk, bell| {
        let hanging = tokio::task::spawn_local(desk.hang().ask(Duration::from_secs(3600)));
        bell.ring().ask(SOON).await.unwrap();
        hanging.abort();
        assert_eq!(desk.dropped().ask(SOON).await, Ok(1));
    });
}

fn a_deadline_travels_with_nested_asks<K: Kind>() {
    run::<K>(async |cx, desk, _| {
        let own: DeskRef = cx.peer("right/desk").unwrap();
        drop(own);
        let mut cx = cx;
        let hanging = cx.spawn(DeskRef::serve(super::desk::Clerk::default)).unwrap();
        let outcome = desk.relay_hang(hanging.clone()).ask(Duration::from_secs(1)).await;
        assert_eq!(outcome, Err(AskError::Unknown(Unknown::Expired)));
        // The nested ask had an hour; it got what was left of the second.
        assert_eq!(hanging.dropped().ask(SOON).await, Ok(1));
    });
}

fn a_panic_is_told_and_the_actor_goes_on<K: Kind>() {
    run::<K>(async |_, desk, _| {
        let outcome = desk.panic().ask(SOON).await;
        assert!(
            matches!(&outcome, Err(AskError::Unknown(Unknown::Panicked { text })) if text.contains("as asked")),
            "{outcome:?}"
        );
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
    });
}

fn a_stream_brings_every_item<K: Kind>() {
    run::<K>(async |_, desk, _| {
        let stream = desk.count_to(200).stream(SOON).await.unwrap();
        let items: Vec<u32> = stream.map(Result::unwrap).collect().await;
        assert_eq!(items, (1..=200).collect::<Vec<_>>());
    });
}

fn a_dropped_stream_ends_the_handlers_side<K: Kind>() {
    run::<K>(async |_, desk, _| {
        let mut stream = desk.count_to(u32::MAX).stream(SOON).await.unwrap();
        assert_eq!(stream.next().await, Some(Ok(1)));
        drop(stream);
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
    });
}

fn a_method_that_is_not_granted_is_not_delivered<K: Kind>() {
    granted::<K>(Some(&["add"]), async |_, desk, _| {
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        assert_eq!(desk.list().ask(SOON).await, Err(AskError::NotDelivered(NotDelivered::NotGranted)));
        assert_eq!(desk.list().tell().await, Err(NotDelivered::NotGranted.into()));
    });
}

fn a_passed_reference_reaches_its_actor<K: Kind>() {
    run::<K>(async |mut cx, desk, _| {
        let own = cx.spawn(DeskRef::serve(super::desk::Clerk::default)).unwrap();
        assert_eq!(desk.relay(own.clone(), 5).ask(SOON).await, Ok(Ok(1)));
        assert_eq!(desk.relay(own.clone(), 6).ask(SOON).await, Ok(Ok(2)));
        assert_eq!(own.list().ask(SOON).await.unwrap(), [5, 6]);
    });
}

fn a_trace_goes_on_in_the_other_worker_and_comes_back<K: Kind>() {
    let spans = Spans::of(|| {
        run::<K>(async |mut cx, desk, _| {
            let own = cx.spawn(DeskRef::serve(super::desk::Clerk::default)).unwrap();
            assert_eq!(desk.relay(own, 5).ask(SOON).await, Ok(Ok(1)));
        });
    });
    let [there, back] = spans.as_slice() else { panic!("{spans:?}") };
    assert!(there.actor.starts_with("right/") && back.actor.starts_with("left/"), "{spans:?}");
    assert_eq!((there.method.as_str(), back.method.as_str()), ("relay", "add"));
    assert_eq!((&there.trace_id, &there.span_id), (&back.trace_id, &back.parent_id));
    assert_eq!(there.parent_id, "0000000000000000", "the test's own ask is where the trace begins");
}

fn a_cycle_over_both_workers_is_an_error_at_once<K: Kind>() {
    run::<K>(async |cx, _, _| {
        let mut cx = cx;
        let own = cx.spawn(DeskRef::serve(super::desk::Clerk::default)).unwrap();
        let error = own.round_trip("right/desk".to_owned()).ask(SOON).await.unwrap().unwrap_err();
        assert!(error.contains("cycle"), "{error}");
    });
}

fn down_comes_once<K: Kind>() {
    run::<K>(async |mut cx, desk, bell| {
        let watch = cx.watch(&desk);
        desk.add(1).ask(SOON).await.unwrap();
        desk.stop().ask(SOON).await.unwrap();
        let down = cx.next_down().await;
        assert_eq!(down.cause.brief(), crate::outcome::DownCause::Stopped);
        bell.ring().ask(SOON).await.unwrap();
        let again = tokio::time::timeout(Duration::from_millis(20), cx.next_down()).await;
        assert!(again.is_err(), "{again:?}");
        cx.unwatch(&watch);
    });
}

fn many_asks_at_a_time_are_each_answered<K: Kind>() {
    run::<K>(async |_, desk, bell| {
        let asks = (0..1000).map(|number| desk.add(number).ask(SOON));
        let mut lengths: Vec<_> =
            futures::future::join_all(asks).await.into_iter().map(Result::unwrap).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, (1..=1000).collect::<Vec<_>>());
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
    });
}

fn a_tell_to_a_rendezvous_ends_when_the_actor_takes_it<K: Kind>() {
    run::<K>(async |cx, _, bell| {
        let booth: DeskRef = cx.peer("right/booth").expect("the booth is granted");
        let hanging = tokio::task::spawn_local(booth.hang().ask(Duration::from_secs(3600)));
        let [first, second] = [1, 2].map(|number| tokio::task::spawn_local(booth.add(number).tell()));
        // What was sent before is there.
        for rung in 1..=3 {
            assert_eq!(bell.ring().ask(SOON).await, Ok(rung));
        }
        assert!(!first.is_finished() && !second.is_finished(), "nobody took them");
        assert_eq!(booth.add(3).try_tell(), Err(NotDelivered::Full));
        hanging.abort();
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (Ok(()), Ok(())));
        assert_eq!(booth.list().ask(SOON).await.unwrap(), [1, 2]);
    });
}

fn a_tell_to_a_rendezvous_that_is_taken_back_is_not_handled<K: Kind>() {
    run::<K>(async |cx, _, bell| {
        let booth: DeskRef = cx.peer("right/booth").expect("the booth is granted");
        let hanging = tokio::task::spawn_local(booth.hang().ask(Duration::from_secs(3600)));
        let telling: Vec<_> =
            (1..=3).map(|number| tokio::task::spawn_local(booth.add(number).tell())).collect();
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        // One stands before the actor, one behind it.
        telling[0].abort();
        telling[2].abort();
        assert_eq!(bell.ring().ask(SOON).await, Ok(2));
        hanging.abort();
        for (number, told) in (1..).zip(telling) {
            assert_eq!(told.await.ok(), (number == 2).then_some(Ok(())));
        }
        assert_eq!(booth.list().ask(SOON).await.unwrap(), [2]);
        assert_eq!(cx.dead_letters().len(), 0);
    });
}

fn messages_of_high_priority_go_before_those_that_wait_in_the_order_sent<K: Kind>() {
    run::<K>(async |_, desk, bell| {
        let hanging = tokio::task::spawn_local(desk.hang().ask(Duration::from_secs(3600)));
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        let sends = (1..=12).map(|number| {
            let (ordinary, high) = (desk.add(number), desk.add_first(100 + number));
            async { futures::join!(ordinary.tell(), high.tell()) }
        });
        let sends = tokio::task::spawn_local(futures::future::join_all(sends.collect::<Vec<_>>()));
        assert_eq!(bell.ring().ask(SOON).await, Ok(2));
        hanging.abort();
        assert!(sends.await.unwrap().into_iter().all(|told| told == (Ok(()), Ok(()))));
        let list = desk.list().ask(SOON).await.unwrap();
        let (high, ordinary): (Vec<u32>, Vec<u32>) = list.iter().partition(|number| **number > 100);
        assert_eq!((ordinary, high), ((1..=12).collect(), (101..=112).collect()));
        assert_eq!(list[0], 101, "it passes the first in the mailbox");
        // No more than eight were lent room for before those of high priority had it.
        assert_eq!(list[20..], [9, 10, 11, 12], "and others in the line for room");
    });
}

fn a_rendezvous_is_with_those_of_high_priority_before_others_that_wait<K: Kind>() {
    run::<K>(async |cx, _, bell| {
        let booth: DeskRef = cx.peer("right/booth").expect("the booth is granted");
        let hanging = tokio::task::spawn_local(booth.hang().ask(Duration::from_secs(3600)));
        // One stands before the actor.
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        let ordinary = [1, 2].map(|number| tokio::task::spawn_local(booth.add(number).tell()));
        assert_eq!(bell.ring().ask(SOON).await, Ok(2));
        let high = tokio::task::spawn_local(booth.add_first(101).tell());
        assert_eq!(bell.ring().ask(SOON).await, Ok(3));
        hanging.abort();
        assert_eq!(high.await.unwrap(), Ok(()));
        for told in ordinary {
            assert_eq!(told.await.unwrap(), Ok(()));
        }
        let list = booth.list().ask(SOON).await.unwrap();
        assert!(list == [101, 1, 2] || list == [1, 101, 2], "{list:?}");
    });
}
