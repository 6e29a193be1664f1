//! What evil says to a peer, and hears from it, in the place of the runtime that serves the link.

use std::thread;
use std::time::Duration;

use bailiwick::prelude::Protocol;
use bailiwick_tests::harness::{LONGEST, Watchdog};
use bailiwick_wire::frame::{Extensions, Frame, Frames, Header, Kind};
use bailiwick_wire::handshake::{Offer, Use, Uses, method_name};
use bailiwick_wire::reason::{Failure, NotDelivered, Unknown};
use bailiwick_wire::schema::ProtocolSchema;
use bailiwick_wire::{Limits, codec};
use nix::libc;
use serde::Serialize;

use crate::orders::{Answer, Arg, Evil, call, hex};

/// One link of evil's, which its runtime no longer hears.
pub(crate) struct Voice {
    link: i64,
    schema: &'static ProtocolSchema,
    slot: u32,
    generation: u32,
    asked: u64,
    /// Where it puts what it hears: bytes, control messages, and the header of both.
    place: Option<(i64, i64, i64)>,
}

/// What came back.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    /// The reply, and evil's numbers of the descriptors that came with it.
    Reply(Vec<u8>, Vec<i64>),
    /// None.
    Failure(Failure),
    /// The peer closed the link, or evil is dead.
    Closed,
}

/// What a peer has sent.
struct Heard {
    frames: Vec<(Header, Vec<u8>)>,
    descriptors: Vec<i64>,
}

impl Voice {
    /// Takes the link with the peer that serves this protocol away from the runtime.
    #[track_caller]
    pub(crate) fn to<P: Protocol>(evil: &mut Evil) -> Self {
        let schema = P::schema();
        let uses = uses_of(schema);
        let watchdog = Watchdog::start();
        // One that was closed is made anew.
        while !watchdog.barks() {
            if let Some(voice) = Self::find(evil, schema, &uses) {
                return voice;
            }
            thread::park_timeout(Duration::from_millis(5));
        }
        panic!("nobody serves {} to evil", schema.name);
    }

    fn find(evil: &mut Evil, schema: &'static ProtocolSchema, uses: &[u8]) -> Option<Self> {
        for link in evil.links() {
            evil.silence(link);
            for slot in 0..SLOTS {
                let mut voice = Self { link, schema, slot, generation: 0, asked: 0, place: None };
                match voice.is_offered(evil, uses) {
                    Some(true) => return Some(voice),
                    Some(false) => {}
                    None => break,
                }
            }
        }
        None
    }

    /// Tells whether its slot is offered for its protocol; nothing if the link is closed.
    fn is_offered(&mut self, evil: &mut Evil, uses: &[u8]) -> Option<bool> {
        let header = Header { slot: self.slot, ..Header::new(Kind::Uses) };
        if !evil.send(self.link, &framed(header, &Extensions::default(), uses)).did() {
            return None;
        }
        let offer = self.offer(evil)?;
        let serves = offer.methods.iter().any(|(_, index)| index.is_some());
        let terms = offer.terms.filter(|_| serves);
        self.generation = terms.map_or(0, |terms| terms.generation);
        Some(terms.is_some())
    }

    /// Speaks over the same link to whom the peer has introduced in this slot.
    #[track_caller]
    pub(crate) fn introduced<P: Protocol>(&mut self, evil: &mut Evil, slot: u32) -> Self {
        let (schema, place) = (P::schema(), self.place);
        let mut voice = Self { link: self.link, schema, slot, generation: 0, asked: 0, place };
        assert_eq!(voice.is_offered(evil, &uses_of(schema)), Some(true), "nobody is in slot {slot}");
        // The numbers of asks are the link's, and each is used once.
        voice.asked = 1000 * (1 + u64::from(voice.generation));
        voice
    }

    /// Returns the packet that names what it will use.
    pub(crate) fn named(&self) -> Vec<u8> {
        let header = Header { slot: self.slot, ..Header::new(Kind::Uses) };
        framed(header, &Extensions::default(), &uses_of(self.schema))
    }

    /// Returns which use of its slot is meant.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Gives the slot up.
    pub(crate) fn release(&self, evil: &mut Evil) {
        let release = Header { slot: self.slot, generation: self.generation, ..Header::new(Kind::Release) };
        assert!(evil.send(self.link, &release.to_bytes()).did());
    }

    /// Waits for what a slot is offered for.
    fn offer(&mut self, evil: &mut Evil) -> Option<Offer> {
        let slot = self.slot;
        let mut heard = std::iter::from_fn(|| self.hear(evil)).flat_map(|heard| heard.frames);
        let (_, offer) = heard.find(|(header, _)| header.kind == Kind::Offer && header.slot == slot)?;
        Some(codec::decode(&offer, &Limits::CONTROL).expect("an honest peer writes it"))
    }

    /// Returns evil's descriptor of the link.
    pub(crate) fn link(&self) -> i64 {
        self.link
    }

