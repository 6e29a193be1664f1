//! Actors under one parent: strategies, restart types, escalation, and what survives a restart.
#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

use std::time::Duration;

use bailiwick::prelude::*;
use futures::StreamExt;
use futures::channel::mpsc;

/// Far longer than any answer takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

type Log = mpsc::UnboundedSender<String>;

#[protocol]
trait Part {
    async fn count(&mut self) -> u32;
    async fn break_now(&mut self) -> u32;
    async fn stop(&mut self, cx: &mut Context);
    async fn wait(&mut self);
}

/// Says when it starts and stops.
struct Piece {
    log: Log,
    count: u32,
    /// Panics there.
    trap: &'static str,
}

impl Part for Piece {
    async fn count(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    async fn break_now(&mut self) -> u32 {
        panic!("on purpose");
    }

    async fn stop(&mut self, cx: &mut Context) {
        cx.stop();
    }

    async fn wait(&mut self) {
        std::future::pending().await
    }
}

impl Actor for Piece {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        // Who starts takes a while, so that one that does not wait for it is seen.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let name = cx.address().to_string();
        let short = name.rsplit('/').next().unwrap();
        self.log.unbounded_send(format!("+{short}")).unwrap();
        assert_ne!(self.trap, "started", "on purpose");
        Ok(())
    }

    async fn stopping(&mut self, cx: &mut Context) {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let name = cx.address().to_string();
        let short = name.rsplit('/').next().unwrap();
        self.log.unbounded_send(format!("-{short}")).unwrap();
        assert_ne!(self.trap, "stopping", "on purpose");
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        assert_ne!(self.trap, "drop", "on purpose");
    }
}

/// How one of the children is declared.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Plain,
    Permanent,
    Temporary,
    Significant,
    Trap(&'static str),
}

#[protocol]
trait House {
    async fn child(&mut self, index: u32) -> PartRef;
    async fn life(&mut self, cx: &mut Context) -> u32;
    async fn wait(&mut self);
}

/// Spawns `a`, `b`, `c` and so on.
struct Home {
    supervision: Supervision,
    children: Vec<How>,
    refs: Vec<PartRef>,
    log: Log,
}

impl House for Home {
    async fn child(&mut self, index: u32) -> PartRef {
        self.refs[index as usize].clone()
    }

    async fn life(&mut self, cx: &mut Context) -> u32 {
        cx.address().generation()
    }

    async fn wait(&mut self) {
        std::future::pending().await
    }
}

impl Actor for Home {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        cx.supervise(self.supervision);
        for (name, how) in ('a'..).zip(self.children.clone()) {
            let (log, trap) = (self.log.clone(), if let How::Trap(at) = how { at } else { "" });
            let served = PartRef::serve(move || Piece { log: log.clone(), count: 0, trap });
            let served = served.with_lifecycle().named(name.to_string());
            self.refs.push(cx.spawn(match how {
                How::Plain | How::Trap(_) => served,
                How::Permanent => served.permanent(),
                How::Temporary => served.temporary(),
                How::Significant => served.significant(),
            })?);
        }
        Ok(())
    }
}

/// A house in which everybody has started.
struct Scene {
    house: HouseRef,
    events: mpsc::UnboundedReceiver<String>,
    children: Vec<PartRef>,
}

impl Scene {
    async fn new(cx: &mut Context, supervision: Supervision, children: &[How]) -> Self {
        tokio::time::pause();
        let (log, events) = mpsc::unbounded();
        let kinds = children.to_vec();
        let make = move || Home { supervision, children: kinds.clone(), refs: Vec::new(), log: log.clone() };
        let house = cx.spawn(HouseRef::serve(make).with_lifecycle().named("house")).unwrap();
        let mut scene = Self { house, events, children: Vec::new() };
        for (index, how) in (0..).zip(children) {
            scene.children.push(scene.house.child(index).ask(SOON).await.unwrap());
            if *how != How::Trap("started") {
                scene.see(1).await;
            }
        }
        scene
    }

    /// Returns the next events, in one line.
    async fn see(&mut self, count: usize) -> String {
        let seen = tokio::time::timeout(60 * SECOND, self.events.by_ref().take(count).collect::<Vec<_>>());
        seen.await.expect("something happens").join(" ")
    }

