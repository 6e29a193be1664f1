//! Packets over a socket, with their descriptors.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bailiwick_sys::socket::{Packet, ReceiveError, SendError, receive, send};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use super::outbox::Outbox;
use super::transport::{Read, Sink, Source, Stopped};

/// A socket of packets that the executor watches. Only the readiness is the executor's business: sending and
/// receiving are our own, for the sake of descriptors.
pub(super) struct Socket(UnixDatagram);

/// The half that reads.
pub(super) struct SocketSource(Arc<Socket>);

/// The half that writes.
pub(super) struct SocketSink(Arc<Socket>);

/// Has the executor of the calling thread watch a socket, and returns the two halves of the transport that it is.
///
/// # Errors
/// When the executor cannot watch it.
pub(super) fn halves(socket: OwnedFd) -> io::Result<(Source, Sink)> {
    let socket = Arc::new(Socket::watch(socket)?);
    Ok((Source::Socket(SocketSource(Arc::clone(&socket))), Sink::Socket(SocketSink(socket))))
}

impl Socket {
    /// Has the executor of the calling thread watch a socket.
    pub(super) fn watch(socket: OwnedFd) -> io::Result<Self> {
        let socket = net::UnixDatagram::from(socket);
        socket.set_nonblocking(true)?;
        UnixDatagram::from_std(socket).map(Self)
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Receives one packet; `None` at the end.
    pub(super) fn poll_receive(
        &self,
        task: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<Option<Packet>, ReceiveError>> {
        loop {
            if ready!(self.0.poll_recv_ready(task)).is_err() {
                return Poll::Ready(Ok(None));
            }
            let mut received = Err(ReceiveError::WouldBlock);
            // The executor watches again if there is nothing.
            let _ = self.0.try_io(Interest::READABLE, || {
                received = receive_all(self.as_fd(), buffer);
                let is_empty = matches!(received, Err(ReceiveError::WouldBlock));
                if is_empty { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            if !matches!(received, Err(ReceiveError::WouldBlock)) {
                return Poll::Ready(received);
            }
        }
    }

    pub(super) fn poll_writable(&self, task: &mut Context<'_>) -> Poll<()> {
        match self.0.poll_send_ready(task) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }

    /// Tells the executor that the socket was full, so that it watches it again.
    pub(super) fn is_full(&self) {
        let full = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        let _ = self.0.try_io(Interest::WRITABLE, full);
    }
}

impl SocketSource {
    pub(super) fn socket(&self) -> &Socket {
        &self.0
    }

    pub(super) fn poll(&mut self, task: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Read> {
        self.0.poll_receive(task, buffer).map(read)
    }

    /// Readiness may lag behind; only the socket itself knows that it is empty.
    pub(super) fn read_last(&mut self, buffer: &mut [u8]) -> Read {
        read(receive_all(self.0.as_fd(), buffer))
    }
}

fn read(received: Result<Option<Packet>, ReceiveError>) -> Read {
    match received {
        Ok(Some(packet)) => Read::Packet(packet),
        Ok(None) | Err(_) => Read::Ended,
    }
}

impl SocketSink {
    pub(super) fn write(&mut self, outbox: &mut Outbox) -> (u64, Stopped) {
        let mut frames = 0;
        while let Some(packet) = outbox.first() {
            let fds: Vec<_> = packet.fds.iter().map(|fd| fd.as_fd()).collect();
            match send(self.0.as_fd(), &[IoSlice::new(&packet.bytes)], &fds) {
                Ok(_) => frames += outbox.written(),
                Err(error) => return (frames, stopped(&error)),
            }
        }
        (frames, Stopped::Done)
    }
}

/// Returns what it means that a packet was not sent.
pub(super) fn stopped(error: &SendError) -> Stopped {
    match error {
        SendError::WouldBlock => Stopped::Full,
        SendError::NoRoom(_) => Stopped::NoRoom,
        // What is left cannot be written over this transport: an end of a packet socket takes all or nothing.
        _ => Stopped::Gone,
    }
}

/// Receives one packet. Of a peer that closed with packets unread the kernel first says just that, once; what it wrote
/// before is still there.
pub(super) fn receive_all(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Option<Packet>, ReceiveError> {
    match receive(socket, buffer) {
        Err(ReceiveError::Reset) => receive(socket, buffer),
        outcome => outcome,
    }
}
