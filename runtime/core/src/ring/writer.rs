//! The end that writes.

use super::{Bell, Forged, HEAD, READER_SLEEPS, Room, TAIL, WORD_BYTES, WRITER_SLEEPS, Words, words_of};

/// The end that writes.
#[derive(Debug)]
pub struct Writer<W> {
    words: W,
    room: Room,
    tail: u64,
    /// As it was read last.
    head: u64,
    bell: Bell,
}

/// Why a packet was not written. Nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// There is no room at present.
    Full,
    /// It has no bytes, or more than there can ever be room for: our own mistake.
    Unfit,
    /// The reader broke the protocol.
    Forged(Forged),
}

impl<W: Words> Writer<W> {
    /// Returns the writing end of words that are all zero as yet; none if the room for packets is no power of two.
    pub fn new(words: W) -> Option<Self> {
        let room = Room::of(words.count())?;
        Some(Self { words, room, tail: 0, head: 0, bell: Bell::default() })
    }

    /// Returns whether there is room for a packet of this many bytes. That stays true until one is written.
    ///
    /// # Errors
    /// `Unfit` and `Forged`.
    pub fn has_room(&mut self, bytes: usize) -> Result<bool, WriteError> {
        let needed = words_of(bytes);
        if bytes == 0 || needed > self.room.words || u32::try_from(bytes).is_err() {
            return Err(WriteError::Unfit);
        }
        if self.free() < needed {
            self.look()?;
        }
        Ok(self.free() >= needed)
    }

    /// Writes a packet and publishes it.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write(&mut self, bytes: &[u8], fds: u16) -> Result<(), WriteError> {
        if !self.has_room(bytes.len())? {
            return Err(WriteError::Full);
        }
        let head = (bytes.len() as u64) | (u64::from(fds) << 32);
        self.words.copy_in(self.room.at(self.tail).0, &head.to_ne_bytes());
        let (at, unbroken) = self.room.at(self.tail + 1);
        let (first, second) = bytes.split_at(bytes.len().min(unbroken * WORD_BYTES));
        self.words.copy_in(at, first);
        self.words.copy_in(self.room.at(0).0, second);
        self.tail += words_of(bytes.len());
        self.words.release(TAIL, self.tail);
        Ok(())
    }

    /// Returns whether the reader has to be woken for what was written. It is told once for each of its sleeps.
    pub fn must_ring(&mut self) -> bool {
        let heard = self.bell.hears(&self.words, READER_SLEEPS);
        self.bell.rung = heard.unwrap_or(self.bell.rung);
        heard.is_some()
    }

    /// Says that this end sleeps until there is room for a packet of this many bytes. Returns whether it may: otherwise there
    /// is room by now.
    ///
    /// # Errors
    /// `Unfit` and `Forged`.
    pub fn sleep(&mut self, bytes: usize) -> Result<bool, WriteError> {
        self.bell.sleep(&self.words, WRITER_SLEEPS);
        let has_room = self.has_room(bytes)?;
        if has_room {
            self.bell.wake(&self.words, WRITER_SLEEPS);
        }
        Ok(!has_room)
    }

    fn free(&self) -> u64 {
        self.room.words - (self.tail - self.head)
    }

    fn look(&mut self) -> Result<(), WriteError> {
        let head = self.words.acquire(HEAD);
        if head < self.head || head > self.tail {
            return Err(WriteError::Forged(Forged::Head(head)));
        }
        self.head = head;
        Ok(())
    }
}
