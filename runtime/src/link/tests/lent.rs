//! What was lent, or was about to be, when the link ends over which it was to go.

use std::time::Duration;

use super::desk::DeskRef;
use super::worlds::{Both, Carried, run_with};
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(30);

#[test]
fn what_is_given_up_with_its_link_is_not_copied_for_another() {
    run_with(Both::new(None, Carried::Ring(Duration::ZERO)), async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        let hanging = tokio::task::spawn_local(desk.hang().ask(SOON));
        while both.right.node.shared.workload.taken() < 2 {
            tokio::task::yield_now().await;
        }
        let blobs: Vec<_> = (0..24).map(|number| Blob::from(vec![number; 50_000])).collect();
        let tells: Vec<_> = blobs.iter().map(|blob| desk.keep(blob.clone()).tell()).collect();
        let waiting = tokio::task::spawn_local(futures::future::join_all(tells));
        while desk.add(2).try_tell() != Err(NotDelivered::Full) {
            tokio::task::yield_now().await;
        }
        // Other tests of this process lend too: for some there may have been no room.
        let sealed = || blobs.iter().filter(|blob| blob.is_sealed()).count();
        let before = sealed();
        both.left.peers.finish().await;
        let told = waiting.await.unwrap();
        assert!(told.iter().any(Result::is_err), "some waited");
        assert_eq!(sealed(), before, "nothing of them is to be sent any more");
        hanging.abort();
    });
}

#[test]
fn what_is_written_and_never_sent_goes_when_it_was_not_used_for_a_while() {
    run_with(Both::new(None, Carried::Ring(Duration::ZERO)), async |_, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
        let loans = desk.address().loans().expect("memory is lent to it");
        drop(Blob::writer(&desk, 50_000));
        assert!(loans.is_in_use());
        let gone = async {
            while loans.is_in_use() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, gone).await.expect("nothing else happens over this link");
    });
}
