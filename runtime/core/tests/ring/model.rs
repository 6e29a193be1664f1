//! What a ring is between two honest ends: a queue, and bells that are rung once for each sleep.

use std::collections::VecDeque;

use bailiwick_core::ring::{Reader, WORD_BYTES, WriteError, Writer};

use crate::cells::Cells;

/// What an end does next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write { bytes: usize, fds: u16 },
    Read,
    ReaderSleeps,
    WriterSleeps { bytes: usize },
    WriterRings,
    ReaderRings,
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

/// Plays a story in a ring with room for so many words.
pub(crate) fn play(room: usize, steps: impl IntoIterator<Item = Step>) {
    let (mut writer, mut reader, _) = Cells::ends(room);
    let (queue, room) = (VecDeque::new(), room as u64);
    let mut model = Model { room, used: 0, queue, reader_sleeps: false, writer_sleeps: false };
    for (number, step) in steps.into_iter().enumerate() {
        model.step(step, &mut writer, &mut reader, number);
    }
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
