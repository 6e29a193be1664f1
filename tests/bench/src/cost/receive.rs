//! What checks and budgets take of the way of one message, with the very code that a worker runs, and nothing around it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bailiwick::Portable;
use bailiwick_core::credit::{Grant, Size};
use bailiwick_core::link::{
    Action, Asked, Config, Delivery, Event, Export, ExportId, Frame, Import, ImportId, Limits as LinkLimits,
    Link, Message, Method, MethodName, Methods, Once, Target, WhileDown,
};
use bailiwick_core::pace::Rate;
use bailiwick_core::time;
use bailiwick_wire::descriptors::Incoming;
use bailiwick_wire::frame::{self, Extensions, Frames, Header, Kind};
use bailiwick_wire::{Limits, codec};
use bincode::error::DecodeError;

use crate::workload::{Note, Samples};

const ROUNDS: usize = 15;
/// Messages of one round.
const MESSAGES: u32 = 64_000;
/// Messages of one packet.
const PACKET: u32 = 64;
/// The codec's own encoding, without anything that counts.
const PLAIN: bincode::config::Configuration<bincode::config::LittleEndian, bincode::config::Fixint> =
    bincode::config::standard().with_fixed_int_encoding();

/// A message of about as many bytes of which each may have another number.
#[bailiwick::message]
struct Letter {
    number: u64,
    subject: String,
    reply_to: Option<u32>,
    pages: Vec<u16>,
}

impl Letter {
    fn new() -> Self {
        let subject = "a subject of 21 bytes".to_owned();
        Self { number: 7, subject, reply_to: Some(7), pages: vec![7; 7] }
    }
}

/// Nanoseconds of one message for each part of its way.
#[derive(Default)]
pub struct Receipt {
    frame: Vec<f64>,
    believed: Vec<f64>,
    plain_grant: Vec<f64>,
    bounded_grant: Vec<f64>,
    once_grant: Vec<f64>,
    credit: Vec<f64>,
    decoded_plainly: Vec<f64>,
    decoded_in_budget: Vec<f64>,
    decoded_in_largest: Vec<f64>,
    letter_plainly: Vec<f64>,
    letter_in_budget: Vec<f64>,
    encoded_plainly: Vec<f64>,
    encoded_in_budget: Vec<f64>,
}

impl Receipt {
    /// Returns what each part is called and how long it takes.
    pub fn rows(&self) -> [(&'static str, f64); 15] {
        let of = |samples: &Vec<f64>| Samples::of(samples.clone()).p10();
        let decoding = of(&self.decoded_in_budget) - of(&self.decoded_plainly);
        let checking = |checked: &Vec<f64>| of(checked) - of(&self.believed);
        [
            ("received: its frame is read", of(&self.frame)),
            ("it is believed: passed on to its mailbox without a check", of(&self.believed)),
            (
                "it is checked and passed on: state, slot, generation, grant, descriptors, credit",
                of(&self.plain_grant),
            ),
            ("the same, where the grant has `rate` and `max_inflight`", of(&self.bounded_grant)),
            ("the same, where the grant has `once`", of(&self.once_grant)),
            ("its credit is given back", of(&self.credit)),
            ("decoded by bincode alone", of(&self.decoded_plainly)),
            ("decoded within the default limits", of(&self.decoded_in_budget)),
            ("decoded within limits as large as can be", of(&self.decoded_in_largest)),
            ("**what the check and the limits add to both**", checking(&self.plain_grant) + decoding),
            ("the same, with `rate` and `max_inflight`", checking(&self.bounded_grant) + decoding),
            ("one with a text, a list and an option, decoded by bincode alone", of(&self.letter_plainly)),
            ("the same, decoded within the default limits", of(&self.letter_in_budget)),
            ("sent: encoded by bincode alone", of(&self.encoded_plainly)),
            ("encoded within the default limits", of(&self.encoded_in_budget)),
        ]
    }
}

/// Measures each part by itself, in turns.
pub fn measure() -> Receipt {
    let mut receipt = Receipt::default();
    let (mut plain, mut bounded) = (Receiver::of(plain()), Receiver::of(bounded()));
    let largest = Limits { depth: Limits::MAX_DEPTH, ..Limits::LINK };
    for _ in 0..ROUNDS {
        let note = Note::telling(7);
        let bytes = encoded(&note);
        receipt.frame.push(
            each(PACKET, || read_packet(&packet(&bytes))) - each(PACKET, || drop(black_box(packet(&bytes)))),
        );
        receipt.believed.push(plain.believe(bytes.len()));
        let (check, credit) = plain.receive(bytes.len());
        receipt.plain_grant.push(check);
        receipt.credit.push(credit);
        receipt.bounded_grant.push(bounded.receive(bytes.len()).0);
        receipt.once_grant.push(once(bytes.len()));
        // Looked at where it stands: a move of what has just been written would be measured too.
        receipt.decoded_plainly.push(each(1, || _ = black_box(&decoded_plainly::<Note>(black_box(&bytes)))));
        for (limits, times) in
            [(Limits::LINK, &mut receipt.decoded_in_budget), (largest, &mut receipt.decoded_in_largest)]
        {
            times.push(each(1, || _ = black_box(&decoded::<Note>(black_box(&bytes), &limits))));
        }
        let bytes = encoded(&Letter::new());
        receipt.letter_plainly.push(each(1, || _ = black_box(&decoded_plainly::<Letter>(black_box(&bytes)))));
        let letter = || _ = black_box(&decoded::<Letter>(black_box(&bytes), &Limits::LINK));
        receipt.letter_in_budget.push(each(1, letter));
        let mut out = Vec::new();
        receipt.encoded_plainly.push(each(1, || {
            out.clear();
            _ = black_box(&bincode::serde::encode_into_std_write(black_box(&note), &mut out, PLAIN));
        }));
        receipt.encoded_in_budget.push(each(1, || {
            out.clear();
            _ = black_box(&codec::encode_message(black_box(&note), &Limits::LINK, &mut out));
        }));
    }
    receipt
}

/// Returns the nanoseconds of one of the `messages` that `act` is about.
fn each(messages: u32, mut act: impl FnMut()) -> f64 {
    let began = Instant::now();
    (0..MESSAGES / messages).for_each(|_| act());
    nanos(began.elapsed()) / f64::from(MESSAGES)
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

fn encoded<T: Portable>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, &Limits::LINK, &mut bytes).expect("it is small");
    let (_, read) =
        bincode::serde::decode_from_slice::<T, _>(&bytes, PLAIN).expect("it is the same encoding");
    assert_eq!(read, bytes.len(), "both read the same bytes");
    bytes
}

