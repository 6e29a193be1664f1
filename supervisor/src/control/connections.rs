//! The supervisor's end of the control socket: few connections, one request of each per turn.
//!
//! Nothing here waits: an answer that the socket does not take is queued, a client that does not
//! read is dropped as soon as another one wants its place.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use bailiwick_sys::outbox::{Flushed, Outbox};
use bailiwick_sys::socket::{self, ReceiveError};

use super::{End, Outcome, REQUEST_BYTES, Record, Request};

/// Connections at a time.
pub const CONNECTIONS_MAX: usize = 16;

/// Names a connection; never used again in the life of a supervisor.
pub type ConnectionId = u32;

/// All connections to the control socket.
#[derive(Debug)]
pub struct Connections {
    listener: UnixListener,
    /// Nothing but a place in the table of descriptors.
    reserve: Option<OwnedFd>,
    open: BTreeMap<ConnectionId, Connection>,
    next: ConnectionId,
}

#[derive(Debug)]
struct Connection {
    socket: OwnedFd,
    answer: Outbox<()>,
    work: Work,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    /// Nothing.
    Idle,
    /// An answer to a request that only looks: its place is worth less than an operator's.
    Looks,
    /// The end of an order.
    Orders,
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
        let mut connections =
            Self { listener: UnixListener::from(listener), reserve: None, open: BTreeMap::new(), next: 0 };
        connections.refill();
        connections
    }

    /// Returns the listening socket, to wait for it.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Takes another listening socket and returns the former one.
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

    /// Accepts one connection; `None` if there is none or its user may not operate.
    ///
    /// Only root and the supervisor's own user may: the socket's mode already says so, and the
    /// kernel's word is asked in case the folder was opened to others.
    pub fn accept(&mut self) -> Option<ConnectionId> {
        let (stream, _) = self.take().ok()?;
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
        self.open.insert(id, Connection { socket, answer: Outbox::new(), work: Work::Idle });
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
        // Whoever sends a second request before it has read the answer to the first does not speak the protocol, and
        // its answers would pile up.
        if connection.work != Work::Idle || !connection.answer.is_empty() {
            return self.close(id);
        }
        match Request::from_bytes(&bytes[..length]) {
            Ok(request) => {
                connection.work = if request.verb.only_looks() { Work::Looks } else { Work::Orders };
                Turn::Asked(request)
            }
            Err(_) => {
                self.answer(id, [], Outcome::Malformed);
                Turn::Idle
            }
        }
    }

    /// Queues the answer to a request and writes what the socket takes.
    pub fn answer(&mut self, id: ConnectionId, packets: impl IntoIterator<Item = Vec<u8>>, outcome: Outcome) {
        let Some(connection) = self.open.get_mut(&id) else { return };
        let end = Record::End(End { outcome }).to_bytes().to_vec();
        for packet in packets.into_iter().chain([end]) {
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
    /// client that waits would wake the loop for ever, and an operator is most needed then.
    fn take(&mut self) -> io::Result<(UnixStream, SocketAddr)> {
        let is_full =
            |error: &io::Error| matches!(error.raw_os_error(), Some(nix::libc::EMFILE | nix::libc::ENFILE));
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
        let idlest = self.open.iter().min_by_key(|(_, connection)| connection.work);
        let id = idlest.filter(|(_, connection)| connection.work != Work::Orders).map(|(id, _)| *id);
        id.is_some_and(|id| self.open.remove(&id).is_some())
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::super::{Client, ClientError, Goal, RECORD_BYTES, Target, Text, Verb};
    use super::*;
    use crate::state_dir::StateDir;

    struct Fixture {
        _folder: tempfile::TempDir,
        state: StateDir,
        connections: Connections,
    }

    fn fixture() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let mut state = StateDir::claim(&folder.path().join("state")).unwrap();
        let connections = Connections::new(state.listen().unwrap());
        Fixture { _folder: folder, state, connections }
    }

    fn raw(path: &Path) -> OwnedFd {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
        use std::os::fd::AsRawFd;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let client = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).unwrap();
        let address = UnixAddr::new(&path.join(super::super::SOCKET_NAME)).unwrap();
        connect(client.as_raw_fd(), &address).unwrap();
        client
    }

    fn status() -> [u8; REQUEST_BYTES] {
        request(Verb::Status)
    }

    fn request(verb: Verb) -> [u8; REQUEST_BYTES] {
        Request { verb, target: Target::System, deadline: Duration::from_secs(1) }.to_bytes()
    }

    fn outcome(client: &OwnedFd) -> Option<Record> {
        let mut bytes = [0; RECORD_BYTES];
        let packet = socket::receive(client.as_fd(), &mut bytes).ok()??;
        Record::from_bytes(&bytes[..packet.bytes]).ok()
    }

    #[test]
    fn a_request_is_answered_and_another_may_follow() {
        let mut fixture = fixture();
        let client = raw(fixture.state.path());
        let id = fixture.connections.accept().unwrap();
        for _ in 0..2 {
            socket::send(client.as_fd(), &[IoSlice::new(&status())], &[]).unwrap();
            assert!(matches!(fixture.connections.read(id), Turn::Asked(_)));
            fixture.connections.answer(id, [], Outcome::Done);
            assert_eq!(outcome(&client), Some(Record::End(End { outcome: Outcome::Done })));
        }
        drop(client);
        assert_eq!(fixture.connections.read(id), Turn::Gone);
    }

    #[test]
    fn a_malformed_request_is_answered_and_a_second_at_once_is_the_last() {
        let mut fixture = fixture();
        let client = raw(fixture.state.path());
        let id = fixture.connections.accept().unwrap();
        socket::send(client.as_fd(), &[IoSlice::new(b"status please")], &[]).unwrap();
        assert_eq!(fixture.connections.read(id), Turn::Idle);
        assert_eq!(outcome(&client), Some(Record::End(End { outcome: Outcome::Malformed })));
        for _ in 0..2 {
            socket::send(client.as_fd(), &[IoSlice::new(&status())], &[]).unwrap();
        }
        assert!(matches!(fixture.connections.read(id), Turn::Asked(_)));
        assert_eq!(fixture.connections.read(id), Turn::Gone);
    }

    #[test]
    fn one_client_too_many_takes_the_place_of_the_oldest_idle_one() {
        let mut fixture = fixture();
        let mut clients = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            clients.push(raw(fixture.state.path()));
            ids.push(fixture.connections.accept().unwrap());
        }
        // The oldest waits for an order, the next only looks, so the third goes, as long as it waits for nothing.
        for (number, verb) in [(0, Verb::Stop), (1, Verb::Wait(Goal::Ready))] {
            socket::send(clients[number].as_fd(), &[IoSlice::new(&request(verb))], &[]).unwrap();
            assert!(matches!(fixture.connections.read(ids[number]), Turn::Asked(_)));
        }
        clients.push(raw(fixture.state.path()));
        assert!(fixture.connections.accept().is_some());
        let is_open = |fixture: &Fixture, number: usize| fixture.connections.socket(ids[number]).is_some();
        assert_eq!([0, 1, 2].map(|number| is_open(&fixture, number)), [true, true, false]);
        for number in 3..CONNECTIONS_MAX {
            socket::send(clients[number].as_fd(), &[IoSlice::new(&request(Verb::Stop))], &[]).unwrap();
            assert!(matches!(fixture.connections.read(ids[number]), Turn::Asked(_)));
        }
        for is_last in [false, true] {
            clients.push(raw(fixture.state.path()));
            let id = fixture.connections.accept().expect("an operator is let in");
            let client = clients.last().unwrap();
            socket::send(client.as_fd(), &[IoSlice::new(&request(Verb::Stop))], &[]).unwrap();
            assert!(matches!(fixture.connections.read(id), Turn::Asked(_)));
            assert_eq!([0, 1].map(|number| is_open(&fixture, number)), [true, !is_last]);
        }
    }

    #[test]
    fn a_client_that_asks_and_does_not_read_is_dropped() {
        let mut fixture = fixture();
        let client = raw(fixture.state.path());
        let id = fixture.connections.accept().unwrap();
        let text = || Record::Text(Text { text: "x".into(), ends: true }).to_bytes().to_vec();
        socket::send(client.as_fd(), &[IoSlice::new(&status())], &[]).unwrap();
        assert!(matches!(fixture.connections.read(id), Turn::Asked(_)));
        fixture.connections.answer(id, std::iter::repeat_with(text).take(10_000), Outcome::Done);
        assert!(fixture.connections.has_answer(id), "more than a socket holds");
        socket::send(client.as_fd(), &[IoSlice::new(&status())], &[]).unwrap();
        assert_eq!(fixture.connections.read(id), Turn::Gone);
    }

    #[test]
    fn a_client_without_a_supervisor_names_the_path_that_it_tried() {
        let folder = tempfile::tempdir().unwrap();
        let error = Client::connect(folder.path()).unwrap_err();
        assert!(
            matches!(&error, ClientError::Unreachable { path, .. } if path.starts_with(folder.path())),
            "{error}"
        );
    }
}
