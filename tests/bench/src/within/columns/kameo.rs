//! kameo: tasks of tokio on the current thread.

use std::sync::Arc;

use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::mailbox;
use kameo::message::{Context, Message};

use crate::within::{Actors, Member, Tally};
use crate::workload::{self, Note};

/// A tokio runtime of one thread.
pub struct Kameo;

/// An actor of the measurements.
#[derive(Actor)]
pub struct Hopper {
    tally: Member,
    next: Option<ActorRef<Hopper>>,
}

struct Ask(Note);
struct Tell(Note);
struct Follow(ActorRef<Hopper>);
struct Pass(u64);

#[derive(kameo::Reply)]
struct Echoed(Note);

const CAPACITY: usize = 1024;

impl Message<Ask> for Hopper {
    type Reply = Echoed;

    async fn handle(&mut self, Ask(note): Ask, _: &mut Context<Self, Self::Reply>) -> Echoed {
        Echoed(note)
    }
}

impl Message<Tell> for Hopper {
    type Reply = ();

    async fn handle(&mut self, Tell(note): Tell, _: &mut Context<Self, ()>) {
        std::hint::black_box(note);
        self.tally.add();
    }
}

impl Message<Follow> for Hopper {
    type Reply = ();

    async fn handle(&mut self, Follow(next): Follow, _: &mut Context<Self, ()>) {
        self.next = Some(next);
    }
}

impl Message<Pass> for Hopper {
    type Reply = ();

    async fn handle(&mut self, Pass(hops): Pass, _: &mut Context<Self, ()>) {
        self.tally.add();
        if let (Some(next), 2..) = (&self.next, hops) {
            next.tell(Pass(hops - 1)).await.expect("the next one lives");
        }
    }
}

impl Actors for Kameo {
    type Ref = ActorRef<Hopper>;

    fn run<T>(body: impl AsyncFnOnce(&mut Self) -> T) -> T {
        workload::runtime().block_on(async { body(&mut Self).await })
    }

    async fn spawn(&mut self, tally: &Arc<Tally>) -> Option<Self::Ref> {
        let actor = Hopper { tally: Member::of(tally), next: None };
        Some(Hopper::spawn_with_mailbox(actor, mailbox::bounded(CAPACITY)))
    }

    async fn ask(to: &Self::Ref, note: Note) -> Note {
        to.ask(Ask(note)).await.expect("the actor answers").0
    }

    async fn tell(to: &Self::Ref, note: Note) {
        to.tell(Tell(note)).await.expect("the actor lives");
    }

    async fn follow(to: &Self::Ref, next: &Self::Ref) {
        to.tell(Follow(next.clone())).await.expect("the actor lives");
    }

    async fn pass(to: &Self::Ref, hops: u64) {
        to.tell(Pass(hops)).await.expect("the actor lives");
    }
}