// Both are called as the runtime calls what decodes a message. Where one is taken apart by the compiler and becomes part of
// the loop, and the other is not, the difference says nothing of limits: a value that nobody keeps is never put together.

#[inline(never)]
fn decoded_plainly<T: Portable>(bytes: &[u8]) -> Result<T, DecodeError> {
    bincode::serde::decode_from_slice(bytes, PLAIN).map(|(value, _)| value)
}

#[inline(never)]
fn decoded<T: Portable>(bytes: &[u8], limits: &Limits) -> Result<T, Box<codec::DecodeError>> {
    codec::decode_message(bytes, Incoming::default(), limits)
}

fn packet(payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(PACKET as usize * 128);
    for _ in 0..PACKET {
        frame::Frame::write(Header::new(Kind::Tell), &Extensions::default(), payload, &mut packet)
            .expect("it is small");
    }
    packet
}

fn read_packet(packet: &[u8]) {
    for frame in Frames::new(black_box(packet)) {
        let frame = frame.expect("it was written by the same code");
        drop(black_box((frame.extensions(), frame)));
    }
}

/// One grant of one method, with the credit of a mailbox that is as large as they are.
fn plain() -> Export {
    let method = |number| Method { name: MethodName(number), fingerprint: [7; 16] };
    let first = Grant { messages: 1024, bytes: 4 << 20, fds: 16 };
    Export::plain((1..=Methods::MAX.into()).map(method).collect(), first, 64)
}

fn bounded() -> Export {
    let rate = Rate { messages: 1_000_000_000, period: Duration::from_secs(1) };
    Export { rate: Some(rate), asks: 65_536, ..plain() }
}

/// Returns the nanoseconds of the check of a message that is the only one of its method. Each link serves for as many as
/// there are methods.
fn once(bytes: usize) -> f64 {
    let methods = Methods::MAX;
    let mut took = Duration::ZERO;
    let links = MESSAGES / u32::from(methods) / 4;
    for _ in 0..links {
        let mut receiver = Receiver::of(Export { once: Once::Ever, ..plain() });
        let began = Instant::now();
        for method in 0..methods {
            let _delivery = black_box(receiver.check(method, bytes));
            receiver.actions.clear();
        }
        took += began.elapsed();
    }
    nanos(took) / f64::from(links * u32::from(methods))
}

/// One side of a link that is open, and what the other may send to.
struct Receiver {
    link: Link,
    target: Target,
    now: time::Instant,
    actions: Vec<Action>,
}

