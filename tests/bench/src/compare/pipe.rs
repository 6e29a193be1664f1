//! Systems that carry messages one after the other: the loops around what they do, the same for all of them.
//!
//! Functions are async so that blocking systems and those of an executor share the loops; one that blocks awaits nothing.

use std::collections::VecDeque;
use std::time::Instant;

use super::payload::{self, LAST, Payload};
use super::task::{Measured, Span, Stopwatch, Task};
use super::workloads::Workload;
use crate::workload::{Note, Told};

/// One end of a pipe between two processes, both ways.
pub trait Pipe {
    /// Sends a note, at the latest when flushed.
    async fn put(&mut self, note: &Note);

    /// Sends what was put and has not been sent.
    async fn flush(&mut self) {}

    /// Waits for the next note; `None` when the other process has ended.
    async fn take(&mut self) -> Option<Note>;

    /// Returns the next note if it is there.
    fn ready(&mut self) -> Option<Note>;

    /// Sends bytes, at the latest when flushed.
    async fn give(&mut self, bytes: &[u8]);

    /// Waits for the next bytes and has them read; `None` when the other process has ended.
    async fn receive<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Option<T>;
}

/// Is the other process: echoes what asks for a reply, and counts what does not.
pub async fn answer(pipe: &mut impl Pipe, task: &Task) {
    let mut told = Told::default();
    if task.workload == Workload::Size {
        while let Some((number, sum)) =
            pipe.receive(|bytes| (payload::number(bytes), payload::sum(bytes))).await
        {
            if number == LAST {
                pipe.put(&receipt(std::mem::take(&mut told))).await;
                pipe.flush().await;
            } else {
                told.add(sum);
            }
        }
        return;
    }
    while let Some(note) = pipe.take().await {
        let mut next = Some(note);
        while let Some(note) = next {
            if note.number == LAST {
                pipe.put(&receipt(std::mem::take(&mut told))).await;
            } else if note.wants_reply {
                pipe.put(&note).await;
            } else {
                told.add(note.number);
            }
            next = pipe.ready();
        }
        pipe.flush().await;
    }
}

fn receipt(told: Told) -> Note {
    Note { number: told.count, wants_reply: false, body: [told.sum; 6] }
}

/// Warms up, and measures what is about messages; the first pipe is used where one is enough.
pub async fn measure<P: Pipe>(pipes: &mut [P], task: &Task) -> Measured {
    run(pipes, &task.shorter()).await;
    run(pipes, task).await
}

async fn run<P: Pipe>(pipes: &mut [P], task: &Task) -> Measured {
    let pipe = &mut pipes[0];
    match task.workload {
        Workload::Ask => asks(pipe, task).await,
        Workload::Asks => Measured::value(in_flight(pipe, task, 64, None).await),
        Workload::Load => {
            let mut watch = Stopwatch::new();
            let value = in_flight(pipe, task, task.x, Some(&mut watch)).await;
            Measured { value, latency: Some(watch.latency()) }
        }
        Workload::Size => sizes(pipe, task).await,
        Workload::OneWay => Measured::value(one_way(&mut pipes[..1], task).await),
        Workload::Workers => workers(pipes, task).await,
        other => unreachable!("{other:?} is not about messages"),
    }
}

/// Returns the answer to one ask.
pub async fn ask(pipe: &mut impl Pipe, number: u64) {
    pipe.put(&Note::asking(number)).await;
    pipe.flush().await;
    let reply = pipe.take().await.expect("the other process lives");
    assert_eq!(reply.number, number, "each reply belongs to its ask");
}

async fn asks(pipe: &mut impl Pipe, task: &Task) -> Measured {
    let (mut watch, span) = (Stopwatch::new(), Span::new(task, 16));
    while span.more() {
        let began = Instant::now();
        ask(pipe, span.passed()).await;
        watch.stop(began);
    }
    let latency = watch.latency();
    Measured { value: latency.p50_us(), latency: Some(latency) }
}

async fn in_flight(pipe: &mut impl Pipe, task: &Task, most: u64, mut watch: Option<&mut Stopwatch>) -> f64 {
    let span = Span::new(task, 64);
    let mut began = VecDeque::new();
    let (mut sent, mut received) = (0, 0);
    loop {
        while sent - received < most && span.more() {
            if watch.is_some() {
                began.push_back(Instant::now());
            }
            pipe.put(&Note::asking(sent)).await;
            sent += 1;
        }
        if sent == received {
            return span.rate();
        }
        pipe.flush().await;
        let mut next = pipe.take().await;
        assert!(next.is_some(), "the other process lives");
        while let Some(reply) = next {
            assert_eq!(reply.number, received, "replies come in order");
            received += 1;
            if let (Some(watch), Some(began)) = (&mut watch, began.pop_front()) {
                watch.stop(began);
            }
            next = pipe.ready();
        }
    }
}

/// Sends to each pipe in turns, and returns how many messages a second were counted.
async fn one_way<P: Pipe>(pipes: &mut [P], task: &Task) -> f64 {
    let span = Span::new(task, 1024);
    let mut expected = vec![Told::default(); pipes.len()];
    let mut at = 0;
    while span.more() {
        let number = span.passed();
        pipes[at].put(&Note::telling(number)).await;
        expected[at].add(number);
        at = (at + 1) % pipes.len();
    }
    for pipe in &mut *pipes {
        pipe.put(&Note::asking(LAST)).await;
        pipe.flush().await;
    }
    for (pipe, expected) in pipes.iter_mut().zip(expected) {
        check(pipe.take().await, expected);
    }
    span.rate()
}

fn check(receipt: Option<Note>, expected: Told) {
    let receipt = receipt.expect("the other process lives");
    let told = Told { count: receipt.number, sum: receipt.body[0] };
    assert_eq!(told, expected, "every message was counted, and was what was sent");
}

async fn workers<P: Pipe>(pipes: &mut [P], task: &Task) -> Measured {
    let half = Task { millis: task.millis / 2, ..*task };
    let (mut watch, span) = (Stopwatch::new(), Span::new(&half, 16));
    let mut at = 0;
    while span.more() {
        let began = Instant::now();
        ask(&mut pipes[at], span.passed()).await;
        watch.stop(began);
        at = (at + 1) % pipes.len();
    }
    Measured { value: one_way(pipes, &half).await, latency: Some(watch.latency()) }
}

async fn sizes(pipe: &mut impl Pipe, task: &Task) -> Measured {
    let span = Span::new(task, payload::stride(task.x));
    let mut payload = Payload::new(task.x);
    while span.more() {
        pipe.give(payload.next()).await;
    }
    pipe.give(payload.last()).await;
    pipe.flush().await;
    check(pipe.take().await, payload.expected());
    Measured::value(span.rate() * task.x as f64 / 1e9)
}
