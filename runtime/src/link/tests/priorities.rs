//! Priorities between workers: whose word counts, and what becomes of them when a worker dies.

use std::time::Duration;

use super::desk::{BellRef, DeskRef};
use super::worlds::run;
use crate::node::Stop;

const SOON: Duration = Duration::from_secs(30);

/// The desk, as a worker takes it for that was built with other priorities.
mod claimed {
    use crate::prelude::protocol;

    #[protocol]
    pub(super) trait Desk {
        #[priority(high)]
        async fn add(&mut self, number: u32) -> usize;
    }
}

#[test]
fn in_a_mailbox_it_is_the_receivers_word_that_counts() {
    run(None, async |_, cx| {
        let (desk, bell): (DeskRef, BellRef) =
            (cx.peer("right/desk").unwrap(), cx.peer("right/bell").unwrap());
        let claimed: claimed::DeskRef = cx.peer("right/desk").unwrap();
        let hanging = tokio::task::spawn_local(desk.hang().ask(SOON));
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        desk.add(1).tell().await.unwrap();
        claimed.add(2).tell().await.unwrap();
        assert_eq!(bell.ring().ask(SOON).await, Ok(2));
        hanging.abort();
        assert_eq!(desk.list().ask(SOON).await.unwrap(), [1, 2]);
    });
}

#[test]
fn what_waits_for_a_dead_worker_reaches_the_next_one_by_priority() {
    run(None, async |both, cx| {
        let (desk, bell): (DeskRef, BellRef) =
            (cx.peer("right/desk").unwrap(), cx.peer("right/bell").unwrap());
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        both.kill_right().await;
        desk.add(1).tell().await.unwrap();
        desk.add_first(101).tell().await.unwrap();
        desk.add(2).tell().await.unwrap();
        desk.add_first(102).tell().await.unwrap();
        both.link();
        assert_eq!(desk.list().ask(SOON).await.unwrap(), [101, 102, 1, 2]);
    });
}

#[test]
fn a_worker_that_ends_in_order_finishes_them_too() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let hanging = tokio::task::spawn_local(desk.hang().ask(SOON));
        while both.right.node.shared.workload.taken() == 0 {
            tokio::task::yield_now().await;
        }
        (1..=3).for_each(|number| both.right.desk().add_first(number).try_tell().unwrap());
        let declared = both.right.node.shared.declared();
        let cell = &declared.iter().find(|actor| actor.cell.path() == "desk").unwrap().cell;
        futures::join!(both.right.node.stop(Stop::Drained), async {
            while !cell.queue.is_draining() {
                tokio::task::yield_now().await;
            }
            hanging.abort();
        });
        assert_eq!(both.right.node.shared.dead_letters.counts().values().sum::<u64>(), 0);
    });
}
