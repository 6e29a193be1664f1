//! What carries packets between two workers: one small interface, two kinds.
//!
//! | kind | packets | descriptors | who waits is woken |
//! | --- | --- | --- | --- |
//! | [`socket`](super::socket) | are those of a packet socket | go along | by the socket |
//! | [`ring`](super::ring) | lie in memory that both share | go over the socket beside it, before their packet | by a byte over that socket, if it has said that it sleeps |
//!
//! The reading half belongs to the task that moves the bytes, the writing half to the state of the peer: whoever ends a link
//! writes its last words under the lock. Either kind delivers packets whole, in their order, and all of them before the end.

use std::sync::Arc;
use std::task::{Context, Poll};

use bailiwick_sys::socket::Packet;
use bailiwick_wire::descriptors::Came;

use super::outbox::Outbox;
use super::pages::Pages;
use super::ring::{RingSink, RingSource};
use super::socket::{SocketSink, SocketSource};
use crate::blob::Loans;

/// One end of a link, as its worker has it.
pub(super) struct Joined {
    pub(super) source: Source,
    pub(super) sink: Sink,
    pub(super) pages: Pages,
}

/// The half that reads.
pub(super) enum Source {
    /// From a socket.
    Socket(SocketSource),
    /// From a ring.
    Ring(Box<RingSource>),
}

/// The half that writes.
pub(super) enum Sink {
    /// To a socket.
    Socket(SocketSink),
    /// To a ring.
    Ring(Box<RingSink>),
}

/// What came of a look for a packet.
#[derive(Debug)]
pub(super) enum Read {
    /// A packet, which stands at the beginning of the buffer, and what came with it.
    Packet(Packet, Vec<Came>),
    /// None, but something else: it is to be looked again.
    Again,
    /// Nothing is left, and nothing more will come.
    Ended,
    /// The peer wrote what carries no packets.
    Forged,
}

/// Why writing stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Nothing is left.
    Done,
    /// The socket is full.
    Full,
    /// The ring is full; the peer will tell when it is not.
    RingFull,
    /// For now the kernel will not carry more.
    NoRoom,
    /// The transport is gone.
    Gone,
    /// The peer wrote what nobody who reads packets writes.
    Forged,
}

impl Source {
    /// Looks for a packet. The task is woken when there may be one. `at_leisure` if it has nothing else to do in this turn, and
    /// so may look for longer.
    pub(super) fn poll(&mut self, task: &mut Context<'_>, buffer: &mut [u8], at_leisure: bool) -> Poll<Read> {
        match self {
            Self::Socket(source) => source.poll(task, buffer),
            Self::Ring(source) => source.poll(task, buffer, at_leisure),
        }
    }

    /// Looks for a packet of a peer that is dead: what it wrote is there, and the rest is [`Read::Ended`].
    pub(super) fn read_last(&mut self, buffer: &mut [u8]) -> Read {
        match self {
            Self::Socket(source) => source.read_last(buffer),
            Self::Ring(source) => source.read_last(buffer),
        }
    }

    /// Ready unless the socket was full when it was last written to. The task is woken when it no longer is.
    pub(super) fn poll_writable(&mut self, task: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Socket(source) => source.socket().poll_writable(task),
            Self::Ring(source) => source.socket().poll_writable(task),
        }
    }

    /// Tells whether memory is mapped or held that was lent, or may have been.
    pub(super) fn holds_memory(&self) -> bool {
        match self {
            Self::Socket(_) => false,
            Self::Ring(source) => source.holds_memory(),
        }
    }

    /// Lets go of such memory that was not used since the last time.
    pub(super) fn tick(&mut self) {
        match self {
            Self::Socket(_) => {}
            Self::Ring(source) => source.tick(),
        }
    }

    /// Notes that the socket is full.
    pub(super) fn is_full(&mut self, task: &Context<'_>) {
        match self {
            Self::Socket(source) => source.socket().is_full(task),
            Self::Ring(source) => source.socket().is_full(task),
        }
    }
}

impl Sink {
    /// Returns what is lent over it: to who shares memory already, and to nobody else.
    pub(super) fn loans(&self) -> Option<&Arc<Loans>> {
        match self {
            Self::Socket(_) => None,
            Self::Ring(sink) => Some(sink.loans()),
        }
    }

    /// Writes packets until nothing is left or no more goes. Returns how many frames left.
    pub(super) fn write(&mut self, outbox: &mut Outbox) -> (u64, Stopped) {
        match self {
            Self::Socket(sink) => sink.write(outbox),
            Self::Ring(sink) => sink.write(outbox),
        }
    }
}
