//! `-> Replies<T>`: one ask, many replies.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;

use crate::outcome::AskError;
use crate::payload::{self, Portable};
use crate::reply::Reply;
use crate::stream_slot::{Item, StreamSlot};

/// The replies of one ask, as the handler returns them: any stream.
///
/// The stream belongs to the incarnation that made it and is polled only as fast as the asker takes the replies; it
/// is dropped when the asker gives up.
///
/// ```
/// use bailiwick::Replies;
///
/// fn count_to(last: u32) -> Replies<u32> {
///     Replies::from_stream(futures::stream::iter(1..=last))
/// }
/// # let _ = count_to(3);
/// ```
#[must_use = "a handler returns it; dropped, the asker is told that there is no answer"]
pub struct Replies<T>(Pin<Box<dyn Stream<Item = T>>>);

impl<T: Portable> Replies<T> {
    /// Makes replies of a stream, which need not be `Send`.
    pub fn from_stream(stream: impl Stream<Item = T> + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// Sends every item to the asker, until the stream ends or nobody takes them any more.
    pub(crate) async fn pump(mut self, reply: Reply) {
        reply.open();
        let next = poll_fn(|task| {
            match reply.poll_room::<T>(task.waker()) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return Poll::Ready(false),
                Poll::Pending => return Poll::Pending,
            }
            match self.0.as_mut().poll_next(task) {
                Poll::Ready(Some(item)) => {
                    reply.item(item);
                    Poll::Ready(true)
                }
                Poll::Ready(None) => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        });
        let mut next = std::pin::pin!(next);
        let mut run = 0;
        while next.as_mut().await {
            run += 1;
            // A stream that is always ready must not keep the executor for itself.
            if run % ITEMS_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        reply.end();
    }
}

/// A test of the actor's own methods reads the replies as a stream.
impl<T> Stream for Replies<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.as_mut().poll_next(task)
    }
}

impl<T> fmt::Debug for Replies<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replies")
    }
}

/// The replies as the asker takes them. Dropping it tells the actor to stop.
///
/// It ends after the last reply; a stream that breaks ends with one error.
#[must_use = "a stream does nothing until it is polled"]
pub struct ReplyStream<T: Portable> {
    slot: Arc<StreamSlot<T>>,
}

impl<T: Portable> ReplyStream<T> {
    pub(crate) fn new(slot: Arc<StreamSlot<T>>) -> Self {
        Self { slot }
    }
}

impl<T: Portable> Stream for ReplyStream<T> {
    type Item = Result<T, AskError>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.slot.poll_item(task.waker()).map(|item| {
            item.map(|item| match item? {
                Item::Value(value) => Ok(value),
                Item::Bytes(payload) => payload::decode_reply(payload).map_err(|error| {
                    self.slot.abandon();
                    payload::undecodable_reply(&error).into()
                }),
            })
        })
    }
}

impl<T: Portable> Drop for ReplyStream<T> {
    fn drop(&mut self) {
        self.slot.abandon();
    }
}

impl<T: Portable> fmt::Debug for ReplyStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyStream")
    }
}

const ITEMS_PER_TURN: usize = 64;
