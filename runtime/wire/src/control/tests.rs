//! Golden bytes and hostile bytes of the records.

use super::*;

const EVIDENCE: Evidence = Evidence { header: [0xaa; 32], hash: [0xbb; 16] };

fn from_worker() -> Vec<ToSupervisor> {
    vec![
        ToSupervisor::Confined,
        ToSupervisor::Ready,
        ToSupervisor::Unready,
        ToSupervisor::Drained,
        ToSupervisor::Keep { name: "http".into() },
        ToSupervisor::Discard { name: "a".repeat(KEPT_NAME_BYTES) },
        ToSupervisor::Accuse { peer: 0x0102, generation: 0x0304_0506, fault: 4, evidence: EVIDENCE },
        ToSupervisor::Reopen { peer: 0x0102, generation: 0x0304_0506, fault: 2, evidence: EVIDENCE },
        ToSupervisor::Skipped,
        ToSupervisor::Settled,
        ToSupervisor::Spent { taken: 0x0102 },
        ToSupervisor::Used { peer: 0x0102, slot: 0x0304_0506, method: 7 },
        ToSupervisor::Declined,
        ToSupervisor::Refused,
    ]
}

fn from_supervisor() -> Vec<ToWorker> {
    vec![
        ToWorker::Go,
        ToWorker::Link { peer: 1, generation: 2, beside: false, uid: None, ring: false },
        ToWorker::Link { peer: 1, generation: 2, beside: true, uid: None, ring: false },
        ToWorker::Link { peer: 1, generation: 2, beside: true, uid: Some(0x0304), ring: false },
        ToWorker::Link { peer: 1, generation: 2, beside: false, uid: None, ring: true },
        ToWorker::PeerDown { peer: 1, generation: 2, cause: 3 },
        ToWorker::Kept { name: "http".into() },
        ToWorker::Drain { last: false },
        ToWorker::Drain { last: true },
        ToWorker::Stop { last: false },
        ToWorker::Stop { last: true },
        ToWorker::Succeed { peer: 0x0102, generation: 0x0304_0506 },
        ToWorker::Update,
    ]
}

#[test]
fn every_record_comes_back() {
    for record in from_worker() {
        assert_eq!(ToSupervisor::from_bytes(&record.to_bytes()), Ok(record));
    }
    for record in from_supervisor() {
        assert_eq!(ToWorker::from_bytes(&record.to_bytes()), Ok(record));
    }
}

#[test]
fn the_bytes_of_each_record_are_golden() {
    let shown = |bytes: [u8; RECORD_BYTES]| {
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes[..end].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join("")
    };
    let mut golden: Vec<String> = from_worker().iter().map(|record| shown(record.to_bytes())).collect();
    golden.extend(from_supervisor().iter().map(|record| shown(record.to_bytes())));
    let long_name = format!("06{}{}", "00".repeat(15), "61".repeat(32));
    let of_a_frame = |start| format!("{start}{}{}{}", "00".repeat(7), "aa".repeat(32), "bb".repeat(16));
    let expected = [
        "01",
        "02",
        "03",
        "04",
        "0500000000000000000000000000000068747470",
        &long_name,
        &of_a_frame("070002010605040304"),
        &of_a_frame("090002010605040302"),
        "0a",
        "0b",
        "0c000000000000000201",
        "0f0002010605040307",
        "14",
        "15",
        "81",
        "8200010002",
        "820001000200000001",
        "8200010002000000030000000403",
        "820001000200000004",
        "830001000200000003",
        "8400000000000000000000000000000068747470",
        "85",
        "850000000000000001",
        "86",
        "860000000000000001",
        "8900020106050403",
        "8c",
    ];
    assert_eq!(golden, expected);
}

#[test]
fn a_life_that_is_spent_has_taken_something() {
    let spent = |taken| ToSupervisor::from_bytes(&ToSupervisor::Spent { taken }.to_bytes());
    assert_eq!([spent(0), spent(1)], [Err(ControlError::Unspent), Ok(ToSupervisor::Spent { taken: 1 })]);
}

#[test]
fn a_record_with_any_other_bit_is_another_record_or_refused() {
    let flipped = |bytes: [u8; RECORD_BYTES]| {
        (0..RECORD_BYTES * 8).map(move |bit| {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        })
    };
    for record in from_worker() {
        for flipped in flipped(record.to_bytes()) {
            if let Ok(other) = ToSupervisor::from_bytes(&flipped) {
                assert_eq!(other.to_bytes(), flipped);
                assert_ne!(other, record);
            }
        }
    }
    for record in from_supervisor() {
        for flipped in flipped(record.to_bytes()) {
            if let Ok(other) = ToWorker::from_bytes(&flipped) {
                assert_eq!(other.to_bytes(), flipped);
                assert_ne!(other, record);
            }
        }
    }
}

#[test]
fn only_64_bytes_are_a_record() {
    let bytes = [ToSupervisor::Ready.to_bytes(), [0; RECORD_BYTES]].concat();
    for length in (0..RECORD_BYTES).chain(RECORD_BYTES + 1..=2 * RECORD_BYTES) {
        assert_eq!(ToSupervisor::from_bytes(&bytes[..length]), Err(ControlError::Length { found: length }));
    }
}

#[test]
fn a_worker_cannot_say_what_only_the_supervisor_says() {
    for record in from_supervisor() {
        let found = record.to_bytes()[0];
        assert_eq!(ToSupervisor::from_bytes(&record.to_bytes()), Err(ControlError::Kind { found }));
    }
}

#[test]
fn a_link_is_beside_another_or_not_and_nothing_else() {
    for detail in [8, 9, 256, u32::MAX] {
        let mut bytes =
            ToWorker::Link { peer: 1, generation: 2, beside: true, uid: None, ring: false }.to_bytes();
        bytes[8..12].copy_from_slice(&u32::to_le_bytes(detail));
        assert_eq!(ToWorker::from_bytes(&bytes), Err(ControlError::Reserve { kind: 130 }), "{detail}");
    }
}

#[test]
fn names_that_are_none_are_refused() {
    for name in ["", "../../etc", "a b", "a\0b", "\u{202e}", &"a".repeat(KEPT_NAME_BYTES + 1)] {
        assert!(!is_kept_name(name), "{name:?}");
        let bytes = ToSupervisor::Keep { name: name.into() }.to_bytes();
        assert_eq!(ToSupervisor::from_bytes(&bytes), Err(ControlError::Name), "{name:?}");
    }
    let mut bytes = ToSupervisor::Keep { name: "http".into() }.to_bytes();
    bytes[16 + 10] = b'x';
    assert_eq!(ToSupervisor::from_bytes(&bytes), Err(ControlError::Reserve { kind: 5 }));
}

#[test]
fn an_accusation_names_a_fault_that_there_is() {
    let accuse = |fault| ToSupervisor::Accuse { peer: 1, generation: 1, fault, evidence: EVIDENCE };
    assert_eq!(accuse(4).fault(), Some(Fault::UnknownSlot));
    assert_eq!(accuse(0).fault(), None);
    assert_eq!(accuse(260).fault(), None);
}
