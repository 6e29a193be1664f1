//! Mailboxes that drop, filled from another worker.

use std::time::Duration;

use super::desk::DeskRef;
use super::worlds::{Both, Carried, run_with};
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(30);
/// What the mailbox holds.
const ROOM: u32 = 100;
/// Many times that.
const SENT: u32 = 5_000;

/// Tells a desk that is busy so many numbers; returns which it was told in the end, and how many were dropped there.
fn overrun(on_full: OnFull, carried: Carried) -> (Vec<u32>, u64) {
    let (mut list, mut dropped) = (Vec::new(), 0);
    run_with(Both::with_mailbox(Mailbox::bounded(ROOM).on_full(on_full), carried), async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        // While it hangs it takes nothing else; when nobody waits for it any more, it goes on.
        let hang = tokio::task::spawn_local(desk.hang().ask(SOON));
        while both.right.node.shared.workload.taken() == 0 {
            tokio::task::yield_now().await;
        }
        for number in 0..SENT {
            // Whoever is held up by somebody who hangs never comes to the end.
            tokio::time::timeout(SOON, desk.add(number).tell()).await.expect("nobody is held up").unwrap();
        }
        let counts = || both.right.node.shared.dead_letters.counts();
        while counts().values().sum::<u64>() < u64::from(SENT - ROOM) {
            tokio::task::yield_now().await;
        }
        hang.abort();
        while both.right.node.shared.workload.taken() < u64::from(1 + ROOM) {
            tokio::task::yield_now().await;
        }
        list = both.right.desk().list().ask(SOON).await.unwrap();
        assert_eq!(both.left.node.shared.dead_letters.counts().values().sum::<u64>(), 0);
        dropped = counts().remove("dropped").unwrap_or_else(|| panic!("{:?}", counts()));
    });
    (list, dropped)
}

#[test]
fn a_mailbox_that_drops_the_oldest_holds_nobody_up_in_another_worker_and_keeps_the_newest() {
    for carried in Carried::ALL {
        let (list, dropped) = overrun(OnFull::DropOldest, carried);
        assert_eq!(dropped + list.len() as u64, u64::from(SENT));
        assert_eq!(list, (SENT - ROOM..SENT).collect::<Vec<_>>());
    }
}

#[test]
fn a_mailbox_that_drops_the_newest_holds_nobody_up_in_another_worker_and_keeps_the_oldest() {
    for carried in Carried::ALL {
        let (list, dropped) = overrun(OnFull::DropNewest, carried);
        assert_eq!(dropped + list.len() as u64, u64::from(SENT));
        assert_eq!(list, (0..ROOM).collect::<Vec<_>>());
    }
}
