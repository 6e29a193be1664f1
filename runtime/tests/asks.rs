//! Asking and telling: deadlines that travel, asks taken back, cycles, blocking threads.
#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bailiwick::prelude::*;
use futures::channel::{mpsc, oneshot};
use futures::{FutureExt, StreamExt};
use tokio::time::Instant;

/// Far longer than any answer takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[protocol]
trait Node {
    async fn add(&mut self, amount: u64) -> u64;
    /// Answers never; says when its future is dropped.
    async fn hang(&mut self);
    /// Asks `next` with a deadline of its own and returns what came of it.
    async fn forward(&mut self, patience: Duration) -> Result<u64, String>;
    /// Asks `next` to add, twice removed: for cycles.
    async fn around(&mut self) -> Result<u64, String>;
}

#[derive(Default)]
struct Plain {
    total: u64,
    next: Option<NodeRef>,
    dropped: Option<mpsc::UnboundedSender<&'static str>>,
}

struct OnDrop(mpsc::UnboundedSender<&'static str>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        // Not every test still listens.
        let _ = self.0.unbounded_send("dropped");
    }
}

impl Node for Plain {
    async fn add(&mut self, amount: u64) -> u64 {
        self.total += amount;
        self.total
    }

    async fn hang(&mut self) {
        let events = self.dropped.clone().unwrap();
        events.unbounded_send("started").unwrap();
        let _guard = OnDrop(events);
        std::future::pending::<()>().await;
    }