    /// Returns the header of an ask for a method that is yet to be made.
    pub(crate) fn header(&mut self, method: &str, descriptors: usize) -> Header {
        let (method, _) = self.schema.method(method).expect("the protocol has it");
        self.asked += 1;
        Header {
            method,
            slot: self.slot,
            generation: self.generation,
            // An index that is used once, and its first epoch.
            correlation: 1 << 16 | self.asked,
            fds: descriptors.try_into().expect("few"),
            ..Header::new(Kind::Ask)
        }
    }

    /// Asks with these bytes as the arguments, and waits for what comes of it.
    #[track_caller]
    pub(crate) fn ask(&mut self, evil: &mut Evil, method: &str, payload: &[u8]) -> Said {
        self.ask_with(evil, method, payload, &[])
    }

    /// The same, with descriptors.
    #[track_caller]
    pub(crate) fn ask_with(&mut self, evil: &mut Evil, method: &str, payload: &[u8], fds: &[i64]) -> Said {
        let header = self.header(method, fds.len());
        let packet = framed(header, &Extensions::default(), payload);
        let sent = if fds.is_empty() {
            evil.send(self.link, &packet)
        } else {
            evil.send_with(self.link, &packet, fds)
        };
        if sent == Answer::Died {
            return Said::Closed;
        }
        self.answer(evil, header.correlation)
    }

    /// Waits for what comes of an ask.
    #[track_caller]
    pub(crate) fn answer(&mut self, evil: &mut Evil, correlation: u64) -> Said {
        while let Some(heard) = self.hear(evil) {
            let Heard { frames, descriptors } = heard;
            if frames.iter().any(|(header, _)| header.kind == Kind::Close) {
                return Said::Closed;
            }
            let own = frames.into_iter().find(|(header, _)| header.correlation == correlation);
            match own {
                Some((header, payload)) if header.kind == Kind::Reply => {
                    return Said::Reply(payload, descriptors);
                }
                Some((header, payload)) if header.kind == Kind::Failure => {
                    let failure = codec::decode(&payload, &Limits::CONTROL);
                    return Said::Failure(failure.expect("an honest peer writes it"));
                }
                _ => {}
            }
        }
        Said::Closed
    }

    /// Returns the next packet; none at the end.
    #[track_caller]
    fn hear(&mut self, evil: &mut Evil) -> Option<Heard> {
        if !evil.wait_to_hear(self.link) {
            return None;
        }
        let place = match self.place {
            Some(place) => place,
            None => *self.place.insert(evil.place_for_a_packet()?),
        };
        let (packet, descriptors) = evil.receive(self.link, place)?;
        let frames = Frames::new(&packet).map(|frame| frame.expect("an honest peer writes it"));
        let frames: Vec<_> = frames.map(|frame| (frame.header, frame.payload.to_vec())).collect();
        if frames.iter().any(|(header, _)| header.kind == Kind::Hello) {
            // The runtime did not come to it before it was silenced.
            evil.send(self.link, &Header::new(Kind::HelloAck).to_bytes());
        }
        Some(Heard { frames, descriptors })
    }
}

impl Evil {
    /// Receives the packet that is there, and evil's numbers of the descriptors that came with it; nothing at the end.
    pub(crate) fn receive(
        &mut self,
        socket: i64,
        (bytes, control, message): (i64, i64, i64),
    ) -> Option<(Vec<u8>, Vec<i64>)> {
        let vector = control + CONTROL as i64;
        let header = [0, 0, vector, 1, control, CONTROL as i64, 0].map(i64::to_le_bytes).concat();
        self.order(&format!("poke {message} {}", hex(&header)));
        let got = self.call(libc::SYS_recvmsg, &[socket.into(), message.into(), libc::MSG_DONTWAIT.into()]);
        let length = match got {
            Answer::Did(length) if length != "0" => length.parse().expect("a number"),
            _ => return None,
        };
        let packet = self.try_peek(bytes, length)?;
        // The length of what was attached stands in the header of the message.
        let attached = i64::from_le_bytes(self.try_peek(message + 40, 8)?.try_into().expect("eight bytes"));
        Some((packet, if attached > 16 { self.attached(control)? } else { Vec::new() }))
    }

    /// Waits until something can be read; tells whether it lives.
    #[track_caller]
    pub(crate) fn wait_to_hear(&mut self, socket: i64) -> bool {
        let events = [i32::to_le_bytes(socket as i32), [libc::POLLIN as u8, 0, 0, 0]].concat();
        let wait = i32::try_from((LONGEST / 2).as_millis()).expect("short");
        match self.call(libc::SYS_poll, &[Arg::Bytes(events), 1.into(), wait.into()]) {
            Answer::Did(ready) if ready == "1" => true,
            Answer::Died => false,
            other => panic!("the peer is silent: {other:?}"),
        }
    }

