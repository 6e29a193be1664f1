//! What a message allocates once its way is warm, counted by the allocator: here between two actors of one process.
#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

use std::time::Duration;

use bailiwick::prelude::*;

/// Far longer than any answer takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);

#[protocol]
trait Count {
    async fn note(&mut self, bytes: [u64; 8]);
    async fn noted(&mut self) -> u64;
}

#[derive(Default)]
struct Counter(u64);

impl Count for Counter {
    async fn note(&mut self, _bytes: [u64; 8]) {
        self.0 += 1;
    }
    async fn noted(&mut self) -> u64 {
        self.0
    }
}

/// Returns how many allocations one of the `count` things takes that `run` does, without what it takes to begin.
fn of_each(run: impl Fn(u32)) -> f64 {
    let [few, many] = [2_000, 12_000].map(|count| allocation_counter::measure(|| run(count)).count_total);
    many.saturating_sub(few) as f64 / 10_000.0
}

#[test]
fn a_tell_allocates_its_message_and_nothing_else() {
    let each = of_each(|count| {
        bailiwick::local(async |mut cx| {
            let counter = cx.spawn(CountRef::serve(Counter::default)).unwrap();
            for _ in 0..count {
                counter.note([7; 8]).tell().await.unwrap();
            }
            assert_eq!(counter.noted().ask(SOON).await, Ok(count.into()));
        });
    });
    // Who finds the mailbox full waits in line, which takes a place there for one of a thousand.
    assert!((0.9..=1.3).contains(&each), "{each} allocations");
}

#[test]
fn an_ask_allocates_its_message_where_the_answer_meets_the_asker_and_a_shift_of_who_waited() {
    let each = of_each(|count| {
        bailiwick::local(async |mut cx| {
            let counter = cx.spawn(CountRef::serve(Counter::default)).unwrap();
            for _ in 0..count {
                counter.noted().ask(SOON).await.unwrap();
            }
        });
    });
    assert!((2.9..=3.5).contains(&each), "{each} allocations");
}

/// What an actor holds that was never sent anything: its queue and name, its task, its place among its siblings.
#[test]
fn an_actor_that_idles_takes_little_memory() {
    let [few, many] = [1_000, 11_000].map(|count| {
        let held = allocation_counter::measure(|| {
            bailiwick::local(async |mut cx| {
                let mut counters = Vec::with_capacity(11_000);
                for _ in 0..count {
                    counters.push(cx.spawn(CountRef::serve(Counter::default)).unwrap());
                    tokio::task::yield_now().await;
                }
            });
        });
        held.bytes_max
    });
    let each = many.saturating_sub(few) / 10_000;
    assert!((400..=705).contains(&each), "{each} bytes");
}
