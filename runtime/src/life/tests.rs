//! What an actor's life comes to when something happens between two looks at its mailbox.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::address::Target;
use crate::context::stop;
use crate::node::Stop;
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(30);

#[protocol]
trait Bell {
    async fn ring(&mut self);
}

/// Says so when it has been rung so often.
struct Rung {
    left: u32,
    enough: Option<oneshot::Sender<()>>,
}

impl Bell for Rung {
    async fn ring(&mut self) {
        self.left = self.left.saturating_sub(1);
        if self.left == 0
            && let Some(enough) = self.enough.take()
        {
            enough.send(()).unwrap();
        }
    }
}

#[test]
fn a_drain_ends_although_the_last_that_waits_is_taken_back_while_others_run() {
    // With one of these the actor lets others run right before it would take the last.
    for before in 100..140 {
        crate::local(async |mut cx| {
            let (enough, rung) = oneshot::channel();
            let mut made = Some(Rung { left: before, enough: Some(enough) });
            let bell = BellRef::serve(move || made.take().unwrap()).mailbox(Mailbox::rendezvous());
            let bell = cx.spawn(bell).unwrap();
            for _ in 0..before {
                let bell = bell.clone();
                spawn_local(async move { bell.ring().tell().await });
            }
            let last = bell.clone();
            spawn_local(async move {
                tokio::select! {
                    biased;
                    taken = last.ring().tell() => taken.is_ok(),
                    _ = rung => false,
                }
            });
            let Target::Local(cell) = bell.address().0.clone() else { panic!("it lives here") };
            // In their order, and the actor after them all.
            let drained = spawn_local(async move { stop(&cell, Stop::Drained).await });
            let drained = timeout(SOON, drained).await;
            assert!(drained.is_ok(), "with {before} before it, the drain never ends");
        });
    }
}
