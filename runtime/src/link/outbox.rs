//! Frames on their way out: many to a packet, large payloads in pieces, descriptors with their packet.
//!
//! Buffers are used again, so that a link that has run for a while allocates nothing to write.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bailiwick_sys::socket::MAX_FDS;
use bailiwick_wire::frame::{Extensions, Frame, HEADER_BYTES, Header, Kind, MAX_PACKET_BYTES, Part};

use super::frames::PIECE_BYTES;

/// Packets to be written, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    packets: VecDeque<Packet>,
    spare: Vec<Packet>,
}

/// Whole frames, and the descriptors that they carry.
#[derive(Debug, Default)]
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    pub(super) fds: Vec<Arc<OwnedFd>>,
    /// Frames of the machine's that are wholly written with this packet.
    pub(super) frames: u64,
}

impl Outbox {
    /// Tells whether nothing is to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Adds a frame.
    pub(super) fn frame(
        &mut self,
        header: Header,
        extensions: &Extensions,
        payload: &[u8],
        fds: impl ExactSizeIterator<Item = Arc<OwnedFd>>,
    ) {
        if payload.len() > PIECE_BYTES {
            return self.in_pieces(header, extensions, payload, fds);
        }
        let packet = self.packet(HEADER_BYTES + Extensions::MAX_BYTES + payload.len(), fds.len());
        packet.fds.extend(fds);
        packet.write(header, extensions, payload);
        packet.frames += 1;
    }

    fn in_pieces(
        &mut self,
        header: Header,
        extensions: &Extensions,
        payload: &[u8],
        fds: impl ExactSizeIterator<Item = Arc<OwnedFd>>,
    ) {
        let (first, rest) = payload.split_at(PIECE_BYTES);
        let total = u32::try_from(payload.len()).expect("a payload is within the limits of its link");
        // One part at a time is unfinished: its pieces follow one another.
        let extensions = Extensions { part: Some(Part { number: 0, total }), ..*extensions };
        let packet = self.packet(MAX_PACKET_BYTES, fds.len());
        packet.fds.extend(fds);
        packet.write(header, &extensions, first);
        for (piece, number) in rest.chunks(PIECE_BYTES).zip(1..) {
            let header = Header { generation: number, ..Header::new(Kind::Fragment) };
            let packet = self.packet(HEADER_BYTES + piece.len(), 0);
            packet.write(header, &Extensions::default(), piece);
        }
        self.packet(0, 0).frames += 1;
    }

    /// Returns the last packet if it has room for `bytes` and `fds` more, else a fresh one.
    fn packet(&mut self, bytes: usize, fds: usize) -> &mut Packet {
        let fits = self.packets.back().is_some_and(|last| {
            last.bytes.len() + bytes <= MAX_PACKET_BYTES && last.fds.len() + fds <= MAX_FDS
        });
        if !fits {
            self.packets.push_back(self.spare.pop().unwrap_or_default());
        }
        self.packets.back_mut().expect("there is a last packet, pushed if need be")
    }

    /// Returns the oldest packet.
    pub(super) fn first(&self) -> Option<&Packet> {
        self.packets.front()
    }

    /// Removes the oldest packet, which is written, and returns how many frames it ended.
    pub(super) fn written(&mut self) -> u64 {
        let Some(mut packet) = self.packets.pop_front() else { return 0 };
        let frames = packet.frames;
        if self.spare.len() < SPARE_MAX {
            packet.bytes.clear();
            packet.fds.clear();
            packet.frames = 0;
            self.spare.push(packet);
        }
        frames
    }

    /// Drops what was never written.
    pub(super) fn clear(&mut self) {
        self.packets.clear();
    }
}

impl Packet {
    fn write(&mut self, header: Header, extensions: &Extensions, payload: &[u8]) {
        Frame::write(header, extensions, payload, &mut self.bytes)
            .expect("the packet was chosen to have room");
    }
}

/// Packets whose buffers are kept.
const SPARE_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use bailiwick_wire::frame::{Frames, Reassembler};

    use super::*;

    fn tell(fds: u16) -> Header {
        Header { fds, ..Header::new(Kind::Tell) }
    }

    fn file() -> Arc<OwnedFd> {
        Arc::new(std::fs::File::open("/dev/null").unwrap().into())
    }

    #[test]
    fn many_frames_share_a_packet() {
        let mut outbox = Outbox::default();
        for _ in 0..100 {
            outbox.frame(tell(0), &Extensions::default(), &[7; 64], std::iter::empty());
        }
        assert_eq!(outbox.packets.len(), 1);
        let frames: Vec<_> = Frames::new(&outbox.first().unwrap().bytes).map(Result::unwrap).collect();
        assert_eq!(frames.len(), 100);
        assert_eq!(outbox.written(), 100);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_packet_carries_no_more_descriptors_than_the_kernel_takes() {
        let mut outbox = Outbox::default();
        for _ in 0..3 {
            let fds: Vec<_> = (0..MAX_FDS / 2).map(|_| file()).collect();
            outbox.frame(tell((MAX_FDS / 2) as u16), &Extensions::default(), &[], fds.into_iter());
        }
        assert_eq!(outbox.packets.iter().map(|packet| packet.fds.len()).collect::<Vec<_>>(), [16, 8]);
    }

    #[test]
    fn a_large_payload_travels_in_pieces_and_counts_once() {
        let mut outbox = Outbox::default();
        let payload: Vec<u8> = (0..300_000u32).map(|byte| byte as u8).collect();
        outbox.frame(tell(0), &Extensions::default(), &payload, std::iter::empty());
        outbox.frame(tell(0), &Extensions::default(), &[1], std::iter::empty());
        let mut reassembler = Reassembler::new(1 << 20);
        let mut whole = None;
        let (mut packets, mut counted) = (0, 0);
        while let Some(packet) = outbox.first() {
            assert!(packet.bytes.len() <= MAX_PACKET_BYTES);
            for frame in Frames::new(&packet.bytes).map(Result::unwrap) {
                let extensions = frame.extensions().unwrap();
                if extensions.part.is_some() {
                    reassembler.begin(&frame, extensions).unwrap();
                } else if frame.header.kind == Kind::Fragment {
                    whole = whole.or(reassembler.add(&frame).unwrap());
                }
            }
            packets += 1;
            counted += outbox.written();
        }
        assert_eq!((packets, counted), (3, 2));
        assert!(whole.unwrap().payload == payload);
    }
}
