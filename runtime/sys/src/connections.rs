//! A listening Unix socket and its connections: few of them, one request of each at a time, packets both ways.
//!
//! Nothing here waits: an answer that the socket does not take is queued, a client that does not read is dropped as soon
//! as it asks again, or as another one wants its place.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use nix::libc;
use nix::unistd::geteuid;

use crate::outbox::{Flushed, Outbox};
use crate::socket::{self, ReceiveError};
use crate::witness::Witness;

/// Names a connection; not used again before all other numbers were.
pub type ConnectionId = u32;

/// All connections to one socket.
#[derive(Debug)]
pub struct Connections {
    listener: UnixListener,
    terms: Terms,
    /// Nothing but a place in the table of descriptors.
    reserve: Option<OwnedFd>,
    open: BTreeMap<ConnectionId, Connection>,
    next: ConnectionId,
    /// Tells who is a worker, where it cannot be told by the user.
    witness: Option<Witness>,
}

/// On which terms connections are taken.
#[derive(Debug)]
pub struct Terms {
    /// Connections at a time.
    pub most: usize,
    /// The size of a request; what is longer is read one byte beyond it, so that it shows.
    pub request_bytes: usize,
    /// What a peer is told that is neither root nor this process's user.
    pub not_permitted: Vec<u8>,
    /// What a peer is told that comes when every place is taken by one that waits for an order.
    pub too_many: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    /// It was given to somebody: its place is nobody else's, and whoever has it keeps it.
    is_given: bool,
    socket: OwnedFd,
    answer: Outbox<()>,
    work: Work,
}

/// What a connection waits for. Whoever wants less gives way to others first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    Idle,
    Looks,
    Orders,
}

/// What came of looking at one connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<T = Vec<u8>> {
    /// Nothing to do.
    Idle,
    /// A request to answer with [`Connections::answer`]; its sender gives way to nobody until then, unless it
    /// [only looks](Connections::looks).
    Asked(T),
    /// The connection is gone.
    Gone,
}

impl Connections {
    /// Takes a listening, non-blocking socket.
    pub fn new(listener: OwnedFd, terms: Terms) -> Self {
        let listener = UnixListener::from(listener);
        let witness = if geteuid().is_root() { None } else { Witness::call() };
        let mut connections =
            Self { listener, terms, reserve: None, open: BTreeMap::new(), next: 0, witness };
        connections.refill();
        connections
    }

    /// Returns the listening socket, to wait for it.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Listens at another socket, and returns the former.
    pub fn replace(&mut self, listener: OwnedFd) -> OwnedFd {
        std::mem::replace(&mut self.listener, UnixListener::from(listener)).into()
    }

