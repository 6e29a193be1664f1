//! A look at actors in one process.

use std::time::Duration;

use super::gather::snapshot;
use super::inside::Asked;
use super::{Said, Snapshot, TypeCounts, WORDS_MAX};
use crate::local;
use crate::prelude::*;

#[protocol]
trait Kennel {
    /// Does nothing.
    async fn bark(&mut self);
    /// Waits for ever.
    async fn sleep(&mut self);
    /// Fails.
    async fn bite(&mut self, cx: &mut Context);
    /// Has a puppy.
    async fn litter(&mut self, cx: &mut Context);
    /// Ends.
    async fn leave(&mut self, cx: &mut Context);
}

struct Dog;

impl Kennel for Dog {
    async fn bark(&mut self) {}

    async fn sleep(&mut self) {
        std::future::pending().await
    }

    async fn bite(&mut self, cx: &mut Context) {
        cx.fail(std::io::Error::other("it bites"));
    }

    async fn litter(&mut self, cx: &mut Context) {
        cx.spawn(KennelRef::serve(|| Puppy).named("rex")).expect("there is none yet");
    }

    async fn leave(&mut self, cx: &mut Context) {
        cx.stop();
    }
}

struct Puppy;

impl Kennel for Puppy {
    async fn bark(&mut self) {}
    async fn sleep(&mut self) {}
    async fn bite(&mut self, _cx: &mut Context) {}
    async fn litter(&mut self, _cx: &mut Context) {}
    async fn leave(&mut self, _cx: &mut Context) {}
}

const SOON: Duration = Duration::from_secs(5);

fn of<'s>(found: &'s Snapshot, type_name: &str) -> &'s TypeCounts {
    found.types.iter().find(|counts| counts.type_name == type_name).expect("there was one")
}

fn look(test: impl AsyncFnOnce(&mut Context)) {
    local(async |mut cx| test(&mut cx).await);
}

#[test]
fn actors_are_counted_by_type_also_those_that_are_children_and_those_that_are_gone() {
    look(async |cx| {
        let dog: KennelRef = cx.spawn(KennelRef::serve(|| Dog).named("dog")).expect("it is the first");
        let other: KennelRef = cx.spawn(KennelRef::serve(|| Dog).named("other")).expect("it is the second");
        dog.litter().ask(SOON).await.expect("it is there");
        for _ in 0..5 {
            dog.bark().ask(SOON).await.expect("it is there");
        }
        cx.watch(&other);
        other.leave().tell().await.expect("it is there");
        cx.next_down().await;
        let found = snapshot(cx.node(), 10).await;
        let dogs = of(&found, "Dog");
        assert_eq!((dogs.spawned, dogs.ended, dogs.failures, dogs.handled), (2, 1, 0, 7));
        assert_eq!((of(&found, "Puppy").spawned, of(&found, "Puppy").ended), (1, 0));
        let mut paths: Vec<_> = found.actors.iter().map(|actor| &*actor.path).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["dog", "dog/rex"]);
        assert_eq!(found.actors_total, 2);
        assert!(found.cpu > Duration::ZERO && found.memory_peak > 0);
    });
}

#[test]
fn what_waits_is_counted_and_the_fullest_mailbox_is_named_first() {
    look(async |cx| {
        let mut dogs = Vec::new();
        for waiting in [1, 3, 2] {
            let dog: KennelRef = cx.spawn(KennelRef::serve(|| Dog)).expect("there is room");
            // The first is begun with, and never ends.
            for _ in 0..=waiting {
                dog.sleep().tell().await.expect("there is room");
            }
            dogs.push(dog);
        }
        let found = loop {
            tokio::task::yield_now().await;
            let found = snapshot(cx.node(), 2).await;
            if of(&found, "Dog").waiting == 6 {
                break found;
            }
        };
        assert_eq!(of(&found, "Dog").waiting_max, 3);
        let named: Vec<_> = found.actors.iter().map(|actor| (actor.waiting, actor.in_line)).collect();
        assert_eq!(named, [(3, 0), (2, 0)]);
        assert_eq!(found.actors_total, 3);
        assert_eq!(found.actors[0].capacity, Mailbox::default().capacity());
        assert_eq!(snapshot(cx.node(), 0).await.actors, []);
    });
}

