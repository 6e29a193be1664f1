//! The supervisor's end of one worker's descriptor 3.
//!
//! Orders go out in order and without waiting: what the socket does not take is queued, and the
//! queue is bounded, because news of a peer that is not sent yet gives way to later news of it.
//! What comes in was written by somebody who may be hostile.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub use bailiwick_sys::outbox::Flushed;
use bailiwick_sys::outbox::Outbox;
use bailiwick_sys::socket::{self, LostFds, ReceiveError};
use bailiwick_wire::control::{ControlError, RECORD_BYTES, ToSupervisor, ToWorker};
use thiserror::Error;

/// Orders that may wait beside those about peers, of which there are at most six for each: a link, a succession and
/// an end of either of its two lives.
const SPARE_ORDERS: usize = 64;

/// One worker's descriptor 3 as the supervisor holds it.
#[derive(Debug)]
pub struct Line {
    socket: OwnedFd,
    queue: Outbox<Option<ToWorker>>,
    capacity: usize,
}

/// What came of looking for a report.
#[derive(Debug)]
pub enum Received {
    /// There is none at present.
    Nothing,
    /// One report, with the descriptor that belongs to it unless our own table was full.
    Report(ToSupervisor, Option<OwnedFd>),
    /// The worker closed its end; there will be no more.
    Closed,
}

/// Why a worker's descriptor 3 cannot be used any further.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineError {
    /// It sent what is no record.
    #[error("a packet of {bytes} bytes is no report: {error}")]
    Malformed {
        /// The bytes that arrived.
        bytes: usize,
        /// What is wrong with them.
        error: ControlError,
    },
    /// It attached descriptors to a report that carries none, or none where one belongs.
    #[error("{found} descriptors came with a report, expected {expected}")]
    Descriptors {
        /// How many came.
        found: usize,
        /// How many belong to the report.
        expected: usize,
    },
    /// It does not read what it is told.
    #[error("{limit} orders wait to be read")]
    Overrun {
        /// How many may wait.
        limit: usize,
    },
}

impl Line {
    /// Takes the supervisor's end for a worker that has this many peers.
    pub fn new(socket: OwnedFd, peers: usize) -> Self {
        Self { socket, queue: Outbox::new(), capacity: 6 * peers + SPARE_ORDERS }
    }

    /// Makes room for the orders about so many more peers.
    pub fn add_peers(&mut self, peers: usize) {
        self.capacity += 6 * peers;
    }

    /// Returns the socket, to wait for it.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Queues the first packet.
    pub fn bootstrap(&mut self, packet: Vec<u8>, fds: Vec<OwnedFd>) {
        self.queue.push(None, packet, fds);
    }

    /// Queues an order, with the descriptor that belongs to it.
    ///
    /// # Errors
    /// [`LineError::Overrun`] if too many wait.
    pub fn send(&mut self, order: ToWorker, fd: Option<OwnedFd>) -> Result<(), LineError> {
        if self.is_superseded(&order) {
            return Ok(());
        }
        if self.queue.len() >= self.capacity {
            return Err(LineError::Overrun { limit: self.capacity });
        }
        let bytes = order.to_bytes().to_vec();
        self.queue.push(Some(order), bytes, fd.into_iter().collect());
        Ok(())
    }

    /// Sends what the socket takes now.
    pub fn flush(&mut self) -> Flushed {
        self.queue.flush(self.socket.as_fd())
    }

    /// Reads one report.
    ///
    /// # Errors
    /// What an honest worker cannot have sent.
    pub fn receive(&mut self) -> Result<Received, LineError> {
        // One byte more than a record, so that a longer packet shows as one.
        let mut bytes = [0; RECORD_BYTES + 1];
        let packet = match socket::receive(self.socket.as_fd(), &mut bytes) {
            Ok(Some(packet)) => packet,
            Err(ReceiveError::WouldBlock) => return Ok(Received::Nothing),
            Ok(None) | Err(_) => return Ok(Received::Closed),
        };
        let report = ToSupervisor::from_bytes(&bytes[..packet.bytes])
            .map_err(|error| LineError::Malformed { bytes: packet.bytes, error })?;
        let expected = usize::from(report.carries_fd());
        // A descriptor that did not fit into our own full table is nobody's guilt.
        if packet.lost != Some(LostFds::TableFull) && packet.fds.len() != expected {
            return Err(LineError::Descriptors { found: packet.fds.len(), expected });
        }
        Ok(Received::Report(report, packet.fds.into_iter().next()))
    }

