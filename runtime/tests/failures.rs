//! Panics, restarts, budgets, and what others are told of them.
#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

use std::time::Duration;

use bailiwick::prelude::*;
use futures::StreamExt;
use futures::channel::mpsc;

/// Far longer than any answer takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[protocol]
trait Fragile {
    async fn count(&mut self) -> u32;
    async fn break_now(&mut self, message: String) -> u32;
    async fn stop(&mut self, cx: &mut Context);
}

#[derive(Default)]
struct Glass(u32);

impl Fragile for Glass {
    async fn count(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }

    async fn break_now(&mut self, message: String) -> u32 {
        panic!("{message}");
    }

    async fn stop(&mut self, cx: &mut Context) {
        cx.stop();
    }
}

fn glass(cx: &mut Context) -> FragileRef {
    cx.spawn(FragileRef::serve(Glass::default).named("glass")).unwrap()
}

#[test]
fn a_panic_is_told_to_its_asker_and_costs_only_the_actors_state() {
    bailiwick::local(async |mut cx| {
        let fragile = glass(&mut cx);
        assert_eq!(fragile.count().ask(SOON).await, Ok(1));
        let broken = fragile.break_now("crack".into()).ask(SOON).await;
        assert_eq!(broken, Err(AskError::Unknown(Unknown::Panicked { text: "crack".into() })));
        assert_eq!(fragile.count().ask(SOON).await, Ok(1), "made anew by its factory");
        assert_eq!(fragile.address().to_string(), "local/glass#2");
    });
}

#[test]
fn the_mailbox_is_kept_over_a_restart_and_the_message_is_not_delivered_again() {
    bailiwick::local(async |mut cx| {
        let fragile = glass(&mut cx);
        fragile.break_now("crack".into()).tell().await.unwrap();
        let (first, second) = futures::join!(fragile.count().ask(SOON), fragile.count().ask(SOON));
        assert_eq!((first, second), (Ok(1), Ok(2)));
        assert_eq!(fragile.address().generation(), 2);
    });
}

#[test]
fn each_watch_brings_exactly_one_down_with_the_cause() {
    bailiwick::local(async |mut cx| {
        let fragile = glass(&mut cx);
        assert_eq!(fragile.count().ask(SOON).await, Ok(1));
        cx.watch(&fragile);
        let _ = fragile.break_now("once".into()).ask(SOON).await;
        let down = cx.next_down().await;
        assert_eq!((down.address.name().path(), down.generation), ("glass", 1));
        let Cause::Panicked { message, location } = down.cause else { panic!("{:?}", down.cause) };
        assert_eq!(message, "once");
        assert!(location.is_some_and(|place| place.contains("failures.rs")));

        let _ = fragile.break_now("twice".into()).ask(SOON).await;
        cx.watch(&fragile);
        fragile.stop().ask(SOON).await.unwrap();
        let down = cx.next_down().await;
        assert_eq!((down.generation, down.cause), (3, Cause::Stopped), "the second panic was not watched");
    });
}

#[test]
fn a_watch_on_what_has_ended_is_down_at_once() {
    bailiwick::local(async |mut cx| {
        let fragile = glass(&mut cx);
        fragile.stop().ask(SOON).await.unwrap();
        cx.watch(&fragile);
        assert_eq!(cx.next_down().await.cause, Cause::Stopped);
        cx.watch(&fragile);
        assert_eq!(cx.next_down().await.cause, Cause::Stopped);
    });
}

#[test]
fn a_watch_that_was_taken_back_brings_nothing() {
    bailiwick::local(async |mut cx| {
        let first = cx.spawn(FragileRef::serve(Glass::default)).unwrap();
        let second = cx.spawn(FragileRef::serve(Glass::default)).unwrap();
        let watch = cx.watch(&first);
        cx.watch(&second);
        cx.unwatch(&watch);
        first.stop().ask(SOON).await.unwrap();
        second.stop().ask(SOON).await.unwrap();
        assert_eq!(cx.next_down().await.address, *second.address());
    });
}

