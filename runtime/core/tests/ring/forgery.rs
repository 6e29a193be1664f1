//! Both ends of a ring whose every word may be rewritten at any time, beside what they must do: told from the words alone,
//! one at a time.

use bailiwick_core::ring::{CONTROL_WORDS, Forged, Reader, Record, WORD_BYTES, WriteError, Writer};

use crate::cells::Cells;

/// Words of room for packets.
pub(crate) const ROOM: usize = 16;
/// What the reader takes at most.
pub(crate) const BUFFER: usize = 100;

const TAIL: usize = 0;
const WRITER_SLEEPS: usize = 16;
const HEAD: usize = 32;
const READER_SLEEPS: usize = 48;
/// Where the words are that both ends look at.
pub(crate) const SPOKEN: [usize; 4] = [TAIL, WRITER_SLEEPS, HEAD, READER_SLEEPS];

/// What happens next.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Somebody writes a word.
    Forge {
        at: usize,
        word: u64,
    },
    /// Somebody adds to a word.
    Shift {
        at: usize,
        by: u64,
    },
    Write {
        bytes: usize,
        fds: u16,
    },
    Read {
        buffer: usize,
    },
    ReaderSleeps,
    WriterSleeps {
        bytes: usize,
    },
    ReaderRings,
    WriterRings,
    LooksLast,
}

/// What both ends know.
struct Known {
    cells: Cells,
    /// What was read, and the end of what is published as the reader saw it last, in words.
    head: u64,
    tail: u64,
    is_closed: bool,
    /// What was written, and the end of what is read as the writer saw it last, in words.
    written: u64,
    taken: u64,
    /// The sleep of the other that each has rung for.
    reader_rang: u64,
    writer_rang: u64,
}

/// Plays a story.
pub(crate) fn play(acts: impl IntoIterator<Item = Act>) {
    let (mut writer, mut reader, cells) = Cells::ends(ROOM);
    let mut known = Known {
        cells,
        head: 0,
        tail: 0,
        is_closed: false,
        written: 0,
        taken: 0,
        reader_rang: 0,
        writer_rang: 0,
    };
    for act in acts {
        known.follow(act, &mut writer, &mut reader);
    }
}

fn words(bytes: usize) -> u64 {
    1 + bytes.div_ceil(WORD_BYTES) as u64
}

/// Returns where a word of a packet is.
fn place(position: u64) -> usize {
    CONTROL_WORDS + (position % ROOM as u64) as usize
}

impl Known {
    fn follow(&mut self, act: Act, writer: &mut Writer<Cells>, reader: &mut Reader<Cells>) {
        match act {
            Act::Forge { at, word } => self.cells.set(at, word),
            Act::Shift { at, by } => {
                let at = at % (CONTROL_WORDS + ROOM);
                self.cells.set(at, self.cells.get(at).wrapping_add(by));
            }
            Act::Write { bytes, fds } => self.write(bytes, fds, writer),
            Act::Read { buffer } => self.read(buffer.min(BUFFER), reader),
            Act::ReaderSleeps => {
                let expected = self.has_some().map(|has_some| !has_some);
                assert_eq!(reader.sleep(), expected);
            }
            Act::WriterSleeps { bytes } => {
                let expected = self.has_room(bytes).map(|has_room| !has_room);
                assert_eq!(writer.sleep(bytes), expected);
            }
            Act::ReaderRings => {
                let expected = self.reader_rings();
                assert_eq!(reader.must_ring(), expected);
            }
            Act::WriterRings => {
                let asleep = self.cells.get(READER_SLEEPS);
                let rings = asleep % 2 == 1 && asleep != self.writer_rang;
                self.writer_rang = if rings { asleep } else { self.writer_rang };
                assert_eq!(writer.must_ring(), rings);
            }
            Act::LooksLast => {
                let expected = self.look();
                self.is_closed = true;
                assert_eq!(reader.look_last(), expected);
            }
        }
    }

