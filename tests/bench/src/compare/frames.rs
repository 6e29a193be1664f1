//! Frames on a byte stream, as an engineer would write them by hand: a length (u32, little endian) and what it counts.
//!
//! The writer coalesces what is put before a flush, the reader takes all there is. Notes are encoded by bincode.

use crate::workload::Note;

/// From so many bytes on, what was put is sent without waiting for a flush.
const FULL: usize = 64 << 10;
/// Bytes that are read at once, unless one frame is larger.
const READ: usize = 128 << 10;

/// What was read and not taken, and what was put and not written.
pub struct Frames {
    incoming: Vec<u8>,
    start: usize,
    end: usize,
    outgoing: Vec<u8>,
}

impl Frames {
    /// Has nothing.
    pub fn new() -> Self {
        Self { incoming: vec![0; READ], start: 0, end: 0, outgoing: Vec::with_capacity(2 * FULL) }
    }

    /// Puts a note; true if it is time to write.
    pub fn put(&mut self, note: &Note) -> bool {
        let at = self.outgoing.len();
        self.outgoing.extend_from_slice(&[0; 4]);
        let config = bincode::config::standard();
        let length = bincode::serde::encode_into_std_write(note, &mut self.outgoing, config)
            .expect("a vector takes every byte");
        self.outgoing[at..at + 4].copy_from_slice(&(length as u32).to_le_bytes());
        self.outgoing.len() >= FULL
    }

    /// Puts bytes, and returns whether it is time to write, and what has to be written after that because it was too large.
    pub fn give<'a>(&mut self, bytes: &'a [u8]) -> (bool, &'a [u8]) {
        self.outgoing.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        if bytes.len() >= FULL {
            return (true, bytes);
        }
        self.outgoing.extend_from_slice(bytes);
        (self.outgoing.len() >= FULL, &[])
    }

    /// Returns what has to be written.
    pub fn unwritten(&self) -> &[u8] {
        &self.outgoing
    }

    /// Forgets what was written.
    pub fn written(&mut self) {
        self.outgoing.clear();
    }

    /// Returns the space to read into.
    pub fn space(&mut self) -> &mut [u8] {
        let length = self.length().map_or(0, |length| length + 4);
        let wanted = length.max(READ);
        self.incoming.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.incoming.len() < wanted {
            self.incoming.resize(wanted, 0);
        }
        // No more than the rest of a large frame, so that nothing large is moved.
        &mut self.incoming[self.end..wanted]
    }

    /// Counts what was read into the space.
    pub fn read(&mut self, bytes: usize) {
        self.end += bytes;
    }

    /// Takes the next frame if all of it is there.
    pub fn next(&mut self) -> Option<&[u8]> {
        let length = self.length()?;
        let from = self.start + 4;
        if self.end - from < length {
            return None;
        }
        self.start = from + length;
        Some(&self.incoming[from..self.start])
    }

    /// Takes the next note if all of it is there.
    pub fn note(&mut self) -> Option<Note> {
        let (note, _) = bincode::serde::decode_from_slice(self.next()?, bincode::config::standard())
            .expect("the peer encodes what we decode");
        Some(note)
    }

    fn length(&self) -> Option<usize> {
        let length = self.incoming[self.start..self.end].first_chunk()?;
        Some(u32::from_le_bytes(*length) as usize)
    }
}
