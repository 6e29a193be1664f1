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

/// Has a desk taken as much as it has room for, so that its sender would be lent more, and fills it while it is busy; returns
/// how much of that was sent, and how much was not taken in the end.
fn overfill(carried: Carried) -> (u64, u64) {
    let (mut sent, mut lost) = (0, 0);
    let mailbox = Mailbox::bounded(ROOM).on_full(OnFull::Reject);
    run_with(Both::with_mailbox(mailbox, carried), async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let taken = || both.right.node.shared.workload.taken();
        for number in 0..ROOM {
            desk.add(number).tell().await.unwrap();
        }
        while taken() < u64::from(ROOM) {
            tokio::task::yield_now().await;
        }
        // What is given back comes some time later.
        let hang = tokio::task::spawn_local({
            let desk = desk.clone();
            async move {
                while let Err(AskError::NotDelivered(NotDelivered::Full)) = desk.hang().ask(SOON).await {
                    tokio::task::yield_now().await;
                }
            }
        });
        while taken() == u64::from(ROOM) {
            tokio::task::yield_now().await;
        }
        let before = taken();
        for number in 0..SENT {
            match desk.add(number).tell().await {
                Ok(()) => sent += 1,
                Err(refused) => assert_eq!(refused, NotDelivered::Full.into()),
            }
            tokio::task::yield_now().await;
        }
        hang.abort();
        let letters = || both.right.node.shared.dead_letters.counts().values().sum::<u64>();
        while taken() + letters() < before + sent {
            tokio::task::yield_now().await;
        }
        lost = letters();
    });
    (sent, lost)
}

#[test]
fn a_mailbox_that_rejects_has_its_sender_in_another_worker_refused_and_loses_nothing_that_was_sent() {
    for carried in Carried::ALL {
        let (sent, lost) = overfill(carried);
        assert!((1..=u64::from(ROOM)).contains(&sent), "{sent} sent over {carried:?}");
        assert_eq!(lost, 0, "of {sent} over {carried:?}");
    }
}

#[test]
fn a_mailbox_without_bounds_is_one_for_its_own_worker_and_no_other() {
    for carried in Carried::ALL {
        run_with(Both::with_mailbox(Mailbox::unbounded(), carried), async |both, cx| {
            let (desk, own): (DeskRef, _) = (cx.peer("right/desk").unwrap(), both.right.desk());
            assert_eq!(desk.list().ask(SOON).await, Ok(vec![]), "the link is open");
            // It has taken so many that its sender is lent as much as ever.
            for number in 0..4 * SENT {
                desk.add(number).tell().await.unwrap();
            }
            assert_eq!(desk.list().ask(SOON).await.unwrap().len() as u32, 4 * SENT);
            let hang = tokio::task::spawn_local(desk.hang().ask(SOON));
            while both.right.node.shared.workload.taken() <= u64::from(4 * SENT) + 2 {
                tokio::task::yield_now().await;
            }
            for number in 0..SENT {
                own.add(number).try_tell().unwrap();
            }
            let sent = (0..SENT).take_while(|number| desk.add(*number).try_tell().is_ok()).count();
            // What the defaults hold, and what each sender has from the start.
            assert!((1..=1_024 + 16).contains(&sent), "{sent} over {carried:?}");
            hang.abort();
        });
    }
}
