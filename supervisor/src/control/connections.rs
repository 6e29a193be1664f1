//! The supervisor's end of the control socket: what travels over its connections, and who may connect.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::os::fd::OwnedFd;

use bailiwick_core::berth::Berth;
use bailiwick_sys::connections::{self, Terms};

pub use bailiwick_sys::connections::ConnectionId;

use super::{End, Outcome, REQUEST_BYTES, Record, Request};

/// Connections at a time.
pub const CONNECTIONS_MAX: usize = 16;

/// All connections to the control socket, and those that workers are given.
#[derive(Debug)]
pub struct Connections {
    open: connections::Connections,
    /// Whose life each was given to.
    given: BTreeMap<ConnectionId, Berth>,
}

/// What came of looking at one connection.
pub type Turn = connections::Turn<Request>;

impl Connections {
    /// Takes a listening, non-blocking socket.
    ///
    /// Only root and the supervisor's own user may connect: the socket's mode already says so, and the
    /// kernel's word is asked in case the folder was opened to others.
    pub fn new(listener: OwnedFd) -> Self {
        let terms = Terms {
            most: CONNECTIONS_MAX,
            request_bytes: REQUEST_BYTES,
            not_permitted: end(Outcome::NotPermitted),
            too_many: end(Outcome::TimedOut),
        };
        Self { open: connections::Connections::new(listener, terms), given: BTreeMap::new() }
    }

    /// Takes the supervisor's end of a connection whose other end the life in this berth is given.
    pub fn give(&mut self, to: Berth, socket: OwnedFd) -> ConnectionId {
        let id = self.open.give(socket);
        self.given.insert(id, to);
        id
    }

    /// Returns in which berth the life is that asks over a connection which it was given.
    pub fn asker(&self, id: ConnectionId) -> Option<Berth> {
        self.given.get(&id).copied()
    }

    /// Returns what the life in a berth was given.
    pub fn given_to(&self, berth: Berth) -> Vec<ConnectionId> {
        self.given.iter().filter(|(_, to)| **to == berth).map(|(id, _)| *id).collect()
    }

    /// Closes what the life in a berth was given.
    pub fn take_back(&mut self, berth: Berth) {
        for id in self.given_to(berth) {
            self.given.remove(&id);
            self.open.end(id);
        }
    }

    /// Reads at most one request of a connection that waits for none.
    pub fn read(&mut self, id: ConnectionId) -> Turn {
        let asked = match self.open.read(id) {
            connections::Turn::Idle => return Turn::Idle,
            connections::Turn::Gone => {
                self.given.remove(&id);
                return Turn::Gone;
            }
            connections::Turn::Asked(bytes) => Request::from_bytes(&bytes),
        };
        match &asked {
            Ok(request) if request.verb.only_looks() => self.open.looks(id),
            Ok(_) => {}
            Err(_) => self.answer(id, [], Outcome::Malformed),
        }
        asked.map_or(Turn::Idle, Turn::Asked)
    }

    /// Queues the answer to a request and writes what the socket takes.
    pub fn answer(&mut self, id: ConnectionId, packets: impl IntoIterator<Item = Vec<u8>>, outcome: Outcome) {
        self.open.answer(id, packets.into_iter().chain([end(outcome)]));
    }
}

impl Deref for Connections {
    type Target = connections::Connections;

    fn deref(&self) -> &Self::Target {
        &self.open
    }
}

impl DerefMut for Connections {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.open
    }
}

fn end(outcome: Outcome) -> Vec<u8> {
    Record::End(End { outcome }).to_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::os::fd::AsFd;
    use std::path::Path;
    use std::time::Duration;

    use bailiwick_sys::socket;

    use super::super::{Client, ClientError, Goal, RECORD_BYTES, Target, Text, Verb};
    use super::*;
    use crate::state_dir::StateDir;
    use crate::tests::hangup::wait_for_hangup;

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
        wait_for_hangup(fixture.connections.socket(id).unwrap());
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
