//! Traces of actors in one process.

use std::task::{Poll, Waker};
use std::thread;

use bailiwick_core::precedence::Priority;
use bailiwick_wire::Limits;
use bailiwick_wire::frame::TraceContext;
use futures::{StreamExt, poll};
use proptest::prelude::*;

use super::*;
use crate::cell::Cell;
use crate::envelope::{Envelope, Stored};
use crate::handoff::credit_of;
use crate::introspect::TRACES_MAX;
use crate::mailbox::Mailbox;
use crate::protocol::Protocol;
use crate::reply::Reply;
use crate::tap::{ROOM, Tapped};

#[protocol]
trait Kennel {
    /// Returns how often it barked.
    async fn bark(&mut self) -> u32;
    /// Waits for ever.
    async fn sleep(&mut self);
    /// Panics.
    async fn fall(&mut self);
    /// Has a puppy.
    async fn litter(&mut self, cx: &mut Context);
}

#[derive(Default)]
struct Dog(u32);

impl Kennel for Dog {
    async fn bark(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }

    async fn sleep(&mut self) {
        std::future::pending().await
    }

    async fn fall(&mut self) {
        panic!("it fell");
    }

    async fn litter(&mut self, cx: &mut Context) {
        cx.spawn(KennelRef::serve(Dog::default).named("rex")).expect("there is none yet");
    }
}

const SOON: Duration = Duration::from_secs(20);

fn dog(cx: &mut Context, name: &str) -> KennelRef {
    cx.spawn(KennelRef::serve(Dog::default).named(name)).expect("there is room")
}

/// Where traces are had.
struct Desk {
    node: Arc<Shared>,
    places: Arc<Semaphore>,
}

impl Desk {
    fn of(cx: &Context) -> Self {
        Self { node: Arc::clone(cx.node()), places: Arc::new(Semaphore::new(TRACES_MAX)) }
    }

    /// Begins a trace. Returns what it tells, without its beginning, and of how many actors.
    async fn trace(&self, traced: Traced, messages: u32, time: Duration) -> (Replies<Step>, u32) {
        let mut steps = trace(&self.node, &self.places, &traced, (messages, time)).await;
        match steps.next().await {
            Some(Step::Begun { actors, .. }) => (steps, actors),
            other => panic!("{other:?}"),
        }
    }

    async fn refusal(&self, traced: Traced) -> Untraced {
        let mut steps = trace(&self.node, &self.places, &traced, (1, SOON)).await;
        match (steps.next().await, steps.next().await) {
            (Some(Step::Refused(why)), None) => why,
            other => panic!("{other:?}"),
        }
    }
}

fn of_actor(path: &str) -> Traced {
    Traced::Actor(path.to_owned())
}

/// Takes what comes until a trace is over; returns the messages, how it ended, and how many were lost.
async fn all(mut steps: Replies<Step>) -> (Vec<Message>, Ending, u64) {
    let mut told = Vec::new();
    while let Some(step) = steps.next().await {
        match step {
            Step::Handled(more) => told.extend(more),
            Step::Over { why, lost } => {
                let lost = lost + told.iter().map(|message| message.lost).sum::<u64>();
                return (told, why, lost);
            }
            Step::Begun { .. } | Step::Refused(_) => panic!("{step:?}"),
        }
    }
    panic!("it broke off");
}

#[test]
fn messages_are_told_with_how_they_came_and_how_they_ended() {
    crate::local(async |mut cx| {
        let (dog, other) = (dog(&mut cx, "dog"), dog(&mut cx, "other"));
        let desk = Desk::of(&cx);
        let (steps, actors) = desk.trace(of_actor("dog"), 5, SOON).await;
        assert_eq!(actors, 1);
        other.bark().ask(SOON).await.expect("it is there");
        dog.bark().ask(SOON).await.expect("it is there");
        dog.bark().tell().await.expect("it is there");
        let after = Duration::from_millis(20);
        dog.sleep().ask(after).await.expect_err("nobody answers");
        assert!(poll!(Box::pin(dog.bark().ask(SOON))).is_pending(), "it is taken back at once");
        dog.fall().ask(SOON).await.expect_err("it panics");
        let (told, why, lost) = all(steps).await;
        assert_eq!((why, lost), (Ending::Messages, 0));
        let found: Vec<_> = told.iter().map(|one| (&*one.method, one.kind, one.end)).collect();
        use MessageEnd::{Cancelled, CancelledBefore, Expired, Handled, Panicked};
        // Whoever was first to see that the time is over says how it ended.
        assert!(matches!(found[2].2, Cancelled | Expired), "{found:?}");
        let expected = [
            ("bark", MessageKind::Ask, Handled),
            ("bark", MessageKind::Tell, Handled),
            ("sleep", MessageKind::Ask, found[2].2),
            ("bark", MessageKind::Ask, CancelledBefore),
            ("fall", MessageKind::Ask, Panicked),
        ];
        assert_eq!(found, expected);
        for one in &told {
            assert_eq!((&*one.path, &*one.type_name, &*one.protocol), ("dog", "Dog", "Kennel"));
            assert_eq!((one.generation, &one.from, one.bytes, one.trace), (1, &None, None, None));
            assert!(one.waited.is_some(), "{one:?}");
        }
        assert!(told[2].handled >= after && told[0].handled < SOON, "{told:?}");
        assert!(told.is_sorted_by_key(|one| one.monotonic_ns));
    });
}

