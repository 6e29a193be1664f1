//! Bailiwick without a supervisor: everything on one thread, values moved.

use std::sync::Arc;
use std::time::Duration;

use bailiwick::prelude::*;

use crate::within::{Actors, Member, Tally};
use crate::workload::Note;

/// The context that spawns.
pub struct Local(Context);

/// What an actor of the measurements does.
#[protocol]
pub trait Hop {
    /// Returns the note.
    async fn echo(&mut self, note: Note) -> Note;
    /// Counts the note.
    async fn tell(&mut self, note: Note);
    /// Passes on to this one.
    async fn follow(&mut self, next: HopRef);
    /// Counts the hop, and passes on one less.
    async fn pass(&mut self, hops: u64);
    /// Ends.
    async fn leave(&mut self, cx: &mut Context);
}

struct Hopper {
    tally: Member,
    next: Option<HopRef>,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Hop for Hopper {
    async fn echo(&mut self, note: Note) -> Note {
        note
    }

    async fn tell(&mut self, note: Note) {
        std::hint::black_box(note);
        self.tally.add();
    }

    async fn follow(&mut self, next: HopRef) {
        self.next = Some(next);
    }

    async fn pass(&mut self, hops: u64) {
        self.tally.add();
        if let (Some(next), 2..) = (&self.next, hops) {
            next.pass(hops - 1).tell().await.expect("the next one lives");
        }
    }

    async fn leave(&mut self, cx: &mut Context) {
        cx.stop();
    }
}

impl Local {
    /// Spawns in this context, which somebody else runs.
    pub fn of(cx: Context) -> Self {
        Self(cx)
    }
}

impl Actors for Local {
    type Ref = HopRef;

    fn run<T>(body: impl AsyncFnOnce(&mut Self) -> T) -> T {
        bailiwick::local(async |cx| body(&mut Self(cx)).await)
    }

    async fn spawn(&mut self, tally: &Arc<Tally>) -> Option<Self::Ref> {
        let tally = Arc::clone(tally);
        self.0.spawn(HopRef::serve(move || Hopper { tally: Member::of(&tally), next: None })).ok()
    }

    async fn ask(to: &Self::Ref, note: Note) -> Note {
        to.echo(note).ask(PATIENCE).await.expect("the actor answers")
    }

    async fn tell(to: &Self::Ref, note: Note) {
        to.tell(note).tell().await.expect("the actor lives");
    }

    async fn follow(to: &Self::Ref, next: &Self::Ref) {
        to.follow(next.clone()).tell().await.expect("the actor lives");
    }

    async fn pass(to: &Self::Ref, hops: u64) {
        to.pass(hops).tell().await.expect("the actor lives");
    }

    async fn stop(actor: Self::Ref) {
        actor.leave().tell().await.expect("the actor lives");
    }
}