impl Receiver {
    /// Has a link greet another until messages flow.
    fn of(export: Export) -> Self {
        let now = time::Instant::START;
        let limits = LinkLimits { message_bytes: 1 << 20, message_fds: 16, items: 64, watches: 64 };
        let (window_bytes, waiting, while_down) = (1 << 20, 64, WhileDown::default());
        let config = Config { may_accuse: false, limits, window_bytes, waiting, while_down };
        let (mut here, mut there) = (Link::new(config), Link::new(config));
        let uses = export.methods.clone();
        let import = Import { slot: 0, generation: None, uses, rendezvous: false };
        let mut ignored = Vec::new();
        here.handle(now, Event::Export { slot: 0, export: Box::new(export) }, &mut ignored);
        let (entry, import) = (Box::new(import), ImportId(0));
        there.handle(now, Event::Import { import, entry }, &mut ignored);
        let (mut to_there, mut to_here) = (Vec::new(), Vec::new());
        here.handle(now, Event::Linked { generation: 1 }, &mut to_there);
        there.handle(now, Event::Linked { generation: 1 }, &mut to_here);
        while !(to_here.is_empty() && to_there.is_empty()) {
            let (mut from_there, mut from_here) = (Vec::new(), Vec::new());
            frames(&mut to_here).for_each(|frame| here.handle(now, Event::Received(frame), &mut from_here));
            frames(&mut to_there)
                .for_each(|frame| there.handle(now, Event::Received(frame), &mut from_there));
            (to_here, to_there) = (from_there, from_here);
        }
        assert!(here.is_open() && there.is_open(), "the two agree");
        Self { link: here, target: Target { slot: 0, generation: 0 }, now, actions: Vec::new() }
    }

    /// Returns the nanoseconds of the check of one message, and those of giving its credit back once it is taken.
    fn receive(&mut self, bytes: usize) -> (f64, f64) {
        let (mut checking, mut giving) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..MESSAGES / PACKET {
            // The clock is read once for a packet.
            self.now += Duration::from_micros(50);
            let (mut delivered, mut export) = (0, None);
            let began = Instant::now();
            for _ in 0..PACKET {
                // As the driver has it, who takes from it where it stands.
                if let Some(delivery) = black_box(&self.check(0, bytes)) {
                    delivered += 1;
                    export = Some(delivery.export);
                }
            }
            self.link.settle(self.now, &mut self.actions);
            let checked = Instant::now();
            assert_eq!(delivered, PACKET, "every message is delivered");
            let export = export.expect("there was one");
            let taken = Instant::now();
            // An actor gives back the room of as many together.
            let room = Grant { messages: PACKET, bytes: PACKET * size(bytes).bytes, fds: 0 };
            self.link.taken_together(self.now, export, room, &mut self.actions);
            self.link.settle(self.now, &mut self.actions);
            giving += taken.elapsed();
            checking += checked - began;
            self.actions.clear();
        }
        (nanos(checking) / f64::from(MESSAGES), nanos(giving) / f64::from(MESSAGES))
    }

    /// Returns the nanoseconds of one message of which everything is believed.
    fn believe(&mut self, bytes: usize) -> f64 {
        each(1, || {
            let message = self.message(0, bytes);
            if let Some(delivery) = black_box(&believed(self.now, black_box(&message))) {
                black_box(delivery.export);
            }
        })
    }

    /// Checks a message as a link does of which nothing else came.
    fn check(&mut self, method: u16, bytes: usize) -> Option<Delivery> {
        let message = self.message(method, bytes);
        self.link.message_arrived(self.now, black_box(&message), &mut self.actions)
    }

    fn message(&self, method: u16, bytes: usize) -> Message {
        Message { target: self.target, method, size: size(bytes), ask: None, rendezvous: false }
    }
}

/// Makes of a message what is put into its mailbox, as a link does once it has checked it.
#[inline(never)]
fn believed(now: time::Instant, message: &Message) -> Option<Delivery> {
    let &Message { target, method, ask, rendezvous, .. } = message;
    let asked = ask.map(|(ticket, _)| Asked { ticket, link: 1 });
    let deadline = ask.and_then(|(_, remaining)| remaining).map(|remaining| now + remaining);
    Some(Delivery { export: ExportId { target, link: 1 }, method, asked, rendezvous, deadline })
}

fn size(bytes: usize) -> Size {
    Size { bytes: bytes.try_into().expect("it is small"), fds: 0 }
}

fn frames(actions: &mut Vec<Action>) -> impl Iterator<Item = Frame> {
    actions.drain(..).filter_map(|action| match action {
        Action::Send(frame) => Some(frame),
        _ => None,
    })
}