    async fn breaks(&self, index: usize) {
        let broken = self.children[index].break_now().ask(SOON).await;
        assert!(matches!(broken, Err(AskError::Unknown(Unknown::Panicked { .. }))), "{broken:?}");
    }

    async fn lives(&self) -> u32 {
        self.house.life().ask(60 * SECOND).await.unwrap()
    }
}

#[test]
fn one_for_one_restarts_who_failed() {
    bailiwick::local(async |mut cx| {
        let mut scene = Scene::new(&mut cx, Supervision::default(), &[How::Plain; 3]).await;
        scene.breaks(1).await;
        assert_eq!(scene.see(1).await, "+b#2");
        assert_eq!(scene.children[0].address().generation(), 1);
    });
}

#[test]
fn one_for_all_stops_in_reverse_and_starts_in_order_one_after_the_other() {
    bailiwick::local(async |mut cx| {
        let mut scene = Scene::new(&mut cx, Supervision::one_for_all(), &[How::Plain; 4]).await;
        scene.breaks(1).await;
        assert_eq!(scene.see(7).await, "-d#1 -c#1 -a#1 +a#2 +b#2 +c#2 +d#2");
        assert_eq!(scene.lives().await, 1, "the parent knows nothing of it");
    });
}

#[test]
fn rest_for_one_restarts_those_after_who_failed() {
    bailiwick::local(async |mut cx| {
        let mut scene = Scene::new(&mut cx, Supervision::rest_for_one(), &[How::Plain; 3]).await;
        scene.breaks(1).await;
        assert_eq!(scene.see(3).await, "-c#1 +b#2 +c#2");
        assert_eq!(scene.children[0].address().generation(), 1);
    });
}

#[test]
fn a_bystander_keeps_its_mailbox_and_its_address_and_loses_its_state() {
    bailiwick::local(async |mut cx| {
        let mut scene = Scene::new(&mut cx, Supervision::one_for_all(), &[How::Plain; 2]).await;
        assert_eq!(scene.children[1].count().ask(SOON).await, Ok(1));
        let (waits, answer) = futures::join!(scene.children[1].wait().ask(SOON), async {
            // By then the other one is in hand.
            tokio::time::sleep(Duration::from_millis(1)).await;
            scene.children[0].break_now().tell().await.unwrap();
            scene.children[1].count().ask(SOON).await
        });
        assert_eq!(waits, Err(AskError::Unknown(Unknown::ActorStopped)), "it was in hand when it was halted");
        assert_eq!(answer, Ok(1), "it waited, and was handled by the next incarnation");
        assert_eq!(scene.see(3).await, "-b#1 +a#2 +b#2");
        let counts = cx.dead_letter_counts();
        assert!(counts.values().all(|count| *count == 0), "{counts:?}");
    });
}

#[test]
fn a_watch_on_a_bystander_brings_one_down_that_is_no_failure() {
    bailiwick::local(async |mut cx| {
        let mut scene = Scene::new(&mut cx, Supervision::one_for_all(), &[How::Plain; 2]).await;
        cx.watch(&scene.children[1]);
        scene.breaks(0).await;
        let down = cx.next_down().await;
        assert_eq!((down.generation, down.cause), (1, Cause::Stopped));
        assert_eq!(scene.see(3).await, "-b#1 +a#2 +b#2");
    });
}

#[test]
fn restart_types_say_who_comes_back() {
    bailiwick::local(async |mut cx| {
        let kinds = [How::Permanent, How::Plain, How::Temporary];
        let mut scene = Scene::new(&mut cx, Supervision::default(), &kinds).await;
        scene.children[0].stop().ask(SOON).await.unwrap();
        assert_eq!(scene.see(2).await, "-a#1 +a#2", "a permanent one comes back whenever it ends");
        scene.children[1].stop().ask(SOON).await.unwrap();
        assert_eq!(scene.see(1).await, "-b#1");
        scene.breaks(2).await;
        for gone in [1, 2] {
            let answer = scene.children[gone].count().ask(SOON).await;
            assert!(matches!(answer, Err(AskError::NotDelivered(NotDelivered::Ended { .. }))), "{answer:?}");
        }
        assert_eq!(scene.lives().await, 1);
    });
}