#[protocol]
trait Nursery {
    async fn child(&mut self, cx: &mut Context, restart_twice: bool) -> FragileRef;
    async fn lives(&mut self) -> u32;
}

struct Parent {
    events: mpsc::UnboundedSender<String>,
    lives: u32,
}

impl Nursery for Parent {
    async fn child(&mut self, cx: &mut Context, restart_twice: bool) -> FragileRef {
        cx.supervise(Supervision::one_for_one().max_restarts(2, SECOND));
        let glass = FragileRef::serve(Glass::default).named("child");
        let child = cx.spawn(if restart_twice { glass } else { glass.temporary() }).unwrap();
        cx.watch(&child);
        child
    }

    async fn lives(&mut self) -> u32 {
        self.lives
    }
}

impl Actor for Parent {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        self.events.unbounded_send(format!("started {}", cx.address())).unwrap();
        Ok(())
    }

    async fn stopping(&mut self, _cx: &mut Context) {
        self.events.unbounded_send("stopping".into()).unwrap();
    }

    async fn down(&mut self, down: Down, _cx: &mut Context) {
        self.events.unbounded_send(down.to_string()).unwrap();
    }
}

fn nursery(cx: &mut Context) -> (NurseryRef, mpsc::UnboundedReceiver<String>) {
    let (events, received) = mpsc::unbounded();
    let mut lives = 0;
    let served = NurseryRef::serve(move || {
        lives += 1;
        Parent { events: events.clone(), lives }
    });
    (cx.spawn(served.with_lifecycle().named("nursery")).unwrap(), received)
}

#[test]
fn a_child_that_spends_its_budget_takes_its_parent_with_it() {
    bailiwick::local(async |mut cx| {
        tokio::time::pause();
        let (nursery, mut events) = nursery(&mut cx);
        assert_eq!(events.next().await.unwrap(), "started local/nursery#1");
        let child = nursery.child(true).ask(SOON).await.unwrap();
        for text in ["first", "second", "third"] {
            let _ = child.break_now(text.into()).ask(SOON).await;
        }
        assert_eq!(events.next().await.unwrap(), "local/nursery/child#1 panicked: first");
        assert_eq!(events.next().await.unwrap(), "started local/nursery#2");
        assert_eq!(nursery.lives().ask(SOON).await, Ok(2));
        let ended = child.count().ask(SOON).await;
        let cause = bailiwick::DownCause::Panicked;
        assert_eq!(ended, Err(AskError::NotDelivered(NotDelivered::Ended { cause })));
    });
}

#[test]
fn a_child_that_is_never_restarted_ends_alone() {
    bailiwick::local(async |mut cx| {
        let (nursery, mut events) = nursery(&mut cx);
        assert_eq!(events.next().await.unwrap(), "started local/nursery#1");
        let child = nursery.child(false).ask(SOON).await.unwrap();
        let _ = child.break_now("only".into()).ask(SOON).await;
        assert_eq!(events.next().await.unwrap(), "local/nursery/child#1 panicked: only");
        assert_eq!(nursery.lives().ask(SOON).await, Ok(1));
        let again = nursery.child(false).ask(SOON).await.unwrap();
        assert_eq!(again.count().ask(SOON).await, Ok(1), "the name is free again");
    });
}

#[test]
fn what_waits_when_main_returns_is_still_handled_even_over_a_panic() {
    #[protocol]
    trait Journal {
        async fn note(&mut self, number: u32);
    }
    struct Paper(mpsc::UnboundedSender<u32>);
    impl Journal for Paper {
        async fn note(&mut self, number: u32) {
            self.0.unbounded_send(number).unwrap();
            assert_ne!(number, 2, "torn");
        }
    }
    let (noted, mut notes) = mpsc::unbounded();
    bailiwick::local(async |mut cx| {
        let journal = cx.spawn(JournalRef::serve(move || Paper(noted.clone()))).unwrap();
        for number in 1..=4 {
            journal.note(number).tell().await.unwrap();
        }
    });
    let mut order = Vec::new();
    while let Ok(number) = notes.try_recv() {
        order.push(number);
    }
    assert_eq!(order, [1, 2, 3, 4]);
}

