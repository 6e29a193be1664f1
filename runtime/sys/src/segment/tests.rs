//! What is lent is read in place, and is not written before it is back.

use std::fs::File;
use std::io::Write;

use nix::fcntl::{FallocateFlags, fallocate};

use super::*;

const LIMIT: u64 = 1 << 20;
const ROOM: usize = 10_000;

fn segment() -> Segment {
    Segment::make(7, ROOM).unwrap()
}

fn lender(segment: &Segment) -> Arc<Lender> {
    Arc::new(Lender::map(segment.as_fd(), LIMIT).unwrap())
}

#[test]
fn what_is_written_is_read_and_written_again_when_it_is_back() {
    let mut segment = segment();
    let lender = lender(&segment);
    for round in 1..=3_u8 {
        let bytes = vec![round; 5000 * usize::from(round)];
        let written = segment.write(0, &bytes);
        assert_eq!((written, segment.written().len()), (bytes.len().min(ROOM), written));
        segment.lend();
        segment.lend();
        let head = look(segment.as_fd()).unwrap();
        assert_eq!(head, Head { number: 7, length: written as u64 });
        let (one, other) = (lender.take(head.length), lender.take(head.length));
        assert_eq!((&*one, segment.written()), (&bytes[..written], &bytes[..written]));
        for reader in [one, other] {
            assert_eq!((segment.is_back(), segment.write(0, b"x")), (false, 0));
            assert_eq!(reader[0], round);
        }
        assert!(segment.is_back());
    }
}

#[test]
fn bytes_are_appended_up_to_the_capacity_and_not_beyond_it() {
    let mut segment = segment();
    assert_eq!(segment.write(0, b"ab"), 2);
    assert_eq!(segment.write(2, b"cd"), 2);
    assert_eq!(segment.written(), b"abcd");
    assert_eq!(segment.write(ROOM - 1, b"yz"), 1);
    assert_eq!(segment.write(ROOM, b"z"), 0);
    assert_eq!(segment.write(ROOM + 1, b"z"), 0);
    assert_eq!((segment.written().len(), segment.written()[ROOM - 1]), (ROOM, b'y'));
}

#[test]
fn what_is_read_outlives_its_maker() {
    let mut segment = segment();
    segment.write(0, b"before");
    let lent = lender(&segment).take(6);
    drop(segment);
    assert_eq!(&*lent, b"before");
}

#[test]
fn d3_a_head_that_lies_of_its_length_is_read_up_to_the_end() {
    let segment = segment();
    for length in [0, ROOM as u64, ROOM as u64 + 1, u64::MAX] {
        segment.head.word(Word::Length).store(length, Ordering::Relaxed);
        let head = look(segment.as_fd()).unwrap();
        assert_eq!(lender(&segment).take(head.length).len() as u64, length.min(ROOM as u64));
        assert!(segment.written().len() <= ROOM);
    }
}

#[test]
fn d3_a_reader_that_gives_back_what_it_has_not_leaves_it_lent() {
    let mut segment = segment();
    let back = segment.head.word(Word::Back);
    for said in [1, u64::MAX] {
        back.store(said, Ordering::Relaxed);
        assert!(!segment.is_back());
    }
    assert_eq!(segment.write(0, b"x"), 0);
}

#[test]
fn d4_what_is_no_segment_is_not_taken_for_one() {
    let plain = tempfile::tempfile().unwrap();
    let sealed = crate::memory::seal(&[7; 8192]).unwrap();
    let words = crate::shared_words::make(8192).unwrap();
    for fd in [plain.as_fd(), sealed.as_fd(), words.as_fd()] {
        assert_eq!(look(fd), None);
    }
    let mut unsealed = File::from(create().unwrap());
    unsealed.write_all(&MAGIC.to_ne_bytes()).unwrap();
    unsealed.set_len(8192).unwrap();
    assert_eq!(look(unsealed.as_fd()), None);
    assert!(matches!(Lender::map(unsealed.as_fd(), LIMIT), Err(MemoryError::NotSealed { .. })));
}

#[test]
fn d4_memory_that_is_too_long_or_too_short_or_has_holes_is_not_mapped() {
    let segment = segment();
    let limits = [ROOM as u64, ROOM as u64 - 1];
    let [at, beyond] = limits.map(|limit| Lender::map(segment.as_fd(), limit).map(drop));
    assert_eq!(at, Ok(()));
    assert_eq!(beyond, Err(MemoryError::TooLong { bytes: ROOM as u64, limit: ROOM as u64 - 1 }));
    for bytes in [0, 8, HEAD_BYTES] {
        let short = crate::shared_words::make(bytes).unwrap();
        assert!(Lender::map(short.as_fd(), LIMIT).is_err(), "{bytes}");
    }
    let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    fallocate(&segment, punch, 4096, 4096).unwrap();
    assert!(matches!(Lender::map(segment.as_fd(), LIMIT), Err(MemoryError::Sparse { .. })));
}

#[test]
fn what_cannot_be_mapped_is_given_back_all_the_same() {
    let segment = segment();
    segment.lend();
    segment.lend();
    assert!(Lender::map(segment.as_fd(), 1).is_err());
    give_back(segment.as_fd()).unwrap();
    assert!(!segment.is_back());
    give_back(segment.as_fd()).unwrap();
    assert!(segment.is_back());
    let words = crate::shared_words::make(8192).unwrap();
    give_back(words.as_fd()).unwrap();
    let words = crate::shared_words::SharedWords::map(words.as_fd(), 8192).unwrap();
    assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0), "other memory is left alone");
}

#[test]
fn one_without_room_is_not_made() {
    assert!(Segment::make(1, 0).is_err());
    assert!(Segment::make(1, usize::MAX).is_err());
}

#[test]
fn who_reads_it_cannot_write_its_data_by_the_mapping() {
    let segment = segment();
    let lender = lender(&segment);
    let start = format!("{:x}-", lender.data.start.as_ptr().addr());
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.starts_with(&start)).unwrap();
    assert!(line.contains(" r--s "), "{line}");
}