#[test]
fn who_fails_and_comes_back_is_the_same_actor() {
    look(async |cx| {
        let dog: KennelRef = cx.spawn(KennelRef::serve(|| Dog)).expect("there is room");
        dog.bite().tell().await.expect("there is room");
        dog.bark().ask(SOON).await.expect("its next incarnation answers");
        let found = snapshot(cx.node(), 1).await;
        let dogs = of(&found, "Dog");
        assert_eq!((dogs.spawned, dogs.ended, dogs.failures, dogs.restarts), (1, 0, 1, 1));
        assert_eq!(found.actors[0].generation, 2);
        assert_eq!(found.actors[0].handled, 2);
    });
}

#[test]
fn of_a_mailbox_one_message_in_sixty_one_is_measured_how_long_it_waits_and_is_handled() {
    look(async |cx| {
        let dog: KennelRef = cx.spawn(KennelRef::serve(|| Dog).named("dog")).expect("it is the first");
        for _ in 0..123 {
            dog.bark().ask(SOON).await.expect("it is there");
        }
        let dogs = of(&snapshot(cx.node(), 0).await, "Dog").clone();
        // The first, the 62nd, the 123rd.
        for found in [&dogs.waits, &dogs.handling] {
            assert_eq!(found.counts.iter().sum::<u64>(), 3, "{found:?}");
            assert!(found.sum > Duration::ZERO && found.sum < 3 * SOON, "{found:?}");
        }
    });
}

#[test]
fn what_takes_long_is_told_as_long() {
    look(async |cx| {
        let dog: KennelRef = cx.spawn(KennelRef::serve(|| Dog).named("dog")).expect("it is the first");
        let after = Duration::from_millis(20);
        // The first message is measured: it is handled until nobody waits for it any more.
        dog.sleep().ask(after).await.expect_err("nobody answers");
        dog.bark().ask(SOON).await.expect("it is there");
        let found = of(&snapshot(cx.node(), 0).await, "Dog").clone();
        assert!(found.handling.sum >= after, "{found:?}");
        assert!(found.handling.quantile(990) >= Some(after), "{found:?}");
    });
}

impl Actor for Puppy {
    fn inspect(&self) -> Option<String> {
        Some("é".repeat(WORDS_MAX))
    }
}

#[test]
fn an_actor_says_of_its_state_what_it_wants_to_between_two_messages() {
    look(async |cx| {
        let asked = Asked::default();
        let inspect =
            async |cx: &Context, path: &str| asked.inspect(cx.node(), path).await.expect("it is answered");
        let puppy: KennelRef =
            cx.spawn(KennelRef::serve(|| Puppy).named("puppy").with_lifecycle()).expect("there is room");
        let dog: KennelRef = cx.spawn(KennelRef::serve(|| Dog).named("dog")).expect("there is room");
        dog.litter().ask(SOON).await.expect("it is there");
        puppy.bark().ask(SOON).await.expect("it is there");
        let found = inspect(cx, "puppy").await.expect("it is there");
        let Said::Words(words) = found.said else { panic!("{found:?}") };
        assert_eq!(words.len(), WORDS_MAX, "as much as there is room for");
        assert_eq!((&*found.stands.type_name, found.stands.generation, found.children), ("Puppy", 1, 0));
        let found = inspect(cx, "dog").await.expect("it is there");
        assert_eq!((found.said, found.children), (Said::Nothing, 1));
        assert!(inspect(cx, "dog/rex").await.is_some());
        assert_eq!(inspect(cx, "dog/max").await, None);
        assert_eq!(inspect(cx, "do").await, None);
    });
}

#[test]
fn who_is_busy_is_asked_once_and_answers_again_when_it_is_not() {
    look(async |cx| {
        let asked = Asked::default();
        let dog: KennelRef = cx.spawn(KennelRef::serve(|| Dog).named("dog")).expect("there is room");
        let sleeping = tokio::task::spawn_local(dog.sleep().ask(SOON * 100));
        let said = async |cx: &Context| {
            let found = asked.inspect(cx.node(), "dog").await.expect("it is answered");
            found.expect("it is there").said
        };
        // It may be looked at before it has begun.
        while said(cx).await != Said::Busy {}
        let started = std::time::Instant::now();
        assert_eq!(said(cx).await, Said::Busy);
        assert!(started.elapsed() < SOON, "nobody waits for who was asked already");
        sleeping.abort();
        while said(cx).await != Said::Nothing {
            tokio::task::yield_now().await;
        }
    });
}