#[test]
fn a_type_is_all_of_its_actors_also_those_that_come_later_and_their_next_incarnations() {
    crate::local(async |mut cx| {
        let (one, other) = (dog(&mut cx, "one"), dog(&mut cx, "other"));
        let desk = Desk::of(&cx);
        let (steps, actors) = desk.trace(Traced::Type("Dog".to_owned()), 6, SOON).await;
        assert_eq!(actors, 2);
        one.bark().ask(SOON).await.expect("it is there");
        other.fall().ask(SOON).await.expect_err("it panics");
        other.bark().ask(SOON).await.expect("it is there again");
        one.litter().ask(SOON).await.expect("it is there");
        let third = dog(&mut cx, "third");
        third.bark().ask(SOON).await.expect("it is there");
        third.bark().ask(SOON).await.expect("it is there");
        let (told, ..) = all(steps).await;
        let found: Vec<_> = told.iter().map(|one| (&*one.path, one.generation, &*one.method)).collect();
        let expected = [
            ("one", 1, "bark"),
            ("other", 1, "fall"),
            ("other", 2, "bark"),
            ("one", 1, "litter"),
            ("third", 1, "bark"),
            ("third", 1, "bark"),
        ];
        assert_eq!(found, expected);
    });
}

#[test]
fn who_is_not_there_is_answered_by_the_nearest_and_there_are_so_many_traces() {
    crate::local(async |mut cx| {
        let dog = dog(&mut cx, "dog");
        dog.litter().ask(SOON).await.expect("it is there");
        let desk = Desk::of(&cx);
        let actors = vec!["dog".to_owned(), "dog/rex".to_owned()];
        for (name, near) in [("dgo", Some("dog")), ("dog/rax", Some("dog/rex")), ("elephant", None)] {
            let nearest = near.map(ToOwned::to_owned);
            let expected = Untraced::NoActor { nearest, actors: actors.clone() };
            assert_eq!(desk.refusal(of_actor(name)).await, expected, "{name}");
        }
        let types = vec!["Dog".to_owned()];
        assert_eq!(desk.refusal(Traced::Type("Cat".to_owned())).await, Untraced::NoType { types });
        let mut open = Vec::new();
        for _ in 0..TRACES_MAX {
            open.push(desk.trace(of_actor("dog"), 1, SOON).await);
        }
        assert_eq!(desk.refusal(of_actor("dog")).await, Untraced::TooMany);
        open.pop();
        drop(desk.trace(of_actor("dog"), 1, SOON).await);
        // Each has its own notes.
        dog.bark().ask(SOON).await.expect("it is there");
        for (steps, _) in open {
            assert_eq!(all(steps).await.0.len(), 1);
        }
    });
}

#[test]
fn it_is_off_in_time_also_where_nobody_reads_and_when_its_reader_is_gone() {
    crate::local(async |mut cx| {
        let dog = dog(&mut cx, "dog");
        let desk = Desk::of(&cx);
        let cell = find(&desk.node, "dog").expect("it is there");
        let short = Duration::from_millis(20);
        let (steps, _) = desk.trace(of_actor("dog"), u32::MAX, short).await;
        dog.bark().ask(SOON).await.expect("it is there");
        while cell.tally().taps().are_on() {
            tokio::time::sleep(short).await;
        }
        dog.bark().ask(SOON).await.expect("it is there");
        let (told, why, lost) = all(steps).await;
        assert!(told.len() <= 1 && (why, lost) == (Ending::Time, 0), "{told:?}");
        assert!(!cell.queue.measures_all(), "once somebody has looked at a message after the end");
        let (steps, _) = desk.trace(of_actor("dog"), u32::MAX, SOON).await;
        assert!(cell.tally().taps().are_on());
        drop(steps);
        assert!(!cell.tally().taps().are_on());
    });
}

#[test]
fn what_a_slow_reader_does_not_take_is_counted_and_the_actor_goes_on() {
    crate::local(async |mut cx| {
        let dog = dog(&mut cx, "dog");
        let desk = Desk::of(&cx);
        let (mut steps, _) = desk.trace(of_actor("dog"), u32::MAX, SOON).await;
        for _ in 0..2 * ROOM {
            dog.bark().ask(SOON).await.expect("it is there");
        }
        let Some(Step::Handled(told)) = steps.next().await else { panic!("there is something") };
        assert_eq!((told.len(), told.iter().map(|one| one.lost).sum::<u64>()), (ROOM, 0));
        assert_eq!(dog.bark().ask(SOON).await, Ok(2 * ROOM as u32 + 1), "none was lost to the actor");
        // That was answered before it was noted.
        let Some(Step::Handled(told)) = steps.next().await else { panic!("there is something") };
        assert_eq!((told.len(), told[0].lost), (1, ROOM as u64));
    });
}

