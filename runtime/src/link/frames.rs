//! Between what the link machine says and what travels: one frame in, one frame out.

use bailiwick_core::asks::Ticket;
use bailiwick_core::credit::{Grant, Size};
use bailiwick_core::link::{
    self, CloseReason, Frame, Hello, Method, MethodName, Methods, Offer, Refusal, Target, Terms,
};
use bailiwick_core::pace::Rate;
use bailiwick_wire::Limits;
use bailiwick_wire::codec;
use bailiwick_wire::fault::Violation;
use bailiwick_wire::frame::{self, Extensions, Header, Kind};
use bailiwick_wire::handshake;
use bailiwick_wire::reason::{CloseCause, DownCause, Failure};
use bailiwick_wire::schema::{Fingerprint, MethodShape};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::reasons;

/// What a frame of the runtime's own carries beyond what the machine looks at.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// Of a `Failure`.
    pub(super) failure: Option<Failure>,
    /// Of a `Down`.
    pub(super) cause: Option<DownCause>,
    /// Of a `Refuse`.
    pub(super) shape: Option<MethodShape>,
}

/// A frame that arrived, as the machine sees it, with what goes with it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) frame: Frame,
    pub(super) words: Words,
}

/// Reads what a whole frame says. `fds` is how many descriptors came with it.
///
/// # Errors
/// The violation: the payload of a frame of the runtime's own is not what its kind has.
pub(super) fn read(header: &Header, extensions: &Extensions, payload: &[u8]) -> Result<Read, Violation> {
    let target = Target { slot: header.slot, generation: header.generation };
    let correlation = Ticket::from_bits(header.correlation);
    let size = Size { bytes: length(payload), fds: header.fds };
    let mut words = Words::default();
    let control = Control { kind: header.kind, payload };
    let frame = match header.kind {
        Kind::Hello => read_hello(&control.decode()?),
        Kind::HelloAck => Frame::HelloAck,
        Kind::Refuse => Frame::Refuse(read_refusal(control.decode()?, &mut words)),
        Kind::Uses => {
            let handshake::Uses(uses) = control.decode()?;
            Frame::Uses { slot: header.slot, uses: uses.into_iter().map(read_use).collect() }
        }
        Kind::Offer => Frame::Offer(read_offer(header.slot, control.decode()?)),
        Kind::Tell => Frame::Tell { target, method: header.method, size },
        Kind::Rendezvous => Frame::Rendezvous { target, method: header.method, size, correlation },
        Kind::Ask => {
            Frame::Ask { target, method: header.method, size, correlation, remaining: extensions.remaining }
        }
        Kind::Reply => Frame::Reply { correlation, size },
        Kind::Failure => {
            let failure: Failure = control.decode()?;
            let coarse = reasons::coarse(&failure);
            words.failure = Some(failure);
            Frame::Failure { correlation, failure: coarse }
        }
        Kind::Opened => Frame::Opened { correlation },
        Kind::Item => Frame::Item { correlation, size },
        Kind::End => Frame::End { correlation },
        Kind::Cancel => Frame::Cancel { correlation },
        Kind::Credit => Frame::Credit { target, grant: control.grant()? },
        Kind::Lend => Frame::Lend { target, grant: control.grant()? },
        Kind::ItemCredit => {
            let [items] = control.integers()?;
            Frame::More { correlation, items }
        }
        Kind::Watch => Frame::Watch { target, watch: link::WatchId(header.correlation) },
        Kind::Unwatch => Frame::Unwatch { watch: link::WatchId(header.correlation) },
        Kind::Down => {
            words.cause = Some(control.decode()?);
            Frame::Down { watch: link::WatchId(header.correlation), cause: reasons::SPOKEN }
        }
        Kind::Release => Frame::Release { target },
        Kind::Revoke => Frame::Revoke { target },
        Kind::Unready => Frame::Unready,
        Kind::Ready => Frame::Ready,
        Kind::Draining => Frame::Draining,
        Kind::Heard => Frame::Heard,
        Kind::Close => Frame::Close(reasons::close_reason(control.decode()?)),
        // Pieces are put together before they get here; one that does is out of place.
        Kind::Fragment => return Err(control.violation()),
    };
    Ok(Read { frame, words })
}

struct Control<'a> {
    kind: Kind,
    payload: &'a [u8],
}