#[test]
fn down_comes_after_the_last_message_of_the_dead() {
    #[protocol]
    trait Teller {
        async fn tell_then_break(&mut self, listener: EarRef);
    }
    #[protocol]
    trait Ear {
        async fn hear(&mut self, number: u32);
        async fn listen_to(&mut self, cx: &mut Context, teller: TellerRef);
    }
    struct Dying;
    impl Teller for Dying {
        async fn tell_then_break(&mut self, listener: EarRef) {
            for number in 1..=3 {
                listener.hear(number).tell().await.unwrap();
            }
            panic!("said all");
        }
    }
    struct Listening(mpsc::UnboundedSender<String>);
    impl Ear for Listening {
        async fn hear(&mut self, number: u32) {
            self.0.unbounded_send(number.to_string()).unwrap();
        }
        async fn listen_to(&mut self, cx: &mut Context, teller: TellerRef) {
            cx.watch(&teller);
        }
    }
    impl Actor for Listening {
        async fn down(&mut self, down: Down, _cx: &mut Context) {
            self.0.unbounded_send(down.cause.to_string()).unwrap();
        }
    }
    bailiwick::local(async |mut cx| {
        let (heard, events) = mpsc::unbounded();
        let teller = cx.spawn(TellerRef::serve(|| Dying)).unwrap();
        let listening = EarRef::serve(move || Listening(heard.clone())).with_lifecycle();
        let ear = cx.spawn(listening).unwrap();
        ear.listen_to(teller.clone()).ask(SOON).await.unwrap();
        teller.tell_then_break(ear).tell().await.unwrap();
        let order: Vec<_> = events.take(4).collect().await;
        assert_eq!(order, ["1", "2", "3", "panicked: said all"]);
    });
}

#[test]
fn children_stop_with_their_parent_and_before_it_is_gone() {
    let mut events = bailiwick::local(async |mut cx| {
        let (nursery, mut events) = nursery(&mut cx);
        assert_eq!(events.next().await.unwrap(), "started local/nursery#1");
        let child = nursery.child(false).ask(SOON).await.unwrap();
        cx.watch(&child);
        (events, child, cx)
    })
    .0;
    assert_eq!(events.try_recv().unwrap(), "stopping");
}

#[test]
fn an_actor_that_does_not_start_gives_up_within_its_budget() {
    struct Stillborn;
    impl Fragile for Stillborn {
        async fn count(&mut self) -> u32 {
            0
        }
        async fn break_now(&mut self, _message: String) -> u32 {
            0
        }
        async fn stop(&mut self, _cx: &mut Context) {}
    }
    impl Actor for Stillborn {
        async fn started(&mut self, _cx: &mut Context) -> Result<(), ActorError> {
            Err(ActorError::message("no listener is kept"))
        }
    }
    bailiwick::local(async |mut cx| {
        tokio::time::pause();
        cx.supervise(Supervision::one_for_one().max_restarts(2, SECOND));
        let fragile = cx.spawn(FragileRef::serve(|| Stillborn).with_lifecycle()).unwrap();
        let outcome = fragile.count().ask(Duration::from_secs(60)).await;
        let cause = bailiwick::DownCause::Failed;
        assert_eq!(outcome, Err(AskError::NotDelivered(NotDelivered::Ended { cause })));
        cx.watch(&fragile);
        let down = cx.next_down().await;
        assert_eq!((down.generation, down.cause.to_string()), (3, "failed: no listener is kept".into()));
    });
}

#[test]
fn what_waited_for_an_actor_that_ended_is_a_dead_letter() {
    bailiwick::local(async |mut cx| {
        let fragile = glass(&mut cx);
        fragile.stop().tell().await.unwrap();
        fragile.count().tell().await.unwrap();
        cx.watch(&fragile);
        cx.next_down().await;
        let letters = cx.dead_letters();
        assert_eq!(letters.len(), 1);
        assert_eq!((letters[0].protocol, letters[0].method), ("Fragile", "count"));
        assert_eq!(letters[0].reason, NotDelivered::Ended { cause: bailiwick::DownCause::Stopped });
    });
}
