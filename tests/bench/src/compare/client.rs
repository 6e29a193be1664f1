//! Systems whose asks are futures: the loops around what they do, the same for all of them.

use std::cell::RefCell;
use std::time::Instant;

use futures::future::join_all;

use super::payload::{self, Payload};
use super::task::{Measured, Span, Stopwatch, Task};
use super::workloads::Workload;
use crate::workload::{Note, Told};

/// Who sends from this process to one receiver in another.
pub trait Client {
    /// How many one-way messages are on their way at once, where each is acknowledged; `None` where none is.
    const ACKNOWLEDGED: Option<usize> = None;

    /// Sends a note and waits until it comes back.
    async fn ask(&self, note: Note) -> Note;

    /// Sends a note that the receiver counts; waits for room, or for the acknowledgement.
    async fn tell(&self, note: Note);

    /// Returns what the receiver has counted since the last time, everything included that was sent before.
    async fn told(&self) -> Told;

    /// Sends bytes that the receiver reads and counts; false if they are too many for this system.
    async fn give(&self, bytes: &[u8]) -> bool;
}

/// Warms up, and measures what is about messages; the first client is used where one is enough.
pub async fn measure<C: Client>(clients: &[C], task: &Task) -> Option<Measured> {
    run(clients, &task.shorter()).await?;
    run(clients, task).await
}

async fn run<C: Client>(clients: &[C], task: &Task) -> Option<Measured> {
    let client = &clients[0];
    Some(match task.workload {
        Workload::Ask => asks(clients, task).await,
        Workload::Asks => Measured::value(in_flight(client, task, 64, None).await),
        Workload::Load => {
            let watch = RefCell::new(Stopwatch::new());
            let value = in_flight(client, task, task.x, Some(&watch)).await;
            Measured { value, latency: Some(watch.into_inner().latency()) }
        }
        Workload::Size => return sizes(client, task).await,
        Workload::OneWay => Measured::value(one_way(&clients[..1], task).await),
        Workload::Workers => {
            let half = Task { millis: task.millis / 2, ..*task };
            Measured { value: one_way(clients, &half).await, ..asks(clients, &half).await }
        }
        other => unreachable!("{other:?} is not about messages"),
    })
}

/// Asks each in turns.
async fn asks<C: Client>(clients: &[C], task: &Task) -> Measured {
    let (mut watch, span) = (Stopwatch::new(), Span::new(task, 16));
    let mut at = 0;
    while span.more() {
        let began = Instant::now();
        ask(&clients[at], span.passed()).await;
        watch.stop(began);
        at = (at + 1) % clients.len();
    }
    let latency = watch.latency();
    Measured { value: latency.p50_us(), latency: Some(latency) }
}

async fn ask(client: &impl Client, number: u64) {
    let reply = client.ask(Note::asking(number)).await;
    assert_eq!(reply.number, number, "each reply belongs to its ask");
}

async fn in_flight(client: &impl Client, task: &Task, most: u64, watch: Option<&RefCell<Stopwatch>>) -> f64 {
    let span = Span::new(task, 64);
    let asker = async || {
        while span.more() {
            let began = watch.map(|watch| (watch, Instant::now()));
            ask(client, span.passed()).await;
            if let Some((watch, began)) = began {
                watch.borrow_mut().stop(began);
            }
        }
    };
    join_all((0..most).map(|_| asker())).await;
    span.rate()
}

/// Sends to each in turns, and returns how many messages a second were counted.
async fn one_way<C: Client>(clients: &[C], task: &Task) -> f64 {
    let span = Span::new(task, 1024);
    let expected: Vec<_> = clients.iter().map(|_| RefCell::new(Told::default())).collect();
    let teller = async || {
        while span.more() {
            let number = span.passed();
            let at = number as usize % clients.len();
            expected[at].borrow_mut().add(number);
            clients[at].tell(Note::telling(number)).await;
        }
    };
    match C::ACKNOWLEDGED {
        None => teller().await,
        Some(most) => drop(join_all((0..most).map(|_| teller())).await),
    }
    for (client, expected) in clients.iter().zip(expected) {
        let told = client.told().await;
        assert_eq!(told, expected.into_inner(), "every message was counted, and was what was sent");
    }
    span.rate()
}

async fn sizes<C: Client>(client: &C, task: &Task) -> Option<Measured> {
    let span = Span::new(task, payload::stride(task.x));
    let expected = match C::ACKNOWLEDGED {
        None => give(client, task, &span).await?,
        // As much on its way as fits into 16 MiB, at least one.
        Some(most) => give_many(client, task, &span, most.min(((16 << 20) / task.x).max(1) as usize)).await?,
    };
    assert_eq!(client.told().await, expected, "every byte was read");
    Some(Measured::value(span.rate() * task.x as f64 / 1e9))
}

async fn give(client: &impl Client, task: &Task, span: &Span) -> Option<Told> {
    let mut payload = Payload::new(task.x);
    while span.more() {
        if !client.give(payload.next()).await {
            return None;
        }
    }
    Some(payload.expected())
}

/// Has so many payloads on their way at once.
async fn give_many(client: &impl Client, task: &Task, span: &Span, most: usize) -> Option<Told> {
    let payload = RefCell::new(Payload::new(task.x));
    let giver = async || {
        while span.more() {
            // Others write theirs while this one waits.
            let bytes = payload.borrow_mut().next().to_vec();
            if !client.give(&bytes).await {
                return false;
            }
        }
        true
    };
    let all_given = join_all((0..most).map(|_| giver())).await.into_iter().all(|given| given);
    all_given.then(|| payload.into_inner().expected())
}
