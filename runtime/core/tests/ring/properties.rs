//! Arbitrary steps of both ends, compared with a queue.

use bailiwick_core::ring::{CONTROL_WORDS, Reader, WriteError, Writer};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::cells::Cells;
use crate::model::{Step, play};

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1..80usize, 0..3u16).prop_map(|(bytes, fds)| Step::Write { bytes, fds }),
        5 => Just(Step::Read),
        1 => Just(Step::ReaderSleeps),
        1 => (1..80usize).prop_map(|bytes| Step::WriterSleeps { bytes }),
        1 => Just(Step::WriterRings),
        1 => Just(Step::ReaderRings),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_is_a_queue_and_rings_once_for_each_sleep(power in 1..5u32, steps in vec(step(), 0..300)) {
        play(1 << power, steps);
    }
}

#[test]
fn the_room_is_used_to_its_last_word_and_no_further() {
    let (mut writer, mut reader, _) = Cells::ends(8);
    assert_eq!(writer.write(&[1; 57], 0), Err(WriteError::Unfit), "the head takes a word");
    assert_eq!(writer.write(&[], 0), Err(WriteError::Unfit));
    assert_eq!(writer.write(&[1; 56], 0), Ok(()));
    assert_eq!(writer.write(&[1], 0), Err(WriteError::Full));
    assert_eq!(reader.read(&mut [0; 56]).unwrap().unwrap().bytes, 56);
    assert_eq!(writer.write(&[1], 0), Ok(()));
}

#[test]
fn a_room_that_is_no_power_of_two_is_none() {
    for (room, is_one) in [(1, true), (3, false), (4, true), (6, false), (8, true)] {
        let (_, _, cells) = Cells::ends(8);
        let part = Part(cells, CONTROL_WORDS + room);
        assert_eq!(Writer::new(part).is_some(), is_one, "{room}");
    }
    assert!(Reader::new(Part(Cells::ends(8).2, CONTROL_WORDS)).is_none());
    assert!(Reader::new(Part(Cells::ends(8).2, 0)).is_none());
}

/// Words that say that there are so many of them.
struct Part(Cells, usize);

impl bailiwick_core::ring::Words for Part {
    fn count(&self) -> usize {
        self.1
    }

    fn acquire(&self, at: usize) -> u64 {
        self.0.acquire(at)
    }

    fn release(&self, at: usize, word: u64) {
        self.0.release(at, word);
    }

    fn fence(&self) {}

    fn copy_out(&self, at: usize, bytes: &mut [u8]) {
        self.0.copy_out(at, bytes);
    }

    fn copy_in(&self, at: usize, bytes: &[u8]) {
        self.0.copy_in(at, bytes);
    }
}
