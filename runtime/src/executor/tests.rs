//! What the supervisor sees of an executor: when it has something to run, whoever spawned that, and when it waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bailiwick_wire::slate::SLATE_BYTES;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::*;

/// What the thread of a test leaves of its polls.
#[derive(Clone, Copy)]
struct Slate(&'static [AtomicU64]);

impl Slate {
    /// Has the calling thread write to it.
    fn here() -> Self {
        let words: Vec<AtomicU64> = (0..SLATE_BYTES / 8).map(|_| AtomicU64::new(0)).collect();
        let slate = Self(Vec::leak(words));
        progress::write_to(slate.0, 0);
        slate
    }

    /// Returns when the present poll began; 0 while the thread waits.
    fn since(self) -> u64 {
        self.0[0].load(Ordering::Acquire)
    }

    /// Waits until the thread waits.
    fn wait_for_rest(self) {
        let watchdog = Instant::now() + PATIENCE;
        while self.since() != 0 {
            assert!(Instant::now() < watchdog, "the executor never rests");
            thread::yield_now();
        }
    }
}

fn run<T>(main: impl Future<Output = T>) -> T {
    Executor::new(Role::Shared).unwrap().block_on(main)
}

/// Returns when another thread has seen the executor wait, and has then done this.
async fn meanwhile<T: Send + 'static>(slate: Slate, elsewhere: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, end) = oneshot::channel();
    thread::spawn(move || {
        slate.wait_for_rest();
        let _ = done.send(elsewhere());
    });
    end.await.unwrap()
}

#[test]
fn what_users_spawn_leaves_its_polls_too() {
    let slate = Slate::here();
    let seen = run(async {
        let spawned = tokio::spawn(async move {
            meanwhile(slate, || ()).await;
            slate.since()
        });
        spawned.await.unwrap()
    });
    assert_ne!(seen, 0);
    assert_eq!(slate.since(), 0, "it is over");
}

#[test]
fn many_short_polls_of_what_users_spawn_are_not_one_that_does_not_end() {
    let slate = Slate::here();
    run(async {
        let busy = tokio::spawn(async move {
            let watchdog = Instant::now() + PATIENCE;
            for _ in 0..5 {
                let before = slate.since();
                while slate.since() == before {
                    assert!(Instant::now() < watchdog, "all of it counts as one poll");
                    tokio::task::yield_now().await;
                }
            }
        });
        busy.await.unwrap();
    });
}

#[test]
fn an_executor_that_has_nothing_to_do_is_woken_by_nothing() {
    let slate = Slate::here();
    run(async {
        // Woken once, it has begun to beat.
        meanwhile(slate, || ()).await;
        let metrics = Handle::current().metrics();
        let waits = meanwhile(slate, move || {
            let mut before = metrics.worker_park_count(0);
            (0..20).find(|_| {
                thread::park_timeout(Duration::from_millis(100));
                let now = metrics.worker_park_count(0);
                std::mem::replace(&mut before, now) == now
            })
        });
        assert!(waits.await.is_some(), "it beats on");
    });
}

/// A watchdog, far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
