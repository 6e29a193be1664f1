//! What answers hold of memory until somebody has read them, all of them together, held to a bound.
//!
//! An answer is made at once and read as slowly as its reader likes. Its bytes are counted when it is made and given back when the
//! last of them is written, or nobody is left to write them to: the count goes with the bytes themselves, wherever they wait. What a
//! stream has to tell is counted piece by piece. Where there is no room an answer is a short refusal, and a stream breaks off.
//!
//! Short answers are not counted. They always pass, and what they may take of memory is set aside for them.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::serve::CONNECTIONS_MAX;

/// What answers take at most that are made and not yet read.
pub(crate) const BYTES_MAX: usize = 16 << 20;
/// An answer of so many bytes is short.
pub(crate) const SHORT_BYTES_MAX: usize = 16 << 10;
/// What is left for those that are counted: each connection has one answer at a time.
const COUNTED_BYTES_MAX: usize = BYTES_MAX - CONNECTIONS_MAX * SHORT_BYTES_MAX;

/// When to ask again, in seconds. A reader that stands still is gone after thirty.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("5");

/// The room for answers that are not read yet.
#[derive(Clone, Debug)]
pub(crate) struct Backlog {
    room: Arc<Semaphore>,
}

/// What an answer says instead, under the same code, where there is no room for the whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InShort(pub(crate) &'static str);

/// Bytes with the room that they take.
struct Held {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Backlog {
    pub(crate) fn new() -> Self {
        Self { room: Arc::new(Semaphore::new(COUNTED_BYTES_MAX)) }
    }

    /// Returns an answer whose bytes are counted, or a short refusal. Never waits.
    pub(crate) async fn hold(&self, response: Response) -> Response {
        match response.body().size_hint().exact() {
            Some(bytes) if bytes <= SHORT_BYTES_MAX as u64 => response,
            Some(bytes) => self.hold_whole(response, bytes).await,
            None => self.hold_pieces(response),
        }
    }

    async fn hold_whole(&self, response: Response, bytes: u64) -> Response {
        let Some(room) = self.room_for(bytes) else { return refusal(&response, bytes) };
        let (head, body) = response.into_parts();
        // It is one piece already, which is neither waited for nor copied.
        let Ok(bytes) = to_bytes(body, usize::MAX).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        Response::from_parts(head, Body::from(Bytes::from_owner(Held { bytes, _room: room })))
    }

    fn hold_pieces(&self, response: Response) -> Response {
        let (head, body) = response.into_parts();
        let backlog = self.clone();
        let hold = move |bytes: Bytes| match backlog.room_for(bytes.len() as u64) {
            Some(room) => Ok(Bytes::from_owner(Held { bytes, _room: room })),
            // The reader sees that it ends before its end, and begins anew.
            None => Err(axum::Error::new("too much waits for slow readers")),
        };
        let pieces = body.into_data_stream().map(move |piece| piece.and_then(&hold));
        Response::from_parts(head, Body::from_stream(pieces))
    }

    fn room_for(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(&self.room).try_acquire_many_owned(bytes).ok()
    }
}

/// Says that there is no room for an answer.
fn refusal(response: &Response, bytes: u64) -> Response {
    if let Some(InShort(text)) = response.extensions().get() {
        return (response.status(), *text).into_response();
    }
    let mut refused = if bytes > COUNTED_BYTES_MAX as u64 {
        let text = format!(
            "this answer has {bytes} bytes, and {COUNTED_BYTES_MAX} are held at most: ask for less, as with `?n=`\n"
        );
        (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
    } else {
        let text = "too much waits for readers that are slow; ask again in a moment\n";
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, RETRY_AFTER_S)], text).into_response()
    };
    // Who is refused keeps no place from others.
    refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    refused
}

#[cfg(test)]
mod tests {
    use axum::body::BodyDataStream;
    use futures::stream;

    use super::*;

    const MEBIBYTE: usize = 1 << 20;
    const FIT: usize = COUNTED_BYTES_MAX / MEBIBYTE;