    /// Returns the connection's socket, to wait for it.
    pub fn socket(&self, id: ConnectionId) -> Option<BorrowedFd<'_>> {
        self.open.get(&id).map(|connection| connection.socket.as_fd())
    }

    /// Returns whether something waits to be written to the connection.
    pub fn has_answer(&self, id: ConnectionId) -> bool {
        self.open.get(&id).is_some_and(|connection| !connection.answer.is_empty())
    }

    /// Accepts one connection; `None` if there is none, its user may not connect, or everybody else is busy.
    pub fn accept(&mut self) -> Option<ConnectionId> {
        let (stream, _) = self.take().ok()?;
        stream.set_nonblocking(true).ok()?;
        let socket = OwnedFd::from(stream);
        let peer = socket::peer_credentials(socket.as_fd()).ok()?;
        // Without root a worker that may execute programs has the same user, and nothing but this keeps it from orders.
        let is_worker = |witness: &Witness| peer.uid != 0 && witness.is_confined(peer.pid);
        let is_stranger = peer.uid != 0 && peer.uid != geteuid().as_raw();
        if is_stranger || self.witness.as_ref().is_some_and(is_worker) {
            refuse(socket.as_fd(), &self.terms.not_permitted);
            return None;
        }
        let taken = self.open.values().filter(|connection| !connection.is_given).count();
        if taken >= self.terms.most && !self.drop_idlest() {
            refuse(socket.as_fd(), &self.terms.too_many);
            return None;
        }
        Some(self.add(socket, false))
    }

    /// Takes this end of a pair, whose other end somebody is given. It counts as no connection, and gives way to none.
    pub fn give(&mut self, socket: OwnedFd) -> ConnectionId {
        // Nobody has a descriptor to send here; an older kernel lets them come, and they are closed when they are read.
        let _ = socket::refuse_fds(socket.as_fd());
        self.add(socket, true)
    }

    /// Closes a connection.
    pub fn end(&mut self, id: ConnectionId) {
        self.open.remove(&id);
    }

    fn add(&mut self, socket: OwnedFd, is_given: bool) -> ConnectionId {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.open.insert(id, Connection { is_given, socket, answer: Outbox::new(), work: Work::Idle });
        id
    }

    /// Reads at most one request of a connection that waits for none.
    pub fn read(&mut self, id: ConnectionId) -> Turn {
        let Some(connection) = self.open.get_mut(&id) else { return Turn::Gone };
        let mut bytes = vec![0; self.terms.request_bytes + 1];
        match socket::receive(connection.socket.as_fd(), &mut bytes) {
            Ok(Some(packet)) => bytes.truncate(packet.bytes),
            Err(ReceiveError::WouldBlock) => return Turn::Idle,
            Ok(None) | Err(_) => return self.close(id),
        }
        // Whoever sends a second request before it has read the answer to the first does not speak the protocol, and
        // its answers would pile up.
        if connection.work != Work::Idle || !connection.answer.is_empty() {
            return self.close(id);
        }
        connection.work = Work::Orders;
        Turn::Asked(bytes)
    }

    /// Notes that what a connection has asked changes nothing: it gives way to those who order.
    pub fn looks(&mut self, id: ConnectionId) {
        if let Some(connection) = self.open.get_mut(&id) {
            connection.work = Work::Looks;
        }
    }

    /// Queues the answer to a request and writes what the socket takes.
    pub fn answer(&mut self, id: ConnectionId, packets: impl IntoIterator<Item = Vec<u8>>) {
        let Some(connection) = self.open.get_mut(&id) else { return };
        for packet in packets {
            connection.answer.push((), packet, Vec::new());
        }
        connection.work = Work::Idle;
        self.flush(id);
    }

    /// Writes what the socket takes of what waits.
    pub fn flush(&mut self, id: ConnectionId) {
        let Some(connection) = self.open.get_mut(&id) else { return };
        if connection.answer.flush(connection.socket.as_fd()) == Flushed::Closed {
            self.close(id);
        }
    }

    /// Accepts even where the table of descriptors is full, at the price of the reserve or of an idle connection: a
    /// client that waits would wake its server for ever, and an operator is most needed then.
    fn take(&mut self) -> io::Result<(UnixStream, SocketAddr)> {
        let is_full = |error: &io::Error| matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
        self.refill();
        match self.listener.accept() {
            Err(error) if is_full(&error) && (self.reserve.take().is_some() || self.drop_idlest()) => {
                self.listener.accept()
            }
            other => other,
        }
    }

    /// Sets a descriptor aside again, if there is one to be had.
    fn refill(&mut self) {
        if self.reserve.is_none() {
            self.reserve = self.listener.as_fd().try_clone_to_owned().ok();
        }
    }

    /// Makes room by closing the oldest connection that waits for nothing, else the oldest that only looks.
    fn drop_idlest(&mut self) -> bool {
        let others = self.open.iter().filter(|(_, connection)| !connection.is_given);
        let idlest = others.min_by_key(|(_, connection)| connection.work);
        let id = idlest.filter(|(_, connection)| connection.work != Work::Orders).map(|(id, _)| *id);
        id.is_some_and(|id| self.open.remove(&id).is_some())
    }

    fn close(&mut self, id: ConnectionId) -> Turn {
        self.open.remove(&id);
        Turn::Gone
    }
}

/// Tells a peer why it is not served; whether it hears that is its own affair.
fn refuse(socket: BorrowedFd<'_>, why: &[u8]) {
    let _ = socket::send(socket, &[IoSlice::new(why)], &[]);
}