    async fn forward(&mut self, patience: Duration) -> Result<u64, String> {
        let next = self.next.clone().unwrap();
        match next.hang().ask(patience).await {
            Ok(()) => Ok(0),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn around(&mut self) -> Result<u64, String> {
        let next = self.next.clone().unwrap();
        next.around().ask(SOON).await.map_err(|error| error.to_string())?
    }
}

fn hanging(cx: &mut Context) -> (NodeRef, mpsc::UnboundedReceiver<&'static str>) {
    let (sender, events) = mpsc::unbounded();
    let served = NodeRef::serve(move || Plain { dropped: Some(sender.clone()), ..Plain::default() });
    (cx.spawn(served).unwrap(), events)
}

#[test]
fn messages_of_one_sender_arrive_in_the_order_sent() {
    bailiwick::local(async |mut cx| {
        let node = cx.spawn(NodeRef::serve(Plain::default)).unwrap();
        for amount in 1..=10 {
            node.add(amount).tell().await.unwrap();
        }
        node.add(100).try_tell().unwrap();
        assert_eq!(node.add(0).ask(SOON).await, Ok(155));
    });
}

#[test]
fn a_call_that_is_not_sent_does_nothing() {
    bailiwick::local(async |mut cx| {
        let node = cx.spawn(NodeRef::serve(Plain::default)).unwrap();
        drop(node.add(5));
        let unpolled = node.add(5).ask(SOON);
        drop(unpolled);
        assert_eq!(node.add(1).ask(SOON).await, Ok(1));
    });
}

#[test]
fn the_handler_is_dropped_when_its_ask_is_dropped() {
    bailiwick::local(async |mut cx| {
        let (node, mut events) = hanging(&mut cx);
        {
            let mut ask = pin!(node.hang().ask(Duration::from_secs(3600)));
            assert!(ask.as_mut().now_or_never().is_none());
            assert_eq!(events.next().await, Some("started"));
        }
        assert_eq!(events.next().await, Some("dropped"));
        assert_eq!(node.add(1).ask(SOON).await, Ok(1), "the actor goes on with its state");
    });
}

#[test]
fn an_ask_dropped_before_its_turn_is_not_handled() {
    bailiwick::local(async |mut cx| {
        let node = cx.spawn(NodeRef::serve(Plain::default)).unwrap();
        {
            let mut ask = pin!(node.add(1000).ask(SOON));
            assert!(ask.as_mut().now_or_never().is_none());
        }
        assert_eq!(node.add(1).ask(SOON).await, Ok(1));
    });
}

#[test]
fn a_deadline_that_passes_in_the_mailbox_is_not_delivered_and_in_the_handler_unknown() {
    bailiwick::local(async |mut cx| {
        tokio::time::pause();
        let (node, mut events) = hanging(&mut cx);
        let (first, second) = futures::join!(node.hang().ask(2 * SECOND), node.add(1).ask(SECOND));
        assert_eq!(first, Err(AskError::Unknown(Unknown::Expired)));
        assert_eq!(second, Err(AskError::NotDelivered(NotDelivered::Expired)));
        assert_eq!(events.next().await, Some("started"));
        assert_eq!(events.next().await, Some("dropped"));
        assert_eq!(node.add(1).ask(SOON).await, Ok(1), "what expired in the mailbox was not handled");
    });
}

#[test]
fn a_nested_ask_has_no_more_time_than_the_outer_one() {
    bailiwick::local(async |mut cx| {
        tokio::time::pause();
        let (last, mut events) = hanging(&mut cx);
        let served = NodeRef::serve(move || Plain { next: Some(last.clone()), ..Plain::default() });
        let first = cx.spawn(served).unwrap();
        let begun = Instant::now();
        let outcome = first.forward(Duration::from_secs(3600)).ask(3 * SECOND).await;
        assert!(outcome.is_err());
        assert_eq!(events.next().await, Some("started"));
        assert_eq!(events.next().await, Some("dropped"));
        let took = begun.elapsed();
        assert!(took >= 3 * SECOND && took < 4 * SECOND, "the nested handler ended after {took:?}");
    });
}

#[test]
fn a_nested_ask_may_have_less_time_than_the_outer_one() {
    bailiwick::local(async |mut cx| {
        tokio::time::pause();
        let (last, _events) = hanging(&mut cx);
        let served = NodeRef::serve(move || Plain { next: Some(last.clone()), ..Plain::default() });
        let first = cx.spawn(served).unwrap();
        let said = first.forward(SECOND).ask(Duration::from_secs(60)).await.unwrap().unwrap_err();
        assert_eq!(said, "outcome unknown: the deadline passed while it was with the peer");
    });
}

#[protocol]
trait Wire {
    async fn connect(&mut self, next: NodeRef);
}

impl Wire for Plain {
    async fn connect(&mut self, next: NodeRef) {
        self.next = Some(next);
    }
}

#[test]
fn a_cycle_of_asks_is_named_at_once() {
    bailiwick::local(async |mut cx| {
        tokio::time::pause();
        let begun = Instant::now();
        let mut nodes = Vec::new();
        for name in ["a", "b", "c"] {
            nodes.push(cx.spawn(NodeRef::serve(Plain::default).and::<WireRef>().named(name)).unwrap());
        }
        for (at, node) in nodes.iter().enumerate() {
            let wire = WireRef::from_address(node.address().clone());
            wire.connect(nodes[(at + 1) % 3].clone()).ask(SOON).await.unwrap();
        }
        let said = nodes[0].around().ask(SOON).await.unwrap().unwrap_err();
        assert_eq!(said, "not delivered: a cycle of asks: local/a -> local/b -> local/c -> local/a");
        assert_eq!(begun.elapsed(), Duration::ZERO);
    });
}

#[test]
fn asks_resolve_when_the_actor_stops() {
    let (sender, receiver) = oneshot::channel();
    bailiwick::local(async |mut cx| {
        let (node, mut events) = hanging(&mut cx);
        let (in_hand, waiting) = (node.clone(), node);
        // On threads of their own, the asks outlive the main function that stops the actor by its end.
        let hour = Duration::from_secs(3600);
        let in_hand = std::thread::spawn(move || in_hand.hang().ask_blocking(hour));
        assert_eq!(events.next().await, Some("started"));
        let waiting = std::thread::spawn(move || waiting.add(1).ask_blocking(hour));
        sender.send((in_hand, waiting)).unwrap();
    });
    let (in_hand, waiting) = receiver.now_or_never().unwrap().unwrap();
    assert_eq!(in_hand.join().unwrap(), Err(AskError::Unknown(Unknown::ActorStopped)));
    // Whether it came before the order to stop or after it, it was not handled.
    assert!(waiting.join().unwrap().unwrap_err().is_safe_to_repeat());
}

#[test]
fn ask_blocking_works_on_a_thread_of_its_own_and_is_refused_on_an_executor() {
    bailiwick::local(async |mut cx| {
        let node = cx.spawn(NodeRef::serve(Plain::default)).unwrap();
        assert_eq!(
            node.add(1).ask_blocking(SOON),
            Err(AskError::NotDelivered(NotDelivered::WouldBlockExecutor))
        );
        let there = node.clone();
        let answer = cx.run_blocking(move || there.add(2).ask_blocking(Duration::from_secs(10))).await;
        assert_eq!(answer, Ok(2));
    });
}

#[test]
fn ask_blocking_gives_up_at_its_deadline() {
    bailiwick::local(async |mut cx| {
        let (node, mut events) = hanging(&mut cx);
        let answer = cx.run_blocking(move || node.hang().ask_blocking(Duration::from_millis(20))).await;
        assert_eq!(answer, Err(AskError::Unknown(Unknown::Expired)));
        assert_eq!(events.next().await, Some("started"));
        assert_eq!(events.next().await, Some("dropped"));
    });
}

#[test]
fn an_ask_where_no_executor_runs_says_so() {
    let (sender, receiver) = oneshot::channel();
    bailiwick::local(async |mut cx| {
        let node = cx.spawn(NodeRef::serve(Plain::default)).unwrap();
        sender.send(node).unwrap();
    });
    let node = receiver.now_or_never().unwrap().unwrap();
    let outcome = node.add(1).ask(SOON).now_or_never();
    assert_eq!(outcome, Some(Err(AskError::NotDelivered(NotDelivered::NoExecutor))));
    let ended = NotDelivered::Ended { cause: bailiwick::DownCause::Stopped };
    assert_eq!(node.add(1).try_tell(), Err(ended), "the actor ended with its main function");
}

#[test]
fn actors_and_their_futures_need_not_be_send() {
    #[protocol]
    trait Shared {
        async fn bump(&mut self) -> u32;
    }
    struct Local(Rc<Cell<u32>>);
    impl Shared for Local {
        async fn bump(&mut self) -> u32 {
            let count = Rc::clone(&self.0);
            tokio::task::yield_now().await;
            count.set(count.get() + 1);
            count.get()
        }
    }
    bailiwick::local(async |mut cx| {
        let shared = cx.spawn(SharedRef::serve(|| Local(Rc::default()))).unwrap();
        assert_eq!(shared.bump().ask(SOON).await, Ok(1));
    });
}
