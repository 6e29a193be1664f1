//! actix: one arbiter, contexts on the current thread.

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message, System};

use crate::within::{Actors, Member, Tally};
use crate::workload::Note;

/// The system of one thread.
pub struct Actix;

/// An actor of the measurements.
pub struct Hopper {
    tally: Member,
    next: Option<Addr<Hopper>>,
}

const CAPACITY: usize = 1024;

impl Actor for Hopper {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(CAPACITY);
    }
}

#[derive(Message)]
#[rtype(result = "Echoed")]
struct Ask(Note);

#[derive(actix::MessageResponse)]
struct Echoed(Note);

#[derive(Message)]
#[rtype(result = "()")]
struct Tell(Note);

#[derive(Message)]
#[rtype(result = "()")]
struct Follow(Addr<Hopper>);

#[derive(Message)]
#[rtype(result = "()")]
struct Pass(u64);

impl Handler<Ask> for Hopper {
    type Result = Echoed;

    fn handle(&mut self, Ask(note): Ask, _: &mut Self::Context) -> Echoed {
        Echoed(note)
    }
}

impl Handler<Tell> for Hopper {
    type Result = ();

    fn handle(&mut self, Tell(note): Tell, _: &mut Self::Context) {
        std::hint::black_box(note);
        self.tally.add();
    }
}

impl Handler<Follow> for Hopper {
    type Result = ();

    fn handle(&mut self, Follow(next): Follow, _: &mut Self::Context) {
        self.next = Some(next);
    }
}

impl Handler<Pass> for Hopper {
    type Result = ();

    fn handle(&mut self, Pass(hops): Pass, _: &mut Self::Context) {
        self.tally.add();
        if let (Some(next), 2..) = (&self.next, hops) {
            next.do_send(Pass(hops - 1));
        }
    }
}

impl Actors for Actix {
    type Ref = Addr<Hopper>;

    fn run<T>(body: impl AsyncFnOnce(&mut Self) -> T) -> T {
        System::new().block_on(async { body(&mut Self).await })
    }

    async fn spawn(&mut self, tally: &Arc<Tally>) -> Option<Self::Ref> {
        Some(Hopper { tally: Member::of(tally), next: None }.start())
    }

    async fn ask(to: &Self::Ref, note: Note) -> Note {
        to.send(Ask(note)).await.expect("the actor answers").0
    }

    async fn tell(to: &Self::Ref, note: Note) {
        // Only who waits for the reply is bounded by the mailbox without losing messages: `try_send` refuses when it is full.
        let mut told = Tell(note);
        while let Err(refused) = to.try_send(told) {
            match refused {
                actix::dev::SendError::Full(back) => told = back,
                actix::dev::SendError::Closed(_) => panic!("the actor lives"),
            }
            tokio::task::yield_now().await;
        }
    }

    async fn follow(to: &Self::Ref, next: &Self::Ref) {
        to.do_send(Follow(next.clone()));
    }

    async fn pass(to: &Self::Ref, hops: u64) {
        to.do_send(Pass(hops));
    }
}
