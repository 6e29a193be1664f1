//! Packets that came: cut into frames, pieces put together, descriptors given to the frames they came with.

use std::collections::VecDeque;

use bailiwick_core::credit::Size;
use bailiwick_core::link::Event;
use bailiwick_wire::Limits;
use bailiwick_wire::descriptors::Came;
use bailiwick_wire::fault::Violation;
use bailiwick_wire::frame::{Assembled, Extensions, Frame, Frames, Header, Kind, Reassembler};

use super::frames;
use super::peer::{Arrived, Hand, Turn};
use super::short;

/// What is unfinished of one transport.
pub(super) struct Inbox {
    parts: Reassembler,
    /// Descriptors of payloads that are not whole yet, by part.
    part_fds: [Vec<Came>; Reassembler::PARTS],
    /// As many descriptors as one message may have.
    fds_max: usize,
}

/// One whole message or frame of the runtime's own.
struct Whole<'a> {
    header: Header,
    extensions: Extensions,
    payload: &'a [u8],
    fds: Vec<Came>,
    fds_lost: bool,
}

impl Inbox {
    pub(super) fn new(limits: Limits) -> Self {
        let (parts, fds_max) = (Reassembler::new(limits.frame_bytes), limits.fds.into());
        Self { parts, part_fds: Default::default(), fds_max }
    }

    /// Takes in one packet of the transport with number `serial`.
    pub(super) fn packet(
        &mut self,
        turn: &mut Turn<'_>,
        serial: u32,
        bytes: &[u8],
        fds: Vec<Came>,
        fds_lost: bool,
    ) {
        let mut fds = VecDeque::from(fds);
        let mut frames = Frames::new(bytes);
        while let Some(frame) = frames.next() {
            if !turn.serves(serial) {
                return;
            }
            let end = bytes.len() - frames.bytes_left();
            turn.state.traffic.received += 1;
            let taken = frame.and_then(|frame| match short::read(&frame) {
                Some(said) => {
                    turn.short(&said, &frame, end - frame.payload.len()..end);
                    Ok(())
                }
                None => self.frame(turn, &frame, &mut fds, fds_lost),
            });
            if let Err(violation) = taken {
                let peer = turn.peer.title();
                tracing::error!(target: "bailiwick::link", peer, %violation, "a frame is malformed");
                return malformed(turn, bytes);
            }
        }
        if !fds.is_empty() && turn.serves(serial) {
            // More came than the frames announce.
            malformed(turn, bytes);
        }
        turn.settle();
    }

    fn frame(
        &mut self,
        turn: &mut Turn<'_>,
        frame: &Frame<'_>,
        fds: &mut VecDeque<Came>,
        packet_lost_fds: bool,
    ) -> Result<(), Violation> {
        let header = frame.header;
        let announced = usize::from(header.fds);
        let own: Vec<_> = fds.drain(..announced.min(fds.len())).collect();
        let fds_lost = own.len() < announced;
        if fds_lost && !packet_lost_fds {
            let (kind, found) = (header.kind, header.fds.into());
            return Err(Violation::Field { kind, field: "descriptors", found });
        }
        if header.kind == Kind::Fragment {
            let part = self.part_fds.get_mut(header.slot as usize).map(std::mem::take);
            let Some(Assembled { header, extensions, payload }) = self.parts.add(frame)? else {
                // Not whole yet: what was taken out goes back.
                if let (Some(place), Some(fds)) = (self.part_fds.get_mut(header.slot as usize), part) {
                    *place = fds;
                }
                return Ok(());
            };
            let fds = part.unwrap_or_default();
            let fds_lost = fds.len() < usize::from(header.fds);
            return whole(turn, Whole { header, extensions, payload: &payload, fds, fds_lost });
        }
        let extensions = frame.extensions()?;
        if let Some(part) = extensions.part {
            // Nothing else counts what is held for a message that may never be whole. Our own encoder finishes one before it
            // begins the next.
            if self.part_fds.iter().map(Vec::len).sum::<usize>() + own.len() > self.fds_max {
                let (kind, found) = (header.kind, header.fds.into());
                return Err(Violation::Field { kind, field: "descriptors", found });
            }
            self.parts.begin(frame, extensions)?;
            if let Some(place) = self.part_fds.get_mut(part.number as usize) {
                *place = own;
            }
            return Ok(());
        }
        whole(turn, Whole { header, extensions, payload: frame.payload, fds: own, fds_lost })
    }
}

fn whole(turn: &mut Turn<'_>, whole: Whole<'_>) -> Result<(), Violation> {
    let Whole { header, extensions, payload, fds, fds_lost } = whole;
    let read = frames::read(&header, &extensions, payload)?;
    let bytes = payload.len().try_into().unwrap_or(u32::MAX);
    let size = Size { bytes, fds: header.fds };
    let arrived = Some(Arrived { header, payload, fds, fds_lost, extensions, size });
    let mut hand = Hand { arrived, words: read.words, ..Hand::default() };
    turn.event_with(Event::Received(read.frame), &mut hand);
    Ok(())
}

/// Tells the machine of a packet that no encoder of ours can have written.
pub(super) fn malformed(turn: &mut Turn<'_>, packet: &[u8]) {
    let mut hand = Hand { no_frame: packet, ..Hand::default() };
    turn.event_with(Event::Malformed, &mut hand);
}