impl Control<'_> {
    fn decode<T: DeserializeOwned>(&self) -> Result<T, Violation> {
        codec::decode(self.payload, &Limits::CONTROL).map_err(|_| self.violation())
    }

    fn integers<const N: usize>(&self) -> Result<[u32; N], Violation> {
        let mut found = [0; N];
        let (chunks, rest) = self.payload.as_chunks::<4>();
        if chunks.len() != N || !rest.is_empty() {
            return Err(self.violation());
        }
        for (place, bytes) in found.iter_mut().zip(chunks) {
            *place = u32::from_le_bytes(*bytes);
        }
        Ok(found)
    }

    fn grant(&self) -> Result<Grant, Violation> {
        let [messages, bytes, fds] = self.integers()?;
        Ok(Grant { messages, bytes, fds: fds.try_into().unwrap_or(u16::MAX) })
    }

    fn violation(&self) -> Violation {
        let limit = Limits::CONTROL.frame_bytes;
        Violation::PayloadLength { kind: self.kind, found: length(self.payload), limit }
    }
}

fn read_hello(hello: &handshake::Hello) -> Frame {
    let handshake::Hello { version, message_bytes, message_fds, items, watches } = *hello;
    Frame::Hello(Hello { version, limits: link::Limits { message_bytes, message_fds, items, watches } })
}

fn read_use(used: handshake::Use) -> Method {
    Method { name: MethodName(used.name), fingerprint: used.fingerprint.0 }
}

fn written_use(method: &Method) -> handshake::Use {
    handshake::Use { name: method.name.0, fingerprint: Fingerprint(method.fingerprint) }
}

fn read_refusal(refusal: handshake::Refusal, words: &mut Words) -> Refusal {
    match refusal {
        handshake::Refusal::Version { spoken } => Refusal::Version { spoken },
        handshake::Refusal::Schema { slot, method, theirs } => {
            let fingerprint = theirs.fingerprint.0;
            words.shape = Some(theirs);
            Refusal::Schema { slot, method: MethodName(method), fingerprint }
        }
    }
}

fn read_offer(slot: u32, offer: handshake::Offer) -> Offer {
    let terms = offer.terms.map(|terms| {
        let handshake::Terms { generation, messages, bytes, fds, wait, rendezvous, asks, rate, once, used } =
            terms;
        let fds = fds.try_into().unwrap_or(u16::MAX);
        let rate = rate.map(|(messages, period, left)| (Rate { messages, period }, left));
        let (grant, used) = (Grant { messages, bytes, fds }, Methods::from_bits(used));
        Terms { generation, grant, wait, rendezvous, asks, rate, once, used }
    });
    let methods = offer.methods.into_iter().map(|(used, index)| (read_use(used), index)).collect();
    Offer { slot, terms, methods }
}

/// Returns the header of a frame; lengths and descriptors are the outbox's to fill in.
pub(super) fn header(frame: &Frame) -> Header {
    let of = Header::new;
    let slot = |kind, target: Target| Header { slot: target.slot, generation: target.generation, ..of(kind) };
    let ask = |kind, ticket: Ticket| Header { correlation: ticket.bits(), ..of(kind) };
    match frame {
        Frame::Hello(_) => of(Kind::Hello),
        Frame::HelloAck => of(Kind::HelloAck),
        Frame::Uses { slot, .. } => Header { slot: *slot, ..of(Kind::Uses) },
        Frame::Offer(offer) => Header { slot: offer.slot, ..of(Kind::Offer) },
        Frame::Refuse(_) => of(Kind::Refuse),
        Frame::Tell { target, method, size } => {
            Header { method: *method, fds: size.fds, ..slot(Kind::Tell, *target) }
        }
        Frame::Rendezvous { target, method, size, correlation } => Header {
            method: *method,
            fds: size.fds,
            correlation: correlation.bits(),
            ..slot(Kind::Rendezvous, *target)
        },
        Frame::Ask { target, method, size, correlation, .. } => Header {
            method: *method,
            fds: size.fds,
            correlation: correlation.bits(),
            ..slot(Kind::Ask, *target)
        },
        Frame::Reply { correlation, size } => Header { fds: size.fds, ..ask(Kind::Reply, *correlation) },
        Frame::Failure { correlation, .. } => ask(Kind::Failure, *correlation),
        Frame::Opened { correlation } => ask(Kind::Opened, *correlation),
        Frame::Item { correlation, size } => Header { fds: size.fds, ..ask(Kind::Item, *correlation) },
        Frame::End { correlation } => ask(Kind::End, *correlation),
        Frame::Cancel { correlation } => ask(Kind::Cancel, *correlation),
        Frame::More { correlation, .. } => ask(Kind::ItemCredit, *correlation),
        Frame::Credit { target, .. } => slot(Kind::Credit, *target),
        Frame::Lend { target, .. } => slot(Kind::Lend, *target),
        Frame::Watch { target, watch } => Header { correlation: watch.0, ..slot(Kind::Watch, *target) },
        Frame::Unwatch { watch } => Header { correlation: watch.0, ..of(Kind::Unwatch) },
        Frame::Down { watch, .. } => Header { correlation: watch.0, ..of(Kind::Down) },
        Frame::Release { target } => slot(Kind::Release, *target),
        Frame::Revoke { target } => slot(Kind::Revoke, *target),
        Frame::Unready => of(Kind::Unready),
        Frame::Ready => of(Kind::Ready),
        Frame::Draining => of(Kind::Draining),
        Frame::Heard => of(Kind::Heard),
        Frame::Close(_) => of(Kind::Close),
    }
}

