//! The floor: a task and a bounded tokio channel each, a oneshot channel for each reply.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use crate::within::{Actors, Member, Tally};
use crate::workload::Note;

/// Tasks of one thread.
pub struct Mpsc;

/// What a task is sent.
pub enum Message {
    Ask(Note, oneshot::Sender<Note>),
    Tell(Note),
    Follow(mpsc::Sender<Message>),
    Pass(u64),
}

const CAPACITY: usize = 1024;

impl Actors for Mpsc {
    type Ref = mpsc::Sender<Message>;

    fn run<T>(body: impl AsyncFnOnce(&mut Self) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built");
        LocalSet::new().block_on(&runtime, async { body(&mut Self).await })
    }

    async fn spawn(&mut self, tally: &Arc<Tally>) -> Option<Self::Ref> {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        tokio::task::spawn_local(actor(receiver, Member::of(tally)));
        Some(sender)
    }

    async fn ask(to: &Self::Ref, note: Note) -> Note {
        let (reply, answer) = oneshot::channel();
        send(to, Message::Ask(note, reply)).await;
        answer.await.expect("the task answers")
    }

    async fn tell(to: &Self::Ref, note: Note) {
        send(to, Message::Tell(note)).await;
    }

    async fn follow(to: &Self::Ref, next: &Self::Ref) {
        send(to, Message::Follow(next.clone())).await;
    }

    async fn pass(to: &Self::Ref, hops: u64) {
        send(to, Message::Pass(hops)).await;
    }
}

async fn send(to: &mpsc::Sender<Message>, message: Message) {
    assert!(to.send(message).await.is_ok(), "the task lives");
}

async fn actor(mut receiver: mpsc::Receiver<Message>, tally: Member) {
    let mut next = None;
    while let Some(message) = receiver.recv().await {
        match message {
            Message::Ask(note, reply) => assert!(reply.send(note).is_ok(), "the asker waits"),
            Message::Tell(note) => {
                std::hint::black_box(note);
                tally.add();
            }
            Message::Follow(follower) => next = Some(follower),
            Message::Pass(hops) => {
                tally.add();
                if let (Some(next), 2..) = (&next, hops) {
                    send(next, Message::Pass(hops - 1)).await;
                }
            }
        }
    }
}