    /// Lets later news of a life of a peer take the place of earlier news that is not sent yet.
    ///
    /// A link that the worker has not seen goes with the end of that life, which then need not be told either, and
    /// with its next link on the same side.
    fn is_superseded(&mut self, order: &ToWorker) -> bool {
        let before = self.queue.len();
        self.queue.retain(|earlier| !earlier.as_ref().is_some_and(|link| order.supersedes_link(link)));
        let is_unknown = matches!(order, ToWorker::PeerDown { .. }) && self.queue.len() < before;
        if is_unknown {
            self.queue.retain(|earlier| earlier.as_ref().is_none_or(|about| about.peer() != order.peer()));
        }
        is_unknown
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::*;
    use crate::tests::hangup::wait_for_hangup;

    fn pair(peers: usize) -> (Line, OwnedFd) {
        let (ours, theirs) = socket::pair(socket::Kind::SeqPacket).unwrap();
        (Line::new(ours, peers), theirs)
    }

    fn fd() -> Option<OwnedFd> {
        Some(nix::unistd::pipe().unwrap().0)
    }

    fn link(generation: u32) -> ToWorker {
        ToWorker::Link { peer: 7, generation, beside: false, uid: None, ring: false }
    }

    fn beside(generation: u32) -> ToWorker {
        ToWorker::Link { peer: 7, generation, beside: true, uid: None, ring: false }
    }

    fn succeed(generation: u32) -> ToWorker {
        ToWorker::Succeed { peer: 7, generation }
    }

    fn down(generation: u32) -> ToWorker {
        ToWorker::PeerDown { peer: 7, generation, cause: 0 }
    }

    fn received(worker: &OwnedFd) -> Vec<(ToWorker, usize)> {
        let mut bytes = [0; RECORD_BYTES];
        let mut orders = Vec::new();
        while let Ok(Some(packet)) = socket::receive(worker.as_fd(), &mut bytes) {
            orders.push((ToWorker::from_bytes(&bytes[..packet.bytes]).unwrap(), packet.fds.len()));
        }
        orders
    }

    #[test]
    fn news_of_a_peer_that_is_not_sent_yet_gives_way_to_later_news() {
        let (mut line, worker) = pair(1);
        for (order, fd) in
            [(down(1), None), (link(2), fd()), (down(2), None), (link(3), fd()), (link(3), fd())]
        {
            line.send(order, fd).unwrap();
        }
        assert_eq!(line.flush(), Flushed::Empty);
        assert_eq!(received(&worker), [(down(1), 0), (link(3), 1)]);
    }

    #[test]
    fn two_lives_of_a_peer_are_told_of_side_by_side_and_in_order() {
        let (mut line, worker) = pair(1);
        let links = [link(1), beside(2), succeed(2), link(2)];
        for order in links.clone() {
            let fd = if order.carries_fd() { fd() } else { None };
            line.send(order, fd).unwrap();
        }
        line.flush();
        assert_eq!(received(&worker), links.map(|order| (order.clone(), usize::from(order.carries_fd()))));
    }

    #[test]
    fn who_came_and_went_unseen_succeeded_nobody() {
        let (mut line, worker) = pair(1);
        line.send(link(1), fd()).unwrap();
        line.flush();
        line.send(beside(2), fd()).unwrap();
        line.send(succeed(2), None).unwrap();
        line.send(down(1), None).unwrap();
        line.send(beside(3), fd()).unwrap();
        line.send(succeed(3), None).unwrap();
        line.send(down(2), None).unwrap();
        line.flush();
        assert_eq!(received(&worker), [(link(1), 1), (down(1), 0), (beside(3), 1), (succeed(3), 0)]);
    }

    #[test]
    fn what_was_sent_of_a_life_that_succeeded_is_followed_by_its_end() {
        let (mut line, worker) = pair(1);
        line.send(beside(2), fd()).unwrap();
        line.flush();
        line.send(succeed(2), None).unwrap();
        line.send(down(2), None).unwrap();
        line.flush();
        assert_eq!(received(&worker), [(beside(2), 1), (succeed(2), 0), (down(2), 0)]);
    }

    #[test]
    fn peers_that_are_replaced_for_ever_never_overrun_a_line() {
        let (mut line, _worker) = pair(1);
        line.send(link(1), fd()).unwrap();
        for generation in 2..10_000 {
            line.send(beside(generation), fd()).unwrap();
            line.send(succeed(generation), None).unwrap();
            line.send(down(generation - 1), None).unwrap();
        }
        assert!(line.queue.len() <= 6);
    }

    #[test]
    fn news_that_was_sent_is_followed_by_its_end() {
        let (mut line, worker) = pair(1);
        line.send(link(1), fd()).unwrap();
        line.flush();
        line.send(down(1), None).unwrap();
        line.flush();
        assert_eq!(received(&worker), [(link(1), 1), (down(1), 0)]);
    }

    #[test]
    fn a_worker_that_reads_nothing_overruns_at_the_limit_and_not_before() {
        let (mut line, _worker) = pair(3);
        let limit = 6 * 3 + SPARE_ORDERS;
        for _ in 0..limit {
            line.send(ToWorker::Drain { last: false }, None).unwrap();
        }
        assert_eq!(line.send(ToWorker::Drain { last: false }, None), Err(LineError::Overrun { limit }));
    }

    #[test]
    fn peers_that_come_and_go_for_ever_never_overrun_a_line() {
        let (mut line, _worker) = pair(1);
        for generation in 1..10_000 {
            line.send(link(generation), fd()).unwrap();
            line.send(down(generation), None).unwrap();
        }
    }

    #[test]
    fn what_an_honest_worker_cannot_have_sent_is_refused() {
        let report = ToSupervisor::Ready.to_bytes();
        let keep = ToSupervisor::Keep { name: "http".into() }.to_bytes();
        let (null, _) = nix::unistd::pipe().unwrap();
        let send = |bytes: &[u8], fds: &[BorrowedFd<'_>]| {
            let (mut line, worker) = pair(0);
            socket::send(worker.as_fd(), &[IoSlice::new(bytes)], fds).unwrap();
            line.receive()
        };
        assert!(matches!(send(&report, &[]), Ok(Received::Report(ToSupervisor::Ready, None))));
        assert!(matches!(send(&keep, &[null.as_fd()]), Ok(Received::Report(_, Some(_)))));
        for length in [1, RECORD_BYTES - 1] {
            assert!(
                matches!(send(&report[..length], &[]), Err(LineError::Malformed { bytes, .. }) if bytes == length)
            );
        }
        let long = [&report[..], &[0]].concat();
        assert!(
            matches!(send(&long, &[]), Err(LineError::Malformed { bytes, .. }) if bytes == RECORD_BYTES + 1)
        );
        let stray = send(&report, &[null.as_fd()]).unwrap_err();
        assert_eq!(stray, LineError::Descriptors { found: 1, expected: 0 });
        let missing = send(&keep, &[]).unwrap_err();
        assert_eq!(missing, LineError::Descriptors { found: 0, expected: 1 });
    }

    #[test]
    fn a_closed_end_is_told_apart_from_silence() {
        let (mut line, worker) = pair(0);
        assert!(matches!(line.receive(), Ok(Received::Nothing)));
        drop(worker);
        wait_for_hangup(line.socket());
        assert!(matches!(line.receive(), Ok(Received::Closed)));
        line.send(ToWorker::Stop { last: false }, None).unwrap();
        assert_eq!(line.flush(), Flushed::Closed);
    }
}