    async fn answer(backlog: &Backlog, bytes: usize) -> Response {
        backlog.hold(Body::from(vec![b'x'; bytes]).into_response()).await
    }

    async fn is_held(backlog: &Backlog, bytes: usize) -> bool {
        answer(backlog, bytes).await.status() == StatusCode::OK
    }

    async fn text(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), MEBIBYTE).await.expect("it is whole");
        String::from_utf8(bytes.to_vec()).expect("it is text")
    }

    #[tokio::test]
    async fn a_hundred_answers_that_nobody_reads_hold_no_more_than_the_bound() {
        let backlog = Backlog::new();
        let mut answers = Vec::new();
        for _ in 0..100 {
            answers.push(answer(&backlog, MEBIBYTE).await);
        }
        let mut held: Vec<_> = answers.extract_if(.., |one| one.status() == StatusCode::OK).collect();
        assert_eq!((held.len(), answers.len()), (FIT, 100 - FIT));
        let refused = answers.remove(0);
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers()[RETRY_AFTER] == RETRY_AFTER_S && refused.headers()[CONNECTION] == "close");
        assert!(text(refused).await.contains("ask again in a moment"));
        assert!(is_held(&backlog, SHORT_BYTES_MAX).await, "a short one always passes");
        assert!(!is_held(&backlog, SHORT_BYTES_MAX + 1).await);
        // Whoever writes has the bytes, also when the body has no more of them.
        let one = held.pop().expect("there are some");
        let bytes = to_bytes(one.into_body(), usize::MAX).await.expect("it is whole");
        let second_half = bytes.slice(bytes.len() / 2..);
        drop(bytes);
        assert!(!is_held(&backlog, MEBIBYTE).await, "half of it is not written");
        drop(second_half);
        assert!(is_held(&backlog, MEBIBYTE).await);
        drop(held);
        assert_eq!(backlog.room.available_permits(), COUNTED_BYTES_MAX);
    }

    #[tokio::test]
    async fn an_answer_that_never_fits_is_refused_with_what_to_do() {
        let backlog = Backlog::new();
        assert!(is_held(&backlog, COUNTED_BYTES_MAX).await);
        let refused = answer(&backlog, COUNTED_BYTES_MAX + 1).await;
        assert!(!refused.headers().contains_key(RETRY_AFTER), "in a moment it would not fit either");
        assert!(text(refused).await.contains("are held at most: ask for less"));
    }

    #[tokio::test]
    async fn what_can_be_said_in_short_is_where_there_is_no_room() {
        let backlog = Backlog::new();
        let all = answer(&backlog, COUNTED_BYTES_MAX).await;
        let long = async || {
            let mut long = (StatusCode::ACCEPTED, "long ".repeat(SHORT_BYTES_MAX)).into_response();
            long.extensions_mut().insert(InShort("short"));
            backlog.hold(long).await
        };
        let short = long().await;
        assert_eq!((short.status(), text(short).await), (StatusCode::ACCEPTED, "short".to_owned()));
        drop(all);
        assert!(text(long().await).await.starts_with("long "));
    }

    #[tokio::test]
    async fn a_stream_is_counted_piece_by_piece_and_breaks_off_where_there_is_no_room() {
        let backlog = Backlog::new();
        let mebibytes =
            || stream::iter((0..100).map(|_| Ok::<_, axum::Error>(Bytes::from(vec![b'x'; MEBIBYTE]))));
        let follow = async || -> BodyDataStream {
            let response = Body::from_stream(mebibytes()).into_response();
            backlog.hold(response).await.into_body().into_data_stream()
        };
        let read = follow().await;
        assert_eq!(
            read.filter(|piece| std::future::ready(piece.is_ok())).count().await,
            100,
            "who reads gets all"
        );
        let (mut unread, mut held) = (follow().await, Vec::new());
        while let Some(Ok(piece)) = unread.next().await {
            held.push(piece);
        }
        assert_eq!(held.len(), FIT);
        drop((unread, held));
        assert_eq!(backlog.room.available_permits(), COUNTED_BYTES_MAX);
    }
}
