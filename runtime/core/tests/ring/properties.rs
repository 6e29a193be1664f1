//! Arbitrary steps of both ends, compared with a queue.

use std::collections::VecDeque;

use bailiwick_core::ring::{CONTROL_WORDS, Reader, WORD_BYTES, WriteError, Writer};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::cells::Cells;

#[derive(Clone, Debug)]
enum Step {
    Write { bytes: usize, fds: u16 },
    Read,
    ReaderSleeps,
    WriterSleeps { bytes: usize },
    WriterRings,
    ReaderRings,
}

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

/// What a ring is: a queue with so many words of room, and two ends that may sleep.
struct Model {
    room: u64,
    used: u64,
    queue: VecDeque<(Vec<u8>, u16)>,
    /// Whether each end sleeps and was not rung for that.
    reader_sleeps: bool,
    writer_sleeps: bool,
}

fn words(bytes: usize) -> u64 {
    1 + bytes.div_ceil(WORD_BYTES) as u64
}

impl Model {
    fn fits(&self, bytes: usize) -> Result<bool, WriteError> {
        if bytes == 0 || words(bytes) > self.room {
            return Err(WriteError::Unfit);
        }
        Ok(self.used + words(bytes) <= self.room)
    }

    fn step(&mut self, step: Step, writer: &mut Writer<Cells>, reader: &mut Reader<Cells>, number: usize) {
        match step {
            Step::Write { bytes, fds } => {
                let packet: Vec<u8> = (number..).take(bytes).map(|byte| byte as u8).collect();
                let expected =
                    self.fits(bytes).and_then(|fits| if fits { Ok(()) } else { Err(WriteError::Full) });
                assert_eq!(writer.write(&packet, fds), expected);
                if expected.is_ok() {
                    self.used += words(bytes);
                    self.queue.push_back((packet, fds));
                }
            }
            Step::Read => {
                let mut buffer = [0; 80];
                let read = reader.read(&mut buffer).expect("nobody forges");
                let read = read.map(|record| (buffer[..record.bytes].to_vec(), record.fds));
                let expected = self.queue.pop_front();
                self.used -= expected.as_ref().map_or(0, |(packet, _)| words(packet.len()));
                assert_eq!(read, expected);
            }
            Step::ReaderSleeps => {
                self.reader_sleeps = reader.sleep().expect("nobody forges");
                assert_eq!(self.reader_sleeps, self.queue.is_empty());
            }
            Step::WriterSleeps { bytes } => {
                let sleeps = writer.sleep(bytes);
                assert_eq!(sleeps, self.fits(bytes).map(|fits| !fits));
                self.writer_sleeps = sleeps.unwrap_or(true);
            }
            Step::WriterRings => {
                assert_eq!(writer.must_ring(), std::mem::take(&mut self.reader_sleeps));
            }
            Step::ReaderRings => {
                let rings = self.writer_sleeps && self.used <= self.room / 2;
                self.writer_sleeps &= !rings;
                assert_eq!(reader.must_ring(), Ok(rings));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_is_a_queue_and_rings_once_for_each_sleep(power in 1..5u32, steps in vec(step(), 0..300)) {
        let room = 1 << power;
        let (mut writer, mut reader, _) = Cells::ends(room);
        let (queue, room) = (VecDeque::new(), room as u64);
        let mut model = Model { room, used: 0, queue, reader_sleeps: false, writer_sleeps: false };
        for (number, step) in steps.into_iter().enumerate() {
            model.step(step, &mut writer, &mut reader, number);
        }
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
