//! Actors of one worker on several threads: where each lives, and that nothing else is different.
#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use bailiwick::Worker;
use bailiwick::prelude::*;
use futures::StreamExt;
use futures::channel::mpsc;

/// Far longer than any answer takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);

#[protocol]
trait Seat {
    /// The thread that it lives on, and that of a child which it spawns.
    async fn places(&mut self, cx: &mut Context) -> (String, String);
    async fn break_now(&mut self);
    /// Asks the last of `next` to pass it on; returns how many did.
    async fn pass(&mut self, next: Vec<SeatRef>) -> Result<u32, String>;
    async fn note(&mut self, from: u32, number: u64);
    /// Tells `to` the numbers up to `count`, one after the other.
    async fn send(&mut self, to: SeatRef, from: u32, count: u64);
    /// The last number of each sender.
    async fn noted(&mut self) -> BTreeMap<u32, u64>;
    async fn watch(&mut self, cx: &mut Context, whom: SeatRef);
    async fn sleep(&mut self, ms: u64);
}

#[protocol]
trait Lap {
    async fn place(&mut self) -> String;
}

struct Sitter {
    /// Cannot leave its thread.
    noted: Rc<RefCell<BTreeMap<u32, u64>>>,
    ends: mpsc::UnboundedSender<String>,
}

struct Child;

fn here() -> String {
    format!("{:?}", thread::current().id())
}

impl Seat for Sitter {
    async fn places(&mut self, cx: &mut Context) -> (String, String) {
        let child: LapRef = cx.spawn(LapRef::serve(|| Child)).unwrap();
        (here(), child.place().ask(SOON).await.unwrap())
    }

    async fn break_now(&mut self) {
        panic!("on purpose");
    }

