//! An end that writes anything anywhere: the other one refuses it or takes what was written, and keeps its own.

use bailiwick_core::ring::{CONTROL_WORDS, Forged, WriteError};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::cells::Cells;
use crate::forgery::{Act, BUFFER, ROOM, SPOKEN, play};

const TAIL: usize = 0;
const HEAD: usize = 32;

/// Words that come near to what is right, and any.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![0..40u64, any::<u64>(), (0..40u64).prop_map(|below| u64::MAX - below), Just(1 << 63)]
}

fn act() -> impl Strategy<Value = Act> {
    let spoken = (0..SPOKEN.len()).prop_map(|at| SPOKEN[at]);
    let anywhere = prop_oneof![spoken, 0..CONTROL_WORDS + ROOM];
    prop_oneof![
        2 => (anywhere.clone(), word()).prop_map(|(at, word)| Act::Forge { at, word }),
        2 => (anywhere, 0..4u64).prop_map(|(at, by)| Act::Shift { at, by }),
        4 => (0..140usize, 0..3u16).prop_map(|(bytes, fds)| Act::Write { bytes, fds }),
        4 => (0..=BUFFER).prop_map(|buffer| Act::Read { buffer }),
        1 => Just(Act::ReaderSleeps),
        1 => (0..140usize).prop_map(|bytes| Act::WriterSleeps { bytes }),
        1 => Just(Act::ReaderRings),
        1 => Just(Act::WriterRings),
        1 => Just(Act::LooksLast),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in the shared words, each end does what they say as far as that is possible, and no more.
    #[test]
    fn nothing_that_stands_there_does_more_than_be_refused(acts in vec(act(), 0..200)) {
        play(acts);
    }

    /// Whoever reads forges every word of its own, and what waits for it: what it is sent next is written all the same, as
    /// far as it says that there is room, and never beyond.
    #[test]
    fn d7_a_reader_that_claims_to_have_read_harms_what_it_is_sent(
        claims in vec((word(), 1..100usize), 0..100),
    ) {
        let (mut writer, _, cells) = Cells::ends(ROOM);
        let (mut taken, mut written) = (0, 0);
        for (claim, bytes) in claims {
            cells.set(HEAD, claim);
            let needed = 1 + bytes.div_ceil(8) as u64;
            let fits_before = written + needed <= taken + ROOM as u64;
            let is_possible = (taken..=written).contains(&claim);
            let outcome = writer.write(&vec![1; bytes], 0);
            if fits_before || (is_possible && written + needed <= claim + ROOM as u64) {
                prop_assert_eq!(outcome, Ok(()));
                taken = if fits_before { taken } else { claim };
                written += needed;
            } else if is_possible {
                prop_assert_eq!(outcome, Err(WriteError::Full));
                taken = claim;
            } else {
                prop_assert_eq!(outcome, Err(WriteError::Forged(Forged::Head(claim))));
            }
            prop_assert_eq!(cells.get(TAIL), written);
        }
    }
}

#[test]
fn d1_an_end_of_what_is_published_that_cannot_be_is_refused() {
    for tail in [ROOM as u64 + 1, 1 << 63, u64::MAX] {
        let (_, mut reader, cells) = Cells::ends(ROOM);
        cells.set(TAIL, tail);
        assert_eq!(reader.read(&mut [0; 8]), Err(Forged::Tail(tail)));
        assert_eq!(reader.sleep(), Err(Forged::Tail(tail)));
    }
    let (mut writer, mut reader, cells) = Cells::ends(ROOM);
    writer.write(&[1; 8], 0).unwrap();
    reader.read(&mut [0; 8]).unwrap().unwrap();
    cells.set(TAIL, 1);
    assert_eq!(reader.read(&mut [0; 8]), Err(Forged::Tail(1)), "backwards");
}

#[test]
fn d1_a_packet_longer_than_what_is_published_or_taken_is_refused() {
    let head = |bytes: u64, rest: u64| bytes | (rest << 32);
    for forged in
        [head(0, 0), head(9, 0), head(17, 0), head(u64::from(u32::MAX), 0), head(8, 1 << 16), 1 << 63]
    {
        let (mut writer, mut reader, cells) = Cells::ends(ROOM);
        writer.write(&[1; 8], 0).unwrap();
        cells.set(CONTROL_WORDS, forged);
        assert_eq!(reader.read(&mut [0; 16]), Err(Forged::Packet(forged)), "{forged:x}");
    }
    let (mut writer, mut reader, _) = Cells::ends(ROOM);
    writer.write(&[1; 17], 0).unwrap();
    assert!(reader.read(&mut [0; 16]).is_err(), "more than the reader takes");
}

#[test]
fn after_the_last_look_nothing_more_is_taken() {
    let (mut writer, mut reader, _) = Cells::ends(ROOM);
    let mut packet = [0; 8];
    for number in 0..4 {
        writer.write(&[number; 8], 0).unwrap();
        match number {
            0 => drop(reader.read(&mut packet)),
            2 => reader.look_last().unwrap(),
            _ => {}
        }
    }
    let mut taken = std::iter::from_fn(|| reader.read(&mut packet).unwrap().map(|_| packet[0]));
    assert_eq!([taken.next(), taken.next(), taken.next()], [Some(1), Some(2), None]);
}