/// Appends the payload of a frame of the runtime's own. A user's payload is not this module's.
pub(super) fn write_control(frame: &Frame, words: Words, out: &mut Vec<u8>) {
    match frame {
        Frame::Hello(Hello { version, limits }) => {
            let link::Limits { message_bytes, message_fds, items, watches } = *limits;
            put(&handshake::Hello { version: *version, message_bytes, message_fds, items, watches }, out);
        }
        Frame::Uses { uses, .. } => {
            put(&handshake::Uses(uses.iter().map(written_use).collect()), out);
        }
        Frame::Offer(offer) => put(&written_offer(offer), out),
        Frame::Refuse(refusal) => put(&written_refusal(refusal, words.shape), out),
        Frame::Failure { failure, .. } => {
            let failure = words.failure.unwrap_or_else(|| reasons::full(*failure));
            let start = out.len();
            if codec::encode(&failure, &Limits::CONTROL, out).is_err() {
                // Words longer than a frame of ours may be: the kind of failure is what counts.
                out.truncate(start);
                put(&reasons::full(reasons::coarse(&failure)), out);
            }
        }
        Frame::Down { .. } => put(&words.cause.unwrap_or(DownCause::NoSuchActor), out),
        Frame::Credit { grant, .. } | Frame::Lend { grant, .. } => {
            for integer in [grant.messages, grant.bytes, u32::from(grant.fds)] {
                out.extend_from_slice(&integer.to_le_bytes());
            }
        }
        Frame::More { items, .. } => out.extend_from_slice(&items.to_le_bytes()),
        Frame::Close(reason) => put(&close_cause(*reason), out),
        Frame::HelloAck
        | Frame::Tell { .. }
        | Frame::Rendezvous { .. }
        | Frame::Ask { .. }
        | Frame::Reply { .. }
        | Frame::Opened { .. }
        | Frame::Item { .. }
        | Frame::End { .. }
        | Frame::Cancel { .. }
        | Frame::Watch { .. }
        | Frame::Unwatch { .. }
        | Frame::Release { .. }
        | Frame::Revoke { .. }
        | Frame::Unready
        | Frame::Ready
        | Frame::Draining
        | Frame::Heard => {}
    }
}

fn written_offer(offer: &Offer) -> handshake::Offer {
    let terms = offer.terms.map(|Terms { generation, grant, wait, rendezvous, asks, rate, once, used }| {
        let (messages, bytes, fds) = (grant.messages, grant.bytes, grant.fds.into());
        let rate = rate.map(|(rate, left)| (rate.messages, rate.period, left));
        let used = used.bits();
        handshake::Terms { generation, messages, bytes, fds, wait, rendezvous, asks, rate, once, used }
    });
    let methods = offer.methods.iter().map(|(method, index)| (written_use(method), *index)).collect();
    handshake::Offer { terms, methods }
}

fn written_refusal(refusal: &Refusal, shape: Option<MethodShape>) -> handshake::Refusal {
    match *refusal {
        Refusal::Version { spoken } => handshake::Refusal::Version { spoken },
        Refusal::Schema { slot, method, fingerprint } => {
            let unnamed = || MethodShape {
                name: String::new(),
                fingerprint: Fingerprint(fingerprint),
                shape: String::new(),
            };
            let mut theirs = shape.unwrap_or_else(unnamed);
            cut(&mut theirs.shape, SHAPE_BYTES_MAX);
            handshake::Refusal::Schema { slot, method: method.0, theirs }
        }
    }
}

fn close_cause(reason: CloseReason) -> CloseCause {
    match reason {
        CloseReason::Done => CloseCause::Drained,
        CloseReason::Protocol => CloseCause::Protocol,
        CloseReason::Refused => CloseCause::Schema,
    }
}

/// Shortens a text to at most `bytes`, at the end of a character.
fn cut(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
}

/// Writes a value of the runtime's own, which is small by its type.
fn put<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    codec::encode(value, &Limits::CONTROL, out)
        .expect("what the runtime says of itself is within its limits");
}

fn length(bytes: &[u8]) -> u32 {
    bytes.len().try_into().unwrap_or(u32::MAX)
}

/// A shape is shown to people; what does not fit into a frame is cut off.
const SHAPE_BYTES_MAX: usize = 8 << 10;

/// The most bytes of payload that fit into one packet behind the longest extensions.
pub(super) const PIECE_BYTES: usize = frame::MAX_PACKET_BYTES - frame::HEADER_BYTES - Extensions::MAX_BYTES;