    async fn pass(&mut self, mut next: Vec<SeatRef>) -> Result<u32, String> {
        let Some(seat) = next.pop() else { return Ok(0) };
        match seat.pass(next).ask(SOON).await {
            Ok(passed) => passed.map(|passed| passed + 1),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn note(&mut self, from: u32, number: u64) {
        let before = self.noted.borrow_mut().insert(from, number).unwrap_or(0);
        assert_eq!(before + 1, number, "in order, and each once");
    }

    async fn send(&mut self, to: SeatRef, from: u32, count: u64) {
        for number in 1..=count {
            to.note(from, number).tell().await.unwrap();
        }
    }

    async fn noted(&mut self) -> BTreeMap<u32, u64> {
        self.noted.borrow().clone()
    }

    async fn watch(&mut self, cx: &mut Context, whom: SeatRef) {
        cx.watch(&whom);
    }

    async fn sleep(&mut self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

impl Actor for Sitter {
    async fn down(&mut self, down: Down, _cx: &mut Context) {
        self.ends.unbounded_send(down.to_string()).unwrap();
    }
}

impl Lap for Child {
    async fn place(&mut self) -> String {
        here()
    }
}

const THREADS: usize = 3;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Runs `test` beside a worker with these actors on three threads. It is given them and what they hear of ends.
fn run(test: impl AsyncFnOnce([SeatRef; 5], mpsc::UnboundedReceiver<String>) + Send + 'static) {
    let (ends, heard) = mpsc::unbounded();
    let mut hall = Worker::new("hall", Sandbox::sealed()).threads(THREADS as u8);
    for name in NAMES {
        let ends = ends.clone();
        let sitter = move || Sitter { noted: Rc::default(), ends: ends.clone() };
        hall = hall.serve(SeatRef::serve(sitter).with_lifecycle().named(name));
    }
    let main = async move |cx: Context| {
        let seats = NAMES.map(|name| cx.peer(&format!("hall/{name}")).unwrap());
        test(seats, heard).await;
        Ok(())
    };
    Program::new().add(hall).main("front", Sandbox::sealed().grant("hall"), main).run_local().unwrap();
}

async fn place_of(seat: &SeatRef) -> String {
    let (own, childs) = seat.places().ask(SOON).await.unwrap();
    assert_eq!(own, childs, "its child lives beside it");
    own
}

#[test]
fn actors_are_spread_in_their_order_and_their_children_live_beside_them() {
    run(async |seats, _| {
        let mut places = Vec::new();
        for seat in &seats {
            places.push(place_of(seat).await);
        }
        assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), THREADS, "{places:?}");
        assert_eq!(places[0], here(), "the first stays on the first thread");
        assert_eq!(places[3..], places[..2]);
    });
}

#[test]
fn who_has_failed_is_made_anew_where_it_was() {
    run(async |seats, _| {
        let before = place_of(&seats[1]).await;
        assert!(seats[1].break_now().ask(SOON).await.is_err());
        assert_eq!(place_of(&seats[1]).await, before);
        assert_ne!(before, here());
    });
}

#[test]
fn asks_go_around_between_threads_and_a_ring_of_them_is_refused() {
    run(async |seats, _| {
        let [a, b, c, d, e] = seats;
        let around = vec![e, d, c.clone(), b.clone()];
        assert_eq!(a.pass(around).ask(SOON).await.unwrap(), Ok(4));
        let ring = vec![a.clone(), c, b];
        let refused = a.pass(ring).ask(SOON).await.unwrap().unwrap_err();
        assert!(refused.ends_with("a cycle of asks: hall/a -> hall/b -> hall/c -> hall/a"), "{refused}");
    });
}

#[test]
fn what_comes_from_each_thread_at_once_comes_in_order() {
    const COUNT: u64 = 3_000;
    run(async |seats, _| {
        let sink = &seats[4];
        let sent =
            seats[..4].iter().zip(0..).map(|(seat, from)| seat.send(sink.clone(), from, COUNT).ask(SOON));
        futures::future::join_all(sent).await.into_iter().for_each(|sent| sent.unwrap());
        let noted = sink.noted().ask(SOON).await.unwrap();
        assert_eq!(noted, (0..4).map(|from| (from, COUNT)).collect());
    });
}

#[test]
fn the_end_of_an_actor_is_told_once_on_each_thread() {
    run(async |seats, mut heard| {
        for watcher in &seats[..4] {
            watcher.watch(seats[4].clone()).ask(SOON).await.unwrap();
        }
        seats[4].break_now().tell().await.unwrap();
        for _ in 0..4 {
            let down = heard.next().await.unwrap();
            assert!(down.starts_with("hall/e#1 panicked"), "{down}");
        }
        for watcher in &seats[..4] {
            place_of(watcher).await;
        }
        assert!(heard.try_recv().is_err(), "a second time");
    });
}

/// Says where it is dropped.
struct Lodger(mpsc::UnboundedSender<String>);

impl Drop for Lodger {
    fn drop(&mut self) {
        self.0.unbounded_send(here()).unwrap();
    }
}

impl Lap for Lodger {
    async fn place(&mut self) -> String {
        here()
    }
}

/// A worker of five lodgers on three threads, and what they say when they are dropped.
fn lodgers() -> (Worker, mpsc::UnboundedReceiver<String>) {
    let (says, said) = mpsc::unbounded();
    let worker = Worker::new("hall", Sandbox::sealed()).threads(THREADS as u8);
    let with = |worker: Worker, name: &str| {
        let says = says.clone();
        worker.serve(LapRef::serve(move || Lodger(says.clone())).named(name))
    };
    (NAMES.into_iter().fold(worker, with), said)
}

/// Returns all that was said, without waiting for more.
fn heard(mut said: mpsc::UnboundedReceiver<String>) -> Vec<String> {
    let mut places: Vec<_> = std::iter::from_fn(|| said.try_recv().ok()).collect();
    places.sort();
    places
}

#[test]
fn at_the_end_of_the_program_each_actor_is_dropped_on_its_own_thread() {
    let (hall, said) = lodgers();
    let (says, lived) = mpsc::unbounded();
    let main = async move |cx: Context| {
        for name in NAMES {
            let lodger: LapRef = cx.peer(&format!("hall/{name}"))?;
            says.unbounded_send(lodger.place().ask(SOON).await?)?;
        }
        Ok(())
    };
    Program::new().add(hall).main("front", Sandbox::sealed().grant("hall"), main).run_local().unwrap();
    assert_eq!(heard(said), heard(lived));
}

#[test]
fn a_program_that_does_not_start_leaves_nobody_on_its_threads() {
    struct Sick;
    impl Lap for Sick {
        async fn place(&mut self) -> String {
            here()
        }
    }
    impl Actor for Sick {
        async fn started(&mut self, _cx: &mut Context) -> Result<(), ActorError> {
            Err(std::io::Error::other("on purpose").into())
        }
    }
    let (hall, said) = lodgers();
    let sick = LapRef::serve(|| Sick).with_lifecycle().temporary().named("sick");
    let late = Worker::new("late", Sandbox::sealed()).needs("hall").serve(sick);
    let program = Program::new().add(hall).add(late).main("front", Sandbox::sealed(), async |_| Ok(()));
    let error = program.run_local().unwrap_err().to_string();
    assert!(error.contains("`sick` did not start"), "{error}");
    assert_eq!(heard(said).len(), NAMES.len());
}
