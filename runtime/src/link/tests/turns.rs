//! The turns of the task that moves the bytes of a link, taken by hand.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as Task, Wake, Waker};

use super::super::mover::Mover;
use super::super::socket::join;
use super::super::transport::Joined;
use super::desk::DeskRef;
use super::worlds::{Both, Carried, NUMBER, block_on};
use crate::prelude::*;

/// Whether a task was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the mailbox drops is credit for its sender at once, which is written in the same turn.
#[test]
fn who_reads_is_not_woken_by_what_it_writes_in_the_same_turn() {
    block_on(async {
        let nothing = Mailbox::bounded(0).on_full(OnFull::DropNewest);
        let both = Both::with_mailbox(nothing, Carried::Socket).await;
        let (left, right) = Carried::Socket.ends();
        Carried::Socket.hand_over(left, &both.left, (1, false));
        let peer = both.right.peers.peer_of(NUMBER).unwrap();
        let Joined { source, sink, pages } = join(right).unwrap();
        let serial = peer.turn(|turn| turn.begin_transport(1, sink, pages));
        let node = &both.right.node;
        let left = &both.left.node;
        left.run_main(async |cx| {
            let mut mover = pin!(Mover::new(Arc::clone(&peer), serial, source, None).run());
            let woken = Arc::new(Woken::default());
            let waker = Waker::from(Arc::clone(&woken));
            let desk: DeskRef = cx.peer("right/desk").unwrap();
            let telling = tokio::task::spawn_local(async move {
                // More than it has credit for, as long as none comes back.
                for number in 0..SENT {
                    desk.add(number).tell().await.unwrap();
                }
            });
            while node.shared.dead_letters.total() < u64::from(SENT) {
                woken.0.store(false, Ordering::Relaxed);
                assert!(mover.as_mut().poll(&mut Task::from_waker(&waker)).is_pending());
                assert!(!woken.0.load(Ordering::Relaxed), "its next turn is when something comes");
                tokio::task::yield_now().await;
            }
            telling.await.unwrap();
        })
        .await;
    });
}

const SENT: u32 = 1_000;
