//! Answers that come later, many answers, and what becomes of answers that nobody waits for.
#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

use std::time::Duration;

use bailiwick::prelude::*;
use futures::StreamExt;
use futures::channel::mpsc;

/// Far longer than any answer takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);

#[protocol]
trait Desk {
    /// Answered by `finish`.
    async fn begin(&mut self) -> Later<u32>;
    async fn finish(&mut self, value: u32) -> usize;
    async fn forget(&mut self);
    async fn abandoned(&mut self) -> bool;
    /// Counts from one to `last`.
    async fn count(&mut self, last: u32) -> Replies<u32>;
    /// Counts until the asker has had enough; how far is seen by `counted`.
    async fn endless(&mut self) -> Replies<u32>;
    async fn break_now(&mut self);
    /// Not every handler has to wait.
    fn plain(&mut self, a: u8, b: u8) -> u8;
}

struct Clerk {
    open: Vec<Answer<u32>>,
    counted: mpsc::UnboundedSender<&'static str>,
}

struct Ends(mpsc::UnboundedSender<&'static str>);

impl Drop for Ends {
    fn drop(&mut self) {
        // Not every test still listens.
        let _ = self.0.unbounded_send("stream dropped");
    }
}

impl Desk for Clerk {
    async fn begin(&mut self) -> Later<u32> {
        let (later, answer) = Later::pair();
        self.open.push(answer);
        later
    }
    async fn finish(&mut self, value: u32) -> usize {
        let finished = self.open.len();
        self.open.drain(..).for_each(|answer| answer.send(value));
        finished
    }
    async fn forget(&mut self) {
        self.open.clear();
    }
    async fn abandoned(&mut self) -> bool {
        self.open.iter().all(Answer::is_abandoned)
    }
    async fn count(&mut self, last: u32) -> Replies<u32> {
        Replies::from_stream(futures::stream::iter(1..=last))
    }
    async fn endless(&mut self) -> Replies<u32> {
        let ends = Ends(self.counted.clone());
        Replies::from_stream(futures::stream::iter(1..).map(move |number| {
            let _ = &ends;
            number
        }))
    }
    async fn break_now(&mut self) {
        panic!("on purpose");
    }
    fn plain(&mut self, a: u8, b: u8) -> u8 {
        a.saturating_add(b)
    }
}

fn desk(cx: &mut Context) -> (DeskRef, mpsc::UnboundedReceiver<&'static str>) {
    let (counted, events) = mpsc::unbounded();
    let served = DeskRef::serve(move || Clerk { open: Vec::new(), counted: counted.clone() });
    (cx.spawn(served).unwrap(), events)
}

#[test]
fn an_answer_may_come_after_the_handler_has_returned() {
    bailiwick::local(async |mut cx| {
        let (desk, _) = desk(&mut cx);
        let (first, second, finished) =
            futures::join!(desk.begin().ask(SOON), desk.begin().ask(SOON), desk.finish(7).ask(SOON));
        assert_eq!((first, second, finished), (Ok(7), Ok(7), Ok(2)));
    });
}

#[test]
fn an_answer_that_is_dropped_is_told() {
    bailiwick::local(async |mut cx| {
        let (desk, _) = desk(&mut cx);
        let (asked, _) = futures::join!(desk.begin().ask(SOON), desk.forget().ask(SOON));
        assert_eq!(asked, Err(AskError::Unknown(Unknown::ReplyDropped)));
    });
}

#[test]
fn open_answers_end_with_the_incarnation_that_promised_them() {
    bailiwick::local(async |mut cx| {
        let (desk, _) = desk(&mut cx);
        let (asked, _) = futures::join!(desk.begin().ask(SOON), desk.break_now().ask(SOON));
        assert_eq!(asked, Err(AskError::Unknown(Unknown::ReplyDropped)));
    });
}

#[test]
fn an_open_answer_knows_that_its_asker_has_gone() {
    bailiwick::local(async |mut cx| {
        tokio::time::pause();
        let (desk, _) = desk(&mut cx);
        let asked = desk.begin().ask(SOON).await;
        assert_eq!(asked, Err(AskError::Unknown(Unknown::Expired)));
        assert_eq!(desk.abandoned().ask(SOON).await, Ok(true));
    });
}

#[test]
fn replies_come_in_order_and_end() {
    bailiwick::local(async |mut cx| {
        let (desk, _) = desk(&mut cx);
        let replies = desk.count(100).stream(SOON).await.unwrap();
        let all: Vec<_> = replies.map(Result::unwrap).collect().await;
        assert_eq!(all, (1..=100).collect::<Vec<_>>());
        let none = desk.count(0).stream(SOON).await.unwrap();
        assert_eq!(none.count().await, 0);
    });
}

#[test]
fn the_actor_answers_others_while_its_replies_flow() {
    bailiwick::local(async |mut cx| {
        let (desk, _) = desk(&mut cx);
        let mut replies = desk.endless().stream(SOON).await.unwrap();
        assert_eq!(replies.next().await, Some(Ok(1)));
        assert_eq!(desk.plain(2, 3).ask(SOON).await, Ok(5));
        assert_eq!(replies.next().await, Some(Ok(2)));
    });
}

#[test]
fn a_stream_is_dropped_when_nobody_takes_its_replies_any_more() {
    bailiwick::local(async |mut cx| {
        let (desk, mut events) = desk(&mut cx);
        let mut replies = desk.endless().stream(SOON).await.unwrap();
        assert_eq!(replies.next().await, Some(Ok(1)));
        drop(replies);
        assert_eq!(events.next().await, Some("stream dropped"));
    });
}

#[test]
fn a_stream_breaks_with_the_incarnation_that_made_it() {
    bailiwick::local(async |mut cx| {
        let (desk, mut events) = desk(&mut cx);
        let mut replies = desk.endless().stream(SOON).await.unwrap();
        assert_eq!(replies.next().await, Some(Ok(1)));
        let _ = desk.break_now().ask(SOON).await;
        assert_eq!(events.next().await, Some("stream dropped"));
        let rest: Vec<_> = replies.collect().await;
        assert!(rest.len() <= 17, "no more than what was queued: {}", rest.len());
        assert_eq!(rest.last(), Some(&Err(AskError::Unknown(Unknown::ReplyDropped))));
    });
}

#[test]
fn a_handler_can_be_called_in_a_test_without_any_actor() {
    let (counted, _) = mpsc::unbounded();
    let mut clerk = Clerk { open: Vec::new(), counted };
    assert_eq!(clerk.plain(1, 2), 3);
    bailiwick::local(async |_cx| {
        let later = clerk.begin().await;
        assert_eq!(clerk.finish(4).await, 1);
        assert_eq!(later.await, Ok(4));
        assert_eq!(clerk.count(3).await.collect::<Vec<_>>().await, [1, 2, 3]);
    });
}
