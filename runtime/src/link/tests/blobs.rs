//! What becomes of blobs when a link ends, is no longer one over which memory is lent, or is that of a liar.

use std::io::IoSlice;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bailiwick_core::ring::{LINK_BYTES, RETURN_STRIDE, RETURN_WORDS, RETURNS_AT};
use bailiwick_sys::link_pair::memory_bytes;
use bailiwick_sys::shared_words::SharedWords;
use bailiwick_sys::socket::{receive, send};

use super::desk::DeskRef;
use super::worlds::{Both, Carried, run, run_with};
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(30);
/// More than there is credit for at first.
const BLOBS: u8 = 40;

fn pattern(number: u8) -> Vec<u8> {
    vec![number; 50_000]
}

/// Sends until there is no room at all.
async fn until_full(desk: &DeskRef) {
    loop {
        match desk.add(2).try_tell() {
            Ok(()) => tokio::task::yield_now().await,
            Err(full) => return assert_eq!(full, NotDelivered::Full),
        }
    }
}

fn assert_whole(blobs: &[Blob], numbers: std::ops::RangeInclusive<u8>) {
    assert_eq!(blobs.len(), numbers.clone().count());
    assert!(blobs.iter().zip(numbers).all(|(blob, number)| **blob == pattern(number)));
}

#[test]
fn blobs_that_somebody_dead_had_lent_stay_as_they_were() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let mut kept = Vec::new();
        for life in 0..4 {
            for number in 1..=4 {
                desk.keep(Blob::from(&pattern(life * 4 + number)[..])).tell().await.unwrap();
            }
            kept.append(&mut desk.kept().ask(SOON).await.unwrap());
            both.kill_right().await;
            both.link();
        }
        assert_whole(&kept, 1..=16);
    });
}

#[test]
fn blobs_that_waited_while_a_peer_left_the_trust_domain_arrive_over_a_socket() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        let hanging = tokio::task::spawn_local(desk.hang().ask(SOON));
        while both.right.node.shared.workload.taken() < 2 {
            tokio::task::yield_now().await;
        }
        let tells: Vec<_> = (1..=BLOBS).map(|number| desk.keep(Blob::from(pattern(number))).tell()).collect();
        let waiting = tokio::task::spawn_local(futures::future::join_all(tells));
        until_full(&desk).await;
        assert!(!waiting.is_finished(), "they do not all find room");
        both.carried = Carried::Socket;
        both.kill_right().await;
        both.link();
        waiting.await.unwrap().into_iter().for_each(|told| told.unwrap());
        let _ended = hanging.await;
        // Those that were on their way died with the peer; what waited arrives, in its order.
        let mut kept = Vec::new();
        loop {
            match desk.kept().ask(SOON).await.unwrap() {
                some if !some.is_empty() => kept.extend(some),
                _ => break,
            }
        }
        assert_eq!(both.right.node.shared.dead_letters.counts(), std::collections::BTreeMap::new());
        assert!(!kept.is_empty() && kept.len() < usize::from(BLOBS), "{}", kept.len());
        assert_whole(&kept, BLOBS + 1 - kept.len() as u8..=BLOBS);
    });
}

#[test]
fn blobs_that_waited_while_a_peer_was_replaced_arrive_whole_and_in_their_order() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        let hanging = tokio::task::spawn_local(desk.hang().ask(SOON));
        while both.right.node.shared.workload.taken() < 2 {
            tokio::task::yield_now().await;
        }
        let tells: Vec<_> = (1..=BLOBS).map(|number| desk.keep(Blob::from(pattern(number))).tell()).collect();
        let waiting = tokio::task::spawn_local(futures::future::join_all(tells));
        until_full(&desk).await;
        let next = both.rise().await;
        both.succeed(&next);
        waiting.await.unwrap().into_iter().for_each(|told| told.unwrap());
        hanging.abort();
        let mut kept = Vec::new();
        loop {
            match desk.kept().ask(SOON).await.unwrap() {
                some if !some.is_empty() => kept.extend(some),
                _ => break,
            }
        }
        // What was on its way is with the life before.
        assert!(!kept.is_empty() && kept.len() < usize::from(BLOBS), "{}", kept.len());
        assert_whole(&kept, BLOBS + 1 - kept.len() as u8..=BLOBS);
    });
}

/// A link of which somebody else has the memory too.
fn tapped(both: &Both) -> SharedWords {
    let (left, right) = both.carried.ends();
    let packet = receive(left.as_fd(), &mut [0]).unwrap().unwrap();
    let memory = SharedWords::map(packet.fds[0].as_fd(), memory_bytes(LINK_BYTES)).unwrap();
    send(right.as_fd(), &[IoSlice::new(&[0])], &[packet.fds[0].as_fd()]).unwrap();
    both.carried.hand_over(left, &both.left, (1, false));
    both.carried.hand_over(right, &both.right, (1, false));
    memory
}

/// Who says that it has given back what it reads is sent other bytes while it reads; nothing else comes of it.
#[test]
fn d1_whoever_rewrites_what_was_given_back_harms_what_it_is_sent_alone() {
    run_with(Both::new(None, Carried::Ring(Duration::ZERO)), async |both, cx| {
        let memory = Arc::new(tapped(both));
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (until, words) = (Arc::clone(&over), Arc::clone(&memory));
        let scribbling = std::thread::spawn(move || {
            let mut chance = fastrand::Rng::with_seed(7);
            while !until.load(Ordering::Relaxed) {
                let at = RETURNS_AT + chance.usize(..2 * RETURN_WORDS / RETURN_STRIDE) * RETURN_STRIDE;
                let word = [chance.u64(..20), u64::MAX - chance.u64(..3), chance.u64(..)][chance.usize(..3)];
                words[at].store(word, Ordering::Release);
            }
        });
        for round in 0..40 {
            for number in 0..8 {
                desk.keep(Blob::from(pattern(number))).tell().await.unwrap();
            }
            let kept = desk.kept().ask(SOON).await.unwrap();
            assert!(kept.len() == 8 && kept.iter().all(|blob| blob.len() == 50_000), "{round}");
        }
        over.store(true, Ordering::Relaxed);
        scribbling.join().unwrap();
        // Over the next link nothing of that is left.
        both.kill_right().await;
        both.link();
        (1..=8).for_each(|number| desk.keep(Blob::from(pattern(number))).try_tell().unwrap());
        assert_whole(&desk.kept().ask(SOON).await.unwrap(), 1..=8);
    });
}
