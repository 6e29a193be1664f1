//! The supervisor's end of the control socket: few connections, one request of each per turn.
//!
//! Nothing here waits: an answer that the socket does not take is queued, a client that does not
//! read is dropped as soon as another one wants its place.

use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use bailiwick_sys::socket::{self, ReceiveError, SendError};

use super::{End, Outcome, RECORD_BYTES, REQUEST_BYTES, Record, Request};

/// Connections at a time.
pub const CONNECTIONS_MAX: usize = 16;

/// Names a connection; never used again in the life of a supervisor.
pub type ConnectionId = u32;

/// All connections to the control socket.
#[derive(Debug)]
pub struct Connections {
    listener: UnixListener,
    open: BTreeMap<ConnectionId, Connection>,
    next: ConnectionId,
}

#[derive(Debug)]
struct Connection {
    socket: OwnedFd,
    answer: VecDeque<[u8; RECORD_BYTES]>,
    /// A request was taken and its [`End`] is not queued yet.
    busy: bool,
}

/// What came of looking at one connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing to do.
    Idle,
    /// A request to answer with [`Connections::answer`].
    Asked(Request),
    /// The connection is gone.
    Gone,
}

impl Connections {
    /// Takes a listening, non-blocking socket.
    pub fn new(listener: OwnedFd) -> Self {
        Self { listener: UnixListener::from(listener), open: BTreeMap::new(), next: 0 }
    }

    /// Returns the listening socket, to wait for it.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Returns the connection's socket, to wait for it.
    pub fn socket(&self, id: ConnectionId) -> Option<BorrowedFd<'_>> {
        self.open.get(&id).map(|connection| connection.socket.as_fd())
    }

    /// Returns whether something waits to be written to the connection.
    pub fn has_answer(&self, id: ConnectionId) -> bool {
        self.open.get(&id).is_some_and(|connection| !connection.answer.is_empty())
    }

    /// Accepts one connection; `None` if there is none or its user may not operate.
    ///
    /// Only root and the supervisor's own user may: the socket's mode already says so, and the
    /// kernel's word is asked in case the folder was opened to others.
    pub fn accept(&mut self) -> Option<ConnectionId> {
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        let socket = OwnedFd::from(stream);
        let peer = socket::peer_credentials(socket.as_fd()).ok()?;
        if peer.uid != 0 && peer.uid != nix::unistd::geteuid().as_raw() {
            refuse(socket.as_fd(), Outcome::NotPermitted);
            return None;
        }
        if self.open.len() >= CONNECTIONS_MAX && !self.drop_idlest() {
            refuse(socket.as_fd(), Outcome::TimedOut);
            return None;
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.open.insert(id, Connection { socket, answer: VecDeque::new(), busy: false });
        Some(id)
    }

    /// Reads at most one request of a connection that waits for none.
    pub fn read(&mut self, id: ConnectionId) -> Turn {
        let Some(connection) = self.open.get_mut(&id) else { return Turn::Gone };
        let mut bytes = [0; REQUEST_BYTES + 1];
        let length = match socket::receive(connection.socket.as_fd(), &mut bytes) {
            Ok(Some(packet)) => packet.bytes,
            Err(ReceiveError::WouldBlock) => return Turn::Idle,
            Ok(None) | Err(_) => return self.close(id),
        };
        // Whoever sends a second request before the first is answered does not speak the protocol.
        if connection.busy {
            return self.close(id);
        }
        connection.busy = true;
        match Request::from_bytes(&bytes[..length]) {
            Ok(request) => Turn::Asked(request),
            Err(_) => {
                self.answer(id, [], Outcome::Malformed);
                Turn::Idle
            }
        }
    }

    /// Queues the answer to a request and writes what the socket takes.
    pub fn answer(&mut self, id: ConnectionId, records: impl IntoIterator<Item = Record>, outcome: Outcome) {
        let Some(connection) = self.open.get_mut(&id) else { return };
        connection.answer.extend(records.into_iter().map(|record| record.to_bytes()));
        connection.answer.push_back(Record::End(End { outcome }).to_bytes());
        connection.busy = false;
        self.flush(id);
    }

    /// Writes what the socket takes of what waits.
    pub fn flush(&mut self, id: ConnectionId) {
        let Some(connection) = self.open.get_mut(&id) else { return };
        while let Some(record) = connection.answer.front() {
            match socket::send(connection.socket.as_fd(), &[IoSlice::new(record)], &[]) {
                Ok(_) => drop(connection.answer.pop_front()),
                Err(SendError::WouldBlock | SendError::NoRoom(_)) => return,
                Err(_) => {
                    self.close(id);
                    return;
                }
            }
        }
    }

    /// Makes room by closing the oldest connection on which no order is under way.
    fn drop_idlest(&mut self) -> bool {
        let idle = self.open.iter().find(|(_, connection)| !connection.busy).map(|(id, _)| *id);
        idle.is_some_and(|id| self.open.remove(&id).is_some())
    }

    fn close(&mut self, id: ConnectionId) -> Turn {
        self.open.remove(&id);
        Turn::Gone
    }
}

/// Tells a peer why it is not served; whether it hears that is its own affair.
fn refuse(socket: BorrowedFd<'_>, outcome: Outcome) {
    let _ = socket::send(socket, &[IoSlice::new(&Record::End(End { outcome }).to_bytes())], &[]);
}