    fn look(&mut self) -> Result<(), Forged> {
        let tail = self.cells.get(TAIL);
        if !self.is_closed {
            if tail < self.tail || tail > self.head + ROOM as u64 {
                return Err(Forged::Tail(tail));
            }
            self.tail = tail;
        }
        Ok(())
    }

    fn has_some(&mut self) -> Result<bool, Forged> {
        if self.head == self.tail {
            self.look()?;
        }
        Ok(self.head < self.tail)
    }

    fn reader_rings(&mut self) -> Result<bool, Forged> {
        let asleep = self.cells.get(WRITER_SLEEPS);
        if asleep.is_multiple_of(2) || asleep == self.reader_rang {
            return Ok(false);
        }
        self.look()?;
        let rings = self.tail - self.head <= ROOM as u64 / 2;
        self.reader_rang = if rings { asleep } else { self.reader_rang };
        Ok(rings)
    }

    fn read(&mut self, room: usize, reader: &mut Reader<Cells>) {
        let expected = self.expected();
        let expected = match expected {
            Ok(Some((record, _))) if record.bytes > room => {
                Err(Forged::Packet(self.cells.get(place(self.head))))
            }
            other => other,
        };
        let mut buffer = [0xEE; BUFFER];
        let read = reader.read(&mut buffer[..room]);
        assert_eq!(read, expected.clone().map(|some| some.map(|(record, _)| record)));
        let Ok(Some((record, packet))) = expected else { return };
        assert_eq!(&buffer[..record.bytes], packet);
        assert!(buffer[record.bytes..].iter().all(|byte| *byte == 0xEE), "nothing behind it is written");
        self.head += words(record.bytes);
        assert_eq!(self.cells.get(HEAD), self.head);
    }

    /// Returns what is read next, if there is room for it.
    fn expected(&mut self) -> Result<Option<(Record, Vec<u8>)>, Forged> {
        if !self.has_some()? {
            return Ok(None);
        }
        let head = self.cells.get(place(self.head));
        let (bytes, fds, rest) = (head as u32 as usize, (head >> 32) as u16, head >> 48);
        if bytes == 0 || rest != 0 || words(bytes) > self.tail - self.head {
            return Err(Forged::Packet(head));
        }
        let word = |at| self.cells.get(place(self.head + 1 + at as u64)).to_ne_bytes();
        let packet = (0..bytes).map(|at| word(at / WORD_BYTES)[at % WORD_BYTES]).collect();
        Ok(Some((Record { bytes, fds }, packet)))
    }

    fn has_room(&mut self, bytes: usize) -> Result<bool, WriteError> {
        if bytes == 0 || words(bytes) > ROOM as u64 {
            return Err(WriteError::Unfit);
        }
        if self.written + words(bytes) > self.taken + ROOM as u64 {
            let taken = self.cells.get(HEAD);
            if taken < self.taken || taken > self.written {
                return Err(WriteError::Forged(Forged::Head(taken)));
            }
            self.taken = taken;
        }
        Ok(self.written + words(bytes) <= self.taken + ROOM as u64)
    }

    fn write(&mut self, bytes: usize, fds: u16, writer: &mut Writer<Cells>) {
        let packet: Vec<u8> = (0..bytes).map(|at| (self.written as usize + at) as u8).collect();
        let expected = self.has_room(bytes);
        let before = self.cells.get(TAIL);
        let outcome = writer.write(&packet, fds);
        if expected != Ok(true) {
            assert_eq!(outcome, expected.and(Err(WriteError::Full)));
            assert_eq!(self.cells.get(TAIL), before, "nothing is published");
            return;
        }
        assert_eq!(outcome, Ok(()));
        assert_eq!(self.cells.get(place(self.written)), bytes as u64 | (u64::from(fds) << 32));
        for (at, byte) in packet.iter().enumerate() {
            let word = self.cells.get(place(self.written + 1 + (at / WORD_BYTES) as u64)).to_ne_bytes();
            assert_eq!(word[at % WORD_BYTES], *byte);
        }
        self.written += words(bytes);
        assert_eq!(self.cells.get(TAIL), self.written);
    }
}
