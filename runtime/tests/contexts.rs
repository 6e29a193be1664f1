//! What an actor may do besides answering: children, timers, streams, blocking work, threads, several protocols.
#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

use std::thread;
use std::time::Duration;

use bailiwick::prelude::*;
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use tokio::time::Instant;

/// Far longer than any answer takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);

#[protocol]
trait Bell {
    async fn ring(&mut self, cx: &mut Context, number: u32);
    /// Rings after, then every, as many milliseconds.
    async fn arm(&mut self, cx: &mut Context, after: u64, every: u64);
    async fn disarm(&mut self);
    async fn listen(&mut self, cx: &mut Context, items: Vec<u32>);
    async fn break_now(&mut self);
    async fn thread_of_work(&mut self, cx: &mut Context) -> (String, String);
    async fn ask_self(&mut self, cx: &mut Context) -> String;
}

#[protocol]
trait Count {
    async fn count(&mut self) -> u32;
}

struct Tower {
    rung: mpsc::UnboundedSender<(u32, u64)>,
    begun: Instant,
    count: u32,
    timers: Vec<Timer>,
}

impl Bell for Tower {
    async fn ring(&mut self, _cx: &mut Context, number: u32) {
        self.count += 1;
        let at = u64::try_from(self.begun.elapsed().as_millis()).unwrap();
        // Not every test still listens.
        let _ = self.rung.unbounded_send((number, at));
    }

    async fn arm(&mut self, cx: &mut Context, after: u64, every: u64) {
        let me: BellRef = cx.me();
        self.timers.push(cx.send_after(Duration::from_millis(after), me.ring(1)));
        self.timers.push(cx.send_every(Duration::from_millis(every), move || me.ring(2)));
    }

    async fn disarm(&mut self) {
        self.timers.drain(..).for_each(|timer| timer.cancel());
    }

    async fn listen(&mut self, cx: &mut Context, items: Vec<u32>) {
        let me: BellRef = cx.me();
        cx.stream(futures::stream::iter(items), move |item| me.ring(item));
    }

    async fn break_now(&mut self) {
        panic!("on purpose");
    }

    async fn thread_of_work(&mut self, cx: &mut Context) -> (String, String) {
        let name = || format!("{:?}", thread::current().id());
        (name(), cx.run_blocking(name).await)
    }

    async fn ask_self(&mut self, cx: &mut Context) -> String {
        let me: CountRef = cx.me();
        me.count().ask(SOON).await.unwrap_err().to_string()
    }
}

impl Count for Tower {
    async fn count(&mut self) -> u32 {
        self.count
    }
}

fn tower(cx: &mut Context) -> (BellRef, CountRef, mpsc::UnboundedReceiver<(u32, u64)>) {
    let (rung, events) = mpsc::unbounded();
    let make = move || Tower { rung: rung.clone(), begun: Instant::now(), count: 0, timers: Vec::new() };
    let bell = cx.spawn(BellRef::serve(make).and::<CountRef>()).unwrap();
    let count = CountRef::from_address(bell.address().clone());
    (bell, count, events)
}

#[test]
fn two_protocols_share_one_mailbox_in_order() {
    bailiwick::local(async |mut cx| {
        let (bell, count, _events) = tower(&mut cx);
        bell.ring(1).tell().await.unwrap();
        let first = count.count().ask(SOON);
        let second = async {
            bell.ring(2).tell().await.unwrap();
            count.count().ask(SOON).await
        };
        assert_eq!(futures::join!(first, second), (Ok(1), Ok(2)));
    });
}

#[test]
fn a_protocol_that_the_actor_does_not_serve_is_refused_by_name() {
    #[protocol]
    trait Other {
        async fn anything(&mut self);
    }
    bailiwick::local(async |mut cx| {
        let (bell, _, _) = tower(&mut cx);
        let other = OtherRef::from_address(bell.address().clone());
        let refused = NotDelivered::NotServed { protocol: "Other".into() };
        assert_eq!(other.anything().ask(SOON).await, Err(AskError::NotDelivered(refused.clone())));
        assert_eq!(cx.dead_letters()[0].reason, refused);
    });
}