/// A message of another worker's, as it lies in a mailbox.
fn message() -> Envelope<Stored> {
    Envelope {
        protocol: KennelRef::schema(),
        method: 0,
        priority: Priority::Ordinary,
        bytes: 7,
        reply: Reply::nobody(),
        deadline: None,
        queued: None,
        chain: None,
        trace: Some(Box::new(TraceContext { trace: [3; 16], ..TraceContext::default() })),
        credit: Some(credit_of("web")),
        message: Stored(Limits::LINK),
    }
}

fn cell() -> Arc<Cell> {
    Cell::new(Shared::detached(), "dog", "Dog", Mailbox::default())
}

/// Has an actor handle so many messages.
fn handle(cell: &Arc<Cell>, tapped: &mut Tapped, messages: u32) {
    for _ in 0..messages {
        if cell.tally().taps().are_on() {
            tapped.begin(cell, &message());
        }
        tapped.end(cell, MessageEnd::Handled);
    }
}

/// Takes what is there; returns how many were told, and how many were lost.
fn take(tap: &Tap, sums: &mut (u64, u64)) -> Option<Ending> {
    loop {
        match tap.poll_take(Waker::noop()) {
            Poll::Ready(Taken::Notes(notes)) => {
                sums.0 += notes.len() as u64;
                sums.1 += notes.iter().map(|note| note.lost).sum::<u64>();
            }
            Poll::Ready(Taken::Over(why, lost)) => {
                sums.1 += lost;
                return Some(why);
            }
            Poll::Pending => return None,
        }
    }
}

#[test]
fn of_a_message_that_came_over_a_link_it_is_told_from_whom_and_how_long_it_was() {
    let (cell, tap) = (cell(), Tap::new(None, 1, SOON));
    cell.tally().taps().add(Arc::clone(&tap));
    handle(&cell, &mut Tapped::default(), 1);
    let Poll::Ready(Taken::Notes(mut notes)) = tap.poll_take(Waker::noop()) else { panic!("one") };
    let told = Message::from(notes.remove(0));
    assert_eq!((told.from.as_deref(), told.bytes, told.trace), (Some("web"), Some(7), Some([3; 16])));
    assert_eq!((told.waited, told.kind), (None, MessageKind::Tell));
}

proptest! {
    /// Steps of an actor, of which each handles some messages, and of a reader.
    #[test]
    fn what_is_told_and_what_is_lost_is_all_that_was_handled(
        steps in prop::collection::vec((any::<bool>(), 0..3 * ROOM as u32), 0..20),
        most in 1..2000_u32,
    ) {
        let (cell, tap) = (cell(), Tap::new(Some("dog"), most, SOON));
        cell.tally().taps().add(Arc::clone(&tap));
        let (mut tapped, mut sums, mut handled) = (Tapped::default(), (0, 0), 0);
        for (reads, messages) in steps {
            if reads {
                if take(&tap, &mut sums).is_some() {
                    // Behind that no more is told.
                    prop_assert_eq!(sums.0, u64::from(most));
                    return Ok(());
                }
                // What was lost since the last note is told with the next one.
                prop_assert!(sums.0 + sums.1 <= handled);
            } else {
                handle(&cell, &mut tapped, messages);
                handled += u64::from(messages);
            }
        }
        tap.end(Ending::Time);
        handle(&cell, &mut tapped, 10);
        let why = take(&tap, &mut sums);
        prop_assert!(sums.0 <= u64::from(most));
        if why == Some(Ending::Time) {
            prop_assert_eq!(sums.0 + sums.1, handled);
        } else {
            prop_assert_eq!(sums.0, u64::from(most));
        }
    }
}

#[test]
fn of_actors_on_several_threads_each_message_is_told_or_counted_once() {
    const EACH: u32 = 5000;
    let (cell, tap) = (cell(), Tap::new(None, u32::MAX, SOON));
    cell.tally().taps().add(Arc::clone(&tap));
    let mut sums = (0, 0);
    thread::scope(|scope| {
        let actor = || handle(&cell, &mut Tapped::default(), EACH);
        let actors: Vec<_> = (0..4).map(|_| scope.spawn(actor)).collect();
        while actors.iter().any(|actor| !actor.is_finished()) {
            assert_eq!(take(&tap, &mut sums), None);
        }
    });
    assert_eq!(take(&tap, &mut sums), None);
    // What was missed behind the last note is told at the end.
    tap.end(Ending::Time);
    assert_eq!(take(&tap, &mut sums), Some(Ending::Time));
    assert_eq!(sums.0 + sums.1, 4 * u64::from(EACH), "{sums:?}");
}
