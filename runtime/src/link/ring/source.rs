//! The half that reads.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bailiwick_core::ring::{Forged, Reader, Record, Spin};
use bailiwick_sys::socket::{LostFds, MAX_FDS, Packet, ReceiveError, send};
use bailiwick_wire::descriptors::Came;
use bailiwick_wire::frame::MAX_PACKET_BYTES;

use super::lane::Lane;
use super::lenders::Lenders;
use super::{BELL, DESCRIPTORS};
use crate::link::mover::have_others_first;
use crate::link::socket::{Socket, receive_all, stopped};
use crate::link::transport::{Read, Stopped};

pub(in crate::link) struct RingSource {
    reader: Reader<Lane>,
    socket: Socket,
    /// Descriptors whose packet was not read yet.
    early: VecDeque<Descriptors>,
    /// The peer has closed the socket: what it had published by then is all that there will be.
    is_over: bool,
    /// The writer was to be woken, and the kernel had no memory for that.
    owes_bell: bool,
    watch: Watch,
    lenders: Lenders,
}

/// What came in one packet of the socket.
struct Descriptors {
    fds: Vec<Came>,
    /// Some did not fit into this process's table.
    lost: Option<LostFds>,
}

/// How it waits for the next packet: with its eyes open, or asleep.
struct Watch {
    spin: Spin,
    /// When it began to look again and again.
    since: Option<Instant>,
    /// When it fell asleep.
    asleep: Option<Instant>,
    /// Something was read since it looked last: whom that concerns goes first.
    has_read: bool,
}

impl RingSource {
    pub(super) fn new(reader: Reader<Lane>, socket: Socket, busy_poll: Duration, lenders: Lenders) -> Self {
        let watch = Watch { spin: Spin::new(busy_poll), since: None, asleep: None, has_read: false };
        Self { reader, socket, early: VecDeque::new(), is_over: false, owes_bell: false, watch, lenders }
    }

    pub(in crate::link) fn holds_memory(&self) -> bool {
        self.lenders.holds_memory()
    }

    pub(in crate::link) fn tick(&mut self) {
        self.lenders.tick();
    }

    pub(in crate::link) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    pub(in crate::link) fn poll(
        &mut self,
        task: &mut Context<'_>,
        buffer: &mut [u8],
        at_leisure: bool,
    ) -> Poll<Read> {
        self.poll_ring(task, buffer, at_leisure).map(|read| read.unwrap_or(Read::Forged))
    }

    fn poll_ring(
        &mut self,
        task: &mut Context<'_>,
        buffer: &mut [u8],
        at_leisure: bool,
    ) -> Poll<Result<Read, Forged>> {
        let found = self.read(buffer)?;
        let is_told = self.tell_writer()?;
        if let Some(record) = found {
            return Poll::Ready(Ok(self.packet(record)));
        }
        if self.is_over {
            return Poll::Ready(Ok(Read::Ended));
        }
        if !is_told {
            have_others_first(task);
            return Poll::Pending;
        }
        if self.watch.is_open() {
            return self.look_again(task, at_leisure);
        }
        if !self.reader.sleep()? {
            return Poll::Ready(Ok(Read::Again));
        }
        let mut said = [0; SAID_BYTES];
        let received = ready!(self.socket.poll_receive(task, &mut said));
        self.reader.wake();
        Poll::Ready(self.received(received, &said))
    }

