//! What the echoing worker does, for two processes and for one.

use bailiwick::prelude::*;

use crate::workload::Note;

/// What the echoing worker does.
#[protocol]
pub trait Echo {
    /// Returns the note.
    async fn echo(&mut self, note: Note) -> Note;
    /// Counts the note.
    async fn tell(&mut self, note: Note);
    /// Returns how many notes were counted, and starts again at zero.
    async fn told(&mut self) -> u64;
    /// Returns the process's number.
    async fn process(&mut self) -> u32;
}

/// Echoes and counts.
#[derive(Default)]
pub struct Echoing {
    told: u64,
}

impl Echo for Echoing {
    async fn echo(&mut self, note: Note) -> Note {
        note
    }

    async fn tell(&mut self, _note: Note) {
        self.told += 1;
    }

    async fn told(&mut self) -> u64 {
        std::mem::take(&mut self.told)
    }

    async fn process(&mut self) -> u32 {
        std::process::id()
    }
}
