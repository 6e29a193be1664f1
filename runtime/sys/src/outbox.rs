//! Packets that wait until a socket takes them, in order.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::socket::{self, SendError};

/// Packets in the order in which they are sent, each with a tag for its owner. How many wait is the owner's to bound.
#[derive(Debug)]
pub struct Outbox<T> {
    waiting: VecDeque<Waiting<T>>,
}

#[derive(Debug)]
struct Waiting<T> {
    tag: T,
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

/// What became of the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Everything is sent.
    Empty,
    /// The socket must become writable first.
    WhenWritable,
    /// The kernel has no room for descriptors; to be tried again later.
    Later,
    /// The other end is closed.
    Closed,
}

impl<T> Outbox<T> {
    /// Returns an empty one.
    pub fn new() -> Self {
        Self { waiting: VecDeque::new() }
    }

    /// Puts a packet behind the others, with the descriptors that travel with it.
    pub fn push(&mut self, tag: T, bytes: Vec<u8>, fds: Vec<OwnedFd>) {
        self.waiting.push_back(Waiting { tag, bytes, fds });
    }

    /// Returns how many packets wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Drops every packet that `keep` does not want, with its descriptors.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.waiting.retain(|waiting| keep(&waiting.tag));
    }

    /// Sends what `socket` takes now.
    pub fn flush(&mut self, socket: BorrowedFd<'_>) -> Flushed {
        while let Some(first) = self.waiting.front() {
            let fds: Vec<_> = first.fds.iter().map(AsFd::as_fd).collect();
            match socket::send(socket, &[IoSlice::new(&first.bytes)], &fds) {
                Ok(_) => drop(self.waiting.pop_front()),
                Err(SendError::WouldBlock) => return Flushed::WhenWritable,
                Err(SendError::NoRoom(_)) => return Flushed::Later,
                Err(_) => return Flushed::Closed,
            }
        }
        Flushed::Empty
    }
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_wait_in_order_until_there_is_room() {
        let (ours, theirs) = socket::pair(socket::Kind::SeqPacket).unwrap();
        let mut outbox = Outbox::new();
        for number in 0..1000u32 {
            outbox.push(number, vec![0; 4096], Vec::new());
        }
        assert_eq!(outbox.flush(ours.as_fd()), Flushed::WhenWritable);
        let sent = 1000 - outbox.len();
        assert!(sent > 0, "an empty socket takes something");
        outbox.retain(|number| *number as usize == sent);
        let mut bytes = [0; 4096];
        for _ in 0..sent {
            assert!(matches!(socket::receive(theirs.as_fd(), &mut bytes), Ok(Some(_))));
        }
        assert_eq!(outbox.flush(ours.as_fd()), Flushed::Empty);
        assert!(outbox.is_empty());
        drop(theirs);
        crate::hangup::wait_for_hangup(ours.as_fd());
        outbox.push(0, vec![0], Vec::new());
        assert_eq!(outbox.flush(ours.as_fd()), Flushed::Closed);
    }
}
