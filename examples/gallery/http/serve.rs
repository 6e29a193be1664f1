//! Takes connections from the listener and holds each of them to its limits.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::body::Content;
use super::stall::Impatient;

/// Connections at a time. More of them wait in the listener's backlog.
const CONNECTIONS_MAX: usize = 256;
/// From the first byte of a request to the end of its head, and between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// For how long a client may take nothing of an answer.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);
/// All headers of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// The pause after the process ran out of descriptors; connections that end free some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Tells the connections to finish, and waits until they have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closing {
    state: Rc<ClosingState>,
}

#[derive(Debug, Default)]
struct ClosingState {
    ordered: Cell<bool>,
    changed: Notify,
    open: Cell<usize>,
    ended: Notify,
}

impl Closing {
    /// Takes no further connection, lets requests that have begun end, and returns when all have.
    pub(crate) async fn close(&self) {
        self.state.ordered.set(true);
        self.state.changed.notify_waiters();
        while self.state.open.get() > 0 {
            self.state.ended.notified().await;
        }
    }

    async fn ordered(&self) {
        while !self.state.ordered.get() {
            self.state.changed.notified().await;
        }
    }
}

/// Answers requests with `answer` until `closing` is ordered. Must run on an executor of actors.
pub(crate) async fn serve<A, F>(listener: TcpListener, answer: A, closing: Closing)
where
    A: Fn(Request<Incoming>) -> F + Clone + 'static,
    F: Future<Output = Response<Content>> + 'static,
{
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut closed = pin!(closing.ordered());
    loop {
        let seated = tokio::select! {
            () = &mut closed => return,
            seated = take_seat(&listener, &seats) => seated,
        };
        match seated {
            Ok((stream, seat)) => {
                // Without this the last piece of an answer waits for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                let connection = connection(stream, answer.clone(), closing.clone(), seat);
                tokio::task::spawn_local(connection);
            }
            // A client that left before it was taken, or a full table: neither ends the service.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn take_seat(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let seat = Arc::clone(seats).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, seat))
}

async fn connection<S, A, F>(stream: S, answer: A, closing: Closing, seat: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Content>>,
{
    let _open = Open::new(&closing);
    let service = service_fn(|request| {
        let answer = answer(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let stream = TokioIo::new(Impatient::new(stream, WRITE_PATIENCE));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    // How a connection ends is its client's affair: every outcome frees the seat.
    tokio::select! {
        _ = &mut connection => {}
        () = closing.ordered() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
    drop(seat);
}

/// Counts one open connection for as long as it lives.
struct Open<'a>(&'a Closing);

impl<'a> Open<'a> {
    fn new(closing: &'a Closing) -> Self {
        closing.state.open.set(closing.state.open.get() + 1);
        Self(closing)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let state = &self.0.state;
        state.open.set(state.open.get() - 1);
        state.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;
    use crate::http::reply;

    async fn slow(_request: Request<Incoming>) -> Response<Content> {
        tokio::time::sleep(Duration::from_secs(3)).await;
        reply::page("done".to_owned())
    }

    /// Serves the far end of a stream, and returns the near end with what orders the close.
    async fn served() -> (DuplexStream, Closing, impl Future<Output = ()>) {
        let (near, far) = duplex(64 << 10);
        let closing = Closing::default();
        let seat = Arc::new(Semaphore::new(1)).acquire_owned().await.expect("the semaphore is open");
        (near, closing.clone(), connection(far, slow, closing, seat))
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_never_ends_frees_its_seat_after_ten_seconds() {
        let (mut near, _closing, served) = served().await;
        let begin = Instant::now();
        let drip = async {
            // One byte a second, as a client that wants to hold its seat for ever would send.
            for byte in b"GET / HTTP/1.1\r\nX: " {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if near.write_all(&[*byte]).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(served, drip);
        assert!((10..=12).contains(&begin.elapsed().as_secs()), "after {:?}", begin.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_asks_nothing_more_loses_its_seat() {
        let (mut near, _closing, served) = served().await;
        near.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("taken");
        let begin = Instant::now();
        served.await;
        assert_eq!(begin.elapsed().as_secs(), 13, "3 s for the answer and 10 s for the next request");
    }

    #[tokio::test(start_paused = true)]
    async fn closing_lets_an_answer_that_has_begun_end() {
        let (mut near, closing, served) = served().await;
        near.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("taken");
        let begin = Instant::now();
        let order = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            closing.close().await;
        };
        tokio::join!(served, order);
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.expect("the far end is closed");
        assert!(answer.ends_with("done"), "{answer}");
        assert_eq!(begin.elapsed().as_secs(), 3);
    }
}
