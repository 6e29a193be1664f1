//! Actors in one process and one thread: the loops around what a framework does, the same for all of them.

pub mod columns;
mod tally;

pub use columns::all as columns;
pub use columns::ours::Local;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::compare::{Measured, Span, Task, Workload};
use crate::workload::Note;
pub use tally::{Member, Tally};

/// A framework for actors, and the thread that it runs them on.
pub trait Actors: Sized {
    /// Reaches one actor.
    type Ref: Clone;

    /// Runs the framework until the body has ended.
    fn run<T>(body: impl AsyncFnOnce(&mut Self) -> T) -> T;

    /// Makes an actor that echoes, counts and passes on, with a mailbox of 1024 messages where there are bounds; `None` if
    /// there can be no more.
    fn spawn(&mut self, tally: &Arc<Tally>) -> impl Future<Output = Option<Self::Ref>>;

    /// Sends a note and waits until it comes back.
    fn ask(to: &Self::Ref, note: Note) -> impl Future<Output = Note>;

    /// Sends a note that the actor counts; waits for room.
    fn tell(to: &Self::Ref, note: Note) -> impl Future<Output = ()>;

    /// Has an actor pass on to the next one.
    fn follow(to: &Self::Ref, next: &Self::Ref) -> impl Future<Output = ()>;

    /// Sends so many hops, each counted by who takes it, which passes on one less.
    fn pass(to: &Self::Ref, hops: u64) -> impl Future<Output = ()>;

    /// Has an actor end that nobody else reaches; most do when that is so.
    async fn stop(actor: Self::Ref) {
        drop(actor);
    }
}

/// Actors of the ring, and receivers of the fan-out.
const MANY: usize = 1000;
/// Actors that are made to measure how fast that is: so many at a time as are asked about, again and again.
const SPAWNED: usize = 100_000;
/// Actors that are sent to before everybody else gets a turn.
const TURN: u64 = 1000;

/// Measures what is asked for.
pub fn measure<A: Actors>(task: &Task) -> Option<Measured> {
    A::run(async |actors: &mut A| measure_in(actors, task).await)
}

/// Measures what is asked for in a framework that runs.
pub async fn measure_in<A: Actors>(actors: &mut A, task: &Task) -> Option<Measured> {
    let value = match task.workload {
        Workload::InAsk => asks(actors, task).await,
        Workload::InTell => tells(actors, task).await,
        Workload::InSpawn => lives(actors, task).await.map(|lives| lives.spawns),
        Workload::InBytes => lives(actors, task).await.and_then(|lives| lives.bytes),
        Workload::InStop => lives(actors, task).await.map(|lives| lives.stops),
        Workload::InRing => ring(actors, task).await,
        Workload::InFanOut => to_many(actors, task, MANY).await,
        Workload::InActors => to_many(actors, task, task.x as usize).await.map(|rate| 1e9 / rate),
        other => unreachable!("{other:?} is between processes"),
    };
    value.map(Measured::value)
}

async fn asks<A: Actors>(actors: &mut A, task: &Task) -> Option<f64> {
    let actor = actors.spawn(&Arc::default()).await?;
    let mut us = 0.0;
    for task in [task.shorter(), *task] {
        let span = Span::new(&task, 256);
        while span.more() {
            let reply = A::ask(&actor, Note::asking(span.passed())).await;
            assert_eq!(reply.number, span.passed(), "each reply belongs to its ask");
        }
        us = 1e6 / span.rate();
    }
    Some(us)
}

async fn tells<A: Actors>(actors: &mut A, task: &Task) -> Option<f64> {
    let tally = Arc::new(Tally::default());
    let actor = actors.spawn(&tally).await?;
    let mut rate = 0.0;
    for task in [task.shorter(), *task] {
        let span = Span::new(&task, 1024);
        let producer = async || {
            while span.more() {
                A::tell(&actor, Note::telling(span.passed())).await;
                // Where nothing is bounded, nobody else would ever get a turn.
                if span.passed().is_multiple_of(TURN) {
                    tokio::task::yield_now().await;
                }
            }
        };
        futures::future::join_all((0..task.x).map(|_| producer())).await;
        tally.reached(span.passed()).await;
        rate = span.rate();
    }
    Some(rate)
}

