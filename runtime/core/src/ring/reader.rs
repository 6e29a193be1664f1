//! The end that reads.

use super::{Bell, Forged, HEAD, READER_SLEEPS, Room, TAIL, WORD_BYTES, WRITER_SLEEPS, Words, words_of};

/// The end that reads.
#[derive(Debug)]
pub struct Reader<W> {
    words: W,
    room: Room,
    head: u64,
    /// As it was read last.
    tail: u64,
    bell: Bell,
    /// Nothing that is published from now on is taken.
    is_closed: bool,
}

/// A packet that was copied out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its bytes.
    pub bytes: usize,
    /// How many descriptors belong to it.
    pub fds: u16,
}

impl<W: Words> Reader<W> {
    /// Returns the reading end of words that are all zero as yet; none if the room for packets is no power of two.
    pub fn new(words: W) -> Option<Self> {
        let room = Room::of(words.count())?;
        Some(Self { words, room, head: 0, tail: 0, bell: Bell::default(), is_closed: false })
    }

    /// Returns whether there is a packet.
    ///
    /// # Errors
    /// When the writer broke the protocol.
    pub fn has_some(&mut self) -> Result<bool, Forged> {
        if self.head == self.tail {
            self.look()?;
        }
        Ok(self.head < self.tail)
    }

    /// Looks for what is published, for the last time: the writer is gone, and whoever else has its memory is not heard.
    ///
    /// # Errors
    /// When the writer broke the protocol.
    pub fn look_last(&mut self) -> Result<(), Forged> {
        let looked = self.look();
        self.is_closed = true;
        looked
    }

    /// Copies the oldest packet out, and gives its room back. One that is longer than `buffer` is no packet.
    ///
    /// # Errors
    /// When the writer broke the protocol.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Option<Record>, Forged> {
        if !self.has_some()? {
            return Ok(None);
        }
        let mut head = [0; WORD_BYTES];
        self.words.copy_out(self.room.at(self.head).0, &mut head);
        let head = u64::from_ne_bytes(head);
        let forged = Forged::Packet(head);
        // The writer may change what it has published, so a head is read once, and what it says holds from here on.
        let (bytes, fds) = (head as u32 as usize, (head >> 32) as u16);
        let buffer = buffer.get_mut(..bytes).filter(|buffer| !buffer.is_empty()).ok_or(forged)?;
        if head >> 48 != 0 || words_of(bytes) > self.tail - self.head {
            return Err(forged);
        }
        let (at, unbroken) = self.room.at(self.head + 1);
        let (first, second) = buffer.split_at_mut(bytes.min(unbroken * WORD_BYTES));
        self.words.copy_out(at, first);
        self.words.copy_out(self.room.at(0).0, second);
        self.head += words_of(bytes);
        self.words.release(HEAD, self.head);
        Ok(Some(Record { bytes, fds }))
    }

    /// Returns whether the writer has to be woken for the room that there is. It is told once for each of its sleeps, and not
    /// before half of all is free: otherwise it would be woken for each packet that is read.
    ///
    /// # Errors
    /// When the writer broke the protocol.
    pub fn must_ring(&mut self) -> Result<bool, Forged> {
        let Some(heard) = self.bell.hears(&self.words, WRITER_SLEEPS) else { return Ok(false) };
        // Who sleeps has published what it had, and that may be more than was seen when there was last a look.
        self.look()?;
        let rings = self.tail - self.head <= self.room.words / 2;
        if rings {
            self.bell.rung = heard;
        }
        Ok(rings)
    }

    /// Says that this end sleeps until there is a packet. Returns whether it may: otherwise there is one by now.
    ///
    /// # Errors
    /// When the writer broke the protocol.
    pub fn sleep(&mut self) -> Result<bool, Forged> {
        self.bell.sleep(&self.words, READER_SLEEPS);
        let has_some = self.has_some()?;
        if has_some {
            self.wake();
        }
        Ok(!has_some)
    }

    /// Says that this end is awake, if it has said that it sleeps: whoever does not say so is woken without need.
    pub fn wake(&mut self) {
        self.bell.wake(&self.words, READER_SLEEPS);
    }
    fn look(&mut self) -> Result<(), Forged> {
        if self.is_closed {
            return Ok(());
        }
        let tail = self.words.acquire(TAIL);
        if tail < self.tail || tail - self.head > self.room.words {
            return Err(Forged::Tail(tail));
        }
        self.tail = tail;
        Ok(())
    }
}
