//! A worker's end of descriptor 3.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use bailiwick_sys::Failed;
use bailiwick_sys::events;
use bailiwick_sys::inherited;
use bailiwick_sys::socket::{self, ReceiveError, SendError};
use bailiwick_wire::bootstrap::{BOOTSTRAP_BYTES, Bootstrap, BootstrapError};
use bailiwick_wire::control::{ControlError, RECORD_BYTES, ToSupervisor, ToWorker};
use thiserror::Error;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// How long the supervisor may take to read a report before the worker gives it up.
const SEND_LIMIT_MS: u32 = 5_000;

/// The conversation with the supervisor.
#[derive(Debug)]
pub(crate) struct Line {
    socket: OwnedFd,
}

/// An order with the descriptor that belongs to it.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) order: ToWorker,
    pub(crate) fd: Option<OwnedFd>,
}

/// Why the conversation cannot go on.
#[derive(Debug, Error)]
pub(crate) enum LineError {
    #[error("the supervisor closed descriptor 3")]
    Closed,
    #[error("descriptor 3: {0}")]
    Receive(ReceiveError),
    #[error("descriptor 3: {0}")]
    Send(SendError),
    #[error("descriptor 3: {0}")]
    Kernel(#[from] Failed),
    #[error("the supervisor does not read what it is told")]
    TimedOut,
    #[error("the supervisor sent what does not decode: {0}")]
    Bootstrap(#[from] BootstrapError),
    #[error("the supervisor sent what is no order: {0}")]
    Order(#[from] ControlError),
}

impl Line {
    /// Takes descriptor 3; `None` if no supervisor is behind it.
    pub(crate) fn take() -> Option<Self> {
        inherited::take_control().map(|socket| Self { socket })
    }

    /// Waits for the first packet, and what is attached to it.
    pub(crate) fn bootstrap(&self) -> Result<(Bootstrap, Vec<OwnedFd>), LineError> {
        let mut bytes = vec![0; BOOTSTRAP_BYTES];
        loop {
            match socket::receive(self.socket.as_fd(), &mut bytes) {
                Ok(Some(packet)) => return Ok((Bootstrap::from_bytes(&bytes[..packet.bytes])?, packet.fds)),
                Ok(None) => return Err(LineError::Closed),
                Err(ReceiveError::WouldBlock) => drop(self.wait(events::Interest::READ, None)?),
                Err(error) => return Err(LineError::Receive(error)),
            }
        }
    }

    /// Waits for the permission to run the user's code. Returns the orders that came before it, and the folder of this
    /// process's threads.
    pub(crate) fn until_go(&self) -> Result<(Vec<Order>, Option<OwnedFd>), LineError> {
        let mut early = Vec::new();
        loop {
            match self.order()? {
                Some(Order { order: ToWorker::Go, fd }) => return Ok((early, fd)),
                Some(order) => early.push(order),
                None => drop(self.wait(events::Interest::READ, None)?),
            }
        }
    }

    /// Takes one order; `None` if there is none at present.
    pub(crate) fn order(&self) -> Result<Option<Order>, LineError> {
        let mut bytes = [0; RECORD_BYTES + 1];
        match socket::receive(self.socket.as_fd(), &mut bytes) {
            Ok(Some(packet)) => {
                let order = ToWorker::from_bytes(&bytes[..packet.bytes])?;
                Ok(Some(Order { order, fd: packet.fds.into_iter().next() }))
            }
            Ok(None) => Err(LineError::Closed),
            Err(ReceiveError::WouldBlock) => Ok(None),
            Err(ReceiveError::Reset) => Err(LineError::Closed),
            Err(error) => Err(LineError::Receive(error)),
        }
    }

    /// Says something to the supervisor. Waits for room, but not for ever.
    pub(crate) fn report(&self, report: &ToSupervisor, fd: Option<BorrowedFd<'_>>) -> Result<(), LineError> {
        let fds: Vec<_> = fd.into_iter().collect();
        self.send_with(&report.to_bytes(), &fds)
    }

    /// Sends one packet of another kind.
    pub(crate) fn send(&self, packet: &[u8]) -> Result<(), LineError> {
        self.send_with(packet, &[])
    }

    fn send_with(&self, packet: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), LineError> {
        loop {
            match socket::send(self.socket.as_fd(), &[IoSlice::new(packet)], fds) {
                Ok(_) => return Ok(()),
                Err(SendError::WouldBlock) => {
                    let writable = events::Interest { readable: false, writable: true, priority: false };
                    if !self.wait(writable, Some(SEND_LIMIT_MS))? {
                        return Err(LineError::TimedOut);
                    }
                }
                Err(SendError::Closed) => return Err(LineError::Closed),
                Err(error) => return Err(LineError::Send(error)),
            }
        }
    }

    /// Blocks until the socket is as wished; `false` if the time ran out.
    fn wait(&self, interest: events::Interest, limit_ms: Option<u32>) -> Result<bool, Failed> {
        // Without a descriptor more, since they are counted while this waits for `Go`.
        events::wait_for_one(&self.socket, interest, limit_ms)
    }
}

/// The orders as they come, for an executor to wait for.
pub(crate) struct Orders {
    line: Arc<Line>,
    /// The same socket under a type that the executor can watch.
    watched: UnixStream,
}

impl Orders {
    /// Watches the line from the current executor.
    pub(crate) fn new(line: Arc<Line>) -> std::io::Result<Self> {
        let watched = UnixStream::from_std(line.socket.try_clone()?.into())?;
        Ok(Self { line, watched })
    }

    /// Waits for the next order. Dropping the future loses none.
    pub(crate) async fn next(&self) -> Result<Order, LineError> {
        let take = || match self.line.order() {
            Ok(Some(order)) => Ok(Ok(order)),
            Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Ok(Err(error)),
        };
        match self.watched.async_io(Interest::READABLE, take).await {
            Ok(taken) => taken,
            // The executor is being taken down.
            Err(_) => Err(LineError::Closed),
        }
    }
}
