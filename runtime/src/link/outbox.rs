//! Frames on their way out: many to a packet, large payloads in pieces, descriptors with their packet.
//!
//! Buffers are used again, so that a link that has run for a while allocates nothing to write.
//!
//! What this side sends of its own accord is bounded by the peer's credit. What it answers is not, since a peer need
//! not read an answer to cause the next; so answers are counted, and who does not read them is not read.

use std::collections::VecDeque;
use std::sync::Arc;

use bailiwick_sys::socket::MAX_FDS;
use bailiwick_wire::descriptors::Carried;
use bailiwick_wire::frame::{Extensions, Frame, Frames, HEADER_BYTES, Header, Kind, MAX_PACKET_BYTES, Part};

use super::frames::PIECE_BYTES;

/// Packets to be written, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    packets: VecDeque<Packet>,
    spare: Vec<Packet>,
    /// A message was written in part.
    is_open: bool,
    /// Bytes of answers in all packets.
    answers: usize,
    /// Bytes of all packets that were written so far.
    written_bytes: u64,
}

/// Whole frames, and the descriptors that they carry.
#[derive(Debug, Default)]
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    pub(super) fds: Vec<Arc<dyn Carried>>,
    /// Frames of the machine's that are wholly written with this packet.
    pub(super) frames: u64,
    /// It ends within a message: the pieces that are missing must follow.
    is_open: bool,
    /// Bytes of answers that are wholly written with this packet.
    answers: usize,
}

impl Outbox {
    /// Tells whether nothing is to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Tells whether so many answers wait for the peer to read that it should not cause more.
    ///
    /// Of two peers that both hold back so, neither would ever go on; so a peer from which an answer is `awaited`, and
    /// which may hold back that answer, is read for far longer.
    pub(super) fn owes_too_much(&self, awaited: bool) -> bool {
        self.answers >= if awaited { UNREAD_BYTES_AWAITED } else { UNREAD_BYTES }
    }

    /// Adds a frame.
    pub(super) fn frame(
        &mut self,
        header: Header,
        extensions: &Extensions,
        payload: &[u8],
        fds: impl ExactSizeIterator<Item = Arc<dyn Carried>>,
    ) {
        if payload.len() > PIECE_BYTES {
            return self.in_pieces(header, extensions, payload, fds);
        }
        let packet = self.packet(HEADER_BYTES + Extensions::MAX_BYTES + payload.len(), fds.len());
        packet.fds.extend(fds);
        packet.write(header, extensions, payload);
        self.complete(header.kind, payload.len());
    }

    fn in_pieces(
        &mut self,
        header: Header,
        extensions: &Extensions,
        payload: &[u8],
        fds: impl ExactSizeIterator<Item = Arc<dyn Carried>>,
    ) {
        let (first, rest) = payload.split_at(PIECE_BYTES);
        let total = u32::try_from(payload.len()).expect("a payload is within the limits of its link");
        // One part at a time is unfinished: its pieces follow one another.
        let extensions = Extensions { part: Some(Part { number: 0, total }), ..*extensions };
        let packet = self.packet(MAX_PACKET_BYTES, fds.len());
        packet.fds.extend(fds);
        packet.write(header, &extensions, first);
        packet.is_open = true;
        for (piece, number) in rest.chunks(PIECE_BYTES).zip(1..) {
            let header = Header { generation: number, ..Header::new(Kind::Fragment) };
            let packet = self.packet(HEADER_BYTES + piece.len(), 0);
            packet.write(header, &Extensions::default(), piece);
            packet.is_open = true;
        }
        self.complete(header.kind, payload.len());
        self.packet(0, 0).is_open = false;
    }