/// What it takes that actors come and go.
struct Lives {
    /// Actors made in a second.
    spawns: f64,
    /// Actors that ended in a second.
    stops: f64,
    /// What each takes of memory that nobody had used before; none in a sandbox that shows no memory.
    bytes: Option<f64>,
}

/// Makes so many actors, has each take a message, and has all of them end, until enough were made.
async fn lives<A: Actors>(actors: &mut A, task: &Task) -> Option<Lives> {
    let tally = Arc::new(Tally::default());
    let count = task.x as usize;
    let (mut spawning, mut stopping, mut bytes) = (Duration::ZERO, Duration::ZERO, None);
    let mut made = Vec::with_capacity(count);
    // Its own pages are there before anything is counted.
    made.resize_with(count, || None);
    let mut total = 0;
    while total < SPAWNED.max(count) {
        let before = resident();
        let began = Instant::now();
        for (at, place) in made.iter_mut().enumerate() {
            *place = Some(actors.spawn(&tally).await?);
            // Each is made in full before the clock is stopped.
            if (at + 1).is_multiple_of(MANY) {
                tokio::task::yield_now().await;
            }
        }
        tokio::task::yield_now().await;
        spawning += began.elapsed();
        if total == 0 {
            let grown = resident().zip(before).map(|(now, before)| now.saturating_sub(before));
            bytes = grown.map(|grown| grown as f64 / count as f64);
        }
        for actor in made.iter().flatten() {
            A::tell(actor, Note::telling(0)).await;
        }
        tally.reached(count as u64).await;
        let began = Instant::now();
        for (at, place) in made.iter_mut().enumerate() {
            A::stop(place.take()?).await;
            if (at + 1).is_multiple_of(MANY) {
                tokio::task::yield_now().await;
            }
        }
        tally.left().await;
        stopping += began.elapsed();
        total += count;
    }
    let rate = |time: Duration| total as f64 / time.as_secs_f64();
    Some(Lives { spawns: rate(spawning), stops: rate(stopping), bytes })
}

async fn ring<A: Actors>(actors: &mut A, task: &Task) -> Option<f64> {
    let tally = Arc::new(Tally::default());
    let mut ring: Vec<A::Ref> = Vec::with_capacity(MANY);
    for _ in 0..MANY {
        ring.push(actors.spawn(&tally).await?);
    }
    for (at, actor) in ring.iter().enumerate() {
        A::follow(actor, &ring[(at + 1) % MANY]).await;
    }
    // What fits into the time is found by going around for longer and longer.
    let mut hops = MANY as u64;
    loop {
        let began = Instant::now();
        A::pass(&ring[0], hops).await;
        tally.reached(hops).await;
        let took = began.elapsed().as_secs_f64();
        if took * 1e3 >= task.millis as f64 / 2.0 {
            return Some(hops as f64 / took);
        }
        hops *= 2;
    }
}

/// Sends to each of so many in turns, and returns how many deliveries there were in a second.
async fn to_many<A: Actors>(actors: &mut A, task: &Task, count: usize) -> Option<f64> {
    let tally = Arc::new(Tally::default());
    let mut many = Vec::with_capacity(count);
    for _ in 0..count {
        many.push(actors.spawn(&tally).await?);
    }
    let mut rate = 0.0;
    for task in [task.shorter(), *task] {
        // Each is sent to at least once.
        let span = Span::new(&task, TURN.max(count as u64));
        let mut at = 0;
        while span.more() {
            A::tell(&many[at], Note::telling(span.passed())).await;
            at = (at + 1) % count;
            if span.passed().is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
        }
        tally.reached(span.passed()).await;
        rate = span.rate();
    }
    Some(rate)
}

/// The bytes of this process that are in memory; none where there is no /proc.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages = statm.split(' ').nth(1)?.parse::<u64>().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