#[test]
fn timers_ring_at_their_times_until_they_are_cancelled() {
    bailiwick::local(async |mut cx| {
        tokio::time::pause();
        let (bell, count, mut events) = tower(&mut cx);
        bell.arm(250, 100).ask(SOON).await.unwrap();
        let mut rung = Vec::new();
        while rung.len() < 5 {
            let (number, at) = events.next().await.unwrap();
            // The timer's resolution is a millisecond.
            rung.push((number, at / 10 * 10));
        }
        assert_eq!(rung, [(2, 100), (2, 200), (1, 250), (2, 300), (2, 400)]);
        bell.disarm().ask(SOON).await.unwrap();
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(count.count().ask(SOON).await, Ok(5));
    });
}

#[test]
fn timers_end_with_their_incarnation() {
    bailiwick::local(async |mut cx| {
        tokio::time::pause();
        let (bell, count, _events) = tower(&mut cx);
        bell.arm(250, 100).ask(SOON).await.unwrap();
        let _ = bell.break_now().ask(SOON).await;
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(count.count().ask(SOON).await, Ok(0));
    });
}

#[test]
fn a_stream_arrives_as_messages_in_its_order() {
    bailiwick::local(async |mut cx| {
        let (bell, _, events) = tower(&mut cx);
        bell.listen((1..=5000).collect()).ask(SOON).await.unwrap();
        let numbers: Vec<_> = events.take(5000).map(|(number, _)| number).collect().await;
        assert_eq!(numbers, (1..=5000).collect::<Vec<_>>(), "far more than the mailbox holds");
    });
}

#[test]
fn blocking_work_runs_on_another_thread() {
    bailiwick::local(async |mut cx| {
        let (bell, _, _) = tower(&mut cx);
        let (handler, work) = bell.thread_of_work().ask(Duration::from_secs(10)).await.unwrap();
        assert_eq!(handler, format!("{:?}", thread::current().id()));
        assert_ne!(handler, work);
    });
}

#[test]
fn a_panic_in_blocking_work_is_a_panic_of_the_handler() {
    #[protocol]
    trait Worker {
        async fn work(&mut self, cx: &mut Context);
    }
    struct Clumsy;
    impl Worker for Clumsy {
        async fn work(&mut self, cx: &mut Context) {
            cx.run_blocking(|| panic!("dropped it")).await
        }
    }
    bailiwick::local(async |mut cx| {
        let worker = cx.spawn(WorkerRef::serve(|| Clumsy)).unwrap();
        let outcome = worker.work().ask(Duration::from_secs(10)).await;
        assert_eq!(outcome, Err(AskError::Unknown(Unknown::Panicked { text: "dropped it".into() })));
    });
}

#[test]
fn an_actor_that_asks_itself_is_told_at_once() {
    bailiwick::local(async |mut cx| {
        let (bell, _, _) = tower(&mut cx);
        let said = bell.ask_self().ask(SOON).await.unwrap();
        assert_eq!(said, "not delivered: a cycle of asks: local/bell-1 -> local/bell-1");
    });
}

#[protocol]
trait Slow {
    /// Blocks its thread until another thread says go.
    async fn block(&mut self) -> String;
    async fn ask_other(&mut self, other: CountRef) -> Result<u32, String>;
}

struct Blocker(Option<std::sync::mpsc::Receiver<()>>);

impl Slow for Blocker {
    async fn block(&mut self) -> String {
        if let Some(go) = self.0.take() {
            go.recv_timeout(Duration::from_secs(30)).unwrap();
        }
        thread::current().name().unwrap_or_default().to_owned()
    }

    async fn ask_other(&mut self, other: CountRef) -> Result<u32, String> {
        other.count().ask_blocking(Duration::from_secs(10)).map_err(|error| error.to_string())
    }
}

