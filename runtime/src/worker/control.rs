//! Connections on which this worker asks the supervisor what its manifest says that it may.
//!
//! Each has one question open at a time. One whose asker went away still has its answer on the way, which is read and
//! dropped before the next question.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bailiwick_supervisor::control::{End, Outcome, Record, Request};
use bailiwick_sys::socket::{self, ReceiveError, SendError};
use bailiwick_wire::crash::{MAGIC, REPORT_BYTES};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::supervisor::Answered;

/// How much longer than the request's own deadline an answer may take.
const GRACE: Duration = Duration::from_secs(2);

/// What the supervisor gave this life to ask on.
pub(super) struct Control {
    /// Those on which no question is open.
    free: Mutex<Vec<Connection>>,
    /// As many as are free.
    turns: Semaphore,
    /// Whether there ever was one: all come before the user's code runs, or none.
    is_given: AtomicBool,
}

struct Connection {
    socket: OwnedFd,
    /// An answer is on its way that nobody waits for.
    is_owed: bool,
}

/// A connection for the time of one question.
struct Borrowed<'c> {
    control: &'c Control,
    /// `None` once it has failed.
    connection: Option<Connection>,
}

impl Control {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { free: Mutex::default(), turns: Semaphore::new(0), is_given: AtomicBool::new(false) })
    }

    /// Takes one more connection.
    pub(super) fn add(&self, socket: OwnedFd) {
        self.is_given.store(true, Ordering::Relaxed);
        self.put(Connection { socket, is_owed: false });
    }

    /// Asks, and waits for the whole answer.
    pub(super) async fn ask(self: Arc<Self>, request: Request) -> io::Result<Answered> {
        if !self.is_given.load(Ordering::Relaxed) {
            return Ok(Answered { packets: Vec::new(), outcome: Outcome::NotPermitted });
        }
        let limit = request.deadline.saturating_add(GRACE);
        let answer = async {
            let turn = self.turns.acquire().await.map_err(|_| gone())?;
            turn.forget();
            self.borrow().exchange(&request).await
        };
        match timeout(limit, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                let text = format!("the supervisor did not answer {:?} within {limit:?}", request.verb);
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    }

    fn borrow(&self) -> Borrowed<'_> {
        // Who waits longest for an answer that nobody wants is taken last.
        let mut free = lock(&self.free);
        let at = free.iter().position(|connection| !connection.is_owed).unwrap_or_default();
        let connection = (at < free.len()).then(|| free.swap_remove(at));
        Borrowed { control: self, connection }
    }

    fn put(&self, connection: Connection) {
        lock(&self.free).push(connection);
        self.turns.add_permits(1);
    }

    /// No connection is left, and none will come.
    fn end(&self) {
        self.turns.close();
    }
}

impl Borrowed<'_> {
    async fn exchange(&mut self, request: &Request) -> io::Result<Answered> {
        let answered = match &mut self.connection {
            Some(connection) => connection.exchange(request).await,
            None => Err(gone()),
        };
        if answered.is_err() {
            // What has failed once is in no known state.
            self.connection = None;
            self.control.end();
        }
        answered
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.control.put(connection);
        }
    }
}

impl Connection {
    async fn exchange(&mut self, request: &Request) -> io::Result<Answered> {
        // A type that the executor can watch, for as long as the question takes: that of the next one may be another.
        let watched = UnixStream::from_std(self.socket.try_clone()?.into())?;
        let socket = self.socket.as_fd();
        if self.is_owed {
            answer(socket, &watched).await?;
            self.is_owed = false;
        }
        watched.async_io(Interest::WRITABLE, || send(socket, request)).await?;
        self.is_owed = true;
        let answer = answer(socket, &watched).await?;
        self.is_owed = false;
        Ok(answer)
    }
}

fn send(socket: BorrowedFd<'_>, request: &Request) -> io::Result<()> {
    match socket::send(socket, &[IoSlice::new(&request.to_bytes())], &[]) {
        Ok(_) => Ok(()),
        Err(SendError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Reads the packets of one answer.
async fn answer(socket: BorrowedFd<'_>, watched: &UnixStream) -> io::Result<Answered> {
    let mut packets = Vec::new();
    loop {
        let packet = watched.async_io(Interest::READABLE, || receive(socket)).await?;
        if !packet.starts_with(&MAGIC)
            && let Ok(Record::End(End { outcome })) = Record::from_bytes(&packet)
        {
            return Ok(Answered { packets, outcome });
        }
        packets.push(packet);
    }
}

fn receive(socket: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    // One byte more than the longest packet, so that a longer one shows as one.
    let mut bytes = vec![0; REPORT_BYTES + 1];
    match socket::receive(socket, &mut bytes) {
        Ok(Some(packet)) => {
            bytes.truncate(packet.bytes);
            bytes.shrink_to_fit();
            Ok(bytes)
        }
        Ok(None) => Err(gone()),
        Err(ReceiveError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn gone() -> io::Error {
    let text = "the supervisor closed the connection on which this worker asks it";
    io::Error::new(io::ErrorKind::ConnectionAborted, text)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