    /// Room for a packet, for its control messages with a vector behind, and for the header of both.
    pub(crate) fn place_for_a_packet(&mut self) -> Option<(i64, i64, i64)> {
        let bytes = self.order(&call(
            libc::SYS_mmap,
            &[
                0.into(),
                Arg::Number(ROOM as i64),
                3.into(),
                (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS).into(),
                Arg::Number(-1),
                0.into(),
            ],
        ));
        let bytes = bytes.did().then(|| bytes.number())?;
        let vector = [bytes.to_le_bytes(), (ROOM as i64).to_le_bytes()].concat();
        let control = self.try_place(&[vec![0; CONTROL], vector].concat())?;
        Some((bytes, control, self.try_place(&[0; 56])?))
    }

    /// Puts bytes into its memory, if it lives.
    fn try_place(&mut self, bytes: &[u8]) -> Option<i64> {
        let placed = self.order(&format!("place {}", hex(bytes)));
        placed.did().then(|| placed.number())
    }

    /// Returns what is in its memory, if it lives.
    fn try_peek(&mut self, address: i64, size: usize) -> Option<Vec<u8>> {
        let Answer::Did(text) = self.order(&format!("peek {address} {size}")) else { return None };
        let byte =
            |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex");
        Some(text.as_bytes().as_chunks().0.iter().map(byte).collect())
    }

    /// Reads the descriptors of the one control message that stands here.
    fn attached(&mut self, control: i64) -> Option<Vec<i64>> {
        let length = i64::from_le_bytes(self.try_peek(control, 8)?.try_into().expect("eight bytes"));
        let numbers = self.try_peek(control + 16, usize::try_from(length - 16).expect("it has a header"))?;
        let number = |bytes: &[u8; 4]| i64::from(i32::from_le_bytes(*bytes));
        Some(numbers.as_chunks().0.iter().map(number).collect())
    }

    /// Has its runtime hear nothing any more, no order and no signal: its queues forget everything.
    pub(crate) fn deafen(&mut self) {
        let room = self.place(&[0; 16]);
        for queue in 4..40 {
            for number in 3..40 {
                self.call(libc::SYS_epoll_ctl, &[queue.into(), 2.into(), number.into(), room.into()]);
            }
        }
    }

    /// Has its runtime hear no more of a socket: each of its queues forgets each number of it.
    pub(crate) fn silence(&mut self, socket: i64) {
        let copies = self.copies(socket);
        for queue in 4..40 {
            for copy in &copies {
                // 2 is EPOLL_CTL_DEL.
                self.call(libc::SYS_epoll_ctl, &[queue.into(), 2.into(), (*copy).into(), Arg::Room(16)]);
            }
        }
        // It may have been woken for this socket already, and on a busy machine it comes to it late: between what evil waits for
        // and what evil reads.
        self.wait_for_rest();
    }
}

impl Said {
    /// Returns the bytes of the reply.
    #[track_caller]
    pub(crate) fn reply(self) -> Vec<u8> {
        match self {
            Self::Reply(payload, _) => payload,
            other => panic!("it was to be answered: {other:?}"),
        }
    }

    /// Returns the one descriptor of the reply.
    #[track_caller]
    pub(crate) fn descriptor(self) -> i64 {
        match self {
            Self::Reply(_, descriptors) if descriptors.len() == 1 => descriptors[0],
            other => panic!("it was to be answered with a descriptor: {other:?}"),
        }
    }

    /// Tells whether it was not decoded, and so never came to the actor.
    pub(crate) fn is_undecodable(&self) -> bool {
        matches!(self, Self::Failure(Failure::NotDelivered(NotDelivered::Undecodable { .. })))
    }

    /// Tells whether it was over a limit, or was not decoded.
    pub(crate) fn is_refused(&self) -> bool {
        let too_large = matches!(self, Self::Failure(Failure::NotDelivered(NotDelivered::TooLarge { .. })));
        too_large || self.is_undecodable()
    }

    /// Tells whether the handler panicked.
    pub(crate) fn is_panic(&self) -> bool {
        matches!(self, Self::Failure(Failure::Unknown(Unknown::Panicked { .. })))
    }
}

/// Returns the bytes that name every method of a protocol.
fn uses_of(schema: &ProtocolSchema) -> Vec<u8> {
    let uses = schema
        .methods
        .iter()
        .map(|method| Use { name: method_name(schema.name, method.name), fingerprint: method.fingerprint });
    encoded(&Uses(uses.collect()))
}

/// Returns a packet of one frame.
pub(crate) fn framed(header: Header, extensions: &Extensions, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    Frame::write(header, extensions, payload, &mut packet).expect("short");
    packet
}

/// Returns the bytes of a value, as an honest sender writes it, within no limits.
pub(crate) fn encoded(value: &impl Serialize) -> Vec<u8> {
    let limits = Limits { depth: u16::MAX, ..Limits::of_frame(Limits::MAX_FRAME_BYTES) };
    let mut bytes = Vec::new();
    codec::encode(value, &limits, &mut bytes).expect("within what a frame has room for");
    bytes
}

/// The slots in which what is granted here can be.
const SLOTS: u32 = 3;
/// More than any packet that comes here.
const ROOM: usize = 80 << 10;
/// Room for descriptors.
const CONTROL: usize = 256;