    /// Looks for a packet of a peer that is dead. Whatever else has its memory is not heard.
    pub(in crate::link) fn read_last(&mut self, buffer: &mut [u8]) -> Read {
        if !self.is_over {
            self.is_over = true;
            if self.reader.look_last().is_err() {
                return Read::Forged;
            }
        }
        match self.read(buffer) {
            Ok(Some(record)) => self.packet(record),
            Ok(None) => Read::Ended,
            Err(_) => Read::Forged,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<Record>, Forged> {
        let most = buffer.len().min(MAX_PACKET_BYTES);
        let read = self.reader.read(&mut buffer[..most])?;
        if read.is_some() {
            self.reader.wake();
            self.watch.found();
        }
        Ok(read)
    }

    /// Returns a packet with its descriptors. They came before it, so if they are not there, they never were.
    fn packet(&mut self, record: Record) -> Read {
        let Record { bytes, fds } = record;
        let mut packet = Packet { bytes, fds: Vec::new(), truncated: false, lost: None, credentials: None };
        if fds == 0 {
            return Read::Packet(packet, Vec::new());
        }
        let mut bells = 0;
        while self.early.is_empty() {
            let mut said = [0; SAID_BYTES];
            let received = receive_all(self.socket.as_fd(), &mut said);
            bells += 1;
            if bells > BELLS_MAX || matches!(received, Err(ReceiveError::WouldBlock)) {
                return Read::Forged;
            }
            match self.received(received, &said) {
                Ok(Read::Again) => {}
                Ok(Read::Packet(..) | Read::Ended | Read::Forged) | Err(_) => return Read::Forged,
            }
        }
        let Some(came) = self.early.pop_front() else { return Read::Forged };
        if came.fds.len() != usize::from(fds) && came.lost.is_none() {
            return Read::Forged;
        }
        packet.lost = came.lost;
        Read::Packet(packet, came.fds)
    }

    /// Takes in what came over the socket.
    fn received(
        &mut self,
        received: Result<Option<Packet>, ReceiveError>,
        said: &[u8],
    ) -> Result<Read, Forged> {
        let Ok(Some(packet)) = received else {
            self.is_over = true;
            self.reader.look_last()?;
            return Ok(Read::Again);
        };
        let Packet { bytes, fds, truncated, lost, credentials: _ } = packet;
        if truncated || lost == Some(LostFds::Excess) {
            return Ok(Read::Forged);
        }
        match said.get(..bytes) {
            Some([BELL]) if fds.is_empty() && lost.is_none() => {}
            // Who sends a second lot has published the packet of the first.
            Some([DESCRIPTORS, places @ ..]) if self.early.len() < 2 => {
                let Some((fds, lost)) = self.lenders.came(fds, places, lost) else { return Ok(Read::Forged) };
                self.early.push_back(Descriptors { fds, lost });
            }
            Some(_) | None => return Ok(Read::Forged),
        }
        Ok(Read::Again)
    }

    /// Wakes the writer if it has said that it sleeps and there is room. Returns false if it was to be woken, and the kernel
    /// had no memory for that.
    fn tell_writer(&mut self) -> Result<bool, Forged> {
        if self.reader.must_ring()? || self.owes_bell {
            let rung = send(self.socket.as_fd(), &[IoSlice::new(&[BELL])], &[]);
            self.owes_bell = rung.is_err_and(|error| stopped(&error) == Stopped::NoRoom);
        }
        Ok(!self.owes_bell)
    }

    /// Looks for a while, unless something else is to be done first, and lets others of the executor have their turn if
    /// nothing came.
    fn look_again(&mut self, task: &mut Context<'_>, at_leisure: bool) -> Poll<Result<Read, Forged>> {
        let goes_on = std::mem::take(&mut self.watch.has_read) || !at_leisure;
        let looks = if goes_on { 0 } else { LOOKS_AT_ONCE };
        for _ in 0..looks {
            if self.reader.has_some()? {
                return Poll::Ready(Ok(Read::Again));
            }
            std::hint::spin_loop();
        }
        have_others_first(task);
        Poll::Pending
    }
}

impl Watch {
    /// Returns whether it may still look; otherwise it sleeps from now on.
    fn is_open(&mut self) -> bool {
        if self.spin.is_off() {
            return false;
        }
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        let is_open = now.saturating_duration_since(since) < self.spin.span();
        if !is_open {
            self.spin.was_in_vain();
            (self.since, self.asleep) = (None, Some(now));
        }
        is_open
    }

    fn found(&mut self) {
        if self.spin.is_off() {
            return;
        }
        self.has_read = true;
        if self.since.take().is_some() {
            self.spin.paid();
        } else if let Some(asleep) = self.asleep.take() {
            self.spin.slept(asleep.elapsed());
        }
    }
}

/// Bytes of the longest packet of the socket.
const SAID_BYTES: usize = 1 + MAX_FDS;
/// Packets of the socket that may stand before the descriptors of a packet: each end rings at most once for each sleep.
const BELLS_MAX: u32 = 64;
/// How often it looks before others of the executor have their turn: a microsecond or two.
const LOOKS_AT_ONCE: u32 = 50;
