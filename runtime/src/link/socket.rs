//! Packets over a socket, with their descriptors.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bailiwick_sys::link_pair::take;
use bailiwick_sys::socket::{Packet, ReceiveError, SendError, receive, send};
use bailiwick_wire::descriptors::Came;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::outbox::Outbox;
use super::pages::Pages;
use super::transport::{Joined, Read, Sink, Source, Stopped};

/// A socket of packets that the executor watches. Only the readiness is the executor's business: sending and
/// receiving are our own, for the sake of descriptors.
///
/// It is watched for room only while it is full: whoever is watched for room is woken by each packet that its peer reads.
pub(super) struct Socket {
    fd: Arc<OwnedFd>,
    /// None once the executor could not watch it any more: it has ended then.
    watch: Option<AsyncFd<Arc<OwnedFd>>>,
    awaits_room: bool,
}

/// The half that reads.
pub(super) struct SocketSource(Socket);

/// The half that writes.
pub(super) struct SocketSink(Arc<OwnedFd>);

/// Takes the memory out of an end of a link, and has the executor of the calling thread watch its socket.
///
/// # Errors
/// When there is no memory in it, it cannot be mapped, or the executor cannot watch the socket.
pub(super) fn join(socket: OwnedFd) -> io::Result<Joined> {
    let (memory, end) = take(socket.as_fd(), 0).map_err(|failed| io::Error::from(failed.errno))?;
    let socket = Socket::watch(socket)?;
    let sink = Sink::Socket(SocketSink(socket.shared()));
    let source = Source::Socket(SocketSource(socket));
    Ok(Joined { source, sink, pages: Pages::new(Arc::new(memory), end) })
}

impl Socket {
    /// Has the executor of the calling thread watch a socket.
    pub(super) fn watch(socket: OwnedFd) -> io::Result<Self> {
        let socket = UnixDatagram::from(socket);
        socket.set_nonblocking(true)?;
        let fd: Arc<OwnedFd> = Arc::new(socket.into());
        let watch = Some(watched(&fd, Interest::READABLE)?);
        Ok(Self { fd, watch, awaits_room: false })
    }

    /// Returns it for who writes.
    pub(super) fn shared(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.fd)
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Receives one packet; `None` at the end.
    pub(super) fn poll_receive(
        &self,
        task: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<Option<Packet>, ReceiveError>> {
        let Some(watch) = &self.watch else { return Poll::Ready(Ok(None)) };
        loop {
            let Ok(mut guard) = ready!(watch.poll_read_ready(task)) else { return Poll::Ready(Ok(None)) };
            match receive_all(self.fd.as_fd(), buffer) {
                // The executor watches again.
                Err(ReceiveError::WouldBlock) => guard.clear_ready(),
                received => return Poll::Ready(received),
            }
        }
    }

    /// Ready unless it was full and still is.
    pub(super) fn poll_writable(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if !self.awaits_room {
            return Poll::Ready(());
        }
        // Where it is not watched any more, reading comes to the end.
        let Some(watch) = &self.watch else { return Poll::Pending };
        if ready!(watch.poll_write_ready(task)).is_ok() {
            self.watch_for(Interest::READABLE, task);
        }
        Poll::Ready(())
    }

    /// Notes that it is full: the task is woken when it no longer is.
    pub(super) fn is_full(&mut self, task: &Context<'_>) {
        self.watch_for(Interest::READABLE | Interest::WRITABLE, task);
    }

    fn watch_for(&mut self, interest: Interest, task: &Context<'_>) {
        // The executor watches a descriptor once.
        self.watch = None;
        self.watch = watched(&self.fd, interest).ok();
        self.awaits_room = interest.is_writable();
        // Who was to be woken by the former watch is woken by none: it has to look again.
        task.waker().wake_by_ref();
    }
}

/// Has the executor of the calling thread watch a descriptor for this.
// What is deprecated takes whatever calls itself a descriptor; this one is open as long as somebody holds it.
#[allow(deprecated)]
fn watched(fd: &Arc<OwnedFd>, interest: Interest) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::with_interest(Arc::clone(fd), interest)
}

impl SocketSource {
    pub(super) fn socket(&mut self) -> &mut Socket {
        &mut self.0
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
        Ok(Some(mut packet)) => {
            let fds = std::mem::take(&mut packet.fds);
            Read::Packet(packet, fds.into_iter().map(Came::Fd).collect())
        }
        Ok(None) | Err(_) => Read::Ended,
    }
}

impl SocketSink {
    pub(super) fn write(&mut self, outbox: &mut Outbox) -> (u64, Stopped) {
        let mut frames = 0;
        while let Some(packet) = outbox.first() {
            // What is lent over another transport is no descriptor here, and none is in the outbox.
            let Some(fds) = packet.fds.iter().map(|carried| carried.fd()).collect::<Option<Vec<_>>>() else {
                return (frames, Stopped::Gone);
            };
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