    /// Notes that the last packet ends a frame.
    fn complete(&mut self, kind: Kind, payload_bytes: usize) {
        let bytes = if is_answer(kind) { HEADER_BYTES + payload_bytes } else { 0 };
        self.answers += bytes;
        let packet = self.packet(0, 0);
        packet.frames += 1;
        packet.answers += bytes;
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

    /// Returns how many bytes wait.
    pub(super) fn waiting_bytes(&self) -> u64 {
        self.packets.iter().map(|packet| packet.bytes.len() as u64).sum()
    }

    /// Returns how many bytes were written so far, over all transports.
    pub(super) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Returns the oldest packet.
    pub(super) fn first(&self) -> Option<&Packet> {
        self.packets.front()
    }

    /// Removes the oldest packet, which is written, and returns how many frames it ended.
    pub(super) fn written(&mut self) -> u64 {
        let Some(mut packet) = self.packets.pop_front() else { return 0 };
        let frames = packet.frames;
        self.written_bytes += packet.bytes.len() as u64;
        self.is_open = packet.is_open;
        self.answers -= packet.answers;
        if self.spare.len() < SPARE_MAX {
            packet.bytes.clear();
            packet.fds.clear();
            (packet.frames, packet.answers, packet.is_open) = (0, 0, false);
            self.spare.push(packet);
        }
        frames
    }

    /// Drops what was not written, but for what tells the peer how it ends. Within a message that is written in
    /// part nothing else may come.
    pub(super) fn keep_last_words(&mut self) {
        let packets = std::mem::take(&mut self.packets);
        self.answers = 0;
        if self.is_open {
            return;
        }
        for frame in packets.iter().flat_map(|packet| Frames::new(&packet.bytes)).map_while(Result::ok) {
            let is_last_word = matches!(frame.header.kind, Kind::Refuse | Kind::Failure | Kind::Close);
            let whole = frame.extensions().ok().filter(|extensions| extensions.part.is_none());
            if let Some(extensions) = whole.filter(|_| is_last_word) {
                self.frame(frame.header, &extensions, frame.payload, std::iter::empty());
            }
        }
    }

    /// Drops what was not written.
    pub(super) fn clear(&mut self) {
        self.packets.clear();
        (self.is_open, self.answers) = (false, 0);
    }
}

impl Packet {
    fn write(&mut self, header: Header, extensions: &Extensions, payload: &[u8]) {
        Frame::write(header, extensions, payload, &mut self.bytes)
            .expect("the packet was chosen to have room");
    }
}

/// Returns whether a frame is sent because of what the peer sent, and costs it no credit.
fn is_answer(kind: Kind) -> bool {
    match kind {
        Kind::HelloAck
        | Kind::Refuse
        | Kind::Offer
        | Kind::Reply
        | Kind::Failure
        | Kind::Item
        | Kind::End
        | Kind::Opened
        | Kind::Credit
        | Kind::Lend
        | Kind::Heard
        | Kind::Down => true,
        Kind::Hello
        | Kind::Uses
        | Kind::Tell
        | Kind::Rendezvous
        | Kind::Ask
        | Kind::Cancel
        | Kind::Fragment
        | Kind::ItemCredit
        | Kind::Watch
        | Kind::Unwatch
        | Kind::Release
        | Kind::Revoke
        | Kind::Unready
        | Kind::Ready
        | Kind::Draining
        | Kind::Close => false,
    }
}

/// Packets whose buffers are kept.
const SPARE_MAX: usize = 4;
/// Bytes of answers that may wait for a peer to read them.
const UNREAD_BYTES: usize = 4 << 20;
/// The same of a peer from which an answer is awaited: more than 64 open asks can be answered with.
const UNREAD_BYTES_AWAITED: usize = 128 << 20;

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use bailiwick_wire::frame::Reassembler;

    use super::*;

    fn tell(fds: u16) -> Header {
        Header { fds, ..Header::new(Kind::Tell) }
    }

    fn file() -> Arc<dyn Carried> {
        Arc::new(OwnedFd::from(std::fs::File::open("/dev/null").unwrap()))
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

    fn kinds(outbox: &Outbox) -> Vec<Kind> {
        let frames = outbox.packets.iter().flat_map(|packet| Frames::new(&packet.bytes));
        frames.map(|frame| frame.unwrap().header.kind).collect()
    }

    #[test]
    fn of_what_is_not_written_only_the_last_words_stay() {
        let mut outbox = Outbox::default();
        let failure = Header { correlation: 7, ..Header::new(Kind::Failure) };
        for (header, fds) in [(tell(1), 1), (failure, 0), (Header::new(Kind::Close), 0)] {
            outbox.frame(header, &Extensions::default(), &[1], vec![file(); fds].into_iter());
        }
        outbox.keep_last_words();
        assert_eq!(kinds(&outbox), [Kind::Failure, Kind::Close]);
        assert!(outbox.first().unwrap().fds.is_empty());
    }

    #[test]
    fn no_last_word_breaks_into_a_message_that_is_written_in_part() {
        let mut outbox = Outbox::default();
        outbox.frame(tell(0), &Extensions::default(), &vec![0; 3 * PIECE_BYTES], std::iter::empty());
        outbox.frame(Header::new(Kind::Close), &Extensions::default(), &[1], std::iter::empty());
        assert_eq!(outbox.written(), 0, "the first piece is no message");
        outbox.keep_last_words();
        assert!(outbox.is_empty());
    }

    #[test]
    fn answers_are_owed_until_they_are_written_and_messages_are_not() {
        let mut outbox = Outbox::default();
        let megabyte = vec![7; 1 << 20];
        let mut post = |kind, count| {
            for _ in 0..count {
                outbox.frame(Header::new(kind), &Extensions::default(), &megabyte, std::iter::empty());
            }
            (outbox.owes_too_much(false), outbox.owes_too_much(true))
        };
        assert_eq!(post(Kind::Tell, 130), (false, false));
        assert_eq!(post(Kind::Reply, 3), (false, false));
        assert_eq!(post(Kind::Offer, 1), (true, false));
        assert_eq!(post(Kind::Reply, 124), (true, true));
        while !outbox.is_empty() {
            outbox.written();
        }
        assert_eq!((outbox.answers, outbox.owes_too_much(false)), (0, false));
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
