//! ractor: tasks of tokio on the current thread; its mailboxes are unbounded.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, Message, RpcReplyPort, call};

use crate::within::{Actors, Member, Tally};
use crate::workload::{self, Note};

/// A tokio runtime of one thread.
pub struct Ractor;

struct Hopper;

/// What an actor of the measurements holds.
pub struct State {
    tally: Member,
    next: Option<ActorRef<Say>>,
}

/// What it is sent.
pub enum Say {
    Ask(Note, RpcReplyPort<Note>),
    Tell(Note),
    Follow(ActorRef<Say>),
    Pass(u64),
}

impl Message for Say {}

impl Actor for Hopper {
    type Msg = Say;
    type State = State;
    type Arguments = Arc<Tally>;

    async fn pre_start(&self, _: ActorRef<Say>, tally: Arc<Tally>) -> Result<State, ActorProcessingErr> {
        Ok(State { tally: Member::of(&tally), next: None })
    }

    async fn handle(&self, _: ActorRef<Say>, said: Say, state: &mut State) -> Result<(), ActorProcessingErr> {
        match said {
            Say::Ask(note, reply) => reply.send(note)?,
            Say::Tell(note) => {
                std::hint::black_box(note);
                state.tally.add();
            }
            Say::Follow(next) => state.next = Some(next),
            Say::Pass(hops) => {
                state.tally.add();
                if let (Some(next), 2..) = (&state.next, hops) {
                    next.cast(Say::Pass(hops - 1))?;
                }
            }
        }
        Ok(())
    }
}

impl Actors for Ractor {
    type Ref = ActorRef<Say>;

    fn run<T>(body: impl AsyncFnOnce(&mut Self) -> T) -> T {
        workload::runtime().block_on(async { body(&mut Self).await })
    }

    async fn spawn(&mut self, tally: &Arc<Tally>) -> Option<Self::Ref> {
        let (actor, _ends) = Actor::spawn(None, Hopper, Arc::clone(tally)).await.ok()?;
        Some(actor)
    }

    async fn ask(to: &Self::Ref, note: Note) -> Note {
        call!(to, Say::Ask, note).expect("the actor answers")
    }

    async fn tell(to: &Self::Ref, note: Note) {
        to.cast(Say::Tell(note)).expect("the actor lives");
    }

    async fn follow(to: &Self::Ref, next: &Self::Ref) {
        to.cast(Say::Follow(next.clone())).expect("the actor lives");
    }

    async fn pass(to: &Self::Ref, hops: u64) {
        to.cast(Say::Pass(hops)).expect("the actor lives");
    }

    async fn stop(actor: Self::Ref) {
        actor.stop(None);
    }
}
