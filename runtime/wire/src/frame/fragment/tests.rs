//! Pieces come out whole or are violations.

use proptest::prelude::*;

use super::super::{Frames, Header};
use super::*;

const LIMIT: u32 = 1000;

/// Cuts a payload into frames as a sender does.
fn pieces(number: u32, payload: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for (at, bytes) in payload.chunks(piece).enumerate() {
        let mut packet = Vec::new();
        let part = (at == 0).then_some(Part { number, total: payload.len() as u32 });
        let header = match part {
            Some(_) => Header { slot: 5, ..Header::new(Kind::Tell) },
            None => Header { slot: number, generation: at as u32, ..Header::new(Kind::Fragment) },
        };
        Frame::write(header, &Extensions { part, ..Extensions::default() }, bytes, &mut packet).unwrap();
        packets.push(packet);
    }
    packets
}

fn take(reassembler: &mut Reassembler, packet: &[u8]) -> Result<Option<Assembled>, Violation> {
    let frame = Frames::new(packet).next().unwrap()?;
    match frame.header.kind {
        Kind::Fragment => reassembler.add(&frame),
        _ => reassembler.begin(&frame, frame.extensions()?).map(|()| None),
    }
}

#[test]
fn parts_that_are_mixed_come_out_whole() {
    let payloads: Vec<Vec<u8>> = (0..4).map(|number| vec![number as u8; 90]).collect();
    let sent: Vec<_> =
        payloads.iter().zip(0..).map(|(payload, number)| pieces(number, payload, 30)).collect();
    let mut reassembler = Reassembler::new(LIMIT);
    let mut whole = Vec::new();
    for piece in 0..3 {
        for packets in &sent {
            whole.extend(take(&mut reassembler, &packets[piece]).unwrap());
        }
    }
    assert_eq!(whole.iter().map(|assembled| assembled.payload.clone()).collect::<Vec<_>>(), payloads);
    assert!(whole.iter().all(|assembled| assembled.header.slot == 5 && assembled.extensions.part.is_none()));
    assert_eq!((reassembler.unfinished(), reassembler.held_bytes()), (0, 0));
}

#[test]
fn a_payload_at_the_limit_is_taken_and_one_byte_more_is_not() {
    let first = |length: u32| pieces(0, &vec![0; length as usize], 100)[0].clone();
    assert_eq!(take(&mut Reassembler::new(LIMIT), &first(LIMIT)), Ok(None));
    assert!(take(&mut Reassembler::new(LIMIT), &first(LIMIT + 1)).is_err());
    assert!(take(&mut Reassembler::new(0), &first(LIMIT)).is_err());
}

#[test]
fn an_announcement_holds_only_what_has_arrived() {
    let mut reassembler = Reassembler::new(u32::MAX);
    let mut packet = Vec::new();
    let part = Some(Part { number: 0, total: u32::MAX });
    Frame::write(Header::new(Kind::Tell), &Extensions { part, ..Extensions::default() }, b"x", &mut packet)
        .unwrap();
    assert_eq!(take(&mut reassembler, &packet), Ok(None));
    assert_eq!((reassembler.unfinished(), reassembler.held_bytes()), (1, 1));
}

#[test]
fn pieces_that_do_not_fit_together_are_violations() {
    let sent = pieces(0, &[7; 90], 30);
    let begun = || {
        let mut reassembler = Reassembler::new(LIMIT);
        take(&mut reassembler, &sent[0]).unwrap();
        reassembler
    };
    assert!(take(&mut Reassembler::new(LIMIT), &sent[1]).is_err(), "has not begun");
    assert!(take(&mut begun(), &sent[0]).is_err(), "begins twice");
    assert!(take(&mut begun(), &sent[2]).is_err(), "one is left out");
    assert!(take(&mut begun(), &pieces(4, &[7; 90], 30)[0]).is_err(), "a fifth part");
    assert!(take(&mut begun(), &pieces(0, &[7; 90], 80)[1]).is_ok(), "a shorter piece");
    let mut long = begun();
    assert_eq!(take(&mut long, &sent[1]), Ok(None));
    let mut packet = Vec::new();
    let header = Header { generation: 2, ..Header::new(Kind::Fragment) };
    Frame::write(header, &Extensions::default(), &[0; 31], &mut packet).unwrap();
    assert!(take(&mut long, &packet).is_err(), "more than announced");
}

proptest! {
    #[test]
    fn any_payload_in_any_pieces_comes_out_whole(
        payload in prop::collection::vec(any::<u8>(), 2..1000),
        piece in 1_usize..200,
    ) {
        prop_assume!(piece < payload.len());
        let mut reassembler = Reassembler::new(LIMIT);
        let mut whole = None;
        for packet in pieces(3, &payload, piece) {
            prop_assert!(whole.is_none());
            whole = take(&mut reassembler, &packet).unwrap();
        }
        prop_assert_eq!(whole.map(|assembled| assembled.payload), Some(payload));
    }
}