#[test]
fn who_is_done_comes_back_with_its_siblings_and_who_is_temporary_does_not() {
    bailiwick::local(async |mut cx| {
        let kinds = [How::Plain, How::Plain, How::Temporary];
        let mut scene = Scene::new(&mut cx, Supervision::one_for_all(), &kinds).await;
        scene.children[1].stop().ask(SOON).await.unwrap();
        assert_eq!(scene.see(1).await, "-b#1");
        let meanwhile = scene.children[1].count().ask(SOON).await;
        assert!(matches!(meanwhile, Err(AskError::NotDelivered(NotDelivered::Ended { .. }))));
        scene.breaks(0).await;
        assert_eq!(scene.see(3).await, "-c#1 +a#2 +b#2");
        assert_eq!(scene.children[1].count().ask(SOON).await, Ok(1), "its address holds again");
        let gone = scene.children[2].count().ask(SOON).await;
        assert!(matches!(gone, Err(AskError::NotDelivered(NotDelivered::Ended { .. }))));
    });
}

#[test]
fn siblings_share_one_budget_and_the_parent_fails_when_it_is_spent() {
    bailiwick::local(async |mut cx| {
        let supervision = Supervision::one_for_one().max_restarts(2, 10 * SECOND);
        let mut scene = Scene::new(&mut cx, supervision, &[How::Plain; 2]).await;
        cx.watch(&scene.house);
        scene.breaks(0).await;
        scene.breaks(1).await;
        assert_eq!(scene.see(2).await, "+a#2 +b#2");
        scene.breaks(0).await;
        let down = cx.next_down().await;
        let said = down.cause.to_string();
        assert_eq!(said, "child `local/house/a#2` gave up: panicked: on purpose");
        assert_eq!(scene.see(3).await, "-b#2 +a#1 +b#1", "the children end, others are there after it");
        assert_eq!(scene.lives().await, 2);
    });
}

#[test]
fn a_parent_whose_handler_never_ends_fails_with_its_children_all_the_same() {
    bailiwick::local(async |mut cx| {
        let supervision = Supervision::one_for_one().max_restarts(0, SECOND);
        let scene = Scene::new(&mut cx, supervision, &[How::Plain]).await;
        let (waits, ()) = futures::join!(scene.house.wait().ask(60 * SECOND), scene.breaks(0));
        assert_eq!(waits, Err(AskError::Unknown(Unknown::ActorStopped)));
        assert_eq!(scene.lives().await, 2);
    });
}

#[test]
fn a_spent_budget_gives_only_the_child_up_if_told_so() {
    bailiwick::local(async |mut cx| {
        let supervision = Supervision::one_for_one().max_restarts(0, SECOND).or_fail();
        let scene = Scene::new(&mut cx, supervision, &[How::Plain; 2]).await;
        scene.breaks(0).await;
        let gone = scene.children[0].count().ask(SOON).await;
        assert!(matches!(gone, Err(AskError::NotDelivered(NotDelivered::Ended { .. }))));
        assert_eq!((scene.children[1].count().ask(SOON).await, scene.lives().await), (Ok(1), 1));
    });
}

#[test]
fn a_spent_budget_makes_restarts_rare_if_told_so() {
    bailiwick::local(async |mut cx| {
        let cool = Supervision::one_for_one().max_restarts(0, SECOND).or_cool_down();
        let supervision = cool.backoff(Duration::from_millis(1), 7 * SECOND);
        let mut scene = Scene::new(&mut cx, supervision, &[How::Plain]).await;
        let from = tokio::time::Instant::now();
        scene.breaks(0).await;
        assert_eq!(scene.see(1).await, "+a#2");
        assert!(from.elapsed() >= 7 * SECOND, "{:?}", from.elapsed());
    });
}

