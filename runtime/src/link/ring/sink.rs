//! The half that writes.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use bailiwick_core::ring::{WriteError, Writer};
use bailiwick_sys::socket::send;

use super::lane::Lane;
use super::{BELL, DESCRIPTORS, PLAIN};
use crate::blob::{Loans, lent_memory};
use crate::link::outbox::{Outbox, Packet};
use crate::link::socket::stopped;
use crate::link::transport::Stopped;

pub(in crate::link) struct RingSink {
    writer: Writer<Lane>,
    socket: Arc<OwnedFd>,
    /// The reader was to be woken, and the kernel had no memory for that.
    owes_bell: bool,
    /// What is lent over this transport, as long as it is there.
    loans: Arc<Loans>,
}

impl RingSink {
    pub(super) fn new(writer: Writer<Lane>, socket: Arc<OwnedFd>, loans: Arc<Loans>) -> Self {
        Self { writer, socket, owes_bell: false, loans }
    }

    pub(in crate::link) fn loans(&self) -> &Arc<Loans> {
        &self.loans
    }

    pub(in crate::link) fn write(&mut self, outbox: &mut Outbox) -> (u64, Stopped) {
        let mut frames = 0;
        let stopped = loop {
            let Some(packet) = outbox.first() else { break Stopped::Done };
            match self.packet(packet) {
                Ok(()) => frames += outbox.written(),
                Err(stopped) => break stopped,
            }
        };
        (frames, self.wake().err().unwrap_or(stopped))
    }

    /// Publishes one packet. Its descriptors leave before it, so that they are there when it is read; and they do not leave
    /// before there is room for it.
    fn packet(&mut self, packet: &Packet) -> Result<(), Stopped> {
        let bytes = packet.bytes.len();
        if !self.writer.has_room(bytes).map_err(refused)? && self.writer.sleep(bytes).map_err(refused)? {
            return Err(Stopped::RingFull);
        }
        if !packet.fds.is_empty() {
            self.descriptors(packet)?;
        }
        let count = u16::try_from(packet.fds.len()).expect("a packet of the outbox has few descriptors");
        self.writer.write(&packet.bytes, count).map_err(refused)
    }

    /// Sends the descriptors of a packet, and counts what is lent by them once the kernel has taken them.
    fn descriptors(&self, packet: &Packet) -> Result<(), Stopped> {
        let mut said = vec![DESCRIPTORS];
        let mut fds: Vec<BorrowedFd<'_>> = Vec::with_capacity(packet.fds.len());
        for carried in &packet.fds {
            let lent = lent_memory(&**carried, &self.loans);
            let place = lent.and_then(|(_, place)| u8::try_from(place).ok());
            said.push(place.unwrap_or(PLAIN));
            // What is lent over another transport is no descriptor here, and none is in the outbox.
            fds.push(lent.map(|(fd, _)| fd).or_else(|| carried.fd()).ok_or(Stopped::Gone)?);
        }
        send(self.socket.as_fd(), &[IoSlice::new(&said)], &fds).map_err(|error| stopped(&error))?;
        said.iter()
            .skip(1)
            .filter(|place| **place != PLAIN)
            .for_each(|place| self.loans.lend((*place).into()));
        Ok(())
    }

    /// Wakes the reader if it has said that it sleeps.
    fn wake(&mut self) -> Result<(), Stopped> {
        if !self.writer.must_ring() && !self.owes_bell {
            return Ok(());
        }
        let rung = send(self.socket.as_fd(), &[IoSlice::new(&[BELL])], &[]);
        self.owes_bell = rung.is_err_and(|error| stopped(&error) == Stopped::NoRoom);
        // A full socket has something in it that wakes the reader; the end of a closed one is found by reading.
        if self.owes_bell { Err(Stopped::NoRoom) } else { Ok(()) }
    }
}

impl Drop for RingSink {
    fn drop(&mut self) {
        self.loans.end();
    }
}

fn refused(error: WriteError) -> Stopped {
    match error {
        WriteError::Full => Stopped::RingFull,
        WriteError::Forged(_) => Stopped::Forged,
        // The outbox makes no such packet; this transport could not carry it.
        WriteError::Unfit => Stopped::Gone,
    }
}
