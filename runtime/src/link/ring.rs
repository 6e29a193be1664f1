//! Packets in memory that two workers share: see `bailiwick_core::ring` for what stands in it.
//!
//! The socket beside it carries what the memory cannot, each time in a packet that begins with a byte:
//!
//! | byte | attached | meaning |
//! | ---: | --- | --- |
//! | 0 | nothing | look into the ring: there is something to read, or room to write |
//! | 1, and one more for each descriptor | descriptors | those of the next packet that has any, which is published afterwards |
//!
//! The byte for a descriptor says whether it is lent memory (see `bailiwick_core::lending`): its place, or 255 for any other.
//!
//! A byte over the socket wakes as an eventfd would, and cannot be made to block: it is sent with `MSG_DONTWAIT`, whereas
//! whoever has an eventfd shares its flags, and can fill it. The end of the socket is the end of the peer.

mod lane;
mod lenders;
mod sink;
mod source;

pub(super) use sink::RingSink;
pub(super) use source::RingSource;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use bailiwick_core::ring::{LINK_BYTES, RETURN_WORDS, RETURNS_AT, Reader, Writer};
use bailiwick_sys::link_pair::{End, take};

use self::lane::Lane;
use self::lenders::Lenders;
use super::pages::Pages;
use super::socket::Socket;
use super::transport::{Joined, Sink, Source};
use crate::blob::{Loans, Returns};

/// A packet over the socket that only wakes.
const BELL: u8 = 0;
/// A packet over the socket with descriptors.
const DESCRIPTORS: u8 = 1;
/// A descriptor that is not that of lent memory.
const PLAIN: u8 = u8::MAX;

/// Takes the memory out of an end of a link, and has the executor of the calling thread watch its socket. Before it sleeps
/// it looks for a packet for at most `busy_poll`.
///
/// # Errors
/// When there is no memory in it, it cannot be mapped, or the executor cannot watch the socket.
pub(super) fn join(socket: OwnedFd, busy_poll: Duration) -> io::Result<Joined> {
    let (memory, end) = take(socket.as_fd(), LINK_BYTES).map_err(|failed| io::Error::from(failed.errno))?;
    let (memory, socket) = (Arc::new(memory), Socket::watch(socket)?);
    let [first, second] = Lane::both(&memory);
    let (ours, theirs, lent, borrowed) = match end {
        End::First => (first, second, RETURNS_AT, RETURNS_AT + RETURN_WORDS),
        End::Second => (second, first, RETURNS_AT + RETURN_WORDS, RETURNS_AT),
    };
    let loans = Loans::new(Arc::clone(&memory), lent);
    let lenders = Lenders::new(Returns::new(&memory, borrowed), Arc::clone(&loans));
    let ends = Writer::new(ours).zip(Reader::new(theirs));
    let (writer, reader) = ends.expect("the room of a lane is a power of two");
    let sink = Sink::Ring(Box::new(RingSink::new(writer, socket.shared(), loans)));
    let source = Source::Ring(Box::new(RingSource::new(reader, socket, busy_poll, lenders)));
    Ok(Joined { source, sink, pages: Pages::new(memory, end) })
}
