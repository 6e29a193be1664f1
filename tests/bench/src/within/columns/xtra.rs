//! xtra: tasks of tokio on the current thread.

use std::sync::Arc;

use xtra::{Actor, Address, Context, Handler, Mailbox};

use crate::within::{Actors, Member, Tally};
use crate::workload::Note;

/// A tokio runtime of one thread.
pub struct Xtra;

/// An actor of the measurements.
#[derive(Actor)]
pub struct Hopper {
    tally: Member,
    next: Option<Address<Hopper>>,
}

struct Ask(Note);
struct Tell(Note);
struct Follow(Address<Hopper>);
struct Pass(u64);

const CAPACITY: usize = 1024;

impl Handler<Ask> for Hopper {
    type Return = Note;

    async fn handle(&mut self, Ask(note): Ask, _: &mut Context<Self>) -> Note {
        note
    }
}

impl Handler<Tell> for Hopper {
    type Return = ();

    async fn handle(&mut self, Tell(note): Tell, _: &mut Context<Self>) {
        std::hint::black_box(note);
        self.tally.add();
    }
}

impl Handler<Follow> for Hopper {
    type Return = ();

    async fn handle(&mut self, Follow(next): Follow, _: &mut Context<Self>) {
        self.next = Some(next);
    }
}

impl Handler<Pass> for Hopper {
    type Return = ();

    async fn handle(&mut self, Pass(hops): Pass, _: &mut Context<Self>) {
        self.tally.add();
        if let (Some(next), 2..) = (&self.next, hops) {
            let _answer_is_not_waited_for =
                next.send(Pass(hops - 1)).detach().await.expect("the next one lives");
        }
    }
}

impl Actors for Xtra {
    type Ref = Address<Hopper>;

    fn run<T>(body: impl AsyncFnOnce(&mut Self) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built");
        runtime.block_on(async { body(&mut Self).await })
    }

    async fn spawn(&mut self, tally: &Arc<Tally>) -> Option<Self::Ref> {
        let actor = Hopper { tally: Member::of(tally), next: None };
        Some(xtra::spawn_tokio(actor, Mailbox::bounded(CAPACITY)))
    }

    async fn ask(to: &Self::Ref, note: Note) -> Note {
        to.send(Ask(note)).await.expect("the actor answers")
    }

    async fn tell(to: &Self::Ref, note: Note) {
        let _answer_is_not_waited_for = to.send(Tell(note)).detach().await.expect("the actor lives");
    }

    async fn follow(to: &Self::Ref, next: &Self::Ref) {
        let _answer_is_not_waited_for =
            to.send(Follow(next.clone())).detach().await.expect("the actor lives");
    }

    async fn pass(to: &Self::Ref, hops: u64) {
        let _answer_is_not_waited_for = to.send(Pass(hops)).detach().await.expect("the actor lives");
    }
}