#[test]
fn a_blocking_actor_has_a_thread_of_its_own_and_holds_up_nobody() {
    bailiwick::local(async |mut cx| {
        let (go, gone) = std::sync::mpsc::channel();
        let mut gone = Some(gone);
        let served = SlowRef::serve(move || Blocker(gone.take())).named("slow").blocking();
        let slow = cx.spawn(served).unwrap();
        let (_, count, _events) = tower(&mut cx);
        let other = async {
            assert_eq!(count.count().ask(SOON).await, Ok(0));
            go.send(()).unwrap();
        };
        let (name, ()) = futures::join!(slow.block().ask(Duration::from_secs(30)), other);
        assert_eq!(name.as_deref(), Ok("slow"));
        let asked = slow.ask_other(count).ask(Duration::from_secs(30)).await;
        assert_eq!(asked, Ok(Ok(0)), "it may block for an actor of another thread");
    });
}

#[protocol]
trait Greeting {
    async fn greet(&mut self) -> String;
}

struct Greeter {
    word: String,
    keeps: bool,
    greeted: u32,
}

impl Greeting for Greeter {
    async fn greet(&mut self) -> String {
        self.greeted += 1;
        format!("{} {}", self.word, self.greeted)
    }
}

impl Actor for Greeter {
    async fn reconfigure(&mut self, args: Args, _cx: &mut Context) -> Result<Reconfigured, ActorError> {
        if !self.keeps {
            return Ok(Reconfigured::MakeAnew);
        }
        self.word = args.decode()?;
        Ok(Reconfigured::Kept)
    }
}

#[test]
fn new_arguments_are_taken_over_or_the_actor_is_made_anew_with_them() {
    bailiwick::local(async |mut cx| {
        for (keeps, count_after) in [(true, 2), (false, 1)] {
            let make = move |word: String| Greeter { word, keeps, greeted: 0 };
            let served = GreetingRef::serve(make).with_args::<String>().with_lifecycle();
            let greeter = cx.spawn_with(served, Args::new("\"hello\"", 3)).unwrap();
            assert_eq!(greeter.greet().ask(SOON).await.unwrap(), "hello 1");
            cx.reconfigure(&greeter, Args::new("\"good day\"", 3)).unwrap();
            assert_eq!(greeter.greet().ask(SOON).await.unwrap(), format!("good day {count_after}"));
        }
    });
}

#[test]
fn a_name_can_be_used_once_among_siblings() {
    bailiwick::local(async |mut cx| {
        let (rung, _) = mpsc::unbounded();
        let make = move || Tower { rung: rung.clone(), begun: Instant::now(), count: 0, timers: Vec::new() };
        cx.spawn(BellRef::serve(make.clone()).named("tower")).unwrap();
        let again = cx.spawn(BellRef::serve(make.clone()).named("tower")).unwrap_err();
        assert_eq!(again.to_string(), "there is an actor `tower` already");
        let bad = cx.spawn(BellRef::serve(make).named("a/b")).unwrap_err();
        assert_eq!(bad.to_string(), "`a/b` is no name: expected letters, digits, `-` and `_`");
    });
}

#[test]
fn a_detached_context_serves_to_call_a_method_that_takes_one() {
    let (rung, mut events) = mpsc::unbounded();
    let mut tower = Tower { rung, begun: Instant::now(), count: 0, timers: Vec::new() };
    let mut cx = Context::detached();
    bailiwick::local(async |_| tower.ring(&mut cx, 9).await);
    assert_eq!(events.try_recv().unwrap().0, 9);
    let unknown = cx.peer::<BellRef>("shrinker").unwrap_err();
    assert!(
        unknown.to_string().starts_with("no grant from `this process` to a worker `shrinker`"),
        "{unknown}"
    );
}

#[test]
fn what_a_main_function_returns_is_returned() {
    let (sender, receiver) = oneshot::channel();
    let outcome: Result<u8, ActorError> = bailiwick::local(async |_cx| {
        sender.send(1).unwrap();
        Ok("7".parse::<u8>()?)
    });
    assert_eq!(outcome.unwrap(), 7);
    assert_eq!(futures::FutureExt::now_or_never(receiver), Some(Ok(1)));
}
