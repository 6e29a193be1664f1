//! Where jobs run, what is left there at the end, and what the supervisor sees of each thread.

use std::sync::mpsc;
use std::thread::ThreadId;
use std::time::Duration;

use bailiwick_wire::slate::SLATE_BYTES;

use super::*;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `test` as what a worker's first thread does.
fn on_threads(threads: u8, slate: Option<&'static [AtomicU64]>, test: impl AsyncFnOnce(Executors) + 'static) {
    Executor::new(Role::Shared).unwrap().run(async move {
        let executors = Executors::start(threads, slate).await.unwrap();
        test(executors).await;
    });
}

/// Has one job run, and returns where.
async fn place_of_next(executors: &Executors) -> ThreadId {
    let (sender, place) = oneshot::channel();
    executors.run(move || sender.send(thread::current().id()).unwrap());
    place.await.unwrap()
}

#[test]
fn actors_come_to_the_threads_in_turn_and_the_first_to_the_callers() {
    on_threads(3, None, async |executors| {
        let mut places = Vec::new();
        for _ in 0..6 {
            places.push(place_of_next(&executors).await);
        }
        assert_eq!(places[0], thread::current().id());
        assert_eq!(places[..3], places[3..]);
        assert!(places[0] != places[1] && places[1] != places[2] && places[2] != places[0], "{places:?}");
    });
}

#[test]
fn one_thread_and_none_are_the_callers() {
    for threads in [0, 1] {
        on_threads(threads, None, async |executors| {
            for _ in 0..3 {
                assert_eq!(place_of_next(&executors).await, thread::current().id());
            }
        });
    }
}

/// Says where it was dropped.
struct Left(mpsc::Sender<ThreadId>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.send(thread::current().id()).unwrap();
    }
}

#[test]
fn what_is_left_is_dropped_on_its_own_thread_before_the_end() {
    on_threads(2, None, async |executors| {
        let (dropped, drops) = mpsc::channel();
        place_of_next(&executors).await;
        executors.run(move || {
            let left = Left(dropped);
            tokio::task::spawn_local(async move {
                std::future::pending::<()>().await;
                drop(left);
            });
        });
        place_of_next(&executors).await;
        let other = place_of_next(&executors).await;
        executors.end().await;
        assert_eq!(drops.try_recv(), Ok(other));
    });
}

#[test]
fn each_thread_leaves_its_polls_in_a_place_of_its_own() {
    let words: Vec<AtomicU64> = (0..SLATE_BYTES / 8).map(|_| AtomicU64::new(0)).collect();
    let slate: &'static [AtomicU64] = Vec::leak(words);
    on_threads(3, Some(slate), async move |executors| {
        let begun = |thread: usize| slate[thread * 32].load(Ordering::Acquire);
        place_of_next(&executors).await;
        let mut busy = Vec::new();
        for thread in [1, 2] {
            let (go_on, holds) = mpsc::channel::<()>();
            let (begins, begin) = oneshot::channel();
            executors.run(move || {
                begins.send(()).unwrap();
                holds.recv_timeout(PATIENCE).unwrap();
            });
            begin.await.unwrap();
            assert_ne!(begun(thread), 0, "it is at work");
            busy.push(go_on);
        }
        busy.into_iter().for_each(|go_on| go_on.send(()).unwrap());
        executors.end().await;
        assert_eq!((begun(1), begun(2)), (0, 0), "both have ended");
    });
}
