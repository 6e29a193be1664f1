//! Frames come back, and whatever else arrives is a violation.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Limit;
use crate::fault::Violation;

fn ask() -> Header {
    let header = Header::new(Kind::Ask);
    Header {
        method: 0x0102,
        slot: 0x0304_0506,
        generation: 7,
        correlation: 0x0807_0605_0403_0201,
        fds: 2,
        ..header
    }
}

fn packet(frames: &[(Header, Extensions, &[u8])]) -> Vec<u8> {
    let mut packet = Vec::new();
    for (header, extensions, payload) in frames {
        Frame::write(*header, extensions, payload, &mut packet).unwrap();
    }
    packet
}

fn only(packet: &[u8]) -> Result<Frame<'_>, Violation> {
    Frames::new(packet).next().expect("the packet is not empty")
}

#[test]
fn the_bytes_of_a_frame_are_golden() {
    let extensions = Extensions { remaining: Some(Duration::from_secs(2)), ..Extensions::default() };
    let bytes = packet(&[(ask(), extensions, b"abc")]);
    let expected = concat!(
        "0b000000",
        "11",
        "01",
        "0201",
        "06050403",
        "07000000",
        "0102030405060708",
        "0200",
        "0800",
        "00000000",
        "0094357700000000",
        "616263",
    );
    assert_eq!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), expected);
}

#[test]
fn many_frames_of_one_packet_come_back_in_order() {
    let tell = |slot| Header { slot, ..Header::new(Kind::Tell) };
    let frames = [(tell(1), b"one".as_slice()), (tell(2), b""), (tell(3), b"three")];
    let bytes = packet(&frames.map(|(header, payload)| (header, Extensions::default(), payload)));
    let back: Vec<_> =
        Frames::new(&bytes).map(|frame| frame.unwrap()).map(|f| (f.header.slot, f.payload)).collect();
    assert_eq!(back, [(1, b"one".as_slice()), (2, b""), (3, b"three")]);
}

#[test]
fn after_a_violation_nothing_more_is_read() {
    let mut bytes = packet(&[(ask(), Extensions::default(), b"x"), (ask(), Extensions::default(), b"y")]);
    bytes[4] = 0xff;
    let frames: Vec<_> = Frames::new(&bytes).collect();
    assert_eq!(frames, [Err(Violation::UnknownKind { code: 0xff })]);
}

#[test]
fn b1_a_length_that_lies_is_a_violation_from_the_header_alone() {
    for length in [1_u32, 2, 1 << 20, u32::MAX] {
        let mut bytes = packet(&[(Header::new(Kind::Tell), Extensions::default(), b"")]);
        bytes[0..4].copy_from_slice(&length.to_le_bytes());
        assert!(only(&bytes).is_err(), "{length}");
    }
}

#[test]
fn b3_a_packet_that_ends_within_a_frame_is_a_violation() {
    let bytes = packet(&[(ask(), Extensions::default(), b"payload")]);
    for end in 1..bytes.len() {
        assert!(only(&bytes[..end]).is_err(), "cut at {end}");
    }
    assert_eq!(Frames::new(&[]).count(), 0);
}

#[test]
fn the_largest_frame_fits_a_packet_and_one_byte_more_does_not() {
    let room = MAX_PACKET_BYTES - HEADER_BYTES;
    let tell = Header::new(Kind::Tell);
    let mut out = vec![9; 3];
    Frame::write(tell, &Extensions::default(), &vec![0; room], &mut out).unwrap();
    assert_eq!(only(&out[3..]).unwrap().payload.len(), room);
    let mut out = vec![9; 3];
    let refused = Frame::write(tell, &Extensions::default(), &vec![0; room + 1], &mut out);
    assert_eq!((refused, out), (Err(Limit::FrameBytes), vec![9; 3]));
}

#[test]
fn what_a_kind_does_not_have_must_be_zero() {
    type Set = (&'static str, fn(&mut Header), fn(Rule) -> bool);
    let sets: [Set; 5] = [
        ("method", |header| header.method = 1, |rule| rule.method),
        ("slot", |header| header.slot = 1, |rule| rule.slot),
        ("generation", |header| header.generation = 1, |rule| rule.slot),
        ("correlation", |header| header.correlation = !header.correlation & 1, |_| false),
        ("descriptors", |header| header.fds = 1, |rule| rule.fds),
    ];
    for kind in Kind::ALL {
        let rule = kind.rule();
        let plain = Header { correlation: rule.correlation.into(), ..Header::new(*kind) };
        assert!(Header::parse(&plain.to_bytes()).is_ok(), "{kind:?}");
        for (field, set, permitted) in sets {
            let mut header = plain;
            set(&mut header);
            let parsed = Header::parse(&header.to_bytes());
            assert_eq!(parsed.is_ok(), permitted(rule), "{kind:?} with a {field}");
        }
    }
}

#[test]
fn flags_that_a_kind_does_not_have_are_a_violation() {
    for kind in Kind::ALL {
        let mut bytes =
            Header { correlation: kind.rule().correlation.into(), ..Header::new(*kind) }.to_bytes();
        for flags in 1..=255_u8 {
            bytes[5] = flags;
            assert_eq!(
                Header::parse(&bytes).is_ok(),
                kind.rule().flags.bits() & flags == flags,
                "{kind:?} {flags:#x}"
            );
        }
    }
}

fn extensions() -> impl Strategy<Value = Extensions> {
    let trace =
        any::<([u8; 16], [u8; 8], u8)>().prop_map(|(trace, span, flags)| TraceContext { trace, span, flags });
    let chain = prop::collection::vec(any::<u64>(), 0..=AskChain::MAX);
    let addresses = prop::collection::vec(any::<(u32, u32)>(), 0..=8);
    let part = any::<(u32, u32)>().prop_map(|(number, total)| Part { number, total });
    (any::<Option<u64>>(), prop::option::of(trace), chain, addresses, prop::option::of(part)).prop_map(
        |(remaining, trace, chain, addresses, part)| {
            let remaining = remaining.map(Duration::from_nanos);
            let mut extensions = Extensions { remaining, trace, part, ..Extensions::default() };
            chain.into_iter().for_each(|actor| extensions.chain.push(actor).unwrap());
            let entries = addresses.into_iter().map(|(slot, generation)| AddressEntry { slot, generation });
            entries.for_each(|entry| extensions.addresses.push(entry).unwrap());
            extensions
        },
    )
}

proptest! {
    #[test]
    fn any_ask_comes_back(
        (method, slot, generation, fds) in any::<(u16, u32, u32, u16)>(),
        correlation in 1_u64..,
        extensions in extensions(),
        payload in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let header = Header { method, slot, generation, correlation, fds, ..Header::new(Kind::Ask) };
        let bytes = packet(&[(header, extensions, &payload)]);
        let frame = only(&bytes).unwrap();
        prop_assert_eq!(frame.extensions(), Ok(extensions));
        prop_assert_eq!(frame.payload, &payload[..]);
        let back = frame.header;
        let found = (back.method, back.slot, back.generation, back.correlation, back.fds);
        prop_assert_eq!(found, (method, slot, generation, correlation, fds));
    }

    #[test]
    fn b5_any_flipped_bit_is_read_without_a_panic(
        extensions in extensions(),
        payload in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let bytes = packet(&[(ask(), extensions, &payload)]);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            for frame in Frames::new(&flipped).flatten() {
                let _ = frame.extensions();
            }
        }
    }

    #[test]
    fn b5_any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for frame in Frames::new(&bytes).flatten() {
            let _ = frame.extensions();
        }
    }
}