#[test]
fn a_significant_child_that_ends_as_it_should_ends_its_parent_in_order() {
    bailiwick::local(async |mut cx| {
        let supervision = Supervision::one_for_one().until_any_significant();
        let mut scene = Scene::new(&mut cx, supervision, &[How::Plain, How::Significant]).await;
        cx.watch(&scene.house);
        scene.breaks(1).await;
        assert_eq!(scene.see(1).await, "+b#2", "a failure is no end as it should be");
        scene.children[1].stop().ask(SOON).await.unwrap();
        assert_eq!(scene.see(2).await, "-b#2 -a#1");
        assert_eq!(cx.next_down().await.cause, Cause::Stopped);
    });
}

#[test]
fn a_significant_child_that_signifies_nothing_is_refused() {
    bailiwick::local(async |mut cx| {
        let (log, _events) = mpsc::unbounded();
        let make = move || Piece { log: log.clone(), count: 0, trap: "" };
        let refused = cx.spawn(PartRef::serve(make).named("odd").significant()).unwrap_err();
        assert!(refused.to_string().starts_with("the actor `odd` cannot be significant"), "{refused}");
    });
}

#[test]
fn a_panic_in_stopping_or_in_a_destructor_ends_that_incarnation_and_nothing_else() {
    for trap in ["stopping", "drop"] {
        bailiwick::local(async |mut cx| {
            let kinds = [How::Plain, How::Trap(trap)];
            let mut scene = Scene::new(&mut cx, Supervision::one_for_all(), &kinds).await;
            scene.breaks(0).await;
            assert_eq!(scene.see(3).await, "-b#1 +a#2 +b#2", "{trap}");
            assert_eq!(scene.children[1].count().ask(SOON).await, Ok(1));
        });
    }
}

#[test]
fn a_panic_in_started_is_a_failure_and_spends_the_budget() {
    bailiwick::local(async |mut cx| {
        let supervision = Supervision::rest_for_one().max_restarts(2, 60 * SECOND).or_fail();
        let mut scene = Scene::new(&mut cx, supervision, &[How::Trap("started"), How::Plain]).await;
        let seen = scene.see(3).await;
        assert!(["+a#2 +a#3 +b#1", "+a#1 +a#2 +a#3"].contains(&seen.as_str()), "{seen}");
        let gone = scene.children[0].count().ask(SOON).await;
        assert!(matches!(gone, Err(AskError::NotDelivered(NotDelivered::Ended { .. }))));
        assert_eq!(scene.children[1].count().ask(SOON).await, Ok(1), "the next begins when it was given up");
    });
}

#[test]
fn messages_to_one_actor_keep_their_order_over_a_restart_of_its_siblings() {
    bailiwick::local(async |mut cx| {
        let mut scene = Scene::new(&mut cx, Supervision::one_for_all(), &[How::Plain; 2]).await;
        scene.children[0].break_now().tell().await.unwrap();
        let asks = (0..50).map(|_| scene.children[1].count().ask(SOON));
        let answers: Vec<_> = futures::future::join_all(asks).await.into_iter().flatten().collect();
        assert_eq!(answers.len(), 50, "none was lost");
        let fresh = answers.iter().position(|count| *count == 1).unwrap();
        let counted: Vec<u32> = (1..).take(answers.len() - fresh).collect();
        assert_eq!(answers[fresh..], counted, "in the order in which they were sent");
        assert_eq!(scene.see(3).await, "-b#1 +a#2 +b#2");
    });
}

#[test]
fn children_of_a_blocking_actor_are_supervised_on_its_thread() {
    bailiwick::local(async |mut cx| {
        let (log, mut events) = mpsc::unbounded();
        let make = move || Home {
            supervision: Supervision::one_for_all(),
            children: vec![How::Plain; 2],
            refs: Vec::new(),
            log: log.clone(),
        };
        let house = cx.spawn(HouseRef::serve(make).with_lifecycle().named("house").blocking()).unwrap();
        let first = house.child(0).ask(10 * SECOND).await.unwrap();
        let began: Vec<_> = events.by_ref().take(2).collect().await;
        assert_eq!(began.join(" "), "+a#1 +b#1");
        assert!(first.break_now().ask(10 * SECOND).await.is_err());
        let seen: Vec<_> = events.by_ref().take(3).collect().await;
        assert_eq!(seen.join(" "), "-b#1 +a#2 +b#2");
    });
}
