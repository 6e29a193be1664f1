//! Every ask resolves, and `NotDelivered` is never said of a message that a handler saw: random asks, deadlines,
//! drops, panics and stops against one actor, checked against what its handlers noted.

#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bailiwick::prelude::*;
use futures::FutureExt;
use proptest::prelude::*;

#[protocol]
trait Job {
    /// Notes that it was handled, waits as many milliseconds, and panics if told to.
    async fn run(&mut self, id: u32, waits: u64, breaks: bool) -> u32;
}

/// How often each message was handed to a handler.
type Handled = Arc<Mutex<HashMap<u32, u32>>>;

struct Worker(Handled);

impl Job for Worker {
    async fn run(&mut self, id: u32, waits: u64, breaks: bool) -> u32 {
        *self.0.lock().unwrap().entry(id).or_default() += 1;
        if waits > 0 {
            tokio::time::sleep(Duration::from_millis(waits)).await;
        }
        assert!(!breaks, "told to");
        id
    }
}

#[derive(Clone, Debug)]
struct Ask {
    at_ms: u64,
    deadline_ms: u64,
    /// The asker drops the ask after this time.
    dropped_ms: Option<u64>,
    waits_ms: u64,
    breaks: bool,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let ask = (
        0..40u64,
        1..60u64,
        proptest::option::weighted(0.2, 0..40u64),
        0..12u64,
        proptest::bool::weighted(0.1),
    );
    let ask = ask.prop_map(|(at_ms, deadline_ms, dropped_ms, waits_ms, breaks)| Ask {
        at_ms,
        deadline_ms,
        dropped_ms,
        waits_ms,
        breaks,
    });
    proptest::collection::vec(ask, 1..40)
}

/// Checks one outcome against how often the message was handled.
fn check(id: u32, outcome: Option<&Result<u32, AskError>>, handled: u32) -> Result<(), TestCaseError> {
    prop_assert!(handled <= 1, "{} was handled {} times", id, handled);
    match outcome {
        Some(Ok(answer)) => prop_assert_eq!((*answer, handled), (id, 1)),
        Some(Err(AskError::NotDelivered(reason))) => {
            prop_assert_eq!(handled, 0, "{} was handled although {}", id, reason);
        }
        Some(Err(AskError::Unknown(_))) | None => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_ask_ends_once_and_not_delivered_is_the_truth(asks in asks(), capacity in 0..6u32) {
        let handled = Handled::default();
        let outcomes = bailiwick::local(async |mut cx| {
            tokio::time::pause();
            let noted = Arc::clone(&handled);
            let served = JobRef::serve(move || Worker(Arc::clone(&noted)))
                .mailbox(Mailbox::bounded(capacity));
            cx.supervise(Supervision::one_for_one().max_restarts(3, Duration::from_secs(60)));
            let job = cx.spawn(served).unwrap();
            let runs = asks.iter().zip(0..).map(|(ask, id)| {
                let job = job.clone();
                async move {
                    tokio::time::sleep(Duration::from_millis(ask.at_ms)).await;
                    let call = job.run(id, ask.waits_ms, ask.breaks);
                    let answer = call.ask(Duration::from_millis(ask.deadline_ms));
                    match ask.dropped_ms {
                        Some(pause) => tokio::time::timeout(Duration::from_millis(pause), answer).await.ok(),
                        None => Some(answer.await),
                    }
                }
            });
            // A watchdog in virtual time: whatever does not resolve by itself hangs for ever.
            tokio::time::timeout(Duration::from_secs(3600), futures::future::join_all(runs)).await
        });
        let outcomes = outcomes.expect("every ask resolves");
        let handled = handled.lock().unwrap();
        for ((ask, id), outcome) in asks.iter().zip(0..).zip(&outcomes) {
            let times = handled.get(&id).copied().unwrap_or(0);
            check(id, outcome.as_ref(), times)?;
            prop_assert!(outcome.is_some() || ask.dropped_ms.is_some());
        }
    }
}

#[test]
fn asks_from_many_threads_end_once_while_the_actor_panics_and_expires() {
    const THREADS: u32 = 4;
    const ASKS: u32 = 300;
    let handled = Handled::default();
    let noted = Arc::clone(&handled);
    let outcomes = bailiwick::local(async |mut cx| {
        let served = JobRef::serve(move || Worker(Arc::clone(&noted))).mailbox(Mailbox::bounded(2));
        cx.supervise(Supervision::one_for_one().max_restarts(1000, Duration::from_secs(60)));
        let job = cx.spawn(served).unwrap();
        let askers = (0..THREADS).map(|thread| {
            let job = job.clone();
            cx.run_blocking(move || {
                let ask = |number: u32| {
                    let id = thread * ASKS + number;
                    let deadline = Duration::from_micros(u64::from(number % 7) * 40 + 5);
                    // The first failure restarts at once, the second after a pause: two are enough to see both.
                    let breaks = id == 17 || id == 700;
                    (id, job.run(id, 0, breaks).ask_blocking(deadline))
                };
                (0..ASKS).map(ask).collect::<Vec<_>>()
            })
        });
        futures::future::join_all(askers).await.concat()
    });
    assert_eq!(outcomes.len(), usize::try_from(THREADS * ASKS).unwrap());
    let handled = handled.lock().unwrap();
    for (id, outcome) in &outcomes {
        check(*id, Some(outcome), handled.get(id).copied().unwrap_or(0)).unwrap();
    }
}

#[test]
fn an_ask_to_an_actor_that_stopped_is_refused_at_once() {
    let job =
        bailiwick::local(async |mut cx| cx.spawn(JobRef::serve(|| Worker(Handled::default()))).unwrap());
    let asked = thread::spawn(move || job.run(1, 0, false).ask_blocking(Duration::from_secs(3600)));
    let ended = NotDelivered::Ended { cause: bailiwick::DownCause::Stopped };
    assert_eq!(asked.join().unwrap(), Err(AskError::NotDelivered(ended)));
    bailiwick::local(async |_cx| {
        let call = JobRef::from_address(Context::detached().address()).run(1, 0, false);
        let outcome = call.ask(Duration::from_secs(3600)).now_or_never();
        assert_eq!(outcome, Some(Err(AskError::NotDelivered(NotDelivered::NoSuchActor))));
    });
}
