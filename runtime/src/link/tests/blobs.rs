//! What becomes of blobs when a link ends, or is no longer one over which memory is lent.

use std::time::Duration;

use super::desk::DeskRef;
use super::worlds::{Carried, run};
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(30);
/// More than there is credit for at first.
const BLOBS: u8 = 40;

fn pattern(number: u8) -> Vec<u8> {
    vec![number; 50_000]
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
        while desk.add(2).try_tell() != Err(NotDelivered::Full) {
            tokio::task::yield_now().await;
        }
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
