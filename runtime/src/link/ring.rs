//! Packets in memory that two workers share: see `bailiwick_core::ring` for what stands in it.
//!
//! The socket beside it carries what the memory cannot, each time in a packet of one byte:
//!
//! | byte | attached | meaning |
//! | ---: | --- | --- |
//! | 0 | nothing | look into the ring: there is something to read, or room to write |
//! | 1 | descriptors | those of the next packet that has any, which is published afterwards |
//!
//! A byte over the socket wakes as an eventfd would, and cannot be made to block: it is sent with `MSG_DONTWAIT`, whereas
//! whoever has an eventfd shares its flags, and can fill it. The end of the socket is the end of the peer.

mod lane;
mod sink;
mod source;

pub(super) use sink::RingSink;
pub(super) use source::RingSource;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use bailiwick_core::ring::{LINK_BYTES, Reader, Writer};
use bailiwick_sys::link_pair::{End, take};

use self::lane::Lane;
use super::pages::Pages;
use super::socket::Socket;
use super::transport::{Joined, Sink, Source};

/// A packet over the socket that only wakes.
const BELL: u8 = 0;
/// A packet over the socket with descriptors.
const DESCRIPTORS: u8 = 1;

/// Takes the memory out of an end of a link, and has the executor of the calling thread watch its socket. Before it sleeps
/// it looks for a packet for at most `busy_poll`.
///
/// # Errors
/// When there is no memory in it, it cannot be mapped, or the executor cannot watch the socket.
pub(super) fn join(socket: OwnedFd, busy_poll: Duration) -> io::Result<Joined> {
    let (memory, end) = take(socket.as_fd(), LINK_BYTES).map_err(|failed| io::Error::from(failed.errno))?;
    let (memory, socket) = (Arc::new(memory), Socket::watch(socket)?);
    let [first, second] = Lane::both(&memory);
    let (ours, theirs) = match end {
        End::First => (first, second),
        End::Second => (second, first),
    };
    let ends = Writer::new(ours).zip(Reader::new(theirs));
    let (writer, reader) = ends.expect("the room of a lane is a power of two");
    let sink = Sink::Ring(Box::new(RingSink::new(writer, socket.shared())));
    let source = Source::Ring(Box::new(RingSource::new(reader, socket, busy_poll)));
    Ok(Joined { source, sink, pages: Pages::new(memory, end) })
}
